// The client protocol of NATS as frames: pure. A reader takes octets as they arrive and never keeps
// more than its limits; what breaks them is a fault, after which the connection must end.

import { NatsFault } from "./nats-fault.ts";

/** Octets of the longest line but INFO. */
const lineBytesMax = 4_096;
/** Octets of the longest INFO, which the server sends first. */
const infoBytesMax = 32 * 1024;
/** The status of a reply without a responder: no stream keeps such a subject. */
export const noResponders = 503;
/** Octets of the headers of the longest message. */
export const headerBytesMax = 16 * 1024;

/** What a server sends. */
export type NatsFrame =
  /** JSON of the server, hostile until parsed. */
  | { readonly kind: "info"; readonly json: string }
  | {
      readonly kind: "message";
      readonly subject: string;
      /** Lines of the headers, the status line first; empty = the message has none. */
      readonly headers: readonly string[];
      readonly octets: Uint8Array;
    }
  | { readonly kind: "ping" | "pong" | "ok" }
  /** The text of the server, hostile. */
  | { readonly kind: "error"; readonly text: string };

interface Awaited {
  readonly subject: string;
  readonly headerBytes: number;
  /** With the two octets that end it. */
  readonly room: Uint8Array;
  filled: number;
}

/** Cuts octets into frames. `payloadBytesMax`: of a message, without its headers. */
export class FrameReader {
  readonly #payloadBytesMax: number;
  #line = new Uint8Array(0);
  #awaited: Awaited | undefined;

  constructor(payloadBytesMax: number) {
    this.#payloadBytesMax = payloadBytesMax;
  }

  /**
   * Returns the frames that these octets complete.
   * @throws NatsFault
   */
  *push(octets: Uint8Array): Generator<NatsFrame> {
    let rest = octets;
    while (rest.length > 0) {
      const awaited = this.#awaited;
      if (awaited !== undefined) {
        const part = rest.subarray(0, awaited.room.length - awaited.filled);
        awaited.room.set(part, awaited.filled);
        awaited.filled += part.length;
        rest = rest.subarray(part.length);
        if (awaited.filled < awaited.room.length) return;
        this.#awaited = undefined;
        yield messageOf(awaited);
        continue;
      }
      const feed = rest.indexOf(0x0a);
      if (feed === -1) {
        this.#keep(rest);
        return;
      }
      this.#keep(rest.subarray(0, feed));
      rest = rest.subarray(feed + 1);
      const frame = this.#lineFrame(decoder.decode(this.#line).replace(/\r$/, ""));
      this.#line = new Uint8Array(0);
      if (frame !== undefined) yield frame;
    }
  }

  #keep(part: Uint8Array): void {
    const length = this.#line.length + part.length;
    const isInfo = (this.#line[0] ?? part[0]) === 0x49;
    if (length > (isInfo ? infoBytesMax : lineBytesMax)) throw new NatsFault("a line is too long");
    const line = new Uint8Array(length);
    line.set(this.#line);
    line.set(part, this.#line.length);
    this.#line = line;
  }

  #lineFrame(line: string): NatsFrame | undefined {
    const [, word = "", rest = ""] = /^(\S+)[ \t]*(.*)$/.exec(line) ?? [];
    switch (word.toUpperCase()) {
      case "INFO":
        return { kind: "info", json: rest };
      case "PING":
        return { kind: "ping" };
      case "PONG":
        return { kind: "pong" };
      case "+OK":
        return { kind: "ok" };
      case "-ERR":
        return { kind: "error", text: rest.replace(/^'|'$/g, "") };
      case "MSG":
        this.#await(rest.split(/[ \t]+/), 0);
        return undefined;
      case "HMSG": {
        const parts = rest.split(/[ \t]+/);
        this.#await(parts, lengthOf(parts.splice(-2, 1)[0]));
        return undefined;
      }
      default:
        throw new NatsFault("a line is not of the protocol");
    }
  }

  /** `parts`: subject, number of the subscription, perhaps a reply subject, and the length. */
  #await(parts: readonly string[], headerBytes: number): void {
    const bytes = lengthOf(parts.at(-1));
    const [subject = ""] = parts;
    if (parts.length < 3 || parts.length > 4 || headerBytes > bytes) {
      throw new NatsFault("a message does not state its length");
    }
    if (headerBytes > headerBytesMax || bytes - headerBytes > this.#payloadBytesMax) {
      throw new NatsFault("a message is too long");
    }
    this.#awaited = { subject, headerBytes, room: new Uint8Array(bytes + 2), filled: 0 };
  }
}

const decoder = new TextDecoder("latin1");

function lengthOf(text: string | undefined): number {
  if (text === undefined || !/^\d{1,9}$/.test(text)) throw new NatsFault("a length is no number");
  return Number(text);
}

function messageOf({ subject, headerBytes, room }: Awaited): NatsFrame {
  const end = room.length - 2;
  if (room[end] !== 0x0d || room[end + 1] !== 0x0a) {
    throw new NatsFault("a message does not end where it should");
  }
  const headers = decoder.decode(room.subarray(0, headerBytes)).split("\r\n");
  return {
    kind: "message",
    subject,
    headers: headers.filter((line) => line !== ""),
    octets: room.subarray(headerBytes, end),
  };
}

/** The status of a message's headers, such as 404; undefined = it has none. */
export function statusOf(headers: readonly string[]): number | undefined {
  const [, digits] = /^NATS\/1\.0[ \t]+(\d{3})(?:[ \t]|$)/.exec(headers[0] ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** The value of a header; undefined = it is absent. */
export function headerOf(headers: readonly string[], name: string): string | undefined {
  const start = `${name.toLowerCase()}:`;
  const line = headers.find((each) => each.toLowerCase().startsWith(start));
  return line?.slice(start.length).trim();
}

const encoder = new TextEncoder();
const lineEnd = encoder.encode("\r\n");

/** The frames of a client; a subject is of linkseal's own words and names, not of foreign text. */
export const clientFrames = {
  connect: (options: Readonly<Record<string, unknown>>): Uint8Array =>
    encoder.encode(`CONNECT ${JSON.stringify(options)}\r\n`),
  subscribe: (subject: string): Uint8Array => encoder.encode(`SUB ${subject} 1\r\n`),
  ping: encoder.encode("PING\r\n"),
  pong: encoder.encode("PONG\r\n"),
  /**
   * `reply`: subject of the reply; empty = none. `headers`: names and values of linkseal's own
   * words, names and numbers.
   */
  publish(
    subject: string,
    reply: string,
    headers: Readonly<Record<string, string>>,
    octets: Uint8Array,
  ): readonly Uint8Array[] {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const where = reply === "" ? subject : `${subject} ${reply}`;
    if (lines.length === 0) {
      return [encoder.encode(`PUB ${where} ${octets.length}\r\n`), octets, lineEnd];
    }
    const head = encoder.encode(`NATS/1.0\r\n${lines.join("")}\r\n`);
    const bytes = head.length + octets.length;
    const line = encoder.encode(`HPUB ${where} ${head.length} ${bytes}\r\n`);
    return [line, head, octets, lineEnd];
  },
} as const;
