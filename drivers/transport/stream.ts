// A Unix stream socket of this host as a channel of octets: nothing is read before it is requested,
// and no key stays in a buffer.

import { connect, type Socket } from "node:net";
import { LinksealError } from "#hal/error.ts";
import type { Octets } from "#hal/netlink.ts";
import type { StreamChannel } from "#hal/world.ts";
import { fillOctets } from "./octets.ts";
import { refuseForeign } from "./socket-owner.ts";

/**
 * Opens the socket. An abort rejects with the signal's reason and closes it.
 * @throws LinksealError `transport.unreachable`, with effect "none".
 */
export async function openStream(path: string, signal: AbortSignal): Promise<StreamChannel> {
  refuseForeign(path);
  signal.throwIfAborted();
  const socket = connect(path);
  const aborted = (): void => void socket.destroy();
  signal.addEventListener("abort", aborted, { once: true });
  try {
    await connected(socket, path);
    return streamOver(socket, path);
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", aborted);
  }
}

/** Returns the octets of a connected socket as a channel; `path`: its place, for errors. */
export function streamOver(socket: Socket, path: string): StreamChannel {
  return new SocketStream(socket, path);
}

function connected(socket: Socket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => {
      reject(failure("transport.unreachable", "no process answers", path, cause));
    };
    socket.once("connect", resolve).once("close", failed).once("error", failed);
  });
}

class SocketStream implements StreamChannel {
  readonly #socket: Socket;
  readonly #path: string;
  #wake = Promise.withResolvers<void>();

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    const wake = (): void => this.#wake.resolve();
    socket.on("readable", wake).on("end", wake).on("close", wake).on("error", wake);
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      this.#wake = Promise.withResolvers<void>();
      const octets = this.#socket.read() as Uint8Array | null;
      if (octets !== null) return octets;
      if (this.#socket.destroyed || this.#socket.readableEnded) return undefined;
      await this.#wake.promise;
    }
  }

  write(octets: Octets): Promise<void> {
    const room = new Uint8Array(octets.reduce((sum, part) => sum + part.byteLength, 0));
    fillOctets(octets, room);
    return new Promise((resolve, reject) => {
      this.#socket.write(room, (cause) => {
        room.fill(0);
        if (cause === null || cause === undefined) resolve();
        else reject(failure("transport.closed", "the other end has gone", this.#path, cause));
      });
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function failure(
  code: "transport.unreachable" | "transport.closed",
  text: string,
  where: string,
  cause: unknown,
): LinksealError {
  const effect = code === "transport.unreachable" ? "none" : "unknown";
  return new LinksealError(code, text, { effect, where, next: "linkseal doctor", cause });
}
