// The end of the protocol on the far host: passes what is allowed on to the processes of that host,
// and keeps nothing.

import { isIP } from "node:net";
import { Malformed } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import type { Octets } from "#hal/netlink.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer, Log, StreamChannel } from "#hal/world.ts";
import { replyBytesMax as mkaReplyBytesMax } from "../mka/protocol.ts";
import { CharonGate, isNetPath, isPortName, isProgram } from "./allowed.ts";
import { type Frame, FrameSplitter, frameLine } from "./frames.ts";
import {
  type PeerReply,
  type PeerRequest,
  peerProtocol,
  readArguments,
  readRequestLine,
  replyOctetsMax,
  requestOctetsMax,
} from "./protocol.ts";

type Asked = Exclude<PeerRequest, { readonly kind: "from" | "send" | "end" }>;

/** The host as the far end of the protocol uses it. */
export interface PeerHost {
  /** Programs and sockets of this host. */
  readonly dial: Pick<Dialer, "http" | "framed" | "exec" | "stream">;
  /** Path of linkseal-net's socket. */
  readonly net: string;
  /** Folder of the sockets of the MKA processes. */
  readonly mka: string;
  /** Path of charon's socket. */
  readonly charon: string;
  /** The version of linkseal. */
  readonly version: string;
  readonly log: Log;
}

/** Kinds of what is not passed on that a session logs. */
const strangeMost = 16;
const unknownPlace = "an unknown address";
/** Looks at a host with 64 ports wait all at a time for changes. */
const requestsMax = 128;
const connectionsMax = 8;
const netReplyBytesMax = 4 * 1024 * 1024;

/**
 * Serves one agent until it closes its end, or sends what is not a frame.
 * @throws a defect, after which no answer can be trusted
 */
export async function servePeer(channel: StreamChannel, host: PeerHost): Promise<void> {
  const session = new Session(channel, host);
  try {
    await Promise.race([session.run(), session.defect]);
  } finally {
    session.end();
  }
}

interface Connection {
  readonly stream: StreamChannel;
  readonly gate: CharonGate;
  /** Resolves once all packets so far are sent. */
  sent: Promise<void>;
}

class Session {
  readonly #channel: StreamChannel;
  readonly #host: PeerHost;
  readonly #defect = Promise.withResolvers<never>();
  readonly #asked = new Map<number, AbortController>();
  readonly #connections = new Map<number, Connection>();
  /** What was not passed on, each kind once. */
  readonly #strange = new Set<string>();
  #from: string | undefined;
  #isGreeted = false;

  constructor(channel: StreamChannel, host: PeerHost) {
    this.#channel = channel;
    this.#host = host;
  }

  /** Rejects with the first defect. */
  get defect(): Promise<never> {
    return this.#defect.promise;
  }

