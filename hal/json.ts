// JSON with counters that exceed 2^53: a bigint travels as {"#": "123"}.

/** Text for a value of the model; `undefined` properties are left out. */
export function encodeJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "bigint" ? { "#": inner.toString() } : inner,
  );
}

/**
 * The value again; throws SyntaxError on anything that is not JSON. The shape is the reader's to
 * check.
 */
export function decodeJson(text: string): unknown {
  return JSON.parse(text, (key, inner: unknown) => {
    if (key === "__proto__") return undefined;
    if (typeof inner !== "object" || inner === null || !("#" in inner)) return inner;
    const digits = inner["#"];
    return typeof digits === "string" && /^-?\d{1,39}$/.test(digits) ? BigInt(digits) : inner;
  });
}
