// Why a session is down and why a drain is not complete, in words that name the cause.

import type { DrainMeans } from "#hal/model.ts";
import type { SentRoute, SessionObservation } from "./frr.ts";
import type { Md5Counters } from "./frr-parsers.ts";

/** Returns what was counted between two observations; undefined = one of them is missing. */
export function md5Rise(
  before: Md5Counters | undefined,
  after: Md5Counters | undefined,
): Md5Counters | undefined {
  if (before === undefined || after === undefined) return undefined;
  return {
    failed: after.failed - before.failed,
    missing: after.missing - before.missing,
    unexpected: after.unexpected - before.unexpected,
  };
}

/**
 * Returns why a session is down; undefined = it is up. The kernel counts for all sessions of a
 * network together, so a rise of the signature counters is reported for each session that it can
 * explain.
 */
export function sessionTrouble(
  session: SessionObservation,
  rise: Md5Counters | undefined,
): string | undefined {
  const { peer, state, up, shut, signed, lastReset } = session;
  if (up) return undefined;
  if (shut) return `${peer}: the session is shut by configuration`;
  if (rise !== undefined && signed && rise.failed > 0n) {
    return `${peer}: wrong MD5 password (RFC 2385): ${rise.failed} segments with a wrong signature`;
  }
  if (rise !== undefined && signed && rise.missing > 0n) {
    return `${peer}: no MD5 password at the far end: ${rise.missing} segments without a signature`;
  }
  if (rise !== undefined && !signed && rise.unexpected > 0n) {
    return `${peer}: no MD5 password here: ${rise.unexpected} segments came with a signature`;
  }
  return `${peer}: ${state}${lastReset === undefined ? "" : `, ended last by: ${lastReset}`}`;
}

const gracefulShutdown = /^(graceful-shutdown|gshut|65535:0)$/i;

/**
 * Lists the routes that still go out over a drained port unmarked; an empty list = the drain is
 * complete.
 */
export function drainGaps(sent: readonly SentRoute[], means: DrainMeans): readonly string[] {
  return sent
    .filter((route) => !isMarked(route, means))
    .map(({ prefix, peer }) => `${prefix} goes out to ${peer} as if nothing were drained`);
}

const prependedMin = 3;

function isMarked({ path, communities }: SentRoute, means: DrainMeans): boolean {
  if (means === "peeringShutdown") return false;
  if (means === "gracefulShutdown") return communities.some((one) => gracefulShutdown.test(one));
  const [own] = path;
  return path.slice(0, prependedMin).filter((as) => as === own).length === prependedMin;
}
