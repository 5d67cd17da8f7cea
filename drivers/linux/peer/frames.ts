// The frames between an agent and `linkseal peer`: one line of JSON, then as many octets as it
// says. The octets are never text, because a key may be among them.

import { count, type JsonObject, Malformed, property, recordOf } from "#hal/decoder.ts";
import { encodeJson, parseJson } from "#hal/json.ts";
import type { Octets } from "#hal/netlink.ts";
import { ReceiveBuffer } from "../../transport/receive-buffer.ts";

/** The longest line before the octets. */
const lineBytesMax = 4_096;
const lineValuesMax = 32;
const lineFeed = 0x0a;

/** A frame that arrived; its octets belong to the reader, who wipes them. */
export interface Frame {
  /** The fields of the line. */
  readonly fields: JsonObject;
  readonly octets: Buffer;
}

/** Returns the line of a frame with these octets behind it. */
export function frameLine(fields: object, octets: Octets): string {
  const length = octets.reduce((sum, part) => sum + part.byteLength, 0);
  return `${encodeJson({ ...fields, length })}\n`;
}

/** Divides what arrives into frames. */
export class FrameSplitter {
  readonly #received = new ReceiveBuffer();
  readonly #octetsMax: number;
  #fields: JsonObject | undefined;
  #length = 0;

  /** `octetsMax`: a frame with more octets is malformed. */
  constructor(octetsMax: number) {
    this.#octetsMax = octetsMax;
  }

  /** Takes what arrived, and wipes it. */
  push(octets: Uint8Array): void {
    this.#received.push(octets);
    octets.fill(0);
  }

  /**
   * Returns the next whole frame; undefined = more must arrive first.
   * @throws Malformed; nothing that follows can be understood
   */
  next(): Frame | undefined {
    this.#fields ??= this.#line();
    if (this.#fields === undefined || this.#received.length < this.#length) return undefined;
    const view = this.#received.octets.subarray(0, this.#length);
    const octets = Buffer.from(view);
    view.fill(0);
    this.#received.drop(this.#length);
    const fields = this.#fields;
    this.#fields = undefined;
    return { fields, octets };
  }

  /** Wipes what waits. */
  wipe(): void {
    this.#received.takeAll().fill(0);
  }

  #line(): JsonObject | undefined {
    const end = this.#received.octets.indexOf(lineFeed);
    if (end > lineBytesMax || (end < 0 && this.#received.length > lineBytesMax)) {
      throw new Malformed("line");
    }
    if (end < 0) return undefined;
    const fields = fieldsOf(this.#received.octets.toString("utf8", 0, end));
    this.#length = property("length", count(this.#octetsMax))(fields, "line");
    this.#received.drop(end + 1);
    return fields;
  }
}

// The parser's own message quotes the text, which may contain anything, so it is dropped.
function fieldsOf(text: string): JsonObject {
  try {
    return recordOf(parseJson(text, { values: lineValuesMax }), "line");
  } catch {
    throw new Malformed("line");
  }
}
