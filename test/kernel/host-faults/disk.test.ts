// The disk below a real file system dies in the middle of writes, and comes back as after a power
// cut: nothing that was acknowledged is missing, and nothing is read as damaged.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FsDisk } from "#agent/host/disk.ts";
import { hostClock } from "#agent/host/host.ts";
import { Journal } from "#agent/store/journal/journal.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";
import { FailingDisk, promises } from "./failing-disk.ts";

const seed = "dying-disk";
const rounds = effort(12, 200);

const key = (): Secret => Secret.take("host key", new Uint8Array(32).fill(7));

async function opened(disk: FailingDisk) {
  const files = await FsDisk.open(join(disk.folder, "state"));
  const world = { disk: files, clock: hostClock };
  const { journal, recovered } = await Journal.open(world, { key: key(), host: "host" });
  return { files, journal, recovered };
}

describe("a state folder on a disk that dies", { timeout: 1_800_000 }, () => {
  it.each(promises)("what was acknowledged outlives a disk (%s)", async (promise) => {
    using disk = new FailingDisk(`linkseal-${process.pid}`, promise);
    const prng = new Prng(seed);
    const done: number[] = [];
    let [next, lastIndex, refused] = [0, -1, 0];
    for (let round = 0; round < rounds; round += 1) {
      const { files, journal, recovered } = await opened(disk);
      expect([round, recovered.kind === "corrupt"]).toEqual([round, false]);
      const found = journal.records().flatMap(({ n }) => (typeof n === "number" ? n : []));
      expect(found.filter((n) => done.includes(n))).toEqual(done);
      expect(found).toEqual(found.toSorted((a, b) => a - b));
      const text = new TextDecoder().decode((await files.read("index")) ?? new Uint8Array());
      if (lastIndex >= 0) expect(Number(text)).toBeGreaterThanOrEqual(lastIndex);
      // A record that was refused may be there all the same: nothing is concluded from it.
      done.splice(0, done.length, ...found);
      const dies = prng.between(0, 12);
      const isQuiet = prng.chance(0.5);
      const settled = (write: Promise<void>): Promise<void> =>
        write.catch((error: unknown) => {
          refused += 1;
          expect(error).toBeInstanceOf(LinksealError);
          expect(error).toMatchObject({ code: "journal.full", effect: "none" });
        });
      const record = (n: number): Promise<void> =>
        settled(journal.append({ kind: "test", n }).then(() => void done.push(n)));
      const index = (n: number): Promise<void> => {
        const octets = new TextEncoder().encode(String(n).padStart(6000, "0"));
        const write = files.replace("index", octets).then(() => {
          lastIndex = n;
        });
        return settled(write);
      };
      const pending: Promise<void>[] = [];
      for (let count = 0; count < 16; count += 1) {
        if (count === dies && isQuiet) {
          // The sync of any other write would bring this one to the disk, too.
          await Promise.all(pending);
          await (prng.chance(0.5) ? record : index)(next++);
          disk.fail();
        }
        const n = next++;
        pending.push(record(n), index(n));
        // The writes go on while the disk is taken away.
        if (count === dies && !isQuiet) disk.fail();
        if (prng.chance(0.5)) await Promise.all(pending);
      }
      await Promise.all(pending);
      disk.giveBack();
    }
    console.log(`seed ${seed}: a disk (${promise}) died ${rounds} times, in ${next} changes of it;
  ${refused} writes were refused`);
    expect(refused).toBeGreaterThan(rounds);
    expect(done.length).toBeGreaterThan(rounds);
  });
});
