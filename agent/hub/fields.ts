// Reads JSON that a site or an engine wrote, member by member: each is of its kind and within its
// limit, or the whole document is none.

import { parseJson } from "#hal/json.ts";

/** What a document may have. */
export interface FieldLimits {
  readonly octets: number;
  readonly values: number;
}

/** A member that is missing, of another kind or too long. */
class NotThis extends Error {}

/**
 * Returns what `read` makes of a document with this schema; undefined = it is none, because `read`
 * asked for a member that is not as it should be.
 */
export function documentIn<T>(
  schema: string,
  octets: Uint8Array,
  limits: FieldLimits,
  read: (fields: Fields) => T,
): T | undefined {
  if (octets.length > limits.octets) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(octets);
    const fields = new Fields(
      parseJson(text, { characters: limits.octets, values: limits.values }),
    );
    return fields.text("schema") === schema ? read(fields) : undefined;
  } catch (error) {
    // Octets that are no UTF-8 are a TypeError, and a text that is no JSON a SyntaxError.
    const isForeign = error instanceof TypeError || error instanceof SyntaxError;
    if (error instanceof NotThis || isForeign) return undefined;
    throw error;
  }
}

/** The members of one object; each method throws for a member that is not as it should be. */
export class Fields {
  readonly #object: object;

  /** @throws NotThis if the value is no object */
  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new NotThis();
    this.#object = value;
  }

  #get(name: string): unknown {
    return this.has(name) ? Reflect.get(this.#object, name) : undefined;
  }

  /** A line of printable text. */
  text(name: string, charactersMax = 300): string {
    const value = this.#get(name);
    const isLine = typeof value === "string" && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value);
    if (!isLine || value.length > charactersMax) throw new NotThis();
    return value;
  }

  /** One of these words. */
  word<T extends string>(name: string, words: readonly T[]): T {
    const found = words.find((word) => word === this.#get(name));
    if (found === undefined) throw new NotThis();
    return found;
  }

  /** A whole number from 0 on. */
  count(name: string): number {
    const value = this.#get(name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw new NotThis();
    return value;
  }

  /** A moment as ISO text; it may be any moment. */
  time(name: string): string {
    const value = this.text(name, 40);
    if (!/^\d{4}-\d\d-\d\dT[\d:.]{8,18}Z$/.test(value) || Number.isNaN(Date.parse(value))) {
      throw new NotThis();
    }
    return value;
  }

  object(name: string): Fields {
    return new Fields(this.#get(name));
  }

  /** True if there is such a member. */
  has(name: string): boolean {
    return Object.hasOwn(this.#object, name);
  }

  /** True if the member is null. */
  isNull(name: string): boolean {
    return this.#get(name) === null;
  }

  /** A list of at most this many entries. */
  list<T>(name: string, most: number, read: (entry: Fields) => T): readonly T[] {
    return this.#items(name, most).map((entry) => read(new Fields(entry)));
  }

  /** A list of at most this many lines. */
  texts(name: string, most: number): readonly string[] {
    return this.#items(name, most).map((value) => new Fields({ value }).text("value"));
  }

  #items(name: string, most: number): readonly unknown[] {
    const value = this.#get(name);
    if (!Array.isArray(value) || value.length > most) throw new NotThis();
    return value;
  }
}
