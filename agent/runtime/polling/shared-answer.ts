// One answer for all callers that wait for it: a client that calls again and again costs no more
// than one that calls once, and an answer is never older than its call.

import type { Clock, Instant } from "#hal/world.ts";
import { instantAfter } from "#hal/world.ts";

interface Round<T> {
  readonly answer: Promise<T>;
  readonly stop: AbortController;
  asking: number;
}

/** Shares the answers of `make` among concurrent callers. */
export class SharedAnswer<T> {
  readonly #clock: Pick<Clock, "now" | "sleep">;
  readonly #make: (signal: AbortSignal) => Promise<T>;
  readonly #restMs: (tookMs: number) => number;
  /** The round that has not begun: only its answer is newer than a call that comes now. */
  #next: Round<T> | undefined;
  /** Settles once the previous round has ended, with or without error. */
  #before: Promise<unknown> = Promise.resolve();
  #mayBeginAt: Instant | undefined;

  /**
   * `restMs` returns the pause in milliseconds after a round, from the time that the round took.
   */
  constructor(
    clock: Pick<Clock, "now" | "sleep">,
    make: (signal: AbortSignal) => Promise<T>,
    restMs: (tookMs: number) => number = () => usualRestMs,
  ) {
    this.#clock = clock;
    this.#make = make;
    this.#restMs = restMs;
  }

  /**
   * Returns the next round's answer. Rejects with the reason of `signal` once that aborts; the
   * round goes on for the other callers, and is aborted with the last of them. A failed round
   * rejects for its own callers only.
   */
  async get(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#next ??= this.#schedule();
    const round = this.#next;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    round.asking += 1;
    try {
      return await Promise.race([round.answer, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      round.asking -= 1;
      if (round.asking === 0) this.#leave(round);
    }
  }

  #schedule(): Round<T> {
    const stop = new AbortController();
    const round: Round<T> = { answer: this.#run(stop.signal), stop, asking: 0 };
    this.#before = round.answer.catch(() => undefined);
    return round;
  }

  async #run(signal: AbortSignal): Promise<T> {
    await this.#before;
    const waitMs = (this.#mayBeginAt ?? this.#clock.now()) - this.#clock.now();
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
    signal.throwIfAborted();
    this.#next = undefined;
    const begun = this.#clock.now();
    try {
      return await this.#make(signal);
    } finally {
      const ended = this.#clock.now();
      this.#mayBeginAt = instantAfter(ended, this.#restMs(ended - begun));
    }
  }

  #leave(round: Round<T>): void {
    if (this.#next === round) this.#next = undefined;
    round.stop.abort(new Error("all who asked have left"));
  }
}

/** The pause in milliseconds from the end of one round to the beginning of the next. */
const usualRestMs = 3_000;
