// linkseal-net is killed at each of its system calls with an effect, and each of its calls to the
// disk fails. Whatever it reported as done is in force, all configuration of the port is whole, and
// a change that was not confirmed leaves nothing behind.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../effort.ts";
import { firstSecy, type NetScenario, needsSecy, scenarios } from "./net-scenarios.ts";
import { type Fate, fileCalls, type Scope, type Step, stepsOf } from "./strace.ts";
import { type Outcome, StruckNet } from "./struck-net.ts";

const seed = "net-steps";
const prng = new Prng(seed);
/** The usual form tries every other scenario, and of its steps so many of each kind. */
const played = effort(
  scenarios.filter((_, index) => index % 2 === 0),
  scenarios,
);
const tried = effort(1, Number.POSITIVE_INFINITY);

let deaths = 0;
let net: StruckNet;
beforeAll(async () => {
  net = new StruckNet();
  await net.start();
}, 120_000);
afterAll(() => net[Symbol.dispose]());

const kernel: Scope = { calls: ["sendto"] };
const writes = (): Scope => ({ calls: fileCalls.changing, files: net.files });
const disk = (): Scope => ({
  calls: [...fileCalls.changing, ...fileCalls.looking],
  files: net.files,
});

function drawn<T>(items: readonly T[]): readonly T[] {
  const lots = items.map((item) => ({ item, lot: prng.real() }));
  const chosen = lots.sort((a, b) => a.lot - b.lot).slice(0, tried);
  return chosen.map(({ item }) => item);
}

interface Ends {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Undoes what a change has left, and checks that the host is where it was. */
async function back({ back: way, release }: NetScenario, { before }: Ends): Promise<void> {
  if (release !== undefined) await net.release(release);
  await net.make(way);
  expect(await net.look()).toEqual(before);
}

/** Runs a scenario that nothing strikes. Returns both ends of it and the number of each call. */
async function clean(scenario: NetScenario, scope: Scope) {
  const before = await net.look();
  const { known, found, counts } = await net.struck(scenario, scope, { kind: "none" });
  expect(known).toBe("done");
  const ends = { before, after: found };
  await back(scenario, ends);
  return { ends, steps: stepsOf(counts) };
}

/** Returns what an outcome breaks; empty = nothing. */
function broken({ how, release }: NetScenario, { before, after }: Ends, outcome: Outcome): string {
  const is = (wanted: readonly string[]): boolean =>
    JSON.stringify(outcome.found) === JSON.stringify(wanted);
  if (how === "rolledBack" || how === "expired") return is(before) ? "" : "a trial left something";
  if (outcome.known === "done") return is(after) ? "" : "what was reported as done is not in force";
  // A block stays whatever becomes of the change that it came with.
  const mayStay = release !== undefined && is(after);
  if (outcome.known === "refused")
    return mayStay || is(before) ? "" : "a refused change had an effect";
  // A final change that lost its reply is asked for again, as an agent does.
  return how === "final" || is(before) || is(after) ? "" : "half a change stayed";
}

async function strike(scenario: NetScenario, ends: Ends, scope: Scope, fate: Fate) {
  const outcome = await net.struck(scenario, scope, fate);
  const wrong = broken(scenario, ends, outcome);
  if (scenario.how === "final" && outcome.known !== "done") {
    await net.make(scenario.change);
    expect([fate, await net.look()]).toEqual([fate, ends.after]);
  }
  await back(scenario, ends);
  const { known, refusal } = outcome;
  return { outcome, line: wrong && `${JSON.stringify({ fate, known, refusal })}: ${wrong}` };
}

describe("linkseal-net", { timeout: 30_000_000 }, () => {
  it.each(played)("linkseal-net loses nothing, struck anywhere: $name", async (scenario) => {
    // The interfaces of tunnels and the SecY of the port are there for the later ones alone.
    if (needsSecy(scenario) && !(await net.look()).some((line) => line.startsWith("cipher")))
      await net.make(firstSecy);
    const wrong: string[] = [];
    const figures = { killed: 0, died: 0, failed: 0, refused: 0 };
    const run = async (ends: Ends, scope: Scope, fate: Fate): Promise<void> => {
      const { outcome, line } = await strike(scenario, ends, scope, fate);
      if (line !== "") wrong.push(line);
      figures[fate.kind === "killed" ? "killed" : "failed"] += 1;
      figures.died += outcome.deaths;
      if (outcome.known === "refused") figures.refused += 1;
    };
    const toKernel = await clean(scenario, kernel);
    for (const step of drawn(toKernel.steps))
      await run(toKernel.ends, kernel, { kind: "killed", ...step });
    const toDisk = await clean(scenario, disk());
    const isChange = ({ call }: Step): boolean =>
      (fileCalls.changing as readonly string[]).includes(call);
    const changes = toDisk.steps.filter(isChange);
    for (const step of drawn(changes))
      await run(toDisk.ends, writes(), { kind: "killed", ...step });
    for (const step of drawn(toDisk.steps))
      await run(toDisk.ends, disk(), { kind: "failed", errno: "EIO", ...step });
    for (const step of drawn(changes))
      await run(toDisk.ends, writes(), { kind: "failing", errno: "ENOSPC", ...step });
    const { killed, died, failed, refused } = figures;
    console.log(`seed ${seed}: ${scenario.name}: ${toKernel.steps.length} messages and
  ${toDisk.steps.length} calls to the disk; killed at ${killed}, of which ${died} came to it;
  ${failed} calls failed, ${refused} changes refused`);
    expect(wrong).toEqual([]);
    deaths += died;
  });

  it("most of the kills came to their call", () => {
    expect(deaths).toBeGreaterThan(played.length);
  });
});
