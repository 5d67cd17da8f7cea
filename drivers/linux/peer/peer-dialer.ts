// Another Linux host as if it were this one: its linkseal-net, MKA processes, charon, FRR and ping,
// over one SSH channel to `linkseal peer`.

import { orAborted, withDeadline } from "#hal/deadline.ts";
import { Malformed } from "#hal/decoder.ts";
import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import { foreignText } from "#hal/foreign-text.ts";
import type { PortName } from "#hal/model.ts";
import type { Octets } from "#hal/netlink.ts";
import { preview, Secret } from "#hal/secret.ts";
import type { Target } from "#hal/target.ts";
import type { ByteChannel, Dialer, StreamChannel, World } from "#hal/world.ts";
import { fillCommand } from "../../transport/fill.ts";
import { fillOctets } from "../../transport/octets.ts";
import { ReceiveBuffer } from "../../transport/receive-buffer.ts";
import { FrameSplitter, frameLine } from "./frames.ts";
import {
  type PeerReply,
  type PeerRequest,
  peerProtocol,
  readReplyLine,
  replyOctetsMax,
  writeArguments,
} from "./protocol.ts";

const helloMsMax = 15_000;
/** Longer than a login takes, with the first octets of the far process. */
const openMsMax = 40_000;
/** Octets of a connection that nothing has read yet; beyond them the connection is closed. */
const unreadBytesMax = 8 * 1024 * 1024;

/** The first frame of a session; `from`: our address as the host sees it, if it knows. */
type PeerHello = Extract<PeerReply, { readonly kind: "hello" }>;

/** The part of a Dialer that a host has, and its end. */
export interface HostDialer
  extends Pick<Dialer, "http" | "framed" | "exec" | "stream">,
    AsyncDisposable {
  /** Returns what the host says of itself, and of us, when a session begins. */
  hello(signal: AbortSignal): Promise<PeerHello>;
}

/** Returns the processes of the host at `to`. The session is opened by the first request. */
export function peerDialer(world: Pick<World, "dial" | "clock">, to: Target): HostDialer {
  return new PeerDialer(world, to);
}

class PeerDialer implements HostDialer {
  readonly #world: Pick<World, "dial" | "clock">;
  readonly #to: Target;
  readonly #end = new AbortController();
  #session: Promise<PeerSession> | undefined;

  constructor(world: Pick<World, "dial" | "clock">, to: Target) {
    this.#world = world;
    this.#to = to;
  }

