// Which observations are evidence, and what findings their counters give at the limits.

import { describe, expect, it } from "vitest";
import type { LinkEvidence } from "#agent/model/health.ts";
import { known, unknown } from "#hal/model.ts";
import {
  always,
  at,
  type Bend,
  blocked,
  type Course,
  evidence,
  fine,
  grows,
  idle,
  instead,
  judged,
  last,
  link,
  moving,
  observationsAt,
  otherKey,
  over,
  peer,
  portObservation,
  verdictOf,
} from "../health-evidence.ts";

const busy = (rxPps: number, txPps: number): Course =>
  over(idle, (index) => ({
    port: { rate: known({ rxPps, txPps, rxBps: 0, txBps: 0, lineBps: 1e11 }, at(index * 5000)) },
  }));

const probe = (ms: number, answered: number, sent = 5): Partial<LinkEvidence> => ({
  probe: { at: at(ms), sent, answered },
});

describe("the sample window", () => {
  const clear = (from: number): Course =>
    over(moving, (index) => ({ frames: { rxClear: index < from ? 0n : 3n } }));
  const early = (ms: number): Partial<LinkEvidence> => ({
    observations: [portObservation(ms, moving(0)), ...evidence(clear(0)).observations],
  });
  judged("the sample window", [
    ["reaches one observation beyond the evidence", clear(1), {}, "unprotected", "frames-untagged"],
    [
      "reaches two polls beyond the evidence",
      clear(0),
      early(-5_000),
      "unprotected",
      "frames-untagged",
    ],
    ["reaches no further", clear(0), early(-5_001), ...fine],
  ]);

  // Clear frames come up to the change and none after it: they belong to another session.
  const changed = (bend: Bend): Course =>
    over(
      over(moving, (index) => ({ frames: { rxClear: BigInt(Math.min(index, 14)) } })),
      (index) => (index < 15 ? bend : {}),
    );
  const unread = { port: { settings: unknown("queryFailed", at(0)) } } as const;
  it.each([
    ["controlled port", { session: { controlledPort: "blocked" } }],
    ["principal key", { session: { principalCkn: otherKey.ckn } }],
    ["live peers", { session: { livePeers: 0 } }],
    ["suite", { settings: { suite: "gcm-aes-256" } }],
    ["policy", { settings: { policy: "shouldSecure" } }],
    ["SCI", { settings: { includeSci: false } }],
    ["offset", { settings: { confidentialityOffset: 30 } }],
    ["settings reported", unread],
    ["received MKPDUs set back", { mkpdus: { received: 9_000n } }],
    ["sent MKPDUs set back", { mkpdus: { sent: 9_000n } }],
  ] as readonly (readonly [string, Bend])[])(
    "the sample window begins again with another %s",
    (_name, bend) => {
      expect(verdictOf(changed(bend))).toEqual(fine);
      expect(verdictOf(changed({}))).toEqual(["unprotected", "frames-untagged"]);
    },
  );

  it("the sample window begins where settings are no longer reported", () => {
    const course = over(moving, (index) => ({
      frames: { rxClear: BigInt(Math.min(index, 14)) },
      ...(index < 15 ? {} : unread),
    }));
    expect(verdictOf(course)).toEqual(["unknown", "reading-missing"]);
  });

  it.each(["queryFailed", "notSupported"] as const)(
    "the sample window continues without MKPDU counters: %s",
    (why) => {
      const untold = { port: { mkpdus: unknown(why, at(0)) } };
      for (const [from, to] of [
        [0, 20],
        [0, 15],
        [15, 20],
      ] as const) {
        const course = over(clear(5), (index) => (index >= from && index < to ? untold : {}));
        expect(verdictOf(course)).toEqual(["unprotected", "frames-untagged"]);
      }
    },
  );

  const counters = ["txProtected", "txClear", "txTooLong", "rxOk", "rxClear", "rxBadTag"];
  counters.push("rxNotValid", "rxLate", "rxNoSci", "rxUnknownSci", "rxNotUsingSa", "rxUnusedSa");
  it.each(counters)("the sample window begins again when %s is reset", (name) => {
    const course = over(moving, (index) => ({ frames: { [name]: index < 19 ? 99_999_999n : 0n } }));
    expect(verdictOf(course)).toEqual(["unknown", "collecting-evidence"]);
  });

  const untold = (is: (index: number) => boolean): Course =>
    over(moving, (index) => (is(index) ? { frames: { rxClear: undefined } } : {}));
  judged("the sample window", [
    [
      "counts no rise of a counter that is reported only now",
      untold((index) => index < 19),
      {},
      ...fine,
    ],
    [
      "counts a counter that is no longer reported as missing",
      untold((index) => index === 19),
      {},
      "degraded",
      "counter-missing",
    ],
  ]);

  const stalled: Course = over(moving, (index) => ({
    frames: { rxOk: index === 0 ? 1n : 9n, rxLate: BigInt(index) },
  }));
  judged("the sample window", [
    [
      "has its present stretch one life time long",
      stalled,
      observationsAt(stalled, 84_000, 89_000, 95_000),
      "down",
      "replay-window",
    ],
    [
      "has its present stretch at least one life time long",
      stalled,
      observationsAt(stalled, 84_000, 89_001, 95_000),
      "degraded",
      "replay-window",
    ],
  ]);
});

