// Decides a dispute about an AN: the key server distributes a SAK under one that other stations
// use for another SAK. It may have joined late, and not know theirs. Each station sees the others
// use the AN, so none would give way before another. The AN of the elected key server wins after a
// life time, at the price of the SAK in use.

import { type Instant, instantAfter } from "#hal/world.ts";
import { lifeMs } from "./actor.ts";

interface Dispute {
  readonly mi: string;
  readonly an: number;
  readonly since: Instant;
}

export class AnDispute {
  #open: Dispute | undefined;

  /** Records that a SAK of the key server with this MI was refused for its AN. */
  refused(mi: string, an: number, now: Instant): void {
    if (!this.#isAbout(mi, an)) this.#open = { mi, an, since: now };
  }

  /** Records that a SAK was taken. */
  settle(): void {
    this.#open = undefined;
  }

  /** Returns true once this key server's SAKs were refused for this AN for a life time. */
  isWon(mi: string, an: number, now: Instant): boolean {
    const open = this.#open;
    return open !== undefined && this.#isAbout(mi, an) && now >= instantAfter(open.since, lifeMs);
  }

  #isAbout(mi: string, an: number): boolean {
    return this.#open?.mi === mi && this.#open.an === an;
  }
}
