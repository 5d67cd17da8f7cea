// Limits the connections of a server, and chooses the one that is closed for a newcomer.

import type { Socket } from "node:net";

/**
 * Limit of each server on its own, so that clients of the view socket never keep an administrator
 * out.
 */
const clientsMax = 64;

/**
 * Counts connections. At the limit a connection whose request has not come is closed first; one
 * that is being answered stays, unless answers take no time.
 */
export class ConnectionLimiter {
  readonly #servedYield: boolean;
  readonly #silent = new Set<Socket>();
  readonly #served = new Set<Socket>();

  constructor(servedYield: boolean) {
    this.#servedYield = servedYield;
  }

  enter(socket: Socket): void {
    this.#silent.add(socket);
    socket.once("close", () => this.leave(socket));
    if (this.#silent.size + this.#served.size <= clientsMax) return;
    this.#oldest(socket)?.destroy();
  }

  /** Returns the connection to close for the newcomer, which may be the newcomer itself. */
  #oldest(newcomer: Socket): Socket | undefined {
    const [silent] = this.#silent;
    const [served] = this.#servedYield ? this.#served : [];
    return silent === newcomer ? (served ?? silent) : silent;
  }

  serve(socket: Socket): void {
    if (this.#silent.delete(socket)) this.#served.add(socket);
  }

  /** Stops counting a connection that another limit counts from now on. */
  leave(socket: Socket): void {
    this.#silent.delete(socket);
    this.#served.delete(socket);
  }
}
