// The journal of a large site: compacted whatever the number of groups, and warned of if it cannot
// be.

import { describe, expect, it } from "vitest";
import { finders } from "#agent/runtime/health/finders.ts";
import { MemoryKeeper } from "#agent/runtime/memory-keeper.ts";
import { fileBytesMax, lineBytesMax } from "#agent/store/journal/chain.ts";
import { Journal } from "#agent/store/journal/journal.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import { recollect, snapshotRecords } from "#agent/store/journal/stored.ts";
import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { Secret } from "#hal/secret.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { foundBy, siteSubject } from "../../kit/finder-kit.ts";
import { settled, wallStart } from "../../kit/site-bench.ts";

/** What groups leave behind whose campaigns made as many moves as are kept. */
function memoryOf(groups: number): Memory {
  const names = Array.from({ length: groups }, (_, n) => `group-${n}`);
  const move = { at: wallStart as never, link: "primary", state: "proving" } as const;
  const moves = Array.from({ length: 60 }, () => ({
    ...move,
    reason: {
      code: "recorded",
      text: "a sentence as long as those of real campaigns are",
    } as const,
  }));
  return {
    ...emptyMemory,
    campaigns: Object.fromEntries(names.map((group) => [group, campaignOf("done", { group })])),
    trails: Object.fromEntries(names.map((group) => [group, moves])),
    operations: Object.fromEntries(names.map((group) => [`${group}/primary`, "/operations/7"])),
  };
}

const whole = (memory: Memory) => ({ kind: "snapshot", memory });

class Bench {
  readonly clock = new SimClock(wallStart);
  readonly disk = new SimDisk({ clock: this.clock, prng: new Prng("keeper"), writeMs: 0 });
  readonly logged: string[] = [];

  async open(): Promise<{ readonly journal: Journal; readonly keeper: MemoryKeeper }> {
    const key = Secret.take("host key", new Uint8Array(32).fill(7));
    const world = { disk: this.disk, clock: this.clock };
    const { journal } = await settled(this.clock, Journal.open(world, { key, host: "host-a" }));
    const log = {
      write: (_level: string, code: string): void => void this.logged.push(code),
    };
    return { journal, keeper: new MemoryKeeper({ journal, log, written: () => undefined }) };
  }

  async write(keeper: MemoryKeeper, count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      await settled(this.clock, keeper.write({ kind: "measured", what: "commit", ms: n }));
    }
  }
}

describe("the snapshot of a memory", () => {
  it.each([0, 1, 700, 1_000])("of %i groups adds up to the same memory", (groups) => {
    const memory = memoryOf(groups);
    const records = snapshotRecords(memory);
    expect(recollect(records)).toEqual(recollect([whole(memory)]));
    for (const record of records) expect(encodeJson(record).length).toBeLessThan(lineBytesMax / 2);
    expect(records.length > 1).toBe(groups >= 700);
  });

  it("of a small site is one record, as every version reads it", () => {
    expect(snapshotRecords(memoryOf(20)).map(({ kind }) => kind)).toEqual(["snapshot"]);
  });

  it("is split between entries, however short its records must be", () => {
    const memory = memoryOf(9);
    const records = snapshotRecords(memory, 1_000);
    expect(records.length).toBeGreaterThan(9);
    expect(recollect(records)).toEqual(recollect([whole(memory)]));
  });
});

describe("the journal of a site of 1,000 groups", () => {
  it("is compacted, stays far below its longest size, and is read again", async () => {
    const bench = new Bench();
    const { journal } = await bench.open();
    const [first, ...more] = snapshotRecords(memoryOf(1_000));
    await settled(bench.clock, journal.compact(first, ...more));
    const begun = await bench.open();
    await bench.write(begun.keeper, 600);
    expect(begun.keeper.trouble).toBeUndefined();
    expect(begun.journal.length).toBeLessThan(300);
    expect(begun.journal.bytes).toBeLessThan(fileBytesMax / 4);
    expect((await bench.open()).keeper.memory).toEqual(begun.keeper.memory);
  });
});

describe("a journal that cannot be compacted", () => {
  it("is warned of long before it is full, until the next compaction", async () => {
    const bench = new Bench();
    const { journal, keeper } = await bench.open();
    await bench.write(keeper, 250);
    const compact = journal.compact.bind(journal);
    const details = { effect: "none", where: "journal", next: "linkseal journal" } as const;
    journal.compact = () =>
      Promise.reject(new LinksealError("agent.internal", "a record is too long", details));
    await bench.write(keeper, 1);
    const agent = { journal, compaction: keeper };
    const grown = () => foundBy(finders.host, "journal-growing", { agent }, siteSubject);
    const [warning, ...others] = grown();
    expect(others).toEqual([]);
    expect(warning).toMatchObject({ code: "journal-growing", about: "site" });
    expect(warning?.text).toMatch(/ and grows: it has 1 % of its longest size, /);
    expect(journal.bytes).toBeLessThan(fileBytesMax / 100);
    journal.compact = compact;
    // It is not tried with each record: that costs more than the record.
    await bench.write(keeper, 24);
    expect(keeper.trouble).toBeDefined();
    await bench.write(keeper, 2);
    expect(keeper.trouble).toBeUndefined();
    expect(grown()).toEqual([]);
    expect(journal.length).toBeLessThan(10);
  });
});
