// Limits the connections of a server, and chooses the one that is closed for a newcomer.

import type { Duplex } from "node:stream";
import type { User } from "../model/client.ts";

/**
 * Limit of each server on its own, so that clients of the view socket never keep an administrator
 * out.
 */
const clientsMax = 64;
/** One user of this host leaves room for others. */
const userMax = 32;

/**
 * Counts connections. At the limit a connection whose request has not come is closed first; one
 * that is being answered stays, unless answers take no time.
 */
export class ConnectionLimiter {
  readonly #servedYield: boolean;
  readonly #silent = new Map<Duplex, User>();
  readonly #served = new Map<Duplex, User>();

  constructor(servedYield: boolean) {
    this.#servedYield = servedYield;
  }

  /** Counts a connection of a user, and closes one if there are too many. */
  enter(socket: Duplex, user?: User): void {
    this.#silent.set(socket, user);
    socket.once("close", () => this.leave(socket));
    const isOfUser = ([, each]: readonly [Duplex, User]): boolean => each === user;
    const own = [...this.#silent, ...this.#served].filter(isOfUser);
    if (user !== undefined && own.length > userMax) {
      this.#oldest(socket, [...this.#silent].filter(isOfUser))?.destroy();
    } else if (this.#silent.size + this.#served.size > clientsMax) {
      this.#oldest(socket, [...this.#silent])?.destroy();
    }
  }

  /** Returns the connection to close for the newcomer, which may be the newcomer itself. */
  #oldest(newcomer: Duplex, [first]: readonly (readonly [Duplex, User])[]): Duplex | undefined {
    const [silent] = first ?? [];
    const [served] = this.#servedYield ? this.#served.keys() : [];
    return silent === newcomer ? (served ?? silent) : silent;
  }

  /** Counts a connection as one that is being answered. */
  serve(socket: Duplex): void {
    if (!this.#silent.has(socket)) return;
    this.#served.set(socket, this.#silent.get(socket));
    this.#silent.delete(socket);
  }

  /** Stops counting a connection that another limit counts from now on. */
  leave(socket: Duplex): void {
    this.#silent.delete(socket);
    this.#served.delete(socket);
  }
}
