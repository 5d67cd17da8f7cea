// How the text of a device becomes a LinksealError, whatever the protocol.

import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";

/** A text of a platform that means an error code. */
export interface FailureMark {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
}

const quotedMax = 300;

/** Returns one line without control characters, of bounded length. */
export function printable(text: string): string {
  const line = text.replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return line.length > quotedMax ? `${line.slice(0, quotedMax)}…` : line;
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
