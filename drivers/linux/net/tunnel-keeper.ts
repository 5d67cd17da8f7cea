// Restores the interfaces of tunnels: up, with their routes, addresses, ways past the block and
// MTU. It waits ever longer if another program keeps changing them.

import { LinksealError } from "#hal/error.ts";
import { type Clock, type Entropy, type Instant, instantAfter } from "#hal/world.ts";
import { applyTunnelOperation, type TunnelContext, tunnelSurroundings } from "./tunnel-applier.ts";
import { tunnelGaps } from "./tunnel-gaps.ts";
import { readStoredLinks, writeStoredLinks } from "./tunnel-links.ts";
import type { TunnelLink } from "./tunnel-operation.ts";
import { drawWaitMs, soonest, waitMs } from "./waits.ts";

/** The shortest time between two readings of the kernel, however many changes it reports. */
const calmMs = 500;
/** After this time without a difference the count begins anew. */
const healedMs = 120_000;

interface Harm {
  readonly times: number;
  readonly at: Instant;
  readonly notBefore: Instant;
}

export class TunnelKeeper {
  readonly #context: TunnelContext;
  readonly #world: { readonly clock: Clock; readonly entropy: Entropy };
  readonly #harms = new Map<string, Harm>();
  #observedAt: Instant | undefined;
  /** The indices of their interfaces at the last observation. */
  #indices: ReadonlySet<number> = new Set();

  constructor(context: TunnelContext, world: { readonly clock: Clock; readonly entropy: Entropy }) {
    this.#context = context;
    this.#world = world;
  }

  /** Returns true if a route out of that interface belongs to a managed tunnel. */
  has(index: number): boolean {
    return this.#indices.has(index);
  }

  /**
   * Restores what differs and logs failures. Returns in how many ms it is to be called again;
   * undefined = nothing waits.
   */
  async restore(signal: AbortSignal): Promise<number | undefined> {
    const { disk, log, bootId } = this.#context;
    const now = this.#world.clock.now();
    const leftMs = this.#observedAt === undefined ? 0 : calmMs - (now - this.#observedAt);
    if (leftMs > 0) return leftMs;
    const stored = await readStoredLinks(disk, log);
    if (stored.links.length === 0) return undefined;
    this.#observedAt = now;
    const isNewBoot = stored.bootId !== bootId;
    let againMs: number | undefined;
    try {
      const observed = await tunnelSurroundings(this.#context, signal);
      const own = observed.links.filter(({ name }) =>
        stored.links.some((link) => link.name === name),
      );
      this.#indices = new Set(own.map(({ index }) => index));
      // Not before all are there: one that is missing then would count as deleted.
      const isAllThere = own.length === stored.links.length;
      if (isNewBoot && isAllThere) await writeStoredLinks(disk, { bootId, links: stored.links });
      for (const link of stored.links) {
        // An interface that is gone within a boot was deleted: that is drift, which the agent
        // repairs.
        const isGone = isNewBoot && !own.some(({ name }) => name === link.name);
        const gaps = tunnelGaps(link, observed).map(({ text }) => text);
        const ms = await this.#mend(link, isGone ? ["the boot took it"] : gaps, signal);
        againMs = soonest(againMs, ms);
      }
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      log.write(
        "error",
        error.code,
        `interfaces of tunnels are not looked after: ${error.message}`,
      );
      return waitMs.most;
    }
    return againMs;
  }

  async #mend(
    link: TunnelLink,
    gaps: readonly string[],
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { log } = this.#context;
    const now = this.#world.clock.now();
    const harm = this.#harms.get(link.name);
    if (gaps.length === 0) {
      if (harm !== undefined && now - harm.at > healedMs) this.#harms.delete(link.name);
      return undefined;
    }
    if (harm !== undefined && now < harm.notBefore) return harm.notBefore - now;
    const times = (harm?.times ?? 0) + 1;
    const ms = drawWaitMs(times, this.#world.entropy);
    this.#harms.set(link.name, { times, at: now, notBefore: instantAfter(now, ms) });
    try {
      await applyTunnelOperation({ kind: "ipsec.carry", link }, this.#context, signal);
      log.write(
        "warn",
        "tunnel-restored",
        `${link.name} is as it was made again: ${gaps.join("; ")}`,
      );
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      log.write("error", error.code, `${link.name} is not as it was made: ${error.message}`);
    }
    return ms;
  }
}
