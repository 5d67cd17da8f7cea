// A whole rotation of a group whose routers are of two vendors, over real SSH and NETCONF, with
// keys and far end behind TLS: kill -9 at every journal write, commit, effect and cloud request.

import { describe, expect, it } from "vitest";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import type { CrashPoint } from "./deadly-site.ts";
import { type Ended, isEnded, type Point, run, seed } from "./loopback-kit.ts";
import type { Platform } from "./loopback-site.ts";

function pointsOf({ records, requests }: Ended): readonly Point[] {
  const numbered = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
  const deathsOf = (request: string): readonly CrashPoint["when"][] => {
    if (request.endsWith(" effect")) return ["after"];
    return request.endsWith(" commit") ? ["before"] : ["before", "after"];
  };
  return [
    ...numbered(records).map((nth): Point => ({ kind: "record", nth })),
    ...[...requests].flatMap(([request, count]) =>
      numbered(count).flatMap((nth) =>
        deathsOf(request).map((when): Point => ({ kind: "request", request, nth, when })),
      ),
    ),
  ];
}

const nameOf = (point: Point): string =>
  point.kind === "record"
    ? `journal record ${point.nth}`
    : `${point.when} ${point.request} ${point.nth}`;

/** Runs several at a time, because each is mostly waiting. */
async function together<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: count }, worker));
}

const pairs: readonly (readonly Platform[])[] = effort(
  [["junos", "iosxr"]],
  [
    ["junos", "iosxr"],
    ["eos", "iosxe"],
  ],
);

describe.each(pairs)("a real agent beside %s and %s", (...platforms) => {
  it("a rotation changes both links, and ends the same after a kill at any point", async () => {
    const clean = await run(platforms, undefined);
    expect(clean).toMatchObject({ deaths: 0, outcome: "done: rotated, rotated", violations: [] });
    const points = pointsOf(clean);
    const counts = [...clean.requests].map(([request, count]) => `${count} ${request}`);
    console.log(`seed ${seed}: a rotation takes ${clean.seconds.toFixed(1)} s`);
    console.log(`${points.length} points: ${clean.records} records, ${counts.join(", ")}`);
    const lots = new Prng(`${seed} points`);
    const chosen = points
      .map((point) => ({ point, lot: lots.real() }))
      .sort((a, b) => a.lot - b.lot)
      .slice(0, effort(1, points.length))
      .map(({ point }) => point);
    const outcomes = new Map<string, number>();
    const wrong: string[] = [];
    await together(effort(2, 4), chosen, async (point) => {
      const ended = await run(platforms, point).catch((error: unknown) => error);
      if (!isEnded(ended)) {
        wrong.push(`${nameOf(point)}: ${String(ended)}`);
        return;
      }
      outcomes.set(ended.outcome, (outcomes.get(ended.outcome) ?? 0) + 1);
      const isSame = ended.ends === clean.ends && ended.violations.length === 0;
      if (ended.deaths === 0 || !ended.outcome.startsWith("done") || !isSame)
        wrong.push(`${nameOf(point)}: ${JSON.stringify(ended, null, 1)}`);
    });
    console.log(`${chosen.length} deaths: ${JSON.stringify(Object.fromEntries(outcomes))}`);
    expect(wrong).toEqual([]);
  });
});
