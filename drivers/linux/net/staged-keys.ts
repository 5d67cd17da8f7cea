// Keys that wait for their SAs: in memory alone, and not for long.

import type { Clock } from "#hal/world.ts";
import type { SaKeys, SaPlace, StagedSa } from "./key-frames.ts";

/** A key that nobody came to use is nobody's any more. */
const keepMs = 60_000;
const stagedMax = 64;

interface Kept {
  readonly keys: SaKeys;
  readonly late: AbortController;
}

export class StagedKeys {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wiped in a minute, or once they are taken. */
  put({ destination, spi, encryption, integrity }: StagedSa): void {
    const name = nameOf({ destination, spi });
    this.#drop(name);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < stagedMax) break;
      this.#drop(oldest);
    }
    const late = new AbortController();
    this.#kept.set(name, { keys: { encryption, integrity }, late });
    void this.#clock.sleep(keepMs, late.signal).then(
      () => this.#drop(name),
      () => undefined,
    );
  }

  /** Whoever takes them wipes them; undefined = they are not here. */
  take(place: SaPlace): SaKeys | undefined {
    const name = nameOf(place);
    const kept = this.#kept.get(name);
    this.#kept.delete(name);
    kept?.late.abort();
    return kept?.keys;
  }

  clear(): void {
    for (const name of [...this.#kept.keys()]) this.#drop(name);
  }

  #drop(name: string): void {
    const kept = this.#kept.get(name);
    if (kept === undefined) return;
    this.#kept.delete(name);
    kept.late.abort();
    wipeKeys(kept.keys);
  }
}

export function wipeKeys({ encryption, integrity }: SaKeys): void {
  encryption[Symbol.dispose]();
  integrity[Symbol.dispose]();
}

const nameOf = ({ destination, spi }: SaPlace): string => `${destination} ${spi}`;
