// What a terminal would show of the octets of a command line: lines without escape sequences,
// however the octets are divided.

import { LinksealError } from "#hal/error.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";

export interface ScreenLimits {
  readonly lineBytesMax: number;
  /** The most octets of all lines since they were cleared the last time. */
  readonly bytesMax: number;
}

const nul = 0x00;
const backspace = 0x08;
const tab = 0x09;
const newLine = 0x0a;
const carriageReturn = 0x0d;
const escapeOctet = 0x1b;
const space = 0x20;
/** Columns between the places to which a tab goes. */
const tabStop = 8;
const firstRoom = 256;
/** The cost of a line besides its octets. */
const lineCost = 32;

/** Inside an escape sequence: which octets are still dropped. */
type Sequence = "none" | "escape" | "control" | "string" | "stringEscape";

export class Screen {
  readonly #limits: ScreenLimits;
  readonly #where: string;
  /** The lines that have ended, one after the other. */
  readonly #lines = new ReceiveBuffer();
  /** Where each of them ends. */
  #ends: number[] = [];
  #line = Buffer.alloc(firstRoom);
  /** Octets since the lines were cleared the last time. */
  #received = 0;
  #length = 0;
  #cursor = 0;
  #sequence: Sequence = "none";

  constructor(limits: ScreenLimits, where: string) {
    this.#limits = limits;
    this.#where = where;
  }

  /**
   * Adds octets.
   * @throws LinksealError `transport.closed` once a line, or all of them, are longer than allowed.
   */
  feed(octets: Uint8Array): void {
    this.#received += octets.length;
    // Octets that show nothing count as well.
    if (this.#received > 2 * this.#limits.bytesMax) throw this.#tooLong("the output");
    for (const octet of octets) {
      if (this.#sequence === "none") this.#show(octet);
      else this.#sequence = this.#swallow(octet, this.#sequence);
    }
  }

  /** Lines that have ended. */
  get count(): number {
    return this.#ends.length;
  }

  /**
   * Returns lines that have ended, with a line feed between them, as octets that the caller wipes:
   * a reader that looks for a key's echo in them must not make them text.
   */
  lines(from: number, to: number): Buffer {
    const all = this.#lines.octets;
    const joined = Buffer.alloc(
      (this.#ends[to - 1] ?? 0) - (this.#ends[from - 1] ?? 0) + to - from,
    );
    let length = 0;
    for (let index = from; index < to; index += 1) {
      const one = all.subarray(this.#ends[index - 1] ?? 0, this.#ends[index] ?? 0);
      joined.set(one, length);
      length += one.length + 1;
      if (index + 1 < to) joined[length - 1] = newLine;
    }
    return joined.subarray(0, Math.max(0, length - 1));
  }

  /** Returns a line that has ended, as octets that are valid until `feed` or `clear`. */
  line(index: number): Buffer {
    return this.#lines.octets.subarray(this.#ends[index - 1] ?? 0, this.#ends[index] ?? 0);
  }

  /** Octets of the line that has not ended. */
  get tailBytes(): number {
    return this.#length;
  }

  /** The line that has not ended. */
  get tail(): string {
    return withoutControls(this.#line.subarray(0, this.#length)).toString();
  }

  /** Drops the lines that have ended, and leaves no octet of them. */
  clear(): void {
    this.#lines.takeAll().fill(0);
    this.#received = 0;
    this.#ends = [];
    this.#line.fill(0, this.#length);
  }

  #show(octet: number): void {
    switch (octet) {
      case newLine:
        this.#end();
        return;
      case carriageReturn:
        this.#cursor = 0;
        return;
      case backspace:
        this.#cursor = Math.max(0, this.#cursor - 1);
        return;
      case escapeOctet:
        this.#sequence = "escape";
        return;
      case tab:
        do this.#put(space);
        while (this.#cursor % tabStop > 0);
        return;
      default:
        if (octet > nul && octet < space) return;
        if (octet !== nul && octet !== 0x7f) this.#put(octet);
    }
  }

  #put(octet: number): void {
    if (this.#cursor >= this.#limits.lineBytesMax) throw this.#tooLong("a line");
    if (this.#cursor === this.#line.length) {
      const wider = Buffer.alloc(this.#line.length * 2);
      this.#line.copy(wider);
      this.#line.fill(0);
      this.#line = wider;
    }
    this.#line[this.#cursor] = octet;
    this.#cursor += 1;
    this.#length = Math.max(this.#length, this.#cursor);
  }

  #end(): void {
    let length = this.#length;
    while (length > 0 && this.#line[length - 1] === space) length -= 1;
    const cost = this.#lines.length + length + (this.#ends.length + 1) * lineCost;
    if (cost > this.#limits.bytesMax) throw this.#tooLong("the output");
    this.#lines.push(withoutControls(this.#line.subarray(0, length)));
    this.#ends.push(this.#lines.length);
    this.#line.fill(0, 0, this.#length);
    this.#length = 0;
    this.#cursor = 0;
  }

  #swallow(octet: number, sequence: Exclude<Sequence, "none">): Sequence {
    switch (sequence) {
      case "escape":
        if (octet === 0x5b) return "control";
        // Titles and the like end with BEL, or with an escape and a backslash.
        return octet === 0x5d || octet === 0x50 ? "string" : "none";
      case "control":
        if (octet >= space && octet < 0x40) return "control";
        if (octet === 0x4b) this.#length = Math.min(this.#length, this.#cursor);
        return "none";
      case "string":
        if (octet === escapeOctet) return "stringEscape";
        return octet === 0x07 || octet === newLine ? "none" : "string";
      case "stringEscape":
        return "none";
    }
  }

  #tooLong(what: string): LinksealError {
    const text = `the session was ended: ${what} is longer than allowed`;
    const next = "linkseal status";
    return new LinksealError("transport.closed", text, {
      effect: "none",
      where: this.#where,
      next,
    });
  }
}

const controlLead = 0xc2;

/**
 * Returns the line without U+0080 to U+009F, one of which begins escape sequences on some
 * terminals. It needs a whole line, because overwriting may have brought their two octets together.
 */
function withoutControls(line: Buffer): Buffer {
  // Almost no line has one.
  if (!line.includes(controlLead)) return line;
  const kept = Buffer.alloc(line.length);
  let length = 0;
  for (const octet of line) {
    const isControl = octet >= 0x80 && octet < 0xa0 && kept[length - 1] === controlLead;
    if (isControl && length > 0) length -= 1;
    else kept[length++] = octet;
  }
  return kept.subarray(0, length);
}
