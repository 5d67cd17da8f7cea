// VICI, the control protocol of strongSwan's charon: its packets and messages as a pure codec with
// limits.

import { LinksealError } from "#hal/error.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";

/** A value of a message: text, a list of texts, or a section. */
export type ViciValue = string | readonly string[] | ViciSection;
/** A section of a message; a map, because the sender chooses the names. */
export type ViciSection = ReadonlyMap<string, ViciValue>;

/** A message to charon; a key is a hole that only the channel fills. */
export interface ViciMessage {
  /** A value, a list of values, or a section. */
  readonly [name: string]: string | Secret | readonly string[] | ViciMessage;
}

/** Types of packets. Both ends of the protocol are here, so that a test can play either. */
export const packets = {
  request: 0,
  response: 1,
  unknownCommand: 2,
  register: 3,
  unregister: 4,
  confirmed: 5,
  unknownEvent: 6,
  event: 7,
} as const;

const elements = { sectionStart: 1, sectionEnd: 2, keyValue: 3, listStart: 4, item: 5, listEnd: 6 };

/** Charon's own limit of a packet. */
export const packetBytesMax = 512 * 1024;
/** Sections of charon are nested three deep. */
const depthMax = 8;
const elementsMax = 20_000;
const lengthBytes = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the elements of a message. */
export function writeMessage(message: ViciMessage): Octets {
  return Object.entries(message).flatMap(([name, value]) => {
    if (typeof value === "string" || value instanceof Secret) {
      const octets = value instanceof Secret ? value : encoder.encode(value);
      return [named(elements.keyValue, name), lengthOf(octets), octets];
    }
    if (isList(value)) {
      const items = value.flatMap((item) => {
        const octets = encoder.encode(item);
        return [Uint8Array.of(elements.item), lengthOf(octets), octets];
      });
      return [named(elements.listStart, name), ...items, Uint8Array.of(elements.listEnd)];
    }
    const inside = writeMessage(value);
    return [named(elements.sectionStart, name), ...inside, Uint8Array.of(elements.sectionEnd)];
  });
}

const isList = (value: readonly string[] | ViciMessage): value is readonly string[] =>
  Array.isArray(value);

function named(kind: number, name: string): Uint8Array {
  const octets = encoder.encode(name);
  if (octets.length === 0 || octets.length > 255) throw new RangeError(`a name such as ${name}`);
  return Uint8Array.of(kind, octets.length, ...octets);
}

function lengthOf({ byteLength }: Uint8Array | Secret): Uint8Array {
  if (byteLength > 0xffff) throw new RangeError(`a value of ${byteLength} octets`);
  return Uint8Array.of(byteLength >> 8, byteLength & 0xff);
}

/**
 * Returns a packet behind its length.
 * @throws RangeError if it is longer than charon accepts.
 */
export function writePacket(type: number, name: string | undefined, body: Octets): Octets {
  const head = name === undefined ? Uint8Array.of(type) : named(type, name);
  const length = head.length + body.reduce((sum, part) => sum + part.byteLength, 0);
  if (length > packetBytesMax) throw new RangeError(`a packet of ${length} octets`);
  const frame = new Uint8Array(lengthBytes);
  new DataView(frame.buffer).setUint32(0, length);
  return [frame, head, ...body];
}

/**
 * Reads a message.
 * @throws LinksealError `device.unparsed` for octets that are not a message.
 */
export function readMessage(octets: Uint8Array): ViciSection {
  const root = new Map<string, ViciValue>();
  const open: Map<string, ViciValue>[] = [root];
  let list: string[] | undefined;
  let count = 0;
  for (const cursor = new Cursor(octets); !cursor.isAtEnd; count += 1) {
    const section = open.at(-1);
    const kind = cursor.octet();
    if (section === undefined || count > elementsMax) throw unparsed("too many elements");
    const inList = kind === elements.item || kind === elements.listEnd;
    if ((list !== undefined) !== inList) throw unparsed("an element out of place");
    switch (kind) {
      case elements.sectionStart: {
        const inside = new Map<string, ViciValue>();
        put(section, cursor.name(), inside);
        open.push(inside);
        if (open.length > depthMax) throw unparsed("sections too deep");
        break;
      }
      case elements.sectionEnd:
        open.pop();
        if (open.length === 0) throw unparsed("an end without a beginning");
        break;
      case elements.keyValue:
        put(section, cursor.name(), cursor.value());
        break;
      case elements.listStart:
        list = [];
        put(section, cursor.name(), list);
        break;
      case elements.item:
        list?.push(cursor.value());
        break;
      case elements.listEnd:
        list = undefined;
        break;
      default:
        throw unparsed("an element of no kind");
    }
  }
  if (open.length !== 1 || list !== undefined) throw unparsed("no end");
  return root;
}

// If one name has two values, it is unknown which counts.
function put(section: Map<string, ViciValue>, name: string, value: ViciValue): void {
  if (section.has(name)) throw unparsed("a name that occurs twice");
  section.set(name, value);
}

class Cursor {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#octets.length;
  }

  octet(): number {
    const octet = this.#octets[this.#at];
    if (octet === undefined) throw unparsed("an early end");
    this.#at += 1;
    return octet;
  }

  name(): string {
    const length = this.octet();
    if (length === 0) throw unparsed("a name of nothing");
    return this.#text(length);
  }

  value(): string {
    return this.#text(this.octet() * 256 + this.octet());
  }

  rest(): Uint8Array {
    return this.#octets.subarray(this.#at);
  }

  #text(length: number): string {
    const end = this.#at + length;
    if (end > this.#octets.length) throw unparsed("an early end");
    const text = decoder.decode(this.#octets.subarray(this.#at, end));
    this.#at = end;
    return text;
  }
}

export interface Packet {
  readonly type: number;
  /** Name of an event; undefined for other packets. */
  readonly name: string | undefined;
  readonly body: Uint8Array;
}

export function readPacket(octets: Uint8Array): Packet {
  const cursor = new Cursor(octets);
  const type = cursor.octet();
  const name = type === packets.event ? cursor.name() : undefined;
  return { type, name, body: cursor.rest() };
}

/** Divides a stream of octets into packets. */
export class PacketReader {
  readonly #received = new ReceiveBuffer();

  /** Returns the packets that are complete now; each with octets of its own. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    this.#received.push(chunk);
    while (this.#received.length >= lengthBytes) {
      const { octets } = this.#received;
      const size = octets.readUInt32BE();
      if (size === 0 || size > packetBytesMax) throw unparsed("a packet of no such length");
      if (octets.length < lengthBytes + size) return;
      yield Uint8Array.from(octets.subarray(lengthBytes, lengthBytes + size));
      this.#received.drop(lengthBytes + size);
    }
  }
}

export function unparsed(what: string): LinksealError {
  return new LinksealError("device.unparsed", `charon sent something that is not VICI: ${what}`, {
    effect: "unknown",
    where: "charon",
    next: "linkseal doctor",
  });
}
