// Reads the tables in the JSON of NX-OS: a table of one row is an object in place of a list, and a
// number may be written as text.

import { type JsonRecord, listIn, parse, recordIn, recordOf } from "../platform/json.ts";
import { countOf } from "../platform/text.ts";

/** Returns undefined for a text that is not JSON, or whose tables and rows are not nested so. */
export function replyIn(text: string): JsonRecord | undefined {
  const reply = parse(text);
  return isNested(reply, "") ? reply : undefined;
}

/** A table has its rows and nothing else, and no rows are elsewhere. */
function isNested(value: unknown, name: string): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every((one) => isNested(one, name));
  const names = Object.keys(value);
  const table = name.startsWith("TABLE_") ? `ROW_${name.slice("TABLE_".length)}` : undefined;
  const isHome = names.every((one) => one === table || (!table && !one.startsWith("ROW_")));
  const isWord = names.every((one) => /^[\w-]{1,80}$/.test(one));
  return isHome && isWord && Object.entries(value).every(([one, inner]) => isNested(inner, one));
}

/**
 * Returns the rows of `TABLE_name`, or with more names those of the tables inside of its rows; none
 * = there is no such table. undefined = a row is not an object.
 */
export function rowsOf(
  record: JsonRecord | undefined,
  name: string,
  ...inner: readonly string[]
): readonly JsonRecord[] | undefined {
  if (record === undefined) return undefined;
  const table = recordIn(record, `TABLE_${name}`);
  const row = `ROW_${name}`;
  const found = (table && (listIn(table, row) ?? [recordIn(table, row)]).map(recordOf)) ?? [];
  const rows = found.filter((one) => one !== undefined);
  if (rows.length < found.length) return undefined;
  const [next, ...others] = inner;
  if (next === undefined) return rows;
  const below = rows.map((one) => rowsOf(one, next, ...others));
  return below.every((one) => one !== undefined) ? below.flat() : undefined;
}

/** Returns a value as text; undefined = there is none, or it is neither text nor a number. */
export function leafIn(record: JsonRecord | undefined, name: string): string | undefined {
  const value = record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value.length <= 4096 ? value.trim() : undefined;
}

/** Returns a counter; undefined = there is none, as where a card does not count. */
export const countIn = (record: JsonRecord | undefined, name: string): bigint | undefined =>
  countOf(leafIn(record, name));

/** Returns the sum of a counter over several rows; undefined = one of them does not have it. */
export function sumIn(rows: readonly JsonRecord[], name: string): bigint | undefined {
  const counts = rows.flatMap((row) => countIn(row, name) ?? []);
  return counts.length < rows.length ? undefined : counts.reduce((sum, one) => sum + one, 0n);
}
