// How many connections a server has at once, and who makes room for a newcomer.

import type { Socket } from "node:net";

/** Of each server on its own, so that those who may only look never keep an administrator out. */
const clientsMax = 64;

/**
 * Who waits to be heard goes first when it gets crowded; who is being answered stays, unless
 * answers take no time.
 */
export class Seats {
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

  /** Who makes room for the newcomer, and if need be himself. */
  #oldest(newcomer: Socket): Socket | undefined {
    const [silent] = this.#silent;
    const [served] = this.#servedYield ? this.#served : [];
    return silent === newcomer ? (served ?? silent) : silent;
  }

  serve(socket: Socket): void {
    if (this.#silent.delete(socket)) this.#served.add(socket);
  }

  /** Somebody else counts it from now on. */
  leave(socket: Socket): void {
    this.#silent.delete(socket);
    this.#served.delete(socket);
  }
}
