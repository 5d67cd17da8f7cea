// JSON as a stranger may send it: right but for some of its values, or for its shape, or no JSON.

import type { Prng } from "#sim/base/prng.ts";

const nested = (open: string, close: string, depth: number): string =>
  `${open.repeat(depth)}1${close.repeat(depth)}`;

/** Nested as deeply as is read at all. */
const deepest: unknown = JSON.parse(nested("[", "]", 50));

/** Values in the place of any other. */
export const hostileValues: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, "", " ", "0", "x".repeat(5_000)],
  ...["__proto__", "constructor", "toString", "\0", "\ud800", "\u202e", "%00", "../..", "1e400"],
  ...[[], {}, [[]], [null], ["x"], [7], Array.from({ length: 200 }, () => "x"), deepest],
  ...[{ toString: 1 }, { toString: null, valueOf: 1 }, { valueOf: {} }, { toJSON: 1 }],
  ...[
    { length: 1e9 },
    JSON.parse('{"then":1}'),
    { constructor: 1 },
    { hasOwnProperty: 1 },
    { map: 1 },
  ],
  ...[{ "#": "9".repeat(39) }, { "#": "-" }, { "": 1 }, JSON.parse('{"__proto__":{"x":1}}')],
];

/** Texts that are JSON of the worst shape, or none. */
export const hostileTexts: readonly string[] = [
  ...["", " ", "{", "]", "null", "7", '"x"', "[]", "{}", '{"a":', "\u0000", "\ufeff{}", "NaN"],
  nested("[", "]", 20_000),
  nested('{"a":', "}", 20_000),
  nested('{"__proto__":', "}", 20_000),
  nested('{"error":', "}", 20_000),
  nested('[{"value":', "}]", 9_000),
  "[".repeat(100_000),
  `"${"\\".repeat(50_001)}`,
  `{"a":"${'\\"['.repeat(30_000)}"}`,
  `[${"[],".repeat(20_000)}1]`,
  `{"__proto__":{"toString":1},"constructor":{"prototype":{}}}`,
];

type Tree = Record<string, unknown> | unknown[];

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null;

function set(tree: Tree, key: string, value: unknown): void {
  // An own member, whatever its name.
  Object.defineProperty(tree, key, {
    ...{ value, enumerable: true, configurable: true, writable: true },
  });
}

/** A copy with one to three values that are not what they should be, or are not there. */
function spoiled(document: unknown, prng: Prng): unknown {
  const copy: unknown = structuredClone(document);
  for (let changes = prng.between(1, 3); changes > 0; changes -= 1) {
    if (!isTree(copy)) return prng.pick(hostileValues);
    let tree: Tree = copy;
    for (;;) {
      const keys = Object.keys(tree);
      const key = keys.length === 0 ? "x" : prng.pick(keys);
      const inner: unknown = Reflect.get(tree, key);
      if (isTree(inner) && prng.chance(0.8)) {
        tree = inner;
        continue;
      }
      if (prng.chance(0.2)) Reflect.deleteProperty(tree, key);
      else
        set(tree, prng.chance(0.1) ? "__proto__" : key, structuredClone(prng.pick(hostileValues)));
      break;
    }
  }
  return copy;
}

/** A spoiled document as text, or any text. */
export function hostileText(document: unknown, prng: Prng): string {
  if (prng.chance(0.15)) return prng.pick(hostileTexts);
  const text = JSON.stringify(spoiled(document, prng)) ?? "";
  if (prng.chance(0.8)) return text;
  const at = prng.between(0, text.length);
  const cut = prng.between(at, Math.min(text.length, at + 20));
  const odd = prng.chance(0.5) ? prng.pick(["[", "}", '"', ",", "\\"]) : "";
  return `${text.slice(0, at)}${odd}${text.slice(cut)}`;
}
