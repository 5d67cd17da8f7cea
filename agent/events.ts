// What happened, numbered, for `events -f` and the live feed: a ring in memory, not a record.

import type { WallTime } from "#hal/world.ts";
import { isoTime } from "./health/status-time.ts";

export interface LinksealEvent {
  readonly schema: "linkseal.event/1";
  readonly n: number;
  readonly at: string;
  readonly code: string;
  readonly about: string;
  readonly text: string;
}

const kept = 1_000;

export class EventRing {
  readonly #events: LinksealEvent[] = [];
  #count = 0;
  readonly #listeners = new Set<(event: LinksealEvent) => void>();

  add(at: WallTime, code: string, about: string, text: string): void {
    this.#count += 1;
    const event: LinksealEvent = {
      schema: "linkseal.event/1",
      n: this.#count,
      at: isoTime(at),
      code,
      about,
      text,
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