describe("faults of frames", () => {
  const offset: Course = always({ settings: { confidentialityOffset: 30 } });
  const both = over(instead("rxNotValid"), (index) => ({
    frames: { rxNoSci: BigInt(Math.max(0, index - 12)) },
  }));
  judged("faults of frames:", [
    [
      "frames without an SCI beside another fault",
      over(instead("rxNoSci"), () => ({ settings: { confidentialityOffset: 30 } })),
      {},
      "down",
      "offset-mismatch sci-mismatch",
    ],
    [
      "frames under another SAK beside another fault",
      over(instead("rxNotValid"), () => ({ settings: { confidentialityOffset: 30 } })),
      {},
      "down",
      "offset-mismatch stale-sak",
    ],
    [
      "frames that are not valid, explained by the SCI",
      both,
      {},
      "down",
      "sci-mismatch frames-not-valid",
    ],
    ["only late frames come", instead("rxLate"), {}, "down", "replay-window"],
    [
      "only frames on an SA that is not used come",
      instead("rxNotUsingSa"),
      {},
      "down",
      "stale-sak",
    ],
    ["an unused SA for long", over(moving, grows("rxUnusedSa")), {}, "degraded", "stale-sak"],
    [
      "an unused SA for long, explained by the suite",
      over(moving, grows("rxUnusedSa")),
      peer({ suite: "gcm-aes-256" }),
      "degraded",
      "suite-mismatch",
    ],
    [
      "an unused SA in two observations",
      over(moving, grows("rxUnusedSa")),
      last(over(moving, grows("rxUnusedSa")), 2),
      ...fine,
    ],
    [
      "no count of frames that are not valid",
      always({ frames: { rxNotValid: undefined } }),
      {},
      "degraded",
      "counter-missing",
    ],
    [
      "an idle link beside another fault",
      over(idle, () => ({ settings: { confidentialityOffset: 30 } })),
      {},
      "unknown",
      "offset-mismatch idle-unproven",
    ],
    ["another fault alone", offset, {}, "degraded", "offset-mismatch"],
  ]);
});

