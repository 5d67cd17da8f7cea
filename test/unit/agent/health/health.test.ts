import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { LinkEvidence, Verdict } from "#agent/model/health.ts";
import { known, type MkpduCounters, unknown } from "#hal/model.ts";
import {
  always,
  at,
  type Bend,
  blocked,
  type Course,
  dead,
  evidence,
  grows,
  idle,
  instead,
  key,
  look,
  moving,
  otherKey,
  over,
  peer,
  verdictOf,
} from "../health-evidence.ts";

const noPeer = (mkpdus: (index: number) => Partial<MkpduCounters>): Course =>
  over(
    () => blocked,
    (index) => ({ mkpdus: mkpdus(index) }),
  );

type Row = readonly [string, Course, Partial<LinkEvidence>, Verdict, string];

const faults: readonly Row[] = [
  ["healthy", moving, {}, "protected", ""],
  ["healthy, far end seen", moving, peer({}), "protected", ""],
  [
    "same CKN, other CAK",
    noPeer((index) => ({ received: BigInt(index * 2), icvFailed: BigInt(index * 2) })),
    {},
    "down",
    "cak-mismatch",
  ],
  [
    "other CKN",
    noPeer((index) => ({ received: BigInt(index * 2), unknownCkn: BigInt(index * 2) })),
    {},
    "down",
    "ckn-mismatch",
  ],
  ["peer silent", noPeer(() => ({ received: 100n })), {}, "down", "mka-no-live-peer"],
  [
    "secured without a peer",
    always({ session: { ...dead, controlledPort: "secured" } }),
    {},
    "down",
    "mka-no-live-peer",
  ],
  [
    "live peer, port closed",
    always({ session: { controlledPort: "blocked" } }),
    {},
    "down",
    "sak-not-agreed",
  ],
  [
    "peer that takes no SAK of ours",
    over(instead("rxNotUsingSa"), () => ({ session: { respondedPeers: 0 } })),
    {},
    "down",
    "sak-not-agreed",
  ],
  [
    "foreign key while the far end is updating",
    moving,
    peer({ pointsAt: { cakSecretId: "a/b/c", cknSecretId: "a/b/d" }, provisioning: "updating" }),
    "degraded",
    "far-end-changed",
  ],
  [
    "far end updating to the campaign's key",
    moving,
    { ...peer({ pointsAt: otherKey, provisioning: "updating" }), next: otherKey },
    "protected",
    "",
  ],
  [
    "peer without the SAK",
    always({ session: { respondedPeers: 0 } }),
    {},
    "degraded",
    "peer-not-responded",
  ],
  [
    "second peer",
    always({ session: { livePeers: 2, respondedPeers: 2 } }),
    {},
    "unprotected",
    "second-peer",
  ],
  [
    "other principal",
    always({ session: { principalCkn: otherKey.ckn } }),
    {},
    "degraded",
    "principal-key-unexpected",
  ],
  [
    "principal of the campaign",
    always({ session: { principalCkn: otherKey.ckn } }),
    { next: otherKey },
    "protected",
    "",
  ],
  ["unmanaged key", moving, { expected: undefined }, "degraded", "key-not-known"],
  [
    "weaker live suite",
    always({ port: { liveSuite: known("gcm-aes-128", at(95_000)) } }),
    {},
    "degraded",
    "suite-mismatch",
  ],
  ["far end's suite", moving, peer({ suite: "gcm-aes-256" }), "degraded", "suite-mismatch"],
  [
    "suite and lost frames",
    instead("rxNotValid"),
    peer({ suite: "gcm-aes-256" }),
    "down",
    "suite-mismatch frames-not-valid",
  ],
  ["far end's SCI", moving, peer({ sci: "off" }), "degraded", "sci-mismatch"],
  ["no SCI arrives", instead("rxNoSci"), {}, "down", "sci-mismatch"],
  ["unknown SCI", instead("rxUnknownSci"), {}, "down", "sci-mismatch"],
  ["bad tag", instead("rxBadTag"), {}, "down", "sci-mismatch"],
  ["some bad tags", over(moving, grows("rxBadTag")), {}, "degraded", "sci-mismatch"],
  ["other SAK in hardware", instead("rxNotValid"), {}, "down", "stale-sak"],
  ["other SA in hardware", instead("rxUnusedSa"), {}, "down", "stale-sak"],
  ["unused SA for long", over(moving, grows("rxNotUsingSa")), {}, "degraded", "stale-sak"],
  [
    "unused SA while a rekey overlaps",
    over(moving, (index) => ({ frames: { rxUnusedSa: index > 9 ? 40n : 0n } })),
    {},
    "protected",
    "",
  ],
  ["some frames not valid", over(moving, grows("rxNotValid")), {}, "degraded", "frames-not-valid"],
  ["late frames", over(moving, grows("rxLate")), {}, "degraded", "replay-window"],
  ["too long, some pass", over(moving, grows("txTooLong")), {}, "degraded", "mtu"],
  [
    "too long, none passes",
    over(moving, (index) => ({ frames: { txProtected: 1000n, txTooLong: BigInt(index * 40) } })),
    {},
    "down",
    "mtu",
  ],
  ["clear frames arrive", over(moving, grows("rxClear")), {}, "unprotected", "frames-untagged"],
  ["clear frames leave", over(moving, grows("txClear")), {}, "unprotected", "frames-untagged"],
  [
    "should-secure, still working",
    always({ settings: { policy: "shouldSecure" } }),
    {},
    "unprotected",
    "policy-should-secure",
  ],
  [
    "should-secure and MKA down",
    over(
      () => ({
        settings: { policy: "shouldSecure" },
        session: { ...dead, controlledPort: "unprotected" },
      }),
      grows("txClear"),
    ),
    {},
    "unprotected",
    "policy-should-secure controlled-port-open mka-no-live-peer frames-untagged",
  ],
  [
    "offset",
    always({ settings: { confidentialityOffset: 30 } }),
    {},
    "degraded",
    "offset-mismatch",
  ],
  ["no MACsec", always({ settings: "none" }), {}, "unprotected", "macsec-not-configured"],
  ["fibre cut", always({ linkUp: false }), {}, "down", "link-down"],
  ["far end off", moving, peer({ pointsAt: undefined }), "degraded", "far-end-changed"],
  ["far end at another key", moving, peer({ pointsAt: otherKey }), "degraded", "far-end-changed"],
  [
    "far end at the campaign's key",
    moving,
    { ...peer({ pointsAt: otherKey }), next: otherKey },
    "protected",
    "",
  ],
  [
    "far end updating, nothing else known",
    moving,
    peer({ suite: undefined, pointsAt: undefined, provisioning: "updating" }),
    "protected",
    "",
  ],
  ["far end failed", moving, peer({ provisioning: "failed" }), "degraded", "far-end-failed"],
  [
    "SAK not used",
    always({
      session: { latestSak: { an: 1, keyId: "aabb/2", receive: true, transmit: false } },
    }),
    {},
    "degraded",
    "sak-not-in-use",
  ],
  [
    "SAK churn",
    over(moving, (index) => ({
      session: {
        latestSak: { an: index % 4, keyId: `aabb/${index}`, receive: true, transmit: true },
      },
    })),
    {},
    "degraded",
    "sak-churn",
  ],
  [
    "packet numbers",
    always({ frames: { nextPn: 3n * 2n ** 62n } }),
    {},
    "degraded",
    "packet-number-high",
  ],
  [
    "fallback without an actor",
    always({
      port: {
        keys: known(
          [
            { ckn: key.ckn, role: "primary" },
            { ckn: otherKey.ckn, role: "fallback" },
          ],
          at(95_000),
        ),
      },
    }),
    {},
    "degraded",
    "fallback-not-ready",
  ],
  [
    "rekey overdue",
    always({ session: { keyServer: "self" } }),
    { sakSince: at(-60_000_000) },
    "degraded",
    "rekey-overdue",
  ],
  ["idle, no probe", idle, {}, "unknown", "idle-unproven"],
  [
    "idle, probe answered",
    idle,
    { probe: { at: at(95_500), sent: 5, answered: 5 } },
    "protected",
    "",
  ],
  [
    "idle, old probe",
    idle,
    { probe: { at: at(1000), sent: 5, answered: 5 } },
    "unknown",
    "idle-unproven",
  ],
  [
    "idle, probe lost",
    idle,
    { probe: { at: at(95_500), sent: 5, answered: 0 } },
    "down",
    "probe-unanswered",
  ],
  [
    "frozen beside a probe",
    idle,
    { probe: { at: at(80_500), sent: 5, answered: 5 } },
    "unknown",
    "counters-frozen",
  ],
  ["frozen on a busy port", over(idle, () => ({ pps: 1000 })), {}, "unknown", "counters-frozen"],
  ["one way", over(moving, () => ({ frames: { rxOk: 1000n } })), {}, "degraded", "frames-one-way"],
  [
    "counter not there",
    always({ frames: { rxClear: undefined } }),
    {},
    "degraded",
    "counter-missing",
  ],
];

