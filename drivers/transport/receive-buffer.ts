// Octets that arrived and are not used yet, in one buffer: their cost depends on their number, not
// on the pieces in which they arrive. An array of pieces of one octet would cost a hundred times
// as much.

const firstRoom = 512;
/** An empty buffer with more room than this is given back. */
const keptRoomMax = 64 * 1024;

/** A buffer that grows; the caller limits it. Octets that are left behind by growth are wiped. */
export class ReceiveBuffer {
  #room = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  /** Number of octets. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** The octets, as a view that is valid until the next call. */
  get octets(): Buffer {
    return this.#room.subarray(this.#start, this.#end);
  }

  /** Appends a copy of the octets. */
  push(octets: Uint8Array): void {
    if (this.#end + octets.length > this.#room.length) this.#makeRoom(octets.length);
    this.#room.set(octets, this.#end);
    this.#end += octets.length;
  }

  /** Drops octets at the beginning. */
  drop(length: number): void {
    this.#start += length;
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    if (this.#room.length > keptRoomMax) this.#room = Buffer.alloc(0);
  }

  /** Returns all octets, which belong to the caller from now on. */
  takeAll(): Buffer {
    const all = this.octets;
    this.#room = Buffer.alloc(0);
    this.#start = 0;
    this.#end = 0;
    return all;
  }

  #makeRoom(length: number): void {
    const waiting = this.length;
    const needed = waiting + length;
    const before = this.#room;
    const hasRoom = needed * 2 <= before.length;
    const room = hasRoom ? before : Buffer.alloc(Math.max(firstRoom, Math.ceil(needed * 1.5)));
    before.copy(room, 0, this.#start, this.#end);
    if (!hasRoom) before.fill(0);
    this.#room = room;
    this.#start = 0;
    this.#end = waiting;
  }
}
