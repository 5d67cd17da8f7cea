// The table of a platform's queries: what each is sent for, which reader its reply has, and where
// its layout is known from.

import type { UnknownWhy } from "#hal/model.ts";
import type { AskedProbe } from "./router-observation.ts";
import { wholeOf } from "./text.ts";

/** How a fact about a device is known; docs/sources.md explains the words. */
export type Standing = "confirmed" | "documented" | "inferred" | "unknown";

/** One query of a driver, for those who want to know what it sends. */
export interface QueryRow {
  /**
   * The command or operation as it is sent; a word such as `<port>` stands for any value of one
   * word.
   */
  readonly name: string;
  /** The same query at a command line, where the driver sends another form. */
  readonly alias?: string;
  /** What the agent reads in the reply, as a sentence. */
  readonly purpose: string;
  /** Whether the reply is the configuration of the device, or its state. */
  readonly reply: "state" | "configuration";
  /** How the layout of the reply is known. */
  readonly standing: Standing;
  /** The document, capture or client that shows the layout. */
  readonly source: string;
}

/** A value that the agent lacks after a reply, and why. */
export interface Gap {
  /** The value, in the words of `understood`, or the whole reply. */
  readonly what: string;
  /** Why it is missing. */
  readonly why: UnknownWhy;
}

/** What the agent understands of one reply. */
export interface Understanding {
  /** Plain JSON: counters are decimal text, an absent value is null. null = nothing. */
  readonly understood: unknown;
  /** The values that are missing. */
  readonly unknown: readonly Gap[];
}

/** A reader's result before it is made plain. */
export interface ReadResult {
  /** What was understood, by names. */
  readonly value: object;
  /** The values that are missing; absent = none. */
  readonly gaps?: readonly Gap[];
}

const nouns = ["port", "peer", "address", "vrf", "node", "name", "interface"] as const;
const valueNames = [...nouns, "count"] as const;

/** Values of the variable words of a query. */
export type Values = Readonly<Record<(typeof valueNames)[number], string>>;

/** The last is for counts: no router is sent so many packets. */
export const countMark = 2_147_483_647;

/** Values that show the place of each variable word in a command. */
export const marks = Object.fromEntries(valueNames.map((name) => [name, `_${name}_`])) as Values;

/** Returns the mark of an address of IPv6, which some commands are worded for. */
export const asIpv6 = (mark: string): string => `${mark}:`;

/** Returns the name of a query that was made with `marks`. */
export function nameOf(text: string): string {
  return text.replaceAll(/_([a-z]+)_:?/g, "<$1>").replaceAll(String(countMark), "<count>");
}

/** When a query is sent by a reading of the whole device. */
type Over = "once" | "ports" | "peers" | "onDemand";

/** A row of the table: `Q` is a query of the platform, `R` its reply. */
export interface TableRow<Q, R> extends Pick<QueryRow, "purpose" | "standing" | "source"> {
  /** Makes the query. */
  readonly ask: (values: Values) => Q;
  /** Replaces a name that would be the text of a whole filter. */
  readonly name?: string;
  /** As `alias` of `QueryRow`. */
  readonly alias?: string;
  /** When a reading of the whole device sends it. */
  readonly over: Over;
  /** What a device must offer, or the query is not known there. */
  readonly needs?: "ipsec";
  /** The reply is configuration; absent = it is state. */
  readonly reply?: "configuration";
  /** Reads a reply with the agent's own reader; undefined = it is not understood. */
  readonly read: (reply: R, values: Partial<Values>) => ReadResult | undefined;
}

/** A device, or the tests of a client against one, shows the layout of a reply. */
export const confirmed = (source: string) => ({ standing: "confirmed", source }) as const;

/** A document of the vendor's describes it. */
export const documented = (source: string) => ({ standing: "documented", source }) as const;

/** It follows from that of another reply. */
export const inferred = (source: string) => ({ standing: "inferred", source }) as const;

/** Returns functions that make the queries of a row; `command` makes a query by its name. */
export function rowsBy<N extends string, Q>(command: (name: N, argument?: string) => Q) {
  return {
    once: (name: N) => ({ ask: () => command(name), over: "once" }) as const,
    onceConfig: (name: N) =>
      ({ ask: () => command(name), over: "once", reply: "configuration" }) as const,
    perPort: (name: N) =>
      ({ ask: ({ port }: Values) => command(name, port), over: "ports" }) as const,
  };
}

