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

export class ChangeNotifications {
  readonly #clock: Pick<Clock, "sleep">;
  readonly #onChange: () => void;
  readonly #end: AbortSignal;
  readonly #subscribed = new Set<string>();

  constructor(clock: Pick<Clock, "sleep">, onChange: () => void, end: AbortSignal) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#end = end;
  }

  /** Follows one source until the end; a name that is watched already is ignored. */
  subscribe(name: string, ask: Ask): void {
    if (this.#subscribed.has(name)) return;
    this.#subscribed.add(name);
    void this.#follow(ask);
  }

  async #follow(ask: Ask): Promise<void> {
    for (let lastCount = -1; !this.#end.aborted; ) {
      const count = await ask(lastCount);
      if (count !== undefined && lastCount >= 0 && count !== lastCount) this.#onChange();
      lastCount = count ?? lastCount;
      const restMs = count === undefined ? awayMs : calmMs;
      await this.#clock.sleep(restMs, this.#end).catch(() => undefined);
    }
  }
}
