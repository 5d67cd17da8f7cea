// Parsers for what FRR's shell and the kernel print. Every field is checked, every list and text is
// bounded, and what is not understood is reported as such.

import { isObject } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import { decodeJson } from "#hal/json.ts";
import type { BfdState } from "#hal/model.ts";
import type { Detection } from "../../platform/detection.ts";

export type Family = "ipv4" | "ipv6";

/** The filter of one direction of a session. */
export interface Filter {
  readonly routeMap: string | undefined;
  /** RFC 8212: nothing passes, because no policy is configured. */
  readonly closed: boolean;
}

interface FrrFamily {
  readonly family: Family;
  readonly in: Filter;
  readonly out: Filter;
  readonly received: number | undefined;
  readonly sent: number | undefined;
}

export interface FrrNeighbour extends Detection {
  readonly state: string;
  readonly asn: number;
  readonly isInternal: boolean;
  readonly shut: boolean;
  readonly signed: boolean;
  readonly lastReset: string | undefined;
  readonly families: readonly FrrFamily[];
}

export interface FrrRoutes {
  /** The AS number as `router bgp` takes it. */
  readonly as: string;
  readonly paths: readonly { readonly prefix: string; readonly from: string; best: boolean }[];
}

export interface Advertisement {
  readonly prefix: string;
  /** The AS numbers as they go out, without the one that FRR itself puts before them. */
  readonly path: readonly string[];
  readonly communities: readonly string[];
}

export interface FrrRouteMap {
  /** The map that it calls; undefined = it calls none. */
  readonly calls: string | undefined;
}

/** The RFC 2385 counters of this network; which session they belong to follows from its state. */
export interface Md5Counters {
  /** Segments that came with a wrong signature. */
  readonly failed: bigint;
  /** Segments that came without the signature that a session requires. */
  readonly missing: bigint;
  /** Segments that came with a signature that no session requires. */
  readonly unexpected: bigint;
}

const documentsMax = 100;
const neighboursMax = 4096;
const pathsMax = 25_000;
/** A path has some 20 values. */
const valuesMax = 20 * pathsMax;
const routeMapsMax = 10_000;

type JsonRecord = Readonly<Record<string, unknown>>;

function unparsed(what: string): LinksealError {
  return new LinksealError("device.unparsed", `FRR's answer is not understood: ${what}`, {
    effect: "none",
    where: "FRR",
    next: "linkseal doctor",
  });
}

function recordOf(value: unknown, what: string): JsonRecord {
  if (!isObject(value)) throw unparsed(what);
  return value;
}

function rowsOf(value: unknown, max: number, what: string): readonly [string, unknown][] {
  const rows = Object.entries(recordOf(value, what));
  if (rows.length > max) throw unparsed(`more than ${max} entries in ${what}`);
  return rows;
}

function textIn(record: JsonRecord, name: string): string | undefined {
  const value = record[name];
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw unparsed(name);
  return value;
}

function countIn(record: JsonRecord, name: string): number | undefined {
  const value = record[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw unparsed(name);
  return value;
}

function flagIn(record: JsonRecord, name: string): boolean {
  const value = record[name];
  if (value !== undefined && typeof value !== "boolean") throw unparsed(name);
  return value === true;
}

/**
 * Splits the JSON documents that several commands print one after the other.
 * @throws LinksealError `device.unparsed` if there are more or fewer than `count`, or one is not
 * JSON
 */
export function documentsIn(octets: Uint8Array, count: number): readonly unknown[] {
  const text = new TextDecoder().decode(octets);
  const ends = documentEnds(text);
  const tail = foreignText(text.slice(ends.at(-1)));
  if (tail !== "" || ends.length !== count) {
    throw unparsed(`${ends.length} documents for ${count} queries, then "${tail}"`);
  }
  try {
    return ends.map((end, index) =>
      decodeJson(text.slice(ends[index - 1] ?? 0, end), { values: valuesMax }),
    );
  } catch {
    throw unparsed("no JSON");
  }
}

const marks = { quote: 0x22, backslash: 0x5c, open: 0x7b, close: 0x7d } as const;

// One pass over any text; a brace inside a string is text.
function documentEnds(text: string): readonly number[] {
  const ends: number[] = [];
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length && ends.length <= documentsMax; at += 1) {
    const code = text.charCodeAt(at);
    if (code === marks.quote) quoted = !quoted;
    else if (quoted) at += Number(code === marks.backslash);
    else if (code === marks.open) depth += 1;
    else if (code === marks.close) {
      depth -= 1;
      if (depth === 0) ends.push(at + 1);
    }
  }
  return ends;
}

