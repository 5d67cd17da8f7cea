// Remembers how long each service of Azure has to be left alone: nothing is sent to it before the
// time that it named.

import { type Clock, type HttpReply, type Instant, instantAfter } from "#hal/world.ts";

/**
 * The longest wait that is accepted from a service, in milliseconds, because an operator may be
 * waiting.
 */
const waitMsMax = 900_000;
/**
 * Waits after a 429 that names no time, in milliseconds: 1, 2, 4 ... seconds, as Microsoft
 * recommends.
 */
const backoffMs = { least: 1_000, most: 64_000 };

export class RetryAfterBudget {
  readonly #clock: Clock;
  readonly #until = new Map<string, { readonly at: Instant; readonly waitMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns how long this origin must be left alone, in milliseconds; 0 = it may be asked. */
  remainingMs(origin: string): number {
    const entry = this.#until.get(origin);
    return entry === undefined ? 0 : Math.max(0, entry.at - this.#clock.now());
  }

  /**
   * Records a reply; returns the wait in milliseconds that it demands, 0 = none. A demand stays
   * until its time, whatever answers to other requests come meanwhile; the later of two counts.
   */
  note(origin: string, reply: HttpReply): number {
    const isPast = this.remainingMs(origin) === 0;
    if (reply.status !== 429 && reply.status !== 503) {
      if (reply.status < 500 && isPast) this.#until.delete(origin);
      return 0;
    }
    const named = this.namedMs(reply);
    if (reply.status === 503 && named === undefined) return 0;
    const before = this.#until.get(origin);
    // Replies to requests that were under way together are one demand, and double nothing.
    const backoff = isPast ? 2 * (before?.waitMs ?? backoffMs.least / 2) : before?.waitMs;
    const waitMs = named ?? Math.min(backoffMs.most, backoff ?? backoffMs.least);
    const at = instantAfter(this.#clock.now(), waitMs);
    if (before === undefined || at > before.at) this.#until.set(origin, { at, waitMs });
    return waitMs;
  }

  /**
   * Returns how long the next request has to wait after this reply, in milliseconds; undefined =
   * the reply names no time.
   */
  namedMs({ headers }: HttpReply): number | undefined {
    const named = retryAfterMs(headers, this.#clock.wall());
    return named === undefined ? undefined : Math.min(waitMsMax, named);
  }
}

/** Reads seconds or a date (RFC 9110 10.2.3), or Azure's own headers in milliseconds. */
function retryAfterMs(headers: HttpReply["headers"], wall: number): number | undefined {
  for (const name of ["retry-after-ms", "x-ms-retry-after-ms"]) {
    const text = headers[name];
    if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  }
  const text = headers["retry-after"];
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text)) return 1_000 * Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wall);
}
