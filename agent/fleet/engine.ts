// The engine that sites and hubs share, as a site's program sees it. Each answer is data: done,
// refused, or unknown; no answer is an error, and none takes longer than its limit.

import type { Instant } from "#hal/world.ts";
import type { Bucket, Stream } from "./subjects.ts";

/** The longest wait for one answer, in milliseconds. */
export const answerMsMax = 10_000;
/** Octets of the longest value of a key, which a hub or site can write. */
export const valueBytesMax = 256 * 1024;
/** Octets of the longest message of a stream. */
export const messageBytesMax = 4 * 1024 * 1024;
/** Octets of the longest message with a head, with its headers. */
export const headBytesMax = 1_024;

/** Why nothing was written or read; in all these cases the engine is as it was before. */
export type RefusedReason =
  /** There is no connection, and nothing was sent. */
  | "disconnected"
  /** The user has no right to it. */
  | "denied"
  /** The newest revision is another one. */
  | "conflict"
  /** There is no such bucket or stream. */
  | "missing"
  /** The value is larger than a limit of ours or of the engine. */
  | "tooLarge"
  /** A limit of the bucket or stream is reached, or its disk is full. */
  | "full"
  /**
   * The newest message was not written by a client: the server copied it as the reply to a request,
   * which needs a right to the request alone.
   */
  | "forged"
  /** The engine gave another reason, which is not repeated. */
  | "other";

/** What is true of an act that did not happen. */
export interface Refused {
  readonly kind: "refused";
  readonly reason: RefusedReason;
}

/** No answer in time, or none that could be read: a write may have happened. */
export interface Unknown {
  readonly kind: "unknown";
}

/** The answer to a write. */
export type Written =
  | {
      readonly kind: "ok";
      /** Number of the message in its stream; of a key it is the revision. At least 1. */
      readonly revision: number;
    }
  | Refused
  | Unknown;

/** The answer to a read of a key or of a stream's newest message. */
export type Read =
  | {
      readonly kind: "value";
      /** Hostile until parsed; at most `valueBytesMax` or `messageBytesMax`. */
      readonly octets: Uint8Array;
      readonly revision: number;
    }
  /** `revision`: that of the deletion, or 0 if nothing was ever written; `update` takes it. */
  | { readonly kind: "absent"; readonly revision: number }
  | Refused
  | Unknown;

/** The connection to the engine. */
export type EngineState =
  | { readonly kind: "connected"; readonly since: Instant }
  | ({ readonly kind: "disconnected"; readonly since: Instant } & Outage);

/** Why there is no connection. */
export interface Outage {
  /** A sentence of linkseal, never a text of the engine. */
  readonly why: string;
  /** What a person does about it. */
  readonly next: string;
}

/** What the engine does not do for this user, although it has taken it. */
export interface Lack {
  /** `missing`: no responder; `denied`: the user has no right to it. */
  readonly reason: "missing" | "denied";
  /** Name of the stream. */
  readonly stream: string;
}

/** The next act where nothing more is known. */
export const judgeEngine = "linkseal hub doctor, on the engine's host";
/** Makes the server read a list of users that was corrected. */
export const renewUsers = "linkseal hub config, then systemctl restart nats-server";

/**
 * A client of the engine. No method throws, and each resolves within `answerMsMax`, or with
 * `unknown` as soon as the signal aborts. It queues nothing: while there is no connection each act
 * is refused.
 */
export interface FleetEngine {
  /** The connection now. */
  readonly state: EngineState;
  /** Writes a key, whatever its revision. */
  put(bucket: Bucket, key: string, octets: Uint8Array, signal: AbortSignal): Promise<Written>;
  /** Writes a key if `revision` is its newest; 0 = it has no value and never had one. */
  update(
    bucket: Bucket,
    key: string,
    octets: Uint8Array,
    revision: number,
    signal: AbortSignal,
  ): Promise<Written>;
  /** Reads the newest value of a key. */
  get(bucket: Bucket, key: string, signal: AbortSignal): Promise<Read>;
  /**
   * Adds a message to the subject of a site. `after`: only if the site's newest message has this
   * revision, 0 = it has none; absent: in any case.
   */
  publish(
    stream: Stream,
    site: string,
    message: { readonly octets: Uint8Array; readonly after?: number },
    signal: AbortSignal,
  ): Promise<Written>;
  /** Reads the newest message of a site in a stream. */
  newest(stream: Stream, site: string, signal: AbortSignal): Promise<Read>;
}

/** The answer to a walk over the keys of a bucket. */
export type Found = (Read & { readonly kind: "value" } & { readonly key: string }) | NotFound;

/** No value: the walk is over (`absent`, revision 0), or a key was deleted, or why it failed. */
type NotFound = Exclude<Read, { readonly kind: "value" }>;

/** A client of the engine with the rights of a hub, which also walks over the keys of a bucket. */
export interface HubEngine extends Pick<FleetEngine, "state" | "put" | "update" | "get"> {
  /**
   * Reads the value with the least revision from `from` on whose key fits the pattern; `*` fits one
   * word of a key.
   */
  next(bucket: Bucket, pattern: string, from: number, signal: AbortSignal): Promise<Found>;
}
