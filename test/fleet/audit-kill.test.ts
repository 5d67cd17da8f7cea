// The audit log is killed at every call that it makes to its disk: the remaining records are whole,
// and report "protected" for no moment that was not.

import { describe, expect, it } from "vitest";
import { timelineOf } from "#agent/evidence/report/timeline.ts";
import type { World } from "#hal/world.ts";
import { CrashingWorld, type CrashPoint, type Death } from "../storm/crashing-world.ts";
import { AuditBench, observed, settings } from "../unit/kit/audit-kit.ts";
import { wallStart } from "../unit/kit/site-bench.ts";

/** The state that begins at each second. */
const story = [
  { from: 0, found: observed("g/a", "protected") },
  { from: 300, found: observed("g/a", "down", { codes: ["link-down"] }) },
  { from: 400, found: observed("g/a", "protected", { ckn: "cd".repeat(32) }) },
  { from: 650, found: observed("g/a", "unprotected", { codes: ["policy-should-secure"] }) },
  { from: 700, found: observed("g/a", "protected", { ckn: "cd".repeat(32) }) },
] as const;
const lastS = 900;
const bad = [
  { from: 300, to: 400 },
  { from: 650, to: 700 },
];

interface Ended {
  readonly calls: number;
  readonly died: boolean;
  readonly lastCall: string;
  readonly losses: readonly string[];
  readonly wrong: readonly string[];
  readonly protectedS: number;
  readonly changes: number;
}

async function killed(crashPoint: CrashPoint | undefined): Promise<Ended> {
  // Small segments make the ring rotate while the process is killed.
  const bench = new AuditBench(1_200);
  const { clock, disk } = bench;
  const crashing = new CrashingWorld({ disk, clock } as unknown as World, crashPoint, () =>
    disk.crash(),
  );
  void bench.begin(crashing.world.disk);
  await clock.runFor(50);
  let isReborn = false;
  let changed = false;
  while (clock.now() < lastS * 1000) {
    if (crashing.dead && !isReborn) {
      await clock.runFor(20_000);
      await bench.live();
      isReborn = true;
    }
    const now = clock.now() / 1000;
    const { found } = story.findLast(({ from }) => from <= now) ?? story[0];
    bench.recorder?.turn([found], settings);
    if (!changed && now > 200) {
      bench.recorder?.changed({ what: "asked", about: "g/a", who: "test", text: "drain: done" });
      changed = true;
    }
    await clock.runFor(settings.pollMs);
  }
  // The process may be killed by this call too, and then no reply comes.
  void bench.recorder?.end();
  await clock.runFor(1_000);
  const { calls, dead, lastCall } = crashing;
  // The reader is another process.
  if (!isReborn) crashing.kill();
  await bench.live();
  const trail = await bench.trail();
  const period = { from: wallStart, to: wallStart + lastS * 1000 };
  const timeline = timelineOf(trail, period);
  const spans = (timeline.lines[0]?.intervals ?? [])
    .filter(({ verdict }) => verdict === "protected")
    .map(({ from, to }) => ({ from: (from - wallStart) / 1000, to: (to - wallStart) / 1000 }));
  return {
    ...{ calls, died: dead, lastCall },
    losses: trail.losses.map(({ why }) => why),
    wrong: spans
      .filter((span) => bad.some((each) => each.from < span.to && each.to > span.from))
      .map(({ from, to }) => `${from}-${to}`),
    protectedS: Math.round(spans.reduce((sum, { from, to }) => sum + to - from, 0)),
    changes: timeline.changes.length,
  };
}

describe("an audit log killed at every call to the disk", async () => {
  const clean = await killed(undefined);

  it("an audit log that is not killed loses nothing", () => {
    expect(clean).toMatchObject({ losses: [], wrong: [], changes: 1 });
    expect(clean.protectedS).toBeGreaterThan(600);
  });

  const deaths: readonly Death[] = ["before", "during", "after"];
  it.each(deaths)(
    "an audit log killed %s any call reports no false second as protected",
    async (when) => {
      console.log(`${clean.calls} calls, each killed ${when}`);
      expect(clean.calls).toBeGreaterThan(20);
      for (let call = 1; call <= clean.calls; call += 1) {
        const ended = await killed({ call, when });
        const where = `call ${call} (${ended.lastCall})`;
        expect([where, ended.died, ended.losses, ended.wrong]).toEqual([where, true, [], []]);
        // A kill costs the seconds that were not confirmed, the time without a process, and the
        // evidence window after it.
        expect(ended.protectedS).toBeGreaterThan(clean.protectedS - 320);
        expect(ended.protectedS).toBeLessThanOrEqual(clean.protectedS);
      }
    },
  );
});