describe("health of a link", () => {
  it.each(faults)(
    "the health of a link with a simulated fault: %s",
    (_name, course, change, verdict, codes) => {
      expect(verdictOf(course, change)).toEqual([verdict, codes]);
    },
  );

  it("every fault of the demonstration has its own code", () => {
    const firsts = [
      "same CKN, other CAK",
      "other CKN",
      "far end's suite",
      "no SCI arrives",
      "peer silent",
    ];
    firsts.push("should-secure, still working", "other SAK in hardware", "too long, none passes");
    firsts.push("far end at another key");
    const codes = faults.filter((row) => firsts.includes(row[0])).map((row) => row[4]);
    expect(codes.length).toBe(firsts.length);
    expect(new Set(codes).size).toBe(firsts.length);
  });
});

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
      { looks: [], device: { lastLookAt: undefined, failing: undefined } },
      "not-looked-yet",
    ],
    [
      "never reached",
      { looks: [], device: { lastLookAt: undefined, failing: silent } },
      "device-unreachable",
    ],
    ["stale", { now: at(95_000 + 30_001) }, "reading-stale"],
    [
      "stale and failing",
      { now: at(200_000), device: { lastLookAt: at(95_000), failing: silent } },
      "device-unreachable",
    ],
    [
      "not understood",
      {
        now: at(200_000),
        device: { lastLookAt: at(95_000), failing: { code: "device.unparsed", text: "?" } },
      },
      "reading-missing",
    ],
    [
      "port gone",
      { looks: [], device: { lastLookAt: at(95_000), failing: undefined } },
      "port-absent",
    ],
    [
      "port gone lately",
      { device: { lastLookAt: at(95_700), failing: undefined }, looks: [look(60_000)] },
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
      const strong = look(index * 5000, moving(index));
      return { port: { ...strong, [part]: { ...strong[part], weak: true } } };
    };
    expect(verdictOf(course)[0]).toBe("unknown");
  });

  it("a fresh observation counts although the newest one failed", () => {
    const device = { lastLookAt: at(95_000), failing: silent };
    expect(verdictOf(moving, { now: at(110_000), device })).toEqual(["protected", ""]);
  });
});
