// Filters what the SNMP library receives. The library's own checks begin after it has dropped the
// request that a reply names, and it believes a reply's own flag for whether it is authenticated.

import type { RemoteInfo, Socket } from "node:dgram";
import { EventEmitter } from "node:events";

/** The header of a message of RFC 3412, before anything is decrypted. */
interface Envelope {
  readonly id: number;
  readonly security: "none" | "authentic" | "authenticPrivate";
  readonly engine: Buffer;
  /** A view into the message, so that the library can blank it while it computes the code. */
  readonly mac: Buffer;
  /** Whether a message in clear is a report. */
  readonly isReport: boolean;
}

/** Returns whether the code in the message was made with our key. */
export type Authentic = (message: Buffer, engine: Buffer, mac: Buffer) => boolean;

const reportTag = 0xa8;
const sequenceTag = 0x30;
const integerTag = 0x02;
const octetsTag = 0x04;
const version3 = 3;
const userSecurityModel = 3;
/** The most unanswered requests; a new one discards the oldest. */
const openMax = 64;

/** The part of a UDP socket that the library uses; it only ever sends to the socket's peer. */
export class GuardedSocket extends EventEmitter {
  /** Replies that were dropped since the last one that was passed on. */
  dropped = 0;
  readonly #socket: Socket;
  readonly #authentic: Authentic;
  readonly #open = new Map<number, Envelope>();

  /** The socket is connected, so the kernel drops datagrams of any host but the device. */
  constructor(socket: Socket, authentic: Authentic) {
    super();
    this.#socket = socket;
    this.#authentic = authentic;
    socket.on("message", (message, from) => this.#receive(message, from));
    socket.on("error", (error) => this.emit("trouble", "transport.unreachable", error));
    socket.on("close", () => this.emit("close"));
  }

  send(
    message: Buffer,
    _offset: number,
    _length: number,
    _port: number,
    _address: string,
    sent: (error: Error | null, bytes: number) => void,
  ): void {
    const asked = envelopeOf(message);
    if (asked === undefined) throw new RangeError("a request of the library is not understood");
    this.#open.delete(asked.id);
    this.#open.set(asked.id, asked);
    const [oldest] = this.#open.keys();
    if (this.#open.size > openMax && oldest !== undefined) this.#open.delete(oldest);
    this.#socket.send(message, (error) => sent(error, message.length));
  }

  close(): void {
    this.#open.clear();
    this.#socket.close();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  #receive(message: Buffer, from: RemoteInfo): void {
    const reply = envelopeOf(message);
    const asked = reply === undefined ? undefined : this.#open.get(reply.id);
    if (reply === undefined || asked === undefined || !this.#isDue(message, asked, reply)) {
      this.dropped += 1;
      return;
    }
    this.dropped = 0;
    this.#open.delete(reply.id);
    try {
      this.emit("message", message, from);
    } catch (error) {
      // Even a message that our key signed may be one that the library does not expect.
      this.emit("trouble", "device.unparsed", error);
    }
  }

  /**
   * Returns whether a reply may be passed on. A request for the engine's name cannot be answered
   * authentically, and its reply is used for nothing else. After that a reply needs our own key;
   * one with less protection than the request must be a report of an engine whose clock differs.
   */
  #isDue(message: Buffer, asked: Envelope, reply: Envelope): boolean {
    if (asked.security === "none") return reply.security === "none" && reply.isReport;
    if (reply.security === "none" || !reply.engine.equals(asked.engine)) return false;
    if (reply.security === "authentic" && !reply.isReport) return false;
    return this.#authentic(message, reply.engine, reply.mac);
  }
}

/** Returns undefined for a message that is not SNMPv3 with the user-based security model. */
function envelopeOf(message: Buffer): Envelope | undefined {
  const whole = new Ber(message).into(sequenceTag);
  if (whole === undefined || whole.integer() !== version3) return undefined;
  const header = whole.into(sequenceTag);
  const id = header?.integer();
  // The largest message that the sender accepts.
  header?.integer();
  const flags = header?.octets();
  if (header?.integer() !== userSecurityModel || flags?.length !== 1) return undefined;
  const parameters = whole.into(octetsTag)?.into(sequenceTag);
  const engine = parameters?.octets();
  // Boots and time.
  parameters?.integer();
  parameters?.integer();
  parameters?.octets();
  const mac = parameters?.octets();
  const security = securityOf(flags[0] ?? 0);
  if (id === undefined || engine === undefined || mac === undefined || security === undefined) {
    return undefined;
  }
  const isClear = security !== "authenticPrivate";
  return { id, security, engine, mac, isReport: isClear && pduOf(whole) === reportTag };
}

/** Returns undefined for private without authentic, which RFC 3412 defines as an error. */
function securityOf(flags: number): Envelope["security"] | undefined {
  switch (flags & 3) {
    case 0:
      return "none";
    case 1:
      return "authentic";
    case 3:
      return "authenticPrivate";
    default:
      return undefined;
  }
}

function pduOf(whole: Ber): number | undefined {
  const scoped = whole.into(sequenceTag);
  if (scoped?.octets() === undefined || scoped.octets() === undefined) return undefined;
  return scoped.tag();
}

/** The part of BER that an envelope needs; every length is checked before it is used. */
class Ber {
  readonly #octets: Buffer;
  #at = 0;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  tag(): number | undefined {
    return this.#octets[this.#at];
  }

  octets(): Buffer | undefined {
    return this.#take(octetsTag);
  }

  into(tag: number): Ber | undefined {
    const inner = this.#take(tag);
    return inner === undefined ? undefined : new Ber(inner);
  }

  integer(): number | undefined {
    const octets = this.#take(integerTag);
    if (octets === undefined || octets.length < 1 || octets.length > 4) return undefined;
    return octets.readIntBE(0, octets.length);
  }

  #take(tag: number): Buffer | undefined {
    const first = this.#octets[this.#at + 1];
    if (this.#octets[this.#at] !== tag || first === undefined) return undefined;
    const extra = first < 0x80 ? 0 : first & 0x7f;
    const from = this.#at + 2 + extra;
    if (extra > 2 || first === 0x80 || from > this.#octets.length) return undefined;
    const length = extra === 0 ? first : this.#octets.readUIntBE(this.#at + 2, extra);
    if (from + length > this.#octets.length) return undefined;
    this.#at = from + length;
    return this.#octets.subarray(from, this.#at);
  }
}
