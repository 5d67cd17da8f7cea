// The SAKs that were taken before. None is installed twice: its packet numbers would begin anew,
// and a number is for one frame under a SAK (IEEE Std 802.1X-2020 3), or GCM protects nothing.

import type { KeyIdentifier } from "./keys.ts";

const serversMax = 64;

export class SpentSaks {
  /** The highest key number by the MI of the key server, which counts upwards (802.1X-2020 9.8). */
  readonly #highest = new Map<string, number>();

  /** The last SAK under each MI. */
  get last(): KeyIdentifier[] {
    return [...this.#highest].map(([mi, kn]) => ({ mi, kn }));
  }

  record({ mi, kn }: KeyIdentifier): void {
    const highest = Math.max(kn, this.#highest.get(mi) ?? 0);
    this.#highest.delete(mi);
    this.#highest.set(mi, highest);
    const [oldest] = this.#highest.keys();
    if (oldest !== undefined && this.#highest.size > serversMax) this.#highest.delete(oldest);
  }

  /** Returns true if no later SAK was taken under the MI. */
  isLast({ mi, kn }: KeyIdentifier): boolean {
    return kn === this.#highest.get(mi);
  }

  has({ mi, kn }: KeyIdentifier): boolean {
    return kn <= (this.#highest.get(mi) ?? 0);
  }
}
