// Reads what is new in a bucket: one request says how far its stream is, and one more each value
// that is new, some at a time. A hub needs no consumer and no subscription for it, only a right to
// read that one stream, and it misses nothing over an outage: it goes on at the number where it
// stopped.
//
// The values come as JSON of the engine's API. A direct read would be as fast, but it mixes the
// headers that a site wrote with those of the server: a site could name any subject and number.

import { isObject } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import type { Clock, Instant, WallTime } from "#hal/world.ts";
import type { NatsSession } from "../fleet/nats-session.ts";
import { type Bucket, bucketStream, keySubject } from "../fleet/subjects.ts";
import { errorText } from "./setup.ts";

/** What a reader asks. */
export type Asker = Pick<NatsSession, "api" | "ask">;

/** Values of one pass: an engine that goes on for ever is left. */
const valuesMax = 50_000;
/** Values that are written during a pass and belong to it. */
const laterMax = 1_000;
/** Requests of a pass at once, and numbers that are worth a lane. */
const lanesMax = 16;
const laneLeast = 32;
/** An engine's clock may step back by this much, in milliseconds. */
const slackMs = 1_000;

/** A value of a key, and its age when it was read. */
export interface StoredValue {
  /** The subject without that of the bucket. */
  readonly key: string;
  readonly octets: Uint8Array;
  /** The server copied it as a reply, which needs a right to the request alone. */
  readonly isForged: boolean;
  /**
   * When the engine stored it, by the hub's monotonic clock, from the difference of two moments of
   * the engine's clock; undefined = that clock went back.
   */
  readonly storedAt: Instant | undefined;
  /** When the engine stored it, by the engine's clock. */
  readonly storedWall: WallTime;
}

/** What a pass is to do with what it finds. */
export interface Taker {
  readonly value: (value: StoredValue) => void;
  /** The key was deleted. */
  readonly gone: (key: string) => void;
}

/** Reads one bucket, pass by pass. */
export class BucketReader {
  readonly #clock: Pick<Clock, "now">;
  readonly #bucket: Bucket;
  readonly #stream: string;
  /** Number of the newest message that was read; 0 = none. */
  #read = 0;

  constructor(bucket: Bucket, clock: Pick<Clock, "now">) {
    this.#bucket = bucket;
    this.#stream = bucketStream(bucket);
    this.#clock = clock;
  }

  /** Makes the next pass begin at the first value: over an outage the stream may be another one. */
  restart(): void {
    this.#read = 0;
  }

