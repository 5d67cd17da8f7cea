// Reads the JSON that routers print, with suspicion: a field of another type counts as absent, and
// a list has a bound.

import { isObject } from "#hal/decoder.ts";
import { parseJson } from "#hal/json.ts";

/** A JSON object. */
export type JsonRecord = Readonly<Record<string, unknown>>;

const rowsMax = 100_000;

/** Returns undefined for a value that is not a JSON object. */
export function recordOf(value: unknown): JsonRecord | undefined {
  return isObject(value) ? value : undefined;
}

/**
 * Returns undefined for a text that is not a JSON object, that reports errors beside its data, or
 * in which an object has one name twice: the second value would hide the first.
 */
export function parse(text: string): JsonRecord | undefined {
  try {
    const value = parseJson(text);
    const record = membersIn(value) === membersOf(text) ? recordOf(value) : undefined;
    return at(record, "errors") === undefined ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Counts the members of all objects in a value. */
function membersIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const values: readonly unknown[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : values.length;
  return values.reduce<number>((sum, one) => sum + membersIn(one), own);
}

/** Counts the members in a JSON text: each has a colon outside strings. */
function membersOf(text: string): number {
  let members = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|:/gs)) if (token === ":") members += 1;
  return members;
}

/** Returns an own property; inherited ones count as absent. */
function at(record: JsonRecord | undefined, name: string): unknown {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Returns the object of that name; undefined = there is none. */
export function recordIn(record: JsonRecord | undefined, name: string): JsonRecord | undefined {
  return recordOf(at(record, name));
}

/** Returns the text of that name; undefined = there is none, or it is too long. */
export function textIn(record: JsonRecord | undefined, name: string): string | undefined {
  const value = at(record, name);
  return typeof value === "string" && value.length <= 4096 ? value : undefined;
}

/** Returns the truth value of that name; undefined = there is none. */
export function flagIn(record: JsonRecord | undefined, name: string): boolean | undefined {
  const value = at(record, name);
  return typeof value === "boolean" ? value : undefined;
}

/** Returns the number of that name; undefined = there is none, or it is negative. */
export function numberIn(record: JsonRecord | undefined, name: string): number | undefined {
  const value = at(record, name);
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Returns the whole number of that name; undefined = there is none. */
export function counterIn(record: JsonRecord | undefined, name: string): bigint | undefined {
  const value = numberIn(record, name);
  return value !== undefined && Number.isInteger(value) && value < 2 ** 64
    ? BigInt(value)
    : undefined;
}

/**
 * Returns undefined if there is no such object, if it has more rows than any router, or if a row is
 * not an object.
 */
export function rowsIn(
  record: JsonRecord | undefined,
  name: string,
): readonly (readonly [string, JsonRecord])[] | undefined {
  const found = recordIn(record, name);
  if (found === undefined) return undefined;
  const entries = Object.entries(found);
  if (entries.length > rowsMax) return undefined;
  const rows: (readonly [string, JsonRecord])[] = [];
  for (const [key, value] of entries) {
    const row = recordOf(value);
    if (row === undefined) return undefined;
    rows.push([key, row]);
  }
  return rows;
}

/** Returns the list of that name; undefined = there is none, or it is too long. */
export function listIn(
  record: JsonRecord | undefined,
  name: string,
): readonly unknown[] | undefined {
  const value = at(record, name);
  return Array.isArray(value) && value.length <= rowsMax ? value : undefined;
}
