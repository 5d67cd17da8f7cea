// One error class: a stable code, what the failed call may have done to the world, where it failed,
// and what to do next.

/**
 * The code of an error. Each code has a row in `errorRows`; no other place decides about retry,
 * warning or exit status.
 */
export type ErrorCode =
  | "usage"
  | "config.invalid"
  | "config.conflict"
  | "vault.unreachable"
  | "vault.denied"
  | "vault.unpaired"
  | "vault.malformedKey"
  | "vault.reusedCkn"
  | "vault.compromisedKey"
  | "transport.unreachable"
  | "transport.authentication"
  | "transport.timeout"
  | "transport.closed"
  | "transport.hostKey"
  | "device.rejected"
  | "device.locked"
  | "device.commitExpired"
  | "device.unparsed"
  | "device.unsupported"
  | "peer.unreachable"
  | "peer.denied"
  | "peer.rejected"
  | "peer.throttled"
  | "verify.mismatch"
  | "verify.timeout"
  | "gate.siblingUnhealthy"
  | "gate.stale"
  | "gate.window"
  | "gate.permit"
  | "gate.ownPath"
  | "gate.riskNotAccepted"
  | "gate.busy"
  | "gate.leftoverKey"
  | "gate.rightsMissing"
  | "gate.planChanged"
  | "journal.corrupt"
  | "journal.full"
  | "journal.locked"
  | "journal.newer"
  | "agent.unreachable"
  | "agent.forbidden"
  | "agent.busy"
  | "agent.internal";

/**
 * The effect that the failed call may have had; "unknown" requires an observation before anything
 * else is done.
 */
export type Effect = "none" | "unknown" | "applied";

export interface ErrorDetails {
  readonly effect: Effect;
  /** The device, link, file or service at which it happened. */
  readonly where: string;
  /** The next safe command or act of the operator. */
  readonly next: string;
  readonly cause?: unknown;
}

/** Any failure that the product reports; its message is one sentence for the operator. */
export class LinksealError extends Error {
  readonly code: ErrorCode;
  readonly effect: Effect;
  readonly where: string;
  readonly next: string;

  constructor(code: ErrorCode, text: string, details: ErrorDetails) {
    super(text, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "LinksealError";
    this.code = code;
    this.effect = details.effect;
    this.where = details.where;
    this.next = details.next;
  }
}

/** Returns the same error with another effect, and perhaps a sentence about what is left. */
export function withEffect(error: LinksealError, effect: Effect, left?: string): LinksealError {
  const { code, message, where, next } = error;
  const text = left === undefined ? message : `${message}; ${left}`;
  return new LinksealError(code, text, { effect, where, next, cause: error });
}

type Retry = "never" | "later" | "afterLook";

export interface ErrorRow {
  readonly retry: Retry;
  /** Code of the warning that this error raises; null = none. */
  readonly warning: string | null;
  /** Exit status of the CLI; effect "unknown" turns it into 7. */
  readonly exit: 1 | 2 | 5 | 6 | 8;
}

const row = (retry: Retry, warning: string | null, exit: ErrorRow["exit"]): ErrorRow => ({
  retry,
  warning,
  exit,
});

/** For each code: when to retry, the warning that it raises, and the exit status. */
export const errorRows: Readonly<Record<ErrorCode, ErrorRow>> = {
  usage: row("never", null, 2),
  "config.invalid": row("never", null, 2),
  "config.conflict": row("never", null, 2),
  "vault.unreachable": row("later", "vault-unreachable", 1),
  "vault.denied": row("later", "vault-denied", 1),
  "vault.unpaired": row("later", "key-unpaired", 1),
  "vault.malformedKey": row("later", "key-malformed", 1),
  "vault.reusedCkn": row("never", "key-reused", 1),
  "vault.compromisedKey": row("never", null, 1),
  "transport.unreachable": row("later", "device-unreachable", 1),
  "transport.authentication": row("never", "device-unreachable", 1),
  "transport.timeout": row("afterLook", "device-unreachable", 1),
  "transport.closed": row("afterLook", "device-unreachable", 1),
  "transport.hostKey": row("never", "device-unreachable", 1),
  "device.rejected": row("never", null, 1),
  "device.locked": row("later", null, 1),
  "device.commitExpired": row("afterLook", "commit-lost", 1),
  "device.unparsed": row("later", "reading-stale", 1),
  "device.unsupported": row("never", null, 1),
  "peer.unreachable": row("afterLook", "far-end-unreadable", 1),
  "peer.denied": row("later", "far-end-unreadable", 1),
  "peer.rejected": row("afterLook", "far-end-refused", 1),
  "peer.throttled": row("later", "far-end-refused", 1),
  "verify.mismatch": row("afterLook", null, 1),
  "verify.timeout": row("afterLook", null, 1),
  "gate.siblingUnhealthy": row("later", "sibling-unhealthy", 6),
  "gate.stale": row("later", "reading-stale", 6),
  "gate.window": row("later", null, 6),
  "gate.permit": row("later", null, 6),
  "gate.ownPath": row("later", null, 6),
  "gate.riskNotAccepted": row("never", null, 6),
  "gate.busy": row("later", null, 6),
  "gate.leftoverKey": row("never", null, 6),
  "gate.rightsMissing": row("later", null, 6),
  "gate.planChanged": row("never", null, 6),
  "journal.corrupt": row("never", "journal-lossy", 1),
  "journal.full": row("later", "state-unwritable", 1),
  "journal.locked": row("never", null, 1),
  "journal.newer": row("never", null, 1),
  "agent.unreachable": row("later", null, 5),
  "agent.forbidden": row("never", null, 8),
  "agent.busy": row("later", null, 1),
  "agent.internal": row("never", null, 1),
};

/** Returns whether the value is a code of `errorRows`. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(errorRows, value);
}

/** Returns the exit status of the CLI for an error; effect "unknown" is always 7. */
export function exitStatusOf(error: LinksealError): number {
  return error.effect === "unknown" ? 7 : errorRows[error.code].exit;
}
