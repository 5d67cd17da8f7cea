// One connection to a NATS server: signs in, asks, and ends at the first breach of the protocol or
// of a limit. Nothing that the server sends can make it keep more than the answers it waits for:
// NATS's own client (3.4.0) keeps what arrives after a frame that it cannot read, without end.

import { parseJson } from "#hal/json.ts";
import type { Instant, StreamChannel, World } from "#hal/world.ts";
import { answerMsMax, judgeEngine, messageBytesMax, type Outage, renewUsers } from "./engine.ts";
import { NatsFault } from "./nats-fault.ts";
import { clientFrames, FrameReader, headerBytesMax, type NatsFrame } from "./nats-frames.ts";
import type { UserKey } from "./nkey.ts";

/** Requests that may wait for their answer at a time. */
const waitingMax = 64;
/** Octets that a server may send unasked in a minute. */
const unaskedBytesMax = 64 * 1024;
const minuteMs = 60_000;
const closed: Outage = {
  why: "the server closed the connection",
  next: "journalctl --unit nats-server, on the engine's host",
};
/** A connection without traffic is asked for a sign of life after this time, in milliseconds. */
const quietMs = 30_000;

/** What a connection needs. */
export interface ConnectionParts {
  readonly world: Pick<World, "clock" | "entropy">;
  /** Prefix of the subjects on which replies arrive. */
  readonly inbox: string;
  /** Name of this client, for the operator of the server. */
  readonly name: string;
  readonly key: UserKey;
}

/** The reply to a request. */
export type NatsReply =
  | {
      readonly kind: "reply";
      readonly headers: readonly string[];
      readonly octets: Uint8Array;
    }
  /** The user has no right to publish on the subject. */
  | { readonly kind: "denied" }
  /** The request is longer than the server takes, or too many wait: nothing was sent. */
  | { readonly kind: "tooLarge" | "busy" }
  /** There was no reply: the request may have been carried out. */
  | { readonly kind: "unknown" };

interface Waiting {
  readonly subject: string;
  readonly replyBytesMax: number;
  readonly settle: (reply: NatsReply) => void;
}

/** A request: its subject, headers and content, and octets of the longest reply. */
export interface NatsRequest {
  readonly subject: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly octets: Uint8Array;
  readonly replyBytesMax: number;
}

/** A connection, from the first octet to the end. */
export class NatsConnection {
  readonly #parts: ConnectionParts;
  readonly #channel: StreamChannel;
  readonly #frames = new FrameReader(messageBytesMax);
  readonly #waiting = new Map<string, Waiting>();
  readonly #inbox: string;
  readonly #pongs: ((isAlive: boolean) => void)[] = [];
  readonly #denied: string[] = [];
  #count = 0;
  #credit = unaskedBytesMax;
  #creditAt: Instant;
  #heardAt: Instant;
  #payloadBytesMax = 0;
  #outage: Outage | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  /** `channel`: a protected stream to the server, which the connection closes. */
  constructor(parts: ConnectionParts, channel: StreamChannel) {
    this.#parts = parts;
    this.#channel = channel;
    this.#creditAt = parts.world.clock.now();
    this.#heardAt = this.#creditAt;
    const token = Buffer.from(parts.world.entropy.bytes(16)).toString("hex");
    this.#inbox = `${parts.inbox}.${token}`;
  }

  /** Why the connection has ended; undefined = it has not. */
  get outage(): Outage | undefined {
    return this.#outage;
  }

