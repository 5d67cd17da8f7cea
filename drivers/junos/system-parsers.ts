// The state that Junos reports about itself: clock, boot, commits, interfaces, BGP, routes.
// Undefined = nothing in the reply is understood.

import type { BgpSession, PortName, PortRate, Route } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { Commit } from "../platform/define-dialect.ts";
import { type SessionPlace, sessionTo } from "../platform/router-observation.ts";
import { wholeOf } from "../platform/text.ts";
import { childOf, childrenOf, everyOf, textOf, type XmlElement } from "../transport/xml.ts";
import type { Neighbour } from "./config.ts";
import { isPort } from "./names.ts";

/** Returns the seconds from the attribute; the text is made from it. */
function secondsIn(parent: XmlElement | undefined): number | undefined {
  return wholeOf(childOf(parent, "date-time")?.attributes.get("seconds"));
}

export interface Uptime {
  readonly wall: WallTime;
  readonly bootId: string;
}

export function readUptime(reply: XmlElement): Uptime | undefined {
  const [uptime] = everyOf(reply, "system-uptime-information");
  const now = secondsIn(childOf(uptime, "current-time"));
  const booted = secondsIn(childOf(uptime, "system-booted-time"));
  if (now === undefined || booted === undefined) return undefined;
  return { wall: (now * 1000) as WallTime, bootId: String(booted) };
}

const pendingPattern = /commit confirmed, rollback in/;

/** Returns the commits, the newest first. */
export function readCommits(reply: XmlElement): readonly Commit[] | undefined {
  const [information] = everyOf(reply, "commit-information");
  if (information === undefined) return undefined;
  const entries = childrenOf(information, "commit-history").map((one) => {
    const comment = textOf(one, "comment") ?? "";
    const log = textOf(one, "log") ?? "";
    // If the commit has a log message, Junos puts its remark into the comment, otherwise here.
    const note = pendingPattern.test(log) ? comment : log || comment;
    const isMarked = pendingPattern.test(comment) || pendingPattern.test(log);
    const user = textOf(one, "user") ?? "";
    return {
      number: wholeOf(textOf(one, "sequence-number")),
      note,
      isPending: childOf(one, "commit-confirmed") !== undefined || isMarked,
      id: `${secondsIn(one) ?? textOf(one, "date-time") ?? ""} ${user} ${note}`,
    };
  });
  if (entries.some(({ number }) => number === undefined)) return undefined;
  return entries
    .toSorted((a, b) => (a.number ?? 0) - (b.number ?? 0))
    .map(({ note, isPending, id }, index) => ({ note, isPending: isPending && index === 0, id }));
}

export interface Physical {
  readonly admin: "up" | "down" | undefined;
  readonly linkUp: boolean | undefined;
  readonly rate: PortRate | undefined;
}

/** Reads Ethernet ports only. */
export function readInterfaces(reply: XmlElement): ReadonlyMap<PortName, Physical> | undefined {
  if (everyOf(reply, "interface-information").length === 0) return undefined;
  const ports = new Map<PortName, Physical>();
  for (const one of everyOf(reply, "physical-interface")) {
    const name = textOf(one, "name") ?? "";
    if (!isPort(name)) continue;
    const oper = textOf(one, "oper-status");
    ports.set(name, {
      admin: stateOf(textOf(one, "admin-status")),
      linkUp: oper === undefined ? undefined : oper === "up",
      rate: rateOf(one),
    });
  }
  return ports;
}

function stateOf(text: string | undefined): "up" | "down" | undefined {
  return text === "up" || text === "down" ? text : undefined;
}

function rateOf(one: XmlElement): PortRate | undefined {
  const traffic = childOf(one, "traffic-statistics");
  const number = (name: string): number => Number(wholeOf(textOf(traffic, name)) ?? Number.NaN);
  const rate: PortRate = {
    rxPps: number("input-pps"),
    txPps: number("output-pps"),
    rxBps: number("input-bps"),
    txBps: number("output-bps"),
    lineBps: speedOf(textOf(one, "speed") ?? ""),
  };
  return Object.values(rate).every(Number.isFinite) ? rate : undefined;
}

function speedOf(text: string): number {
  const found = /^(\d{1,6})\s*([gm])bps$/i.exec(text);
  if (found === null) return Number.NaN;
  return Number(found[1]) * (found[2]?.toLowerCase() === "g" ? 1e9 : 1e6);
}

export interface Peer {
  readonly state: string;
  readonly lastError: string;
  readonly localAs: string | undefined;
}

/**
 * The peers by `peerKey`; those that the reply does not place in an instance are by their address
 * alone. "ambiguous" = peers of one key differ.
 */
export type Peers = ReadonlyMap<string, Peer | "ambiguous">;

/** The key of a peer in a routing instance; undefined = the one without a name. */
const peerKey = (instance: string | undefined, address: string): string =>
  `${instance ?? "master"} ${address}`;

/**
 * Names that Junos gives to the routing instance without a name in the configuration; no other
 * instance may have them.
 */
const ownInstances: ReadonlySet<string> = new Set(["master", "default"]);

/**
 * Returns the peers. The reply has those of all routing instances, and one address may be in
 * several. Some releases do not name the instance of a peer: then peers of one address that differ
 * are "ambiguous". undefined = a peer is not understood.
 */
