// Change notifications of the host's processes. The content of an event is never used as a fact; it
// only brings the next observation forward.

import type { Clock } from "#hal/world.ts";

/**
 * The pause between two queries, so that a storm of changes does not become a storm of
 * observations.
 */
const calmMs = 1_000;
const awayMs = 5_000;

/**
 * Returns how many changes happened so far, as soon as there are more than `after`; undefined = the
 * process does not answer.
 */
type Ask = (after: number) => Promise<number | undefined>;

export class Hints {
  readonly #clock: Pick<Clock, "sleep">;
  readonly #hint: () => void;
  readonly #end: AbortSignal;
  readonly #watched = new Set<string>();

  constructor(clock: Pick<Clock, "sleep">, hint: () => void, end: AbortSignal) {
    this.#clock = clock;
    this.#hint = hint;
    this.#end = end;
  }

  /** Follows one source until the end; a name that is watched already is ignored. */
  watch(name: string, ask: Ask): void {
    if (this.#watched.has(name)) return;
    this.#watched.add(name);
    void this.#follow(ask);
  }

  async #follow(ask: Ask): Promise<void> {
    for (let seen = -1; !this.#end.aborted; ) {
      const told = await ask(seen);
      if (told !== undefined && seen >= 0 && told !== seen) this.#hint();
      seen = told ?? seen;
      const restMs = told === undefined ? awayMs : calmMs;
      await this.#clock.sleep(restMs, this.#end).catch(() => undefined);
    }
  }
}
