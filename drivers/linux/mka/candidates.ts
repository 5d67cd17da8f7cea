// Changes that were staged and not applied. Their keys are wiped if no apply follows, as when the
// agent dies in between.

import type { Clock } from "#hal/world.ts";
import { caKeys } from "./keys.ts";
import type { AskedPart } from "./protocol.ts";
import type { HeldPart } from "./staging.ts";

/** Longer than the longest wait for a far end between a prepare and its apply. */
const lifetimeMs = 3_600_000;
const candidatesMax = 8;
const partsMax = 16;

interface Candidate {
  readonly parts: Map<number, HeldPart>;
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
  put(token: string, place: number, part: AskedPart): void {
    const { parts } = this.#candidates.get(token) ?? this.#begin(token);
    wipePart(parts.get(place));
    parts.set(place, heldOf(part));
    if (parts.size > partsMax) this.drop(token);
  }

  #begin(token: string): Candidate {
    const candidate = { parts: new Map<number, HeldPart>(), over: new AbortController() };
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
  get(token: string): readonly HeldPart[] | undefined {
    const candidate = this.#candidates.get(token);
    if (candidate === undefined) return undefined;
    return [...candidate.parts].toSorted(([a], [b]) => a - b).map(([, part]) => part);
  }

  drop(token: string): void {
    const candidate = this.#candidates.get(token);
    this.#candidates.delete(token);
    candidate?.over.abort();
    for (const part of candidate?.parts.values() ?? []) wipePart(part);
  }

  wipe(): void {
    for (const token of this.#candidates.keys()) this.drop(token);
  }
}

function heldOf(part: AskedPart): HeldPart {
  return "key" in part ? { ...part, key: caKeys(part.key, part.ckn) } : part;
}

function wipePart(part: HeldPart | undefined): void {
  if (part === undefined || !("key" in part)) return;
  part.key.ick[Symbol.dispose]();
  part.key.kek[Symbol.dispose]();
}
