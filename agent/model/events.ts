// What happened, numbered, for `events -f` and the live feed: a ring in memory, not a record.

import type { WallTime } from "#hal/world.ts";
import type { Because, Verdict } from "./health.ts";
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
  /** Present if it is a consequence, or the end of one: its cause has events of its own. */
  readonly because?: Because;
}

/** Adds an event. */
export type ReportEvent = (code: string, about: string, text: string, severity: Severity) => void;

/** The fields of an event that not every event has. */
export type EventRest = Partial<
  Pick<LinksealEvent, "severity" | "over" | "resolves" | "ends" | "verdict" | "because">
>;

/** Events that are kept at least, and more for each link: many times what a rotation reports. */
const keptMin = 1_000;
const keptPerLink = 40;

/** Events after a number, as far as they are kept. */
export interface EventsAfter {
  /** The oldest first. */
  readonly events: readonly LinksealEvent[];
  /** How many events after that number are not kept any more. */
  readonly lost: number;
}

/** The newest events of this process, as many as the site's links need. */
export class EventRing {
  #events: LinksealEvent[] = [];
  #count = 0;
  #kept = keptMin;
  readonly #listeners = new Set<(event: LinksealEvent) => void>();

  /** Keeps as many events as a site with this number of links needs. */
  keepFor(links: number): void {
    this.#kept = Math.max(keptMin, keptPerLink * links);
  }

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
    // Dropped by the dozen, or each event of a large site would move all others.
    if (this.#events.length > this.#kept + keptMin) this.#events = this.#events.slice(-this.#kept);
    for (const listener of this.#listeners) listener(event);
  }

  /** How many there ever were. */
  get count(): number {
    return this.#count;
  }

  /**
   * Returns the events after number `n`; all of them for a number that only an agent before this
   * one can have given.
   */
  after(n: number): EventsAfter {
    const from = n > this.#count ? 0 : n;
    const dropped = this.#count - this.#events.length;
    const events = this.#events.slice(Math.max(0, from - dropped));
    return { events, lost: Math.max(0, dropped - from) };
  }

  /** Calls back for each later event until the returned function is called. */
  listen(listener: (event: LinksealEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
