// Small checks for values that came over a wire; what fails one is `Malformed` by its name alone.

/** The message is the name of the offending field, never its content. */
export class Malformed extends Error {}

export type JsonObject = Readonly<Record<string, unknown>>;

const nameLengthMax = 512;
const sentenceLengthMax = 1000;
const pageLengthMax = 32_768;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function recordOf(value: unknown, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new Malformed(what);
}

/** An own property; what the prototype brings is not there. */
export function field(record: JsonObject, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

export function record(parent: JsonObject, key: string): JsonObject {
  return recordOf(field(parent, key), key);
}

/** Printable ASCII of 1 to 512 characters: names, addresses, ids. */
export function name(parent: JsonObject, key: string): string {
  return nameOf(field(parent, key), key);
}

function nameOf(value: unknown, what: string): string {
  if (typeof value === "string" && value.length <= nameLengthMax && /^[ -~]+$/.test(value)) {
    return value;
  }
  throw new Malformed(what);
}

/** One line for people; control characters could drive a terminal and become blanks. */
export function sentence(parent: JsonObject, key: string): string {
  return text(parent, key, sentenceLengthMax).replace(/\p{C}/gu, " ");
}

/** The same with line breaks. */
export function page(parent: JsonObject, key: string): string {
  return text(parent, key, pageLengthMax).replace(/[^\n\P{C}]/gu, " ");
}

// Too long is malformed and not cut: a cut could leave half a key that no scrubber knows again.
function text(parent: JsonObject, key: string, lengthMax: number): string {
  const value = field(parent, key);
  if (typeof value === "string" && value.length <= lengthMax) return value;
  throw new Malformed(key);
}

export function flag(parent: JsonObject, key: string): boolean {
  const value = field(parent, key);
  if (typeof value === "boolean") return value;
  throw new Malformed(key);
}

/** Finite, of any sign. */
export function number(parent: JsonObject, key: string): number {
  const value = field(parent, key);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Malformed(key);
}

/** A whole number in [0, max]. */
export function count(parent: JsonObject, key: string, max: number): number {
  const value = field(parent, key);
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) {
    return value;
  }
  throw new Malformed(key);
}

/** A counter as `hal/json.ts` writes it; at most 20 digits, which holds 64 bits. */
export function counter(parent: JsonObject, key: string): bigint {
  const value = field(parent, key);
  if (isObject(value)) {
    const digits = value["#"];
    if (typeof digits === "string" && /^\d{1,20}$/.test(digits)) return BigInt(digits);
  }
  throw new Malformed(key);
}

export function oneOf<T extends string | number>(
  parent: JsonObject,
  key: string,
  allowed: readonly T[],
): T {
  const value = field(parent, key);
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw new Malformed(key);
}

/** Absent stays absent; present must be right. */
export function optional<T>(
  read: (parent: JsonObject, key: string) => T,
  parent: JsonObject,
  key: string,
): T | undefined {
  return field(parent, key) === undefined ? undefined : read(parent, key);
}

/** A list of at most `max` items, each read from its own record. */
export function list<T>(
  parent: JsonObject,
  key: string,
  max: number,
  read: (item: JsonObject) => T,
): readonly T[] {
  return array(parent, key, max).map((item) => read(recordOf(item, key)));
}

export function names(parent: JsonObject, key: string, max: number): readonly string[] {
  return array(parent, key, max).map((item) => nameOf(item, key));
}

function array(parent: JsonObject, key: string, max: number): readonly unknown[] {
  const value = field(parent, key);
  if (Array.isArray(value) && value.length <= max) return value;
  throw new Malformed(key);
}
