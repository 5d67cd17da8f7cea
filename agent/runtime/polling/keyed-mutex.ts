// The keyed mutex: one task at a time per group, so that an operator's command never runs between a
// decision and its effect.

/** Runs tasks one after the other for each key. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `act` once all earlier tasks of this group have ended. */
  run<T>(group: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(group) ?? Promise.resolve();
    const mine = before.then(act);
    this.#last.set(
      group,
      mine.catch(() => undefined),
    );
    return mine;
  }
}
