// JSON that is written back as it was read: numbers keep their digits, unknown properties their
// place.

import { isObject as isObjectOrNumber } from "#hal/decoder.ts";
import { boundedJson, type JsonLimits } from "#hal/json.ts";

/** A number as it was written; V8 serialises it verbatim. */
interface RawNumber {
  readonly rawJSON: string;
}

// TypeScript's library does not list these yet (ECMAScript "JSON.parse source text access").
interface SourceJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
}

const sourceJson = JSON as unknown as SourceJson;

/** A port with its links has some 200 values, and a day of its meters some 10,000. */
const ofDocuments: JsonLimits = { characters: 1_000_000, values: 50_000 };

/**
 * Parses JSON and keeps the digits of its numbers.
 * @throws SyntaxError and no other error, if the text is not JSON, too long, nested too deeply, or
 *   has too many values.
 */
export function parseFaithful(text: string, limits: JsonLimits = ofDocuments): unknown {
  return sourceJson.parse(boundedJson(text, limits), (_key, value, { source }) =>
    typeof value === "number" && source !== undefined ? sourceJson.rawJSON(source) : value,
  );
}

/** Returns the text of a value that `parseFaithful` returned. */
export function writeFaithful(value: unknown): string {
  return JSON.stringify(value);
}

/** Returns the number behind a value of a document; undefined = the value is not a number. */
export function numberIn(value: unknown): number | undefined {
  return sourceJson.isRawJSON(value) ? Number(value.rawJSON) : undefined;
}

/** An object of a document. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Returns whether the value is an object, not a list or a number. */
export function isObject(value: unknown): value is JsonObject {
  return isObjectOrNumber(value) && !sourceJson.isRawJSON(value);
}

/** Follows a path into a document; undefined = there is nothing at its end. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}

/** Returns the text at a path; undefined = there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : undefined;
}
