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
  look,
  moving,
  over,
  peer,
  saidOf,
  tunnel,
  tunnelEvidence,
  tunnelLook,
} from "../health-evidence.ts";

const heard = (index: number): bigint => BigInt(index * 2);
const unread = (part: "settings" | "session" | "liveSuite" | "frames"): Course =>
  over(moving, (index) => ({ port: { [part]: unknown("queryFailed", at(index * 5000)) } }));
const oldFrames = over(moving, (index) => ({
  port: { frames: look(index * 5000 - 40_000, moving(index)).frames },
}));
const oneWay = (name: "rxOk" | "txProtected"): Course =>
  over(moving, () => ({ frames: { [name]: 1000n } }));
const cut: Course = over(moving, (index) => (index < 19 ? { session: { livePeers: 0 } } : {}));
const failing = { code: "transport.timeout", text: "no answer came within 10 s" };
const device = (lastLookAt: number | undefined, fails?: typeof failing): Partial<LinkEvidence> => ({
  device: { lastLookAt: lastLookAt === undefined ? undefined : at(lastLookAt), failing: fails },
  now: at(200_000),
});
const rows: readonly (readonly [string, Course, Partial<LinkEvidence>, readonly string[]])[] = [
  [
    "frames not told",
    unread("frames"),
    {},
    ["HERE did not tell its frame counters: the query failed"],
  ],
  [
    "frames are old",
    oldFrames,
    {},
    ["the last word of HERE on its frame counters is older than the freshness limit"],
  ],
  [
    "one look",
    moving,
    last(moving, 1),
    ["HERE cannot be evaluated yet: it has been read only once"],
  ],
  [
    "counters reset",
    over(moving, (index) => (index < 19 ? { frames: { rxOk: 9_999_999n } } : {})),
    {},
    ["HERE cannot be evaluated yet: its counters were reset, so the evidence starts again"],
  ],
  [
    "session changed",
    cut,
    {},
    ["HERE cannot be evaluated yet: its session has just changed, so the evidence starts again"],
  ],
  [
    "clear frames in",
    over(moving, grows("rxClear")),
    {},
    ["data frames are in the clear: FAR sent 760"],
  ],
  [
    "clear frames out",
    over(moving, grows("txClear")),
    {},
    ["data frames are in the clear: HERE sent 760"],
  ],
  [
    "clear frames both ways",
    over(moving, (index) => ({ frames: { rxClear: BigInt(index), txClear: heard(index) } })),
    {},
    ["data frames are in the clear: FAR sent 19 and HERE sent 38"],
  ],
  [
    "SCI of frames",
    instead("rxNoSci"),
    {},
    ["HERE dropped 35000 frames for their SCI: FAR includes it differently"],
  ],
  [
    "frames of another SAK",
    instead("rxNotValid"),
    {},
    [
      "MKA agreed on a SAK, but no frame from FAR passes at HERE: one data plane still " +
        "uses another SAK",
    ],
  ],
  [
    "some frames not valid",
    over(moving, grows("rxNotValid")),
    {},
    ["760 frames from FAR failed the integrity check of HERE"],
  ],
  [
    "frames on an unused SA",
    over(moving, grows("rxUnusedSa")),
    {},
    ["FAR keeps sending on an SA that HERE does not use"],
  ],
  [
    "late frames",
    over(moving, grows("rxLate")),
    {},
    ["HERE dropped 760 frames from FAR outside its replay window"],
  ],
  [
    "frames too long",
    over(moving, grows("txTooLong")),
    {},
    ["HERE could not send 760 frames to FAR: with the 32 octets of MACsec they exceed its L2 MTU"],
  ],
  [
    "clear frames not counted",
    always({ frames: { rxClear: undefined } }),
    {},
    ["HERE does not count clear frames, so none can be ruled out"],
  ],
  [
    "neither kind counted",
    always({ frames: { rxClear: undefined, rxNotValid: undefined } }),
    {},
    ["HERE does not count clear frames and frames that are not valid, so none can be ruled out"],
  ],
  [
    "packet numbers",
    always({ frames: { nextPn: 2n ** 64n - 2n ** 61n } }),
    {},
    ["HERE has used 87 % of its packet numbers"],
  ],
  [
    "frozen",
    over(idle, () => ({ pps: 1000 })),
    {},
    ["traffic passes HERE, but its MACsec counters stand still"],
  ],
  [
    "probe lost",
    idle,
    { probe: { at: at(95_500), sent: 5, answered: 0 } },
    ["no probe from HERE came back from FAR, and no frame either"],
  ],
  [
    "not watched for long",
    idle,
    last(idle, 3),
    ["HERE saw no protected frames both ways in the 10 s of evidence so far"],
  ],
  [
    "one way in",
    oneWay("txProtected"),
    {},
    ["protected frames only reach HERE: none goes the other way"],
  ],
  [
    "one way out",
    oneWay("rxOk"),
    {},
    ["protected frames only leave HERE: none goes the other way"],
  ],
  ["idle", idle, {}, ["HERE is idle and no probe was answered, so nothing shows that it carries"]],
  ["no link", always({ linkUp: false }), {}, ["HERE has no link"]],
  ["no link, far end on", always({ linkUp: false }), peer({}), ["HERE has no link"]],
  [
    "no link, far end off",
    always({ linkUp: false }),
    peer({ admin: "down" }),
    ["HERE has no link: the far end is switched off"],
  ],
  [
    "no link, port shut",
    always({ linkUp: false, admin: "down" }),
    peer({ admin: "down" }),
    ["HERE has no link: the port is shut on the router"],
  ],
  ["no such port", moving, { looks: [] }, ["edge-a lists no port et-0/0/0"]],
  [
    "never read",
    moving,
    device(undefined),
    ["the state of HERE is not known: it has not been read yet"],
  ],
  [
    "never reached",
    moving,
    device(undefined, failing),
    [
      "the state of HERE is not known: it has not been read yet, and now no answer " +
        "came within 10 s",
    ],
  ],
  [
    "not read for long",
    moving,
    device(95_000),
    ["the state of HERE is not known: it was last read 105 s ago"],
  ],
  [
    "not reached for long",
    moving,
    device(95_000, failing),
    [
      "the state of HERE is not known: it was last read 105 s ago, and now no answer " +
        "came within 10 s",
    ],
  ],
];

