// A service that asks for patience gets it: nothing is sent to it before the time that it named.

import type { Clock, HttpReply, Instant } from "#hal/world.ts";

/** Longer waits are not believed: somebody would wait for them. */
const waitMsMax = 900_000;
/** Without a time of its own a 429 waits 1, 2, 4 ... seconds, as Microsoft recommends. */
const backoffMs = { least: 1_000, most: 64_000 };

export class Patience {
  readonly #clock: Clock;
  readonly #until = new Map<string, { readonly at: Instant; readonly waitMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long this origin must be left alone; 0 = it may be asked. */
  remainingMs(origin: string): number {
    const entry = this.#until.get(origin);
    return entry === undefined ? 0 : Math.max(0, entry.at - this.#clock.now());
  }

  /** Takes note of an answer; resolves to the wait that it demands, 0 = none. */
  note(origin: string, reply: HttpReply): number {
    if (reply.status !== 429 && reply.status !== 503) {
      if (reply.status < 500) this.#until.delete(origin);
      return 0;
    }
    const named = this.namedMs(reply);
    if (reply.status === 503 && named === undefined) return 0;
    const before = this.#until.get(origin)?.waitMs ?? backoffMs.least / 2;
    const waitMs = named ?? Math.min(backoffMs.most, 2 * before);
    this.#until.set(origin, { at: (this.#clock.now() + waitMs) as Instant, waitMs });
    return waitMs;
  }

  /** The time after which an answer wants the next question; undefined = it names none. */
  namedMs({ headers }: HttpReply): number | undefined {
    const named = retryAfterMs(headers, this.#clock.wall());
    return named === undefined ? undefined : Math.min(waitMsMax, named);
  }
}

/** Seconds or a date (RFC 9110 10.2.3), or Azure's own headers in milliseconds. */
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
