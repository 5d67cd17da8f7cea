// Kernel sockets over the native addon: numbered requests, dumps that are complete or read again,
// and monitors that report when messages were lost.

import { orAborted } from "#hal/deadline.ts";
import { type Effect, LinksealError } from "#hal/error.ts";
import type {
  Answer,
  NetlinkEvents,
  NetlinkRequest,
  NetlinkSocket,
  Reader,
  Refusal,
} from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import { SentSecrets } from "#hal/sent-secrets.ts";
import type { Native, NativeSocket } from "./native.ts";
import {
  controlTypes,
  eachMessage,
  encodeRequests,
  netlinkFlags,
  refusalIn,
  requestBytes,
  type Sequenced,
  unparsed,
} from "./netlink-wire.ts";

/** Protocols of netlink sockets: NETLINK_ROUTE, XFRM, NETFILTER and GENERIC (linux/netlink.h). */
export const families = { route: 0, xfrm: 6, filter: 12, generic: 16 } as const;

const receiveBytes = 4 * 1024 * 1024;
/** The octets that one turn of the event loop reads. */
const roomBytes = 128 * 1024;
/**
 * The kernel carries out a batch before `send` returns; a larger one would block the event loop.
 */
const batchMessagesMax = 128;
const batchBytesMax = 64 * 1024;
const dumpAttemptsMax = 10;
/** Objects that are kept of one dump; a neighbour of BGP can make the kernel list a million. */
const objectsMax = 100_000;
const nothingThere = -11;

function closed(text: string, effect: Effect): LinksealError {
  return new LinksealError("transport.closed", text, {
    effect,
    where: "kernel",
    next: "linkseal status",
  });
}

/** Requests whose replies are being collected. */
interface Conversation {
  readonly first: number;
  readonly isDump: boolean;
  readonly refusals: (Refusal | undefined)[];
  readonly take: (message: Sequenced) => void;
  readonly end: PromiseWithResolvers<void>;
  /** Why the replies cannot be used. */
  spoilt: "interrupted" | "lost" | LinksealError | undefined;
}

/** A netlink socket of one protocol family. */
export class NetlinkChannel implements NetlinkSocket {
  readonly #native: Native;
  readonly #socket: NativeSocket;
  readonly #room = new Uint8Array(roomBytes);
  readonly #view = new DataView(this.#room.buffer);
  #turn: Promise<unknown> = Promise.resolve();
  #sequence = 1;
  #current: Conversation | undefined;
  #isClosed = false;

  /** The kernel carries out one dump per socket at a time, so conversations queue. */
  constructor(native: Native, family: number) {
    this.#native = native;
    this.#socket = native.openNetlink(family, receiveBytes, () => this.#onReadable());
  }

  /** Implements `NetlinkSocket.ask`. */
  async ask<T>(request: NetlinkRequest, read: Reader<T>, signal: AbortSignal): Promise<Answer<T>> {
    const isDump = (request.flags & netlinkFlags.dump) === netlinkFlags.dump;
    for (let attempt = 1; ; attempt += 1) {
      const found: T[] = [];
      const take = (message: Sequenced): void => {
        const one = read(message);
        if (one === undefined) return;
        if (found.length === objectsMax) throw unparsed(`it lists more than ${objectsMax} objects`);
        found.push(one);
      };
      const { spoilt, refusals } = await this.#converse([request], isDump, take, signal);
      if (spoilt instanceof LinksealError) throw spoilt;
      const [refusal] = refusals;
      if (refusal !== undefined) return { kind: "refused", refusal };
      if (spoilt === undefined) return { kind: "answered", found };
      if (!isDump) throw closed("the kernel's answer was lost", "unknown");
      if (attempt === dumpAttemptsMax) {
        throw closed(`the table changed in each of ${attempt} dumps`, "none");
      }
    }
  }

  /** Implements `NetlinkSocket.write`. */
  async write(
    requests: Iterable<NetlinkRequest>,
    signal: AbortSignal,
    tail?: NetlinkRequest,
  ): Promise<readonly (Refusal | undefined)[]> {
    const refusals: (Refusal | undefined)[] = [];
    for (const batch of batchesOf(requests)) {
      const ended = await this.#converse(batch, false, () => undefined, signal, tail);
      if (ended.spoilt instanceof LinksealError) throw ended.spoilt;
      if (ended.spoilt !== undefined) throw closed("the kernel's answers were lost", "unknown");
      refusals.push(...ended.refusals.map((one, index) => one && cleaned(one, batch[index])));
    }
    return refusals;
  }

