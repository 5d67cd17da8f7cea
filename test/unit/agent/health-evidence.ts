// A healthy link and tunnel as evidence; tests bend one thing at a time.

import { expect, it } from "vitest";
import { deriveLinkHealth } from "#agent/health/health.ts";
import type { DesiredLink, DesiredTunnel } from "#agent/model/desired.ts";
import type { LinkEvidence, RoundTrips, TunnelEvidence, Verdict } from "#agent/model/health.ts";
import type { PeerState } from "#hal/device.ts";
import {
  type IpsecTunnel,
  type KeyRef,
  known,
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaSession,
  type MkpduCounters,
  parseCkn,
  type Routing,
} from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";

export const at = (ms: number): Instant => ms as Instant;

function keyRef(name: string, hex: string): KeyRef {
  const ckn = parseCkn(hex.repeat(32));
  if (ckn === undefined) throw new Error("not a CKN");
  const base = "https://demo.vault.sim/secrets";
  return { ckn, cakSecretId: `${base}/${name}-cak/v1`, cknSecretId: `${base}/${name}-ckn/v1` };
}

export const key = keyRef("erd-demo-1", "c0");
export const otherKey = keyRef("erd-demo-2", "ab");

export const link: DesiredLink = {
  name: "primary",
  group: "erd-demo",
  device: "edge-a",
  port: "et-0/0/0",
  azureLink: "link1",
  speedGbps: 100,
  settings: {
    suite: "gcm-aes-xpn-256",
    includeSci: true,
    confidentialityOffset: 0,
    keyServerPriority: 16,
    replayWindow: 64,
    sakRekeyMs: 28_800_000,
  },
  key: { cak: "erd-demo-1-cak", ckn: "erd-demo-1-ckn" },
};

const health = { pollMs: 5000, staleAfterMs: 30_000, evidenceMs: 90_000 };

const settings: MacsecSettings = { ...link.settings, policy: "mustSecure" };

const session: MkaSession = {
  controlledPort: "secured",
  principalCkn: key.ckn,
  participants: [{ ckn: key.ckn, state: "live", livePeers: 1, potentialPeers: 0 }],
  livePeers: 1,
  respondedPeers: 1,
  keyServer: "peer",
  keyServerPriority: 0,
  latestSak: { an: 0, keyId: "aabb/1", receive: true, transmit: true },
  oldSak: undefined,
};

const frames: MacsecFrames = {
  txProtected: 1000n,
  txClear: 0n,
  txTooLong: 0n,
  rxOk: 1000n,
  rxClear: 0n,
  rxBadTag: 0n,
  rxNotValid: 0n,
  rxLate: 0n,
  rxNoSci: 0n,
  rxUnknownSci: 0n,
  rxNotUsingSa: 0n,
  rxUnusedSa: 0n,
  nextPn: 1000n,
};

const mkpdus: MkpduCounters = {
  sent: 100n,
  received: 100n,
  icvFailed: 0n,
  unknownCkn: 0n,
  replayed: 0n,
};

/** How one observation differs from a healthy one. */
export interface Bend {
  readonly linkUp?: boolean;
  readonly admin?: "up" | "down";
  readonly settings?: Partial<MacsecSettings> | "none";
  readonly session?: Partial<MkaSession>;
  readonly frames?: Partial<MacsecFrames>;
  readonly mkpdus?: Partial<MkpduCounters>;
  readonly port?: Partial<MacsecPort>;
  readonly pps?: number;
}

export function portObservation(ms: number, bend: Bend = {}): MacsecPort {
  const now = at(ms);
  const configured = bend.settings === "none" ? undefined : { ...settings, ...bend.settings };
  const pps = bend.pps ?? 0;
  return {
    port: link.port,
    admin: known(bend.admin ?? "up", now),
    linkUp: known(bend.linkUp ?? true, now),
    settings: known(configured, now),
    liveSuite: known("gcm-aes-xpn-256", now),
    keys: known([{ ckn: key.ckn, role: "primary" }], now),
    session: known({ ...session, ...bend.session }, now),
    mkpdus: known({ ...mkpdus, ...bend.mkpdus }, now),
    frames: known({ ...frames, ...bend.frames }, now),
    rate: known({ rxPps: pps, txPps: pps, rxBps: 0, txBps: 0, lineBps: 1e11 }, now),
    ...bend.port,
  };
}

/** What a counter reads in the observation `index` looks after the oldest one. */
export type Course = (index: number) => Bend;

/** Protected frames and MKPDUs go both ways. */
export const moving: Course = (index) => ({
  frames: { rxOk: 1000n + BigInt(index * 5000), txProtected: 1000n + BigInt(index * 5000) },
  mkpdus: { received: 100n + BigInt(index * 2), sent: 100n + BigInt(index * 2) },
});

/** Only MKPDUs move. */
export const idle: Course = (index) => ({
  mkpdus: { received: 100n + BigInt(index * 2), sent: 100n + BigInt(index * 2) },
});

function configured({ settings: bent }: Bend): Partial<MacsecSettings> {
  return bent === undefined || bent === "none" ? {} : bent;
}

/** One course laid over another, field by field. */
export function over(base: Course, change: Course): Course {
  return (index) => {
    const [a, b] = [base(index), change(index)];
    const settings = b.settings === "none" ? b.settings : { ...configured(a), ...b.settings };
    return {
      ...a,
      ...b,
      settings,
      frames: { ...a.frames, ...b.frames },
      mkpdus: { ...a.mkpdus, ...b.mkpdus },
      session: { ...a.session, ...b.session },
      port: { ...a.port, ...b.port },
    };
  };
}

