// A TCP connection that is read no faster than its octets are used: what is not read waits at the
// device, and no turn of the event loop belongs to one device alone.

import type { Socket } from "node:net";

/** Octets after which the event loop serves others; libuv alone would read thirty times as many. */
const turnBytesMax = 64 * 1024;

export class PacedSocket {
  readonly #socket: Socket;
  #holds = 0;
  #octets = 0;

  /** `socket`: has a reader already. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (octets: Buffer) => {
      this.#octets += octets.length;
      if (this.#octets < turnBytesMax) return;
      this.#octets = 0;
      setImmediate(this.hold());
    });
  }

  /** Stops reading until the function that it returns is called. */
  hold(): () => void {
    let isHeld = true;
    this.#holds += 1;
    this.#socket.pause();
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      if (this.#holds === 0) this.#socket.resume();
    };
  }
}
