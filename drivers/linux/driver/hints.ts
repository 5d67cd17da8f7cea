// Who tells that something changed: the content of an event is nobody's fact, it only brings the
// next look forward.

import type { Clock } from "#hal/world.ts";

/** Between two questions: a storm of changes must not become a storm of looks. */
const calmMs = 1_000;
const awayMs = 5_000;

/** How often something changed so far, as soon as it is more than `after`; undefined = away. */
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

  /** Once for each name, until the end. */
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
