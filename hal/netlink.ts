// Questions to the kernel of this host and what it says by itself, without a socket in sight.

import type { Secret } from "./secret.ts";

/** Octets with holes for keys; only the transport fills them. */
export type Octets = readonly (Uint8Array | Secret)[];

/**
 * Part of a message, in the buffer of the socket: it holds for the duration of one call, and the
 * socket wipes it afterwards.
 */
export interface Span {
  readonly view: DataView;
  readonly start: number;
  /** The first octet behind it. */
  readonly end: number;
}

export interface NetlinkMessage extends Span {
  readonly type: number;
  readonly flags: number;
}

export interface NetlinkRequest {
  readonly type: number;
  /** Those of the request itself, such as CREATE or DUMP; the transport adds its own. */
  readonly flags: number;
  readonly body: Octets;
}

/** The kernel's no: nothing of this request was done. */
export interface Refusal {
  /** Such as EEXIST. */
  readonly name: string;
  /** The kernel's own words, if it has any. */
  readonly text: string | undefined;
}

export type Answer<T> =
  | { readonly kind: "answered"; readonly found: readonly T[] }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** Takes what it wants from a message at once: the octets do not outlive the call. */
export type Reader<T> = (message: NetlinkMessage) => T | undefined;

export interface NetlinkSocket extends Disposable {
  /**
   * A dump that changed while it was read is read again. Throws `device.unparsed` for what `read`
   * cannot read, `transport.closed` for answers that were lost.
   */
  ask<T>(request: NetlinkRequest, read: Reader<T>, signal: AbortSignal): Promise<Answer<T>>;
  /**
   * Carries out all of them in this order, whatever becomes of one, and asks for each only when its
   * turn comes; a place in the result is undefined where it was done. A lost answer has effect
   * "unknown". `tail` follows at once, and the kernel never answers it.
   */
  write(
    requests: Iterable<NetlinkRequest>,
    signal: AbortSignal,
    tail?: NetlinkRequest,
  ): Promise<readonly (Refusal | undefined)[]>;
}

/** What a monitor hands on. */
export interface NetlinkEvents {
  message(message: NetlinkMessage): void;
  /** Messages were lost: only a dump tells the state. */
  resync(): void;
}
