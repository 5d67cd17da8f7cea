// kill -9 of the real agent at journal writes and at requests that have an effect: a new process on
// the same state folder must end as in a clean run. A short run takes one point of each kind, and
// at two of them it kills the successor too; test/fleet/kill.test.ts has each kind of call.

import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import { patienceMs } from "../patience.ts";
import type { Account, CrashPoint, Death } from "./deadly-site.ts";
import type { Program } from "./program.ts";
import { Stage } from "./stage.ts";

const seed = "kill-9";
const speed = 100;
/** The number of probes depends on real time; the first ones are always sent. */
const probesMax = 3;

type Point =
  | ({ readonly kind: "request" } & CrashPoint)
  | { readonly kind: "record"; readonly nth: number };

interface Ended {
  readonly deaths: number;
  readonly applies: number;
  readonly intents: number;
  readonly verdict: string;
  readonly campaign: string;
  /** The steps, warnings and errors of every process, for the reader of a failure. */
  readonly trace: readonly string[];
  readonly ends: string;
  readonly violations: readonly string[];
  readonly records: number;
  readonly requests: Account["requests"];
}

/** `again`: the successor is killed too, this many records later. */
async function run(point: Point | undefined, again?: number): Promise<Ended> {
  const fate = point?.kind === "request" ? point : undefined;
  await using stage = await Stage.open({ seed, start: "clear", speed, fate });
  let program = await stage.live();
  if (point?.kind === "record") stage.killAtRecord(program, point.nth);
  let applies = 1;
  // The reply is lost if the agent is killed at its first effects.
  await stage.apply().catch(() => undefined);
  let outcome = await stage.settled(program, patienceMs);
  for (let left = again; program.dead; left = undefined) {
    program = await stage.live();
    if (left !== undefined) stage.killAtRecord(program, stage.records() + left);
    // This one may be killed while it answers; the next turn asks again.
    if ((await stage.intents().catch(() => undefined)) === 0) {
      applies += 1;
      await stage.apply().catch(() => undefined);
    }
    outcome = await stage.settled(program, patienceMs);
  }
  const { truth, violations, requests } = await stage.account();
  return {
    deaths: stage.programs.length - 1,
    applies,
    intents: await stage.intents(),
    verdict: outcome?.verdict ?? "none",
    campaign: outcome?.campaign ?? "none",
    trace: stage.programs.flatMap(traceOf),
    ends: endsOf(truth),
    violations,
    records: stage.records(),
    requests,
  };
}

function traceOf({ output }: Program): readonly string[] {
  const lines = output
    .split("\n")
    .filter((line) => /"ready"|campaign-step|"(?:warn|error)"/.test(line));
  return lines.map((line) => line.replace(/^.*?"time":"([^"]*)".*?"text":"(.*)"}$/, "$1 $2"));
}

function endsOf({ groups, tunnels }: Account["truth"]): string {
  const links = groups.flatMap((group) => group.links);
  return [
    ...links.map(({ id, edgeKeys, farKey, policy, secured, drained, bgpUp, commitPending }) =>
      [id, edgeKeys.join(), farKey, policy, { secured, drained, bgpUp, commitPending }]
        .map((part) => JSON.stringify(part))
        .join(" "),
    ),
    ...tunnels.map(({ name, up, clearPath }) => JSON.stringify({ name, up, clearPath })),
  ].join("; ");
}

const deaths: readonly Death[] = ["before", "during", "after"];

function pointsOf({ records, requests }: Ended): readonly Point[] {
  const numbered = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
  return [
    ...numbered(records).map((nth): Point => ({ kind: "record", nth })),
    ...[...requests].flatMap(([request, count]) =>
      numbered(request.endsWith("probe") ? Math.min(count, probesMax) : count).flatMap((nth) =>
        deaths.map((when): Point => ({ kind: "request", request, nth, when })),
      ),
    ),
  ];
}

function nameOf(point: Point): string {
  return point.kind === "record"
    ? `journal record ${point.nth}`
    : `${point.when} ${point.request} ${point.nth}`;
}

/** Draws `count` points of each kind. */
function drawn(points: readonly Point[], count: number, prng: Prng): readonly Point[] {
  const lots = points.map((point) => ({ point, lot: prng.real() }));
  const kinds = Map.groupBy(lots, ({ point }) => (point.kind === "record" ? "record" : point.when));
  return [...kinds.values()].flatMap((kind) =>
    kind
      .sort((a, b) => a.lot - b.lot)
      .slice(0, count)
      .map(({ point }) => point),
  );
}

/** Runs two at a time, because one stage is mostly waiting. */
async function inPairs<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

describe("a real agent killed with SIGKILL", async () => {
  const clean = await run(undefined);
  const points = pointsOf(clean);
  const same = (ended: Ended): boolean =>
    ended.deaths > 0 &&
    ended.applies === 1 &&
    ended.intents === 1 &&
    ended.verdict === "protected" &&
    ended.campaign === "done" &&
    ended.ends === clean.ends &&
    ended.violations.length === 0;

  it("an agent that is not killed ends protected", () => {
    const well = { verdict: "protected", campaign: "done", intents: 1, violations: [] };
    expect(clean).toMatchObject({ ...well, deaths: 0 });
  });

  const timeout = effort(1_800_000, 7_200_000);
  it("an agent that is killed at any point ends the same", { timeout }, async () => {
    const all = drawn(points, effort(1, points.length), new Prng(seed));
    const chosen = all.slice(0, effort(2, all.length));
    const counts = [...clean.requests].map(([request, count]) => `${count} ${request}`);
    console.log(`seed ${seed}: killed at ${chosen.length} of ${points.length} points:`);
    console.log(`${clean.records} journal records, ${counts.join(", ")}`);
    const wrong: string[] = [];
    await inPairs(chosen, async (point) => {
      const ended = await run(point);
      if (!same(ended)) wrong.push(`${nameOf(point)}: ${JSON.stringify(ended, null, 1)}`);
    });
    expect(wrong).toEqual([]);
  });

  it("an agent whose successor is killed as well ends the same", { timeout }, async () => {
    const prng = new Prng(`${seed} again`);
    const first = drawn(points, effort(1, points.length), prng);
    const chosen = first
      .slice(effort(-2, 0))
      .map((point) => ({ point, again: prng.between(1, 8) }));
    const wrong: string[] = [];
    let twice = 0;
    await inPairs(chosen, async ({ point, again }) => {
      const ended = await run(point, again);
      if (ended.deaths === 2) twice += 1;
      if (!same(ended))
        wrong.push(`${nameOf(point)}, ${again} later: ${JSON.stringify(ended, null, 1)}`);
    });
    console.log(`killed twice: ${twice} of ${chosen.length}`);
    expect(wrong).toEqual([]);
    expect(twice).toBeGreaterThan(chosen.length / 2);
  });
});
