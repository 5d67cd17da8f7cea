// Measures how late the timers of this process ring: an agent without processor time must not blame
// the routers for readings that it could not take in time.

import { type Clock, instantAfter } from "#hal/world.ts";

/** The time between two measurements, in milliseconds. */
const everyMs = 1_000;
/** A minute of measurements; too few of them conclude nothing. */
const samples = { least: 20, most: 60 } as const;
/**
 * Half of a minute's timers ring this late, in milliseconds, or later: a loop that is free rings
 * within a few. A process that was stopped once is late once.
 */
const overloadMs = 500;

/** The lags of the last minute. */
export class LoopLag {
  readonly #lateMs: number[] = [];
  #middle: number | undefined;

  /** Adds one measurement, in milliseconds. */
  note(lateMs: number): void {
    this.#lateMs.push(Math.max(0, lateMs));
    if (this.#lateMs.length > samples.most) this.#lateMs.shift();
    const { length } = this.#lateMs;
    if (length < samples.least) return;
    this.#middle = this.#lateMs.toSorted((a, b) => a - b)[Math.floor(length / 2)];
  }

  /** The lag that half of the measurements exceed, in milliseconds; undefined = too few yet. */
  get ms(): number | undefined {
    return this.#middle;
  }

  /** True if the process gets too little processor time for what it has to do. */
  get isOverload(): boolean {
    return (this.ms ?? 0) >= overloadMs;
  }
}

/** Measures until the signal aborts. */
export async function measureLag(lag: LoopLag, clock: Clock, end: AbortSignal): Promise<void> {
  while (!end.aborted) {
    const due = instantAfter(clock.now(), everyMs);
    await clock.sleep(everyMs, end).catch(() => undefined);
    if (!end.aborted) lag.note(clock.now() - due);
  }
}
