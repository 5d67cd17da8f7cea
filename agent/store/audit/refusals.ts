// Requests that had no effect, counted: one record a socket and minute, however many they are, and
// behind everything else that waits for the log.

import type { Instant } from "#hal/world.ts";
import type { Change } from "./record.ts";

/** How long one record counts. */
const refusalsMs = 60_000;
/** Kinds that a record spells out, the most frequent first. */
const kindsMax = 6;

export interface Refusal {
  /** The socket that was asked. */
  readonly who: string;
  /** The verb and why nothing came of it, such as `drain: refused: usage`. */
  readonly text: string;
  readonly about: string;
}

interface Count {
  readonly when: number;
  readonly begun: Instant;
  last: Instant;
  about: string;
  readonly kinds: Map<string, number>;
}

export class Refusals {
  readonly #counts = new Map<string, Count>();
  #isEnding = false;
  /** Counted to its end, and not in the log yet. */
  #due: Change | undefined;

  /** `due`: the record that it was counted in is to be written. */
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

  /** The record to write next, until `written`; undefined = none is due. */
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

  written(): void {
    this.#due = undefined;
  }

  /** The process ends: whatever was counted is due. */
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
