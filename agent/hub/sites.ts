// What a hub knows of all sites: the newest status of each key, when the engine stored it, and the
// newest head of its audit log. Pure. A status says something about now for 90 s; after that the
// site is unknown, whatever it said last.

import type { Instant } from "#hal/world.ts";
import type { Head } from "../evidence/report/head.ts";
import { type Verdict, verdictOrder } from "../model/health.ts";
import type { StoredValue } from "./bucket-reader.ts";
import type { SiteNote, SiteRow, SiteVoice, ToldStatus } from "./fleet-shape.ts";
import { parseSiteStatus, type ReadStatus } from "./site-status.ts";

/** A site publishes every 30 s at least: three that are missed are silence, in milliseconds. */
const silentMs = 90_000;
/** Keys that are kept; more than any hub has sites, so that an engine cannot fill its memory. */
const sitesMax = 20_000;
/** A clock that differs by this much is shown, in milliseconds. */
const clockMs = 30_000;
/** A head and a status of one moment are compared only if the status is later by this much. */
const headMs = 2_000;
/** Entries of each list in a view of many sites. */
const shortMax = 3;

interface Site {
  readonly status: ReadStatus | undefined;
  readonly voice: Exclude<SiteVoice, "silent">;
  /** When the engine stored it, by the hub's monotonic clock; undefined = not known. */
  readonly storedAt: Instant | undefined;
  /** How much the clock of the site is ahead of the engine's, in milliseconds. */
  readonly aheadMs: number;
}

/** All sites. */
export class Sites {
  readonly #sites = new Map<string, Site>();
  readonly #heads = new Map<string, Head>();

  /** Number of all sites. */
  get size(): number {
    return this.#sites.size;
  }

  /** The keys of all sites. */
  get keys(): readonly string[] {
    return [...this.#sites.keys()];
  }

  /** Takes a value of `linkseal-status`. */
  take({ key, octets, isForged, storedAt, storedWall }: StoredValue): void {
    // A key that no site can have is of an engine that is not ours.
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(key)) return;
    if (this.#sites.size >= sitesMax && !this.#sites.has(key)) return;
    const status = isForged ? undefined : parseSiteStatus(octets);
    this.#sites.set(key, {
      status,
      voice: isForged ? "forged" : status === undefined ? "unreadable" : "told",
      storedAt,
      aheadMs: status === undefined ? 0 : Date.parse(status.at) - storedWall,
    });
  }

  /** Forgets a site whose key has no value any more. */
  drop(key: string): void {
    this.#sites.delete(key);
    this.#heads.delete(key);
  }

  /** Takes the newest head of a site's log on the engine. */
  takeHead(key: string, head: Head): void {
    if (this.#sites.has(key)) this.#heads.set(key, head);
  }

  /** Returns one site; undefined = there is no such key. `form`: whole lists, or their first. */
  row(key: string, now: Instant, form: "whole" | "short"): SiteRow | undefined {
    const site = this.#sites.get(key);
    if (site === undefined) return undefined;
    const { status, storedAt } = site;
    const ageMs = storedAt === undefined ? null : Math.max(0, now - storedAt);
    const isSilent = ageMs === null || ageMs > silentMs;
    const voice = site.voice === "told" && isSilent ? "silent" : site.voice;
    const head = this.#heads.get(key);
    return {
      site: key,
      verdict: voice === "told" ? (status?.verdict ?? "unknown") : "unknown",
      voice,
      was: voice === "silent" ? (status?.verdict ?? null) : null,
      ageMs,
      told: status === undefined ? null : toldOf(status, form),
      head: head === undefined ? null : { seq: head.seq, at: head.at },
      notes: status === undefined ? [] : notesOf(key, status, site.aheadMs, head),
    };
  }

  /** Returns all sites in the order in which an operator needs them. */
  rows(now: Instant): readonly SiteRow[] {
    return this.keys
      .flatMap((key) => this.row(key, now, "short") ?? [])
      .map((row) => ({ row, rank: rankOf(row) }))
      .sort((a, b) => a.rank - b.rank || (a.row.site < b.row.site ? -1 : 1))
      .map(({ row }) => row);
  }
}

function toldOf(status: ReadStatus, form: "whole" | "short"): ToldStatus {
  const { at, version, config, verdicts, audit } = status;
  const { wrong, campaigns, keys, warnings } = status;
  if (form === "whole") {
    return { at, version, config, verdicts, wrong, campaigns, keys, warnings, audit };
  }
  return {
    ...{ at, version, config, verdicts, audit },
    ...{ wrong: short(wrong), campaigns: short(campaigns) },
    ...{ keys: { all: keys.all, first: keys.first.slice(0, 1) }, warnings: short(warnings) },
  };
}

const short = <T>({ all, first }: { readonly all: number; readonly first: readonly T[] }) => ({
  ...{ all, first: first.slice(0, shortMax) },
});

function notesOf(
  key: string,
  { site, host, at, audit }: ReadStatus,
  aheadMs: number,
  head: Head | undefined,
): readonly SiteNote[] {
  const notes: SiteNote[] = [];
  if (site !== key) notes.push({ kind: "otherName", name: site });
  if (Math.abs(aheadMs) > clockMs) notes.push({ kind: "clock", aheadMs });
  if (head === undefined) return notes;
  if (head.host !== host) notes.push({ kind: "otherLog", host: head.host });
  // Both times are by the clock of the site. A head that is newer than the status says nothing.
  else if (head.seq > audit.newest && Date.parse(at) - Date.parse(head.at) > headMs) {
    notes.push({ kind: "logCut", head: head.seq, newest: audit.newest });
  }
  return notes;
}

const placeOf = (verdict: Verdict): number => verdictOrder.length - verdictOrder.indexOf(verdict);
const silentRank = verdictOrder.length;

/** The place of a site among all: what is wrong, what is silent, what is odd, and the rest. */
function rankOf({ verdict, voice, notes }: SiteRow): number {
  if (voice === "silent") return silentRank;
  if (verdict !== "protected") return placeOf(verdict);
  return notes.length > 0 ? silentRank + 1 : silentRank + 2;
}
