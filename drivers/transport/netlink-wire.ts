// The framing of every netlink message, and the attributes that give the reason of a refusal.

import { getSystemErrorName } from "node:util";
import { LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type { NetlinkMessage, NetlinkRequest, Octets, Refusal, Span } from "#hal/netlink.ts";

/** Flags of `nlmsg_flags`. */
export const netlinkFlags = {
  request: 0x1,
  multi: 0x2,
  ack: 0x4,
  /** The table changed while it was read. */
  dumpInterrupted: 0x10,
  capped: 0x100,
  hasAttributes: 0x200,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

/** Types of the messages that carry no object. */
export const controlTypes = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

const headerBytes = 16;
const attributeHeaderBytes = 4;
/** The two upper bits of an attribute's type are marks. */
const attributeTypes = 0x3fff;

const aligned = (length: number): number => (length + 3) & ~3;

function lengthOf(octets: Octets): number {
  let length = 0;
  for (const part of octets) length += part.byteLength;
  return length;
}

/** Returns the error `device.unparsed` for a message of the kernel, with effect "none". */
export function unparsed(text: string): LinksealError {
  return new LinksealError("device.unparsed", text, {
    effect: "none",
    where: "kernel",
    next: "linkseal status",
  });
}

export interface Sequenced extends NetlinkMessage {
  readonly sequence: number;
}

/** Calls `take` for each message of one receive call. */
export function eachMessage(
  view: DataView,
  length: number,
  take: (message: Sequenced) => void,
): void {
  for (let at = 0; at < length; ) {
    const size = length - at < headerBytes ? 0 : view.getUint32(at, true);
    if (size < headerBytes || size > length - at) {
      throw unparsed("a netlink message has a wrong length");
    }
    take({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      view,
      start: at + headerBytes,
      end: at + size,
    });
    at += aligned(size);
  }
}

/**
 * Calls `take` for each attribute.
 * @throws LinksealError `device.unparsed` if the lengths do not fit.
 */
export function eachAttribute(
  { view, start, end }: Span,
  take: (type: number, start: number, end: number) => void,
): void {
  for (let at = start; at < end; ) {
    const size = end - at < attributeHeaderBytes ? 0 : view.getUint16(at, true);
    if (size < attributeHeaderBytes || size > end - at) {
      throw unparsed("a netlink attribute has a wrong length");
    }
    const type = view.getUint16(at + 2, true) & attributeTypes;
    take(type, at + attributeHeaderBytes, at + size);
    at += aligned(size);
  }
}

/** Returns the octets of an attribute, with header and padding. */
export function attribute(type: number, content: Octets): Octets {
  const length = lengthOf(content);
  const whole = attributeHeaderBytes + length;
  // The header is made octet by octet: a view of so small an array costs more than the array.
  const header = Uint8Array.of(whole & 0xff, whole >> 8, type & 0xff, type >> 8);
  const missing = aligned(length) - length;
  return missing === 0 ? [header, ...content] : [header, ...content, new Uint8Array(missing)];
}

/** Returns the octets that a request takes on the wire. */
export function requestBytes({ body }: NetlinkRequest): number {
  return aligned(headerBytes + lengthOf(body));
}

/**
 * Writes requests one behind the other, numbered from `sequence` and with `more` flags, the last of
 * `count` with `last` too; the caller wipes the result.
 */
export function encodeRequests(
  requests: readonly NetlinkRequest[],
  sequence: number,
  more = 0,
  last = 0,
  count = requests.length,
): Uint8Array<ArrayBuffer> {
  const total = requests.reduce((sum, request) => sum + requestBytes(request), 0);
  const octets = new Uint8Array(total);
  const view = new DataView(octets.buffer);
  let at = 0;
  requests.forEach((request, index) => {
    const { type, flags, body } = request;
    view.setUint16(at + 4, type, true);
    const marks = flags | more | (index === count - 1 ? last : 0);
    view.setUint16(at + 6, marks, true);
    view.setUint32(at + 8, (sequence + index) >>> 0, true);
    let place = at + headerBytes;
    for (const part of body) {
      if (part instanceof Uint8Array) octets.set(part, place);
      else part.use((bytes) => octets.set(bytes, place));
      place += part.byteLength;
    }
    view.setUint32(at, place - at, true);
    at = aligned(place);
  });
  return octets;
}

const refusalText = 1;
const refusedHeaderBytes = 16;

/** Reads an ERROR or DONE message; undefined = the request was done. */
export function refusalIn(message: NetlinkMessage): Refusal | undefined {
  const { view, type, flags, start, end } = message;
  if (end - start < 4) {
    if (type === controlTypes.done) return undefined;
    throw unparsed("an acknowledgement without a number");
  }
  const code = view.getInt32(start, true);
  if (code >= 0) return undefined;
  const error = type === controlTypes.error;
  // Behind the error number is the header of the request, and its body too unless it was capped.
  const header = start + 4;
  const echoed = (flags & netlinkFlags.capped) === 0 ? echoedBytes(view, header, end) : 0;
  const attributes = error ? header + refusedHeaderBytes + echoed : header;
  const hasText = (flags & netlinkFlags.hasAttributes) !== 0 && attributes <= end;
  const text = hasText ? textIn({ view, start: attributes, end }) : undefined;
  return { name: getSystemErrorName(code), text };
}

function echoedBytes(view: DataView, header: number, end: number): number {
  if (end - header < refusedHeaderBytes) return 0;
  return Math.max(0, aligned(view.getUint32(header, true)) - refusedHeaderBytes);
}

function textIn(span: Span): string | undefined {
  let text: string | undefined;
  eachAttribute(span, (type, start, end) => {
    if (type !== refusalText) return;
    const octets = new Uint8Array(span.view.buffer, span.view.byteOffset + start, end - start);
    text = foreignText(new TextDecoder().decode(octets));
  });
  return text;
}
