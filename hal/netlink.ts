// Requests to the kernel of this host and its own notifications, without a socket.

import type { Secret } from "./secret.ts";

/** Octets with holes for keys; only the transport fills them. */
export type Octets = readonly (Uint8Array | Secret)[];

/**
 * Part of a message in the socket's buffer. It is valid during one call, and the socket wipes it
 * afterwards.
 */
export interface Span {
  /** The socket's buffer. */
  readonly view: DataView;
  /** Index of its first octet. */
  readonly start: number;
  /** Index of the first octet behind it. */
  readonly end: number;
}

/** One netlink message; the span is its body. */
export interface NetlinkMessage extends Span {
  /** `nlmsg_type`. */
  readonly type: number;
  /** `nlmsg_flags`. */
  readonly flags: number;
}

/** A request to the kernel. */
export interface NetlinkRequest {
  /** `nlmsg_type`. */
  readonly type: number;
  /** Flags of the request itself, such as CREATE or DUMP; the transport adds its own. */
  readonly flags: number;
  /** The octets behind the header. */
  readonly body: Octets;
}

/** The kernel's refusal; nothing of this request was done. */
export interface Refusal {
  /** Name of the error number, such as EEXIST. */
  readonly name: string;
  /** The kernel's own message; undefined = it sent none. */
  readonly text: string | undefined;
}

/** The kernel's reply: what was found in it, or a refusal. */
export type Answer<T> =
  | { readonly kind: "answered"; readonly found: readonly T[] }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/**
 * Reads what it needs from a message at once, because the octets do not outlive the call; undefined
 * = nothing of interest.
 */
export type Reader<T> = (message: NetlinkMessage) => T | undefined;

/** A netlink socket; disposing of it ends all waits. */
export interface NetlinkSocket extends Disposable {
  /**
   * Sends a request and reads every message of the reply. A dump that changed while it was read is
   * read again. An abort drops the reply.
   * @throws LinksealError `device.unparsed` for a message that `read` cannot read,
   *   `transport.closed` for a lost reply.
   */
  ask<T>(request: NetlinkRequest, read: Reader<T>, signal: AbortSignal): Promise<Answer<T>>;
  /**
   * Carries out all requests in this order, also behind a refused one, and takes each from the
   * iterable only when its turn comes. The result has undefined in the place of each that
   * succeeded. `tail` follows at once, and the kernel never answers it.
   * @throws LinksealError with effect "unknown" if a reply was lost.
   */
  write(
    requests: Iterable<NetlinkRequest>,
    signal: AbortSignal,
    tail?: NetlinkRequest,
  ): Promise<readonly (Refusal | undefined)[]>;
}

/** The events that a monitor passes on. */
export interface NetlinkEvents {
  /** Receives one message; it is valid during the call. */
  message(message: NetlinkMessage): void;
  /** Messages were lost, so only a dump shows the state. */
  resync(): void;
}