  readonly http: Dialer["http"] = async (request, signal) => {
    const { method, path, body = [], replyBytesMax } = request;
    if (method !== "GET" && method !== "POST") throw new RangeError(`no ${method} to linkseal-net`);
    const session = await this.#opened(signal);
    const effect = method === "GET" ? "none" : "unknown";
    // No request to linkseal-net has a key.
    const octets = [fillCommand([preview(body)])];
    const asked = { kind: "net", method, path } as const;
    const { status, octets: reply } = await session.ask(asked, octets, effect, signal);
    if (reply.length > replyBytesMax)
      throw failed("transport.closed", tooLong, effect, this.#where);
    return { status, headers: {}, body: reply };
  };

  readonly framed: Dialer["framed"] = async ({ path, octets, replyBytesMax, effect }, signal) => {
    const session = await this.#opened(signal);
    const asked = { kind: "mka", port: portOf(path), effect } as const;
    const { octets: reply } = await session.ask(asked, octets, effect, signal);
    if (reply.length > replyBytesMax)
      throw failed("transport.closed", tooLong, effect, this.#where);
    return reply;
  };

  readonly exec: Dialer["exec"] = async (argv, stdin, signal) => {
    if (stdin.length > 0) throw new RangeError("no standard input reaches a program of a peer");
    const session = await this.#opened(signal);
    const { status, split, octets } = await session.ask(
      { kind: "run" },
      [writeArguments(argv)],
      argv.includes("configure terminal") ? "unknown" : "none",
      signal,
    );
    return { status, stdout: octets.subarray(0, split), stderr: octets.subarray(split) };
  };

  readonly stream: Dialer["stream"] = async (_path, signal) =>
    await (await this.#opened(signal)).connect(signal);

  async hello(signal: AbortSignal): Promise<PeerHello> {
    return await (await this.#opened(signal)).hello;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A request may still wait for a session, which was not asked for anything.
    this.#end.abort(failed("transport.closed", "the device is closed", "none", this.#where));
    const session = await this.#session?.catch(() => undefined);
    await session?.close();
  }

  get #where(): string {
    return this.#to.device;
  }

  async #opened(signal: AbortSignal): Promise<PeerSession> {
    for (;;) {
      const before = this.#session;
      const session = await orAborted(before?.catch(() => undefined) ?? absent, signal);
      if (session?.isOver === false) return session;
      // Another request may have opened a new one meanwhile.
      if (this.#session !== before) continue;
      const opening = this.#open();
      this.#session = opening;
      // The request may be aborted by now, and nothing else waits for it.
      opening.catch(() => undefined);
      return await orAborted(opening, signal);
    }
  }

  async #open(): Promise<PeerSession> {
    const { dial, clock } = this.#world;
    const where = this.#to.device;
    const limit = { ms: openMsMax, where, effect: "none" } as const;
    return await withDeadline(clock, limit, this.#end.signal, async (signal) => {
      const channel = await dial.channel(this.#to, "peer", signal);
      const session = new PeerSession(channel, where);
      try {
        const hello = { ms: helloMsMax, where, effect: "none" } as const;
        await withDeadline(clock, hello, signal, (bounded) => orAborted(session.hello, bounded));
        return session;
      } catch (error) {
        await session.close();
        throw error;
      }
    });
  }
}

const tooLong = "the reply is too long";
const absent = Promise.resolve(undefined);

function portOf(path: string): PortName {
  return path.replace(/^.*\//, "").replace(/\.sock$/, "");
}

interface Answer {
  readonly status: number;
  readonly split: number;
  readonly octets: Buffer;
}

interface Waiting {
  readonly effect: Extract<Effect, "none" | "unknown">;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

type WithoutId<R> = R extends PeerRequest ? Omit<R, "id"> : never;
/** The requests that get one answer. */
type Asked = WithoutId<Extract<PeerRequest, { readonly kind: "net" | "mka" | "run" }>>;

type Ready = (hello: PeerHello) => void;

/** One channel to `linkseal peer`, until either end closes it. */
class PeerSession {
  isOver = false;
  /** Resolves once the far end has said what it speaks. */
  readonly hello: Promise<PeerHello>;
  readonly #channel: ByteChannel;
  readonly #where: string;
  readonly #over = new AbortController();
  readonly #waiting = new Map<number, Waiting>();
  readonly #connections = new Map<number, PeerConnection>();
  #lastId = 0;
  #isGreeted = false;

  constructor(channel: ByteChannel, where: string) {
    this.#channel = channel;
    this.#where = where;
    const hello = Promise.withResolvers<PeerHello>();
    this.hello = hello.promise;
    this.hello.catch(() => undefined);
    void this.#listen(hello.resolve).then(
      () => this.#ended(hello.reject, "the session has ended"),
      (error: unknown) => this.#ended(hello.reject, reasonOf(error, this.#isGreeted), error),
    );
  }

  /** `effect`: what a request with a lost reply may have done. */
  async ask(
    asked: Asked,
    octets: Octets,
    effect: Waiting["effect"],
    signal: AbortSignal,
  ): Promise<Answer> {
    const id = this.#nextId();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, { effect, resolve, reject });
    promise.catch(() => undefined);
    try {
      await this.#write({ ...asked, id }, octets, effect);
      return await orAborted(promise, signal);
    } finally {
      // The far end need not go on with what is no longer waited for.
      if (this.#waiting.delete(id) && signal.aborted) this.#leave(id);
    }
  }

  /** Opens a connection to charon. */
  async connect(signal: AbortSignal): Promise<StreamChannel> {
    const id = this.#nextId();
    const send = (octets: Octets) => this.#write({ kind: "send", id }, octets, "unknown");
    const connection = new PeerConnection(send, () => {
      if (this.#connections.delete(id)) this.#leave(id);
    });
    this.#connections.set(id, connection);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, { effect: "none", resolve, reject });
    promise.catch(() => undefined);
    try {
      await this.#write({ kind: "open", id }, [], "none");
      await orAborted(promise, signal);
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async close(): Promise<void> {
    this.isOver = true;
    this.#over.abort(new Error("the session is closed"));
    await this.#channel[Symbol.asyncDispose]();
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #leave(id: number): void {
    if (!this.isOver) void this.#write({ kind: "end", id }, [], "none").catch(() => undefined);
  }

  // The signal of a request could leave half a frame behind, so that of the session is used.
  async #write(request: PeerRequest, octets: Octets, effect: Waiting["effect"]): Promise<void> {
    if (this.isOver) throw failed("transport.closed", "the session has ended", "none", this.#where);
    const room = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
    fillOctets(octets, room);
    using secret = Secret.take("frame", room);
    const line = frameLine(request, octets);
    const text = secret.byteLength === 0 ? [line] : [line, { secret, as: "raw" } as const];
    try {
      await this.#channel.write(text, this.#over.signal);
    } catch (error) {
      throw failed("transport.closed", "the session has ended", effect, this.#where, error);
    }
  }

  async #listen(ready: Ready): Promise<void> {
    const frames = new FrameSplitter(replyOctetsMax);
    for (;;) {
      const arrived = await this.#channel.read(this.#over.signal);
      if (arrived === undefined) return;
      frames.push(arrived);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        this.#take(readReplyLine(frame.fields, "line"), frame.octets, ready);
      }
    }
  }

  #take(reply: PeerReply, octets: Buffer, ready: Ready): void {
    switch (reply.kind) {
      case "hello":
        if (reply.protocol !== peerProtocol) throw this.#otherProtocol(reply);
        this.#isGreeted = true;
        ready(reply);
        return;
      case "answer": {
        const { status, split } = reply;
        if (split > octets.length) throw new Malformed("split");
        this.#settle(reply.id)?.resolve({ status, split, octets });
        return;
      }
      case "opened":
        this.#settle(reply.id)?.resolve({ status: 0, split: 0, octets });
        return;
      case "data":
        this.#connections.get(reply.id)?.push(octets);
        return;
      case "closed":
        this.#connections.get(reply.id)?.end();
        this.#connections.delete(reply.id);
        return;
      case "refused": {
        const waiting = this.#settle(reply.id);
        waiting?.reject(this.#refusal(reply.refusal, waiting.effect));
      }
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #refusal(refusal: Extract<PeerReply, { readonly kind: "refused" }>["refusal"], asked: Effect) {
    const { code, text, where, next } = refusal;
    // What only reads has no effect, whatever the far end says.
    const effect = asked === "none" ? "none" : refusal.effect;
    const there = `${this.#where}: ${foreignText(where)}`;
    return new LinksealError(code, foreignText(text), {
      ...{ effect, where: there, next: foreignText(next) },
    });
  }

  #otherProtocol({ protocol, version }: PeerHello): LinksealError {
    const there = `linkseal ${foreignText(version)} on ${this.#where}`;
    const text = `${there} speaks protocol ${protocol}, and this host ${peerProtocol}`;
    return new LinksealError("device.unsupported", text, {
      effect: "none",
      where: this.#where,
      next: `install the same version on both hosts: on ${this.#where} first`,
    });
  }

  #ended(noHello: (error: unknown) => void, why: string, cause?: unknown): void {
    this.isOver = true;
    this.#over.abort(new Error(why));
    const asIs = cause instanceof LinksealError ? cause : undefined;
    noHello(asIs ?? noPeer(why, this.#where, cause));
    for (const { effect, reject } of this.#waiting.values()) {
      reject(failed("transport.closed", why, effect, this.#where, cause));
    }
    this.#waiting.clear();
    for (const connection of this.#connections.values()) connection.end();
    this.#connections.clear();
    void this.#channel[Symbol.asyncDispose]();
  }
}

function noPeer(why: string, where: string, cause: unknown): LinksealError {
  const text = `\`linkseal peer\` does not answer there: ${why}`;
  const next = `on ${where}: systemctl status linkseal-peer`;
  return new LinksealError("transport.closed", text, { effect: "none", where, next, cause });
}

function reasonOf(error: unknown, isGreeted: boolean): string {
  // sshd passes on what a script such as /etc/ssh/sshrc prints, before what the command does.
  if (error instanceof Malformed && error.message === "line" && !isGreeted) {
    return "the login prints other text first, such as that of /etc/ssh/sshrc";
  }
  if (error instanceof Malformed) return `the session makes no sense at: ${error.message}`;
  return error instanceof LinksealError ? error.message : "the session has ended";
}

/** A connection to charon of the far host. */
class PeerConnection implements StreamChannel {
  readonly #send: (octets: Octets) => Promise<void>;
  readonly #leave: () => void;
  readonly #unread = new ReceiveBuffer();
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  constructor(send: (octets: Octets) => Promise<void>, leave: () => void) {
    this.#send = send;
    this.#leave = leave;
  }

  push(octets: Uint8Array): void {
    if (this.#isOver) return;
    this.#unread.push(octets);
    octets.fill(0);
    if (this.#unread.length > unreadBytesMax) this[Symbol.dispose]();
    this.#wake.resolve();
  }

  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.#wake = Promise.withResolvers<void>();
      if (this.#unread.length > 0) return this.#unread.takeAll();
      if (this.#isOver) return undefined;
      await this.#wake.promise;
    }
  }

  async write(octets: Octets): Promise<void> {
    await this.#send(octets);
  }

  [Symbol.dispose](): void {
    this.end();
    this.#unread.takeAll().fill(0);
    this.#leave();
  }
}

function failed(
  code: ErrorCode,
  text: string,
  effect: Effect,
  where: string,
  cause?: unknown,
): LinksealError {
  const next = "linkseal doctor";
  return new LinksealError(code, text, { effect, where, next, cause });
}
