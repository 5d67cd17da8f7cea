// How long each link could not pass a frame, to the event, and which part of it the far end took.

import type { Instant } from "#hal/world.ts";
import type { Site, SiteLink, SiteObserver } from "../site/site.ts";

/** No frame could pass in one direction or in both, by the truth of both stations. */
interface DarkInterval {
  readonly from: Instant;
  /**
   * From here on the fibre was lit and the far end's hardware had the key and settings that then
   * worked; the rest was the router's to do. `from`, where nothing changed over there.
   */
  readonly farReadyAt: Instant;
  readonly to: Instant;
}

export interface DarkTime {
  readonly wholeMs: number;
  /** Until the far end was ready. */
  readonly theirsMs: number;
  /** From there until frames passed. */
  readonly oursMs: number;
}

interface Memory {
  readonly intervals: DarkInterval[];
  from: Instant | undefined;
  revision: number;
  fibreUp: boolean;
  farChangedAt: Instant;
}

class DarkWatch implements SiteObserver {
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
      this.#look(link);
    }
  }

  changed(group: string): void {
    for (const link of this.#site.links) if (link.group === group) this.#look(link);
  }

  /** Those that have ended, oldest first. */
  intervals(link: string): readonly DarkInterval[] {
    return this.#memory(link).intervals;
  }

  /** Since when the link is dark; undefined = it is not. */
  darkSince(link: string): Instant | undefined {
    return this.#memory(link).from;
  }

  /** Of the intervals that ended after `since`, each counted whole. */
  time(link: string, since: Instant): DarkTime {
    const ended = this.intervals(link).filter(({ to }) => to > since);
    const sum = (part: (interval: DarkInterval) => number): number =>
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

  #look(link: SiteLink): void {
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
    // A session that is rebuilt within one event has kept no frame waiting.
    if (now === from) return;
    const farReadyAt = Math.max(memory.farChangedAt, from) as Instant;
    memory.intervals.push({ from, farReadyAt, to: now });
  }
}

/** From now on every link of the site is watched; what is dark already counts from here. */
export function watchDark(site: Site): DarkWatch {
  const watch = new DarkWatch(site);
  site.attach(watch);
  return watch;
}
