// The state that EOS reports about itself: clock, boot, sessions, interfaces, BGP, routes.
// Undefined = nothing in the reply is understood.

import type { BgpSession, PortName, PortRate, Route } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import {
  flagIn,
  type JsonRecord,
  listIn,
  numberIn,
  parse,
  recordIn,
  recordOf,
  rowsIn,
  textIn,
} from "../platform/json.ts";
import { isBgpState, type SessionPlace, sessionTo } from "../platform/router-observation.ts";
import { isPort, sessionPrefix } from "./names.ts";

export interface Software {
  readonly model: string;
  readonly version: string;
}

export function readSoftware(text: string): Software | undefined {
  const reported = parse(text);
  const version = textIn(reported, "version");
  if (version === undefined) return undefined;
  return { model: textIn(reported, "modelName") ?? "", version };
}

export function readClock(text: string): WallTime | undefined {
  const seconds = numberIn(parse(text), "utcTime");
  return seconds === undefined ? undefined : (Math.round(seconds * 1000) as WallTime);
}

/**
 * Returns the time of the newest reset, which the router's own clock does not move afterwards;
 * "none" = the router reports no reset, or none with a time.
 */
export function readResetTime(text: string): string | undefined {
  const causes = listIn(parse(text), "resetCauses");
  if (causes === undefined) return undefined;
  const at = numberIn(recordOf(causes[0]), "timestamp");
  return at === undefined ? "none" : String(Math.floor(at));
}

/** Returns the time at which the running software was booted. */
export function readBootTime(text: string): string | undefined {
  const at = numberIn(parse(text), "bootupTimestamp");
  return at === undefined || at === 0 ? undefined : `boot ${Math.floor(at)}`;
}

/** A configuration session that is open, waits for the confirm of its commit, or is in force. */
export interface ConfigSession {
  readonly name: string;
  readonly state: "pending" | "pendingCommitTimer" | "completed";
}

/**
 * The states as releases print them; `committed` is also that of a session whose timer runs, which
 * is named beside the list. An aborted session has changed nothing.
 */
const states: Readonly<Record<string, ConfigSession["state"] | "nothing">> = {
  ...{ pending: "pending", pendingCommitTimer: "pendingCommitTimer" },
  ...{ completed: "completed", committed: "completed", aborted: "nothing" },
};

/**
 * Returns the sessions; one whose commit waits for its confirm comes first. undefined = a session
 * of ours is in a state that is not known, or a timer runs and its session is not reported.
 */
export function readSessions(text: string): readonly ConfigSession[] | undefined {
  const reported = parse(text);
  const rows = rowsIn(reported, "sessions");
  // Newer releases name it beside the list, whatever the list says about it; "" = no timer runs.
  const beside = textIn(reported, "commitTimerSessionName");
  const hasTimer = numberIn(reported, "commitTimerExpireTime") !== undefined;
  if (rows === undefined || (hasTimer && beside === undefined)) return undefined;
  const sessions: ConfigSession[] = [];
  for (const [name, row] of rows) {
    if (name === beside) continue;
    const state = stateOf(row);
    if (state === undefined && name.startsWith(sessionPrefix)) return undefined;
    if (state !== undefined && state !== "nothing") sessions.push({ name, state });
  }
  if (beside) sessions.push({ name: beside, state: "pendingCommitTimer" });
  const rank = ({ state }: ConfigSession): number => (state === "pendingCommitTimer" ? 0 : 1);
  return sessions.toSorted((a, b) => rank(a) - rank(b));
}

/** A session whose timer runs has the time of the revert in its row, whatever its state is. */
function stateOf(row: JsonRecord): ConfigSession["state"] | "nothing" | undefined {
  const word = textIn(row, "state") ?? "";
  const hasTimer = word !== "completed" && numberIn(row, "commitBy") !== undefined;
  return hasTimer ? "pendingCommitTimer" : Object.hasOwn(states, word) ? states[word] : undefined;
}

export interface Physical {
  readonly linkUp: boolean | undefined;
  readonly rate: PortRate | undefined;
}

/** Reads Ethernet ports only; undefined = the reply has no interface, and every router has one. */
export function readInterfaces(text: string): ReadonlyMap<PortName, Physical> | undefined {
  const rows = rowsIn(parse(text), "interfaces");
  if (rows === undefined || rows.length === 0) return undefined;
  return new Map(
    rows.flatMap(([name, one]): [PortName, Physical][] => {
      if (!isPort(name)) return [];
      const protocol = textIn(one, "lineProtocolStatus");
      return [[name, { linkUp: linkOf(protocol), rate: rateOf(one) }]];
    }),
  );
}

