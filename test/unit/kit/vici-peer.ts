// A channel of octets inside the test, and a charon that answers on it as the test defines.

import { fillOctets } from "#drivers/transport/octets.ts";
import {
  PacketReader,
  packets,
  readMessage,
  type ViciMessage,
  type ViciSection,
  writeMessage,
  writePacket,
} from "#drivers/transport/vici-wire.ts";
import type { Octets } from "#hal/netlink.ts";
import type { StreamChannel } from "#hal/world.ts";

export function bytesOf(octets: Octets): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
  fillOctets(octets, bytes);
  return bytes;
}

/** `said` has the octets that the client writes; the client reads those that the test supplies. */
class TestChannel implements StreamChannel {
  closed = false;
  readonly #coming: Uint8Array[] = [];
  #wake = Promise.withResolvers<void>();
  heard: (octets: Uint8Array) => void = () => undefined;

  give(octets: Uint8Array): void {
    this.#coming.push(octets);
    this.#wake.resolve();
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = this.#coming.shift();
      if (next !== undefined) return next;
      if (this.closed) return undefined;
      this.#wake = Promise.withResolvers<void>();
      await this.#wake.promise;
    }
  }

  async write(octets: Octets): Promise<void> {
    this.heard(bytesOf(octets));
  }

  [Symbol.dispose](): void {
    this.closed = true;
    this.#wake.resolve();
  }
}

export interface Asked {
  readonly command: string;
  readonly message: ViciSection;
}

/** A reply, events before it, or "silence". */
export type CharonReply =
  | "silence"
  | "unknown"
  | {
      readonly events?: readonly { readonly name: string; readonly message: ViciMessage }[];
      readonly answer: ViciMessage;
    };

export class TestCharon {
  readonly channel = new TestChannel();
  readonly asked: Asked[] = [];
  readonly registered = new Set<string>();
  readonly knownEvents = new Set([
    ...["list-sa", "list-conn", "log", "child-rekey", "ike-updown", "child-updown"],
  ]);
  /** True = it reads, and answers nothing any more. */
  isHung = false;
  readonly #replyTo: (asked: Asked) => CharonReply;

  constructor(replyTo: (asked: Asked) => CharonReply) {
    this.#replyTo = replyTo;
    const reader = new PacketReader();
    this.channel.heard = (octets) => {
      for (const packet of reader.push(octets)) this.#take(packet);
    };
  }

  emit(event: string, message: ViciMessage): void {
    if (this.registered.has(event)) this.#send(packets.event, event, message);
  }

  #take(packet: Uint8Array): void {
    if (this.isHung) return;
    const [type = -1, length = 0] = packet;
    const name = new TextDecoder().decode(packet.subarray(2, 2 + length));
    if (type === packets.register || type === packets.unregister) {
      const known = this.knownEvents.has(name);
      if (type === packets.register && known) this.registered.add(name);
      else this.registered.delete(name);
      this.#send(known ? packets.confirmed : packets.unknownEvent, undefined, {});
      return;
    }
    const asked = { command: name, message: readMessage(packet.subarray(2 + length)) };
    this.asked.push(asked);
    const reply = this.#replyTo(asked);
    if (reply === "silence") return;
    if (reply === "unknown") {
      this.#send(packets.unknownCommand, undefined, {});
      return;
    }
    for (const { name: event, message } of reply.events ?? []) this.emit(event, message);
    this.#send(packets.response, undefined, reply.answer);
  }

  #send(type: number, name: string | undefined, message: ViciMessage): void {
    this.channel.give(bytesOf(writePacket(type, name, writeMessage(message))));
  }
}
