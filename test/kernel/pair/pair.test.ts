// A pair on two hosts of a real kernel: the agent on one of them reaches the other by SSH and
// `linkseal peer`, whose path, processes and power may end in the middle of a rotation.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { effort } from "../../effort.ts";
import { PairLab } from "../../lab/pair/pair-lab.ts";
import {
  changedBoth,
  enrolled,
  isGood,
  type Result,
  resultsText,
  rotatedBoth,
  rotatedUnderTunnels,
  strikes,
  struck,
} from "../../lab/pair/strikes.ts";

let folder = "";
let lab: PairLab | undefined;
const output: string[] = [];

afterEach(async () => {
  await lab?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}, 120_000);

describe("a pair on two hosts", { timeout: effort(1_200_000, 10_800_000) }, () => {
  it("rotations lose nothing, whatever ends on the way", async () => {
    folder = mkdtempSync(join(tmpdir(), "linkseal-pair-"));
    const pair = await PairLab.open(folder, (line) => output.push(line));
    lab = pair;
    const results: Result[] = [];
    try {
      expect((await pair.enrol()).outcomes).toBe(enrolled);
      results.push(await rotatedBoth(pair));
      for (const play of effort([], [changedBoth])) results.push(await play(pair));
      for (const strike of effort(strikes.slice(0, 1), strikes)) {
        results.push(await struck(pair, strike));
      }
      for (const play of effort([], [rotatedUnderTunnels])) results.push(await play(pair));
    } finally {
      console.log([...output, ...pair.complaints(), resultsText(results)].join("\n"));
    }
    expect(results.filter((result) => !isGood(result))).toEqual([]);
  });
});
