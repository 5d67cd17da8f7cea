// The sentences that an operator reads about a link, each once. HERE is the port, FAR its far end.

import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { LinkEvidence } from "#agent/model/health.ts";
import { type Ckn, known, type MacsecPort, parseCkn, unknown } from "#hal/model.ts";
import {
  always,
  at,
  type Bend,
  blocked,
  type Course,
  dead,
  evidence,
  idle,
  key,
  last,
  moving,
  observationsAt,
  otherKey,
  over,
  peer,
  portObservation,
  reasonsOf,
} from "../health-evidence.ts";

const noPeer = (mkpdus: Course): Course => over(() => blocked, mkpdus);
const heard = (index: number): bigint => BigInt(index * 2);
const wrongCak = noPeer((index) => ({
  mkpdus: { received: heard(index), icvFailed: heard(index) },
}));
const wrongCkn = noPeer((index) => ({
  mkpdus: { received: heard(index), unknownCkn: heard(index) },
}));
const silent = noPeer(() => ({ mkpdus: { received: 100n } }));
/** The same while the port holds this key alone; undefined = no key. */
const holding = (ckn: Ckn | undefined, course: Course): Course =>
  over(course, (index) => ({
    port: {
      keys: known(ckn === undefined ? [] : [{ ckn, role: "primary" as const }], at(index * 5000)),
    },
  }));
const bare: Bend = { settings: { includeSci: false } };
const unread = (part: "settings" | "session" | "liveSuite" | "frames"): Course =>
  over(moving, (index) => ({ port: { [part]: unknown("queryFailed", at(index * 5000)) } }));
const weak: Course = (index) => {
  const strong = portObservation(index * 5000, moving(index));
  return { port: { ...strong, session: { ...strong.session, weak: true } } };
};
const sak = { an: 1, keyId: "aabb/2", receive: true, transmit: false };
const shortCkn = parseCkn("c0ffee01");
const fallback = { ckn: otherKey.ckn, role: "fallback" } as const;
const noSak = always({ session: { controlledPort: "blocked" } });
const disagree = "HERE and FAR hear each other but agree on no SAK";
const otherSuite = "as a rule the far end does not use gcm-aes-xpn-256";
const justBegun = "a session that has just begun takes some seconds";

