// Every combination of choices, one after the other, by code that asks for them as it goes.

/** Runs the same code once for each combination of its choices. */
export class Choices {
  readonly #path: { index: number; readonly size: number }[] = [];
  #depth = 0;

  choose<T>(values: readonly T[]): T {
    const step = this.#path[this.#depth] ?? { index: 0, size: values.length };
    this.#path[this.#depth] = step;
    this.#depth += 1;
    return values[step.index] as T;
  }

  /** The next combination; false = that was the last one. */
  next(): boolean {
    this.#path.length = this.#depth;
    this.#depth = 0;
    for (;;) {
      const last = this.#path.at(-1);
      if (last === undefined) return false;
      last.index += 1;
      if (last.index < last.size) return true;
      this.#path.pop();
    }
  }
}
