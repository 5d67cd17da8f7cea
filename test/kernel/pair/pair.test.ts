// A pair on two hosts of a real kernel: the agent on one of them reaches the other by SSH and
// `linkseal peer`, whose path, processes and power may end in the middle of a rotation.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { effort } from "../../effort.ts";
import { type AgentAt, PairLab } from "../../lab/pair/pair-lab.ts";
import {
  isGood,
  type Result,
  resultsText,
  strikes,
  struck,
  underTraffic,
} from "../../lab/pair/strikes.ts";
import { until } from "../lab.ts";

let folder = "";
let lab: PairLab | undefined;
const output: string[] = [];

async function opened(agentAt: AgentAt): Promise<PairLab> {
  folder = mkdtempSync(join(tmpdir(), "linkseal-pair-"));
  lab = await PairLab.open(folder, agentAt, (line) => output.push(line));
  return lab;
}

afterEach(async () => {
  await lab?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
}, 120_000);

/** The state in which most is under way: the far end has its new key. */
const usual = strikes.filter(({ title, at }) => title.startsWith("path") && at === "proving");

describe("a pair on two hosts", { timeout: effort(1_200_000, 10_800_000) }, () => {
  it.each(effort(["edge-a"], ["edge-a", "third"] as const))(
    "enrolment, change and rotations lose nothing, whatever ends on the way, agent on %s",
    async (agentAt) => {
      const pair = await opened(agentAt as AgentAt);
      const results: Result[] = [];
      try {
        results.push(await underTraffic(pair, "enrolment, from the clear", () => pair.enrol()));
        results.push(await underTraffic(pair, "another SAK lifetime", () => pair.changeSettings()));
        results.push(await underTraffic(pair, "rotation of both links", () => pair.rotate()));
        for (const strike of effort(usual, strikes)) results.push(await struck(pair, strike));
      } finally {
        console.log([...output, ...pair.complaints(), resultsText(results)].join("\n"));
      }
      expect(results.filter((result) => !isGood(result))).toEqual([]);
    },
  );

  // An enrolment and the whole time of its confirmation: the long form alone has it.
  it.each(effort([], ["edge-a"] as const))(
    "a change that waits is taken back on the other host's own clock, agent on %s dead",
    async (agentAt) => {
      const pair = await opened(agentAt);
      const ending = pair.enrol();
      const armed = async (): Promise<boolean> => (await pair.second.armed()) !== undefined;
      await until(async () => (await armed()) || undefined, 600_000);
      await pair.first.powerOff();
      await until(async () => !(await armed()) || undefined, 300_000);
      expect(pair.second.secy()).toBeUndefined();
      await pair.first.boot();
      await pair.startAgent();
      expect((await ending).outcomes).toBe("primary enrolled, secondary enrolled");
    },
  );
});
