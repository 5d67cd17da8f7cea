// The limits of each finding: the last value that is still good, and the first that is not.

import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { LinkEvidence } from "#agent/model/health.ts";
import { known, type MkaSession, unknown } from "#hal/model.ts";
import {
  always,
  at,
  type Bend,
  blocked,
  type Course,
  dead,
  evidence,
  fine,
  idle,
  judged,
  key,
  last,
  moving,
  observationsAt,
  otherKey,
  over,
  peer,
} from "../health-evidence.ts";

describe("the far end", () => {
  judged("the far end", [
    ["with no suite reported", moving, peer({ suite: undefined }), ...fine],
    [
      "off, and no SCI or suite to compare",
      moving,
      peer({ pointsAt: undefined, sci: "off", suite: undefined }),
      "degraded",
      "far-end-changed",
    ],
    ["switched off", moving, peer({ admin: "down" }), "degraded", "far-end-changed"],
    [
      "at our CAK and another CKN",
      moving,
      peer({ pointsAt: { cakSecretId: key.cakSecretId, cknSecretId: otherKey.cknSecretId } }),
      "degraded",
      "far-end-changed",
    ],
    [
      "at a key, where none is known",
      moving,
      { ...peer({ pointsAt: otherKey }), expected: undefined },
      "degraded",
      "key-not-known",
    ],
    [
      "is not asked while frames pass a port that has no MACsec",
      always({ settings: "none" }),
      { ...peer({ provisioning: "failed" }), bgp: "up" },
      "unprotected",
      "key-gone",
    ],
  ]);
});

describe("settings", () => {
  judged("settings of the port:", [
    [
      "another suite",
      always({ settings: { suite: "gcm-aes-256" } }),
      {},
      "degraded",
      "suite-mismatch",
    ],
    [
      "without the SCI",
      always({ settings: { includeSci: false } }),
      {},
      "degraded",
      "sci-mismatch",
    ],
    [
      "link not reported",
      always({ port: { linkUp: unknown("queryFailed", at(95_000)) } }),
      {},
      ...fine,
    ],
  ]);
});

const noPeer = (mkpdus: Course): Course => over(() => blocked, mkpdus);
const counted = (icvFailed: bigint, unknownCkn: bigint): Course =>
  noPeer(() => ({ mkpdus: { received: 100n, icvFailed, unknownCkn } }));

