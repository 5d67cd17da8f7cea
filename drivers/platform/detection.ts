// What notices that the path of a BGP session delivers nothing any more: BFD, or the hold time.

import type { BfdState, BgpSession } from "#hal/model.ts";

/** What notices that a session's path delivers nothing; undefined = not reported. */
export interface Detection {
  /** BFD of the session. */
  readonly bfd: BfdState | undefined;
  /** The longest hold time in milliseconds; 0 = it never expires. */
  readonly holdMs: number | undefined;
}

/** Adds it to a session that is up; before that no hold time is negotiated. */
export function withDetection(session: BgpSession, found: Detection | undefined): BgpSession {
  if (!session.up || found === undefined) return session;
  const { bfd, holdMs } = found;
  const hold = holdMs === undefined ? {} : { holdMs };
  return bfd === undefined ? { ...session, ...hold } : { ...session, bfd, ...hold };
}

/** Returns a hold time in milliseconds from its text in seconds; undefined = it is not one. */
export function holdMsOf(seconds: string | undefined): number | undefined {
  if (seconds === undefined || !/^\d{1,5}$/.test(seconds)) return undefined;
  return Number(seconds) * 1000;
}
