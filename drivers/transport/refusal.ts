// How the text of a device becomes a LinksealError, whatever the protocol.

import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";

/** A text of a platform that means an error code. */
export interface FailureMark {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
}

const nextOf: Partial<Record<ErrorCode, string>> = {
  "device.locked": "wait until the other session has left, then repeat the command",
  "device.unsupported": "linkseal driver list",
};

export function refusalOf(code: ErrorCode, text: string, where: string): LinksealError {
  const next = nextOf[code] ?? "linkseal status";
  return new LinksealError(code, text, { effect: "none", where, next });
}

/** Returns the error that ended a session, with the effect of a call whose reply was lost. */
export function lostBy(error: LinksealError, effect: Effect): LinksealError {
  const { code, message, where, next } = error;
  return new LinksealError(code, message, { effect, where, next, cause: error.cause });
}