describe("the MKA session", () => {
  const sak = (keyId: string): Partial<MkaSession> => ({
    latestSak: { an: 0, keyId, receive: true, transmit: true },
  });
  const saksAsked = [50, 60, 70, 80].map((second) => at(second * 1_000));
  const changing = (from: number): Course =>
    over(moving, (index) => ({ session: sak(`aabb/${Math.max(index, from)}`) }));
  judged("the MKA session:", [
    ["four new SAKs", changing(15), {}, ...fine],
    ["five new SAKs", changing(14), {}, "degraded", "sak-churn"],
    ["eight new SAKs, of which a campaign asked for four", changing(11), { saksAsked }, ...fine],
    ["nine, of which it asked for four", changing(10), { saksAsked }, "degraded", "sak-churn"],
    [
      "five new SAKs, and requests before the first observation",
      changing(14),
      { saksAsked: saksAsked.map(() => at(-1)) },
      "degraded",
      "sak-churn",
    ],
    [
      "observations without a SAK, which are not a change",
      over(moving, (index) => (index % 2 === 0 ? { session: { latestSak: undefined } } : {})),
      {},
      ...fine,
    ],
    [
      "a session that was not reported once",
      over(moving, (index) =>
        index === 10 ? { port: { session: unknown("queryFailed", at(50_000)) } } : {},
      ),
      {},
      ...fine,
    ],
    [
      "open beside a live peer",
      always({ session: { controlledPort: "unprotected", principalCkn: otherKey.ckn } }),
      {},
      "unprotected",
      "controlled-port-open",
    ],
    [
      "open beside a live peer, idle",
      over(idle, () => ({ session: { controlledPort: "unprotected" } })),
      {},
      "unprotected",
      "controlled-port-open",
    ],
    ["MKPDUs that failed long ago", counted(5n, 5n), {}, "down", "mka-no-live-peer"],
    [
      "no counters of MKPDUs",
      over(
        () => blocked,
        (index) => ({ port: { mkpdus: unknown("notSupported", at(index * 5000)) } }),
      ),
      {},
      "down",
      "mka-no-live-peer",
    ],
    [
      "counters of MKPDUs in the newest observation only",
      over(counted(5n, 5n), (index) =>
        index < 19 ? { port: { mkpdus: unknown("queryFailed", at(index * 5000)) } } : {},
      ),
      {},
      "down",
      "mka-no-live-peer",
    ],
    [
      "no peer and one observation",
      () => blocked,
      last(() => blocked, 1),
      "down",
      "mka-no-live-peer",
    ],
    [
      "no peer and no frames",
      over(
        () => blocked,
        (index) => ({ port: { frames: unknown("queryFailed", at(index * 5000)) } }),
      ),
      {},
      "down",
      "mka-no-live-peer reading-missing",
    ],
    [
      "secured without a peer, idle",
      over(idle, () => ({ session: { ...dead, controlledPort: "secured" } })),
      {},
      "down",
      "mka-no-live-peer",
    ],
    [
      "live peer, port closed, idle",
      over(idle, () => ({ session: { controlledPort: "blocked" } })),
      {},
      "down",
      "sak-not-agreed",
    ],
    [
      "no key at either end of a campaign",
      always({ session: { principalCkn: undefined } }),
      { expected: undefined, next: otherKey },
      "degraded",
      "principal-key-unexpected",
    ],
    [
      "the first key of a campaign",
      always({ session: { principalCkn: otherKey.ckn } }),
      { expected: undefined, next: otherKey },
      ...fine,
    ],
    [
      "not the first key of a campaign",
      moving,
      { expected: undefined, next: otherKey },
      "degraded",
      "principal-key-unexpected",
    ],
    [
      "no SA in use",
      always({ port: { liveSuite: known(undefined, at(95_000)) } }),
      {},
      "down",
      "sak-not-in-use",
    ],
  ]);

  const mute: Bend = { session: { respondedPeers: 0 } };
  const unanswered: Course = over(idle, () => mute);
  judged("the MKA session:", [
    [
      "no answer with the SAK, seen once",
      unanswered,
      last(unanswered, 1),
      "unknown",
      "peer-not-responded collecting-evidence",
    ],
    [
      "no answer with the SAK for 5 s",
      unanswered,
      observationsAt(unanswered, 90_000, 95_000),
      "unknown",
      "peer-not-responded collecting-evidence",
    ],
    [
      "no answer with the SAK for 6 s",
      unanswered,
      observationsAt(unanswered, 89_000, 95_000),
      "down",
      "sak-not-agreed",
    ],
    [
      "no answer with the SAK, and no frames reported",
      over(unanswered, (index) => ({ port: { frames: unknown("queryFailed", at(index * 5000)) } })),
      {},
      "unknown",
      "peer-not-responded reading-missing",
    ],
    [
      "no answer with the SAK, and frames pass",
      over(moving, () => mute),
      {},
      "degraded",
      "peer-not-responded",
    ],
  ]);
});

describe("the SAK in use", () => {
  const half = { an: 1, keyId: "aabb/2", receive: true, transmit: false };
  const carrying = { an: 0, keyId: "aabb/1", receive: true, transmit: true };
  const newest = (session: Partial<MkaSession>): Course =>
    over(moving, (index) => (index < 19 ? {} : { session }));
  const unused = { latestSak: half, oldSak: undefined };
  const started: Course = over(moving, (index) => ({
    session:
      index < 19
        ? { latestSak: undefined, oldSak: carrying }
        : { latestSak: half, oldSak: carrying },
  }));
  judged("the SAK in use", [
    ["half used, and no old one", newest(unused), {}, "degraded", "sak-not-in-use"],
    [
      "half used, and the old one only sends",
      newest({ latestSak: half, oldSak: { ...carrying, receive: false } }),
      {},
      "degraded",
      "sak-not-in-use",
    ],
    [
      "half used, and the old one only receives",
      newest({ latestSak: half, oldSak: { ...carrying, transmit: false } }),
      {},
      "degraded",
      "sak-not-in-use",
    ],
    ["the first one after none", started, {}, ...fine],
    [
      "half used, seen once",
      always({ session: { latestSak: half, oldSak: carrying } }),
      last(always({ session: { latestSak: half, oldSak: carrying } }), 1),
      "down",
      "sak-not-in-use collecting-evidence",
    ],
    [
      "not used, and nothing is sent",
      over(moving, () => ({ session: unused, frames: { txProtected: 1000n } })),
      {},
      "down",
      "sak-not-in-use frames-one-way",
    ],
    [
      "not used, and nothing is received",
      over(moving, () => ({ session: unused, frames: { rxOk: 1000n } })),
      {},
      "down",
      "sak-not-in-use frames-one-way",
    ],
  ]);
});

