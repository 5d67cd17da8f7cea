// A client of charon over a channel of octets that one command owns at a time.

import { type Effect, LinksealError } from "#hal/error.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import { SentSecrets } from "#hal/sent-secrets.ts";
import type { StreamChannel } from "#hal/world.ts";
import {
  type Packet,
  PacketReader,
  packets,
  readMessage,
  readPacket,
  unparsed,
  type ViciMessage,
  type ViciSection,
  type ViciValue,
  writeMessage,
  writePacket,
} from "./vici-wire.ts";

type LostEffect = Extract<Effect, "none" | "unknown">;

/** Gets an event, and its length in octets. */
type Handler = (section: ViciSection, length: number) => void;

interface Waiting {
  /** The types that answer it; the first one means success. */
  readonly types: readonly [number, number];
  settle(packet: Packet): void;
  fail(error: unknown): void;
}

/** What one command may stream: 1,000 tunnels with two SAs each need a quarter of it. */
const streamed = { eventsMax: 20_000, bytesMax: 8 * 1024 * 1024, elementsMax: 200_000 };

/**
 * One connection. It is closed after a deadline, a lost reply or a malformed packet, because then
 * replies can no longer be matched to requests.
 */
export class ViciClient implements Disposable {
  readonly #channel: StreamChannel;
  readonly #handlers = new Map<string, Handler>();
  readonly #sent = new SentSecrets();
  #waiting: Waiting | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #ended: LinksealError | undefined;
  /** Resolves when it is closed, by either end. */
  readonly ended: Promise<void>;

  constructor(channel: StreamChannel) {
    this.#channel = channel;
    this.ended = this.#listen();
  }

