// Seeded randomness: every component forks its own stream by name, so a new draw in one place does
// not shift another.

import type { Entropy } from "#hal/world.ts";

/** The sfc32 generator; not for keys outside the simulator. */
export class Prng implements Entropy {
  readonly seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    this.seed = seed;
    const state = mix(seed);
    this.#a = state[0];
    this.#b = state[1];
    this.#c = state[2];
    for (let i = 0; i < 12; i += 1) this.uint32();
  }

  /** Returns an independent stream; its seed is this seed and `name`. */
  fork(name: string): Prng {
    return new Prng(`${this.seed}/${name}`);
  }

  /** Returns a uniform 32-bit unsigned integer. */
  uint32(): number {
    const t = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  /** Returns a number in [0, 1). */
  real(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Returns a whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + Math.floor(this.real() * (high - low + 1));
  }

  /** Returns true with this probability (0 to 1). */
  chance(probability: number): boolean {
    return this.real() < probability;
  }

  /** Returns one of the items, of which there must be at least one. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new RangeError("pick from nothing");
    return item;
  }

  /** Returns `length` random octets. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.uint32() & 0xff);
  }

  /** Returns random octets as lower-case hex digits, two for each octet. */
  hex(octets: number): string {
    return Array.from(this.bytes(octets), (b) => b.toString(16).padStart(2, "0")).join("");
  }
}

// Hashes the seed with FNV-1a over three offsets, which spreads short seeds; quality comes from the
// warm-up rounds.
function mix(seed: string): [number, number, number] {
  const round = (basis: number): number => {
    let hash = basis;
    for (let i = 0; i < seed.length; i += 1) {
      hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    }
    return hash | 0;
  };
  return [round(0x811c9dc5), round(0x1b873593), round(0x5bd1e995)];
}