describe("the fallback key", () => {
  const slots = [
    { ckn: key.ckn, role: "primary" },
    { ckn: otherKey.ckn, role: "fallback" },
  ] as const;
  const actor = { ckn: key.ckn, state: "live", livePeers: 1, potentialPeers: 0 } as const;
  const with_ = (participants: MkaSession["participants"]): Course =>
    always({ port: { keys: known(slots, at(95_000)) }, session: { participants } });
  judged("the fallback key", [
    ["takes part", with_([actor, { ...actor, ckn: otherKey.ckn }]), {}, ...fine],
    [
      "has an actor without a peer",
      with_([actor, { ...actor, ckn: otherKey.ckn, state: "none", livePeers: 0 }]),
      {},
      "degraded",
      "fallback-not-ready",
    ],
    // A campaign's own keys were accused until the far end moved, with `farEnd: manual` for hours.
    ["is brought in by a campaign", with_([actor]), { next: otherKey }, ...fine],
    [
      "is the old one of a campaign",
      with_([actor]),
      { next: key, expected: otherKey, ...peer({ pointsAt: key }) },
      ...fine,
    ],
    ["is none of a campaign", with_([actor]), { next: key }, "degraded", "fallback-not-ready"],
    ["where the device lists no actors", with_([]), {}, ...fine],
    [
      "where keys are not reported",
      always({ port: { keys: unknown("queryFailed", at(95_000)) } }),
      {},
      ...fine,
    ],
    [
      "is absent beside another primary key",
      always({ port: { keys: known([{ ckn: otherKey.ckn, role: "primary" }], at(95_000)) } }),
      {},
      ...fine,
    ],
  ]);
});

describe("a rekey", () => {
  const serving = always({ session: { keyServer: "self" } });
  // The newest observation is at 95 s and `now` 800 ms later; two rekey intervals are 16 h.
  const since = (ms: number): Partial<LinkEvidence> => ({ sakSince: at(95_800 - ms) });
  judged("a rekey", [
    ["two turns ago", serving, since(57_600_000), ...fine],
    ["more than two turns ago", serving, since(57_600_001), "degraded", "rekey-overdue"],
    ["not followed", serving, {}, ...fine],
    ["that is the peer's to do", moving, since(99_000_000), ...fine],
    [
      "that is not wanted",
      over(serving, () => ({ settings: { sakRekeyMs: undefined } })),
      since(99_000_000),
      ...fine,
    ],
    [
      "of settings that are not reported",
      over(serving, () => ({ port: { settings: unknown("queryFailed", at(95_000)) } })),
      since(99_000_000),
      "unknown",
      "reading-missing",
    ],
  ]);
});

describe("freshness", () => {
  const observedAt = (ms: number): Partial<LinkEvidence> => ({
    device: { lastObservedAt: at(ms), failing: undefined },
    now: at(ms + 100),
  });
  judged("freshness:", [
    ["as old as the limit", moving, { now: at(125_000) }, ...fine],
    ["a port left out for half a poll", moving, observedAt(97_500), ...fine],
    ["a port left out for longer", moving, observedAt(97_501), "unknown", "port-absent"],
  ]);

  it("the age of a single observation is its own", () => {
    const { ages } = deriveLinkHealth(evidence(moving, last(moving, 1)));
    expect(ages).toEqual({ controlPlaneMs: 800, dataPlaneMs: 800, farEndMs: undefined });
  });
});
