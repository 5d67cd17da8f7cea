// A byte channel in memory, whose other end a test plays.

import { fillCommand } from "#drivers/transport/fill.ts";
import type { ByteChannel } from "#hal/world.ts";

export class BytePipe {
  /** What was written to it so far. */
  sent = "";
  isClosed = false;
  /** Called after each write, with all that was sent. */
  heard: (sent: string) => void = () => undefined;
  readonly #waiting: (Uint8Array | undefined)[] = [];
  #wake = Promise.withResolvers<void>();

  /** What the other end says, in pieces of at most this many octets. */
  deliver(text: string | Uint8Array, piece = Number.POSITIVE_INFINITY): void {
    const octets = typeof text === "string" ? new TextEncoder().encode(text) : text;
    for (let at = 0; at < octets.length; at += piece) {
      this.#waiting.push(octets.slice(at, Math.min(octets.length, at + piece)));
    }
    this.#wakeUp();
  }

  hangUp(): void {
    this.#waiting.push(undefined);
    this.#wakeUp();
  }

  channel(): ByteChannel {
    return {
      write: async (text) => {
        const octets = fillCommand(text);
        this.sent += new TextDecoder().decode(octets);
        this.heard(this.sent);
      },
      read: async (signal) => {
        for (;;) {
          signal.throwIfAborted();
          if (this.#waiting.length > 0) return this.#waiting.shift();
          const { promise, reject } = Promise.withResolvers<never>();
          const abort = (): void => reject(signal.reason);
          signal.addEventListener("abort", abort, { once: true });
          await Promise.race([this.#wake.promise, promise]);
          signal.removeEventListener("abort", abort);
        }
      },
      [Symbol.asyncDispose]: async () => {
        this.isClosed = true;
      },
    };
  }

  #wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
