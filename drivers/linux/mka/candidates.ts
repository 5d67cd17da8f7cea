// Changes that were staged and not applied. Their keys are wiped if no apply follows, as when the
// agent dies in between.

import type { Clock } from "#hal/world.ts";
import { caKeys } from "./keys.ts";
import type { RequestedOperation } from "./protocol.ts";
import type { StagedOperation } from "./staging.ts";

/** Longer than the longest wait for a far end between a prepare and its apply. */
const lifetimeMs = 3_600_000;
const candidatesMax = 8;
const operationsMax = 16;

interface Candidate {
  readonly operations: Map<number, StagedOperation>;
  readonly over: AbortController;
}

export class Candidates {
  readonly #clock: Pick<Clock, "sleep">;
  readonly #candidates = new Map<string, Candidate>();

  constructor(clock: Pick<Clock, "sleep">) {
    this.#clock = clock;
  }

  /**
   * Stages an operation; the same place again replaces it, since a client repeats a request whose
   * reply was lost.
   */
  put(token: string, place: number, operation: RequestedOperation): void {
    const { operations } = this.#candidates.get(token) ?? this.#begin(token);
    wipeOperation(operations.get(place));
    operations.set(place, stagedOf(operation));
    if (operations.size > operationsMax) this.drop(token);
  }

  #begin(token: string): Candidate {
    const candidate = {
      operations: new Map<number, StagedOperation>(),
      over: new AbortController(),
    };
    this.#candidates.set(token, candidate);
    for (const oldest of this.#candidates.keys()) {
      if (this.#candidates.size <= candidatesMax) break;
      this.drop(oldest);
    }
    void this.#clock
      .sleep(lifetimeMs, candidate.over.signal)
      .then(() => this.drop(token))
      .catch(() => undefined);
    return candidate;
  }

  /**
   * Returns the operations in the order of their places; undefined = the change is not staged any
   * more.
   */
  get(token: string): readonly StagedOperation[] | undefined {
    const candidate = this.#candidates.get(token);
    if (candidate === undefined) return undefined;
    return [...candidate.operations]
      .toSorted(([a], [b]) => a - b)
      .map(([, operation]) => operation);
  }

  drop(token: string): void {
    const candidate = this.#candidates.get(token);
    this.#candidates.delete(token);
    candidate?.over.abort();
    for (const operation of candidate?.operations.values() ?? []) wipeOperation(operation);
  }

  wipe(): void {
    for (const token of this.#candidates.keys()) this.drop(token);
  }
}

function stagedOf(operation: RequestedOperation): StagedOperation {
  return "key" in operation
    ? { ...operation, key: caKeys(operation.key, operation.ckn) }
    : operation;
}

function wipeOperation(operation: StagedOperation | undefined): void {
  if (operation === undefined || !("key" in operation)) return;
  operation.key.ick[Symbol.dispose]();
  operation.key.kek[Symbol.dispose]();
}
