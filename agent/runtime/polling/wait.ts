// Waits that may be ended early.

import type { Clock } from "#hal/world.ts";

/** Waits `ms` milliseconds; resolves to false if `end` is aborted first. */
export async function slept(clock: Clock, ms: number, end: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(Math.max(0, ms), end);
    return true;
  } catch (error) {
    if (!end.aborted) throw error;
    return false;
  }
}
