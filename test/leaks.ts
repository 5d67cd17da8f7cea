// Thirteen ways in which an object becomes text, and a search for key bytes in that text.

import assert from "node:assert/strict";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";

type Printer = (value: object) => string | Uint8Array;

// Returns the text of the error if the printer throws.
function shown(print: () => string): string {
  try {
    return print();
  } catch (error) {
    return inspect(error, { depth: null });
  }
}

export const printers: Readonly<Record<string, Printer>> = {
  template: (value) => `${value}`,
  concatenation: (value) => {
    let text = "key ";
    text += value;
    return text;
  },
  String: (value) => String(value),
  json: (value) => JSON.stringify(value) + JSON.stringify({ inside: [value] }),
  inspect: (value) => inspect(value, { depth: null }),
  "inspect, hidden": (value) =>
    inspect(value, { depth: null, showHidden: true, customInspect: false, maxArrayLength: null }),
  format: (value) => format("%s %o %O %j", value, value, value, value),
  spread: (value) => inspect({ ...value }, { depth: null }) + JSON.stringify({ ...value }),
  entries: (value) => JSON.stringify(Object.entries(value)),
  structuredClone: (value) =>
    inspect(structuredClone(value), { depth: null }) + JSON.stringify(structuredClone(value)),
  "v8.serialize": (value) => serialize(value),
  "error cause": (value) => inspect(new Error("x", { cause: value }), { depth: null }),
  "assertion diff": (value) => {
    assert.deepStrictEqual({ value }, { value: 0 });
    return "";
  },
};

function formsOf(key: Uint8Array): string[] {
  const bytes = Buffer.from(key);
  const numbers = [...key];
  return [
    bytes.toString("latin1"),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    bytes.toString("hex").replace(/(..)(?!$)/g, "$1 "),
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
    numbers.join(","),
    numbers.slice(0, 6).join(", "),
    numbers
      .slice(0, 3)
      .map((byte, index) => `'${index}': ${byte}`)
      .join(", "),
    numbers
      .slice(0, 3)
      .map((byte, index) => `"${index}":${byte}`)
      .join(","),
  ];
}

/**
 * Returns the names of the printers whose output contains the key; random bytes do not occur by
 * chance.
 */
export function leaksOf(value: object, key: Uint8Array): string[] {
  const forms = formsOf(key);
  return Object.entries(printers).flatMap(([name, print]) => {
    const text = shown(() => {
      const out = print(value);
      return typeof out === "string" ? out : Buffer.from(out).toString("latin1");
    });
    // Lines of a diff begin with a sign.
    const flat = text.replace(/\n[+-]?/g, " ").replace(/\s+/g, " ");
    return forms.some((form) => text.includes(form) || flat.includes(form)) ? [name] : [];
  });
}
