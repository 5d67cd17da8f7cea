// One thing at a time per group: an operator's word never falls between a decision and its effect.

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `act` once everything that was asked for this group before has ended. */
  take<T>(group: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(group) ?? Promise.resolve();
    const mine = before.then(act);
    this.#last.set(
      group,
      mine.catch(() => undefined),
    );
    return mine;
  }
}
