// Limits what a server keeps for clients that do not read their replies.

import type { ServerResponse } from "node:http";
import type { HttpReply } from "./listener.ts";

/** Replies that clients of one server have not taken yet have so many octets together. */
const untakenBytesMax = 8 * 1024 * 1024;

/** The replies that clients of one server have not taken yet. */
export class UntakenReplies {
  readonly #octets = new Map<ServerResponse, number>();
  #sum = 0;

  /** Counts a reply that is about to be sent; where there are too many, the oldest are cut off. */
  add(response: ServerResponse, { body = "" }: HttpReply): void {
    // All clients share octets that are not a text.
    const octets = typeof body === "string" ? Buffer.byteLength(body) : 0;
    this.#octets.set(response, octets);
    this.#sum += octets;
    response.once("close", () => this.#remove(response));
    for (const oldest of this.#octets.keys()) {
      if (this.#sum <= untakenBytesMax || oldest === response) return;
      this.#remove(oldest);
      oldest.destroy();
    }
  }

  #remove(response: ServerResponse): void {
    this.#sum -= this.#octets.get(response) ?? 0;
    this.#octets.delete(response);
  }
}
