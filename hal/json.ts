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

/** Without one of these there is nothing to revive, and a reviver costs more than the parser. */
const telling = /"#"|__proto__|\\u/;

/**
 * The value again; throws SyntaxError on anything that is not JSON. The shape is the reader's to
 * check.
 */
export function decodeJson(text: string): unknown {
  if (!telling.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key, inner: unknown) => {
    if (key === "__proto__") return undefined;
    if (typeof inner !== "object" || inner === null || !("#" in inner)) return inner;
    const digits = inner["#"];
    return typeof digits === "string" && /^-?\d{1,39}$/.test(digits) ? BigInt(digits) : inner;
  });
}