/** Reads `show bgp vrf NAME neighbors json`, by address. */
export function readNeighbours(answer: unknown): ReadonlyMap<string, FrrNeighbour> {
  const rows = rowsOf(answer, neighboursMax, "neighbors");
  // For an instance that does not exist, FRR prints a warning in place of the neighbours.
  const found = rows.filter(([, value]) => typeof value === "object");
  return new Map(found.map(([address, value]) => [address, neighbourOf(recordOf(value, address))]));
}

function neighbourOf(record: JsonRecord): FrrNeighbour {
  const families = recordOf(record["addressFamilyInfo"] ?? {}, "addressFamilyInfo");
  const reset = textIn(record, "lastResetDueTo");
  const notification = textIn(record, "lastNotificationReason");
  const why = notification === undefined ? reset : `${reset ?? "notification"}: ${notification}`;
  const state = textIn(record, "bgpState");
  // A neighbour without a state would count as a session that is down.
  if (state === undefined) throw unparsed("bgpState");
  return {
    state,
    asn: countIn(record, "remoteAs") ?? 0,
    isInternal: flagIn(record, "nbrInternalLink"),
    shut: flagIn(record, "adminShutDown"),
    signed: countIn(record, "authenticationEnabled") === 1,
    lastReset: why === undefined ? undefined : foreignText(why),
    bfd: bfdOf(record["peerBfdInfo"]),
    holdMs: countIn(record, "bgpTimerHoldTimeMsecs"),
    families: (["ipv4", "ipv6"] as const).flatMap((family) => {
      const info = families[`${family}Unicast`];
      return info === undefined ? [] : familyOf(family, recordOf(info, family));
    }),
  };
}

/** FRR prints this part only for a neighbour that is configured with BFD. */
function bfdOf(info: unknown): BfdState | undefined {
  if (info === undefined) return "off";
  const status = textIn(recordOf(info, "peerBfdInfo"), "status");
  if (status === "Up") return "up";
  return status === "Down" || status === "Admin Down" ? "down" : undefined;
}

function familyOf(family: Family, record: JsonRecord): FrrFamily {
  return {
    family,
    in: {
      routeMap: textIn(record, "routeMapForIncomingAdvertisements"),
      closed: record["inboundEbgpRequiresPolicy"] !== undefined,
    },
    out: {
      routeMap: textIn(record, "routeMapForOutgoingAdvertisements"),
      closed: record["outboundEbgpRequiresPolicy"] !== undefined,
    },
    received: countIn(record, "acceptedPrefixCounter"),
    sent: countIn(record, "sentPrefixCounter"),
  };
}

const asNumberMax = 2 ** 32 - 1;

function asNumberOf(value: unknown): string {
  const text = typeof value === "number" ? String(value) : value;
  // RFC 5396: plain, or in two halves.
  if (typeof text !== "string" || !/^\d{1,10}(\.\d{1,5})?$/.test(text)) throw unparsed("localAS");
  if (Number(text) > asNumberMax || Number(text) === 0) throw unparsed("localAS");
  return text;
}

