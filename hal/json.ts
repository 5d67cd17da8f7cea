// JSON with counters that exceed 2^53: a bigint is written as {"#": "123"}.

/** Returns the text of a value of the model; `undefined` properties are left out. */
export function encodeJson(value: unknown): string {
  // A replacer would be called for every property of every observation; that cost a tenth of a
  // fleet run.
  return JSON.stringify(spelled(value));
}

/**
 * Returns the value with its bigints spelled; a value without any is returned itself, not a copy.
 */
function spelled(value: unknown): unknown {
  if (typeof value === "bigint") return { "#": value.toString() };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return spelledItems(value);
  // JSON.stringify calls `toJSON` itself.
  if ("toJSON" in value) return value;
  const source = value as Readonly<Record<string, unknown>>;
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(source)) {
    const before = source[key];
    if (typeof before === "string" || typeof before === "number") continue;
    const after = spelled(before);
    if (after === before) continue;
    copy ??= { ...source };
    copy[key] = after;
  }
  return copy ?? source;
}

function spelledItems(items: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (const [index, before] of items.entries()) {
    const after = spelled(before);
    if (after === before) continue;
    copy ??= [...items];
    copy[index] = after;
  }
  return copy ?? items;
}

/**
 * Deepest nesting that is accepted in JSON from outside; what linkseal reads is nested twenty deep
 * at most.
 */
export const jsonDepthMax = 64;
/** UTF-16 units of the longest file; a reader of something smaller passes its own limit. */
const charactersAtMost = 64 * 1024 * 1024;

/** What JSON from outside may have. */
export interface JsonLimits {
  /** UTF-16 units; absent = those of the longest file. */
  readonly characters?: number;
  /** Values in all lists and objects; absent = as many as the characters allow. */
  readonly values?: number;
}

/**
 * Returns the text if it is short and flat enough to be parsed, and has no more values than
 * allowed. It is counted on the text, before the parser builds anything: an empty list of three
 * characters costs twenty times as much once it is parsed, and a reviver and a writer recurse and
 * would end in RangeError.
 * @throws SyntaxError if the text is too long, nested too deeply, or has too many values.
 */
export function boundedJson(text: string, limits: JsonLimits = {}): string {
  if (text.length > (limits.characters ?? charactersAtMost)) {
    throw new SyntaxError("the JSON is too long");
  }
  const excess = excessIn(text, limits.values ?? Number.POSITIVE_INFINITY);
  if (excess !== undefined) throw new SyntaxError(`the JSON ${excess}`);
  return text;
}

/** May accept text that is not JSON: the parser refuses it. */
function excessIn(text: string, valuesMax: number): string | undefined {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === marks.quote) {
      at = stringEnd(text, at + 1);
      if (at === -1) return undefined;
    } else if (code === marks.openList || code === marks.openObject) {
      depth += 1;
      values += 1;
      if (depth > jsonDepthMax) return "is nested too deeply";
    } else if (code === marks.closeList || code === marks.closeObject) depth -= 1;
    else if (code === marks.comma) values += 1;
    if (values > valuesMax) return "has too many values";
  }
  return undefined;
}

const marks = {
  quote: 0x22,
  backslash: 0x5c,
  openList: 0x5b,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
  comma: 0x2c,
} as const;

/** Returns the index of the quote that ends the string; -1 = there is none. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text.charCodeAt(before - 1) === marks.backslash) before -= 1;
    if ((at - before) % 2 === 0) return at;
  }
  return -1;
}

/**
 * Parses JSON from outside; no other function does. The caller checks the shape.
 * @throws SyntaxError and no other error.
 */
export function parseJson(text: string, limits?: JsonLimits): unknown {
  return JSON.parse(boundedJson(text, limits));
}

/** A text without one of these needs no reviver, and a reviver costs more than the parser. */
const telling = /"#"|__proto__|\\u/;

/**
 * Parses what `encodeJson` wrote: restores bigints and drops keys named `__proto__`.
 * @throws SyntaxError and no other error.
 */
export function decodeJson(text: string, limits?: JsonLimits): unknown {
  if (!telling.test(text)) return parseJson(text, limits);
  return JSON.parse(boundedJson(text, limits), (key, inner: unknown) => {
    if (key === "__proto__") return undefined;
    if (typeof inner !== "object" || inner === null || !("#" in inner)) return inner;
    const digits = inner["#"];
    return typeof digits === "string" && /^-?\d{1,39}$/.test(digits) ? BigInt(digits) : inner;
  });
}
