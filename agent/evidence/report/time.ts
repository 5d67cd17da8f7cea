// Moments of a report: Unix milliseconds to text and back, independent of the host's clock.

/** Returns `2026-11-24T10:00:00.000Z`. Throws RangeError for a number that is not a moment. */
export function momentText(ms: number): string {
  return new Date(ms).toISOString();
}

const form = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2}(?:\.\d{1,3})?))?Z)?$/;

/** Parses a day or a moment in UTC into Unix milliseconds; undefined = it is neither. */
export function momentOf(text: string): number | undefined {
  const found = form.exec(text);
  if (found === null) return undefined;
  const [, day = "", minute = "00:00", second = "00"] = found;
  const ms = Date.parse(`${day}T${minute}:${second}Z`);
  // `Date.parse` accepts the 31st of February as the 3rd of March.
  return Number.isNaN(ms) || momentText(ms).slice(0, 10) !== day ? undefined : ms;
}
