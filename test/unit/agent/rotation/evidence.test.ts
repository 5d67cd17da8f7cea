// Proof of a key, quiet before a change, carrying after it: what holds without a gap.

import { describe, expect, it } from "vitest";
import type { CampaignLink, Evidence } from "#agent/model/campaign.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import type { Cause } from "#agent/model/reason.ts";
import {
  advanceProof,
  advanceQuiet,
  advanceSteady,
  drainedOf,
  type Proven,
  proofOf,
  provenNew,
  provenOld,
  type QuietRun,
  type Run,
  stagedEvidence,
  steadyGap,
  steadyOf,
} from "#agent/rotation/evidence.ts";
import { known, type MacsecPort, type Reading, unknown } from "#hal/model.ts";
import { calmPort, campaignOf, keyOne } from "../../kit/campaign-kit.ts";
import { ckn } from "../../kit/site-bench.ts";
import {
  at,
  clearPort,
  desired,
  drainedRouting,
  frames,
  link,
  peerOn,
  routing,
  securedPort,
  session,
  settings,
  snapshotOf,
  stateOf,
} from "../../kit/snapshot-kit.ts";

const now = at(0);
const unread = unknown("queryFailed", now);
const weak = <T>(value: T): Reading<T> => ({ kind: "known", value, at: now, weak: true });
const wanted: Proven = { which: "new", key: keyOne, settings: link.settings, keepsKey: false };

const waits = (cause: Cause): Evidence => ({ kind: "waiting", cause });
const lacking = (direction: "receive" | "transmit", count: number): Evidence =>
  waits({ code: "frames.lacking", direction, count });
const traffic = (packetsPerSecond: number): Cause => ({ code: "drain.traffic", packetsPerSecond });