  /**
   * Serves the connection until it ends; `ready` is called once the server has taken the user.
   * Resolves to the reason.
   */
  async serve(ready: () => void, signal: AbortSignal): Promise<Outage> {
    const ended = (): void => this.#end("it is not wanted any more");
    signal.addEventListener("abort", ended, { once: true });
    const signedIn = this.#alarm("the server did not answer in time");
    const first = Promise.withResolvers<boolean>();
    this.#pongs.push(first.resolve);
    void first.promise.then((isAlive) => {
      signedIn();
      if (isAlive && this.#outage === undefined) ready();
    });
    const stopWatch = this.#watch();
    if (signal.aborted) ended();
    await this.#read();
    this.#end(closed.why, closed.next);
    signal.removeEventListener("abort", ended);
    signedIn();
    stopWatch();
    return this.#outage ?? closed;
  }

  /** Sends a request; resolves within `answerMsMax`. */
  async request(request: NatsRequest, signal: AbortSignal): Promise<NatsReply> {
    const { subject, headers = {}, octets, replyBytesMax } = request;
    if (this.#outage !== undefined || this.#waiting.size >= waitingMax) return { kind: "busy" };
    if (octets.length + headerBytesMax > this.#payloadBytesMax) return { kind: "tooLarge" };
    this.#count += 1;
    const reply = `${this.#inbox}.${this.#count}`;
    const { promise, resolve } = Promise.withResolvers<NatsReply>();
    const settle = (answer: NatsReply): void => {
      off();
      signal.removeEventListener("abort", aborted);
      this.#waiting.delete(reply);
      resolve(answer);
    };
    const aborted = (): void => settle({ kind: "unknown" });
    const off = this.#parts.world.clock.alarm(answerMsMax, aborted);
    signal.addEventListener("abort", aborted, { once: true });
    this.#waiting.set(reply, { subject, replyBytesMax, settle });
    if (signal.aborted) aborted();
    else this.#send(clientFrames.publish(subject, reply, headers, octets));
    return await promise;
  }

  /**
   * Sends octets that no reply is awaited for, and reports the refusals until the server has
   * answered everything before; undefined = the connection ended first.
   */
  async refusals(...frames: readonly Uint8Array[]): Promise<readonly string[] | undefined> {
    this.#denied.length = 0;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#pongs.push(resolve);
    this.#send([...frames, clientFrames.ping]);
    return (await promise) ? [...this.#denied] : undefined;
  }

  #alarm(why: string): () => void {
    return this.#parts.world.clock.alarm(answerMsMax, () => this.#end(why));
  }

  /** Asks for a sign of life whenever the server was quiet. */
  #watch(): () => void {
    const { clock } = this.#parts.world;
    let off = (): void => undefined;
    const next = (): void => {
      if (this.#outage !== undefined) return;
      if (clock.now() - this.#heardAt >= quietMs + answerMsMax) {
        this.#end("the server has gone quiet");
        return;
      }
      if (clock.now() - this.#heardAt >= quietMs) {
        this.#pongs.push(() => undefined);
        this.#send([clientFrames.ping]);
      }
      off = clock.alarm(answerMsMax, next);
    };
    off = clock.alarm(answerMsMax, next);
    return () => off();
  }

  /** Writes in turn; a write that does not end in time ends the connection. */
  #send(octets: readonly Uint8Array[]): void {
    this.#writing = this.#writing.then(async () => {
      if (this.#outage !== undefined) return;
      const off = this.#alarm("the server takes nothing");
      await this.#channel.write(octets).catch(() => this.#end(closed.why, closed.next));
      off();
    });
  }

  async #read(): Promise<void> {
    try {
      while (this.#outage === undefined) {
        const octets = await this.#channel.read();
        if (octets === undefined || this.#outage !== undefined) return;
        this.#charge(octets.length);
        for (const frame of this.#frames.push(octets)) this.#take(frame);
      }
    } catch (error) {
      // Text of a fault is ours; that of any other failure may be of the other end.
      this.#end(error instanceof NatsFault ? error.message : "the connection failed");
    }
  }

  /** Counts octets against what was asked for and what may come unasked. */
  #charge(length: number): void {
    const now = this.#parts.world.clock.now();
    this.#heardAt = now;
    if (now - this.#creditAt >= minuteMs) {
      this.#creditAt = now;
      this.#credit = Math.max(this.#credit, unaskedBytesMax);
    }
    this.#credit -= length;
    const asked = [...this.#waiting.values()].reduce(
      (sum, { replyBytesMax }) => sum + replyBytesMax + headerBytesMax,
      0,
    );
    if (this.#credit + asked < 0) throw new NatsFault("the server sends what was not asked for");
  }

  #take(frame: NatsFrame): void {
    switch (frame.kind) {
      case "info":
        this.#signIn(frame.json);
        return;
      case "ping":
        this.#send([clientFrames.pong]);
        return;
      case "pong":
        this.#pongs.shift()?.(true);
        return;
      case "ok":
        return;
      case "error":
        this.#refused(frame.text);
        return;
      case "message":
        this.#answered(frame);
        return;
    }
  }

  #signIn(json: string): void {
    const info = infoOf(json);
    if (info === undefined) throw new NatsFault("the server does not say what it is");
    const isFirst = this.#payloadBytesMax === 0;
    this.#payloadBytesMax = info.payloadBytesMax;
    // Later ones announce other servers, which are not followed.
    if (!isFirst) return;
    const { key, name } = this.#parts;
    const connect = clientFrames.connect({
      ...{ verbose: false, pedantic: false, echo: false, protocol: 1 },
      ...{ headers: true, no_responders: true, lang: "linkseal", version: "1", name },
      ...(info.nonce === undefined ? {} : { nkey: key.publicKey, sig: key.sign(info.nonce) }),
    });
    this.#send([connect, clientFrames.subscribe(`${this.#inbox}.*`), clientFrames.ping]);
  }

