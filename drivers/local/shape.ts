// Decoders of values that came over a wire; what one of them refuses is `Malformed` by its name
// alone.

/** The message is the name of the offending field, never its content. */
export class Malformed extends Error {}

/** `what`: the name of the value, for Malformed. A field that is absent comes as undefined. */
export type Decoder<T> = (value: unknown, what: string) => T;

/** Of a property that is absent where there is nothing to decode, or nothing comes of it. */
interface Absent<T> {
  readonly present: Decoder<T | undefined>;
}

/** The declaration of a record: what it does not name is left out. */
type Fields<T> = {
  readonly [K in keyof T]: object extends Pick<T, K>
    ? Absent<Exclude<T[K], undefined>>
    : Decoder<T[K]>;
};

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

/** Printable ASCII of 1 to 512 characters: names, addresses, ids. */
export const name: Decoder<string> = (value, what) => {
  const text = textOf(value, what, nameLengthMax);
  if (/^[ -~]+$/.test(text)) return text;
  throw new Malformed(what);
};

/** One line for people; control characters could drive a terminal and become blanks. */
export const sentence: Decoder<string> = (value, what) =>
  textOf(value, what, sentenceLengthMax).replace(/\p{C}/gu, " ");

/** The same with line breaks. */
export const page: Decoder<string> = (value, what) =>
  textOf(value, what, pageLengthMax).replace(/[^\n\P{C}]/gu, " ");

// Too long is malformed and not cut: a cut could leave half a key that no scrubber knows again.
function textOf(value: unknown, what: string, lengthMax: number): string {
  if (typeof value === "string" && value.length <= lengthMax) return value;
  throw new Malformed(what);
}

export const flag: Decoder<boolean> = (value, what) => {
  if (typeof value === "boolean") return value;
  throw new Malformed(what);
};

/** Finite, of any sign. */
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

export const uint32 = count(2 ** 32 - 1);

/** A counter as `hal/json.ts` writes it; at most 20 digits, which holds 64 bits. */
export const counter: Decoder<bigint> = (value, what) => {
  const digits = isObject(value) ? value["#"] : undefined;
  if (typeof digits === "string" && /^\d{1,20}$/.test(digits)) return BigInt(digits);
  throw new Malformed(what);
};

export const oneOf =
  <const T extends string | number>(allowed: readonly T[]): Decoder<T> =>
  (value, what) => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw new Malformed(what);
  };

/** Undefined stays undefined; present must be right. */
export const optional =
  <T>(decode: Decoder<T>): Decoder<T | undefined> =>
  (value, what) =>
    value === undefined ? undefined : decode(value, what);

/** The same for a property that is absent then. */
export const absent = <T>(present: Decoder<T | undefined>): Absent<T> => ({ present });

/** Whatever is not true counts as absent. */
export const marked = absent((value) => value === true || undefined);

export const list =
  <T>(decode: Decoder<T>, max: number): Decoder<readonly T[]> =>
  (value, what) => {
    if (!Array.isArray(value) || value.length > max) throw new Malformed(what);
    return value.map((item) => decode(item, what));
  };

/** A record from names to values, of as many as the text has. */
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

/** Of `T` what is of the kind `K`, but for its kind. */
type Variant<T, K> = T extends { readonly kind: infer Kind }
  ? K extends Kind
    ? Omit<T, "kind">
    : never
  : never;

/** One declaration for several fields, in this order. */
export function each<const K extends string, D>(keys: readonly K[], decode: D): Record<K, D> {
  return Object.fromEntries(keys.map((key) => [key, decode])) as Record<K, D>;
}

export type Kinds<T extends { readonly kind: string }> = {
  readonly [K in T["kind"]]: Fields<Variant<T, K>>;
};

/** A record that says by its `kind` what else is in it. */
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
