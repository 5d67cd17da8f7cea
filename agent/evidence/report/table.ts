// Tables of the printed report, with foreign text as text.

/**
 * A column: its name and how its cells break. `time` and `word` stay on one line, `hash` breaks
 * anywhere, `text` only where a word alone is too long; absent = between words.
 */
export type Column = readonly [name: string, look?: "time" | "word" | "hash" | "text"];

/** Returns text as text of HTML. */
export function safe(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Renders a table, or that there is nothing. */
export function tableOf(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "<p>None.</p>";
  const heads = columns.map(([name]) => `<th>${safe(name)}</th>`).join("");
  const opening = columns.map(([, look]) => (look === undefined ? "<td>" : `<td class="${look}">`));
  const cellOf = (text: string, at: number): string => `${opening[at] ?? "<td>"}${safe(text)}</td>`;
  const body = rows.map((row) => `<tr>${row.map(cellOf).join("")}</tr>`);
  return `<table><thead><tr>${heads}</tr></thead><tbody>\n${body.join("\n")}\n</tbody></table>`;
}