  #refused(text: string): void {
    const [, verb, subject = ""] =
      /^permissions violation for (publish|subscription) to "([^"]{1,512})"/i.exec(text) ?? [];
    if (verb === undefined) {
      const isUser = /authorization|authentication|revoked|expired/i.test(text);
      const { publicKey } = this.#parts.key;
      if (!isUser) this.#end("the server reports an error");
      else {
        const next = `put ${publicKey} into the list of users, ${renewUsers}`;
        this.#end("the server refuses this user as its list lacks the key", next);
      }
      return;
    }
    if (this.#denied.length < waitingMax) this.#denied.push(subject);
    if (subject.startsWith(this.#inbox)) {
      // Rights to replies name the site: this is what a wrong name is seen by.
      const next = `correct the name in the list of users, ${renewUsers}; or site in the config`;
      this.#end("the engine's list has this key under another name", next);
      return;
    }
    if (verb.toLowerCase() !== "publish") return;
    for (const each of this.#waiting.values()) {
      if (each.subject === subject) each.settle({ kind: "denied" });
    }
  }

  #answered({ subject, headers, octets }: NatsFrame & { readonly kind: "message" }): void {
    const waiting = this.#waiting.get(subject);
    // A late answer, or one that was never asked for.
    if (waiting === undefined) return;
    // What was asked for does not count as unasked.
    this.#credit = unaskedBytesMax;
    const isFit = octets.length <= waiting.replyBytesMax;
    waiting.settle(isFit ? { kind: "reply", headers, octets } : { kind: "unknown" });
  }

  #end(why: string, next = judgeEngine): void {
    if (this.#outage !== undefined) return;
    this.#outage = { why, next };
    this.#channel[Symbol.dispose]();
    for (const { settle } of [...this.#waiting.values()]) settle({ kind: "unknown" });
    for (const settle of this.#pongs.splice(0)) settle(false);
  }
}

interface Info {
  readonly payloadBytesMax: number;
  readonly nonce: string | undefined;
}

function infoOf(json: string): Info | undefined {
  try {
    const value: unknown = parseJson(json, { characters: 32 * 1024, values: 1_000 });
    if (typeof value !== "object" || value === null) return undefined;
    const { max_payload: bytes, nonce } = value as Readonly<Record<string, unknown>>;
    if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 1) return undefined;
    const isNonce = typeof nonce === "string" && /^[\w-]{1,64}$/.test(nonce);
    return { payloadBytesMax: bytes, nonce: isNonce ? nonce : undefined };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
