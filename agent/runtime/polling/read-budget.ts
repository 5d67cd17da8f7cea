// The requests to Azure that readers of reports may cause. Campaigns and polls never wait for it:
// it leaves them the larger part of what Azure grants to one identity.

import type { KeyVault } from "#hal/vault.ts";
import { type Clock, type Instant, instantAfter } from "#hal/world.ts";
import type { ReadDocument } from "../../model/azure-document.ts";

/**
 * Requests at once, and the milliseconds until one more. Azure Resource Manager grants an identity
 * 250 reads at once and 25 a second in each subscription.
 */
const burst = 100;
const eachMs = 100;

/** One budget for all reports of a site. */
export class ReadBudget {
  readonly #clock: Pick<Clock, "now" | "sleep">;
  /** When the budget is whole again. */
  #wholeAt: Instant | undefined;

  constructor(clock: Pick<Clock, "now" | "sleep">) {
    this.#clock = clock;
  }

  /**
   * Resolves once so many requests may be sent; those who come later wait longer. An abort rejects
   * with its reason, and what was taken stays taken.
   */
  async take(count: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = this.#clock.now();
    const from = this.#wholeAt === undefined || this.#wholeAt < now ? now : this.#wholeAt;
    this.#wholeAt = instantAfter(from, count * eachMs);
    const waitMs = this.#wholeAt - now - burst * eachMs;
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
  }

  /** Returns a reader of documents that waits for this budget. */
  document(read: ReadDocument): ReadDocument {
    return async (path, query, signal) => {
      await this.take(1, signal);
      return await read(path, query, signal);
    };
  }

  /** Returns a vault that waits for this budget. */
  vault(vault: KeyVault): KeyVault {
    return {
      versions: async (name, signal) => {
        await this.take(1, signal);
        return await vault.versions(name, signal);
      },
      read: async (id, signal) => {
        await this.take(1, signal);
        return await vault.read(id, signal);
      },
    };
  }
}
