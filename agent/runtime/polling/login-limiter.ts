// Limits how many devices are logged in to at the same time: a thousand handshakes together are
// slow for this process, and a burst for those who check the logins.

import type { Clock } from "#hal/world.ts";

/**
 * The longest wait for a turn, in milliseconds: then the caller tries again at its next turn, which
 * shows that its loop goes on.
 */
const waitMsMax = 60_000;

/** Devices with this many failures in a row, or more, wait behind all others alike. */
const failuresMax = 2;

interface Waiter {
  /** Ends the wait: with a place, or without one. */
  readonly end: (gotPlace: boolean) => void;
}

/**
 * Places for logins. Devices with fewer failures in a row get them first, so that those that hold
 * each login to its deadline keep no other away; of equal ones, the first to come.
 */
export class LoginLimiter {
  readonly #clock: Pick<Clock, "alarm">;
  readonly #most: () => number;
  /** By the number of failures in a row. */
  readonly #waiting = Array.from({ length: failuresMax + 1 }, () => new Set<Waiter>());
  #taken = 0;

  /** `most`: how many places there are now. */
  constructor(clock: Pick<Clock, "alarm">, most: () => number) {
    this.#clock = clock;
    this.#most = most;
  }

  /**
   * Runs `work` in a place; undefined = no place was free within a minute, and nothing was done. An
   * abort while it waits rejects with the reason. `failures`: those of the device in a row.
   */
  async run<T>(
    signal: AbortSignal,
    failures: number,
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    if (!(await this.#enter(signal, failures))) return undefined;
    try {
      return await work();
    } finally {
      this.#taken -= 1;
      this.#fill();
    }
  }

  #enter(signal: AbortSignal, failures: number): Promise<boolean> {
    const waiting = this.#waiting[Math.min(failures, failuresMax)];
    if (waiting === undefined) throw new RangeError(`${failures} failures`);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const leave = (): void => {
      cancel();
      signal.removeEventListener("abort", gone);
      waiting.delete(waiter);
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
    waiting.add(waiter);
    if (signal.aborted) gone();
    this.#fill();
    return promise;
  }

  #fill(): void {
    for (const waiting of this.#waiting) {
      for (const waiter of waiting) {
        if (this.#taken >= this.#most()) return;
        this.#taken += 1;
        waiter.end(true);
      }
    }
  }
}