const rows: readonly {
  readonly name: string;
  readonly course: Course;
  readonly change: Partial<LinkEvidence>;
  readonly texts: readonly string[];
}[] = [
  { name: "healthy", course: moving, change: {}, texts: [] },
  {
    name: "no MACsec",
    course: always({ settings: "none" }),
    change: {},
    texts: ["HERE has no MACsec, so everything on this link is in the clear"],
  },
  {
    name: "settings not reported",
    course: unread("settings"),
    change: {},
    texts: ["HERE did not tell its MACsec settings: the query failed"],
  },
  {
    name: "should-secure",
    course: always({ settings: { policy: "shouldSecure" } }),
    change: {},
    texts: ["HERE is set to should-secure, so it sends in the clear when MKA fails"],
  },
  {
    name: "offset",
    course: always({ settings: { confidentialityOffset: 30 } }),
    change: {},
    texts: ["HERE leaves 30 octets of each frame readable, and 0 are wanted"],
  },
  {
    name: "suite of the port",
    course: always({ settings: { suite: "gcm-aes-256" } }),
    change: {},
    texts: ["HERE is set to gcm-aes-256, and gcm-aes-xpn-256 is wanted"],
  },
  {
    name: "SCI of the port",
    course: always(bare),
    change: {},
    texts: ["HERE has the SCI off, and it is wanted on"],
  },
  {
    name: "far end failed",
    course: moving,
    change: peer({ provisioning: "failed" }),
    texts: ["the last change of FAR failed"],
  },
  {
    name: "far end failed with a code",
    course: moving,
    change: peer({
      provisioning: "failed",
      details: {
        ...{ identity: "present", bandwidthGbps: 100, cipher: undefined, circuits: [] },
        ...{ provisioning: { port: "Failed", link: "Failed" }, failure: "KeyNotReadable" },
      },
    }),
    texts: ["the last change of FAR failed (KeyNotReadable)"],
  },
  {
    name: "far end switched off",
    course: moving,
    change: peer({ admin: "down" }),
    texts: ["FAR is switched off"],
  },
  {
    name: "far end without MACsec",
    course: moving,
    change: peer({ pointsAt: undefined }),
    texts: ["FAR has MACsec off, and HERE has it on"],
  },
  {
    name: "suite of the far end",
    course: moving,
    change: peer({ suite: "gcm-aes-256" }),
    texts: ["FAR is set to gcm-aes-256, and HERE to gcm-aes-xpn-256"],
  },
  {
    name: "suite of both: the first sentence counts",
    course: always({ settings: { suite: "gcm-aes-256" } }),
    change: peer({ suite: "gcm-aes-128" }),
    texts: ["HERE is set to gcm-aes-256, and gcm-aes-xpn-256 is wanted"],
  },
  {
    name: "SCI of the far end",
    course: moving,
    change: peer({ sci: "off" }),
    texts: ["FAR has the SCI off, and HERE on"],
  },
  {
    name: "session not reported",
    course: unread("session"),
    change: {},
    texts: ["HERE did not tell its MKA session: the query failed"],
  },
  {
    name: "session reported over a weak channel",
    course: weak,
    change: {},
    texts: ["HERE told its MKA session only over a channel without authentication"],
  },
  {
    name: "port open",
    course: always({ session: { controlledPort: "unprotected" } }),
    change: {},
    texts: ["HERE is open without MACsec"],
  },
  {
    name: "second peer",
    course: always({ session: { livePeers: 2, respondedPeers: 2 } }),
    change: {},
    texts: ["2 peers speak MKA on HERE, and a link has two ends"],
  },
  {
    name: "SAK churn",
    course: over(moving, (index) => ({
      session: { latestSak: { ...sak, transmit: true, keyId: `aabb/${index}` } },
    })),
    change: {},
    texts: ["the SAK of HERE changed 19 times in the evidence window"],
  },
  {
    name: "wrong CAK",
    course: wrongCak,
    change: {},
    texts: ["HERE and FAR use the same CKN with different CAKs: MKPDUs fail their ICV check"],
  },
  {
    name: "wrong CAK, far end seen",
    course: wrongCak,
    change: peer({}),
    texts: ["HERE and FAR use the CKN c0c0…c0 with different CAKs: MKPDUs fail their ICV check"],
  },
  {
    name: "wrong CAK of the new key, and the healthy old one is not accused",
    course: wrongCak,
    change: { ...peer({ pointsAt: otherKey }), next: otherKey },
    texts: ["HERE and FAR use the CKN abab…ab with different CAKs: MKPDUs fail their ICV check"],
  },
  {
    name: "wrong CAK while the far end is being changed",
    course: wrongCak,
    change: { ...peer({ provisioning: "updating" }), next: otherKey },
    texts: ["HERE and FAR use the same CKN with different CAKs: MKPDUs fail their ICV check"],
  },
  {
    name: "wrong CAK, far end at a foreign pair",
    course: wrongCak,
    change: peer({ pointsAt: otherKey }),
    texts: [
      "FAR points at erd-demo-2-cak/v1, and HERE is meant to use erd-demo-1-cak/v1",
      "HERE and FAR use the same CKN with different CAKs: MKPDUs fail their ICV check",
    ],
  },
  {
    name: "wrong CAK, short CKN",
    course: holding(shortCkn, wrongCak),
    change: {
      ...peer({}),
      ...(shortCkn === undefined ? {} : { expected: { ...key, ckn: shortCkn } }),
    },
    texts: ["HERE and FAR use the CKN c0ffee01 with different CAKs: MKPDUs fail their ICV check"],
  },
  {
    name: "wrong CKN",
    course: wrongCkn,
    change: {},
    texts: ["FAR uses a CKN that HERE does not have: it expects c0c0…c0"],
  },
  {
    name: "wrong CKN, far end seen",
    course: wrongCkn,
    change: peer({}),
    texts: [
      "FAR uses a CKN that HERE does not have: it is set to c0c0…c0, which the router has, " +
        "and does not use it",
    ],
  },
  {
    name: "wrong CKN, far end at the new key",
    course: wrongCkn,
    change: { ...peer({ pointsAt: otherKey }), next: otherKey },
    texts: ["FAR uses a CKN that HERE does not have: it is set to abab…ab"],
  },
  {
    name: "wrong CKN, far end on its way to the right pair: not the same id on both sides",
    course: wrongCkn,
    change: peer({ provisioning: "updating" }),
    texts: [
      "FAR uses a CKN that HERE does not have: the far end is set to erd-demo-1-ckn/v1, as it " +
        "should be, but Azure has not ended that change yet",
    ],
  },
  {
    name: "wrong CKN, far end has another CAK under the right CKN: the CAKs are shown",
    course: wrongCkn,
    change: peer({ pointsAt: { ...otherKey, cknSecretId: key.cknSecretId } }),
    texts: [
      "FAR points at erd-demo-2-cak/v1, and HERE is meant to use erd-demo-1-cak/v1",
      "FAR uses a CKN that HERE does not have: both have the CKN erd-demo-1-ckn/v1, and the far " +
        "end is set to the CAK erd-demo-2-cak/v1 and not erd-demo-1-cak/v1",
    ],
  },
  {
    name: "wrong CKN, far end at a foreign pair: both are shown as ids",
    course: wrongCkn,
    change: peer({ pointsAt: otherKey }),
    texts: [
      "FAR points at erd-demo-2-cak/v1, and HERE is meant to use erd-demo-1-cak/v1",
      "FAR uses a CKN that HERE does not have: it expects erd-demo-1-ckn/v1, " +
        "and the far end is set to erd-demo-2-ckn/v1",
    ],
  },
  {
    name: "no key on the router, far end as it should be",
    course: holding(undefined, wrongCkn),
    change: peer({}),
    texts: ["HERE holds no key: it lacks c0c0…c0, to which FAR is set as it should be"],
  },
  {
    name: "no key on the router, far end at the new key",
    course: holding(undefined, wrongCkn),
    change: { ...peer({ pointsAt: otherKey }), next: otherKey },
    texts: ["HERE holds no key: it lacks abab…ab, to which FAR is set as it should be"],
  },
  {
    name: "no key on the router, far end not read, no counters",
    course: holding(undefined, silent),
    change: {},
    texts: ["HERE holds no key: it lacks c0c0…c0"],
  },
  {
    name: "another key on the router, far end as it should be",
    course: holding(otherKey.ckn, wrongCkn),
    change: peer({}),
    texts: ["HERE lacks the key c0c0…c0, to which FAR is set as it should be: it holds abab…ab"],
  },
  {
    name: "wrong CKN, far end off",
    course: wrongCkn,
    change: peer({ pointsAt: undefined }),
    texts: [
      "FAR has MACsec off, and HERE has it on",
      "FAR uses a CKN that HERE does not have: it expects c0c0…c0",
    ],
  },
  {
    name: "wrong CKN without an expected key",
    course: wrongCkn,
    change: { expected: undefined },
    texts: ["FAR uses a CKN that HERE does not have: it expects none"],
  },
  {
    name: "silent",
    course: silent,
    change: {},
    texts: ["FAR is silent: no MKPDU reached HERE for at least 10 s"],
  },
  {
    name: "silent for one life time",
    course: silent,
    change: observationsAt(silent, 89_000, 95_000),
    texts: ["FAR is silent: no MKPDU reached HERE for at least 6 s"],
  },
  {
    name: "silent in two observations",
    course: silent,
    change: last(silent, 2),
    texts: ["HERE has no live MKA peer on this link"],
  },
  {
    name: "silent, MKPDUs not reported before",
    course: over(silent, (index) =>
      index < 19 ? { port: { mkpdus: unknown("queryFailed", at(index * 5000)) } } : {},
    ),
    change: {},
    texts: ["HERE has no live MKA peer on this link"],
  },
  {
    name: "silent, MKPDUs not reported now",
    course: over(silent, (index) =>
      index === 19 ? { port: { mkpdus: unknown("queryFailed", at(95_000)) } } : {},
    ),
    change: {},
    texts: ["HERE has no live MKA peer on this link"],
  },
  {
    name: "heard, and no peer",
    course: noPeer((index) => ({ mkpdus: { received: heard(index) } })),
    change: {},
    texts: ["HERE has no live MKA peer on this link"],
  },
  {
    name: "no peer and no frames",
    course: over(silent, (index) => ({
      port: { frames: unknown("queryFailed", at(index * 5000)) },
    })),
    change: {},
    texts: [
      "HERE has no live MKA peer on this link",
      "HERE did not tell its frame counters: the query failed",
    ],
  },
  {
    name: "secured without a peer",
    course: over(silent, () => ({ session: { ...dead, controlledPort: "secured" } })),
    change: {},
    texts: [
      "FAR is silent: no MKPDU reached HERE for at least 10 s, although it calls itself secured",
    ],
  },
  { name: "no common SAK", course: noSak, change: {}, texts: [`${disagree}: ${otherSuite}`] },
  {
    name: "no common SAK for an MKA life time",
    course: noSak,
    change: observationsAt(noSak, 89_000, 95_000),
    texts: [`${disagree}: ${otherSuite}`],
  },
  {
    name: "no common SAK for a little less",
    course: noSak,
    change: observationsAt(noSak, 89_001, 95_000),
    texts: [`${disagree}: ${justBegun}`],
  },
  {
    name: "no common SAK right after a key change",
    course: moving,
    change: observationsAt((index) => (index === 0 ? moving(0) : noSak(index)), 80_000, 95_000),
    texts: [`${disagree}: ${justBegun}`],
  },
  {
    name: "no answer with the SAK",
    course: always({ session: { respondedPeers: 0 } }),
    change: {},
    texts: ["FAR hears HERE, but has not answered with the SAK in use"],
  },
  {
    name: "SAK not used",
    course: always({ session: { latestSak: sak } }),
    change: {},
    texts: ["MKA announced a SAK that HERE does not use both ways"],
  },
  {
    name: "unmanaged key",
    course: moving,
    change: { expected: undefined },
    texts: ["HERE is protected by the key c0c0…c0, which linkseal does not manage"],
  },
  {
    name: "another key",
    course: always({ session: { principalCkn: otherKey.ckn } }),
    change: {},
    texts: ["HERE uses the key abab…ab and not c0c0…c0"],
  },
  {
    name: "no key",
    course: always({ session: { principalCkn: undefined } }),
    change: {},
    texts: ["HERE uses the key none and not c0c0…c0"],
  },
  {
    name: "another key than the campaign's",
    course: moving,
    change: { expected: undefined, next: otherKey },
    texts: ["HERE uses the key c0c0…c0 and not abab…ab"],
  },
  {
    name: "live suite not reported",
    course: unread("liveSuite"),
    change: {},
    texts: ["HERE did not tell the suite of the SA in use: the query failed"],
  },
  {
    name: "no SA",
    course: always({ port: { liveSuite: known(undefined, at(95_000)) } }),
    change: {},
    texts: ["HERE calls itself secured without an SA in use"],
  },
  {
    name: "another live suite",
    course: always({ port: { liveSuite: known("gcm-aes-128", at(95_000)) } }),
    change: {},
    texts: ["frames between HERE and FAR use gcm-aes-128, and gcm-aes-xpn-256 is wanted"],
  },
  {
    name: "fallback",
    course: always({ port: { keys: known([fallback], at(95_000)) } }),
    change: {},
    texts: ["the fallback key abab…ab of HERE takes no part in MKA"],
  },
  {
    name: "rekey",
    course: always({ session: { keyServer: "self" } }),
    change: { sakSince: at(-60_000_000) },
    texts: ["HERE is key server and has kept one SAK for 16 h"],
  },
];

