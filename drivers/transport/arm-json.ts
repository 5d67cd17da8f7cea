// JSON that goes back as it came: numbers keep their digits, unknown properties their place.

/** A number as it was written; V8 serialises it verbatim. */
interface RawNumber {
  readonly rawJSON: string;
}

// TypeScript's library does not list these two yet (ECMAScript "JSON.parse source text access").
interface SourceJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
}

const sourceJson = JSON as unknown as SourceJson;

/** Throws SyntaxError on anything that is not JSON. */
export function parseFaithful(text: string): unknown {
  return sourceJson.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined ? sourceJson.rawJSON(source) : value,
  );
}

export function writeFaithful(value: unknown): string {
  return JSON.stringify(value);
}

/** The number behind a value of a document; undefined where it is none. */
export function numberIn(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null || !("rawJSON" in value)) return undefined;
  return Number(value.rawJSON);
}
