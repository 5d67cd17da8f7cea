// Fields of a frame between programs of this host, one behind the other.

import type { Octets } from "#hal/netlink.ts";
import type { Secret } from "#hal/secret.ts";
import { Malformed } from "../../local/shape.ts";

/** Behind its length, of one octet. */
export function counted(octets: Uint8Array | Secret): Octets {
  return [Uint8Array.of(octets.byteLength), octets];
}

export function u32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}

/** Reads from the front; nothing is read beyond the end. */
export class Fields {
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

  u8(what: string): number {
    return this.#take(what, 1)[0] ?? 0;
  }

  u32(what: string): number {
    const { buffer, byteOffset } = this.#take(what, 4);
    return new DataView(buffer, byteOffset).getUint32(0);
  }

  choice<T>(what: string, of: readonly T[]): T {
    const chosen = of[this.u8(what)];
    if (chosen === undefined) throw new Malformed(what);
    return chosen;
  }

  counted(what: string, min: number, max: number): Uint8Array {
    const length = this.u8(what);
    if (length < min || length > max) throw new Malformed(what);
    return this.#take(what, length);
  }

  end(): void;
  end<T>(read: T): T;
  end<T>(read?: T): T | undefined {
    if (this.#at !== this.#octets.length) throw new Malformed("length");
    return read;
  }
}
