// A site's client of the engine over NATS JetStream: it keeps one connection, and each act is one
// request whose answer is parsed with limits. It creates no consumer and asks for no stream's
// description, so that its rights are subjects of its own.

import { isObject } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { type JsonLimits, parseJson } from "#hal/json.ts";
import type { StreamChannel } from "#hal/world.ts";
import {
  type EngineState,
  type FleetEngine,
  type Found,
  type HubEngine,
  judgeEngine,
  type Lack,
  messageBytesMax,
  type Outage,
  type Read,
  type Refused,
  type RefusedReason,
  type Unknown,
  valueBytesMax,
  type Written,
} from "./engine.ts";
import {
  type ConnectionParts,
  NatsConnection,
  type NatsReply,
  type NatsRequest,
} from "./nats-connection.ts";
import { headerOf, noResponders, statusOf } from "./nats-frames.ts";
import {
  type Bucket,
  bucketStream,
  keySubject,
  newestSubject,
  type Stream,
  streamSubject,
} from "./subjects.ts";

/** Octets of the longest acknowledgement. */
const ackBytesMax = 4_096;
/**
 * The next attempt comes after `least`, and before `first`, which doubles with each failure up to
 * `most`. Each moment in between is as likely: an engine that starts gets a thousand sites one
 * after another. A hub tries again sooner: waves wait for it.
 */
const backoffMs = { least: 1_000, first: 4_000, most: 60_000, ofHubMost: 30_000 };
/** A connection that lasted this long was a good one, in milliseconds. */
const goodMs = 60_000;

/** What an engine client needs. */
export interface EngineParts extends Pick<ConnectionParts, "world" | "inbox" | "name"> {
  /**
   * Reads the user key and opens a protected stream to one of the servers.
   * @throws LinksealError that says why not
   */
  readonly open: (
    signal: AbortSignal,
  ) => Promise<{ readonly channel: StreamChannel; readonly key: ConnectionParts["key"] }>;
  /** Sites wait for a hub, and an engine has few of them: it comes back sooner. */
  readonly isHub?: true;
  /** Called when the connection comes up, and once for each outage. */
  readonly changed?: (state: EngineState) => void;
  /** Called once for each connection and each thing that the engine does not do for this user. */
  readonly lacking?: (lack: Lack) => void;
}

