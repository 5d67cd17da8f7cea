// Observations of one healthy link, with one thing changed at a time.

import { parseConfig } from "#agent/config/index.ts";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import type { LinkSnapshot } from "#agent/model/link-snapshot.ts";
import type { Binding } from "#agent/store/journal/memory.ts";
import type { PeerState } from "#hal/device.ts";
import {
  type ControlPlane,
  type DeviceState,
  type KeyRef,
  known,
  type MacsecFrames,
  type MacsecPort,
  type MacsecSettings,
  type MkaSession,
  type Routing,
} from "#hal/model.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import { keyOne } from "./campaign-kit.ts";
import { siteConfig } from "./site-config.ts";

export const at = (ms: number): Instant => ms as Instant;
export const wall = Date.UTC(2026, 10, 24, 10) as WallTime;

export function desiredOf(edit: (text: string) => string = (text) => text): Desired {
  const parsed = parseConfig(edit(siteConfig), "site.yaml", wall);
  if (parsed.kind === "ok") return parsed.desired;
  throw new Error(JSON.stringify(parsed.complaints));
}

export const desired = desiredOf();

export function linkNamed(name: string, from: Desired = desired): DesiredLink {
  const link = from.groups.flatMap((group) => group.links).find((each) => each.name === name);
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}

export const link = linkNamed("primary");

export const settings: MacsecSettings = { ...link.settings, policy: "mustSecure" };

export const session: MkaSession = {
  controlledPort: "secured",
  principalCkn: keyOne.ckn,
  participants: [],
  livePeers: 1,
  respondedPeers: 1,
  keyServer: "peer",
  keyServerPriority: 8,
  latestSak: { an: 0, keyId: `${"ab".repeat(12)}/1`, receive: true, transmit: true },
  oldSak: undefined,
};

export const frames: MacsecFrames = {
  txProtected: 1_000n,
  txClear: 0n,
  txTooLong: 0n,
  rxOk: 1_000n,
  rxClear: 0n,
  rxBadTag: 0n,
  rxNotValid: 0n,
  rxLate: 0n,
  rxNoSci: 0n,
  rxUnknownSci: 0n,
  rxNotUsingSa: 0n,
  rxUnusedSa: 0n,
  nextPn: undefined,
};

const rate = { rxPps: 1_000, txPps: 1_000, rxBps: 4e6, txBps: 4e6, lineBps: 1e11 };
const mkpdus = { sent: 1n, received: 1n, icvFailed: 0n, unknownCkn: 0n, replayed: 0n };

export function securedPort(over: Partial<MacsecPort> = {}, now = at(0)): MacsecPort {
  return {
    port: link.port,
    admin: known("up", now),
    linkUp: known(true, now),
    settings: known(settings, now),
    liveSuite: known(settings.suite, now),
    keys: known([{ ckn: keyOne.ckn, role: "primary" }], now),
    session: known(session, now),
    mkpdus: known(mkpdus, now),
    frames: known(frames, now),
    rate: known(rate, now),
    ...over,
  };
}

export function clearPort(over: Partial<MacsecPort> = {}, now = at(0)): MacsecPort {
  const open: MkaSession = {
    ...session,
    controlledPort: "unprotected",
    principalCkn: undefined,
    livePeers: 0,
    respondedPeers: 0,
    latestSak: undefined,
  };
  return securedPort(
    {
      settings: known(undefined, now),
      liveSuite: known(undefined, now),
      keys: known([], now),
      session: known(open, now),
      ...over,
    },
    now,
  );
}

export const routing: Routing = {
  sessions: [{ port: link.port, peer: "169.254.0.1", up: true }],
  routes: [{ prefix: "10.0.0.0/8", via: { kind: "port", port: link.port }, best: true }],
  drains: [],
};

export const drainedRouting: Routing = {
  ...routing,
  routes: [],
  drains: [{ port: link.port, means: "prepend" }],
};

const control: ControlPlane = { wall, bootId: "1", configId: "1", commitPending: false };

export function stateOf(
  port: MacsecPort,
  over: Partial<DeviceState> = {},
  controlOver: Partial<ControlPlane> = {},
): DeviceState {
  const now = at(0);
  return {
    device: link.device,
    at: now,
    control: known({ ...control, ...controlOver }, now),
    macsec: [port],
    ipsec: [],
    routing: known(routing, now),
    ...over,
  };
}

export const peerOff: PeerState = {
  pointsAt: undefined,
  suite: undefined,
  sci: "off",
  admin: "up",
  provisioning: "settled",
  revision: "1",
  operation: undefined,
};

export function peerOn(key: KeyRef = keyOne, over: Partial<PeerState> = {}): PeerState {
  const { cakSecretId, cknSecretId } = key;
  const pointsAt = { cakSecretId, cknSecretId };
  return { ...peerOff, pointsAt, suite: settings.suite, sci: "on", ...over };
}

export function snapshotOf(
  state: DeviceState | undefined,
  over: Partial<LinkSnapshot> = {},
): LinkSnapshot {
  return { link, state, peer: peerOff, probe: undefined, ...over };
}

export function bindingOf(over: Partial<Binding> = {}): Binding {
  return {
    key: keyOne,
    since: wall,
    created: wall,
    generation: undefined,
    settings: link.settings,
    intent: 1,
    how: "enrolled",
    ...over,
  };
}

/** A port on which nothing is under way, for `portFacts`. */
export const quietHistory = {
  ...({ moved: undefined, pending: "none", overlap: undefined } as const),
  outageSince: undefined,
  settleMs: 18_000,
  now: at(0),
} as const;
