// Decoders of values that came over a wire; a value that one of them refuses is named in
// `Malformed`.

import { foreignText } from "./foreign-text.ts";
import { parseJson } from "./json.ts";

/** The message is the name of the offending field, never its content. */
export class Malformed extends Error {
  constructor(what: string) {
    // In a dictionary the other end chooses the names.
    super(foreignText(what));
  }
}

/**
 * Decodes a value, or throws Malformed with its name `what`. An absent field is passed as
 * undefined.
 */
export type Decoder<T> = (value: unknown, what: string) => T;

/** The decoder of a property that is absent if there is nothing to decode or nothing results. */
interface Absent<T> {
  readonly present: Decoder<T | undefined>;
}

/** The declaration of a record; fields that it does not name are dropped. */
type Fields<T> = {
  readonly [K in keyof T]: object extends Pick<T, K>
    ? Absent<Exclude<T[K], undefined>>
    : Decoder<T[K]>;
};

/** A decoded JSON object whose fields are not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

const nameLengthMax = 512;
const sentenceLengthMax = 1000;
const pageLengthMax = 32_768;

/** True for a JSON object, which is no list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Returns the value if it is an object.
 * @throws Malformed
 */
export function recordOf(value: unknown, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new Malformed(what);
}

/** Returns an own property; what the prototype provides is not seen. */
export function field(record: JsonObject, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Printable ASCII of 1 to 512 characters: names, addresses, ids. */
export const name: Decoder<string> = (value, what) => {
  const text = textOf(value, what, nameLengthMax);
  if (/^[ -~]+$/.test(text)) return text;
  throw new Malformed(what);
};

/** One line for people; control characters could drive a terminal and become blanks. */
export const sentence: Decoder<string> = (value, what) =>
  textOf(value, what, sentenceLengthMax).replace(/\p{C}/gu, " ");

/** As `sentence`, with line breaks. */
export const page: Decoder<string> = (value, what) =>
  textOf(value, what, pageLengthMax).replace(/[^\n\P{C}]/gu, " ");

// A text that is too long is malformed and not cut: a cut could leave half a key that no scrubber
// recognises.
function textOf(value: unknown, what: string, lengthMax: number): string {
  if (typeof value === "string" && value.length <= lengthMax) return value;
  throw new Malformed(what);
}

/** A value for which the test is true. */
export const that =
  <T>(test: (value: unknown) => value is T): Decoder<T> =>
  (value, what) => {
    if (test(value)) return value;
    throw new Malformed(what);
  };

/** A text that a pattern matches. */
export const matching = (pattern: RegExp): Decoder<string> =>
  that((value): value is string => typeof value === "string" && pattern.test(value));

/** One line of printable text of at most this many characters; it may be empty. */
export const line = (charactersMax: number): Decoder<string> =>
  that((value): value is string => {
    const isLine = typeof value === "string" && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);
    return isLine && value.length <= charactersMax;
  });

/** Passes null on; any other value must decode. */
export const orNull =
  <T>(decode: Decoder<T>): Decoder<T | null> =>
  (value, what) =>
    value === null ? null : decode(value, what);

/** True or false. */
export const flag: Decoder<boolean> = (value, what) => {
  if (typeof value === "boolean") return value;
  throw new Malformed(what);
};

/** Any finite number. */
export const number: Decoder<number> = (value, what) => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Malformed(what);
};

/** A whole number in [min, max]. */
export const count =
  (max: number, min = 0): Decoder<number> =>
  (value, what) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw new Malformed(what);
  };

/** A whole number of 32 bits without sign. */
export const uint32 = count(2 ** 32 - 1);

/** A counter as `hal/json.ts` writes it; at most 20 digits, which is enough for 64 bits. */
export const counter: Decoder<bigint> = (value, what) => {
  const digits = isObject(value) ? value["#"] : undefined;
  if (typeof digits === "string" && /^\d{1,20}$/.test(digits)) return BigInt(digits);
  throw new Malformed(what);
};

/** One of the listed values. */
export const oneOf =
  <const T extends string | number>(allowed: readonly T[]): Decoder<T> =>
  (value, what) => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw new Malformed(what);
  };

