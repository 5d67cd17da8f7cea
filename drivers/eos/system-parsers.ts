// The state that EOS reports about itself: clock, boot, sessions, interfaces, BGP, routes.
// Undefined = nothing in the reply is understood.

import type { BgpSession, PortName, PortRate, Route } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { type SessionPlace, sessionTo } from "../platform/router-observation.ts";
import { flagIn, listIn, numberIn, parse, recordIn, recordOf, rowsIn, textIn } from "./json.ts";
import { isPort } from "./names.ts";

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
 * Returns when the router was last rebooted, a time that its own clock does not move afterwards.
 */
export function readBootId(text: string): string | undefined {
  const [newest] = listIn(parse(text), "resetCauses") ?? [];
  const at = numberIn(recordOf(newest), "timestamp");
  return at === undefined ? undefined : String(Math.floor(at));
}

/** A configuration session, open or committed. */
export interface ConfigSession {
  readonly name: string;
  readonly state: "pending" | "pendingCommitTimer" | "completed" | "other";
}

/** Returns the sessions; one whose commit waits for its confirm comes first. */
export function readSessions(text: string): readonly ConfigSession[] | undefined {
  const reported = parse(text);
  const rows = rowsIn(reported, "sessions");
  if (rows === undefined) return undefined;
  // Newer releases name it beside the list, whatever the list says about it.
  const beside = textIn(reported, "commitTimerSessionName") ?? "";
  const sessions = rows.map(([name, row]): ConfigSession => {
    const state = textIn(row, "state") ?? "";
    if (name === beside) return { name, state: "pendingCommitTimer" };
    const isKnown = state === "pending" || state === "pendingCommitTimer" || state === "completed";
    return { name, state: isKnown ? state : "other" };
  });
  const isListed = beside === "" || sessions.some(({ name }) => name === beside);
  const all: readonly ConfigSession[] = isListed
    ? sessions
    : [...sessions, { name: beside, state: "pendingCommitTimer" }];
  const rank = ({ state }: ConfigSession): number => (state === "pendingCommitTimer" ? 0 : 1);
  return all.toSorted((a, b) => rank(a) - rank(b));
}

export interface Physical {
  readonly linkUp: boolean | undefined;
  readonly rate: PortRate | undefined;
}

/** Reads Ethernet ports only. */
export function readInterfaces(text: string): ReadonlyMap<PortName, Physical> | undefined {
  const rows = rowsIn(parse(text), "interfaces");
  if (rows === undefined) return undefined;
  return new Map(
    rows.flatMap(([name, one]): [PortName, Physical][] => {
      if (!isPort(name)) return [];
      const protocol = textIn(one, "lineProtocolStatus");
      const statistics = recordIn(one, "interfaceStatistics");
      const number = (what: string): number => numberIn(statistics, what) ?? Number.NaN;
      const rate: PortRate = {
        rxPps: number("inPktsRate"),
        txPps: number("outPktsRate"),
        rxBps: number("inBitsRate"),
        txBps: number("outBitsRate"),
        lineBps: numberIn(one, "bandwidth") ?? Number.NaN,
      };
      const isWhole = Object.values(rate).every(Number.isFinite);
      const linkUp = protocol === undefined ? undefined : protocol === "up";
      return [[name, { linkUp, rate: isWhole ? rate : undefined }]];
    }),
  );
}

export interface Peer {
  readonly state: string;
  readonly idleReason: string | undefined;
}

/**
 * Returns the peers by VRF and address of the neighbour; undefined = one of them is not understood.
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
  return isActive === false ? flagIn(type, "ecmpContributor") === true : isActive;
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

export function readPing(text: string): { sent: number; answered: number } | undefined {
  const found = /(\d{1,9}) packets transmitted, (\d{1,9}) received/.exec(text);
  if (found === null) return undefined;
  const [sent, answered] = [Number(found[1]), Number(found[2])];
  return answered > sent ? undefined : { sent, answered };
}
