// Text for a terminal: what came from elsewhere cannot move a cursor, forge or turn around a line.

// Controls (C0, DEL, C1), separators of lines and paragraphs, marks that change the direction.
const unsafe = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;
const unsafeJson = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Returns one line in which every unsafe character is written as `\u001b`. */
export function visible(text: string): string {
  return text.replace(unsafe, escaped);
}

/** Returns a text with unsafe characters written out; its line feeds and tabs stay. */
export function visibleLines(text: string): string {
  return text.replace(unsafe, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

/** Returns a copy of a JSON value in which every text is `visible`. */
export function readable<T>(value: T): T {
  // Keys stay: the agent makes them.
  return JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
    typeof inner === "string" ? visible(inner) : inner,
  ) as T;
}

/** Returns JSON for a script or a terminal, one document a line. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(unsafeJson, escaped);
}

function escaped(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Returns a time span in the unit that a person would use. */
export function spanText(ms: number): string {
  if (ms < 10 * second) return `${(Math.max(0, ms) / second).toFixed(1)} s`;
  if (ms < 2 * minute) return `${Math.round(ms / second)} s`;
  if (ms < 2 * hour) return `${Math.round(ms / minute)} min`;
  if (ms < 2 * day) return `${Math.round(ms / hour)} h`;
  return `${Math.round(ms / day)} d`;
}

/** Returns a span that is not known exactly, each end once: `2 min`, `up to 12 s`, `1 s to 3 s`. */
export function spansText({ low, high }: { readonly low: number; readonly high: number }): string {
  const [least, most] = [spanText(low), spanText(high)];
  if (least === most) return most;
  return low <= 0 ? `up to ${most}` : `${least} to ${most}`;
}

/** Returns the rows with their cells in columns; the last column is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, shownWidth(cell));
    }
  }
  return rows.map((row) =>
    row
      .map((cell, index) => cell + " ".repeat((widths[index] ?? 0) - shownWidth(cell)))
      .join("  ")
      .trimEnd(),
  );
}

// ESC [ ... m, as `paint.ts` writes it.
const style = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** Returns how many columns of a terminal a text takes, without its colours. */
export function shownWidth(text: string): number {
  return text.replace(style, "").length;
}

const listedMax = 8;

/** Returns the first eight names with commas, and how many more there are. */
export function listed(names: readonly string[]): string {
  const more = names.length > listedMax ? ` and ${names.length - listedMax} more` : "";
  return `${names.slice(0, listedMax).join(", ")}${more}`;
}

/** Quotes a path for a POSIX shell where it needs that. */
export function shellWord(path: string): string {
  return /^[\w./@%+,:=-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
