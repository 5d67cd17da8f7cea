// Detects loops that hang: the service's watchdog is fed only while all loops run.

/** The heartbeat of one loop: how many turns it has ended, and whether it is in one now. */
export interface Heartbeat {
  /** The loop's name. */
  readonly name: string;
  /** Turns ended since the start. */
  readonly turns: number;
  /** True during a turn. */
  readonly busy: boolean;
}

/** The watchdog's check of the loops. */
export class Watchdog {
  readonly #turnMsMax: number;
  /** When the present turn of each loop was first observed. */
  readonly #seen = new Map<string, { readonly turns: number; readonly at: number }>();
  #checkedAt: number | undefined;

  /** `turnMsMax`: a turn that takes longer than this many milliseconds hangs. */
  constructor(turnMsMax: number) {
    this.#turnMsMax = turnMsMax;
  }

  /** Returns the name of a loop that hangs; undefined = none does. */
  late(heartbeats: readonly Heartbeat[], now: number): string | undefined {
    // A check that comes so late follows a suspend of the host, in which no loop could end a turn.
    const sinceMs = now - (this.#checkedAt ?? now);
    if (sinceMs > this.#turnMsMax) this.#seen.clear();
    this.#checkedAt = now;
    for (const { name, turns, busy } of heartbeats) {
      const seen = this.#seen.get(name);
      if (!busy) this.#seen.delete(name);
      else if (seen?.turns !== turns) this.#seen.set(name, { turns, at: now });
      else if (now - seen.at > this.#turnMsMax) return name;
    }
    return undefined;
  }
}
