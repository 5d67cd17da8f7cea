// Values and times as the page writes them.

import { shortCkn } from "../model/ckn-text.ts";
import { spanText } from "../model/text.ts";

export { shortCkn, spanText };

/** Returns a rate such as `2,098/s`, or `not known`. */
export function rateText(rate: number | null): string {
  if (rate === null) return "not known";
  return `${grouped(rate >= 10 ? Math.round(rate) : Math.round(rate * 10) / 10)}/s`;
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",");
}

/** Returns a counter's decimal text with separated thousands. */
export function countText(counter: string | null): string {
  return counter === null ? "not known" : counter.replace(/\B(?=(\d{3})+$)/g, ",");
}

export function percentText(ratio: number | null): string {
  if (ratio === null) return "not known";
  const percent = ratio * 100;
  return percent < 0.01 ? "below 0.01 %" : `${percent.toFixed(percent < 1 ? 2 : 1)} %`;
}

/** Returns an age that grows until a newer snapshot comes. */
export function ageText(ms: number | null, sinceMs: number): string {
  return ms === null ? "never" : `${spanText(ms + sinceMs)} ago`;
}

/**
 * Returns `10:08:55` for a time on the day of `now`, else with its date; both are ISO texts in UTC.
 */
export function timeText(at: string, now: string): string {
  const time = at.slice(11, 19);
  return at.slice(0, 10) === now.slice(0, 10) ? time : `${at.slice(5, 10)} ${time}`;
}

const dayMs = 86_400_000;

export function daysText(ms: number): string {
  return `${Math.max(0, Math.floor(ms / dayMs))}\u00a0d`;
}
