// When something that failed is tried again: later each time, and not at the moment of others.

import type { LinksealError } from "#hal/error.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import { jitterMs } from "../../rotation/policy.ts";

/** The first wait, doubled with each failure up to the longest; each is up to a quarter longer. */
const waitMs = { least: 10_000, most: 300_000 } as const;

interface Failure {
  readonly error: LinksealError;
  readonly tries: number;
  readonly notBefore: Instant;
}

export class Retries {
  readonly #world: Pick<World, "clock" | "entropy">;
  readonly #failures = new Map<string, Failure>();

  constructor(world: Pick<World, "clock" | "entropy">) {
    this.#world = world;
  }

  isWaiting(name: string): boolean {
    const failure = this.#failures.get(name);
    return failure !== undefined && this.#world.clock.now() < failure.notBefore;
  }

  failed(name: string, error: LinksealError): void {
    const { clock, entropy } = this.#world;
    const tries = (this.#failures.get(name)?.tries ?? 0) + 1;
    const ms = Math.min(waitMs.most, waitMs.least * 2 ** (tries - 1));
    const notBefore = instantAfter(clock.now(), ms + jitterMs(entropy.bytes(4), ms / 4));
    this.#failures.set(name, { error, tries, notBefore });
  }

  succeeded(name: string): void {
    this.#failures.delete(name);
  }

  /** The first failure that no success has ended; undefined = none. */
  get trouble(): LinksealError | undefined {
    return this.#failures.values().next().value?.error;
  }
}
