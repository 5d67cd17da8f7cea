// What a hub reads of the engine for waves. Octets of sites and other hubs are parsed with limits;
// what cannot be parsed is as absent, but for a freeze, which counts.

import type { WallTime } from "#hal/world.ts";
import type { HubEngine, Read } from "../fleet/engine.ts";
import { type Ask, type Permit, parseAsk, parseFreeze, parsePermit } from "../fleet/records.ts";
import {
  type Bucket,
  fleetFreezeKey,
  groupKey,
  siteFreezeKey,
  statusKey,
} from "../fleet/subjects.ts";
import { parseWave, type Wave } from "../fleet/wave.ts";
import { parseSiteStatus } from "./site-status.ts";
import {
  allSites,
  type FreezeInForce,
  keyOf,
  needsOf,
  type SiteHealth,
  type WaveView,
} from "./wave-step.ts";

/** Requests that a hub has under way at a time. */
const atOnceMax = 16;
/** Records of waves that are walked over at most. */
const wavesMax = 10_000;

/** A record of a wave in the engine; undefined = it cannot be read, and gives no permit. */
export interface StoredWave {
  readonly name: string;
  readonly revision: number;
  readonly wave: Wave | undefined;
}

/**
 * Returns the waves that were written from a revision on, in that order; undefined = the engine did
 * not answer.
 */
export async function listWaves(
  engine: Pick<HubEngine, "next">,
  from: number,
  signal: AbortSignal,
): Promise<readonly StoredWave[] | undefined> {
  const waves: StoredWave[] = [];
  for (let at = from, turn = 0; turn < wavesMax; turn += 1) {
    const found = await engine.next("linkseal-waves", "*", at, signal);
    if (found.kind === "value") waves.push(storedWave(found.key, found));
    else if (found.kind !== "absent") return undefined;
    else if (found.revision === 0) return waves;
    at = found.revision + 1;
  }
  return waves;
}

/** Returns the record under this name. */
export function storedWave(
  name: string,
  { octets, revision }: { readonly octets: Uint8Array; readonly revision: number },
): StoredWave {
  return { name, revision, wave: waveAt(name, octets) };
}

/** Returns the wave that a record says; undefined = it is none, or that of another name. */
export function waveAt(name: string, octets: Uint8Array): Wave | undefined {
  const wave = parseWave(octets);
  return wave?.name === name ? wave : undefined;
}

/** Reads what one step of a wave needs; undefined = the engine did not answer. */
export async function readView(
  engine: Pick<HubEngine, "get">,
  wave: Wave,
  now: WallTime,
  signal: AbortSignal,
): Promise<WaveView | undefined> {
  const needs = needsOf(wave);
  const asks = await readAll(engine, "linkseal-asks", needs.asks.map(keyOf), signal);
  const sites = await readAll(engine, "linkseal-status", needs.statuses.map(statusKey), signal);
  const freezes = await readFreezes(engine, needs.freezes, signal);
  if (asks === undefined || sites === undefined || freezes === undefined) return undefined;
  const readable = parsed(asks, askAt);
  const unreadable = new Set([...asks].flatMap(([key, read]) => unread(key, read, readable)));
  return { now, asks: readable, unreadable, sites: parsed(sites, healthOf), freezes };
}

/** A permit's key: what is in it, and its revision for a compare-and-set. */
export interface StoredPermit {
  readonly permit: Permit | undefined;
  readonly revision: number;
}