/** The engine of a site. */
export class NatsEngine implements FleetEngine, HubEngine {
  readonly #parts: EngineParts;
  #connection: NatsConnection | undefined;
  /** What was told of the connection that it is of. */
  #told: { readonly of: NatsConnection | undefined; readonly lacks: Set<string> };
  #state: EngineState;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const since = parts.world.clock.now();
    const why = "no connection was made yet";
    this.#state = { kind: "disconnected", since, why, next: judgeEngine };
    this.#told = { of: undefined, lacks: new Set() };
  }

  /** The connection now. */
  get state(): EngineState {
    return this.#state;
  }

  /**
   * Keeps a connection until the signal aborts: after each end it waits longer, up to a minute; a
   * hub at random up to 30 s.
   */
  async run(end: AbortSignal): Promise<void> {
    const { clock, entropy } = this.#parts.world;
    let failures = 0;
    while (!end.aborted) {
      const began = clock.now();
      const outage = await this.#serve(end);
      this.#connection = undefined;
      failures = clock.now() - began >= goodMs ? 0 : failures + 1;
      this.#disconnected(outage, end.aborted);
      const ms = waitMs(failures, this.#parts.isHub === true, entropy.bytes(2));
      await clock.sleep(ms, end).catch(() => undefined);
    }
  }

  /** Writes a key, whatever its revision. */
  put(bucket: Bucket, key: string, octets: Uint8Array, signal: AbortSignal): Promise<Written> {
    return this.#write({ ...placeOf(bucket, key), octets, bytesMax: valueBytesMax }, {}, signal);
  }

  /** Writes a key if `revision` is its newest; 0 = it never had a value. */
  update(
    bucket: Bucket,
    key: string,
    octets: Uint8Array,
    revision: number,
    signal: AbortSignal,
  ): Promise<Written> {
    const what = { ...placeOf(bucket, key), octets, bytesMax: valueBytesMax };
    return this.#write(what, onlyAfter(revision), signal);
  }

  /** Reads the newest value of a key. */
  get(bucket: Bucket, key: string, signal: AbortSignal): Promise<Read> {
    const { stream, subject } = placeOf(bucket, key);
    return this.#read({ stream, subject }, valueBytesMax, signal);
  }

  /**
   * Adds a message, after the revision if one is given. It has no id: a server knows ids in the
   * whole stream, so that a site could use up those of another, whose messages it then drops and
   * acknowledges.
   */
  publish(
    stream: Stream,
    site: string,
    { octets, after }: { readonly octets: Uint8Array; readonly after?: number },
    signal: AbortSignal,
  ): Promise<Written> {
    const subject = streamSubject(stream, site);
    const what = { stream, subject, octets, bytesMax: messageBytesMax };
    return this.#write(what, after === undefined ? {} : onlyAfter(after), signal);
  }

  /** Reads the newest message of a site in a stream. */
  newest(stream: Stream, site: string, signal: AbortSignal): Promise<Read> {
    const subject = streamSubject(stream, site);
    return this.#read({ stream, subject }, messageBytesMax, signal);
  }

  /** Reads the next value of a bucket; only a hub has the right to it. */
  async next(bucket: Bucket, pattern: string, from: number, signal: AbortSignal): Promise<Found> {
    const start = keySubject(bucket, "");
    const body = JSON.stringify({ seq: from, next_by_subj: `${start}${pattern}` });
    const stream = bucketStream(bucket);
    const subject = `$JS.API.DIRECT.GET.${stream}`;
    const octets = new TextEncoder().encode(body);
    const request = { subject, octets, replyBytesMax: valueBytesMax };
    const reply = await this.#request(stream, request, signal);
    if (reply?.kind !== "reply") return unanswered(reply);
    const read = readOf(reply);
    if (read.kind !== "value") return read;
    const place = headerOf(reply.headers, "Nats-Subject") ?? "";
    const isNext = place.startsWith(start) && read.revision >= from;
    return isNext ? { ...read, key: place.slice(start.length) } : { kind: "unknown" };
  }

  /** Serves one connection; resolves to why it ended. */
  async #serve(end: AbortSignal): Promise<Outage> {
    try {
      const { channel, key } = await this.#parts.open(end);
      const connection = new NatsConnection({ ...this.#parts, key }, channel);
      return await connection.serve(() => {
        this.#connection = connection;
        this.#change({ kind: "connected", since: this.#parts.world.clock.now() });
      }, end);
    } catch (error) {
      if (error instanceof LinksealError) {
        return { why: `${error.where}: ${error.message}`, next: error.next };
      }
      if (end.aborted) return { why: "it is not wanted any more", next: judgeEngine };
      throw error;
    }
  }

  /** `isWanted`: nothing is reported of an end that was asked for. */
  #disconnected(outage: Outage, isWanted: boolean): void {
    const { since } = this.#state;
    const isNew = this.#state.kind === "connected";
    const at = isNew ? this.#parts.world.clock.now() : since;
    const state = { kind: "disconnected", since: at, ...outage } as const;
    if (isWanted) this.#state = state;
    else this.#change(state);
  }

  #change(state: EngineState): void {
    const before = this.#state;
    this.#state = state;
    const isSame = before.kind === "disconnected" && state.kind === "disconnected";
    if (!isSame || before.why !== state.why) this.#parts.changed?.(state);
  }

  async #write(
    what: Place & { readonly octets: Uint8Array; readonly bytesMax: number },
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Written> {
    const { stream, subject, octets, bytesMax } = what;
    if (octets.length > bytesMax) return refused("tooLarge");
    const request = { subject, headers, octets, replyBytesMax: ackBytesMax };
    const reply = await this.#request(stream, request, signal);
    return reply?.kind === "reply" ? writtenOf(reply, stream) : unanswered(reply);
  }

  async #read({ stream, subject }: Place, bytesMax: number, signal: AbortSignal): Promise<Read> {
    const octets = new Uint8Array();
    const request = { subject: newestSubject(stream, subject), octets, replyBytesMax: bytesMax };
    const reply = await this.#request(stream, request, signal);
    return reply?.kind === "reply" ? readOf(reply) : unanswered(reply);
  }

  /** A server takes a user, and yet leads a subject to no stream, or refuses it: that is told. */
  async #request(
    stream: string,
    request: NatsRequest,
    signal: AbortSignal,
  ): Promise<NatsReply | undefined> {
    const connection = this.#connection;
    const reply = await connection?.request(request, signal);
    const isMissing = reply?.kind === "reply" && statusOf(reply.headers) === noResponders;
    if (isMissing) this.#tell(connection, { reason: "missing", stream });
    if (reply?.kind === "denied") this.#tell(connection, { reason: "denied", stream });
    return reply;
  }

  #tell(of: NatsConnection | undefined, lack: Lack): void {
    if (this.#told.of !== of) this.#told = { of, lacks: new Set() };
    const { lacks } = this.#told;
    const key = `${lack.reason} ${lack.stream}`;
    if (lacks.has(key)) return;
    lacks.add(key);
    this.#parts.lacking?.(lack);
  }
}

