// Warnings about the agent's own records and process.

import { describe, expect, it } from "vitest";
import { raisedIn, type Scene } from "#agent/runtime/health/finder.ts";
import { finders } from "#agent/runtime/health/finders.ts";
import type { EvaluatedAgent } from "#agent/runtime/health/site-view.ts";
import { LoopLag, measureLag } from "#agent/runtime/polling/loop-lag.ts";
import type { RollOver } from "#agent/store/audit/log.ts";
import { type Clock, type WallTime, wallAfter } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { siteSubject } from "../../../kit/finder-kit.ts";
import { wallStart } from "../../../kit/site-bench.ts";
import { desired } from "../../../kit/snapshot-kit.ts";

const day = 86_400_000;
const wall = wallStart as WallTime;
const journal = { bytes: 1_000, missing: 0 };
const quiet = {
  ...{ journal, journalState: "whole", compaction: { trouble: undefined } },
  ...{ loopLag: new LoopLag(), rollOver: () => undefined, proposals: { warnings: () => [] } },
  ...{ auditTrouble: undefined, fileText: undefined, intent: undefined, unwritten: [] },
} as const;

function warned(over: Partial<EvaluatedAgent> = {}) {
  const agent = { ...quiet, ...over } as unknown as EvaluatedAgent;
  const site = { intent: { desired } };
  return raisedIn(finders.host, { agent, site, wall } as unknown as Scene, siteSubject);
}

const rollingOver = (over: Partial<Record<keyof RollOver, number>>) => {
  const [from, until, at] = [over.from ?? -60, over.until ?? -50, over.at ?? 3].map((days) =>
    wallAfter(wall, days * day),
  );
  return warned({ rollOver: () => ({ from, until, at }) as RollOver });
};

function lagOf(lateMs: number, count: number, lag = new LoopLag()): LoopLag {
  for (let n = 0; n < count; n += 1) lag.note(lateMs);
  return lag;
}

describe("the agent's own state", () => {
  it("without trouble has no warning", () => {
    expect(warned()).toEqual([]);
  });

  it("with a journal that lacks records is reported, but once alone if it has no record", () => {
    expect(warned({ journal: { ...journal, missing: 3 } })).toMatchObject([
      { code: "journal-lossy", about: "site", next: "linkseal explain journal-lossy" },
    ]);
    const alone = warned({ journal: { ...journal, missing: 3 }, journalState: "corrupt" });
    expect(alone.map(({ text }) => text)).toEqual([
      "the journal is damaged: nothing is changed any more",
    ]);
  });
});

describe("evidence that is overwritten soon", () => {
  it("is warned of before it happens, with the command that saves it", () => {
    const [warning] = rollingOver({});
    expect(warning).toMatchObject({
      code: "evidence-rolls-over",
      text: expect.stringMatching(/ 2026-09-25T10:00:00Z to 2026-10-05T10:00:00Z .* 3 days$/),
      next: "linkseal report --from 2026-09-25T10:00:00Z --to 2026-10-05T10:00:00Z --out FILE",
    });
  });

  it("C: the warning does not claim that a log with room for files is full", () => {
    expect(rollingOver({})[0]?.text).not.toContain("full");
  });

  it.each([
    ["in more than two weeks", { at: 15 }],
    ["when it is more than a year old", { from: -380, until: -370, at: 3 }],
  ])("is not warned of if that happens %s", (_when, over) => {
    expect(rollingOver(over)).toEqual([]);
  });
});

describe("overload", () => {
  it.each([
    { lateMs: 499, count: 60, codes: [] },
    { lateMs: 500, count: 60, codes: ["agent-overloaded"] },
    { lateMs: 9_000, count: 19, codes: [] },
    { lateMs: 9_000, count: 20, codes: ["agent-overloaded"] },
  ])("of $count timers that ring $lateMs ms late is reported as $codes", (row) => {
    const found = warned({ loopLag: lagOf(row.lateMs, row.count) });
    expect(found.map(({ code }) => code)).toEqual(row.codes);
  });

  it("is over once half of a minute's timers ring in time", () => {
    const lag = lagOf(2_000, 60);
    expect(lagOf(0, 29, lag).isOverload).toBe(true);
    expect(lagOf(0, 2, lag).isOverload).toBe(false);
  });

  it("is not concluded from a process that was stopped once", () => {
    expect(lagOf(0, 30, lagOf(600_000, 1, lagOf(0, 30))).isOverload).toBe(false);
  });

  it("says how late the timers ring", () => {
    expect(warned({ loopLag: lagOf(2_340, 60) })[0]?.text).toContain("ring 2.3 s late");
  });

  it("is measured by timers that ring late", async () => {
    const clock = new SimClock(wallStart);
    // Every sleep takes 700 ms longer than it was asked for.
    const busy: Clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      sleep: (ms, signal) => clock.sleep(ms + 700, signal),
      alarm: (ms, ring) => clock.alarm(ms, ring),
    };
    const [lag, free] = [new LoopLag(), new LoopLag()];
    const end = new AbortController();
    const measuring = [measureLag(lag, busy, end.signal), measureLag(free, clock, end.signal)];
    await clock.runFor(60_000);
    end.abort();
    await Promise.all(measuring);
    expect([lag.ms, lag.isOverload]).toEqual([700, true]);
    expect([free.ms, free.isOverload]).toEqual([0, false]);
  });
});
