// EAPOL frames on one port, past the protocol stack, and a count of the data frames that arrive in
// the clear.

import { closeSync } from "node:fs";
import { LinksealError } from "#hal/error.ts";
import type { Native, NativeSocket } from "./native.ts";

/** IEEE Std 802.1X-2020 11.1.1: group address of port access entities. */
export const paeGroup: Readonly<Uint8Array> = Uint8Array.of(0x01, 0x80, 0xc2, 0x00, 0x00, 0x03);
export const etherTypeEapol = 0x888e;

/** Longer than any frame of a link with jumbo frames. */
const roomBytes = 16 * 1024;
const nothingThere = -11;
const framesPerTurnMax = 64;

export interface FrameEvents {
  /**
   * Receives a frame that begins with destination, source and type; the octets are valid during the
   * call.
   */
  frame(octets: Uint8Array): void;
  /** The port went down, or a frame did not fit; `errno` tells which. */
  trouble(errno: number): void;
}

/** EAPOL on one port; disposing of it closes its sockets. */
export class FrameChannel implements Disposable {
  readonly #native: Native;
  readonly #socket: NativeSocket;
  readonly #clearCount: number;
  readonly #room = new Uint8Array(roomBytes);
  readonly #events: FrameEvents;
  #isClosed = false;

  /** `port`: index of the interface. */
  constructor(native: Native, port: number, events: FrameEvents) {
    this.#native = native;
    this.#events = events;
    this.#clearCount = native.openClearCount(port);
    const onReadable = (): void => this.takeWaiting();
    try {
      this.#socket = native.openFrames(port, etherTypeEapol, paeGroup, onReadable);
    } catch (error) {
      closeSync(this.#clearCount);
      throw error;
    }
  }

  /**
   * Sends a whole frame.
   * @throws LinksealError `transport.closed`, with effect "none", if the port does not accept it.
   */
  send(frame: Uint8Array): void {
    const sent = this.#native.send(this.#socket, frame);
    if (sent === frame.length) return;
    throw new LinksealError(
      "transport.closed",
      `the port did not accept the frame (errno ${-sent})`,
      {
        effect: "none",
        where: "kernel",
        next: "linkseal status",
      },
    );
  }

  /** Closes the sockets; no event follows. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#native.close(this.#socket);
    closeSync(this.#clearCount);
  }

  /** Returns the number of data frames that arrived in the clear since the last call. */
  takeClear(): bigint {
    return BigInt(this.#native.takeClearCount(this.#clearCount));
  }

  /**
   * Delivers at once the frames that have arrived already, in turns of their own if there are many;
   * the event loop does so by itself.
   */
  takeWaiting(): void {
    for (let count = 0; count < framesPerTurnMax && !this.#isClosed; count += 1) {
      const length = this.#native.receive(this.#socket, this.#room);
      if (length === nothingThere) return;
      if (length < 0) this.#events.trouble(-length);
      else this.#events.frame(this.#room.subarray(0, length));
    }
  }
}
