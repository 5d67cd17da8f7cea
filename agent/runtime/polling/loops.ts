// The loops of a supervisor: turn after turn, with a wait in between that a wake ends early.

import type { Clock } from "#hal/world.ts";
import { slept } from "./wait.ts";
import type { Heartbeat } from "./watchdog.ts";

/** One loop. */
export interface NamedTurn {
  /** The loop's name, unique among the loops. */
  readonly name: string;
  /** Runs one turn and returns the wait after it, in milliseconds. */
  readonly turn: () => Promise<number>;
  /** Present if `wake` may end the wait; absent = only the end of the loop does. */
  readonly wakes?: true;
}

/** The least time in milliseconds between a wake and the wait that it ends. */
const calmMs = 1_000;

/** Runs loops. */
export class Loops {
  readonly #clock: Clock;
  readonly #wakes = new Map<string, AbortController>();
  readonly #heartbeats = new Map<string, Heartbeat>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The heartbeat of every loop. */
  get heartbeats(): readonly Heartbeat[] {
    return [...this.#heartbeats.values()];
  }

  /** Ends the present or next wait of a loop early. */
  wake(name: string): void {
    this.#wakes.get(name)?.abort();
  }

  /** Ends the wait of every loop that can be woken. */
  wakeAll(): void {
    for (const wake of this.#wakes.values()) wake.abort();
  }

  /** Runs a loop until `stop` aborts, between turns. Rejects with the error of a turn. */
  async run({ name, turn, wakes }: NamedTurn, stop: AbortSignal): Promise<void> {
    for (let turns = 0; !stop.aborted; ) {
      const wake = wakes === true ? this.#wakeOf(name) : stop;
      this.#heartbeats.set(name, { name, turns, busy: true });
      const waitMs = await turn();
      turns += 1;
      this.#heartbeats.set(name, { name, turns, busy: false });
      if (waitMs <= 0) continue;
      const from = this.#clock.now();
      if (await slept(this.#clock, waitMs, wake)) continue;
      await slept(this.#clock, calmMs - (this.#clock.now() - from), stop);
    }
  }

  /** A signal that the loop has used is replaced. */
  #wakeOf(name: string): AbortSignal {
    const wake = this.#wakes.get(name);
    if (wake !== undefined && !wake.signal.aborted) return wake.signal;
    const fresh = new AbortController();
    this.#wakes.set(name, fresh);
    return fresh.signal;
  }
}