/** Passes undefined on; any other value must decode. */
export const optional =
  <T>(decode: Decoder<T>): Decoder<T | undefined> =>
  (value, what) =>
    value === undefined ? undefined : decode(value, what);

/** As `optional`, for a property that is absent if undefined. */
export const absent = <T>(present: Decoder<T | undefined>): Absent<T> => ({ present });

/** Every value but `true` counts as absent. */
export const marked = absent((value) => value === true || undefined);

/** An array of `min` to `max` items. */
export const list =
  <T>(decode: Decoder<T>, max: number, min = 0): Decoder<readonly T[]> =>
  (value, what) => {
    if (!Array.isArray(value) || value.length > max || value.length < min) {
      throw new Malformed(what);
    }
    return value.map((item) => decode(item, what));
  };

/** A record from names to values, with as many entries as the text has. */
export const dictionary =
  <T>(decode: Decoder<T>): Decoder<Readonly<Record<string, T>>> =>
  (value, what) =>
    Object.fromEntries(
      Object.entries(recordOf(value, what)).map(([key, item]) => [key, decode(item, key)]),
    );

/** One field of a record. */
export const property =
  <T>(key: string, decode: Decoder<T>): Decoder<T> =>
  (value, what) =>
    decode(field(recordOf(value, what), key), key);

/** A record with these fields. */
export function object<T extends object>(fields: NoInfer<Fields<T>>): Decoder<T> {
  const entries: [string, Decoder<unknown> | Absent<unknown>][] = Object.entries(fields);
  return (value, what) => {
    const from = recordOf(value, what);
    const decoded: Record<string, unknown> = {};
    for (const [key, decode] of entries) {
      const inner = field(from, key);
      if (typeof decode === "function") decoded[key] = decode(inner, key);
      else {
        const present = inner === undefined ? undefined : decode.present(inner, key);
        if (present !== undefined) decoded[key] = present;
      }
    }
    return decoded as T;
  };
}

/** The member of `T` with the kind `K`, without its `kind`. */
type Variant<T, K> = T extends { readonly kind: infer Kind }
  ? K extends Kind
    ? Omit<T, "kind">
    : never
  : never;

/** Returns one declaration for several fields, in this order. */
export function each<const K extends string, D>(keys: readonly K[], decode: D): Record<K, D> {
  return Object.fromEntries(keys.map((key) => [key, decode])) as Record<K, D>;
}

/** The fields of each kind of a union. */
export type Kinds<T extends { readonly kind: string }> = {
  readonly [K in T["kind"]]: Fields<Variant<T, K>>;
};

/** A record whose `kind` decides which other fields it has. */
export function variants<T extends { readonly kind: string }>(
  kinds: NoInfer<Kinds<T>>,
): Decoder<T> {
  const decoders = new Map<unknown, Decoder<unknown>>(
    Object.entries<object>(kinds).map(([kind, fields]) => [
      kind,
      object<object>({ kind: () => kind, ...fields }),
    ]),
  );
  return (value, what) => {
    const decode = decoders.get(field(recordOf(value, what), "kind"));
    if (decode === undefined) throw new Malformed("kind");
    return decode(value, what) as T;
  };
}

/** What a document may have: octets of its UTF-8, and values in its JSON. */
export interface DocumentLimits {
  /** The most octets. */
  readonly octets: number;
  /** The most values, of all depths. */
  readonly values: number;
}

/** Returns the JSON value of these octets; undefined = they are none, or exceed the limits. */
export function jsonIn(octets: Uint8Array, { octets: most, values }: DocumentLimits): unknown {
  if (octets.length > most) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
    return parseJson(text, { characters: most, values });
  } catch (error) {
    // Octets that are no UTF-8 are a TypeError, and a text that is no JSON a SyntaxError.
    if (error instanceof TypeError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Returns what a decoder makes of a value; undefined = it refuses the value. */
export function decoded<T>(value: unknown, decode: Decoder<T>): T | undefined {
  try {
    return decode(value, "document");
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Returns what a document of this schema says; undefined = the octets are no such document. */
export function documentIn<T>(
  schema: string,
  octets: Uint8Array,
  limits: DocumentLimits,
  decode: Decoder<T>,
): T | undefined {
  const value = jsonIn(octets, limits);
  if (!isObject(value) || field(value, "schema") !== schema) return undefined;
  return decoded(value, decode);
}