/** Reads RFC 2863's ifOperStatus as EOS spells it; a port under test is neither up nor down. */
function linkOf(status: string | undefined): boolean | undefined {
  if (status === "up") return true;
  const isDown = status === "down" || status === "lowerLayerDown" || status === "notPresent";
  return isDown ? false : undefined;
}

function rateOf(one: JsonRecord): PortRate | undefined {
  const statistics = recordIn(one, "interfaceStatistics");
  const number = (what: string): number => numberIn(statistics, what) ?? Number.NaN;
  const rate: PortRate = {
    rxPps: number("inPktsRate"),
    txPps: number("outPktsRate"),
    rxBps: number("inBitsRate"),
    txBps: number("outBitsRate"),
    // A virtual router reports 0, which is the rate of no line.
    lineBps: numberIn(one, "bandwidth") || Number.NaN,
  };
  return Object.values(rate).every(Number.isFinite) ? rate : undefined;
}

export interface Peer {
  readonly state: string;
  readonly idleReason: string | undefined;
}

/**
 * Returns the peers by VRF and address of the neighbour, without those in a state of another name;
 * undefined = one of them is not understood.
 */
export function readPeers(text: string): ReadonlyMap<string, Peer> | undefined {
  const vrfs = rowsIn(parse(text), "vrfs");
  if (vrfs === undefined) return undefined;
  const peers = new Map<string, Peer>();
  for (const [vrf, one] of vrfs) {
    const rows = rowsIn(one, "peers");
    if (rows === undefined) return undefined;
    for (const [address, peer] of rows) {
      const state = textIn(peer, "peerState");
      if (state === undefined) return undefined;
      if (!isBgpState(state)) continue;
      const idleReason = textIn(peer, "peerStateIdleReason");
      peers.set(peerKey(vrf, address), { state, idleReason });
    }
  }
  return peers;
}

export const peerKey = (vrf: string, address: string): string => `${vrf} ${address}`;

export const bgpSession = (place: SessionPlace, found: Peer | undefined): BgpSession =>
  sessionTo(place, found?.state, "the session is idle", found?.idleReason || undefined);

/**
 * Returns the routes that came from one neighbour; `best` = in use, also beside others of equal
 * cost. undefined = one of them is not understood.
 */
export function readRoutes(
  text: string,
  vrf: string,
  port: PortName,
): readonly Route[] | undefined {
  const found = recordIn(recordIn(parse(text), "vrfs"), vrf);
  const entries = rowsIn(found, "bgpRouteEntries");
  if (entries === undefined) return undefined;
  const routes: Route[] = [];
  for (const [prefix, entry] of entries) {
    const paths = listIn(entry, "bgpRoutePaths") ?? [];
    const used = paths.map(isInUse);
    if (!isPrefix(prefix) || used.length === 0 || used.includes(undefined)) return undefined;
    routes.push({ prefix, via: { kind: "port", port }, best: used.includes(true) });
  }
  return routes;
}

export const isPrefix = (text: string): boolean => /^[0-9a-f.:]+\/\d{1,3}$/i.test(text);

/** Returns undefined if the reply does not say. */
function isInUse(path: unknown): boolean | undefined {
  const type = recordIn(recordOf(path), "routeType");
  const isActive = flagIn(type, "active");
  if (isActive !== false) return isActive;
  const contributes = flagIn(type, "ecmpContributor");
  return contributes === undefined && flagIn(type, "ecmp") === true
    ? undefined
    : contributes === true;
}

/**
 * Returns the interfaces of all next hops in every VRF; none = there is no route. undefined = the
 * way of one of them is not known.
 */
export function readRouteTo(text: string): readonly string[] | undefined {
  const vrfs = rowsIn(parse(text), "vrfs");
  if (vrfs === undefined) return undefined;
  const names: string[] = [];
  for (const [, vrf] of vrfs) {
    const routes = rowsIn(vrf, "routes");
    if (routes === undefined) return undefined;
    for (const [, route] of routes) {
      const hops = listIn(route, "vias")?.map((via) => textIn(recordOf(via), "interface")) ?? [];
      const known = hops.flatMap((name) => (name === undefined || name === "" ? [] : [name]));
      if (known.length === 0 || known.length < hops.length) return undefined;
      names.push(...known);
    }
  }
  return names;
}
