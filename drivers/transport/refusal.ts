// How the words of a device become an error of ours, whatever protocol they came by.

import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";

/** Words of a platform that mean a code of ours. */
export interface FailureMark {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
}

const quotedMax = 300;

/** One line without a control character, of bounded length. */
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

/** The end of a session, as it concerns a call whose reply did not come. */
export function lostBy(error: LinksealError, effect: Effect): LinksealError {
  const { code, message, where, next } = error;
  return new LinksealError(code, message, { effect, where, next, cause: error.cause });
}