describe("the proof of a key (P3)", () => {
  const rotation = desired.rotation;
  const good = (over: Partial<MacsecPort> = {}): LinkSnapshot =>
    snapshotOf(stateOf(securedPort(over)), { peer: peerOn() });
  const counted = (rxOk: bigint, txProtected: bigint, over = {}): Partial<MacsecPort> => ({
    frames: known({ ...frames, rxOk, txProtected, ...over }, now),
  });
  const proofAfter = (first: LinkSnapshot, then: LinkSnapshot, ms: number): Evidence => {
    const still = advanceProof(undefined, good(counted(990n, 990n)), wanted, "new", at(0));
    const run = advanceProof(still, first, wanted, "new", at(0));
    const next = advanceProof(run, then, wanted, "new", at(ms));
    return proofOf(next, then, rotation, at(ms));
  };

  // A router told frames of half a minute at once, most of them of the other key.
  it("a proof counts frames from where a counter first moves, per direction", () => {
    const ms = rotation.settleMs;
    const looks = (...counts: readonly (readonly [bigint, bigint])[]): Evidence => {
      let run: Run | undefined;
      let snapshot = good();
      for (const [rx, tx] of counts) {
        snapshot = good(counted(rx, tx));
        run = advanceProof(run, snapshot, wanted, "new", at(run === undefined ? 0 : ms));
      }
      return proofOf(run, snapshot, rotation, at(ms));
    };
    expect(looks([0n, 0n], [500n, 500n])).toEqual(lacking("receive", 20));
    expect(looks([0n, 0n], [500n, 500n], [520n, 519n])).toEqual(lacking("transmit", 1));
    expect(looks([0n, 0n], [500n, 500n], [520n, 520n])).toEqual({ kind: "held" });
    expect(looks([0n, 0n], [0n, 500n], [500n, 600n])).toEqual(lacking("receive", 20));
    expect(looks([0n, 0n], [0n, 500n], [500n, 600n], [519n, 600n])).toEqual(lacking("receive", 1));
    expect(looks([0n, 0n], [500n, 0n], [600n, 500n])).toEqual(lacking("transmit", 20));
  });

  it("a proof holds after the settle time with enough frames both ways", () => {
    const later = good(counted(1_020n, 1_020n));
    expect(proofAfter(good(), later, rotation.settleMs)).toEqual({ kind: "held" });
    expect(proofAfter(good(), later, rotation.settleMs - 1)).toMatchObject({ kind: "waiting" });
  });

  const lacks: readonly (readonly [string, Partial<MacsecPort>, Cause])[] = [
    [
      "frames in the receive direction",
      counted(1_019n, 1_020n),
      { code: "frames.lacking", direction: "receive", count: 1 },
    ],
    [
      "frames in the transmit direction",
      counted(1_020n, 1_010n),
      { code: "frames.lacking", direction: "transmit", count: 10 },
    ],
    [
      "a secured port",
      { session: known({ ...session, controlledPort: "blocked" }, now) },
      { code: "mka.port", state: "blocked" },
    ],
    [
      "the right principal key",
      { session: known({ ...session, principalCkn: ckn("f") }, now) },
      { code: "mka.otherPrincipal", wanted: "new" },
    ],
    [
      "a live peer",
      { session: known({ ...session, livePeers: 0 }, now) },
      { code: "mka.livePeers", count: 0 },
    ],
    [
      "only one live peer",
      { session: known({ ...session, livePeers: 2, respondedPeers: 2 }, now) },
      { code: "mka.livePeers", count: 2 },
    ],
    [
      "a peer that responded",
      { session: known({ ...session, respondedPeers: 0 }, now) },
      { code: "mka.peerWithoutSak" },
    ],
    [
      "a SAK in use",
      { session: known({ ...session, latestSak: undefined }, now) },
      { code: "mka.sakOneWay" },
    ],
    [
      "a SAK in use both ways",
      {
        session: known(
          { ...session, latestSak: { an: 0, keyId: "a/1", receive: true, transmit: false } },
          now,
        ),
      },
      { code: "mka.sakOneWay" },
    ],
    [
      "the wanted suite",
      { liveSuite: known("gcm-aes-128", now) },
      { code: "macsec.suite", suite: "gcm-aes-128" },
    ],
    [
      "must-secure",
      { settings: known({ ...settings, policy: "shouldSecure" }, now) },
      { code: "macsec.notMustSecure" },
    ],
    ["counters", { frames: unread }, { code: "frames.unread" }],
    ["strong counters", { frames: weak(frames) }, { code: "frames.unread" }],
    ["a readable session", { session: unread }, { code: "mka.unread" }],
    ["steady rxNotValid", counted(2_000n, 2_000n, { rxNotValid: 1n }), { code: "frames.notValid" }],
    ["steady rxClear", counted(2_000n, 2_000n, { rxClear: 1n }), { code: "frames.clear" }],
    ["counters that only rise", counted(10n, 2_000n), { code: "frames.reset" }],
  ];
  it.each(lacks)("a proof waits without %s", (_name, over, cause) => {
    expect(proofAfter(good(), good(over), rotation.settleMs)).toEqual({ kind: "waiting", cause });
  });

  it("a proof begins anew where the far end was written, though it shows the same key", () => {
    const rewritten = snapshotOf(stateOf(securedPort(counted(2_000n, 2_000n))), {
      peer: { ...peerOn(), revision: "2" },
    });
    const cause = { code: "farEnd.rewritten" } as const;
    expect(proofAfter(good(), rewritten, rotation.settleMs)).toEqual(waits(cause));
  });

  it.each(["old", "other", "updating", "failed", "unknown"] as const)(
    "a proof waits while the far end is %s",
    (far) => {
      const run = advanceProof(undefined, good(), wanted, far, now);
      expect(proofOf(run, good(), rotation, now)).toEqual(waits({ code: "farEnd.is", far }));
    },
  );

  const observed = (over: Partial<MacsecPort>, proven = wanted): Evidence => {
    const run = advanceProof(undefined, good(over), proven, "new", now);
    return proofOf(run, good(over), rotation, now);
  };

  it("a proof names what is missing where readings are missing", () => {
    expect(proofOf(undefined, good(), rotation, now)).toEqual(waits({ code: "evidence.none" }));
    const run = advanceProof(undefined, good(), wanted, "new", now);
    const gone = waits({ code: "frames.unread" });
    expect(proofOf(run, good({ frames: unread }), rotation, now)).toEqual(gone);
    const bare: Run = { since: now, frames: undefined, broken: undefined };
    expect(proofOf(bare, good(), rotation, now)).toEqual(gone);
    const away = advanceProof(run, snapshotOf(undefined), wanted, "new", now);
    expect(away.broken).toEqual({ code: "router.unread" });
    expect(observed({ liveSuite: unread })).toEqual(waits({ code: "macsec.suite", suite: null }));
    expect(observed({ settings: unread })).toEqual(waits({ code: "macsec.notMustSecure" }));
    expect(observed({ settings: known(undefined, now) })).toEqual(
      waits({ code: "macsec.notMustSecure" }),
    );
  });

  it("a proof that lacks only time names the seconds that are left", () => {
    const later = good(counted(1_020n, 1_020n));
    expect(proofAfter(good(), later, rotation.settleMs - 1_500)).toEqual(
      waits({ code: "proof.settles", seconds: 2 }),
    );
  });

  it("a proof of a change needs its settings on the port, one of a rotation does not", () => {
    const change = { ...wanted, keepsKey: true };
    const sci = { settings: known({ ...settings, includeSci: false }, now) };
    expect(observed(sci, change)).toEqual(
      waits({ code: "macsec.setting", leaf: "includeSci", observed: "false", wanted: "true" }),
    );
    expect(observed({}, change)).toMatchObject(lacking("receive", 20));
    expect(observed(sci)).toMatchObject(lacking("receive", 20));
  });

  it("a proof accepts a far end that has nothing to do", () => {
    const run = advanceProof(undefined, good(), wanted, "either", now);
    expect(run.broken).toBeUndefined();
  });

  it("a counter that falls breaks a proof, and one that is not reported does not", () => {
    for (const over of [counted(999n, 1_000n), counted(1_000n, 999n)]) {
      const run = advanceProof(undefined, good(), wanted, "new", now);
      expect(advanceProof(run, good(over), wanted, "new", now).broken).toEqual({
        code: "frames.reset",
      });
    }
    const rxClear = (count: bigint | undefined) =>
      good(counted(1_000n, 1_000n, { rxClear: count }));
    for (const [before, after] of [
      [undefined, 5n],
      [5n, undefined],
      [5n, 5n],
    ] as const) {
      const run = advanceProof(undefined, rxClear(before), wanted, "new", now);
      expect(advanceProof(run, rxClear(after), wanted, "new", now).broken).toBeUndefined();
    }
  });

  it("a proof begins again after a bad observation, from its counters", () => {
    const bad = good(counted(2_000n, 2_000n, { rxNotValid: 3n }));
    const clean = good(counted(3_000n, 3_000n, { rxNotValid: 3n }));
    let run = advanceProof(undefined, good(), wanted, "new", at(0));
    run = advanceProof(run, bad, wanted, "new", at(1_000));
    expect(proofOf(run, bad, rotation, at(1_000))).toEqual(waits({ code: "frames.notValid" }));
    run = advanceProof(run, clean, wanted, "new", at(2_000));
    expect(proofOf(run, clean, rotation, at(2_000 + rotation.settleMs)).kind).toBe("waiting");
    const moves = good(counted(3_001n, 3_001n, { rxNotValid: 3n }));
    run = advanceProof(run, moves, wanted, "new", at(3_000));
    const later = good(counted(4_000n, 4_000n, { rxNotValid: 3n }));
    run = advanceProof(run, later, wanted, "new", at(2_000 + rotation.settleMs));
    expect(proofOf(run, later, rotation, at(2_000 + rotation.settleMs))).toEqual({ kind: "held" });
  });

  it("a proof begins again after a gap", () => {
    let run: Run | undefined = advanceProof(undefined, good(), wanted, "new", at(0));
    run = advanceProof(run, snapshotOf(undefined), wanted, "new", at(5_000));
    const later = good(counted(9_000n, 9_000n));
    run = advanceProof(run, later, wanted, "new", at(6_000));
    expect(proofOf(run, later, rotation, at(6_000 + rotation.settleMs)).kind).toBe("waiting");
  });
});

