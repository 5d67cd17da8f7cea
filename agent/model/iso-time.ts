// Unix milliseconds as text. A moment that a device, a vault or Azure reported may be any number.

import type { WallTime } from "#hal/world.ts";

const dayMs = 86_400_000;
/** The last moment that ECMAScript can name (ECMA-262, 21.4.1.1), and the first one below 0. */
const wallMax = 8.64e15;

/** Returns a time as `2026-11-24T10:00:00Z`: UTC, whole seconds. */
export function isoTime(wall: WallTime): string {
  if (Number.isNaN(wall)) return "unknown";
  const named = Math.max(-wallMax, Math.min(wallMax, Math.floor(wall / 1000) * 1000));
  return new Date(named).toISOString().replace(".000Z", "Z");
}

/**
 * Returns the whole days between two moments; never below 0, because a vault's clock may be ahead.
 */
export function wholeDays(from: WallTime, to: WallTime): number {
  return Math.max(0, Math.floor((to - from) / dayMs));
}
