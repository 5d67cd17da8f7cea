// A clock with a pace that a test sets.

import { alarmOf, type Clock, type Instant, type WallTime } from "#hal/world.ts";

/** A clock that passes as much time per real moment as the test sets. */
export class PacedClock implements Clock {
  readonly #speed: number;
  readonly #start = performance.now();
  readonly #wall = Date.now();
  readonly alarm = alarmOf((ms, signal) => this.sleep(ms, signal));

  constructor(speed: number) {
    this.#speed = speed;
  }

  now(): Instant {
    return ((performance.now() - this.#start) * this.#speed) as Instant;
  }

  wall(): WallTime {
    return (this.#wall + this.now()) as WallTime;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const timer = setTimeout(resolve, ms / this.#speed);
      signal?.addEventListener(
        "abort",
        () => {
          clearTimeout(timer);
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }
}