  async run(): Promise<void> {
    const frames = new FrameSplitter(requestOctetsMax);
    try {
      for (;;) {
        const arrived = await this.#channel.read();
        if (arrived === undefined) return;
        frames.push(arrived);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
          try {
            this.#take(frame);
          } catch (error) {
            // A key may be among the octets of a frame that is not understood.
            frame.octets.fill(0);
            throw error;
          }
        }
      }
    } catch (error) {
      // After a malformed frame nothing is understood; the agent notices the end.
      if (!(error instanceof Malformed)) throw error;
      this.#tell(error);
    } finally {
      frames.wipe();
    }
  }

  /** Ends all that the agent asked for. */
  end(): void {
    for (const asked of this.#asked.values()) asked.abort(new Error("the agent is gone"));
    for (const id of this.#connections.keys()) this.#close(id);
    this.#channel[Symbol.dispose]();
  }

  #take({ fields, octets }: Frame): void {
    const request = readRequestLine(fields, "line");
    if (this.#isGreeted === (request.kind === "from")) throw new Malformed("from");
    switch (request.kind) {
      case "from":
        this.#isGreeted = true;
        this.#greet(request);
        return;
      case "net":
      case "mka":
      case "run":
      case "open":
        this.#answer(request, octets).catch(this.#defect.reject);
        return;
      case "send":
        this.#send(request.id, octets);
        return;
      case "end":
        this.#asked.get(request.id)?.abort(new Error("no longer asked for"));
        this.#close(request.id);
        return;
    }
  }

  #greet({ address, forced, keys }: Extract<PeerRequest, { readonly kind: "from" }>): void {
    const from = address !== undefined && isIP(address) !== 0 ? address : undefined;
    this.#from = from;
    const { version, log } = this.#host;
    log.write("info", "peer-session", `an agent at ${from ?? unknownPlace} has a session`);
    const hello = { kind: "hello", protocol: peerProtocol, version, from, forced, keys } as const;
    // If the agent is gone by now, the next read says so.
    void this.#write(hello, []).catch(() => undefined);
  }

  async #answer(request: Asked, octets: Buffer): Promise<void> {
    const { id } = request;
    const own = new AbortController();
    try {
      if (this.#asked.has(id) || this.#asked.size >= requestsMax) throw new Malformed("id");
      this.#asked.set(id, own);
      await this.#carryOut(request, octets, own.signal);
    } catch (error) {
      if (own.signal.aborted) return;
      await this.#refuse(id, error);
    } finally {
      octets.fill(0);
      if (this.#asked.get(id) === own) this.#asked.delete(id);
    }
  }

  async #carryOut(request: Asked, octets: Buffer, signal: AbortSignal): Promise<void> {
    const { dial, net, mka } = this.#host;
    const { id } = request;
    switch (request.kind) {
      case "net": {
        const { method, path } = request;
        if (!isNetPath(path)) throw new Malformed("path");
        const body = octets.length === 0 ? {} : { body: [octets.toString("utf8")] };
        const asked = { to: `unix:${net}`, method, path, replyBytesMax: netReplyBytesMax };
        const reply = await dial.http({ ...asked, ...body }, signal).catch(netGone);
        await this.#write({ kind: "answer", id, status: reply.status, split: 0 }, [reply.body]);
        return;
      }
      case "mka": {
        if (!isPortName(request.port)) throw new Malformed("port");
        using held = Secret.take("request to linkseal-mka", octets);
        const asked = { octets: [held], replyBytesMax: mkaReplyBytesMax, effect: request.effect };
        const path = `${mka}/${request.port}.sock`;
        const reply = await dial.framed({ path, ...asked }, signal);
        await this.#write({ kind: "answer", id, status: 0, split: 0 }, [reply]);
        return;
      }
      case "run": {
        const argv = readArguments(octets);
        if (!isProgram(argv)) throw new Malformed("program");
        const { status, stdout, stderr } = await dial.exec(argv, new Uint8Array(), signal);
        const errors = stderr.subarray(0, Math.max(0, replyOctetsMax - stdout.length));
        const split = stdout.length;
        await this.#write({ kind: "answer", id, status, split }, [stdout, errors]);
        return;
      }
      case "open":
        await this.#open(id, signal);
    }
  }

  async #open(id: number, signal: AbortSignal): Promise<void> {
    if (this.#connections.size >= connectionsMax) throw new Malformed("connections");
    const stream = await this.#host.dial.stream(this.#host.charon, signal);
    if (signal.aborted) {
      // Whatever asked for it is gone, and would not close it.
      stream[Symbol.dispose]();
      return;
    }
    this.#connections.set(id, { stream, gate: new CharonGate(), sent: Promise.resolve() });
    await this.#write({ kind: "opened", id }, []);
    this.#pass(id, stream).catch(this.#defect.reject);
  }

  /** Passes on what charon sends, until either end closes. */
  async #pass(id: number, stream: StreamChannel): Promise<void> {
    try {
      for (;;) {
        const octets = await stream.read();
        if (octets === undefined) break;
        await this.#write({ kind: "data", id }, [octets]);
      }
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
    } finally {
      this.#close(id);
      await this.#write({ kind: "closed", id }, []).catch(() => undefined);
    }
  }

  // A charon that does not read holds up its own connection and no other request.
  #send(id: number, octets: Buffer): void {
    const connection = this.#connections.get(id);
    try {
      const packets = connection?.gate.pass(octets) ?? [];
      const held = packets.map((packet) => Secret.take("packet for charon", packet));
      if (connection === undefined) return;
      connection.sent = connection.sent
        .then(() => connection.stream.write(held))
        // The agent notices the end, and its own limits say what was lost.
        .catch(() => this.#close(id))
        .finally(() => {
          for (const one of held) one[Symbol.dispose]();
        });
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#close(id);
    } finally {
      octets.fill(0);
    }
  }

  #close(id: number): void {
    const connection = this.#connections.get(id);
    connection?.gate.wipe();
    connection?.stream[Symbol.dispose]();
    this.#connections.delete(id);
  }

  /** What an agent of this version never sends is a sign of a stolen key, or of another version. */
  #tell({ message }: Malformed): void {
    if (this.#strange.has(message) || this.#strange.size === strangeMost) return;
    this.#strange.add(message);
    const text = `the agent at ${this.#from ?? unknownPlace} asked for what is not passed on`;
    this.#host.log.write("warn", "peer-refused", text, { what: message });
  }

  async #refuse(id: number, error: unknown): Promise<void> {
    if (error instanceof Malformed) this.#tell(error);
    await this.#write({ kind: "refused", id, refusal: refusalOf(error) }, []).catch(
      () => undefined,
    );
  }

  async #write(reply: PeerReply, octets: Octets): Promise<void> {
    await this.#channel.write([Buffer.from(frameLine(reply, octets)), ...octets]);
  }
}

/** Names the process, because the agent's host does not know the place of its socket here. */
function netGone(error: unknown): never {
  if (!(error instanceof LinksealError) || error.code !== "transport.unreachable") throw error;
  const { effect, where, message } = error;
  const next = "systemctl status linkseal-net";
  const text = `linkseal-net does not run there: ${message}`;
  throw new LinksealError("transport.unreachable", text, { effect, where, next, cause: error });
}

function refusalOf(error: unknown) {
  if (error instanceof LinksealError) {
    const { code, effect, message: text, where, next } = error;
    const isOurs = /^(?:transport|device)\./.test(code);
    return { code: isOurs ? code : ("device.rejected" as const), effect, text, where, next };
  }
  if (!(error instanceof Malformed)) throw error;
  const text = `linkseal peer does not pass on: ${error.message}`;
  const next = "run the same version of linkseal on both hosts";
  return {
    ...({ code: "device.rejected", effect: "none" } as const),
    ...{ text, where: "linkseal peer", next },
  };
}