/** Returns the time to the next attempt in milliseconds, drawn by two random octets. */
function waitMs(failures: number, isHub: boolean, [high = 0, low = 0]: Uint8Array): number {
  const { least, first, most, ofHubMost } = backoffMs;
  const longest = isHub ? ofHubMost : most;
  const span = Math.min(first * 2 ** Math.min(failures, 20), longest) - least;
  return least + (span * (high * 256 + low)) / 65_536;
}

const onlyAfter = (revision: number): Readonly<Record<string, string>> => ({
  "Nats-Expected-Last-Subject-Sequence": String(revision),
});

interface Place {
  readonly stream: string;
  readonly subject: string;
}

const placeOf = (bucket: Bucket, key: string): Place => ({
  stream: bucketStream(bucket),
  subject: keySubject(bucket, key),
});

const refused = (reason: RefusedReason): Refused => ({ kind: "refused", reason });

function unanswered(
  reply: Exclude<NatsReply, { readonly kind: "reply" }> | undefined,
): Refused | Unknown {
  switch (reply?.kind) {
    case undefined:
    case "busy":
      return refused("disconnected");
    case "denied":
      return refused("denied");
    case "tooLarge":
      return refused("tooLarge");
    case "unknown":
      return { kind: "unknown" };
  }
}

type Answer = NatsReply & { readonly kind: "reply" };

/** Codes of JetStream's errors (`err_code`) that say why nothing was stored. */
const reasonOf: Readonly<Record<number, RefusedReason>> = {
  10071: "conflict",
  10164: "conflict",
  10054: "tooLarge",
  10047: "full",
  10023: "full",
  10028: "full",
  10077: "full",
  10059: "missing",
};

/** Reads an acknowledgement; one of another stream is none. */
export function writtenOf({ headers, octets }: Answer, stream: string): Written {
  if (statusOf(headers) === noResponders) return refused("missing");
  const ack = objectOf(octets);
  if (ack === undefined) return { kind: "unknown" };
  const error = ack["error"];
  if (isObject(error)) return refused(refusalOf(error));
  const { seq, duplicate } = ack;
  // No message of ours has an id: one that was dropped as a repeat is not there.
  const isStored = ack["stream"] === stream && duplicate !== true;
  if (!isStored || !isNumber(seq) || seq < 1) return { kind: "unknown" };
  return { kind: "ok", revision: seq };
}

function refusalOf(error: Readonly<Record<string, unknown>>): RefusedReason {
  const { err_code: code, description } = error;
  const known = isNumber(code) ? reasonOf[code] : undefined;
  if (known !== undefined) return known;
  // A stream whose limit is reached answers with a text of its store and a general code.
  const text = typeof description === "string" ? description : "";
  return /maximum (messages|bytes)/.test(text) ? "full" : "other";
}

/** Reads the answer to a direct read. */
export function readOf({ headers, octets }: Answer): Read {
  const status = statusOf(headers);
  if (status === noResponders) return refused("missing");
  if (status === 404) return { kind: "absent", revision: 0 };
  if (status !== undefined) return refused("other");
  // The server adds its own; a second one shows that the message was a reply.
  const places = headers.filter((line) => /^nats-(subject|stream):/i.test(line));
  if (places.length > 2) return refused("forged");
  const digits = headerOf(headers, "Nats-Sequence") ?? "";
  if (!/^[1-9]\d{0,14}$/.test(digits)) return { kind: "unknown" };
  const revision = Number(digits);
  const operation = headerOf(headers, "KV-Operation");
  if (operation === "DEL" || operation === "PURGE") return { kind: "absent", revision };
  return { kind: "value", octets, revision };
}

const limits: JsonLimits = { characters: ackBytesMax, values: 100 };

function objectOf(octets: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = parseJson(new TextDecoder().decode(octets), limits);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value);
