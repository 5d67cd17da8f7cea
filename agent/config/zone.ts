// What a wall clock shows in a time zone, and when it shows it.

import type { WallTime } from "#hal/world.ts";

const dayMs = 86_400_000;

/** True if the host's time zone data has the zone. */
export function zoneExists(timeZone: string): boolean {
  try {
    return formatOf(timeZone).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Formats are cached: one is slow to make, and a host uses few zones. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone) ?? newFormat(timeZone);
  formats.set(timeZone, known);
  return known;
}

function newFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
}

/** One time zone of the host's time zone data. */
export class Zone {
  readonly #format: Intl.DateTimeFormat;

  /** @throws RangeError for a zone that does not exist */
  constructor(timeZone: string) {
    this.#format = formatOf(timeZone);
  }

  /** Returns the reading of the wall clock, as milliseconds since 1970 if the zone were UTC. */
  reading(at: WallTime): number {
    return at + this.#offsetMs(at);
  }

  #offsetMs(at: number): number {
    const parts = new Map(
      this.#format.formatToParts(at).map(({ type, value }) => [type, Number(value)]),
    );
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const second = Date.UTC(
      part("year"),
      part("month") - 1,
      part("day"),
      part("hour"),
      part("minute"),
      part("second"),
    );
    return second - Math.floor(at / 1_000) * 1_000;
  }

  /** Yields the stretches in which the clock is not put forward or back. */
  *steady(from: number, until: number): Generator<Steady> {
    let start = from;
    let offsetMs = this.#offsetMs(from);
    for (let at = from; at < until; ) {
      const next = Math.min(at + dayMs, until);
      const later = this.#offsetMs(next);
      if (later !== offsetMs) {
        const change = this.#changeBetween(at, next);
        yield { from: start, until: change, offsetMs };
        [start, offsetMs] = [change, later];
      }
      at = next;
    }
    if (start < until) yield { from: start, until, offsetMs };
  }

  /** Returns the first moment with another offset than at `before`. */
  #changeBetween(before: number, after: number): number {
    const offsetMs = this.#offsetMs(before);
    let [low, high] = [before, after];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetMs(middle) === offsetMs) low = middle;
      else high = middle;
    }
    return high;
  }

  /**
   * Returns the first moment of a day, which is given as its midnight in UTC; in some zones a day
   * has no midnight.
   */
  startOfDay(midnight: number): WallTime {
    for (const { from, until, offsetMs } of this.steady(midnight - dayMs, midnight + dayMs)) {
      const at = Math.max(from, midnight - offsetMs);
      if (at < until) return at as WallTime;
    }
    return (midnight + dayMs) as WallTime;
  }
}

interface Steady {
  readonly from: number;
  readonly until: number;
  readonly offsetMs: number;
}