/** Reads permits by their keys; undefined = the engine did not answer. */
export async function readPermits(
  engine: Pick<HubEngine, "get">,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, StoredPermit> | undefined> {
  const found = await readAll(engine, "linkseal-permits", keys, signal);
  if (found === undefined) return undefined;
  return new Map(
    [...found].flatMap(([key, read]): readonly (readonly [string, StoredPermit])[] => {
      if (read.kind === "absent") return [[key, { permit: undefined, revision: read.revision }]];
      if (read.kind !== "value") return [];
      return [[key, { permit: parsePermit(read.octets), revision: read.revision }]];
    }),
  );
}

/** Returns the key of an ask that is there and cannot be read. */
const unread = (key: string, read: Read, asks: ReadonlyMap<string, Ask>): readonly string[] =>
  read.kind === "absent" || asks.has(key) ? [] : [key];

/** Reads one ask; undefined = there is none. */
export async function readAsk(
  engine: Pick<HubEngine, "get">,
  site: string,
  group: string,
  signal: AbortSignal,
): Promise<Ask | "unanswered" | "unreadable" | undefined> {
  const key = groupKey(site, group);
  const found = await readAll(engine, "linkseal-asks", [key], signal);
  if (found === undefined) return "unanswered";
  const ask = parsed(found, askAt).get(key);
  return ask === undefined && found.get(key)?.kind !== "absent" ? "unreadable" : ask;
}

/** Reads the freezes of all and of these sites; undefined = the engine did not answer. */
export async function readFreezes(
  engine: Pick<HubEngine, "get">,
  sites: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, FreezeInForce> | undefined> {
  const keys = [fleetFreezeKey, ...sites.map(siteFreezeKey)];
  const found = await readAll(engine, "linkseal-freeze", keys, signal);
  return found && freezesOf(found, sites);
}

type Reads = ReadonlyMap<string, Read>;

async function readAll(
  engine: Pick<HubEngine, "get">,
  bucket: Bucket,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<Reads | undefined> {
  const found = new Map<string, Read>();
  const isAnswered = await eachOf(keys, async (key) => {
    const read = await engine.get(bucket, key, signal);
    found.set(key, read);
    const isForged = read.kind === "refused" && read.reason === "forged";
    return read.kind !== "unknown" && (read.kind !== "refused" || isForged);
  });
  return isAnswered ? found : undefined;
}

/**
 * Makes one request for each of these, some at a time, until one of them resolves to false;
 * resolves to whether none did.
 */
export async function eachOf<T extends object | string>(
  all: readonly T[],
  request: (one: T) => Promise<boolean>,
): Promise<boolean> {
  const rest = all.toReversed();
  let isGood = true;
  const lane = async (): Promise<void> => {
    for (let one = rest.pop(); one !== undefined && isGood; one = rest.pop()) {
      if (!(await request(one))) isGood = false;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, all.length) }, lane));
  return isGood;
}

function parsed<T>(
  reads: Reads,
  parse: (octets: Uint8Array, key: string) => T | undefined,
): ReadonlyMap<string, T> {
  const values = new Map<string, T>();
  for (const [key, read] of reads) {
    const value = read.kind === "value" ? parse(read.octets, key) : undefined;
    if (value !== undefined) values.set(key, value);
  }
  return values;
}

/** An ask counts only under its own key. */
function askAt(octets: Uint8Array, key: string): Ask | undefined {
  const ask = parseAsk(octets);
  return ask !== undefined && groupKey(ask.site, ask.group) === key ? ask : undefined;
}

/** As the page has it: a status that contradicts itself counts by its worst part. */
function healthOf(octets: Uint8Array, key: string): SiteHealth | undefined {
  const status = parseSiteStatus(octets);
  if (status === undefined || status.site !== key) return undefined;
  return { verdict: status.verdict, at: Date.parse(status.at) as WallTime };
}

function freezesOf(reads: Reads, sites: readonly string[]): ReadonlyMap<string, FreezeInForce> {
  const freezes = new Map<string, FreezeInForce>();
  const keys = [[allSites, fleetFreezeKey], ...sites.map((site) => [site, siteFreezeKey(site)])];
  for (const [name = "", key = ""] of keys) {
    const read = reads.get(key);
    const freeze = read?.kind === "value" ? parseFreeze(read.octets) : undefined;
    if (read?.kind === "absent" || freeze?.state === "thawed") continue;
    const { by, why } = freeze ?? { by: "unknown", why: "the freeze cannot be read" };
    freezes.set(name, { by, why });
  }
  return freezes;
}