  /**
   * Sends a command and returns charon's reply, whatever it says. `effect`: what a command with a
   * lost reply may have done. An abort closes the connection.
   * @throws LinksealError `transport.*` with `effect`, or `device.*`.
   */
  async ask(
    command: string,
    message: ViciMessage,
    effect: LostEffect,
    signal: AbortSignal,
  ): Promise<ViciSection> {
    const types = [packets.response, packets.unknownCommand] as const;
    this.#sent.add(Object.values(message).filter((one) => one instanceof Secret));
    const body = writeMessage(message);
    return await this.#alone(async () => {
      const packet = writePacket(packets.request, command, body);
      const answer = await this.#exchange(packet, types, effect, signal);
      if (answer.type === packets.response) return this.#read(answer.body);
      throw unsupported(`the command ${command}`);
    });
  }

  /**
   * Returns what charon streams as events while it carries out a command that only reads. An abort
   * closes the connection.
   * @throws LinksealError with effect "none".
   */
  async list(
    command: string,
    event: string,
    message: ViciMessage,
    signal: AbortSignal,
  ): Promise<readonly ViciSection[]> {
    const found: ViciSection[] = [];
    let [bytes, elements] = [0, 0];
    const take: Handler = (section, length) => {
      bytes += length;
      elements += elementsIn(section);
      found.push(section);
      const { eventsMax, bytesMax, elementsMax } = streamed;
      if (found.length > eventsMax || bytes > bytesMax || elements > elementsMax) {
        throw unparsed("a stream without an end");
      }
    };
    await this.hear(event, take, signal);
    await this.ask(command, message, "none", signal);
    this.#handlers.delete(event);
    await this.#register(packets.unregister, event, signal);
    return found;
  }

  /**
   * Calls the handler for each event until the client is closed; an error of the handler ends the
   * connection.
   * @throws LinksealError with effect "none".
   */
  async hear(event: string, handler: Handler, signal: AbortSignal): Promise<void> {
    this.#handlers.set(event, handler);
    await this.#register(packets.register, event, signal);
  }

  async #register(type: number, event: string, signal: AbortSignal): Promise<void> {
    const types = [packets.confirmed, packets.unknownEvent] as const;
    await this.#alone(async () => {
      const answer = await this.#exchange(writePacket(type, event, []), types, "none", signal);
      if (answer.type !== packets.confirmed) throw unsupported(`the event ${event}`);
    });
  }

  async #exchange(
    packet: Octets,
    types: Waiting["types"],
    effect: LostEffect,
    signal: AbortSignal,
  ): Promise<Packet> {
    signal.throwIfAborted();
    if (this.#ended !== undefined) throw lost(this.#ended, "none");
    const { promise, resolve, reject } = Promise.withResolvers<Packet>();
    this.#waiting = { types, settle: resolve, fail: reject };
    const aborted = (): void => {
      reject(signal.reason);
      this[Symbol.dispose]();
    };
    signal.addEventListener("abort", aborted, { once: true });
    try {
      const [answer] = await Promise.all([promise, this.#channel.write(packet)]);
      return answer;
    } catch (error) {
      if (signal.aborted || !(error instanceof LinksealError)) throw error;
      this.#end(error);
      throw lost(error, effect);
    } finally {
      this.#waiting = undefined;
      signal.removeEventListener("abort", aborted);
    }
  }

  async #listen(): Promise<void> {
    const reader = new PacketReader();
    try {
      for (;;) {
        const chunk = await this.#channel.read();
        if (chunk === undefined) break;
        for (const octets of reader.push(chunk)) this.#take(readPacket(octets));
      }
      this.#end(closed());
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#end(error);
    }
  }

  #take(packet: Packet): void {
    if (packet.name !== undefined) {
      // An event that was unregistered just now may still be on its way.
      this.#handlers.get(packet.name)?.(this.#read(packet.body), packet.body.length);
      return;
    }
    const waiting = this.#waiting;
    if (waiting === undefined || !waiting.types.includes(packet.type)) {
      throw unparsed("an answer to nothing");
    }
    this.#waiting = undefined;
    waiting.settle(packet);
  }

  /** Reads a message without the secrets of this connection. */
  #read(body: Uint8Array): ViciSection {
    const section = readMessage(body);
    return this.#sent.cleanOctets(body) === body ? section : cleaned(section, this.#sent);
  }

  #end(error: LinksealError): void {
    this.#ended ??= this.#sent.cleanError(error);
    this.#sent[Symbol.dispose]();
    this.#waiting?.fail(this.#ended);
    this.#waiting = undefined;
    this.#channel[Symbol.dispose]();
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /**
   * Unregisters from all events and closes the connection; if charon does not confirm that before
   * the signal aborts, it is closed anyway. charon logs a line for each event that it cannot send
   * to a client that went away, and that line is an event again, until it has removed the client
   * (strongSwan, `vici_logger.c` and `find_entry` in `vici_socket.c`).
   */
  async leave(signal: AbortSignal): Promise<void> {
    const close = (): void => this[Symbol.dispose]();
    if (signal.aborted) return close();
    signal.addEventListener("abort", close, { once: true });
    try {
      for (const event of this.#handlers.keys()) {
        await this.#register(packets.unregister, event, signal);
      }
    } catch (error) {
      if (!(error instanceof LinksealError) && !signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#end(closed());
  }
}

const isList = (value: readonly string[] | ViciSection): value is readonly string[] =>
  Array.isArray(value);

function cleaned(section: ViciSection, sent: SentSecrets): ViciSection {
  const clean = (value: ViciValue): ViciValue => {
    if (typeof value === "string") return sent.clean(value);
    return isList(value) ? value.map((one) => sent.clean(one)) : cleaned(value, sent);
  };
  return new Map([...section].map(([name, value]) => [name, clean(value)]));
}

/** Counts a section with all that is in it. */
function elementsIn(section: ViciSection): number {
  let count = 1;
  for (const value of section.values()) {
    if (typeof value === "string") count += 1;
    else if (isList(value)) count += 1 + value.length;
    else count += elementsIn(value);
  }
  return count;
}

function closed(): LinksealError {
  return new LinksealError("transport.closed", "charon has closed the connection", {
    effect: "unknown",
    where: "charon",
    next: "systemctl status strongswan",
  });
}

function lost(error: LinksealError, effect: LostEffect): LinksealError {
  const { code, message, where, next } = error;
  return new LinksealError(code, message, { effect, where, next, cause: error });
}

function unsupported(what: string): LinksealError {
  return new LinksealError("device.unsupported", `this charon does not know ${what}`, {
    effect: "none",
    where: "charon",
    next: "install strongSwan 6.0 or later",
  });
}
