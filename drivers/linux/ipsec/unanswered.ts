// The requests that the gateway leaves unanswered, by IKE SA, as charon's log shows them.

import type { Instant } from "#hal/world.ts";
import type { LogLine } from "./parsers.ts";

/** One lost packet is no silence: three requests in a row have no answer. */
const repeatsMin = 2;
/** By then the last of them is answered if it arrived. */
export const answerMs = 500;
const sasMax = 8_192;

const isRepeat = /retransmit \d+ of request/i;
/** IKEv1 does not repeat a probe, it sends the next one (RFC 3706, 5.4). */
const isProbe = /^sending DPD request/i;
/** Each protected message shows that its sender lives, a request too (RFC 7296, 2.4). */
const isHeard = /^parsed \S+ (?:request|response)/i;
const isGivenUp = /giving up after \d+ retransmits/i;

interface Unanswered {
  /** When charon logged the first line about it. */
  readonly since: Instant;
  readonly repeats: number;
  readonly repeatedAt: Instant;
}

export class UnansweredRequests {
  readonly #byIkeSa = new Map<string, Unanswered>();

  /**
   * Takes a line of the log. Returns "begins" if the gateway is silent unless it answers within
   * `answerMs`, "ends" if it was silent; undefined = neither.
   */
  take({ ikeSa, text }: LogLine, now: Instant): "begins" | "ends" | undefined {
    if (ikeSa === undefined) return undefined;
    const before = this.#byIkeSa.get(ikeSa);
    if (isHeard.test(text) || isGivenUp.test(text)) {
      this.#byIkeSa.delete(ikeSa);
      return before !== undefined && before.repeats >= repeatsMin ? "ends" : undefined;
    }
    if (!isProbe.test(text) && !isRepeat.test(text)) return undefined;
    const isFirst = before === undefined && isProbe.test(text);
    const repeats = isFirst ? 0 : (before?.repeats ?? 0) + 1;
    const [oldest] = this.#byIkeSa.keys();
    if (this.#byIkeSa.size >= sasMax && oldest !== undefined) this.#byIkeSa.delete(oldest);
    this.#byIkeSa.set(ikeSa, { since: before?.since ?? now, repeats, repeatedAt: now });
    return repeats === repeatsMin ? "begins" : undefined;
  }

  /** Returns when silence under an IKE SA began; undefined = its gateway is not silent. */
  silentSince(ikeSa: string, now: Instant): Instant | undefined {
    const found = this.#byIkeSa.get(ikeSa);
    if (found === undefined || found.repeats < repeatsMin) return undefined;
    const isLate = found.repeats > repeatsMin || now - found.repeatedAt >= answerMs;
    return isLate ? found.since : undefined;
  }

  /** Forgets all: another charon numbers its IKE SAs anew. */
  clear(): void {
    this.#byIkeSa.clear();
  }
}