describe("the keys of a campaign", () => {
  const [first] = campaignOf("proving", { kind: "rotate" }).links;
  if (first?.old === undefined) throw new Error("a rotation has an old key");
  const entry: CampaignLink = first;

  it("the new and the old key are proven with their settings, each by its name", () => {
    expect(provenNew(entry)).toEqual({ which: "new", ...entry.new, keepsKey: false });
    expect(provenOld(entry)).toEqual({ which: "old", ...entry.old, keepsKey: false });
  });

  it("a change has one key, and an enrolment has no old one", () => {
    const change = { ...entry, old: entry.new };
    expect([provenNew(change).keepsKey, provenOld(change)?.keepsKey]).toEqual([true, true]);
    const enrol = { ...entry, old: undefined };
    expect([provenNew(enrol).keepsKey, provenOld(enrol)]).toEqual([false, undefined]);
  });
});

describe("drained", () => {
  const slow = { rxPps: 99, txPps: 99, rxBps: 1e4, txBps: 1e4, lineBps: 1e11 };
  const quiet = (over: Partial<MacsecPort> = {}, routes = drainedRouting): LinkSnapshot =>
    snapshotOf(
      stateOf(clearPort({ rate: known(slow, now), ...over }), { routing: known(routes, now) }),
    );
  const samples = (snapshot: LinkSnapshot, times: readonly number[]): Evidence => {
    let run: QuietRun | undefined;
    for (const time of times) run = advanceQuiet(run, snapshot, 10_000, at(time));
    return drainedOf(run, 3);
  };

  it("a link is drained after three quiet samples, ten seconds apart", () => {
    expect(samples(quiet(), [0, 10_000, 20_000])).toEqual({ kind: "held" });
    expect(samples(quiet(), [0, 5_000, 9_999, 20_000])).toEqual(
      waits({ code: "drain.quiet", samples: 2, needed: 3 }),
    );
    expect(samples(quiet(), [])).toEqual(waits({ code: "evidence.none" }));
  });

  it("the time between quiet samples counts from the last one that counted", () => {
    expect(samples(quiet(), [10_000, 15_000, 20_000]).kind).toBe("waiting");
    expect(samples(quiet(), [10_000, 20_000, 30_000])).toEqual({ kind: "held" });
  });

  it("the count of quiet samples begins again with the first one after noise", () => {
    let run: QuietRun | undefined;
    run = advanceQuiet(run, snapshotOf(undefined), 10_000, at(0));
    run = advanceQuiet(run, quiet(), 10_000, at(1_000));
    expect(run).toMatchObject({ samples: 1, lastAt: 1_000 });
    run = advanceQuiet(run, quiet(), 10_000, at(11_000));
    expect(drainedOf(run, 3)).toEqual(waits({ code: "drain.quiet", samples: 2, needed: 3 }));
    run = advanceQuiet(run, snapshotOf(undefined), 10_000, at(12_000));
    expect(drainedOf(run, 3)).toEqual(waits({ code: "drain.unread" }));
  });

  it("a link is drained although a route leads elsewhere or is not the best", () => {
    const prefix = "10.0.0.0/8";
    const here = { kind: "port", port: link.port } as const;
    const routes = [
      { prefix, via: here, best: false },
      { prefix, via: { kind: "port", port: "et-9" }, best: true },
      { prefix, via: { kind: "tunnel", name: link.port }, best: true },
    ] as const;
    expect(samples(quiet({}, { ...drainedRouting, routes }), [0, 10_000, 20_000])).toEqual({
      kind: "held",
    });
  });

  const noises: readonly (readonly [string, LinkSnapshot, Cause])[] = [
    ["100 packets/s", quiet({ rate: known({ ...slow, rxPps: 100 }, now) }), traffic(100)],
    ["1 % of the line", quiet({ rate: known({ ...slow, txBps: 1e9 }, now) }), traffic(99)],
    [
      "a best path",
      quiet({}, { ...drainedRouting, routes: routing.routes }),
      { code: "drain.bestPath", prefix: "10.0.0.0/8" },
    ],
    [
      "no drain in force",
      quiet({}, { ...drainedRouting, drains: [] }),
      { code: "drain.notInForce" },
    ],
    ["an unreadable rate", quiet({ rate: unread }), { code: "drain.unread" }],
    [
      "unreadable routes",
      snapshotOf(stateOf(clearPort({ rate: known(slow, now) }), { routing: unread })),
      { code: "drain.unread" },
    ],
    ["an unreadable router", snapshotOf(undefined), { code: "drain.unread" }],
  ];
  it.each(noises)("a link is not drained with %s", (_name, snapshot, cause) => {
    expect(samples(snapshot, [0, 10_000, 20_000])).toEqual({ kind: "waiting", cause });
  });
});

