// JSON with counters that exceed 2^53: a bigint travels as {"#": "123"}.

/** Text for a value of the model; `undefined` properties are left out. */
export function encodeJson(value: unknown): string {
  // A replacer would be asked about every property of every look: that cost a tenth of a fleet run.
  return JSON.stringify(spelled(value));
}

/** The value with its bigints spelled; what holds none is handed back, not copied. */
function spelled(value: unknown): unknown {
  if (typeof value === "bigint") return { "#": value.toString() };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return spelledItems(value);
  // What says itself how it is written is asked by the writer.
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

/** Brackets of JSON from outside, one inside the other; what linkseal reads has twenty at most. */
export const jsonDepthMax = 64;
/** UTF-16 units of the longest file; a reader of something smaller says so. */
const charactersAtMost = 64 * 1024 * 1024;

/**
 * The text, if it is short and flat enough to be parsed; throws SyntaxError if not. Counted on the
 * text, before the parser builds anything: a reviver and a writer recurse, and end by RangeError.
 */
export function boundedJson(text: string, charactersMax = charactersAtMost): string {
  if (text.length > charactersMax) throw new SyntaxError("the JSON is too long");
  if (isDeeper(text, jsonDepthMax)) throw new SyntaxError("the JSON is nested too deeply");
  return text;
}

/** What is no JSON may be called flat here: the parser refuses it. */
function isDeeper(text: string, depthMax: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === marks.quote) {
      at = stringEnd(text, at + 1);
      if (at === -1) return false;
    } else if (code === marks.openList || code === marks.openObject) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (code === marks.closeList || code === marks.closeObject) depth -= 1;
  }
  return false;
}

const marks = {
  quote: 0x22,
  backslash: 0x5c,
  openList: 0x5b,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const;

/** Where the quote is that ends the string; -1 = there is none. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (text.charCodeAt(before - 1) === marks.backslash) before -= 1;
    if ((at - before) % 2 === 0) return at;
  }
  return -1;
}

/**
 * The value of JSON from outside: the one way to read it. Throws SyntaxError, and nothing else. The
 * shape is the reader's to check.
 */
export function parseJson(text: string, charactersMax = charactersAtMost): unknown {
  return JSON.parse(boundedJson(text, charactersMax));
}

/** Without one of these there is nothing to revive, and a reviver costs more than the parser. */
const telling = /"#"|__proto__|\\u/;

/** The same for what `encodeJson` wrote: bigints are bigints again, and no key is `__proto__`. */
export function decodeJson(text: string, charactersMax = charactersAtMost): unknown {
  if (!telling.test(text)) return parseJson(text, charactersMax);
  return JSON.parse(boundedJson(text, charactersMax), (key, inner: unknown) => {
    if (key === "__proto__") return undefined;
    if (typeof inner !== "object" || inner === null || !("#" in inner)) return inner;
    const digits = inner["#"];
    return typeof digits === "string" && /^-?\d{1,39}$/.test(digits) ? BigInt(digits) : inner;
  });
}
