// Decides when a failed operation is tried again: later each time, at a random offset.

import type { LinksealError } from "#hal/error.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import { jitterMs } from "../../rotation/policy.ts";

/** The delays in milliseconds. */
const waitMs = { least: 10_000, most: 300_000 } as const;

/**
 * Draws the delay in milliseconds after so many tries: `least` after the first, doubled with each
 * further one up to `most`, and up to a quarter longer.
 */
export function retryDelayMs(
  entropy: World["entropy"],
  tries: number,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const ms = Math.min(most, least * 2 ** (tries - 1));
  return ms + jitterMs(entropy.bytes(4), ms / 4);
}

interface Failure {
  readonly error: LinksealError;
  readonly tries: number;
  readonly notBefore: Instant;
}

/** The delays of failed operations, by name. */
export class Retries {
  readonly #world: Pick<World, "clock" | "entropy">;
  readonly #failures = new Map<string, Failure>();

  constructor(world: Pick<World, "clock" | "entropy">) {
    this.#world = world;
  }

  /** Returns true if the operation may not be tried again yet. */
  isWaiting(name: string): boolean {
    const failure = this.#failures.get(name);
    return failure !== undefined && this.#world.clock.now() < failure.notBefore;
  }

  /** Notes a failure and draws the next delay. */
  failed(name: string, error: LinksealError): void {
    const { clock, entropy } = this.#world;
    const tries = (this.#failures.get(name)?.tries ?? 0) + 1;
    const notBefore = instantAfter(clock.now(), retryDelayMs(entropy, tries, waitMs));
    this.#failures.set(name, { error, tries, notBefore });
  }

  /** Forgets the failures of an operation that succeeded. */
  succeeded(name: string): void {
    this.#failures.delete(name);
  }

  /**
   * Forgets the failures of operations that are not wanted any more: all but those of these names.
   */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#failures.keys()) {
      if (!names.has(name)) this.#failures.delete(name);
    }
  }

  /** The failure of this operation without a later success; undefined = none. */
  failure(name: string): LinksealError | undefined {
    return this.#failures.get(name)?.error;
  }
}
