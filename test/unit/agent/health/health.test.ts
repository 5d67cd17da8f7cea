import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { LinkEvidence } from "#agent/model/health.ts";
import { known, unknown } from "#hal/model.ts";
import {
  at,
  type Bend,
  type Course,
  evidence,
  grows,
  moving,
  otherKey,
  over,
  portObservation,
  verdictOf,
} from "../health-evidence.ts";

describe("only one combination is protected", () => {
  const axes: readonly (readonly [string, Bend | Course])[] = [
    ["no live peer", { session: { livePeers: 0, respondedPeers: 0 } }],
    ["not responded", { session: { respondedPeers: 0 } }],
    ["other principal", { session: { principalCkn: otherKey.ckn } }],
    ["other suite", { port: { liveSuite: known("gcm-aes-xpn-128", at(95_000)) } }],
    ["should-secure", { settings: { policy: "shouldSecure" } }],
    ["offset", { settings: { confidentialityOffset: 50 } }],
    ["SAK not used", { session: { latestSak: undefined } }],
    ["nothing received", { frames: { rxOk: 1000n } }],
    ["clear frames", grows("rxClear")],
    ["invalid frames", grows("rxNotValid")],
  ];
  it("only one of 1,024 combinations of readings is protected", () => {
    const green: number[] = [];
    for (let mask = 0; mask < 2 ** axes.length; mask += 1) {
      const bends = axes.filter((_axis, bit) => (mask & (2 ** bit)) !== 0);
      const course = bends.reduce(
        (below, [, bend]) => over(below, typeof bend === "function" ? bend : () => bend),
        moving,
      );
      if (deriveLinkHealth(evidence(course)).verdict === "protected") green.push(mask);
    }
    expect(green).toEqual([0]);
  });
});

describe("missing evidence is unknown", () => {
  const silent = { code: "transport.timeout", text: "no answer within 10000 ms" };
  const rows: readonly (readonly [string, Partial<LinkEvidence>, string])[] = [
    [
      "never looked",
      { observations: [], device: { lastObservedAt: undefined, failing: undefined } },
      "not-looked-yet",
    ],
    [
      "never reached",
      { observations: [], device: { lastObservedAt: undefined, failing: silent } },
      "device-unreachable",
    ],
    ["stale", { now: at(95_000 + 30_001) }, "reading-stale"],
    [
      "stale and failing",
      { now: at(200_000), device: { lastObservedAt: at(95_000), failing: silent } },
      "device-unreachable",
    ],
    [
      "not understood",
      {
        now: at(200_000),
        device: { lastObservedAt: at(95_000), failing: { code: "device.unparsed", text: "?" } },
      },
      "reading-missing",
    ],
    [
      "port gone",
      { observations: [], device: { lastObservedAt: at(95_000), failing: undefined } },
      "port-absent",
    ],
    [
      "port gone lately",
      {
        device: { lastObservedAt: at(95_700), failing: undefined },
        observations: [portObservation(60_000)],
      },
      "port-absent",
    ],
  ];
  it.each(rows)("a link is unknown: %s", (_name, change, code) => {
    expect(verdictOf(moving, change)).toEqual(["unknown", code]);
  });

  const parts = ["settings", "session", "liveSuite", "frames"] as const;
  for (const part of parts) {
    it.each(["notSupported", "queryFailed", "unparsed"] as const)(
      `a link whose ${part} reading is %s is unknown`,
      (why) => {
        const course = over(moving, (index) => ({
          port: { [part]: unknown(why, at(index * 5000)) },
        }));
        expect(verdictOf(course)).toEqual(["unknown", "reading-missing"]);
      },
    );
  }
  it.each(parts)("weak evidence for %s never makes a link protected", (part) => {
    const course: Course = (index) => {
      const strong = portObservation(index * 5000, moving(index));
      return { port: { ...strong, [part]: { ...strong[part], weak: true } } };
    };
    expect(verdictOf(course)[0]).toBe("unknown");
  });

  it("a fresh observation counts although the newest one failed", () => {
    const device = { lastObservedAt: at(95_000), failing: silent };
    expect(verdictOf(moving, { now: at(110_000), device })).toEqual(["protected", ""]);
  });
});
