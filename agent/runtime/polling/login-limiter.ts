// Limits how many devices are logged in to at the same time: a thousand handshakes together are
// slow for this process, and a burst for those who check the logins.

import type { Clock } from "#hal/world.ts";

/**
 * The longest wait for a turn, in milliseconds: then the caller tries again at its next turn, which
 * shows that its loop goes on.
 */
const waitMsMax = 60_000;

interface Waiter {
  /** Ends the wait: with a place, or without one. */
  readonly end: (gotPlace: boolean) => void;
}

/** Places for logins; those who wait get them in the order in which they came. */
export class LoginLimiter {
  readonly #clock: Pick<Clock, "alarm">;
  readonly #most: () => number;
  readonly #waiting = new Set<Waiter>();
  #taken = 0;

  /** `most`: how many places there are now. */
  constructor(clock: Pick<Clock, "alarm">, most: () => number) {
    this.#clock = clock;
    this.#most = most;
  }

  /**
   * Runs `work` in a place; undefined = no place was free within a minute, and nothing was done. An
   * abort while it waits rejects with the reason.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#enter(signal))) return undefined;
    try {
      return await work();
    } finally {
      this.#taken -= 1;
      this.#fill();
    }
  }

  #enter(signal: AbortSignal): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const leave = (): void => {
      cancel();
      signal.removeEventListener("abort", gone);
      this.#waiting.delete(waiter);
    };
    const gone = (): void => {
      leave();
      reject(signal.reason);
    };
    const end = (gotPlace: boolean): void => {
      leave();
      resolve(gotPlace);
    };
    const waiter: Waiter = { end };
    const cancel = this.#clock.alarm(waitMsMax, () => end(false));
    signal.addEventListener("abort", gone, { once: true });
    this.#waiting.add(waiter);
    if (signal.aborted) gone();
    this.#fill();
    return promise;
  }

  #fill(): void {
    for (const waiter of this.#waiting) {
      if (this.#taken >= this.#most()) return;
      this.#taken += 1;
      waiter.end(true);
    }
  }
}
