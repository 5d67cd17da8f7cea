// The correct scripted agent under a fault schedule keeps every promise.

import { describe, expect, it } from "vitest";
import { stormFaults } from "#sim/faults/faults.ts";
import { formatViolation } from "#sim/oracle/oracle.ts";
import { ScriptedAgent } from "../scripted-agent.ts";
import { Storm } from "../storm/fault-storm.ts";
import { buildStormSite, type StormSite, type StormSiteOptions } from "../storm/storm-site.ts";

interface Run extends StormSite {
  readonly lines: readonly string[];
  readonly outcomes: readonly string[];
  readonly storm: Storm;
}

const stormMs = 2 * 3_600_000;
const calmMs = 6 * 3_600_000;

async function run(
  seed: string,
  start: StormSiteOptions["start"],
  act: (scripted: ScriptedAgent, group: string) => Promise<string>,
): Promise<Run> {
  const lines: string[] = [];
  const writeLine = (line: string): void => {
    lines.push(line);
  };
  const stormSite = buildStormSite({
    seed,
    routers: 4,
    tunnels: 2,
    start,
    models: "best",
    writeLine,
  });
  const { site } = stormSite;
  await site.clock.runFor(60_000);
  const storm = new Storm({ site, everyMs: 240_000, kindChance: 0.4 });
  const scripted = new ScriptedAgent(site);
  const outcomes: string[] = [];
  for (const group of site.groups) {
    void act(scripted, group).then((outcome) => outcomes.push(`${group} ${outcome}`));
  }
  await site.clock.runFor(stormMs);
  storm.calm();
  await site.clock.runFor(calmMs, () => outcomes.length === site.groups.length);
  return { ...stormSite, lines, outcomes, storm };
}

async function enrolGroup(scripted: ScriptedAgent, group: string): Promise<string> {
  const outcomes: string[] = [];
  for (const link of scripted.site.links.filter((candidate) => candidate.group === group)) {
    if (outcomes.includes("held")) break;
    outcomes.push(await scripted.enrol(link, scripted.givenKey(link)));
  }
  return outcomes.join(" ");
}

async function rotateGroup(scripted: ScriptedAgent, group: string): Promise<string> {
  const outcomes: string[] = [];
  for (const link of scripted.site.links.filter((candidate) => candidate.group === group)) {
    if (outcomes.includes("held")) break;
    const old = scripted.givenKey(link);
    outcomes.push(await scripted.rotate(link, old, scripted.newKey(link)));
  }
  return outcomes.join(" ");
}

const works = [
  { name: "enrols", start: "clear", act: enrolGroup },
  { name: "rotates", start: "protected", act: rotateGroup },
] as const;
const seeds = ["storm-1", "storm-2", "storm-3", "storm-4", "storm-5", "storm-6"];

describe.each(works)("the correct scripted agent $name", ({ start, act }) => {
  it.each(seeds)(
    "the correct scripted agent keeps every promise under faults, seed %s",
    async (seed) => {
      const { oracle, outcomes, storm } = await run(seed, start, act);
      const kinds = storm.kinds.map(({ name }) => name).join(",");
      const found = oracle.violations.map((violation) => `${formatViolation(violation)}\n${kinds}`);
      expect(found).toEqual([]);
      expect(outcomes).toHaveLength(2);
    },
  );
});

describe("one seed", () => {
  it("one seed gives the same log byte for byte, and another seed another log", async () => {
    const first = await run("twice", "clear", enrolGroup);
    const second = await run("twice", "clear", enrolGroup);
    const other = await run("thrice", "clear", enrolGroup);
    expect(first.lines.length).toBeGreaterThan(50);
    expect(second.lines.join("\n")).toBe(first.lines.join("\n"));
    expect(other.lines.join("\n")).not.toBe(first.lines.join("\n"));
  });

  it("a seed draws the kinds of faults of a run: some are used and some are not", async () => {
    const { storm } = await run("kinds", "protected", async () => "idle");
    expect(storm.kinds.length).toBeGreaterThan(3);
    expect(storm.kinds.length).toBeLessThan(stormFaults.length - 3);
  });
});
