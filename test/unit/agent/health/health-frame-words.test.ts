// The sentences that an operator reads about frames, observations and tunnels, each once.

import { describe, expect, it } from "vitest";
import { deriveTunnelHealth } from "#agent/health/tunnel.ts";
import type { LinkEvidence, TunnelEvidence } from "#agent/model/health.ts";
import { type IpsecSa, type IpsecTunnel, known, unknown } from "#hal/model.ts";
import {
  always,
  at,
  type Course,
  grows,
  idle,
  instead,
  last,
  moving,
  over,
  peer,
  portObservation,
  reasonsOf,
  tunnel,
  tunnelEvidence,
  tunnelObservation,
} from "../health-evidence.ts";

const heard = (index: number): bigint => BigInt(index * 2);
const unread = (part: "settings" | "session" | "liveSuite" | "frames"): Course =>
  over(moving, (index) => ({ port: { [part]: unknown("queryFailed", at(index * 5000)) } }));
const oldFrames = over(moving, (index) => ({
  port: { frames: portObservation(index * 5000 - 40_000, moving(index)).frames },
}));
const oneWay = (name: "rxOk" | "txProtected"): Course =>
  over(moving, () => ({ frames: { [name]: 1000n } }));
const cut: Course = over(moving, (index) => (index < 19 ? { session: { livePeers: 0 } } : {}));
const clearLink = {
  code: "macsec-not-configured",
  text: "it is open",
  next: "linkseal enrol erd-demo",
} as const;
const failing = { code: "transport.timeout", text: "no answer came within 10 s" };
const device = (
  lastObservedAt: number | undefined,
  fails?: typeof failing,
): Partial<LinkEvidence> => ({
  device: {
    lastObservedAt: lastObservedAt === undefined ? undefined : at(lastObservedAt),
    failing: fails,
  },
  now: at(200_000),
});
const rows: readonly {
  readonly name: string;
  readonly course: Course;
  readonly change: Partial<LinkEvidence>;
  readonly texts: readonly string[];
}[] = [
  {
    name: "frames not reported",
    course: unread("frames"),
    change: {},
    texts: ["HERE did not tell its frame counters: the query failed"],
  },
  {
    name: "frames are old",
    course: oldFrames,
    change: {},
    texts: ["the last word of HERE on its frame counters is older than the freshness limit"],
  },
  {
    name: "one observation",
    course: moving,
    change: last(moving, 1),
    texts: ["HERE cannot be evaluated yet: it has been read only once"],
  },
  {
    name: "counters reset",
    course: over(moving, (index) => (index < 19 ? { frames: { rxOk: 9_999_999n } } : {})),
    change: {},
    texts: ["HERE cannot be evaluated yet: its counters were reset, so the evidence starts again"],
  },
  {
    name: "session changed",
    course: cut,
    change: {},
    texts: [
      "HERE cannot be evaluated yet: its session has just changed, so the evidence starts again",
    ],
  },
  {
    name: "clear frames in",
    course: over(moving, grows("rxClear")),
    change: {},
    texts: ["data frames are in the clear: FAR sent 760"],
  },
  {
    name: "clear frames out",
    course: over(moving, grows("txClear")),
    change: {},
    texts: ["data frames are in the clear: HERE sent 760"],
  },
  {
    name: "clear frames both ways",
    course: over(moving, (index) => ({
      frames: { rxClear: BigInt(index), txClear: heard(index) },
    })),
    change: {},
    texts: ["data frames are in the clear: FAR sent 19 and HERE sent 38"],
  },
  {
    name: "SCI of frames",
    course: instead("rxNoSci"),
    change: {},
    texts: ["HERE dropped 35000 frames for their SCI: FAR includes it differently"],
  },
  {
    name: "frames of another SAK",
    course: instead("rxNotValid"),
    change: {},
    texts: [
      "MKA agreed on a SAK, but no frame from FAR passes at HERE: one data plane still " +
        "uses another SAK",
    ],
  },
  {
    name: "some frames not valid",
    course: over(moving, grows("rxNotValid")),
    change: {},
    texts: ["760 frames from FAR failed the integrity check of HERE"],
  },
  {
    name: "frames on an unused SA",
    course: over(moving, grows("rxUnusedSa")),
    change: {},
    texts: ["FAR keeps sending on an SA that HERE does not use"],
  },
  {
    name: "late frames",
    course: over(moving, grows("rxLate")),
    change: {},
    texts: ["HERE dropped 760 frames from FAR outside its replay window"],
  },
  {
    name: "frames too long",
    course: over(moving, grows("txTooLong")),
    change: {},
    texts: [
      "HERE could not send 760 frames to FAR: with the 32 octets of MACsec they exceed its L2 MTU",
    ],
  },
  {
    name: "clear frames not counted",
    course: always({ frames: { rxClear: undefined } }),
    change: {},
    texts: ["HERE does not count clear frames, so none can be ruled out"],
  },
  {
    name: "neither kind counted",
    course: always({ frames: { rxClear: undefined, rxNotValid: undefined } }),
    change: {},
    texts: [
      "HERE does not count clear frames and frames that are not valid, so none can be ruled out",
    ],
  },
  {
    name: "packet numbers",
    course: always({ frames: { nextPn: 2n ** 64n - 2n ** 61n } }),
    change: {},
    texts: ["HERE has used 87 % of its packet numbers"],
  },
  {
    name: "frozen",
    course: over(idle, () => ({ pps: 1000 })),
    change: {},
    texts: ["traffic passes HERE, but its MACsec counters stand still"],
  },
  {
    name: "probe lost",
    course: idle,
    change: { probe: { at: at(95_500), sent: 5, answered: 0 } },
    texts: ["no probe from HERE came back from FAR, and no frame either"],
  },
  {
    name: "not watched for long",
    course: idle,
    change: last(idle, 3),
    texts: ["HERE saw no protected frames both ways in the 10 s of evidence so far"],
  },
  {
    name: "one way in",
    course: oneWay("txProtected"),
    change: {},
    texts: ["protected frames only reach HERE: none goes the other way"],
  },
  {
    name: "one way out",
    course: oneWay("rxOk"),
    change: {},
    texts: ["protected frames only leave HERE: none goes the other way"],
  },
  {
    name: "idle",
    course: idle,
    change: {},
    texts: ["HERE is idle and no probe was answered, so nothing shows that it carries"],
  },
  { name: "no link", course: always({ linkUp: false }), change: {}, texts: ["HERE has no link"] },
  {
    name: "no link, far end on",
    course: always({ linkUp: false }),
    change: peer({}),
    texts: ["HERE has no link"],
  },
  {
    name: "no link, far end off",
    course: always({ linkUp: false }),
    change: peer({ admin: "down" }),
    texts: ["HERE has no link: the far end is switched off"],
  },
  {
    name: "no link, port shut",
    course: always({ linkUp: false, admin: "down" }),
    change: peer({ admin: "down" }),
    texts: ["HERE has no link: the port is shut on the router"],
  },
  {
    name: "no such port",
    course: moving,
    change: { observations: [] },
    texts: ["edge-a lists no port et-0/0/0"],
  },
  {
    name: "never read",
    course: moving,
    change: device(undefined),
    texts: ["the state of HERE is not known: it has not been read yet"],
  },
  {
    name: "never reached",
    course: moving,
    change: device(undefined, failing),
    texts: [
      "the state of HERE is not known: it has not been read yet, and now no answer " +
        "came within 10 s",
    ],
  },
  {
    name: "not read for long",
    course: moving,
    change: device(95_000),
    texts: ["the state of HERE is not known: it was last read 105 s ago"],
  },
  {
    name: "not reached for long",
    course: moving,
    change: device(95_000, failing),
    texts: [
      "the state of HERE is not known: it was last read 105 s ago, and now no answer " +
        "came within 10 s",
    ],
  },
];

