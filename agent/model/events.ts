// What happened, numbered, for `events -f` and the live feed: a ring in memory, not a record.

import type { WallTime } from "#hal/world.ts";
import type { Verdict } from "./health.ts";
import { isoTime } from "./iso-time.ts";
import type { Severity } from "./warning-rows.ts";

export interface LinksealEvent {
  readonly schema: "linkseal.event/1";
  readonly n: number;
  readonly at: string;
  readonly code: string;
  readonly about: string;
  readonly text: string;
  readonly severity: Severity;
  /** The warning does not hold any longer. */
  readonly over?: true;
  /** The new verdict, where a verdict has changed. */
  readonly verdict?: Verdict;
}

export type EventRest = Partial<Pick<LinksealEvent, "severity" | "over" | "verdict">>;

const kept = 1_000;

export class EventRing {
  readonly #events: LinksealEvent[] = [];
  #count = 0;
  readonly #listeners = new Set<(event: LinksealEvent) => void>();

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
