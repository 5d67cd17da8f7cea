// The state that Junos reports about itself: clock, boot, commits, interfaces, BGP, routes.
// Undefined = nothing in the reply is understood.

import type { BgpSession, PortName, PortRate, Route } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { Commit } from "../platform/define-dialect.ts";
import { type Detection, holdMsOf, withDetection } from "../platform/detection.ts";
import {
  type AskedProbe,
  isBgpState,
  type SessionPlace,
  sessionTo,
} from "../platform/router-observation.ts";
import { wholeOf } from "../platform/text.ts";
import { childOf, childrenOf, everyOf, textOf, type XmlElement } from "../transport/xml.ts";
import type { Neighbour } from "./config.ts";
import { isPort } from "./names.ts";

/** Returns the only element of that name; two are of two nodes of a cluster, and may differ. */
function onlyOf(reply: XmlElement, name: string): XmlElement | undefined {
  const [found, ...more] = everyOf(reply, name);
  return more.length === 0 ? found : undefined;
}

/** Returns the seconds from the attribute; the text is made from it. */
function secondsIn(parent: XmlElement | undefined): number | undefined {
  const [only, ...more] = childrenOf(parent, "date-time");
  return more.length === 0 ? wholeOf(only?.attributes.get("seconds")) : undefined;
}

export interface Uptime {
  readonly wall: WallTime;
  readonly bootId: string;
}

/** Two nodes of a cluster reply one after the other, in seconds. */
const nodeSkewMax = 5;

/**
 * Reads the clock, and the boots of all nodes of a cluster as one id. undefined = not understood,
 * or the clocks of two nodes differ.
 */
export function readUptime(reply: XmlElement): Uptime | undefined {
  const nodes = everyOf(reply, "system-uptime-information").map((uptime) => ({
    now: secondsIn(childOf(uptime, "current-time")),
    booted: secondsIn(childOf(uptime, "system-booted-time")),
  }));
  // The nodes of a cluster have names, and each of them answers once.
  const names = new Set(everyOf(reply, "re-name").map(({ text }) => text));
  if (nodes.length > 1 && names.size !== nodes.length) return undefined;
  const boots: number[] = [];
  const first = nodes[0]?.now;
  for (const { now, booted } of nodes) {
    if (first === undefined || now === undefined || booted === undefined) return undefined;
    if (Math.abs(now - first) > nodeSkewMax) return undefined;
    boots.push(booted);
  }
  if (first === undefined) return undefined;
  return { wall: (first * 1000) as WallTime, bootId: boots.toSorted((a, b) => a - b).join(" ") };
}

/**
 * Whether a second routing engine of the same chassis gets the commits: `alone` = there is none,
 * `notReady` = one is listed that cannot take them.
 */
export type Engines = "alone" | "ready" | "notReady";

/** Returns undefined for a reply without a routing engine, or with two of one slot. */
export function readEngines(reply: XmlElement): Engines | undefined {
  // Each node of a cluster has a list of its own; the nodes give each other the configuration.
  const chassis = everyOf(reply, "route-engine-information").map((one) =>
    childrenOf(one, "route-engine"),
  );
  if (chassis.length === 0 || chassis.some((engines) => engines.length === 0)) return undefined;
  const states = chassis.map((engines) => {
    if (engines.length === 1) return "alone";
    const slots = new Set(engines.map((one) => textOf(one, "slot")));
    if (slots.size < engines.length || slots.has(undefined)) return undefined;
    const others = engines.filter((one) => textOf(one, "mastership-state") !== "master");
    const isReady = others.length === engines.length - 1 && others.every(isBackup);
    return isReady ? "ready" : "notReady";
  });
  if (states.includes(undefined)) return undefined;
  return states.includes("notReady") ? "notReady" : states.includes("ready") ? "ready" : "alone";
}

const isBackup = (engine: XmlElement): boolean =>
  textOf(engine, "mastership-state") === "backup" && textOf(engine, "status") === "OK";

const trialPattern = /commit confirmed, rollback in(?: (\d{1,5}) ?min)?/;
const minuteMs = 60_000;

/** A commit of the history. */
export interface ReportedCommit extends Omit<Commit, "isPending"> {
  /**
   * When a trial that nothing confirms has ended; "waits" = the router says that it still waits;
   * undefined = it is no trial.
   */
  readonly trial: "waits" | WallTime | undefined;
}

/**
 * Returns the commits, the newest first. undefined = the history has a gap, or lacks its newest
 * commit, which is number 0: that one may wait for its confirm.
 */
