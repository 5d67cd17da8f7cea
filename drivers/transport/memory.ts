// Memory that outlives the process because the service manager keeps its descriptor. It has two
// places that are written alternately, so that a crash during a write leaves the older one.

import { createHash } from "node:crypto";
import { readSync, writeSync } from "node:fs";
import type { Octets } from "#hal/netlink.ts";
import type { Native } from "./native.ts";
import { fillOctets } from "./octets.ts";

const placeBytes = 16 * 1024;
const hashBytes = 32;
/** Hash, number and length. */
const headerBytes = hashBytes + 8;

/** Memory that a successor of this process can read. */
export class HeldMemory {
  readonly descriptor: number;
  #number: number;

  private constructor(descriptor: number, number: number) {
    this.descriptor = descriptor;
    this.#number = number;
  }

  /**
   * Creates such memory.
   * @throws Error of the system call.
   */
  static create(native: Native, name: string): HeldMemory {
    return new HeldMemory(native.openMemory(name, 2 * placeBytes), 0);
  }

  /**
   * Takes over the memory of a predecessor.
   * @throws Error if the descriptor is not memory of this kind.
   */
  static adopt(native: Native, descriptor: number): HeldMemory {
    native.checkMemory(descriptor);
    return new HeldMemory(descriptor, newest(descriptor)?.number ?? 0);
  }

  /** Returns what was written last and completely; the caller wipes it. */
  read(): Uint8Array | undefined {
    return newest(this.descriptor)?.content;
  }

  /**
   * Writes the octets.
   * @throws RangeError if they do not fit.
   */
  write(octets: Octets): void {
    const length = octets.reduce((sum, part) => sum + part.byteLength, 0);
    if (length > placeBytes - headerBytes) throw new RangeError("it does not fit in the memory");
    this.#number += 1;
    const place = new Uint8Array(placeBytes);
    const view = new DataView(place.buffer);
    view.setUint32(hashBytes, this.#number);
    view.setUint32(hashBytes + 4, length);
    fillOctets(octets, place.subarray(headerBytes));
    place.set(hashOf(place));
    writeSync(this.descriptor, place, 0, placeBytes, (this.#number % 2) * placeBytes);
    place.fill(0);
  }
}

function hashOf(place: Uint8Array): Uint8Array {
  return createHash("sha256").update(place.subarray(hashBytes)).digest();
}

interface Written {
  readonly number: number;
  readonly content: Uint8Array;
}

function newest(descriptor: number): Written | undefined {
  const [first, second] = [0, 1].map((index) => placeAt(descriptor, index));
  if (first === undefined || second === undefined) return first ?? second;
  const [newer, older] = first.number > second.number ? [first, second] : [second, first];
  older.content.fill(0);
  return newer;
}

function placeAt(descriptor: number, index: number): Written | undefined {
  const place = new Uint8Array(placeBytes);
  const read = readSync(descriptor, place, 0, placeBytes, index * placeBytes);
  const view = new DataView(place.buffer);
  const number = view.getUint32(hashBytes);
  const length = view.getUint32(hashBytes + 4);
  const isWhole = read === placeBytes && length <= placeBytes - headerBytes;
  const content = place.slice(headerBytes, headerBytes + length);
  const isOurs = isWhole && Buffer.compare(hashOf(place), place.subarray(0, hashBytes)) === 0;
  place.fill(0);
  return isOurs ? { number, content } : undefined;
}
