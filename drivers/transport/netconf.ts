// NETCONF (RFC 6241) over a byte channel: hello, pipelined requests, errors as codes.

import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type { Command } from "#hal/secret.ts";
import { SentSecrets, secretsOf } from "#hal/sent-secrets.ts";
import type { ByteChannel } from "#hal/world.ts";
import { lengthOf } from "./fill.ts";
import { Deframer, endOfMessage, type Framing } from "./netconf-frames.ts";
import { type FailureMark, lostBy, refusalOf } from "./refusal.ts";
import { nextTurn } from "./turn.ts";
import {
  budgetOfReplies,
  childOf,
  childrenOf,
  element,
  elementWith,
  everyOf,
  readXml,
  textOf,
  writeXml,
  type XmlElement,
  type XmlOut,
} from "./xml.ts";

const base = "urn:ietf:params:xml:ns:netconf:base:1.0";
const base10 = "urn:ietf:params:netconf:base:1.0";
const base11 = "urn:ietf:params:netconf:base:1.1";

/** 2,000 interfaces with all their counters, the longest reply, need five megabytes. */
const messageBytesMax = 6 * 1024 * 1024;
/** Replies to the calls that share a signal, which are those of one observation. */
const repliesBytesMax = 10 * 1024 * 1024;
/** The capabilities of 1,000 YANG modules need a tenth of it. */
const helloBytesMax = 1024 * 1024;
/** Notifications, and replies to aborted calls, between two replies; nothing is subscribed to. */
const unaskedBytesMax = 1024 * 1024;
/** Octets of messages that arrived together after which the event loop serves others. */
const sliceBytes = 256 * 1024;
/** The cost of a message besides its octets. */
const messageCost = 1_024;

export interface NetconfOptions {
  /** The device, for errors. */
  readonly where: string;
  /** Called when the device has reported an event, so that it may be observed sooner. */
  readonly onChange: () => void;
  /** Texts of errors that mean a code, whatever their tag. */
  readonly marks: readonly FailureMark[];
}

interface Waiting {
  readonly resolve: (reply: XmlElement) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One session. Aborting a call in the middle of an edit closes it, and the device discards the
 * edit.
 */
export class Netconf implements AsyncDisposable {
  readonly capabilities: ReadonlySet<string>;
  /** The device, for errors. */
  readonly where: string;
  readonly #channel: ByteChannel;
  readonly #options: NetconfOptions;
  readonly #framing: Framing;
  readonly #waiting = new Map<string, Waiting>();
  readonly #sent = new SentSecrets();
  readonly #end = new AbortController();
  #ended: LinksealError | undefined;
  #count = 0;
  /** Octets of messages since the last reply to a call. */
  #unasked = 0;
  /** Octets of messages, and what is left for elements, since the first call of an observation. */
  #asked = 0;
  #budget = budgetOfReplies();
  #observation: AbortSignal | undefined;

  private constructor(
    channel: ByteChannel,
    options: NetconfOptions,
    capabilities: ReadonlySet<string>,
  ) {
    this.#channel = channel;
    this.#options = options;
    this.where = options.where;
    this.capabilities = capabilities;
    this.#framing = capabilities.has(base11) ? "chunked" : "endOfMessage";
  }

