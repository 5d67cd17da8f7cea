// Framing for messages between programs of this host: fields that follow each other.

import { Malformed } from "#hal/decoder.ts";
import type { Octets } from "#hal/netlink.ts";
import type { Secret } from "#hal/secret.ts";

/** Writes the length in one octet, then the octets. */
export function counted(octets: Uint8Array | Secret): Octets {
  return [Uint8Array.of(octets.byteLength), octets];
}

/** Writes 32 bits in network order. */
export function u32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}

/** Reads fields from the front, and nothing beyond the end. */
export class FrameReader {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  #take(what: string, length: number): Uint8Array {
    if (length > this.#octets.length - this.#at) throw new Malformed(what);
    this.#at += length;
    return this.#octets.subarray(this.#at - length, this.#at);
  }

  /**
   * Reads one octet.
   * @throws Malformed if it is missing
   */
  u8(what: string): number {
    return this.#take(what, 1)[0] ?? 0;
  }

  /**
   * Reads 32 bits in network order.
   * @throws Malformed if they are missing
   */
  u32(what: string): number {
    const { buffer, byteOffset } = this.#take(what, 4);
    return new DataView(buffer, byteOffset).getUint32(0);
  }

  /**
   * Reads one octet as an index into `of`.
   * @throws Malformed if nothing has this index
   */
  choice<T>(what: string, of: readonly T[]): T {
    const chosen = of[this.u8(what)];
    if (chosen === undefined) throw new Malformed(what);
    return chosen;
  }

  /**
   * Reads a length of one octet, then as many octets.
   * @throws Malformed if the length is outside [min, max]
   */
  counted(what: string, min: number, max: number): Uint8Array {
    const length = this.u8(what);
    if (length < min || length > max) throw new Malformed(what);
    return this.#take(what, length);
  }

  /**
   * Returns nothing, or `read`, if all octets were read.
   * @throws Malformed if some are left
   */
  end(): void;
  /**
   * Returns `read` if all octets were read.
   * @throws Malformed if some are left
   */
  end<T>(read: T): T;
  /**
   * Returns `read` if all octets were read.
   * @throws Malformed if some are left
   */
  end<T>(read?: T): T | undefined {
    if (this.#at !== this.#octets.length) throw new Malformed("length");
    return read;
  }
}