describe("the sentences about a port, its far end and its session", () => {
  it.each(rows)(
    "the sentences about a port, its far end and its session: $name",
    ({ course, change, texts }) => {
      expect(reasonsOf(course, change)).toEqual(texts);
    },
  );

  it("a port without MACsec waits for the campaign that brings its first key", () => {
    const course = always({ settings: "none" });
    const nexts = ({ reasons }: ReturnType<typeof deriveLinkHealth>): readonly string[] =>
      reasons.map((reason) => `${reason.code}: ${reason.next}`);
    expect(nexts(deriveLinkHealth(evidence(course, { expected: undefined })))).toEqual([
      "macsec-not-configured: linkseal enrol erd-demo",
    ]);
    const first = { expected: undefined, next: otherKey };
    expect(nexts(deriveLinkHealth(evidence(course, first)))).toEqual([
      "macsec-not-configured: linkseal rotation show erd-demo",
    ]);
  });
});

describe("the obstacle to a SAK that a device reports", () => {
  const reasonText = (troubles?: MacsecPort["troubles"]): string | undefined => {
    const port = troubles === undefined ? {} : { troubles };
    const course = over(idle, () => ({ session: { controlledPort: "blocked" }, port }));
    return deriveLinkHealth(evidence(course)).reasons[0]?.text;
  };
  const text =
    "edge-a et-0/0/0 and the far end (link1 of erd-demo) hear each other but agree on no SAK";
  const guess = `${text}: ${otherSuite}`;

  it("a reported obstacle to a SAK is repeated, and an unreported one is guessed", () => {
    const now = at(95_000);
    expect(reasonText(known(["no suite in common", "an old peer"], now))).toBe(
      `${text}: no suite in common, and an old peer`,
    );
    for (const nothing of [undefined, known([], now), unknown("queryFailed", now)] as const) {
      expect(reasonText(nothing)).toBe(guess);
    }
  });
});
