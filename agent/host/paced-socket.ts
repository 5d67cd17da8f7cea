// A connection whose octets reach the HTTP parser in slices, each in a turn of the event loop that
// no other slice of the server has. The parser takes all that was read at once, and there are
// things that cost it much for their length: chunks of one octet, or a request after the other.
// Clients that send them together would else take one turn together.

import type { Server } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { ownTurns } from "#drivers/transport/turn.ts";
import { giveBack } from "./listener.ts";

const sliceBytes = 16_384;

/** The turns of one server: each resolves in one that no other has. */
type Turns = () => Promise<void>;

/** A socket as the HTTP server of Node uses one. */
class PacedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #turns: Turns;
  /** Called once the parser wants more. */
  #go: () => void = () => undefined;
  /** `none`: octets are dropped, so that a client that goes away is noticed. */
  #wanted: "all" | "none" = "all";

  constructor(socket: Socket, turns: Turns) {
    // A text is passed on as a text, as `send` needs it.
    super({ decodeStrings: false });
    this.#socket = socket;
    this.#turns = turns;
    socket
      .on("data", (octets: Buffer) => void this.#pass(octets).catch(() => this.destroy()))
      .once("end", () => this.push(null))
      .on("error", (error) => this.destroy(error))
      .once("close", () => this.destroy());
  }

  async #pass(octets: Buffer): Promise<void> {
    if (this.#isOver) return giveBack(octets);
    this.#socket.pause();
    for (let at = 0; at < octets.length; at += sliceBytes) {
      await this.#turns();
      if (this.#isOver) break;
      const { promise: wanted, resolve } = Promise.withResolvers<void>();
      this.#go = resolve;
      if (!this.push(octets.subarray(at, at + sliceBytes))) await wanted;
    }
    if (this.readableLength === 0) giveBack(octets);
    this.#socket.resume();
  }

  get #isOver(): boolean {
    return this.destroyed || this.#wanted === "none";
  }

  override _read(): void {
    this.#go();
  }

  override _write(
    data: Uint8Array | string,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    if (typeof data === "string") this.#writeText(data, encoding, done);
    else this.#socket.write(data, done);
  }

  /**
   * Encodes a slice once the one before is written: the octets of a long reply, as many as its
   * text, would else wait in memory for a client that does not read.
   */
  #writeText(text: string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // Both halves of a character beyond the basic plane (UTF-16) are in one slice.
    const isSplit = text.length > sliceBytes && /[\uD800-\uDBFF]/.test(text.charAt(sliceBytes - 1));
    const end = isSplit ? sliceBytes + 1 : sliceBytes;
    this.#socket.write(text.slice(0, end), encoding, (error) => {
      if (error || text.length <= end) done(error);
      else this.#writeText(text.slice(end), encoding, done);
    });
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  setTimeout(ms: number, onTimeout: () => void): this {
    this.#socket.setTimeout(ms, onTimeout);
    return this;
  }

  /** Passes nothing on any more. */
  readNoMore(): void {
    this.#wanted = "none";
  }

  /** Ends the connection once the reply is written. */
  destroySoon(): void {
    this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }
}

/**
 * Lets an HTTP server read its connections at that pace; `enter` gets each one before a single
 * octet of it is read, and returns false if it has closed it.
 */
export function pace(server: Server, enter: (socket: Socket, paced: Duplex) => boolean): void {
  const turns: Turns = ownTurns();
  const serve = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const paced = new PacedSocket(socket, turns);
    if (!enter(socket, paced)) return;
    for (const one of serve) one.call(server, paced);
  });
  // A second request on a connection: Node would go on, and keep a refusal of each that follows
  // until the first is answered.
  server.on("dropRequest", (_request, paced: Duplex) => {
    if (paced instanceof PacedSocket) paced.readNoMore();
  });
}
