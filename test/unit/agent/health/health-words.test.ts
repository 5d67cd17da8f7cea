// The sentences that an operator reads about a link, each once. HERE is the port, FAR its far end.

import { describe, expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { LinkEvidence } from "#agent/model/health.ts";
import { known, type MacsecPort, parseCkn, unknown } from "#hal/model.ts";
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
  look,
  looksAt,
  moving,
  otherKey,
  over,
  peer,
  saidOf,
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
const bare: Bend = { settings: { includeSci: false } };
const unread = (part: "settings" | "session" | "liveSuite" | "frames"): Course =>
  over(moving, (index) => ({ port: { [part]: unknown("queryFailed", at(index * 5000)) } }));
const weak: Course = (index) => {
  const strong = look(index * 5000, moving(index));
  return { port: { ...strong, session: { ...strong.session, weak: true } } };
};
const sak = { an: 1, keyId: "aabb/2", receive: true, transmit: false };
const shortCkn = parseCkn("c0ffee01");
const fallback = { ckn: otherKey.ckn, role: "fallback" } as const;

const noSak = always({ session: { controlledPort: "blocked" } });
const disagree = "HERE and FAR hear each other but agree on no SAK";
const otherSuite = "as a rule the far end does not use gcm-aes-xpn-256";
const justBegun = "a session that has just begun takes some seconds";

const rows: readonly (readonly [string, Course, Partial<LinkEvidence>, readonly string[]])[] = [
  ["healthy", moving, {}, []],
  [
    "no MACsec",
    always({ settings: "none" }),
    {},
    ["HERE has no MACsec, so everything on this link is in the clear"],
  ],
  [
    "settings not told",
    unread("settings"),
    {},
    ["HERE did not tell its MACsec settings: the query failed"],
  ],
  [
    "should-secure",
    always({ settings: { policy: "shouldSecure" } }),
    {},
    ["HERE is set to should-secure, so it sends in the clear when MKA fails"],
  ],
  [
    "offset",
    always({ settings: { confidentialityOffset: 30 } }),
    {},
    ["HERE leaves 30 octets of each frame readable, and 0 are wanted"],
  ],
  [
    "suite of the port",
    always({ settings: { suite: "gcm-aes-256" } }),
    {},
    ["HERE is set to gcm-aes-256, and gcm-aes-xpn-256 is wanted"],
  ],
  ["SCI of the port", always(bare), {}, ["HERE has the SCI off, and it is wanted on"]],
  ["far end failed", moving, peer({ provisioning: "failed" }), ["the last change of FAR failed"]],
  [
    "far end failed with a code",
    moving,
    peer({
      provisioning: "failed",
      details: {
        ...{ identity: "present", bandwidthGbps: 100, cipher: undefined, circuits: [] },
        ...{ provisioning: { port: "Failed", link: "Failed" }, failure: "KeyNotReadable" },
      },
    }),
    ["the last change of FAR failed (KeyNotReadable)"],
  ],
  ["far end switched off", moving, peer({ admin: "down" }), ["FAR is switched off"]],
  [
    "far end without MACsec",
    moving,
    peer({ pointsAt: undefined }),
    ["FAR has MACsec off, and HERE has it on"],
  ],
  [
    "suite of the far end",
    moving,
    peer({ suite: "gcm-aes-256" }),
    ["FAR is set to gcm-aes-256, and HERE to gcm-aes-xpn-256"],
  ],
  [
    "suite of both: the first sentence counts",
    always({ settings: { suite: "gcm-aes-256" } }),
    peer({ suite: "gcm-aes-128" }),
    ["HERE is set to gcm-aes-256, and gcm-aes-xpn-256 is wanted"],
  ],
  ["SCI of the far end", moving, peer({ sci: "off" }), ["FAR has the SCI off, and HERE on"]],
  [
    "session not told",
    unread("session"),
    {},
    ["HERE did not tell its MKA session: the query failed"],
  ],
  [
    "session told over a weak channel",
    weak,
    {},
    ["HERE told its MKA session only over a channel without authentication"],
  ],
  [
    "port open",
    always({ session: { controlledPort: "unprotected" } }),
    {},
    ["HERE is open without MACsec"],
  ],
  [
    "second peer",
    always({ session: { livePeers: 2, respondedPeers: 2 } }),
    {},
    ["2 peers speak MKA on HERE, and a link has two ends"],
  ],
  [
    "SAK churn",
    over(moving, (index) => ({
      session: { latestSak: { ...sak, transmit: true, keyId: `aabb/${index}` } },
    })),
    {},
    ["the SAK of HERE changed 19 times in the evidence window"],
  ],
  [
    "wrong CAK",
    wrongCak,
    {},
    ["HERE and FAR use the same CKN c0c0…c0 with different CAKs: MKPDUs fail their ICV check"],
  ],
  [
    "wrong CAK, short CKN",
    wrongCak,
    shortCkn === undefined ? {} : { expected: { ...key, ckn: shortCkn } },
    ["HERE and FAR use the same CKN c0ffee01 with different CAKs: MKPDUs fail their ICV check"],
  ],
  ["wrong CKN", wrongCkn, {}, ["FAR uses a CKN that HERE does not have: it expects c0c0…c0"]],
  [
    "wrong CKN, far end seen",
    wrongCkn,
    peer({}),
    [
      "FAR uses a CKN that HERE does not have: it expects c0c0…c0 and the far end " +
        "names erd-demo-1-ckn/v1",
    ],
  ],
  [
    "wrong CKN, far end off",
    wrongCkn,
    peer({ pointsAt: undefined }),
    [
      "FAR has MACsec off, and HERE has it on",
      "FAR uses a CKN that HERE does not have: it expects c0c0…c0",
    ],
  ],
  [
    "wrong CKN without an expected key",
    wrongCkn,
    { expected: undefined },
    ["FAR uses a CKN that HERE does not have: it expects none"],
  ],
  ["silent", silent, {}, ["FAR is silent: no MKPDU reached HERE for at least 10 s"]],
  [
    "silent for one life time",
    silent,
    looksAt(silent, 89_000, 95_000),
    ["FAR is silent: no MKPDU reached HERE for at least 6 s"],
  ],
  ["silent in two looks", silent, last(silent, 2), ["HERE has no live MKA peer on this link"]],
  [
    "silent, MKPDUs not told before",
    over(silent, (index) =>
      index < 19 ? { port: { mkpdus: unknown("queryFailed", at(index * 5000)) } } : {},
    ),
    {},
    ["HERE has no live MKA peer on this link"],
  ],
  [
    "silent, MKPDUs not told now",
    over(silent, (index) =>
      index === 19 ? { port: { mkpdus: unknown("queryFailed", at(95_000)) } } : {},
    ),
    {},
    ["HERE has no live MKA peer on this link"],
  ],
  [
    "heard, and no peer",
    noPeer((index) => ({ mkpdus: { received: heard(index) } })),
    {},
    ["HERE has no live MKA peer on this link"],
  ],
  [
    "no peer and no frames",
    over(silent, (index) => ({ port: { frames: unknown("queryFailed", at(index * 5000)) } })),
    {},
    [
      "HERE has no live MKA peer on this link",
      "HERE did not tell its frame counters: the query failed",
    ],
  ],
  [
    "secured without a peer",
    over(silent, () => ({ session: { ...dead, controlledPort: "secured" } })),
    {},
    ["FAR is silent: no MKPDU reached HERE for at least 10 s, although it calls itself secured"],
  ],
  ["no common SAK", noSak, {}, [`${disagree}: ${otherSuite}`]],
  [
    "no common SAK for an MKA life time",
    noSak,
    looksAt(noSak, 89_000, 95_000),
    [`${disagree}: ${otherSuite}`],
  ],
  [
    "no common SAK for a little less",
    noSak,
    looksAt(noSak, 89_001, 95_000),
    [`${disagree}: ${justBegun}`],
  ],
  [
    "no common SAK right after a key change",
    moving,
    looksAt((index) => (index === 0 ? moving(0) : noSak(index)), 80_000, 95_000),
    [`${disagree}: ${justBegun}`],
  ],
  [
    "no answer with the SAK",
    always({ session: { respondedPeers: 0 } }),
    {},
    ["FAR hears HERE, but has not answered with the SAK in use"],
  ],
  [
    "SAK not used",
    always({ session: { latestSak: sak } }),
    {},
    ["MKA announced a SAK that HERE does not use both ways"],
  ],
  [
    "unmanaged key",
    moving,
    { expected: undefined },
    ["HERE is protected by the key c0c0…c0, which linkseal does not manage"],
  ],
  [
    "another key",
    always({ session: { principalCkn: otherKey.ckn } }),
    {},
    ["HERE uses the key abab…ab and not c0c0…c0"],
  ],
  [
    "no key",
    always({ session: { principalCkn: undefined } }),
    {},
    ["HERE uses the key none and not c0c0…c0"],
  ],
  [
    "another key than the campaign's",
    moving,
    { expected: undefined, next: otherKey },
    ["HERE uses the key c0c0…c0 and not abab…ab"],
  ],
  [
    "live suite not told",
    unread("liveSuite"),
    {},
    ["HERE did not tell the suite of the SA in use: the query failed"],
  ],
  [
    "no SA",
    always({ port: { liveSuite: known(undefined, at(95_000)) } }),
    {},
    ["HERE calls itself secured without an SA in use"],
  ],
  [
    "another live suite",
    always({ port: { liveSuite: known("gcm-aes-128", at(95_000)) } }),
    {},
    ["frames between HERE and FAR use gcm-aes-128, and gcm-aes-xpn-256 is wanted"],
  ],
  [
    "fallback",
    always({ port: { keys: known([fallback], at(95_000)) } }),
    {},
    ["the fallback key abab…ab of HERE takes no part in MKA"],
  ],
  [
    "rekey",
    always({ session: { keyServer: "self" } }),
    { sakSince: at(-60_000_000) },
    ["HERE is key server and has kept one SAK for 16 h"],
  ],
];

describe("the sentences about a port, its far end and its session", () => {
  it.each(rows)(
    "the sentences about a port, its far end and its session: %s",
    (_name, course, change, texts) => {
      expect(saidOf(course, change)).toEqual(texts);
    },
  );

  it("a port without MACsec waits for the campaign that brings its first key", () => {
    const course = always({ settings: "none" });
    const nexts = ({ reasons }: ReturnType<typeof deriveLinkHealth>): readonly string[] =>
      reasons.map((reason) => `${reason.code}: ${reason.next}`);
    expect(nexts(deriveLinkHealth(evidence(course)))).toEqual([
      "macsec-not-configured: linkseal enrol erd-demo",
    ]);
    expect(nexts(deriveLinkHealth(evidence(course, { next: otherKey })))).toEqual([
      "macsec-not-configured: linkseal rotation show erd-demo",
    ]);
  });
});

describe("the obstacle to a SAK that a device reports", () => {
  const said = (troubles?: MacsecPort["troubles"]): string | undefined => {
    const port = troubles === undefined ? {} : { troubles };
    const course = over(idle, () => ({ session: { controlledPort: "blocked" }, port }));
    return deriveLinkHealth(evidence(course)).reasons[0]?.text;
  };
  const text =
    "edge-a et-0/0/0 and the far end (link1 of erd-demo) hear each other but agree on no SAK";
  const guess = `${text}: ${otherSuite}`;

  it("a reported obstacle to a SAK is repeated, and an unreported one is guessed", () => {
    const now = at(95_000);
    expect(said(known(["no suite in common", "an old peer"], now))).toBe(
      `${text}: no suite in common, and an old peer`,
    );
    for (const nothing of [undefined, known([], now), unknown("queryFailed", now)] as const) {
      expect(said(nothing)).toBe(guess);
    }
  });
});