export function readPeers(reply: XmlElement): Peers | undefined {
  if (everyOf(reply, "bgp-information").length === 0) return undefined;
  const peers = new Map<string, Peer | "ambiguous">();
  for (const one of everyOf(reply, "bgp-peer")) {
    // The TCP port follows the address while a session is up.
    const address = textOf(one, "peer-address")?.replace(/\+\d+$/, "");
    const state = textOf(one, "peer-state");
    if (address === undefined || state === undefined) return undefined;
    const instance = textOf(one, "peer-cfg-rti") || textOf(one, "peer-fwd-rti");
    const lastError = textOf(one, "last-error") ?? "None";
    const peer: Peer = { state, lastError, localAs: textOf(one, "local-as") };
    const named = instance && ownInstances.has(instance) ? undefined : instance;
    const key = instance ? peerKey(named, address) : address;
    peers.set(key, isSame(peers.get(key) ?? peer, peer) ? peer : "ambiguous");
  }
  return peers;
}

function isSame(one: Peer | "ambiguous", other: Peer): boolean {
  return one !== "ambiguous" && one.state === other.state && one.localAs === other.localAs;
}

/**
 * Returns the peer of a neighbour of ours; undefined = the router has none. A neighbour that is
 * configured as inactive has none either: a peer with its address and no instance belongs to
 * another.
 */
export function peerOf(
  peers: Peers,
  { address, instance, isInactive }: Pick<Neighbour, "address" | "instance" | "isInactive">,
): Peer | "ambiguous" | undefined {
  const named = peers.get(peerKey(instance, address));
  if (named !== undefined) return named;
  const unnamed = peers.get(address);
  return isInactive && unnamed !== undefined ? "ambiguous" : unnamed;
}

export const bgpSession = (place: SessionPlace, found: Peer | undefined): BgpSession =>
  sessionTo(
    place,
    found?.state,
    "the last session ended with",
    found?.lastError === "None" ? undefined : found?.lastError,
  );

/** Returns the tables of a routing instance; they begin with its name. */
function tablesOf(instance: string | undefined): readonly string[] {
  return ["inet.0", "inet6.0"].map((table) =>
    instance === undefined ? table : `${instance}.${table}`,
  );
}

/**
 * Returns the routes that came from one neighbour in its routing instance; `best` = in use.
 * undefined = one of them, or its table, is not understood.
 */
export function readRoutes(
  reply: XmlElement,
  port: PortName,
  instance: string | undefined,
): readonly Route[] | undefined {
  if (everyOf(reply, "route-information").length === 0) return undefined;
  const tables = everyOf(reply, "route-table");
  const rows = tables.flatMap((table) => childrenOf(table, "rt"));
  if (rows.length !== everyOf(reply, "rt").length) return undefined;
  const own = tablesOf(instance);
  const routes: Route[] = [];
  for (const table of tables) {
    const name = textOf(table, "table-name");
    if (name === undefined) return undefined;
    if (!own.includes(name)) continue;
    for (const one of childrenOf(table, "rt")) {
      const prefix = prefixOf(one);
      const active = childrenOf(one, "rt-entry").map(isActive);
      if (prefix === undefined || active.length === 0 || active.includes(undefined)) {
        return undefined;
      }
      routes.push({ prefix, via: { kind: "port", port }, best: active.includes(true) });
    }
  }
  return routes;
}

/** Returns undefined if it is not a prefix. */
export function prefixOf(one: XmlElement): string | undefined {
  const prefix = textOf(one, "rt-destination") ?? "";
  return /^[0-9a-f.:]+\/\d{1,3}$/i.test(prefix) ? prefix : undefined;
}

/**
 * Returns whether a route is in use, by Junos' legend: `*` both, `+` active, `@` for routing only,
 * `#` for forwarding only, `-` last active. undefined = another sign.
 */
export function isActive(entry: XmlElement): boolean | undefined {
  const tag = (textOf(entry, "active-tag") ?? "").trim();
  if (tag === "" || tag === "-") return false;
  return /^[*+@#]$/.test(tag) ? true : undefined;
}

/** A route of these kinds sends nothing, or looks on in a table that the reply has as well. */
const wayless = /^(?:discard|reject|receive|table|multicast)/i;

/**
 * Returns the interfaces of all next hops of the routes in use, in every table; none = there is no
 * route. undefined = the way of one of them is not known.
 */
export function readRouteTo(reply: XmlElement): readonly string[] | undefined {
  if (everyOf(reply, "route-information").length === 0) return undefined;
  const names: string[] = [];
  for (const entry of everyOf(reply, "rt-entry")) {
    const isUsed = isActive(entry);
    if (isUsed === undefined) return undefined;
    if (!isUsed) continue;
    const hops = childrenOf(entry, "nh").map(
      (hop) => textOf(hop, "via") || textOf(hop, "nh-local-interface") || undefined,
    );
    const known = hops.filter((name) => name !== undefined);
    const isWayless = wayless.test(textOf(entry, "nh-type") ?? "");
    if (known.length < hops.length || (known.length === 0 && !isWayless)) return undefined;
    names.push(...known);
  }
  return names;
}

export function readPing(reply: XmlElement): { sent: number; answered: number } | undefined {
  const [summary] = everyOf(reply, "probe-results-summary");
  const sent = wholeOf(textOf(summary, "probes-sent"));
  const answered = wholeOf(textOf(summary, "responses-received"));
  if (sent === undefined || answered === undefined || answered > sent) return undefined;
  return { sent, answered };
}

export interface Software {
  readonly model: string;
  readonly version: string;
}

export function readSoftware(reply: XmlElement): Software | undefined {
  const [software] = everyOf(reply, "software-information");
  if (software === undefined) return undefined;
  const model = textOf(software, "product-model") ?? "";
  return { model: model.toLowerCase(), version: textOf(software, "junos-version") ?? "" };
}
