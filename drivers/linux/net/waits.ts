// When what failed or was undone is tried again: ever later, at a random offset.

import type { Entropy } from "#hal/world.ts";

/** The wait after the first time, doubled with each further one up to the longest. */
export const waitMs = { least: 1_000, most: 60_000 } as const;

/** Draws the wait in milliseconds after so many times; it is up to a quarter longer. */
export function drawWaitMs(times: number, entropy: Entropy): number {
  const ms = Math.min(waitMs.most, waitMs.least * 2 ** (times - 1));
  const [octet = 0] = entropy.bytes(1);
  return ms + Math.floor((ms * octet) / 1_024);
}

/** Returns the shorter of two waits; undefined = nothing waits. */
export function soonest(
  oneMs: number | undefined,
  otherMs: number | undefined,
): number | undefined {
  const ms = Math.min(oneMs ?? Number.POSITIVE_INFINITY, otherMs ?? Number.POSITIVE_INFINITY);
  return ms === Number.POSITIVE_INFINITY ? undefined : ms;
}
