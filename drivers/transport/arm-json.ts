// JSON that goes back as it came: numbers keep their digits, unknown properties their place.

import { boundedJson } from "#hal/json.ts";

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

/** Throws SyntaxError, and nothing else, on what is no JSON, too long or nested too deeply. */
export function parseFaithful(text: string, charactersMax?: number): unknown {
  return sourceJson.parse(boundedJson(text, charactersMax), (_key, value, { source }) =>
    typeof value === "number" && source !== undefined ? sourceJson.rawJSON(source) : value,
  );
}

export function writeFaithful(value: unknown): string {
  return JSON.stringify(value);
}

/** The number behind a value of a document; undefined where it is none. */
export function numberIn(value: unknown): number | undefined {
  return sourceJson.isRawJSON(value) ? Number(value.rawJSON) : undefined;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  const isOne = typeof value === "object" && value !== null && !Array.isArray(value);
  return isOne && !sourceJson.isRawJSON(value);
}

/** One step after the other into a document; undefined where it leads nowhere. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : undefined;
}