describe("the sentences about frames and observations", () => {
  it.each(rows)(
    "the sentences about frames and observations of a link: %s",
    (_name, course, change, texts) => {
      expect(saidOf(course, change)).toEqual(texts);
    },
  );
});

const old = tunnelLook(0, 100);
const now = tunnelLook(95_000, 900);
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

const tunnels: readonly (readonly [
  string,
  readonly IpsecTunnel[],
  Partial<TunnelEvidence>,
  readonly string[],
])[] = [
  ["healthy", [old, now], {}, []],
  [
    "never read",
    [],
    { device: { lastLookAt: undefined, failing: undefined } },
    ["the state of edge-a hub-1 is not known: it has not been read yet"],
  ],
  ["absent", [], {}, ["edge-a has no tunnel hub-1 to 203.0.113.1"]],
  [
    "IKE not told",
    [old, { ...now, ike: unknown("unparsed", at(95_000)) }],
    {},
    ["edge-a did not tell IKE of hub-1: the answer was not understood"],
  ],
  [
    "IKE connecting",
    [old, { ...now, ike: known("connecting", at(95_000)) }],
    {},
    ["IKE from edge-a (198.51.100.1) to 203.0.113.1 is connecting"],
  ],
  [
    "SAs not told",
    [old, { ...now, sas: unknown("notSupported", at(95_000)) }],
    {},
    ["edge-a did not tell the SAs of hub-1: its driver cannot read it"],
  ],
  [
    "no SA in",
    [old, { ...now, sas: sas(out) }],
    {},
    ["no SA carries traffic of edge-a from 203.0.113.1"],
  ],
  [
    "no SA out",
    [old, { ...now, sas: sas({}) }],
    {},
    ["no SA carries traffic of edge-a to 203.0.113.1"],
  ],
  [
    "other algorithms",
    [old, { ...now, sas: sas(weaker, out) }],
    {},
    [
      "the SA edge-a from 203.0.113.1 uses aes128/none/ecp384, and " +
        "aes256gcm16/none/ecp384 is wanted",
    ],
  ],
  [
    "numbers run out",
    [old, { ...now, sas: sas({}, { ...out, ...used }) }],
    {},
    ["the SA edge-a to 203.0.113.1 has used 3/4 of its numbers"],
  ],
  [
    "one way out",
    [old, { ...now, sas: sas({ packets: 0n }, out) }],
    {},
    ["packets only leave edge-a by hub-1: none goes the other way"],
  ],
  [
    "one way in",
    [old, { ...now, sas: sas({}, { ...out, packets: 0n }) }],
    {},
    ["packets only reach edge-a by hub-1: none goes the other way"],
  ],
  [
    "group in the clear",
    [old, now],
    { carrier: "unprotected" },
    ["hub-1 must ride inside the MACsec of its group, which is not protected"],
  ],
  [
    "its group in the clear",
    [old, now],
    { carrier: "unprotected", tunnel: { ...tunnel, insideMacsec: "erd-demo" } },
    ["hub-1 must ride inside the MACsec of erd-demo, which is not protected"],
  ],
  [
    "routes not told",
    [old, now],
    { routing: unknown("queryFailed", at(95_000)) },
    ["edge-a did not tell its routes: the query failed"],
  ],
  [
    "routes never read",
    [old, now],
    { routing: undefined },
    ["edge-a did not tell its routes: the query failed"],
  ],
];

describe("the sentences about a tunnel", () => {
  it.each(tunnels)("the sentences about a tunnel: %s", (_name, looks, change, texts) => {
    const { reasons } = deriveTunnelHealth(tunnelEvidence(looks, change));
    expect(reasons.map(({ text }) => text)).toEqual(texts);
  });
});
