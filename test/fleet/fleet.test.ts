// One real agent over several groups: hours of calm, and storms in which it is killed and its disk
// gives wrong data. LINKSEAL_SEED=NAME replays one storm alone.

import { describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import { type Played, type PlayOptions, playStorm } from "../storm/play.ts";
import { seededDefects } from "../storm/seeded-defects.ts";
import { FaultSchedule, type Outcome } from "./fault-schedule.ts";

const hourMs = 3_600_000;

async function play(options: Partial<PlayOptions>): Promise<Played & { readonly log: string }> {
  const lines: string[] = [];
  const played = await playStorm({
    seed: "calm-1",
    routers: 4,
    days: 0.25,
    faults: "off",
    defect: undefined,
    stop: new AbortController().signal,
    writeLine: (line) => {
      lines.push(line);
    },
    ...options,
  });
  return { ...played, log: lines.join("\n") };
}

const numbered = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);

describe("a storm site", () => {
  it.each(numbered("calm", effort(1, 10)))(
    "a calm fleet is enrolled, stays protected and restarts, seed %s",
    async (seed) => {
      const { broken, restless, starts, observations } = await play({ seed });
      expect({ broken, restless, starts }).toEqual({ broken: [], restless: [], starts: 2 });
      expect(observations).toBeGreaterThan(4 * 6 * 360);
    },
  );

  it.each(["off", "on"] as const)(
    "the same seed gives the same log, and another seed another, faults %s",
    async (faults) => {
      const short = { faults, days: effort(0.1, 0.25) };
      const [first, second] = [await play(short), await play(short)];
      const other = await play({ ...short, seed: "calm-2" });
      expect(first.log.split("\n").length).toBeGreaterThan(50);
      expect(second.log).toBe(first.log);
      expect(other.log).not.toBe(first.log);
    },
  );

  it.each(seededDefects.filter(({ where }) => where === "days"))(
    "a fleet with the seeded defect $name breaks promise $breaks",
    async (defect) => {
      const { broken } = await play({ defect });
      expect(broken[0]).toMatch(new RegExp(`^seed calm-1 promise ${defect.breaks}\n`));
    },
  );
});

async function storm(seed: string): Promise<Outcome> {
  const hours = { stormMs: 1.5 * hourMs, calmMs: 1.5 * hourMs };
  return await new FaultSchedule({
    seed,
    routers: 4,
    ...hours,
    strikeMs: 90_000,
    deathMs: 600_000,
  }).play();
}

const asked = process.env["LINKSEAL_SEED"];
const storms = asked === undefined ? numbered("storm", effort(3, 150)) : [asked];

describe("a site in a storm", () => {
  it.each(storms)(
    "a fleet in a storm keeps every promise and comes to rest, seed %s",
    async (seed) => {
      const { violations, broken, rest, mended, kinds, deaths } = await storm(seed);
      const about = `seed ${seed}, ${deaths} deaths, faults ${kinds}`;
      expect(violations, about).toEqual([]);
      expect(broken, about).toEqual([]);
      // After the calm each campaign is done, or waits for an operator with a reason.
      expect(
        rest.filter(({ kind }) => kind === "moving"),
        about,
      ).toEqual([]);
      expect(
        rest.filter(({ why }) => why === ""),
        about,
      ).toEqual([]);
      // The reasons are true: an operator who does what they ask for gets everything protected.
      expect(
        mended.filter(({ kind }) => kind !== "protected"),
        about,
      ).toEqual([]);
    },
  );
});
