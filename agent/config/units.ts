// Quantities as operators write them: durations, rates and days, always with their unit.

import type { WallTime } from "#hal/world.ts";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export const durationPattern = /^\d{1,9}(?:ms|s|m|h|d)$/;
/** Pattern of a line rate in gigabits per second, such as 100G. */
export const speedPattern = /^[1-9]\d{0,3}G$/;

/** Returns the milliseconds of a text that fits `durationPattern`; NaN for any other. */
export function durationMs(text: string): number {
  const unit = unitMs[text.replace(/^\d+/, "")];
  return durationPattern.test(text) && unit !== undefined
    ? Number.parseInt(text, 10) * unit
    : Number.NaN;
}

/** Returns the gigabits per second of a text that fits `speedPattern`. */
export function speedGbps(text: string): number {
  return Number.parseInt(text, 10);
}

/** Returns the first moment after a calendar day (`2026-12-31`, already checked) in UTC. */
export function endOfDay(day: string): WallTime {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  // Counts days since 1970 by years that begin in March, so that a leap day ends its year.
  const y = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + date - 1;
  const leaps = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return ((y * 365 + leaps + dayOfYear - 719_468 + 1) * 86_400_000) as WallTime;
}
