// RFC 6242: reads messages from a stream of octets, behind an end mark or in counted chunks.

import { LinksealError } from "#hal/error.ts";

export type Framing = "endOfMessage" | "chunked";

export const endOfMessage = "]]>]]>";
const endMark = Buffer.from(endOfMessage);
const endOfChunks = Buffer.from("\n##\n");

/** `\n#`, a size of at most ten digits, `\n`. */
const headerBytesMax = 13;
/** RFC 6242 4.2: the largest chunk that is allowed. */
const chunkBytesMax = 4_294_967_295;

export class Deframer {
  framing: Framing = "endOfMessage";
  readonly #bytesMax: number;
  readonly #where: string;
  #buffer = Buffer.alloc(4096);
  #start = 0;
  #end = 0;
  /** Octets after `#start` that were searched for the end mark already. */
  #searched = 0;
  /** The complete chunks of a message that is not complete. */
  #chunks: Buffer[] = [];
  #chunkBytes = 0;

  /** No message and no unread rest may be longer than `bytesMax` octets. */
  constructor(bytesMax: number, where: string) {
    this.#bytesMax = bytesMax;
    this.#where = where;
  }

  /**
   * Adds octets.
   * @throws LinksealError `transport.closed` once more octets wait than a message may have.
   */
  push(octets: Uint8Array): void {
    this.#makeRoom(octets.length);
    this.#buffer.set(octets, this.#end);
    this.#end += octets.length;
  }

  /** Returns the next complete message; undefined = more octets are needed. */
  next(): Uint8Array | undefined {
    return this.framing === "chunked" ? this.#nextChunked() : this.#nextMarked();
  }

  #nextMarked(): Uint8Array | undefined {
    const waiting = this.#buffer.subarray(this.#start, this.#end);
    const at = waiting.indexOf(endMark, this.#searched);
    if (at < 0) {
      this.#searched = Math.max(0, waiting.length - endMark.length + 1);
      this.#refuseLong(waiting.length);
      return undefined;
    }
    const message = Uint8Array.from(waiting.subarray(0, at));
    this.#take(at + endMark.length);
    return message;
  }

  #nextChunked(): Uint8Array | undefined {
    for (;;) {
      const waiting = this.#buffer.subarray(this.#start, this.#end);
      if (this.#chunks.length > 0 && startsWith(waiting, endOfChunks)) {
        this.#take(endOfChunks.length);
        const message = Uint8Array.from(Buffer.concat(this.#chunks));
        this.#chunks = [];
        this.#chunkBytes = 0;
        return message;
      }
      const header = this.#header(waiting);
      if (header === undefined) return undefined;
      this.#refuseLong(this.#chunkBytes + header.size);
      const whole = header.length + header.size;
      if (waiting.length < whole) return undefined;
      this.#chunks.push(Buffer.from(waiting.subarray(header.length, whole)));
      this.#chunkBytes += header.size;
      this.#take(whole);
    }
  }

  /** Reads the header of the chunk that begins here; undefined = it is not complete. */
  #header(waiting: Buffer): { readonly length: number; readonly size: number } | undefined {
    const text = waiting.subarray(0, headerBytesMax).toString("latin1");
    const found = /^\n#([1-9][0-9]{0,9})\n/.exec(text);
    if (found === null) {
      if (/^(\n(#([1-9][0-9]{0,9}|#)?)?)?$/.test(text)) return undefined;
      throw this.#broken("a chunk has no size");
    }
    const size = Number(found[1]);
    if (size > chunkBytesMax) throw this.#broken("a chunk is larger than allowed");
    return { length: found[0].length, size };
  }

  #take(length: number): void {
    this.#start += length;
    this.#searched = 0;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
  }

  #makeRoom(length: number): void {
    if (this.#end + length <= this.#buffer.length) return;
    const waiting = this.#end - this.#start;
    // A rest that is short enough to be one message fits beside one more piece.
    this.#refuseLong(waiting);
    const needed = waiting + length;
    const size = Math.max(needed * 2, this.#buffer.length);
    const next = size === this.#buffer.length ? this.#buffer : Buffer.alloc(size);
    this.#buffer.copy(next, 0, this.#start, this.#end);
    this.#buffer = next;
    this.#start = 0;
    this.#end = waiting;
  }

  #refuseLong(length: number): void {
    const limit = this.#bytesMax + headerBytesMax + endOfChunks.length;
    if (length > limit) throw this.#broken(`a message has more than ${this.#bytesMax} octets`);
  }

  #broken(text: string): LinksealError {
    return new LinksealError("transport.closed", `the session was ended: ${text}`, {
      effect: "none",
      where: this.#where,
      next: "linkseal status",
    });
  }
}

function startsWith(octets: Buffer, start: Buffer): boolean {
  return octets.subarray(0, start.length).equals(start);
}
