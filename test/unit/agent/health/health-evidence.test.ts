import { describe, expect, it } from "vitest";
import { deriveLinkHealth, raisedBy } from "#agent/health/health.ts";
import { worstOf } from "#agent/model/health.ts";
import { unknown } from "#hal/model.ts";
import {
  always,
  at,
  blocked,
  type Course,
  evidence,
  grows,
  idle,
  moving,
  otherKey,
  over,
  peer,
  portObservation,
  verdictOf,
} from "../health-evidence.ts";

describe("evidence", () => {
  it("one observation proves nothing", () => {
    const { observations } = evidence(moving);
    expect(verdictOf(moving, { observations: observations.slice(-1) })).toEqual([
      "unknown",
      "collecting-evidence",
    ]);
  });

  it("two observations with traffic between them are enough evidence", () => {
    const { observations } = evidence(moving);
    expect(verdictOf(moving, { observations: observations.slice(-2) })).toEqual(["protected", ""]);
  });

  it("observations from before the sample window prove nothing", () => {
    const { observations } = evidence(moving);
    const old = [...observations.slice(0, 1), ...observations.slice(-1)];
    const aged = [portObservation(-200_000, moving(0)), ...old.slice(1)];
    expect(verdictOf(moving, { observations: aged })).toEqual(["unknown", "collecting-evidence"]);
  });

  it("counters that were reset start again, and never count as negative", () => {
    const course = (resetAt: number): Course =>
      over(moving, (index) =>
        index < resetAt ? {} : { frames: { rxOk: BigInt(index), txProtected: BigInt(index) } },
      );
    expect(verdictOf(course(19))).toEqual(["unknown", "collecting-evidence"]);
    expect(deriveLinkHealth(evidence(course(19))).reasons[0]?.text).toContain("reset");
    expect(verdictOf(course(17))).toEqual(["protected", ""]);
  });

  it("clear frames from before the link was protected do not count", () => {
    const course = over(moving, (index) =>
      index < 15
        ? { ...blocked, frames: { rxClear: BigInt(index * 10) } }
        : { frames: { rxClear: 140n } },
    );
    expect(verdictOf(course)).toEqual(["protected", ""]);
  });

  it("rapid observations of the rotation runner do not make a link seem dead", () => {
    const course = over(moving, grows("rxLate"));
    const { observations } = evidence(course);
    // The observation comes 10 ms after the newest one: one more late frame, and no good one yet.
    const soon = portObservation(95_010, over(course, () => ({ frames: { rxLate: 761n } }))(19));
    const device = { lastObservedAt: at(95_010), failing: undefined };
    expect(verdictOf(course, { observations: [...observations, soon], device })).toEqual([
      "degraded",
      "replay-window",
    ]);
  });

  it("an observation without counters does not cut the sample window", () => {
    const course = over(moving, (index) =>
      index === 18 ? { port: { frames: unknown("queryFailed", at(90_000)) } } : {},
    );
    expect(verdictOf(course)).toEqual(["protected", ""]);
  });

  it("counters that are older than the session reading are stale", () => {
    const course = over(moving, (index) => {
      const { frames } = portObservation(index * 5000 - 40_000, moving(index));
      return { port: { frames } };
    });
    expect(verdictOf(course)).toEqual(["unknown", "reading-stale"]);
  });

  it("a probe from before the present session proves nothing", () => {
    const course = over(idle, (index) => (index < 15 ? blocked : {}));
    const probed = (ms: number) => ({ probe: { at: at(ms), sent: 5, answered: 5 } });
    expect(verdictOf(course, probed(60_000))).toEqual(["unknown", "collecting-evidence"]);
    expect(verdictOf(course, probed(95_500))).toEqual(["protected", ""]);
  });

  it("packet numbers of a SAK that was renewed since do not count", () => {
    const course = over(moving, (index) => ({
      frames: { nextPn: 3n * 2n ** 62n },
      session: {
        latestSak: { an: 0, keyId: `aabb/${index < 18 ? 1 : 2}`, receive: true, transmit: true },
      },
    }));
    expect(verdictOf(course)).toEqual(["protected", ""]);
  });

  it("an old SAK that still carries excuses one new observation, not two", () => {
    const sak = { an: 1, keyId: "aabb/2", receive: true, transmit: false };
    const oldSak = { an: 0, keyId: "aabb/1", receive: true, transmit: true };
    const from = (first: number): Course =>
      over(moving, (index) => (index < first ? {} : { session: { latestSak: sak, oldSak } }));
    expect(verdictOf(from(19))).toEqual(["protected", ""]);
    expect(verdictOf(from(16))).toEqual(["degraded", "sak-not-in-use"]);
  });
});

describe("the text of a finding", () => {
  it("a finding names both ends and the next command", () => {
    const { reasons } = deriveLinkHealth(evidence(moving, peer({ pointsAt: otherKey })));
    expect(reasons).toEqual([
      {
        code: "far-end-changed",
        text:
          "the far end (link1 of erd-demo) points at erd-demo-2-cak/v1, " +
          "and edge-a et-0/0/0 is meant to use erd-demo-1-cak/v1",
        next: "linkseal links erd-demo/primary",
      },
    ]);
  });

  it("foreign causes come first, and only in a verdict that is not protected", () => {
    const causes = [{ code: "vault-denied", text: "no", next: "linkseal keys check" }] as const;
    expect(verdictOf(moving, { causes })).toEqual(["protected", ""]);
    expect(verdictOf(always({ settings: "none" }), { causes })).toEqual([
      "unprotected",
      "vault-denied key-gone",
    ]);
  });

  it("a verdict has separate ages for its readings", () => {
    const { ages } = deriveLinkHealth(evidence(moving, peer({})));
    expect(ages).toEqual({ controlPlaneMs: 800, dataPlaneMs: 800, farEndMs: 35_800 });
    const noFrames = over(moving, (index) =>
      index > 17 ? { port: { frames: unknown("queryFailed", at(index * 5000)) } } : {},
    );
    const late = deriveLinkHealth(evidence(noFrames)).ages;
    expect(late).toEqual({ controlPlaneMs: 800, dataPlaneMs: 10_800, farEndMs: undefined });
  });

  it("each reason of a verdict becomes a warning about the link", () => {
    const raised = raisedBy(deriveLinkHealth(evidence(idle)), "erd-demo/primary", ["edge-a"]);
    expect(raised.map((each) => [each.code, each.about, each.within])).toEqual([
      ["idle-unproven", "erd-demo/primary", ["edge-a"]],
    ]);
  });
});

describe("an aggregate is its worst part", () => {
  it.each([
    [[], "unknown"],
    [["protected"], "protected"],
    [["protected", "degraded"], "degraded"],
    [["degraded", "unknown"], "unknown"],
    [["unknown", "down"], "down"],
    [["unprotected", "down"], "unprotected"],
  ] as const)("the worst of %j is %s", (verdicts, worst) => {
    expect(worstOf(verdicts)).toBe(worst);
  });
});
