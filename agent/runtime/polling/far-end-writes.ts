// Our writes of far ends. One document contains both links of a port, so that from before a write
// of either link is sent until its end was seen no reading shows what any of them holds.

import type { PeerPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Clock, type Instant, instantAfter } from "#hal/world.ts";

interface Written {
  /** Writes under way. */
  readonly running: number;
  /** A reading that began earlier may be older than a write, or the write may still land. */
  readonly until: Instant;
}

/** The writes of one process; it outlives the loops of a config. */
export class FarEndWrites {
  readonly #clock: Pick<Clock, "now">;
  /** By resource in lower case. */
  readonly #written = new Map<string, Written>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /**
   * Returns the same far end, whose writes are noted. One whose answer was lost may land for
   * `graceMs` after its call.
   */
  watched(peer: PeerPort, resource: string, graceMs: number): PeerPort {
    return {
      ...peer,
      put: async (want, accepted, signal) => {
        this.#add(resource, 1);
        try {
          await peer.put(want, accepted, signal);
          // Its operation shows the rest to every reading from now on.
          this.#holdFor(resource, 0);
        } catch (error) {
          const isUnsent = error instanceof LinksealError && error.effect === "none";
          if (!isUnsent) this.#holdFor(resource, graceMs);
          throw error;
        } finally {
          this.#add(resource, -1);
        }
      },
    };
  }

  /** Returns true if no write of ours can have come after a reading that began then. */
  precede(resource: string, begunAt: Instant): boolean {
    const written = this.#written.get(resource.toLowerCase());
    return written === undefined || (written.running === 0 && begunAt > written.until);
  }

  #add(resource: string, count: number): void {
    const key = resource.toLowerCase();
    const { running, until } = this.#written.get(key) ?? { running: 0, until: -1 as Instant };
    this.#written.set(key, { running: running + count, until });
  }

  #holdFor(resource: string, ms: number): void {
    const key = resource.toLowerCase();
    const { running = 0, until = -1 } = this.#written.get(key) ?? {};
    const end = instantAfter(this.#clock.now(), ms);
    this.#written.set(key, { running, until: Math.max(until, end) as Instant });
  }
}
