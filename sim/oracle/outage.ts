// Measures the outage of each link to the event, and the part of it that the far end caused.

import type { Instant } from "#hal/world.ts";
import type { Site, SiteLink, SiteObserver } from "../site/site.ts";

/**
 * An outage: no frame could pass in one direction or in both, by the state of both port endpoints.
 */
interface OutageInterval {
  readonly from: Instant;
  /**
   * The time from which the fibre was lit and the far end's hardware had the key and settings that
   * worked in the end, so that the rest was up to the router. Equal to `from` if the far end did
   * not change.
   */
  readonly farReadyAt: Instant;
  readonly to: Instant;
}

export interface OutageTime {
  readonly wholeMs: number;
  /** The time until the far end was ready. */
  readonly theirsMs: number;
  /** The time from there until frames passed. */
  readonly oursMs: number;
}

interface Memory {
  readonly intervals: OutageInterval[];
  from: Instant | undefined;
  revision: number;
  fibreUp: boolean;
  farChangedAt: Instant;
}

class OutageWatch implements SiteObserver {
  readonly #site: Site;
  readonly #links = new Map<string, Memory>();

  constructor(site: Site) {
    this.#site = site;
    const now = site.clock.now();
    for (const link of site.links) {
      this.#links.set(link.id, {
        intervals: [],
        from: undefined,
        revision: link.farPort.revision(),
        fibreUp: link.fibre.up(),
        farChangedAt: now,
      });
      this.#check(link);
    }
  }

  changed(group: string): void {
    for (const link of this.#site.links) if (link.group === group) this.#check(link);
  }

  /** Returns the outages that have ended, oldest first. */
  intervals(link: string): readonly OutageInterval[] {
    return this.#memory(link).intervals;
  }

  /** Returns the beginning of the present outage; undefined if there is none. */
  outageSince(link: string): Instant | undefined {
    return this.#memory(link).from;
  }

  /** Sums the outages that ended after `since`, each counted whole. */
  time(link: string, since: Instant): OutageTime {
    const ended = this.intervals(link).filter(({ to }) => to > since);
    const sum = (part: (interval: OutageInterval) => number): number =>
      ended.reduce((total, interval) => total + part(interval), 0);
    return {
      wholeMs: sum(({ from, to }) => to - from),
      theirsMs: sum(({ from, farReadyAt }) => farReadyAt - from),
      oursMs: sum(({ farReadyAt, to }) => to - farReadyAt),
    };
  }

  #memory(link: string): Memory {
    const memory = this.#links.get(link);
    if (memory === undefined) throw new RangeError(`no link ${link}`);
    return memory;
  }

  #check(link: SiteLink): void {
    const memory = this.#memory(link.id);
    const now = this.#site.clock.now();
    const revision = link.farPort.revision();
    const fibreUp = link.fibre.up();
    if (revision !== memory.revision || fibreUp !== memory.fibreUp) {
      memory.revision = revision;
      memory.fibreUp = fibreUp;
      memory.farChangedAt = now;
    }
    const { from } = memory;
    if (!link.fibre.carries()) {
      memory.from ??= now;
      return;
    }
    if (from === undefined) return;
    memory.from = undefined;
    // A session that is rebuilt within one event has delayed no frame.
    if (now === from) return;
    const farReadyAt = Math.max(memory.farChangedAt, from) as Instant;
    memory.intervals.push({ from, farReadyAt, to: now });
  }
}

/** Measures the outages of every link of the site from now on; a present one counts from here. */
export function watchOutages(site: Site): OutageWatch {
  const watch = new OutageWatch(site);
  site.attach(watch);
  return watch;
}