  /**
   * Reads what is new since the last pass, up to the end: a key that is written anew meanwhile
   * moves there. Resolves to true if it began at the first value.
   * @throws LinksealError if the engine has no such stream, or shows it as none can be
   */
  async pass(session: Asker, taker: Taker): Promise<boolean> {
    const askedAt = this.#clock.now();
    const { newest, wall } = await this.#state(session);
    // A stream that was made anew, or restored from a copy.
    if (newest < this.#read) this.restart();
    const isWhole = this.#read === 0;
    if (this.#read === newest) return isWhole;
    const pass = new Pass({ taker, now: () => this.#clock.now(), askedAt, wall });
    const next = async (seq: number): Promise<Message | undefined> => {
      const message = await this.#next(session, seq);
      if (message !== undefined && (message.seq < seq || pass.count >= valuesMax)) {
        throw this.#strange();
      }
      return message;
    };
    await inLanes({ from: this.#read + 1, to: newest }, next, (message) => pass.take(message));
    this.#read = newest;
    // A site that writes without end does not keep a pass from its own: the next one goes on.
    for (let later = 0; later < laterMax; later += 1) {
      const message = await next(this.#read + 1);
      if (message === undefined) break;
      this.#read = message.seq;
      pass.take(message);
    }
    return isWhole;
  }

  async #state(session: Asker): Promise<{ readonly newest: number; readonly wall: WallTime }> {
    const info = await session.api(`$JS.API.STREAM.INFO.${this.#stream}`, undefined);
    const { state, error } = info;
    if (isObject(error)) throw this.#strange(errorText(error));
    const newest = isObject(state) ? state["last_seq"] : undefined;
    const wall = timeOf(info["ts"]);
    if (!isNumber(newest) || wall === undefined) throw this.#strange();
    return { newest, wall };
  }

  async #next(session: Asker, seq: number): Promise<Message | undefined> {
    const subject = keySubject(this.#bucket, ">");
    const asked = { seq, next_by_subj: subject };
    const answer = await session.api(`$JS.API.STREAM.MSG.GET.${this.#stream}`, asked);
    const { message, error } = answer;
    // No message from that number on.
    if (isObject(error) && error["code"] === 404) return undefined;
    const found = isObject(message) ? messageOf(message, subject.slice(0, -1)) : undefined;
    if (found === undefined) throw this.#strange();
    return found;
  }

  #strange(why = "it answers otherwise than JetStream does"): LinksealError {
    const text = `the engine does not show what is in the bucket: ${why}`;
    return new LinksealError("device.unparsed", text, {
      ...{
        effect: "none",
        where: this.#bucket,
        next: "linkseal hub setup, and linkseal hub doctor",
      },
    });
  }
}

/** Numbers of messages, both ends included. */
interface Span {
  from: number;
  to: number;
}

/**
 * Reads a span in several lanes, because a request takes as long as the way to the engine. A lane
 * that is done takes half of the longest rest: most values are among the newest numbers.
 */
async function inLanes(
  whole: Span,
  next: (seq: number) => Promise<Message | undefined>,
  take: (message: Message) => void,
): Promise<void> {
  const spans: Span[] = [whole];
  const restOf = ({ from, to }: Span): number => to - from + 1;
  const half = (): Span | undefined => {
    const longest = spans.reduce((one, other) => (restOf(other) > restOf(one) ? other : one));
    if (restOf(longest) < laneLeast) return undefined;
    const from = Math.ceil((longest.from + longest.to) / 2);
    const taken = { from, to: longest.to };
    longest.to = from - 1;
    spans.push(taken);
    return taken;
  };
  const lane = async (first: Span | undefined): Promise<void> => {
    for (let span = first; span !== undefined; span = half()) {
      while (span.from <= span.to) {
        const message = await next(span.from);
        // The rest may be another lane's by now.
        if (message !== undefined && message.seq <= span.to) take(message);
        span.from = message === undefined ? span.to + 1 : message.seq + 1;
      }
      spans.splice(spans.indexOf(span), spans.length > 1 ? 1 : 0);
    }
  };
  const count = Math.min(lanesMax, Math.floor(restOf(whole) / laneLeast));
  const others = Array.from({ length: Math.max(0, count - 1) }, half);
  await Promise.all([whole, ...others].map(lane));
}

interface PassParts {
  readonly taker: Taker;
  readonly now: () => Instant;
  /** When the engine was asked for its time by its clock, and that time. */
  readonly askedAt: Instant;
  readonly wall: WallTime;
}

/** What one pass has found. */
class Pass {
  readonly #parts: PassParts;
  /** Number of the newest message of each key. */
  readonly #newest = new Map<string, number>();
  count = 0;

  constructor(parts: PassParts) {
    this.#parts = parts;
  }

  take(message: Message): void {
    const { taker, askedAt, wall } = this.#parts;
    const { key, seq, isGone, storedWall } = message;
    this.count += 1;
    // A lane may find the value that another lane has found the successor of.
    if ((this.#newest.get(key) ?? 0) > seq) return;
    this.#newest.set(key, seq);
    if (isGone) {
      taker.gone(key);
      return;
    }
    const now = this.#parts.now();
    const storedAt = askedAt - (wall - storedWall);
    const isPast = storedAt <= now + slackMs;
    taker.value({
      ...message,
      storedAt: isPast ? (Math.min(storedAt, now) as Instant) : undefined,
    });
  }
}

interface Message extends Omit<StoredValue, "storedAt"> {
  readonly seq: number;
  readonly isGone: boolean;
}

function messageOf(fields: Readonly<Record<string, unknown>>, prefix: string): Message | undefined {
  const { subject, seq, time, data = "", hdrs = "" } = fields;
  const storedWall = timeOf(time);
  if (typeof subject !== "string" || !subject.startsWith(prefix)) return undefined;
  if (typeof data !== "string" || typeof hdrs !== "string") return undefined;
  if (!isNumber(seq) || storedWall === undefined) return undefined;
  const headers = Buffer.from(hdrs, "base64").toString("latin1");
  return {
    ...{ key: subject.slice(prefix.length), seq, storedWall },
    octets: Buffer.from(data, "base64"),
    isForged: /^nats-(subject|stream):/im.test(headers),
    isGone: /^KV-Operation:[ \t]*(?:DEL|PURGE)[ \t]*$/im.test(headers),
  };
}

function timeOf(value: unknown): WallTime | undefined {
  const wall = typeof value === "string" && value.length < 40 ? Date.parse(value) : Number.NaN;
  return Number.isNaN(wall) ? undefined : (wall as WallTime);
}

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
