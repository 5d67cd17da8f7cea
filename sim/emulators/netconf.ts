// The server's side of NETCONF (RFC 6241, 6242) over octets in virtual time: one request after the
// other, as a router answers them.

import { LinksealError } from "#hal/error.ts";
import type { Router } from "../router/router.ts";
import { Exchange, type Unanswered } from "./exchange.ts";
import type { Markup } from "./xml-text.ts";
import { child, escapeXml, parseXml, tag, type XmlNode } from "./xml-text.ts";

/** The carrier of the octets: a pipe in memory, or a channel of a real server. */
export interface Wire {
  /** Sends octets to the client. */
  send(octets: Uint8Array): void;
  /** Closes the channel. */
  close(): void;
}

/** The end of a session, as the carrier of the octets uses it. */
export interface EmulatorSession {
  /** Receives octets from the client. */
  receive(octets: Uint8Array): void;
  /** Reports that the client has left. */
  gone(): void;
}

/** The outcome of an operation; `last` means a reply after which the session ends. */
export type Outcome = { readonly kind: "reply" | "last"; readonly body: Markup } | Unanswered;

export interface Operations {
  /** Returns the virtual time that the operation takes, in milliseconds. */
  msFor(operation: XmlNode): number;
  /**
   * Carries out an operation.
   * @throws FaceError for an rpc-error
   */
  run(operation: XmlNode): Outcome;
  closed(): void;
}

export class EmulatorError extends Error {
  readonly tag: string;

  constructor(tag: string, message: string) {
    super(message);
    this.tag = tag;
  }
}

export interface NetconfEmulator {
  readonly router: Router;
  readonly capabilities: readonly string[];
  readonly operations: Operations;
}

const endMark = "]]>]]>";
const base = "urn:ietf:params:xml:ns:netconf:base:1.0";
const base11 = "urn:ietf:params:netconf:base:1.1";

let sessions = 4_000;

export function serveNetconf(emulator: NetconfEmulator, wire: Wire): EmulatorSession {
  return new Session(emulator, wire);
}

class Session implements EmulatorSession {
  readonly #emulator: NetconfEmulator;
  readonly #wire: Wire;
  readonly #queue: XmlNode[] = [];
  #buffer = Buffer.alloc(0);
  #chunks = "";
  #framing: "hello" | "marked" | "chunked" = "hello";
  readonly #exchange: Exchange;

  constructor(emulator: NetconfEmulator, wire: Wire) {
    this.#emulator = emulator;
    this.#wire = wire;
    this.#exchange = new Exchange(
      emulator.router,
      () => wire.close(),
      () => emulator.operations.closed(),
    );
    sessions += 1;
    const offered = emulator.capabilities.map((uri) => tag("capability", uri));
    const hello = tag(
      `hello xmlns="${base}"`,
      tag("capabilities", ...offered),
      tag("session-id", sessions),
    );
    wire.send(Buffer.from(`${hello.markup}${endMark}`));
  }

  receive(octets: Uint8Array): void {
    if (this.#exchange.isOver) return;
    this.#buffer = Buffer.concat([this.#buffer, octets]);
    try {
      for (let text = this.#next(); text !== undefined; text = this.#next()) this.#take(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#exchange.end();
    }
  }

  gone(): void {
    this.#exchange.gone();
  }

  #next(): string | undefined {
    return this.#framing === "chunked" ? this.#nextChunked() : this.#nextMarked();
  }

  #nextMarked(): string | undefined {
    const at = this.#buffer.indexOf(endMark);
    if (at < 0) return undefined;
    const text = this.#buffer.subarray(0, at).toString("utf8");
    this.#buffer = this.#buffer.subarray(at + endMark.length);
    return text;
  }

  #nextChunked(): string | undefined {
    for (;;) {
      const head = this.#buffer.subarray(0, 16).toString("latin1");
      const end = /^\n##\n/.exec(head);
      if (end !== null) {
        const text = Buffer.from(this.#chunks, "latin1").toString("utf8");
        this.#chunks = "";
        this.#buffer = this.#buffer.subarray(4);
        return text;
      }
      const size = /^\n#([1-9]\d*)\n/.exec(head);
      if (size === null) {
        if (head.length < 4 || /^\n#\d*$/.test(head)) return undefined;
        throw new SyntaxError("no chunk");
      }
      const from = size[0].length;
      const length = Number(size[1]);
      if (this.#buffer.length < from + length) return undefined;
      this.#chunks += this.#buffer.subarray(from, from + length).toString("latin1");
      this.#buffer = this.#buffer.subarray(from + length);
    }
  }

  #take(text: string): void {
    const message = parseXml(text);
    if (this.#framing === "hello") {
      const offered = child(message, "capabilities")?.children.map((one) => one.text) ?? [];
      if (message.name !== "hello") throw new SyntaxError("no hello");
      const both = offered.includes(base11) && this.#emulator.capabilities.includes(base11);
      this.#framing = both ? "chunked" : "marked";
      return;
    }
    this.#queue.push(message);
    this.#work();
  }

  #work(): void {
    const exchange = this.#exchange;
    const request = exchange.isBusy ? undefined : this.#queue.shift();
    if (request === undefined || exchange.isOver) return;
    const { router, operations } = this.#emulator;
    // A router that has lost its network receives nothing.
    const [operation] = request.children;
    if (!router.reachable() || request.name !== "rpc" || operation === undefined) {
      exchange.end();
      return;
    }
    exchange.take(
      operations.msFor(operation),
      () => this.#run(operation),
      (outcome) => this.#answer(request, outcome),
    );
  }

  #run(operation: XmlNode): Outcome {
    try {
      return this.#emulator.operations.run(operation);
    } catch (error) {
      if (error instanceof EmulatorError) return replied(rpcError(error.tag, error.message));
      // The simulated router itself refused the operation.
      if (error instanceof LinksealError) {
        return replied(rpcError("operation-failed", error.message));
      }
      throw error;
    }
  }

  #answer(request: XmlNode, outcome: Outcome): void {
    this.#exchange.isBusy = false;
    if (!("body" in outcome)) return;
    this.#reply(request, outcome.body);
    if (outcome.kind === "last") this.#exchange.end();
    else this.#work();
  }

  #reply(request: XmlNode, body: Markup): void {
    const given = [...request.attributes].filter(([name]) => !name.startsWith("xmlns"));
    const attributes = given.map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join("");
    const junos = 'xmlns:junos="http://xml.juniper.net/junos/23.4R2/junos"';
    const { markup } = tag(`rpc-reply xmlns="${base}" ${junos}${attributes}`, body);
    const octets = Buffer.from(markup);
    if (this.#framing === "chunked") {
      const frame = [Buffer.from(`\n#${octets.length}\n`), octets, Buffer.from("\n##\n")];
      this.#wire.send(Buffer.concat(frame));
    } else this.#wire.send(Buffer.concat([octets, Buffer.from(endMark)]));
  }
}

export function replied(...parts: readonly Markup[]): Outcome {
  return { kind: "reply", body: { markup: parts.map(({ markup }) => markup).join("") } };
}

export function rpcError(error: string, message: string, severity = "error"): Markup {
  return tag(
    "rpc-error",
    tag("error-type", "protocol"),
    tag("error-tag", error),
    tag("error-severity", severity),
    tag("error-message", message),
  );
}
