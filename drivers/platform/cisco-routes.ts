// The routes of one neighbour as Cisco routers print them: a table whose columns begin where the
// heading has them. Undefined = a row is not understood or missing.

import { isIP } from "node:net";
import type { PortName, Route } from "#hal/model.ts";

interface Table {
  /**
   * Column at which prefixes begin; newer releases of IOS XE print them one column further right.
   */
  readonly network: number;
  /** Column at which next hops begin, or one before it. */
  readonly nextHop: number;
  /** One prefix may occur with several route distinguishers. */
  distinguisher: string;
  /** Prefix of the row before; undefined = there is none, so no row can continue it. */
  prefix: string | undefined;
  readonly prefixes: Set<string>;
  /** Prefixes that have a best path; a second one would mean that a row is not what it seems. */
  readonly decided: Set<string>;
  paths: number;
}

const heading = /^ {0,24}(?=Network {1,40}Next[ -]Hop\b)/;
const distinguisher = /^ {0,24}Route Distinguisher\b/;
/** A line that begins the table of another address family. */
const nextFamily =
  /^ {0,24}(?:For address family:|Address Family:|BGP (?:table|router|instance)\b)/;
/** The codes of the legends of IOS, IOS XE and IOS XR, and those of RPKI. */
const codesPattern = /^[ *>sdhirSmbfxactLNVIel]*$/;
/** What follows a prefix or a next hop whose row is broken: numbers, AS numbers, a next hop. */
const remainder = /^[0-9A-Fa-f.:({]/;
/** No row and no heading has more characters before its AS path. */
const columnMax = 100;

/**
 * Returns the routes that came from one neighbour; `best` = in use, also beside others of equal
 * cost. A table without a count below it is not understood: its end may be missing.
 */
export function readRoutes(text: string, port: PortName): readonly Route[] | undefined {
  // IOS XR's reply if no neighbour can have routes of the family.
  if (/^% ?None of the requested address families are configured.?$/.test(text.trim())) return [];
  const best = new Map<string, boolean>();
  let table: Table | undefined;
  let isAnswer = false;
  for (const line of text.split("\n")) {
    const [begin] = heading.exec(line) ?? [];
    const total = totalOf(line);
    const isEnd = total !== undefined || begin !== undefined || nextFamily.test(line);
    if (isEnd) {
      if (!isWhole(table, total)) return undefined;
      isAnswer ||= total !== undefined;
      table = begin === undefined ? undefined : tableOf(line, begin.length);
    } else if (table === undefined) {
      // No row may precede the heading.
      if (/^ {0,24}[*>]/.test(line)) return undefined;
    } else if (!readRow(line, table, best)) return undefined;
  }
  if (table !== undefined || !isAnswer) return undefined;
  return [...best].map(([prefix, isBest]) => {
    return { prefix, via: { kind: "port", port }, best: isBest };
  });
}

function tableOf(line: string, network: number): Table {
  const nextHop = line.indexOf("Next");
  const sets = { prefixes: new Set<string>(), decided: new Set<string>() };
  return { network, nextHop, distinguisher: "", prefix: undefined, ...sets, paths: 0 };
}

interface Total {
  /** undefined = the router counts paths alone, whatever it calls them. */
  readonly prefixes: number | undefined;
  readonly paths: number;
}

function totalOf(line: string): Total | undefined {
  const one = /^ {0,24}Total number of prefixes (\d{1,9}) *$/.exec(line)?.[1];
  if (one !== undefined) return { prefixes: undefined, paths: Number(one) };
  const [, prefixes, paths] =
    /^ {0,24}Processed (\d{1,9}) prefixes, (\d{1,9}) paths *$/.exec(line) ?? [];
  return prefixes === undefined ? undefined : { prefixes: Number(prefixes), paths: Number(paths) };
}

/** Returns whether there are as many rows as the router counts. */
function isWhole(table: Table | undefined, total: Total | undefined): boolean {
  if (total === undefined) return table === undefined;
  const isCounted = total.prefixes === undefined || total.prefixes === (table?.prefixes.size ?? 0);
  return isCounted && total.paths === (table?.paths ?? 0);
}

/** Returns false if the row is not understood. */
function readRow(line: string, table: Table, best: Map<string, boolean>): boolean {
  if (line.trim() === "") return true;
  if (distinguisher.test(line)) {
    table.distinguisher = line;
    table.prefix = undefined;
    return true;
  }
  const start = startOf(line, table);
  const codes = line.slice(0, Math.min(start, table.network + 1));
  const [word = ""] = line.slice(start).split(/ /, 1);
  if (!codesPattern.test(codes)) return false;
  if (start <= table.network + 1) {
    const prefix = prefixOf(word);
    if (prefix === undefined) return false;
    table.prefix = prefix;
    table.prefixes.add(`${table.distinguisher} ${prefix}`);
    return addPath(codes, prefix, table, best);
  }
  // Another path of the prefix above, or the rest of the row above.
  if (start < table.nextHop || table.prefix === undefined) return false;
  if (codes.trim() === "") return remainder.test(word);
  return isIP(word) !== 0 && addPath(codes, table.prefix, table, best);
}

/** Returns the column of the first word that is not a code. */
function startOf(line: string, { network }: Table): number {
  let at = network;
  while (at < Math.min(line.length, columnMax) && line[at] === " ") at += 1;
  return at;
}

/** Returns false for a second best path of one prefix. */
function addPath(codes: string, prefix: string, table: Table, best: Map<string, boolean>): boolean {
  table.paths += 1;
  if (codes.includes(">")) {
    const name = `${table.distinguisher} ${prefix}`;
    if (table.decided.has(name)) return false;
    table.decided.add(name);
  }
  // A best path that is suppressed behind an aggregate, or beaten in the table of routes, is in use
  // as far as BGP knows; a path without a code, or from history, leads nowhere.
  if (/[*>rSm]/.test(codes)) best.set(prefix, best.get(prefix) === true || /[>m]/.test(codes));
  return true;
}

/** Returns whether a text is an address with the length of a prefix. */
export function isPrefix(text: string): boolean {
  const [address = "", length = "", ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0 || !/^\d{1,3}$/.test(length)) return false;
  return Number(length) <= (version === 4 ? 32 : 128);
}

/** Returns the prefix; one without a length has the length of its address class. */
function prefixOf(word: string): string | undefined {
  if (word.includes("/")) return isPrefix(word) ? word : undefined;
  if (isIP(word) !== 4) return undefined;
  const first = Number(word.split(".")[0]);
  if (first === 0) return `${word}/0`;
  return `${word}/${first < 128 ? 8 : first < 192 ? 16 : 24}`;
}
