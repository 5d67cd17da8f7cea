// Tasks that run beside the loop that began them, each under names that run only once at a time.

/** Runs tasks; the loop that begins one does not wait for it. */
export class Tasks {
  readonly #running = new Map<string, Promise<void>>();
  #broken: { readonly error: unknown } | undefined;

  /** Returns true if a task of that name runs. */
  has(name: string): boolean {
    return this.#running.has(name);
  }

  /** The number of names under which tasks run. */
  get size(): number {
    return this.#running.size;
  }

  /** Begins a task under these names; `work` handles its own errors, all others break `check`. */
  begin(names: readonly string[], work: () => Promise<void>): void {
    const run = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        this.#broken ??= { error };
      } finally {
        for (const name of names) this.#running.delete(name);
      }
    };
    const done = run();
    for (const name of names) this.#running.set(name, done);
  }

  /** Throws the error of the first task that broke an invariant. */
  check(): void {
    if (this.#broken !== undefined) throw this.#broken.error;
  }

  /** Resolves once no task runs. Throws as `check` does. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
    this.check();
  }
}
