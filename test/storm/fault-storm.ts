// The first half of a storm, which tests safety: faults are drawn from one seed, whole kinds are
// left out, and each fault lasts long enough to matter.

import type { SimClock } from "#sim/base/clock.ts";
import type { Prng } from "#sim/base/prng.ts";
import { type StormFault, stormFaults, strikeFault } from "#sim/faults/faults.ts";
import type { Heal } from "#sim/faults/manual-operators.ts";
import type { Site, SiteLink } from "#sim/site/site.ts";

export interface StormOptions {
  readonly site: Site;
  /** The mean time between two strikes anywhere at the site, in milliseconds. */
  readonly everyMs: number;
  /** The chance that a kind takes part in this run. */
  readonly kindChance: number;
  /** The factor by which faults last longer than their kind requires. */
  readonly lasting?: number;
}

export class Storm {
  /** The kinds that this seed has chosen. */
  readonly kinds: readonly StormFault[];
  readonly #site: Site;
  readonly #prng: Prng;
  readonly #everyMs: number;
  readonly #lasting: number;
  readonly #active = new Map<string, Heal>();
  #over = false;

  constructor(options: StormOptions) {
    this.#site = options.site;
    this.#everyMs = options.everyMs;
    this.#lasting = options.lasting ?? 1;
    this.#prng = options.site.prng.fork(`storm ${options.site.clock.now()}`);
    const chosen = stormFaults.filter(() => this.#prng.chance(options.kindChance));
    this.kinds = chosen.length > 0 ? chosen : [this.#prng.pick(stormFaults)];
    this.#next();
  }

  /** Begins the second half, which tests liveness: no fault strikes any more and all are healed. */
  calm(): void {
    this.#over = true;
    for (const heal of [...this.#active.values()]) heal();
    this.#active.clear();
  }

  #next(): void {
    // Faults come in bursts: an exponential gap has no memory.
    const gapMs = -Math.log(1 - this.#prng.real()) * this.#everyMs;
    this.#after(gapMs, () => {
      this.#strike();
      this.#next();
    });
  }

  /** Adds a fault of a given kind and moment; none strikes once the storm is calm. */
  strikeAfter(ms: number, kind: StormFault, link: SiteLink, lastsMs: number): void {
    this.#after(ms, () => this.#strikeAt(kind, link, lastsMs));
  }

  #strike(): void {
    const kind = this.#prng.pick(this.kinds);
    const link = this.#prng.pick(this.#site.links);
    const { low, high } = kind.lastsMs;
    this.#strikeAt(kind, link, this.#prng.between(low, high) * this.#lasting);
  }

  #strikeAt(kind: StormFault, link: SiteLink, lastsMs: number): void {
    const key = `${kind.name} ${link.id}`;
    if (this.#active.has(key)) return;
    const heal = strikeFault(this.#site, kind, link);
    this.#active.set(key, heal);
    this.#after(lastsMs, () => {
      heal();
      this.#active.delete(key);
    });
  }

  #after(ms: number, act: () => void): void {
    const { clock }: { readonly clock: SimClock } = this.#site;
    clock.after(Math.ceil(ms), () => {
      if (this.#over) return;
      act();
      clock.wake();
    });
  }
}
