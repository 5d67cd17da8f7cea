// The journal on a real disk under kill -9: every record that was reported as durable exists.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostWorld, lockState, openHostKey } from "#agent/host/host.ts";
import { Journal } from "#agent/store/journal/journal.ts";
import { Prng } from "#sim/base/prng.ts";

const agent = (file: string): string =>
  JSON.stringify(new URL(`../../agent/${file}`, import.meta.url).href);

// Prints the number of each record once it is durable, and writes snapshots now and then.
const writer = `
  import { hostWorld, lockState, openHostKey } from ${agent("host/host.ts")};
  import { Journal } from ${agent("store/journal/journal.ts")};
  const state = process.argv[1];
  const world = await hostWorld({ state, level: "error" });
  await lockState(state);
  const { journal } = await Journal.open(world, { key: await openHostKey(state), host: "h" });
  for (let n = journal.records().at(-1)?.n ?? 0; ; ) {
    n += 1;
    const record = { kind: "k", n, text: "x".repeat(n % 500) };
    await (n % 50 === 0 ? journal.compact(record) : journal.append(record));
    process.stdout.write(n + "\\n");
  }
`;

let state = "";
beforeEach(async () => {
  state = join(await mkdtemp(join(tmpdir(), "linkseal-journal-")), "state");
});
afterEach(() => rm(join(state, ".."), { recursive: true, force: true }));

/**
 * Starts a writer and kills it after `ms` of writing; resolves to the last number that it reported
 * as durable.
 */
async function writeAndKill(ms: number): Promise<number> {
  const argv = ["--input-type=module", "-e", writer, state];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    if (output === "") setTimeout(() => child.kill("SIGKILL"), ms);
    output += data.toString();
  });
  await once(child, "close");
  return Number(output.trim().split("\n").at(-1));
}

describe("a journal whose writer is killed", () => {
  it("a journal whose writer is killed has every record that was durable, in order", async () => {
    const prng = new Prng("killed-writer");
    let written = 0;
    for (let round = 0; round < 6; round += 1) {
      const durable = await writeAndKill(prng.between(0, 60));
      // Otherwise the writer never began, and the test tried nothing.
      expect(durable).toBeGreaterThan(0);
      const world = await hostWorld({ state, level: "error" });
      await using _lock = await lockState(state);
      using key = await openHostKey(state);
      const { journal, recovered } = await Journal.open(world, { key, host: "h" });
      expect(recovered.kind).not.toBe("corrupt");
      written = Math.max(written, durable);
      const numbers = journal.records().map((entry) => Number(entry["n"]));
      const last = numbers.at(-1) ?? 0;
      expect([durable, durable + 1]).toContain(last);
      expect(numbers).toEqual(numbers.map((_, index) => last - numbers.length + 1 + index));
    }
    // A writer that was killed before its first record each time would prove nothing.
    expect(written).toBeGreaterThan(0);
  });
});
