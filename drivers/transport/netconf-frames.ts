// RFC 6242: reads messages from a stream of octets, behind an end mark or in counted chunks.

import { LinksealError } from "#hal/error.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";

export type Framing = "endOfMessage" | "chunked";

export const endOfMessage = "]]>]]>";
const endMark = Buffer.from(endOfMessage);

/** `\n#`, a size of at most ten digits, `\n`. */
const headerBytesMax = 13;
/** Servers write chunks of a kilobyte and more; the longest message has some 8,000 of them. */
const chunksMax = 65_536;

export class Deframer {
  framing: Framing = "endOfMessage";
  /** No message and no unread rest may be longer than this many octets. */
  bytesMax: number;
  readonly #where: string;
  /** Octets of which it is not known yet where they belong. */
  readonly #input = new ReceiveBuffer();
  /** Content of the chunks of a message that is not complete. */
  readonly #message = new ReceiveBuffer();
  /** Octets of `#input` that were searched for the end mark already. */
  #searched = 0;
  #chunks = 0;
  /** Octets of the present chunk that have not arrived. */
  #missing = 0;

  constructor(bytesMax: number, where: string) {
    this.bytesMax = bytesMax;
    this.#where = where;
  }

  /** Adds octets; `next` refuses them once they are more than a message may have. */
  push(octets: Uint8Array): void {
    this.#input.push(octets);
  }

  /**
   * Returns the next complete message; undefined = more octets are needed.
   * @throws LinksealError `transport.closed` for a message that is too long or in too many chunks,
   *   and for octets that are not a chunk.
   */
  next(): Uint8Array | undefined {
    return this.framing === "chunked" ? this.#nextChunked() : this.#nextMarked();
  }

  #nextMarked(): Uint8Array | undefined {
    const waiting = this.#input.octets;
    const at = waiting.indexOf(endMark, this.#searched);
    this.#refuseLong(at < 0 ? waiting.length - endMark.length : at);
    if (at < 0) {
      this.#searched = Math.max(0, waiting.length - endMark.length + 1);
      return undefined;
    }
    const message = Uint8Array.from(waiting.subarray(0, at));
    this.#input.drop(at + endMark.length);
    this.#searched = 0;
    return message;
  }

  #nextChunked(): Uint8Array | undefined {
    for (;;) {
      if (this.#missing > 0) {
        const part = this.#input.octets.subarray(0, this.#missing);
        this.#message.push(part);
        this.#missing -= part.length;
        this.#input.drop(part.length);
        if (this.#missing > 0) return undefined;
      }
      const header = this.#header(this.#input.octets);
      if (header === undefined) return undefined;
      this.#input.drop(header.length);
      if (header.size === undefined) {
        this.#chunks = 0;
        return this.#message.takeAll();
      }
      this.#chunks += 1;
      if (this.#chunks > chunksMax)
        throw this.#broken(`a message has more than ${chunksMax} chunks`);
      this.#refuseLong(this.#message.length + header.size);
      this.#missing = header.size;
    }
  }

  /**
   * Reads what is between two chunks; undefined = it is not complete. Without a size it is the end
   * of a message.
   */
  #header(waiting: Buffer): { readonly length: number; readonly size?: number } | undefined {
    const text = waiting.toString("latin1", 0, headerBytesMax);
    const found = /^\n#(?:([1-9][0-9]{0,9})|#)\n/.exec(text);
    if (found === null) {
      if (/^(\n(#([1-9][0-9]{0,9}|#)?)?)?$/.test(text)) return undefined;
      throw this.#broken("a chunk has no size");
    }
    const length = found[0].length;
    if (found[1] === undefined) {
      if (this.#chunks === 0) throw this.#broken("a message has no chunk");
      return { length };
    }
    return { length, size: Number(found[1]) };
  }

  #refuseLong(length: number): void {
    if (length > this.bytesMax)
      throw this.#broken(`a message has more than ${this.bytesMax} octets`);
  }

  #broken(text: string): LinksealError {
    return new LinksealError("transport.closed", `the session was ended: ${text}`, {
      effect: "none",
      where: this.#where,
      next: "linkseal status",
    });
  }
}