  /**
   * Opens a session and takes over the channel: a failure or an abort closes it.
   * @throws LinksealError `transport.*` or `device.unparsed`, with effect "none".
   */
  static async open(
    channel: ByteChannel,
    options: NetconfOptions,
    signal: AbortSignal,
  ): Promise<Netconf> {
    try {
      const capability = (uri: string): XmlOut => element("capability", uri);
      const capabilities = element("capabilities", capability(base10), capability(base11));
      const hello = elementWith("hello", { xmlns: base }, capabilities);
      await channel.write([...writeXml(hello), endOfMessage], signal);
      const deframer = new Deframer(helloBytesMax, options.where);
      const peerHello = await firstMessage(channel, deframer, options.where, signal);
      const session = new Netconf(channel, options, offeredBy(peerHello, options.where));
      deframer.framing = session.#framing;
      deframer.bytesMax = messageBytesMax;
      void session.#listen(deframer);
      return session;
    } catch (error) {
      await channel[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whether the session has ended. */
  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Sends an operation and returns the whole reply. `effect`: what the request may have done once
   * its reply is lost. After an abort the device may still carry it out.
   * @throws LinksealError `device.*` for a refusal, `transport.*` with `effect` for a lost reply.
   */
  async call(operation: XmlOut, effect: Effect, signal: AbortSignal): Promise<XmlElement> {
    signal.throwIfAborted();
    if (this.#ended !== undefined) throw lostBy(this.#ended, "none");
    if (signal !== this.#observation) {
      this.#observation = signal;
      this.#asked = 0;
      this.#budget = budgetOfReplies();
    }
    this.#count += 1;
    const id = String(this.#count);
    const { promise, resolve, reject } = Promise.withResolvers<XmlElement>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    try {
      // Both are awaited together: the channel may refuse before any code waits for the reply.
      const [reply] = await Promise.all([promise, this.#send(id, operation, signal)]);
      const refusal = refusalIn(reply, this.#options);
      if (refusal !== undefined) throw refusal;
      return reply;
    } catch (error) {
      if (!(error instanceof LinksealError) || signal.aborted) throw error;
      const isLost = error === this.#ended || error.code.startsWith("transport.");
      throw isLost ? lostBy(error, effect) : error;
    } finally {
      this.#waiting.delete(id);
      signal.removeEventListener("abort", abort);
    }
  }

  async #send(id: string, operation: XmlOut, signal: AbortSignal): Promise<void> {
    const message = writeXml(elementWith("rpc", { xmlns: base, "message-id": id }, operation));
    this.#sent.add(secretsOf(message));
    await this.#channel.write(framed(message, this.#framing), signal);
  }

  /** Ends the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(closed("it was closed here", this.#options.where));
    this.#end.abort();
    this.#sent[Symbol.dispose]();
    await this.#channel[Symbol.asyncDispose]();
  }

  async #listen(deframer: Deframer): Promise<void> {
    const { where } = this.#options;
    try {
      for (;;) {
        let slice = 0;
        for (let next = deframer.next(); next !== undefined; next = deframer.next()) {
          const cost = messageCost + next.length;
          this.#hear(await readXml(this.#sent.cleanOctets(next), where, this.#budget), cost);
          slice += cost;
          if (slice < sliceBytes) continue;
          slice = 0;
          await nextTurn();
        }
        const octets = await this.#channel.read(this.#end.signal);
        if (octets === undefined) throw closed("the device closed it", where);
        deframer.push(octets);
      }
    } catch (error) {
      const ended = error instanceof LinksealError ? error : closed("it broke", where, error);
      this.#fail(ended);
      await this.#channel[Symbol.asyncDispose]();
    }
  }

  /** `cost`: octets, with some for each message. */
  #hear(message: XmlElement, cost: number): void {
    const { where } = this.#options;
    this.#asked += cost;
    if (this.#asked > repliesBytesMax) throw closed("its replies are too long together", where);
    const waiting = this.#waitingFor(message);
    this.#unasked = waiting === undefined ? this.#unasked + cost : 0;
    if (this.#unasked > unaskedBytesMax) throw closed("it sends what is not asked for", where);
    waiting?.resolve(message);
  }

  /** Returns the call that a message replies to, which waits no longer; undefined = none. */
  #waitingFor(message: XmlElement): Waiting | undefined {
    if (message.name === "notification") {
      this.#options.onChange();
      return undefined;
    }
    const id = message.attributes.get("message-id");
    if (message.name !== "rpc-reply" || id === undefined) {
      throw closed("it sent what is not a reply", this.#options.where);
    }
    // A call that was aborted has no entry, and its reply is dropped.
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #fail(error: LinksealError): void {
    this.#ended ??= this.#sent.cleanError(error);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}

function framed(message: Command, framing: Framing): Command {
  if (framing === "endOfMessage") return [...message, endOfMessage];
  return [`\n#${lengthOf(message)}\n`, ...message, "\n##\n"];
}

async function firstMessage(
  channel: ByteChannel,
  deframer: Deframer,
  where: string,
  signal: AbortSignal,
): Promise<XmlElement> {
  for (;;) {
    const message = deframer.next();
    if (message !== undefined) return await readXml(message, where);
    const octets = await channel.read(signal);
    if (octets === undefined) throw closed("the device closed it before its hello", where);
    deframer.push(octets);
  }
}

function offeredBy(hello: XmlElement, where: string): ReadonlySet<string> {
  const list = hello.children.find(({ name }) => name === "capabilities");
  const offered = new Set(childrenOf(list, "capability").map(({ text }) => text));
  // Junos leaves "xml:ns" in the name of the base.
  if (offered.has("urn:ietf:params:xml:ns:netconf:base:1.0")) offered.add(base10);
  if (hello.name === "hello" && (offered.has(base10) || offered.has(base11))) return offered;
  throw new LinksealError("device.unparsed", "the other end does not speak NETCONF", {
    effect: "none",
    where,
    next: "linkseal doctor",
  });
}

const lockTags: ReadonlySet<string> = new Set(["lock-denied", "in-use"]);
const unknownTags: ReadonlySet<string> = new Set(["operation-not-supported", "unknown-element"]);

/**
 * Returns what the device refuses, also beside an `<ok/>`; undefined = nothing. Warnings do not
 * count.
 */
export function refusalIn(
  reply: XmlElement,
  { where, marks }: Pick<NetconfOptions, "where" | "marks">,
): LinksealError | undefined {
  // Junos writes `xnm:error` inside the results of a commit or a load.
  const inResults = everyOf(reply, "error").filter((one) => childOf(one, "message") !== undefined);
  const errors = [...everyOf(reply, "rpc-error"), ...inResults];
  const severe = errors.find((one) => textOf(one, "error-severity") !== "warning");
  if (severe === undefined) return undefined;
  const severeText = textOf(severe, "error-message") ?? textOf(severe, "message") ?? severe.text;
  const tag = foreignText(textOf(severe, "error-tag") ?? "");
  const text = foreignText(severeText);
  const code = codeOf(tag, severeText, marks);
  return refusalOf(code, `the device refuses: ${text || tag || "without a word"}`, where);
}

function codeOf(tag: string, severeText: string, marks: readonly FailureMark[]): ErrorCode {
  const code = marks.find(({ pattern }) => pattern.test(severeText))?.code;
  if (code !== undefined) return code;
  if (lockTags.has(tag)) return "device.locked";
  return unknownTags.has(tag) ? "device.unsupported" : "device.rejected";
}

function closed(why: string, where: string, cause?: unknown): LinksealError {
  return new LinksealError("transport.closed", `the NETCONF session has ended: ${why}`, {
    effect: "none",
    where,
    next: "linkseal status",
    cause,
  });
}