/** Reads `show bgp vrf NAME ipv4 unicast json`; undefined = there is no such instance. */
export function readRoutes(answer: unknown): FrrRoutes | undefined {
  const record = recordOf(answer, "routes");
  if (record["localAS"] === undefined) return undefined;
  const paths = rowsOf(record["routes"] ?? {}, pathsMax, "routes").flatMap(([prefix, list]) => {
    if (!Array.isArray(list) || !isPrefix(prefix)) throw unparsed("routes");
    return list.map((path: unknown) => pathOf(prefix, recordOf(path, "routes")));
  });
  if (paths.length > pathsMax) throw unparsed(`more than ${pathsMax} paths`);
  return { as: asNumberOf(record["localAS"]), paths };
}

const isPrefix = (text: string): boolean => /^[0-9a-f:.]{2,45}\/\d{1,3}$/.test(text);

function pathOf(prefix: string, record: JsonRecord): FrrRoutes["paths"][number] {
  // Paths of equal worth carry traffic beside the best one.
  const best = flagIn(record, "bestpath") || flagIn(record, "multipath");
  return { prefix, from: textIn(record, "peerId") ?? "", best };
}

/** Reads `show bgp vrf NAME ipv4 unicast neighbors ADDRESS advertised-routes detail json`. */
export function readAdvertised(answer: unknown): readonly Advertisement[] {
  const record = recordOf(answer, "advertised-routes");
  const rows = rowsOf(record["advertisedRoutes"], pathsMax, "advertisedRoutes");
  return rows.map(([prefix, value]) => {
    const paths = recordOf(value, prefix)["paths"];
    if (!isPrefix(prefix) || !Array.isArray(paths)) throw unparsed("advertisedRoutes");
    const all = paths.map((path: unknown) => recordOf(path, "paths"));
    // Other known paths are listed beside the one that is sent.
    const sent = all.find(({ bestpath }) => bestpath !== undefined) ?? all[0];
    return advertisementOf(prefix, sent ?? {});
  });
}

const listMax = 1024;

function wordsIn(value: unknown, what: string): readonly string[] {
  const words = (textIn(recordOf(value ?? {}, what), "string") ?? "").split(" ");
  if (words.length > listMax) throw unparsed(`more than ${listMax} words in ${what}`);
  return words.filter((word) => word !== "").map(foreignText);
}

function advertisementOf(prefix: string, { aspath, community }: JsonRecord): Advertisement {
  // FRR prints `Local` for an empty path.
  const path = wordsIn(aspath, "aspath").filter((word) => word !== "Local");
  return { prefix, path, communities: wordsIn(community, "community") };
}

/** Reads `show route-map json`, as the BGP daemon has the maps, by name. */
export function readRouteMaps(answer: unknown): ReadonlyMap<string, FrrRouteMap> {
  const maps = recordOf(answer, "route-map")["bgpd"] ?? {};
  return new Map(
    rowsOf(maps, routeMapsMax, "route-map").map(([name, value]) => {
      const rules = recordOf(value, "route-map")["rules"] ?? [];
      if (!Array.isArray(rules)) throw unparsed("rules");
      const calls = rules.map((rule: unknown) => textIn(recordOf(rule, "rules"), "callClause"));
      return [name, { calls: calls.find((call) => call !== undefined) }];
    }),
  );
}

/** Reads `/proc/net/netstat`; undefined if the kernel does not have these counters. */
export function readMd5Counters(octets: Uint8Array): Md5Counters | undefined {
  const lines = new TextDecoder("latin1").decode(octets).split("\n");
  const [names, values] = lines.filter((line) => line.startsWith("TcpExt: "));
  const columns = (names ?? "").split(" ");
  const numbers = (values ?? "").split(" ");
  const [failed, missing, unexpected] = ["TCPMD5Failure", "TCPMD5NotFound", "TCPMD5Unexpected"].map(
    (name) => {
      const number = numbers[columns.indexOf(name)];
      return number !== undefined && /^\d{1,20}$/.test(number) ? BigInt(number) : undefined;
    },
  );
  if (failed === undefined || missing === undefined || unexpected === undefined) return undefined;
  return { failed, missing, unexpected };
}
