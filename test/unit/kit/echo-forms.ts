// How devices may write a key: encoders of their own, which share no code with the filter.

import type { Prng } from "#sim/base/prng.ts";

const hexOf = (key: Uint8Array): string => Buffer.from(key).toString("hex");
const chunks = (text: string, length: number): readonly string[] =>
  text.match(new RegExp(`.{1,${length}}`, "gs")) ?? [];

/** Cisco's type 7 of a text (`service password-encryption`), from this place in the pad. */
export function type7(text: string, salt: number): string {
  const pad = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87";
  const digits = [...Buffer.from(text)].map((octet, index) =>
    (octet ^ pad.charCodeAt((salt + index) % pad.length)).toString(16).padStart(2, "0"),
  );
  return `${String(salt).padStart(2, "0")}${digits.join("").toUpperCase()}`;
}

const families = ["QzF3n6/9CAtpu0O", "B1IREhcSyrleKvMW8LXx", "7N-dVbwsY2g4oaJZGUDj", "iHkq.mPf5T"];
const weights = [
  [1, 4, 32],
  [1, 16, 32],
  [1, 8, 32],
  [1, 64],
  [1, 32],
  [1, 4, 16, 128],
  [1, 32, 64],
];

/** Junos's `$9$` of a text, with this character of the alphabet as its salt. */
export function nine(text: string, salt: number): string {
  const alphabet = families.join("");
  const first = alphabet.charAt(salt % alphabet.length);
  const family = families.findIndex((one) => one.includes(first));
  let encoded = `$9$${first}${"Q".repeat(3 - family)}`;
  let before = alphabet.indexOf(first);
  [...Buffer.from(text)].forEach((octet, index) => {
    let rest = octet;
    const gaps: number[] = [];
    for (const weight of (weights[index % weights.length] ?? []).toReversed()) {
      gaps.unshift(Math.floor(rest / weight));
      rest %= weight;
    }
    for (const gap of gaps) {
      before = (before + gap + 1) % alphabet.length;
      encoded += alphabet.charAt(before);
    }
  });
  return encoded;
}

/** Escapes each octet. */
const escaped = (octets: Uint8Array, write: (hex: string) => string): string =>
  [...octets].map((octet) => write(octet.toString(16).padStart(2, "0"))).join("");

/** Writes a key in each form; `draw` returns a number below its argument. */
export const echoForms: Readonly<
  Record<string, (key: Uint8Array, draw: (below: number) => number) => string>
> = {
  raw: (key) => Buffer.from(key).toString("latin1"),
  hex: hexOf,
  HEX: (key) => hexOf(key).toUpperCase(),
  "hex with colons": (key) => chunks(hexOf(key), 2).join(":"),
  "hex in groups": (key) => chunks(hexOf(key), 8).join(" "),
  "hex with dashes": (key) => chunks(hexOf(key), 4).join("-"),
  "hex with dots": (key) => chunks(hexOf(key), 4).join("."),
  "hex over two lines": (key) => chunks(hexOf(key), hexOf(key).length / 2).join("\r\n  "),
  "hex around a pager": (key) => chunks(hexOf(key), 12).join("\r\n --More-- \r\n"),
  "octets of C": (key) => escaped(key, (hex) => `0x${hex}, `),
  base64: (key) => Buffer.from(key).toString("base64"),
  base64url: (key) => Buffer.from(key).toString("base64url"),
  "base64 within more": (key, draw) =>
    Buffer.concat([Buffer.alloc(draw(5), 7), key, Buffer.from("tail")]).toString("base64"),
  "base64 of the digits": (key) => Buffer.from(hexOf(key)).toString("base64"),
  "base64 in lines": (key) => chunks(Buffer.from(key).toString("base64"), 13).join("\r\n"),
  "type 7": (key, draw) => type7(hexOf(key), draw(53)),
  $9$: (key, draw) => nine(hexOf(key), draw(65)),
  "UTF-16": (key) => Buffer.from(hexOf(key), "utf16le").toString("latin1"),
  "percent escapes": (key) => escaped(Buffer.from(hexOf(key)), (hex) => `%${hex}`),
  "backslash escapes": (key) => escaped(key, (hex) => `\\x${hex}`),
  "escapes of JSON": (key) => escaped(Buffer.from(hexOf(key)), (hex) => `\\u00${hex}`),
  "entities of XML": (key) => escaped(Buffer.from(hexOf(key)), (hex) => `&#x${hex};`),
  "a dump of the digits": (key) => escaped(Buffer.from(hexOf(key)), (hex) => `${hex} `),
  "half of it": (key) => hexOf(key.subarray(0, key.length / 2)),
};

/** A piece of a written key that is long enough to help. */
const pieceLength = 12;

/** Returns a piece of `written` that is in the text; undefined = there is none. */
export function leakOf(text: string, written: string): string | undefined {
  const dense = (one: string): string => one.replaceAll(/[\0\s]+/g, "").toLowerCase();
  const [all, form] = [dense(text), dense(written)];
  for (let at = 0; at + pieceLength <= form.length; at += 1) {
    const piece = form.slice(at, at + pieceLength);
    if (all.includes(piece)) return piece;
  }
  return undefined;
}

/** Draws numbers for the forms. */
export const drawFrom =
  (prng: Prng) =>
  (below: number): number =>
    prng.between(0, below - 1);
