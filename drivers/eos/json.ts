// Reads the JSON that EOS prints, with suspicion: a field of another type counts as absent, and a
// list has a bound.

import { parseJson } from "#hal/json.ts";

export type Fields = Readonly<Record<string, unknown>>;

const rowsMax = 100_000;

/** Returns undefined for a value that is not a JSON object. */
export function fieldsOf(value: unknown): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Fields;
}

export function parse(text: string): Fields | undefined {
  try {
    return fieldsOf(parseJson(text));
  } catch {
    return undefined;
  }
}

/** Returns an own property; inherited ones count as absent. */
function at(fields: Fields | undefined, name: string): unknown {
  return fields !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
}

export function fieldsIn(fields: Fields | undefined, name: string): Fields | undefined {
  return fieldsOf(at(fields, name));
}

export function textIn(fields: Fields | undefined, name: string): string | undefined {
  const value = at(fields, name);
  return typeof value === "string" && value.length <= 4096 ? value : undefined;
}

export function flagIn(fields: Fields | undefined, name: string): boolean | undefined {
  const value = at(fields, name);
  return typeof value === "boolean" ? value : undefined;
}

export function numberIn(fields: Fields | undefined, name: string): number | undefined {
  const value = at(fields, name);
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

export function counterIn(fields: Fields | undefined, name: string): bigint | undefined {
  const value = numberIn(fields, name);
  return value !== undefined && Number.isInteger(value) && value < 2 ** 64
    ? BigInt(value)
    : undefined;
}

/**
 * Returns undefined if there is no such object, if it has more rows than any router, or if a row is
 * not an object.
 */
export function rowsIn(
  fields: Fields | undefined,
  name: string,
): readonly (readonly [string, Fields])[] | undefined {
  const found = fieldsIn(fields, name);
  if (found === undefined) return undefined;
  const entries = Object.entries(found);
  if (entries.length > rowsMax) return undefined;
  const rows: (readonly [string, Fields])[] = [];
  for (const [key, value] of entries) {
    const row = fieldsOf(value);
    if (row === undefined) return undefined;
    rows.push([key, row]);
  }
  return rows;
}

export function listIn(fields: Fields | undefined, name: string): readonly unknown[] | undefined {
  const value = at(fields, name);
  return Array.isArray(value) && value.length <= rowsMax ? value : undefined;
}
