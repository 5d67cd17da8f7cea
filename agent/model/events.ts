// What happened, numbered, for `events -f` and the live feed: a ring in memory, not a record.

import type { WallTime } from "#hal/world.ts";
import type { Verdict } from "./health.ts";
import { isoTime } from "./iso-time.ts";
import type { Severity } from "./warning-rows.ts";

/** One event as scripts and the webhook read it (linkseal.event/1). */
export interface LinksealEvent {
  /** Name and version of the schema. */
  readonly schema: "linkseal.event/1";
  /** Number of the event since the agent's start; the first has 1. */
  readonly n: number;
  /** The time of the event, in UTC (RFC 3339). */
  readonly at: string;
  /** A stable code, such as `cak-mismatch`, `campaign-held` or `intent-accepted`. */
  readonly code: string;
  /** What it concerns, such as a link (`group/link`), a group, a tunnel or a device. */
  readonly about: string;
  /** One sentence for the operator. */
  readonly text: string;
  /** That of the new state: `info` unless the event reports a warning or an error. */
  readonly severity: Severity;
  /** The warning does not hold any longer. */
  readonly over?: true;
  /** Code of what the event ends: a warning, or the first reason of a worse verdict. */
  readonly resolves?: string;
  /** Severity of what the event ends; present with `resolves`. */
  readonly ends?: Severity;
  /** The new verdict, where a verdict has changed. */
  readonly verdict?: Verdict;
}

/** The fields of an event that not every event has. */
export type EventRest = Partial<
  Pick<LinksealEvent, "severity" | "over" | "resolves" | "ends" | "verdict">
>;

const kept = 1_000;

/** The newest 1000 events of this process. */
export class EventRing {
  readonly #events: LinksealEvent[] = [];
  #count = 0;
  readonly #listeners = new Set<(event: LinksealEvent) => void>();

  /**
   * Numbers an event, keeps it, and passes it to each listener; without `rest` it has severity
   * `info`.
   */
  add(at: WallTime, code: string, about: string, text: string, rest: EventRest = {}): void {
    this.#count += 1;
    const event: LinksealEvent = {
      schema: "linkseal.event/1",
      n: this.#count,
      at: isoTime(at),
      code,
      about,
      text,
      severity: "info",
      ...rest,
    };
    this.#events.push(event);
    if (this.#events.length > kept) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** How many there ever were. */
  get count(): number {
    return this.#count;
  }

  /**
   * Events after number `n`, oldest first; all of them for a number that only an agent before this
   * one can have given.
   */
  after(n: number): readonly LinksealEvent[] {
    if (n > this.#count) return [...this.#events];
    return this.#events.filter((event) => event.n > n);
  }

  /** Calls back for each later event until the returned function is called. */
  listen(listener: (event: LinksealEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
