// One observation of a link from both ends, and the questions that most rules ask of it.

import type { Capabilities, PeerState } from "#hal/device.ts";
import {
  type DeviceState,
  type IpsecTunnel,
  type KeyRef,
  type MacsecPort,
  type PortName,
  type Reading,
  strongValue,
} from "#hal/model.ts";
import type { Clock, Instant } from "#hal/world.ts";
import type { DesiredLink, HealthSettings } from "./desired.ts";
import type { RightsReport } from "./rights-report.ts";

/** One consistent observation of a link: its port on the router, its far end, and when. */
export interface LinkSnapshot {
  /** The link as the config wants it. */
  readonly link: DesiredLink;
  /** undefined = not readable, or older than `staleAfter`. */
  readonly state: DeviceState | undefined;
  /** The far end as it was last read; undefined = never read. */
  readonly peer: PeerState | undefined;
  /** The last probe out of its port; undefined = none was sent. */
  readonly probe: Probed | undefined;
  /** The rights that a change of its far end needs; absent = none is needed, or none was read. */
  readonly rights?: RightsReport;
}

/** The last probe: from when until when, and how many packets came back. */
interface Probed {
  readonly begunAt: Instant;
  readonly at: Instant;
  readonly sent: number;
  readonly answered: number;
}

/** Why a device or a far end could not be read, and since when. */
export interface Failure {
  /** Code of the error, as in docs/codes.md. */
  readonly code: string;
  /** The error's sentence. */
  readonly text: string;
  /** The next safe command. */
  readonly next: string;
  /** The time of the first failure in a row. */
  readonly since: Instant;
}

/** The last observations of devices and far ends, as rules read them. */
export interface Observations {
  /** Returns the last observation of a link, without waiting for a new one. */
  snapshot(link: DesiredLink): LinkSnapshot;
  /**
   * Returns the newest reading of the link's router that lacks nothing of the link; undefined = it
   * is older than `staleAfter`, or there is none.
   */
  lastWhole(link: DesiredLink): DeviceState | undefined;
  /** undefined = the device was read when it was last tried. */
  failure(device: string): Failure | undefined;
  /** undefined = the far end was read when it was last tried. */
  peerFailure(link: DesiredLink): Failure | undefined;
  /** undefined = the device was never reached. */
  capabilities(device: string): Capabilities | undefined;
}

/** Returns one port of a device; undefined = the device is not readable, or does not list it. */
export function portOf(state: DeviceState | undefined, port: PortName): MacsecPort | undefined {
  return state?.macsec.find((entry) => entry.port === port);
}

/** Returns true if everything that shows whether the port carries traffic was read. */
export function isWhole(state: DeviceState, port: PortName): boolean {
  const found = portOf(state, port);
  if (found === undefined) return false;
  const own = [found.linkUp, found.settings, found.keys, found.session];
  return [...own, state.control, state.routing].every(isStrong);
}

/** Returns true if the value is known and not weak. */
export function isStrong(reading: Reading<unknown>): boolean {
  return reading.kind === "known" && reading.weak !== true;
}

/** Returns true if the port has BGP sessions and all are up; false also if they are not known. */
export function bgpUp(state: DeviceState, port: PortName): boolean {
  const sessions = strongValue(state.routing)?.sessions.filter((session) => session.port === port);
  return sessions !== undefined && sessions.length > 0 && sessions.every((session) => session.up);
}

/**
 * Returns the state of all BGP sessions over a port; undefined = there is none, nothing is known of
 * them, or they were shut to move the traffic away, and so show nothing of the link.
 */
export function bgpOf(state: DeviceState | undefined, port: PortName): "up" | "down" | undefined {
  const routing = state === undefined ? undefined : strongValue(state.routing);
  const sessions = routing?.sessions.filter((session) => session.port === port) ?? [];
  if (sessions.some((session) => session.up)) return "up";
  const isShut = routing?.drains.some(
    (drain) => drain.port === port && drain.means === "peeringShutdown",
  );
  return sessions.length === 0 || isShut === true ? undefined : "down";
}

/** Returns whether the port is drained; `off` also if the routing is not known. */
export function drainOf(state: DeviceState, port: PortName): "on" | "off" {
  const drains = strongValue(state.routing)?.drains ?? [];
  return drains.some((entry) => entry.port === port) ? "on" : "off";
}

/** Returns true if IKE has agreed on keys for the tunnel's SAs. */
export function isKeyed({ ike }: Pick<IpsecTunnel, "ike">): boolean {
  return strongValue(ike) === "established";
}

/**
 * Returns true if the controlled port is open under MACsec, this key is in charge, and every live
 * peer responds.
 */
export function securedBy(port: MacsecPort, key: KeyRef): boolean {
  const session = strongValue(port.session);
  return (
    session?.controlledPort === "secured" &&
    session.principalCkn === key.ckn &&
    session.livePeers > 0 &&
    session.respondedPeers === session.livePeers
  );
}

/** Returns true if an observation after `since` found the port open, with light on it. */
export function observedLit({ state, link }: LinkSnapshot, since: Instant | undefined): boolean {
  if (state === undefined || (since !== undefined && state.at <= since)) return false;
  const port = portOf(state, link.port);
  return port !== undefined && strongValue(port.linkUp) === true;
}

/** Returns true if the port has no MACsec configured. */
export function isBare({ settings }: MacsecPort): boolean {
  return settings.kind === "known" && settings.value === undefined;
}

/** Returns true if the router shows that no frame passes; what it does not show is not dark. */
export function isDark({ state, link }: LinkSnapshot): boolean {
  const port = portOf(state, link.port);
  if (port === undefined) return false;
  if (strongValue(port.linkUp) === false) return true;
  if (strongValue(port.session)?.controlledPort === "blocked") return true;
  return isBare(port) && bgpOf(state, link.port) === "down";
}

/** Returns the state, or undefined if it is too old to count. */
export function fresh(
  state: DeviceState | undefined,
  health: HealthSettings,
  now: Instant,
): DeviceState | undefined {
  return state !== undefined && now - state.at <= health.staleAfterMs ? state : undefined;
}

/** Differences between a device's clock and this host's; above `error` no campaign goes on. */
export const clockSkewMs = { warning: 60_000, error: 300_000 } as const;

/**
 * Returns the device's clock less ours when it answered; undefined = it does not report its time.
 */
export function clockOffsetMs(
  { control }: Pick<DeviceState, "control">,
  clock: Pick<Clock, "now" | "wall">,
): number | undefined {
  const reported = strongValue(control);
  if (reported === undefined) return undefined;
  return reported.wall - (clock.wall() - (clock.now() - control.at));
}