/** Returns the probe that a saved query asks for. */
export function probeIn({ peer = "", count }: Partial<Values>): AskedProbe {
  const packets = wholeOf(count);
  const address = /^[0-9a-f.:]{2,45}$/i.test(peer) ? { address: peer } : {};
  return { ...address, ...(packets !== undefined && { count: packets }) };
}

/** Returns what a reader understood, without gaps. */
export function whole(value: object | undefined): ReadResult | undefined {
  return value && { value };
}

/** Returns a value under a name; undefined stays undefined. */
export function named<T>(name: string, value: T | undefined): ReadResult | undefined {
  return value === undefined ? undefined : { value: { [name]: value } };
}

/** Adds a gap for each of these fields that has no value. */
export function withFields<T extends object>(
  value: T | undefined,
  ...fields: readonly (keyof T & string)[]
): ReadResult | undefined {
  if (value === undefined) return undefined;
  const missing = fields.filter((field) => value[field] === undefined);
  return { value, gaps: missing.map(unparsed) };
}

/**
 * Adds a gap for each entry that is undefined or lacks one of these fields; a list without entries
 * is one as well if `least` is "one".
 */
export function withEntries<T>(
  name: string,
  entries: ReadonlyMap<string | number, T> | undefined,
  fields: readonly string[] = [],
  least: "none" | "one" = "none",
): ReadResult | undefined {
  if (entries === undefined) return undefined;
  const gaps = [...entries].flatMap(([key, entry]): readonly Gap[] => {
    if (typeof entry !== "object" || entry === null) {
      return entry === undefined || entry === "ambiguous" ? [unparsed(`${name} ${key}`)] : [];
    }
    const missing = fields.filter((field) => Reflect.get(entry, field) === undefined);
    return missing.map((field) => unparsed(`${name} ${key} ${field}`));
  });
  const isEmpty = least === "one" && entries.size === 0;
  return { value: { [name]: entries }, gaps: isEmpty ? [unparsed(name)] : gaps };
}

/** Returns the prefixes of routes, and which are in use; undefined stays undefined. */
export function routesOf(
  routes: readonly { readonly prefix: string; readonly best: boolean }[] | undefined,
): ReadResult | undefined {
  return named(
    "routes",
    routes?.map(({ prefix, best }) => ({ prefix, best })),
  );
}

/** Returns one result of several; undefined = one of them is undefined. */
export function joined(...results: readonly (ReadResult | undefined)[]): ReadResult | undefined {
  const all = results.filter((one) => one !== undefined);
  if (all.length < results.length) return undefined;
  const value: object = Object.assign({}, ...all.map((one) => one.value));
  return { value, gaps: all.flatMap(({ gaps = [] }) => gaps) };
}

/** Returns the gap of a value that was not understood. */
export function unparsed(what: string): Gap {
  return { what, why: "unparsed" };
}

/** Returns the interfaces that match as names of themselves: a route shows its own interface. */
export function namesLike(pattern: RegExp): ReadonlyMap<string, string> {
  return new (class extends Map<string, string> {
    override get(key: string): string | undefined {
      return pattern.test(key) ? key : undefined;
    }
  })();
}

/** Returns a time as text. */
export function timeText(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}

/** Makes a value plain JSON; functions are left out. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "function" ? [] : [[key, plain(inner)]],
    ),
  );
}

/** Returns what a reader understood; undefined = it did not understand the reply. */
export function understandingOf(read: ReadResult | undefined): Understanding {
  if (read === undefined) return nothing("unparsed");
  return { understood: plain(read.value), unknown: read.gaps ?? [] };
}

/** Returns that nothing of a reply is known. */
export function nothing(why: UnknownWhy): Understanding {
  return { understood: null, unknown: [{ what: "the whole reply", why }] };
}

const queryMax = 2_000;

const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, " ");

/** Makes the pattern of a query's name: each variable word matches one word. */
function templateOf(name: string): RegExp {
  const parts = name.split(/(<[a-z]+>)/);
  const pattern = parts.map((part) =>
    /^<[a-z]+>$/.test(part)
      ? `(?${part}[^\\s<>]{1,128}|${part})`
      : part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`),
  );
  return new RegExp(`^${pattern.join("")}$`);
}

/** Returns the values of a query's variable words; undefined = it is another query. */
export function valuesIn(
  { name, alias }: Pick<QueryRow, "name" | "alias">,
  query: string,
): Partial<Values> | undefined {
  if (query.length > queryMax) return undefined;
  const text = oneLine(query).replace(/ ?\| ?display xml$/, "");
  for (const one of alias === undefined ? [name] : [name, alias]) {
    const found = templateOf(oneLine(one)).exec(text);
    if (found !== null) return { ...found.groups };
  }
  return undefined;
}
