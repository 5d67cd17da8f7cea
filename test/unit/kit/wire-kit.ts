// A wire to a server that a test plays.

import type { Octets } from "#hal/netlink.ts";
import type { StreamChannel } from "#hal/world.ts";

/** Both directions of a connection; the test is the server. */
export class Wire implements StreamChannel {
  readonly #queue: (Uint8Array | undefined)[] = [];
  #wake = Promise.withResolvers<void>();
  /** What the client has sent, as text. */
  sent = "";
  isClosed = false;
  /** The server takes no octet while it is set. */
  isStuck = false;
  /** Called after each write of the client. */
  heard: (text: string) => void = () => undefined;

  give(text: string | Uint8Array): void {
    this.#queue.push(typeof text === "string" ? Buffer.from(text, "latin1") : text);
    this.#wake.resolve();
  }

  hangUp(): void {
    this.#queue.push(undefined);
    this.#wake.resolve();
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.#queue.length === 0 && !this.isClosed) {
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
    return this.isClosed ? undefined : this.#queue.shift();
  }

  async write(octets: Octets): Promise<void> {
    if (this.isStuck) await new Promise(() => undefined);
    const text = octets.map((part) => Buffer.from(part as Uint8Array).toString("latin1")).join("");
    this.sent += text;
    this.heard(text);
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
    this.#wake.resolve();
  }
}
