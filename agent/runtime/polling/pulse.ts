// Whether the loops that do the work still turn: what the watchdog of the service is fed by.

/** One loop: how many turns it has ended, and whether it is in the middle of one. */
export interface Beat {
  readonly name: string;
  readonly turns: number;
  readonly busy: boolean;
}

export class Pulse {
  readonly #turnMsMax: number;
  /** When each loop was first seen in the turn that it is in. */
  readonly #seen = new Map<string, { readonly turns: number; readonly at: number }>();

  /** `turnMsMax`: no turn takes longer unless it hangs. */
  constructor(turnMsMax: number) {
    this.#turnMsMax = turnMsMax;
  }

  /** Name of a loop that hangs; undefined = all turn, or rest between two turns. */
  late(beats: readonly Beat[], now: number): string | undefined {
    for (const { name, turns, busy } of beats) {
      const seen = this.#seen.get(name);
      if (!busy) this.#seen.delete(name);
      else if (seen?.turns !== turns) this.#seen.set(name, { turns, at: now });
      else if (now - seen.at > this.#turnMsMax) return name;
    }
    return undefined;
  }
}
