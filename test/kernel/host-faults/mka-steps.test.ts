// linkseal-mka is killed at each of its system calls with an effect, and each of its calls to the
// disk fails. Whatever it reported as done is in force, no key is lost, a change that was not
// confirmed leaves nothing behind, and no frame leaves in the clear.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";
import type { farEnds } from "./far-end.ts";
import { first, isSame, type MkaScenario, scenarios, second } from "./mka-scenarios.ts";
import { type Fate, fileCalls, type Scope, type Step, stepsOf } from "./strace.ts";
import { brokenBy, StruckPort } from "./struck-port.ts";

const seed = "mka-steps";
const prng = new Prng(seed);
/** The usual form tries every other scenario, and of its steps so many of each kind. */
const played = effort(
  scenarios.filter((_, index) => index % 2 === 0),
  scenarios,
);
const tried = effort(1, Number.POSITIVE_INFINITY);

/** wpa_supplicant holds the first key alone. */
const hasFirst = ({ before, after }: MkaScenario): boolean =>
  [before, after].every(({ ckns }) => ckns.includes(first.ckn));
const farRows: readonly { far: keyof typeof farEnds; rows: readonly MkaScenario[] }[] = [
  { far: "linkseal-mka", rows: played },
  { far: "wpa_supplicant", rows: scenarios.filter(hasFirst).slice(0, effort(1, scenarios.length)) },
];

let deaths = 0;
let port: StruckPort;

function drawn<T>(items: readonly T[]): readonly T[] {
  const lots = items.map((item) => ({ item, lot: prng.real() }));
  const chosen = lots.sort((a, b) => a.lot - b.lot).slice(0, tried);
  return chosen.map(({ item }) => item);
}

/** Messages to the kernel and frames; the memory that the service manager keeps. */
const effects: Scope = { calls: ["sendto", "pwrite64"] };
const disk = (): Scope => ({
  calls: [...fileCalls.changing, ...fileCalls.looking],
  files: port.files,
});
const isChange = ({ call }: Step): boolean =>
  (fileCalls.changing as readonly string[]).includes(call);

describe.each(farRows)("linkseal-mka beside $far", { timeout: 30_000_000 }, ({ far, rows }) => {
  beforeAll(async () => {
    port = new StruckPort(far);
    await port.start();
  }, 120_000);
  afterAll(() => port[Symbol.dispose]());

  it.each(rows)("linkseal-mka loses nothing, struck anywhere: $name", async (scenario) => {
    const wrong: string[] = [];
    const figures = { killed: 0, died: 0, failed: 0 };
    const run = async (scope: Scope, fate: Fate): Promise<readonly Step[]> => {
      await port.bring(scenario.before);
      const outcome = await port.struck(scenario, scope, fate);
      const line = brokenBy(scenario, outcome);
      const { known, found } = outcome;
      if (line !== "") wrong.push(`${JSON.stringify({ fate, known, found })}: ${line}`);
      figures.died += outcome.deaths;
      if (fate.kind === "none") expect(known).toBe("done");
      if (fate.kind === "killed") figures.killed += 1;
      else if (fate.kind !== "none") figures.failed += 1;
      return stepsOf(outcome.counts);
    };
    const steps = await run(effects, { kind: "none" });
    for (const step of drawn(steps)) await run(effects, { kind: "killed", ...step });
    const calls = await run(disk(), { kind: "none" });
    for (const step of drawn(calls.filter(isChange)))
      await run(disk(), { kind: "killed", ...step });
    for (const step of drawn(calls)) await run(disk(), { kind: "failed", errno: "EIO", ...step });
    for (const step of drawn(calls.filter(isChange)))
      await run(disk(), { kind: "failing", errno: "ENOSPC", ...step });
    const { killed, died, failed } = figures;
    console.log(`seed ${seed}: ${scenario.name}, beside ${far}: ${steps.length} messages, frames
  and memories, and ${calls.length} calls to the disk; killed at ${killed}, of which ${died} came
  to it; ${failed} calls failed`);
    deaths += died;
    expect(wrong).toEqual([]);
    expect(port.clear).toEqual([]);
    for (const { cak } of [first, second]) expect(port.output).not.toContain(cak);
  });

  // The file kept the former keys for ever, so a boot found keys that the far end had given up.
  it("keys that a full disk kept out of the sealed file are in it once there is room", async () => {
    const [add] = scenarios;
    if (add === undefined) throw new Error("no scenario");
    await port.bring(add.before);
    const { known } = await port.struck(add, disk(), {
      ...{ kind: "failing", errno: "ENOSPC", call: "openat", nth: 1 },
    });
    expect(known).toBe("done");
    // Each hello of the far end is a state to store.
    await port.bring(add.after);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(isSame(await port.boot(), add.after)).toBe(true);
    expect(port.clear).toEqual([]);
  });
});

it("most of the kills came to their call", () => {
  expect(deaths).toBeGreaterThan(played.length / 2);
});