describe("packet numbers", () => {
  const short = { ...link, settings: { ...link.settings, suite: "gcm-aes-256" as const } };
  const shortSuite: Course = (index) => ({
    settings: { suite: "gcm-aes-256" },
    port: { liveSuite: known("gcm-aes-256", at(index * 5000)) },
  });
  const next = (nextPn: bigint | undefined, then = nextPn): Course =>
    over(moving, (index) => ({ frames: { nextPn: index < 19 ? nextPn : then } }));
  const high = 3n * 2n ** 62n;
  judged("packet numbers", [
    ["not reported", next(undefined), {}, ...fine],
    ["half used", next(2n ** 63n), {}, ...fine],
    ["three quarters used", next(high), {}, "degraded", "packet-number-high"],
    ["used one less than three quarters", next(high - 1n), {}, ...fine],
    ["not reported before", next(undefined, high), {}, ...fine],
    ["high only now", next(2n ** 63n, high), {}, ...fine],
    ["high only before", next(high, 2n ** 63n), {}, ...fine],
    ["of 32 bits, beyond their space for XPN", next(2n ** 33n), {}, ...fine],
    [
      "of 32 bits, used beyond three quarters",
      over(next(3n * 2n ** 30n), shortSuite),
      { link: short },
      "degraded",
      "packet-number-high",
    ],
    [
      "of 32 bits, where the suite is not reported",
      over(next(3n * 2n ** 30n), (index) => ({
        port: { settings: unknown("queryFailed", at(index * 5000)) },
      })),
      {},
      "unknown",
      "reading-missing packet-number-high",
    ],
  ]);
});

describe("motion", () => {
  const received: Course = over(moving, () => ({ frames: { txProtected: 1000n } }));
  const sent: Course = over(moving, () => ({ frames: { rxOk: 1000n } }));
  const rateUntold: Course = over(idle, (index) => ({
    port: { rate: unknown("notSupported", at(index * 5000)) },
  }));
  judged("traffic", [
    ["one way on a busy port", over(sent, () => ({ pps: 1000 })), {}, "degraded", "frames-one-way"],
    [
      "one way, in the other direction, on a busy port",
      over(received, () => ({ pps: 1000 })),
      {},
      "degraded",
      "frames-one-way",
    ],
    ["one way for the evidence window", sent, last(sent, 19), "degraded", "frames-one-way"],
    [
      "one way for less than the evidence window",
      sent,
      last(sent, 18),
      "unknown",
      "collecting-evidence",
    ],
    ["idle for the evidence window", idle, last(idle, 19), "unknown", "idle-unproven"],
    [
      "idle for less than the evidence window",
      idle,
      last(idle, 18),
      "unknown",
      "collecting-evidence",
    ],
    [
      "frozen for half the window",
      busy(1000, 1000),
      last(busy(1000, 1000), 10),
      "unknown",
      "counters-frozen",
    ],
    [
      "frozen for less than half the window",
      busy(1000, 1000),
      last(busy(1000, 1000), 9),
      "unknown",
      "collecting-evidence",
    ],
    ["frozen at a rate of 5 in", busy(5, 0), {}, "unknown", "counters-frozen"],
    ["frozen at a rate of 5 out", busy(0, 5), {}, "unknown", "counters-frozen"],
    ["frozen at a rate below 5", busy(4.9, 4.9), {}, "unknown", "idle-unproven"],
    ["frozen at a rate that is not reported", rateUntold, {}, "unknown", "idle-unproven"],
    ["that passes needs no answer to a probe", moving, probe(95_500, 0), ...fine],
  ]);
});

describe("a probe", () => {
  const cut = over(idle, (index) => (index < 15 ? blocked : {}));
  judged("a probe", [
    ["that sent nothing", idle, probe(95_500, 0, 0), "unknown", "idle-unproven"],
    ["lost, as old as the window", idle, probe(5_800, 0), "down", "probe-unanswered"],
    ["lost, older than the window", idle, probe(5_799, 0), "unknown", "idle-unproven"],
    [
      "lost, and frames come",
      over(moving, () => ({ frames: { txProtected: 1000n } })),
      probe(95_500, 0),
      "degraded",
      "frames-one-way",
    ],
    [
      "answered before the oldest observation",
      idle,
      { ...last(idle, 3), ...probe(50_000, 5) },
      ...fine,
    ],
    ["answered with the first observation after the cut", cut, probe(75_000, 5), ...fine],
    [
      "answered before the first observation after the cut",
      cut,
      probe(74_999, 5),
      "unknown",
      "collecting-evidence",
    ],
    ["answered with the newest observation", idle, probe(95_000, 5), ...fine],
    [
      "answered just before the newest observation",
      idle,
      probe(94_999, 5),
      "unknown",
      "counters-frozen",
    ],
  ]);
});