describe("a staged key", () => {
  const snapshot = snapshotOf(stateOf(securedPort()));
  const port = { ...calmPort, keys: "both" } as const;

  it("a staged key is sound with both keys, the old in charge and no failing frame", () => {
    expect(stagedEvidence(frames, snapshot, port)).toEqual({ kind: "held" });
    expect(stagedEvidence(undefined, snapshot, port)).toEqual({ kind: "held" });
  });

  const gaps: readonly (readonly [string, Evidence, Cause])[] = [
    ["one key only", stagedEvidence(frames, snapshot, calmPort), { code: "port.notBoth" }],
    [
      "new in charge",
      stagedEvidence(frames, snapshot, { ...port, carriedBy: "new" }),
      { code: "port.oldNotInCharge" },
    ],
    ["an unread port", stagedEvidence(frames, snapshot, undefined), { code: "router.unread" }],
    [
      "an unread router",
      stagedEvidence(frames, snapshotOf(undefined), undefined),
      { code: "router.unread" },
    ],
    [
      "unread counters",
      stagedEvidence(frames, snapshotOf(stateOf(securedPort({ frames: unread }))), port),
      { code: "router.unread" },
    ],
    [
      "failing frames",
      stagedEvidence(
        frames,
        snapshotOf(stateOf(securedPort({ frames: known({ ...frames, rxNotValid: 9n }, now) }))),
        port,
      ),
      { code: "frames.notValid" },
    ],
  ];
  it.each(gaps)("a staged key is not sound with %s", (_name, evidence, cause) => {
    expect(evidence).toEqual({ kind: "waiting", cause });
  });
});

