// Follows what all sites publish, over whatever connection there is: statuses, the newest heads,
// waves and freezes. It keeps nothing beyond the process; a restart reads all of it again.

import { LinksealError } from "#hal/error.ts";
import type { Clock, Instant } from "#hal/world.ts";
import { type Bucket, leaseKey } from "../fleet/subjects.ts";
import { type Verdict, worstOf } from "../model/health.ts";
import { isoTime } from "../model/iso-time.ts";
import { type Asker, BucketReader } from "./bucket-reader.ts";
import type { FleetView, FreezeRow, SiteRow, WaveRow } from "./fleet-shape.ts";
import { newestHead } from "./reading.ts";
import { Sites } from "./sites.ts";
import { freezeRow, waveRow } from "./wave-row.ts";

/** Time between two passes over the statuses, in milliseconds. */
const statusMs = 500;
/** Time between two passes over waves and freezes, in milliseconds. */
const recordsMs = 2_000;
/** Heads that are asked for at once, and the time until the next ones, in milliseconds. */
const headsAtOnce = 16;
const headsMs = 500;
/** Sites that are listed: the rest is counted. */
const rowsMax = 1_000;
/** Waves that are done and still listed, and keys of a bucket that are kept. */
const doneMax = 5;
const keysMax = 20_000;

type Clocks = Pick<Clock, "now" | "wall" | "sleep">;

/** What a hub knows of all sites, and how it learns it. */
export class FleetWatch {
  readonly #clock: Clocks;
  readonly #sites = new Sites();
  readonly #statuses: BucketReader;
  readonly #waves: SmallBucket<WaveRow>;
  readonly #freezes: SmallBucket<FreezeRow>;
  #lost: { readonly since: Instant; readonly why: string } | undefined;

