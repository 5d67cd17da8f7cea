// Counts requests without effect: one record per socket and minute, however many they are, written
// after all other records.

import type { Instant } from "#hal/world.ts";
import type { Change } from "./record.ts";

/** How long one record counts, in milliseconds. */
const refusalsMs = 60_000;
/** Kinds that a record lists by name, the most frequent first. */
const kindsMax = 6;

/** A request that had no effect. */
export interface Refusal {
  /** The socket that got the request. */
  readonly who: string;
  /** The verb and why it had no effect, such as `drain: refused: usage`. */
  readonly text: string;
  /** The subject of the request. */
  readonly about: string;
}

interface Count {
  readonly when: number;
  readonly begun: Instant;
  last: Instant;
  about: string;
  readonly kinds: Map<string, number>;
}

/** The counts of all sockets. */
export class Refusals {
  readonly #counts = new Map<string, Count>();
  #isEnding = false;
  /** A finished count that is not in the log yet. */
  #due: Change | undefined;

  /** Counts a request; `due` = the record of its count has to be written now. */
  add({ who, text, about }: Refusal, now: Instant, wall: number): "counted" | "due" {
    const count = this.#counts.get(who);
    if (count === undefined) {
      const kinds = new Map([[text, 1]]);
      this.#counts.set(who, { when: Math.floor(wall), begun: now, last: now, about, kinds });
      return "counted";
    }
    count.last = now;
    count.kinds.set(text, (count.kinds.get(text) ?? 0) + 1);
    if (count.about !== about) count.about = "site";
    return now - count.begun < refusalsMs ? "counted" : "due";
  }

  /** Returns the record to write next, until `written`; undefined = none is due. */
  due(now: Instant): Change | undefined {
    if (this.#due !== undefined) return this.#due;
    for (const [who, count] of this.#counts) {
      if (!this.#isEnding && now - count.begun < refusalsMs) continue;
      this.#counts.delete(who);
      this.#due = changeOf(who, count);
      break;
    }
    return this.#due;
  }

  /** Reports that the record of `due` is in the log. */
  written(): void {
    this.#due = undefined;
  }

  /** The process ends: everything that was counted is due. */
  end(): void {
    this.#isEnding = true;
  }
}

function changeOf(who: string, { when, begun, last, about, kinds }: Count): Change {
  const total = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  const head = { when, what: "asked", about, who } as const;
  const [only] = kinds.keys();
  if (total === 1 && only !== undefined) return { ...head, text: only };
  const sorted = [...kinds].sort(([, a], [, b]) => b - a);
  const spelled = sorted.slice(0, kindsMax).map(([text, count]) => `${text} (${count})`);
  const rest = sorted.slice(kindsMax).reduce((sum, [, count]) => sum + count, 0);
  if (rest > 0) spelled.push(`others (${rest})`);
  const seconds = Math.max(1, Math.ceil((last - begun) / 1_000));
  const text = `${total} requests without effect in ${seconds} s: ${spelled.join(", ")}`;
  return { ...head, text };
}
