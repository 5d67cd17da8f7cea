// Warnings about devices as a whole: clocks that drift, and changes that a boot may take back.

import { describe, expect, it } from "vitest";
import { LinksealError } from "#hal/error.ts";
import { wall } from "../../../kit/snapshot-kit.ts";
import { HealthEvaluatorBench } from "../health-evaluator-bench.ts";

/** Returns the codes of the warnings that are open after so many polls, a minute if not given. */
function codes(
  scene: ConstructorParameters<typeof HealthEvaluatorBench>[0],
  polls = 12,
): readonly string[] {
  return new HealthEvaluatorBench(scene).turn().polls(polls).warnings();
}

describe("the clock of a device", () => {
  it.each([
    [59_000, []],
    [60_000, []],
    [-60_000, []],
    [-61_000, ["the clock of edge-a is 61 s behind this host's"]],
    [3_600_000, ["the clock of edge-a is 3600 s ahead of this host's"]],
  ] as const)(
    "the clock of a device that is off by %i ms is reported beyond 60 s",
    (clockOffsetMs, expected) => {
      const reported = codes({ clockOffsetMs }).filter((line) =>
        line.startsWith("clock-skew edge-a: "),
      );
      expect(reported).toEqual(expected.map((text) => `clock-skew edge-a: ${text}`));
    },
  );

  it("the clock of a device is not guessed if no observation succeeded", () => {
    expect(codes({ clockOffsetMs: 3_600_000, unread: true }).join()).not.toContain("clock-skew");
  });
});

describe("a change that is not known to be saved", () => {
  const since = { since: wall };
  const text = "a boot of edge-a may take back what was changed at 2026-11-24T10:00:00Z";
  const open = (unsaved: { readonly failure?: LinksealError }, polls?: number) =>
    codes({ unsaved: { ...since, ...unsaved } }, polls).filter((line) =>
      line.startsWith("commit-unsaved edge-a: "),
    );

  it("is reported once it has lasted for a minute", () => {
    expect(open({}, 10)).toEqual([]);
    expect(open({})).toEqual([`commit-unsaved edge-a: ${text}: it is not known to be saved`]);
  });

  it("is reported with the failure of the last try", () => {
    const details = { effect: "applied", where: "edge-a", next: "linkseal status" } as const;
    const failure = new LinksealError("device.rejected", "% the disk is full", details);
    const [line] = open({ failure });
    expect(line).toMatch(/: it is not known to be saved; the last try: % the disk is full$/);
  });
});
