// One answer to all who ask while it is being made, and for a moment after: who asks again and
// again costs no more than who asks once.

import type { Clock, Instant } from "#hal/world.ts";

interface Round<T> {
  readonly answer: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
  /** undefined = it is under way. */
  madeAt: Instant | undefined;
}

export class SharedAnswer<T> {
  readonly #clock: Pick<Clock, "now">;
  readonly #make: (signal: AbortSignal) => Promise<T>;
  #round: Round<T> | undefined;

  constructor(clock: Pick<Clock, "now">, make: (signal: AbortSignal) => Promise<T>) {
    this.#clock = clock;
    this.#make = make;
  }

  /**
   * Rejects with the reason of `signal` once that aborts; the round goes on for the others, and
   * ends with the last of them. A round that failed is made again for the next who asks.
   */
  async get(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const round = this.#standing() ?? this.#begin();
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    round.waiting += 1;
    try {
      return await Promise.race([round.answer, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      round.waiting -= 1;
      if (round.waiting === 0 && round.madeAt === undefined) this.#end(round);
    }
  }

  #standing(): Round<T> | undefined {
    const round = this.#round;
    if (round?.madeAt === undefined) return round;
    return this.#clock.now() - round.madeAt < keptMs ? round : undefined;
  }

  #begin(): Round<T> {
    const stop = new AbortController();
    const answer = this.#make(stop.signal);
    const round: Round<T> = { answer, stop, waiting: 0, madeAt: undefined };
    this.#round = round;
    answer.then(
      () => {
        round.madeAt = this.#clock.now();
      },
      () => this.#end(round),
    );
    return round;
  }

  #end(round: Round<T>): void {
    if (this.#round === round) this.#round = undefined;
    round.stop.abort(new Error("all who asked have left"));
  }
}

/** A person who asks twice in a row sees a change; who asks a thousand times a second does not. */
const keptMs = 3_000;