  constructor(clock: Clocks) {
    this.#clock = clock;
    this.#statuses = new BucketReader("linkseal-status", clock);
    this.#waves = new SmallBucket("linkseal-waves", clock, (key, octets) =>
      // The lease of the hubs that run waves is beside them.
      key === leaseKey ? undefined : waveRow(key, octets),
    );
    this.#freezes = new SmallBucket("linkseal-freeze", clock, freezeRow);
    this.lost("no connection was made yet");
  }

  /** Notes that nothing is read until `follow` is called again. `why`: words of linkseal. */
  lost(why: string): void {
    this.#lost = { since: this.#lost?.since ?? this.#clock.now(), why };
  }

  /**
   * Follows until the signal aborts.
   * @throws LinksealError if the engine answers no more, or not as an engine does
   */
  async follow(session: Asker, end: AbortSignal): Promise<void> {
    // The engine may have been restored from a copy while there was no connection.
    for (const reader of [this.#statuses, this.#waves, this.#freezes]) reader.restart();
    const failed = new AbortController();
    const until = AbortSignal.any([end, failed.signal]);
    const loops = [
      this.#every(statusMs, until, () => this.readStatuses(session)),
      this.#every(recordsMs, until, () => this.#readRecords(session)),
      this.#every(headsMs, until, this.#headTurns(session)),
    ];
    try {
      await Promise.all(loops);
    } finally {
      failed.abort();
      await Promise.allSettled(loops);
    }
  }

  /**
   * Reads everything once.
   * @throws LinksealError
   */
  async read(session: Asker): Promise<void> {
    await this.readStatuses(session);
    await this.#readRecords(session);
    const keys = this.#sites.keys;
    for (let from = 0; from < keys.length; from += headsAtOnce) {
      await this.#readHeads(session, keys.slice(from, from + headsAtOnce));
    }
  }

  /**
   * Reads the statuses that are new.
   * @throws LinksealError
   */
  async readStatuses(session: Asker): Promise<void> {
    const sites = this.#sites;
    await this.#statuses.pass(session, {
      value: (value) => sites.take(value),
      gone: (key) => sites.drop(key),
    });
    this.#lost = undefined;
  }

  async #every(ms: number, until: AbortSignal, act: () => Promise<void>): Promise<void> {
    while (!until.aborted) {
      await act();
      await this.#clock.sleep(ms, until).catch(() => undefined);
    }
  }

  async #readRecords(session: Asker): Promise<void> {
    await this.#waves.pass(session);
    await this.#freezes.pass(session);
  }

  /** Reads the heads of some sites, of the next ones each time. */
  #headTurns(session: Asker): () => Promise<void> {
    let turn = 0;
    return async () => {
      const keys = this.#sites.keys;
      if (turn >= keys.length) turn = 0;
      await this.#readHeads(session, keys.slice(turn, turn + headsAtOnce));
      turn += headsAtOnce;
    };
  }

  async #readHeads(session: Asker, keys: readonly string[]): Promise<void> {
    await Promise.all(
      keys.map(async (key) => {
        const head = await newestHead(session, key).catch((error: unknown) => {
          // What one site has published must not end the reading of all: it may be too long.
          if (error instanceof LinksealError) return undefined;
          throw error;
        });
        if (head !== undefined) this.#sites.takeHead(key, head);
      }),
    );
  }

  /** Returns one site with whole lists; undefined = there is none of that name. */
  site(key: string): SiteRow | undefined {
    return this.#sites.row(key, this.#clock.now(), "whole");
  }

  /** Returns all sites at this moment. */
  view(): FleetView {
    const now = this.#clock.now();
    const rows = this.#sites.rows(now);
    const count = (verdict: Verdict): number =>
      rows.filter((row) => row.verdict === verdict).length;
    const lost = this.#lost;
    return {
      schema: "linkseal.fleetStatus/1",
      at: isoTime(this.#clock.wall()),
      engine:
        lost === undefined
          ? { connected: true }
          : { connected: false, forMs: now - lost.since, why: lost.why },
      verdict: worstOf(rows.map(({ verdict }) => verdict)),
      verdicts: {
        unprotected: count("unprotected"),
        down: count("down"),
        unknown: count("unknown"),
        degraded: count("degraded"),
        protected: count("protected"),
      },
      silent: rows.filter(({ voice }) => voice === "silent").length,
      all: rows.length,
      sites: rows.slice(0, rowsMax),
      freezes: this.#freezes.rows,
      waves: shownWaves(this.#waves.rows),
    };
  }
}

/** The waves that are not done, and the newest of the others; the newest first. */
function shownWaves(rows: readonly WaveRow[]): readonly WaveRow[] {
  const isDone = ({ state }: WaveRow): boolean => state === "done";
  const newest = rows.toReversed();
  return [...newest.filter((row) => !isDone(row)), ...newest.filter(isDone).slice(0, doneMax)];
}

/** A bucket of few keys, of each of which a row is kept. */
class SmallBucket<T> {
  readonly #reader: BucketReader;
  readonly #rowOf: (key: string, octets: Uint8Array) => T | undefined;
  #rows: ReadonlyMap<string, T> = new Map();

  /** `rowOf` returns undefined for a value that is not kept. */
  constructor(
    bucket: Bucket,
    clock: Clocks,
    rowOf: (key: string, octets: Uint8Array) => T | undefined,
  ) {
    this.#reader = new BucketReader(bucket, clock);
    this.#rowOf = rowOf;
  }

  /** The rows; the newest is the last. */
  get rows(): readonly T[] {
    return [...this.#rows.values()];
  }

  restart(): void {
    this.#reader.restart();
  }

  async pass(session: Asker): Promise<void> {
    const found = new Map<string, T | undefined>();
    const isWhole = await this.#reader.pass(session, {
      value: ({ key, octets, isForged }) => {
        if (!/^[a-z0-9.-]{1,127}$/.test(key)) return;
        found.delete(key);
        found.set(key, this.#rowOf(key, isForged ? new Uint8Array() : octets));
      },
      gone: (key) => found.set(key, undefined),
    });
    const next = new Map(isWhole ? [] : this.#rows);
    for (const [key, row] of found) {
      next.delete(key);
      if (row !== undefined && next.size < keysMax) next.set(key, row);
    }
    this.#rows = next;
  }
}