describe("the sentences about frames and observations", () => {
  it.each(rows)(
    "the sentences about frames and observations of a link: $name",
    ({ course, change, texts }) => {
      expect(reasonsOf(course, change)).toEqual(texts);
    },
  );
});

const old = tunnelObservation(0, 100);
const now = tunnelObservation(95_000, 900);
const sas = (...list: readonly Partial<IpsecSa>[]): IpsecTunnel["sas"] =>
  known(
    list.map((sa, index) => ({
      spi: 10 + index,
      direction: "in",
      phase: "installed",
      transforms: tunnel.transforms,
      packets: 5n,
      sequence: undefined,
      ...sa,
    })),
    at(95_000),
  );
const out = { direction: "out" } as const;
const weaker = { transforms: { ...tunnel.transforms, encryption: "aes128" } };
const used = { sequence: 3n * 2n ** 30n };

const tunnels: readonly {
  readonly name: string;
  readonly observations: readonly IpsecTunnel[];
  readonly change: Partial<TunnelEvidence>;
  readonly texts: readonly string[];
}[] = [
  { name: "healthy", observations: [old, now], change: {}, texts: [] },
  {
    name: "never read",
    observations: [],
    change: { device: { lastObservedAt: undefined, failing: undefined } },
    texts: ["the state of edge-a hub-1 is not known: it has not been read yet"],
  },
  {
    name: "absent",
    observations: [],
    change: {},
    texts: ["edge-a has no tunnel hub-1 to 203.0.113.1"],
  },
  {
    name: "IKE not reported",
    observations: [old, { ...now, ike: unknown("unparsed", at(95_000)) }],
    change: {},
    texts: ["edge-a did not tell IKE of hub-1: the answer was not understood"],
  },
  {
    name: "IKE connecting",
    observations: [old, { ...now, ike: known("connecting", at(95_000)) }],
    change: {},
    texts: ["IKE from edge-a (198.51.100.1) to 203.0.113.1 is connecting"],
  },
  {
    name: "SAs not reported",
    observations: [old, { ...now, sas: unknown("notSupported", at(95_000)) }],
    change: {},
    texts: ["edge-a did not tell the SAs of hub-1: its driver cannot read it"],
  },
  {
    name: "no SA in",
    observations: [old, { ...now, sas: sas(out) }],
    change: {},
    texts: ["no SA carries traffic of edge-a from 203.0.113.1"],
  },
  {
    name: "no SA out",
    observations: [old, { ...now, sas: sas({}) }],
    change: {},
    texts: ["no SA carries traffic of edge-a to 203.0.113.1"],
  },
  {
    name: "other algorithms",
    observations: [old, { ...now, sas: sas(weaker, out) }],
    change: {},
    texts: [
      "the SA edge-a from 203.0.113.1 uses aes128/none/ecp384, and " +
        "aes256gcm16/none/ecp384 is wanted",
    ],
  },
  {
    name: "numbers run out",
    observations: [old, { ...now, sas: sas({}, { ...out, ...used }) }],
    change: {},
    texts: ["the SA edge-a to 203.0.113.1 has used 3/4 of its numbers"],
  },
  {
    name: "one way out",
    observations: [old, { ...now, sas: sas({ packets: 0n }, out) }],
    change: {},
    texts: ["packets only leave edge-a by hub-1: none goes the other way"],
  },
  {
    name: "one way in",
    observations: [old, { ...now, sas: sas({}, { ...out, packets: 0n }) }],
    change: {},
    texts: ["packets only reach edge-a by hub-1: none goes the other way"],
  },
  {
    name: "group in the clear",
    observations: [old, now],
    change: { carriers: [{ id: "erd-demo/primary", verdict: "unprotected", reason: undefined }] },
    texts: ["hub-1 must ride inside the MACsec of its group, which is not protected"],
  },
  {
    name: "its group in the clear",
    observations: [old, now],
    change: {
      carriers: [{ id: "erd-demo/primary", verdict: "unprotected", reason: clearLink }],
      tunnel: { ...tunnel, insideMacsec: "erd-demo" },
    },
    texts: [
      "hub-1 must ride inside the MACsec of erd-demo, which is not protected, because of " +
        "erd-demo/primary: it is open",
    ],
  },
  {
    name: "routes not reported",
    observations: [old, now],
    change: { routing: unknown("queryFailed", at(95_000)) },
    texts: ["edge-a did not tell its routes: the query failed"],
  },
  {
    name: "routes never read",
    observations: [old, now],
    change: { routing: undefined },
    texts: ["edge-a did not tell its routes: the query failed"],
  },
];

describe("the sentences about a tunnel", () => {
  it.each(tunnels)("the sentences about a tunnel: $name", ({ observations, change, texts }) => {
    const { reasons } = deriveTunnelHealth(tunnelEvidence(observations, change));
    expect(reasons.map(({ text }) => text)).toEqual(texts);
  });
});