export function readCommits(reply: XmlElement): readonly ReportedCommit[] | undefined {
  const information = onlyOf(reply, "commit-information");
  if (information === undefined) return undefined;
  const entries = childrenOf(information, "commit-history").map((one) => {
    const comment = textOf(one, "comment") ?? "";
    const log = textOf(one, "log") ?? "";
    // If the commit has a log message, Junos puts its remark into the comment, otherwise here.
    const note = trialPattern.test(log) ? comment : log || comment;
    const user = textOf(one, "user") ?? "";
    const id = `${secondsIn(one) ?? textOf(one, "date-time") ?? ""} ${user} ${note}`;
    return { number: wholeOf(textOf(one, "sequence-number")), note, id, trial: trialOf(one) };
  });
  const sorted = entries.toSorted((a, b) => (a.number ?? 0) - (b.number ?? 0));
  const isWhole = sorted.length > 0 && sorted.every(({ number }, index) => number === index);
  return isWhole ? sorted.map(({ note, id, trial }) => ({ note, id, trial })) : undefined;
}

/**
 * Reads whether a commit is a trial. The remark stays in the history for ever; beside it there is
 * an element of its own while the router waits. Whether all releases print that is not known.
 */
function trialOf(one: XmlElement): ReportedCommit["trial"] {
  if (childOf(one, "commit-confirmed") !== undefined) return "waits";
  const texts = [textOf(one, "comment") ?? "", textOf(one, "log") ?? ""];
  const remark = texts.find((text) => trialPattern.test(text));
  if (remark === undefined) return undefined;
  const minutes = wholeOf(trialPattern.exec(remark)?.[1]);
  const at = secondsIn(one);
  if (minutes === undefined || at === undefined) return "waits";
  return (at * 1000 + (minutes + 1) * minuteMs) as WallTime;
}

/**
 * Returns the commits as they are at a time of the router's clock: only the newest one can wait for
 * its confirm.
 */
export function commitsAt(reported: readonly ReportedCommit[], wall: WallTime): readonly Commit[] {
  return reported.map(({ note, id, trial }, index) => {
    const waits = trial === "waits" || (trial !== undefined && wall < trial);
    return { note, id, isPending: index === 0 && waits };
  });
}

export interface Physical {
  readonly admin: "up" | "down" | undefined;
  readonly linkUp: boolean | undefined;
  readonly rate: PortRate | undefined;
}

/**
 * Reads Ethernet ports only. undefined = the reply has no interface, or one interface twice: every
 * router has one, and each of them once.
 */
