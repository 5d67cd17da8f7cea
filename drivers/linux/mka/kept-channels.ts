// Receive channels that stay for a while although no peer is live behind them: the other CA may be
// about to hear the same stations, and a station may have to prove its liveness again.

import { type Instant, instantAfter } from "#hal/world.ts";
import type { Actor } from "./actor.ts";
import type { KeptChannel } from "./snapshot.ts";

export class KeptChannels {
  readonly #until = new Map<string, Instant>();

  keep({ sci, leftMs }: KeptChannel, now: Instant): void {
    this.#until.set(sci, instantAfter(now, leftMs));
  }

  /** Forgets the channels of live stations, and those whose time is over. */
  settle(live: { has(sci: string): boolean }, now: Instant): void {
    for (const [sci, until] of this.#until) {
      if (until <= now || live.has(sci)) this.#until.delete(sci);
    }
  }

  get ends(): Instant[] {
    return [...this.#until.values()];
  }

  /** Returns how long a channel stays; 0 = no longer than a peer is live behind it. */
  leftMs(sci: string, actors: readonly Actor[], now: Instant): number {
    const moments = [this.#until.get(sci), ...actors.map(({ lately }) => lately.get(sci))];
    return Math.max(0, ...moments.map((until) => (until ?? now) - now));
  }
}
