// Unix milliseconds as text, without `Date`: it would let the host's clock into pure code.

import type { WallTime } from "#hal/world.ts";

const dayMs = 86_400_000;

/** `2026-11-24T10:00:00Z`: UTC, whole seconds. */
export function isoTime(wall: WallTime): string {
  const days = Math.floor(wall / dayMs);
  const seconds = Math.floor((wall - days * dayMs) / 1000);
  const { year, month, day } = civil(days);
  const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
  const [hour, minute] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${date}T${pad(hour, 2)}:${pad(minute, 2)}:${pad(seconds % 60, 2)}Z`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

// Proleptic Gregorian calendar in years that begin in March, so that the leap day comes last.
function civil(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** Whole days between two moments; never below 0, because a vault's clock may run ahead. */
export function wholeDays(from: WallTime, to: WallTime): number {
  return Math.max(0, Math.floor((to - from) / dayMs));
}