  /** Closes the socket; waiting requests are rejected with effect "unknown". */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#native.close(this.#socket);
    this.#spoil(closed("the socket was closed", "unknown"));
  }

  #converse(
    requests: readonly NetlinkRequest[],
    isDump: boolean,
    take: (message: Sequenced) => void,
    signal: AbortSignal,
    tail?: NetlinkRequest,
  ): Promise<Conversation> {
    const conversation = this.#turn.then(async () => {
      signal.throwIfAborted();
      return await this.#send(requests, isDump, take, tail);
    });
    // The next conversation waits for the end of this one even if this one was aborted.
    this.#turn = conversation.catch(() => undefined);
    return orAborted(conversation, signal);
  }

  async #send(
    requests: readonly NetlinkRequest[],
    isDump: boolean,
    take: (message: Sequenced) => void,
    tail: NetlinkRequest | undefined,
  ): Promise<Conversation> {
    if (this.#isClosed) throw closed("the socket was closed", "none");
    const first = this.#sequence;
    this.#sequence = (first + requests.length + (tail === undefined ? 0 : 1)) >>> 0;
    const current: Conversation = {
      first,
      isDump,
      refusals: requests.map(() => undefined),
      take,
      end: Promise.withResolvers<void>(),
      spoilt: undefined,
    };
    this.#current = current;
    // A refusal is sent without being requested, and replies keep their order: the one
    // acknowledgement of the last request confirms the silent ones before it.
    const last = isDump ? 0 : netlinkFlags.ack;
    const all = tail === undefined ? requests : [...requests, tail];
    const octets = encodeRequests(all, first, netlinkFlags.request, last, requests.length);
    const sent = this.#native.send(this.#socket, octets);
    octets.fill(0);
    if (sent !== octets.length) {
      this.#current = undefined;
      throw closed(`the kernel did not accept the request (errno ${-sent})`, "none");
    }
    await current.end.promise;
    return current;
  }

  #onReadable(): void {
    if (this.#isClosed) return;
    const length = this.#native.receive(this.#socket, this.#room);
    if (length === nothingThere) return;
    if (length < 0) {
      this.#onOverrun();
      return;
    }
    try {
      eachMessage(this.#view, length, (message) => this.#onMessage(message));
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#spoil(error);
    } finally {
      this.#room.fill(0, 0, length);
    }
  }

  // The kernel holds a dump back while the buffer is full, so its end still comes.
  #onOverrun(): void {
    const current = this.#current;
    if (current?.isDump === true) current.spoilt ??= "interrupted";
    else this.#spoil("lost");
  }

  #spoil(why: "lost" | LinksealError): void {
    const current = this.#current;
    if (current === undefined) return;
    current.spoilt ??= why;
    this.#finish(current);
  }

  #finish(current: Conversation): void {
    this.#current = undefined;
    current.end.resolve();
  }

  #onMessage(message: Sequenced): void {
    const current = this.#current;
    const index = current === undefined ? -1 : (message.sequence - current.first) >>> 0;
    if (current === undefined || index >= current.refusals.length) return;
    if ((message.flags & netlinkFlags.dumpInterrupted) !== 0) current.spoilt ??= "interrupted";
    switch (message.type) {
      case controlTypes.noop:
        return;
      case controlTypes.overrun:
        current.spoilt ??= "lost";
        return;
      case controlTypes.error:
      case controlTypes.done:
        current.refusals[index] = refusalIn(message);
        if (index === current.refusals.length - 1) this.#finish(current);
        return;
      default:
        takeFrom(current, message);
    }
  }
}

/** The kernel's sentence may quote the request. */
function cleaned(refusal: Refusal, request: NetlinkRequest | undefined): Refusal {
  if (refusal.text === undefined) return refusal;
  using sent = new SentSecrets();
  sent.add((request?.body ?? []).filter((part) => part instanceof Secret));
  return { ...refusal, text: sent.clean(refusal.text) };
}

// A reader that fails does not end the conversation, because the remaining messages must be read.
function takeFrom(current: Conversation, message: Sequenced): void {
  if (current.spoilt instanceof LinksealError) return;
  try {
    current.take(message);
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    current.spoilt = error;
  }
}

// Requests are made only when their turn comes, so that making thousands does not block.
function* batchesOf(requests: Iterable<NetlinkRequest>): Generator<readonly NetlinkRequest[]> {
  let batch: NetlinkRequest[] = [];
  let bytes = 0;
  for (const request of requests) {
    const more = requestBytes(request);
    if (batch.length === batchMessagesMax || (batch.length > 0 && bytes + more > batchBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(request);
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}

/** Listens to multicast groups on a socket of its own; disposing of it ends that. */
export function monitor(
  native: Native,
  family: number,
  groups: readonly number[],
  events: NetlinkEvents,
): Disposable {
  const room = new Uint8Array(roomBytes);
  const view = new DataView(room.buffer);
  const onReadable = (): void => {
    const length = native.receive(socket, room);
    if (length === nothingThere) return;
    if (length < 0) {
      events.resync();
      return;
    }
    try {
      eachMessage(view, length, (message) => events.message(message));
    } catch (error) {
      // A message that cannot be read counts as lost.
      if (!(error instanceof LinksealError)) throw error;
      events.resync();
    } finally {
      room.fill(0, 0, length);
    }
  };
  const socket = native.openNetlink(family, receiveBytes, onReadable);
  try {
    for (const group of groups) native.joinGroup(socket, group);
  } catch (error) {
    native.close(socket);
    throw error;
  }
  return { [Symbol.dispose]: () => native.close(socket) };
}