describe("carrying again", () => {
  const snapshot = snapshotOf(stateOf(clearPort()));
  const gap = (
    over: Partial<typeof calmPort>,
    observed: LinkSnapshot = snapshot,
  ): string | undefined => steadyGap(observed, { ...calmPort, ...over }, at(0))?.code;

  it("a calm link has no gap in carrying, and each gap has its code", () => {
    expect(gap({})).toBeUndefined();
    expect(gap({ drain: "on" })).toBe("link.drained");
    expect(gap({ carriedBy: "nothing" })).toBe("link.unusable");
    expect(steadyGap(snapshot, undefined, at(0))?.code).toBe("router.unread");
    const noBgp = snapshotOf(
      stateOf(clearPort(), { routing: known({ ...routing, sessions: [] }, now) }),
    );
    expect(gap({}, noBgp)).toBe("bgp.down");
    const probe = { begunAt: at(4), at: at(5), sent: 5, answered: 0 };
    expect(gap({}, { ...snapshot, probe })).toBe("probe.unanswered");
    expect(gap({}, { ...snapshot, probe: { ...probe, answered: 1 } })).toBeUndefined();
    expect(steadyGap({ ...snapshot, probe }, calmPort, at(5))?.code).toBe("probe.unanswered");
    expect(steadyGap({ ...snapshot, probe }, calmPort, at(6))).toBeUndefined();
    expect(gap({}, snapshotOf(undefined))).toBe("router.unread");
  });

  it("carrying must last for the soak time, and begins again after a gap", () => {
    let run: Run = advanceSteady(undefined, undefined, at(0));
    expect(steadyOf(run, 10_000, at(2_500))).toEqual(
      waits({ code: "carrying.settles", seconds: 8 }),
    );
    expect(steadyOf(advanceSteady(run, undefined, at(10_000)), 10_000, at(10_000)).kind).toBe(
      "held",
    );
    run = advanceSteady(run, { code: "bgp.down" }, at(11_000));
    expect(steadyOf(run, 10_000, at(11_000))).toEqual(waits({ code: "bgp.down" }));
    run = advanceSteady(run, undefined, at(12_000));
    expect(steadyOf(run, 10_000, at(21_999)).kind).toBe("waiting");
    expect(steadyOf(run, 10_000, at(22_000)).kind).toBe("held");
  });
});