/** What was sent a moment ago had an answer. */
const answeredAt = (now: Instant): RoundTrips => ({
  under: "these settings",
  at: now,
  answered: { at: now, wall: 0 as WallTime },
  silent: 0,
});

/** Twenty looks, 5 s apart, the newest at `now` - 800 ms: more than the evidence window. */
export function evidence(course: Course, change: Partial<LinkEvidence> = {}): LinkEvidence {
  const count = 20;
  const observations = Array.from({ length: count }, (_, index) =>
    portObservation(index * 5000, course(index)),
  );
  const newest = at((count - 1) * 5000);
  return {
    link,
    expected: key,
    settings: health,
    now: at(newest + 800),
    observations,
    device: { lastObservedAt: newest, failing: undefined },
    probe: undefined,
    trips: answeredAt(newest),
    peer: undefined,
    farEndAt: undefined,
    ...change,
  };
}

export const tunnel: DesiredTunnel = {
  name: "hub-1",
  device: "edge-a",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.1",
  azureConnection: undefined,
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "aes256gcm16", integrity: "none", dhGroup: "ecp384" },
  life: { seconds: 27_000, kilobytes: 102_400_000 },
  weaknesses: [],
  mtu: 1400,
  ifId: 42,
  auth: { kind: "psk", secret: "hub-1-psk", farEnd: "manual" },
  insideMacsec: undefined,
};

export function tunnelObservation(
  ms: number,
  packets: number,
  change: Partial<IpsecTunnel> = {},
): IpsecTunnel {
  const sa = { phase: "installed", transforms: tunnel.transforms, sequence: undefined } as const;
  return {
    name: tunnel.name,
    ike: known("established", at(ms)),
    sas: known(
      [
        { ...sa, spi: 1, direction: "in", packets: BigInt(packets) },
        { ...sa, spi: 2, direction: "out", packets: BigInt(packets) },
      ],
      at(ms),
    ),
    ...change,
  };
}

export const routing: Routing = {
  sessions: [],
  routes: [{ prefix: "10.100.0.0/16", via: { kind: "tunnel", name: "hub-1" }, best: true }],
  drains: [],
};

export function tunnelEvidence(
  observations: readonly IpsecTunnel[],
  change: Partial<TunnelEvidence> = {},
): TunnelEvidence {
  const newest = at(95_000);
  return {
    tunnel,
    settings: health,
    now: at(newest + 800),
    observations,
    routing: known(routing, newest),
    trips: answeredAt(newest),
    device: { lastObservedAt: newest, failing: undefined },
    ...change,
  };
}

const farEnd: PeerState = {
  pointsAt: { cakSecretId: key.cakSecretId, cknSecretId: key.cknSecretId },
  suite: "gcm-aes-xpn-256",
  sci: "on",
  admin: "up",
  provisioning: "settled",
  revision: "1",
  operation: undefined,
};
export const peer = (change: Partial<PeerState>): Partial<LinkEvidence> => ({
  peer: { state: { ...farEnd, ...change }, at: at(60_000) },
  farEndAt: at(60_000),
});

export const always = (bend: Bend): Course => over(moving, () => bend);
export const grows =
  (name: keyof NonNullable<Bend["frames"]>): Course =>
  (index) => ({
    frames: { [name]: BigInt(index * 40) },
  });
export const dead = {
  livePeers: 0,
  respondedPeers: 0,
  principalCkn: undefined,
  latestSak: undefined,
};
export const blocked: Bend = { session: { ...dead, controlledPort: "blocked" } };
export const verdictOf = (
  course: Course,
  change: Partial<LinkEvidence> = {},
): [Verdict, string] => {
  const health = deriveLinkHealth(evidence(course, change));
  return [health.verdict, health.reasons.map((reason) => reason.code).join(" ")];
};

/** Data stops for the last third of the window while something is counted instead. */
export const instead = (name: keyof NonNullable<Bend["frames"]>): Course =>
  over(moving, (index) => {
    const good = BigInt(1000 + Math.min(index, 12) * 5000);
    return { frames: { rxOk: good, [name]: BigInt(Math.max(0, index - 12) * 5000) } };
  });

export type HealthRow = readonly [string, Course, Partial<LinkEvidence>, Verdict, string];

/** Verdict and codes of nothing to complain about. */
export const fine = ["protected", ""] as const;

/** One test for each row, named by `about`, the row and its verdict. */
export function judged(about: string, rows: readonly HealthRow[]): void {
  for (const [name, course, change, verdict, codes] of rows) {
    it(`${about} ${name}: the link is ${verdict}`, () => {
      expect(verdictOf(course, change)).toEqual([verdict, codes]);
    });
  }
}

/** Looks at these moments only. */
export const observationsAt = (
  course: Course,
  ...times: readonly number[]
): Partial<LinkEvidence> => ({
  observations: times.map((ms, index) => portObservation(ms, course(index))),
});

/** The newest looks only. */
export const last = (course: Course, count: number): Partial<LinkEvidence> => ({
  observations: evidence(course).observations.slice(-count),
});

/** The sentences of a link, with HERE and FAR for its two ends. */
export const reasonsOf = (course: Course, change: Partial<LinkEvidence> = {}): readonly string[] =>
  deriveLinkHealth(evidence(course, change)).reasons.map(({ text }) =>
    text
      .replaceAll(`${link.device} ${link.port}`, "HERE")
      .replaceAll(`the far end (${link.azureLink} of ${link.group})`, "FAR"),
  );