export function readInterfaces(reply: XmlElement): ReadonlyMap<PortName, Physical> | undefined {
  const all = everyOf(reply, "interface-information").flatMap((one) =>
    childrenOf(one, "physical-interface"),
  );
  const names = new Set(all.map((one) => textOf(one, "name")));
  if (names.size === 0 || names.size < all.length || names.has(undefined)) return undefined;
  const ports = new Map<PortName, Physical>();
  for (const one of all) {
    const name = textOf(one, "name") ?? "";
    if (!isPort(name)) continue;
    const oper = stateOf(textOf(one, "oper-status"));
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

/** Reads `1000mbps` or `100Gbps`; a port may print `Auto` or `Unspecified` instead. */
function speedOf(text: string): number {
  const found = /^(\d{1,6})\s*([gm])bps$/i.exec(text);
  if (found === null) return Number.NaN;
  return Number(found[1]) * (found[2]?.toLowerCase() === "g" ? 1e9 : 1e6);
}

export interface Peer extends Detection {
  readonly state: string;
  readonly lastError: string;
  readonly localAs: string | undefined;
}

/**
 * The peers by `peerKey`; those that the reply does not place in an instance are by their address
 * alone. "ambiguous" = peers of one key differ, or its state has another name than BGP's.
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
    const localAs = textOf(one, "local-as");
    const peer: Peer = { state, lastError, localAs, ...detectionIn(one) };
    const named = instance && ownInstances.has(instance) ? undefined : instance;
    const key = instance ? peerKey(named, address) : address;
    const before = peers.get(key) ?? peer;
    const isKnown = isBgpState(state) && isSame(before, peer);
    peers.set(key, isKnown ? { ...peer, ...commonOf(before, peer) } : "ambiguous");
  }
  return peers;
}

/** Reads `bgp-bfd`, whose operational state is `down` also without a configuration. */
function detectionIn(peer: XmlElement): Detection {
  const reported = childOf(peer, "bgp-bfd");
  const configured = textOf(reported, "bfd-configuration-state");
  const operational = textOf(reported, "bfd-operational-state");
  const holdMs = holdMsOf(textOf(peer, "active-holdtime"));
  if (configured === "disabled") return { bfd: "off", holdMs };
  const isKnown = configured === "enabled" && (operational === "up" || operational === "down");
  return { bfd: isKnown ? operational : undefined, holdMs };
}

/** Two peers of one address may be in two instances: what differs is not known of either. */
function commonOf(one: Peer | "ambiguous", other: Peer): Detection {
  const isCommon = one !== "ambiguous" && one.bfd === other.bfd && one.holdMs === other.holdMs;
  const { bfd, holdMs } = isCommon ? other : { bfd: undefined, holdMs: undefined };
  return { bfd, holdMs };
}

function isSame(one: Peer | "ambiguous", other: Peer): boolean {
  return one !== "ambiguous" && one.state === other.state && one.localAs === other.localAs;
}

/**
 * Returns the peer of a neighbour of ours; undefined = the neighbour is inactive, and the router
 * has none. A peer with its address and no instance belongs to another instance then. "ambiguous"
 * also for an active neighbour without a peer: the router lists each of them.
 */
export function peerOf(
  peers: Peers,
  { address, instance, isInactive }: Pick<Neighbour, "address" | "instance" | "isInactive">,
): Peer | "ambiguous" | undefined {
  const named = peers.get(peerKey(instance, address));
  if (named !== undefined) return named;
  const unnamed = peers.get(address);
  if (!isInactive) return unnamed ?? "ambiguous";
  return unnamed && "ambiguous";
}

export const bgpSession = (place: SessionPlace, found: Peer | undefined): BgpSession => {
  const remark = found?.lastError === "None" ? undefined : found?.lastError;
  return withDetection(
    sessionTo(place, found?.state, "the last session ended with", remark),
    found,
  );
};

/** Returns the tables of a routing instance; they begin with its name. */
function tablesOf(instance: string | undefined): readonly string[] {
  return ["inet.0", "inet6.0"].map((table) =>
    instance === undefined ? table : `${instance}.${table}`,
  );
}

const isTable = (text: string): boolean => /^[\w.:/-]{1,200}\.\d{1,3}$/.test(text);

/**
 * Returns the routes that came from one neighbour in its routing instance; `best` = in use.
 * undefined = one of them, or its table, is not understood.
 */
export function readRoutes(
  reply: XmlElement,
  port: PortName,
  instance: string | undefined,
): readonly Route[] | undefined {
  if (onlyOf(reply, "route-information") === undefined) return undefined;
  const tables = everyOf(reply, "route-table");
  const rows = tables.flatMap((table) => childrenOf(table, "rt"));
  if (rows.length !== everyOf(reply, "rt").length) return undefined;
  const own = tablesOf(instance);
  const routes: Route[] = [];
  for (const table of tables) {
    const name = textOf(table, "table-name");
    if (name === undefined || !isTable(name)) return undefined;
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
 * `#` for forwarding only, `-` last active, a blank for the others. undefined = another sign, two
 * of them, or none for a route that is marked as active otherwise.
 */
export function isActive(entry: XmlElement): boolean | undefined {
  const [only, ...more] = childrenOf(entry, "active-tag");
  if (more.length > 0) return undefined;
  const tag = only?.text ?? "";
  if (/^[*+@#]$/.test(tag)) return true;
  const isOther = tag === "" || tag === "-";
  return isOther && childOf(entry, "current-active") === undefined ? false : undefined;
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

/** Reads a ping; undefined = it is of another target or count, or there is not one summary. */
export function readPing(
  reply: XmlElement,
  { address, count }: AskedProbe,
): { sent: number; answered: number } | undefined {
  const [results, ...others] = everyOf(reply, "ping-results");
  const [summary, ...more] = everyOf(reply, "probe-results-summary");
  const target = textOf(results, "target-host");
  if (target === undefined || others.length + more.length > 0) return undefined;
  const sent = wholeOf(textOf(summary, "probes-sent"));
  const answered = wholeOf(textOf(summary, "responses-received"));
  if (sent === undefined || answered === undefined || answered > sent) return undefined;
  const isOther = target !== (address ?? target) || sent !== (count ?? sent);
  return isOther ? undefined : { sent, answered };
}

export interface Software {
  readonly model: string;
  readonly version: string;
}

/**
 * Reads model and release. undefined = one of them is missing, or two nodes or routing engines
 * differ in them.
 */
export function readSoftware(reply: XmlElement): Software | undefined {
  const [first, ...others] = everyOf(reply, "software-information").map(softwareOf);
  const isSame = others.every(
    (one) => one !== undefined && one.model === first?.model && one.version === first.version,
  );
  return isSame ? first : undefined;
}

function softwareOf(one: XmlElement): Software | undefined {
  const model = textOf(one, "product-model")?.toLowerCase();
  // Releases before 15.1 print it behind the name of a package alone.
  const base = childrenOf(one, "package-information").find(
    (each) => textOf(each, "name") === "junos",
  );
  const printed = /\[([^[\]]{1,64})\]$/.exec(textOf(base, "comment") ?? "")?.[1];
  const version = textOf(one, "junos-version") ?? printed;
  return model && version ? { model, version } : undefined;
}
