// The secret of static keys: what it may look like, and what is said of what it may not.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readStaticKeys } from "#drivers/linux/ipsec/static-keys.ts";
import { effort } from "../../../../effort.ts";
import { pairOf, secretOf } from "../../../kit/static-kit.ts";

const aes256 = { encryption: "aes-256-cbc", integrity: "sha256" } as const;
const pair = pairOf(1);
const text = JSON.stringify(pair);

function whyOf(value: unknown): string {
  using secret = secretOf(value);
  const read = readStaticKeys(secret, aes256);
  if (!("why" in read)) throw new Error("it was taken");
  return read.why;
}

const hexOf = (key: { use<T>(f: (octets: Readonly<Uint8Array>) => T): T }): string =>
  key.use((octets) => Buffer.from(octets).toString("hex"));

describe("a secret of static keys", () => {
  it.each([
    ["as JSON writes it", text],
    ["with blanks and lines", JSON.stringify(pair, undefined, "\t ").replaceAll("\n", "\r\n")],
    ["in another order", JSON.stringify({ out: pair.out, in: pair.in })],
    ["in upper-case digits", text.replace(/[0-9a-f]{64}/g, (hex) => hex.toUpperCase())],
  ])("is read %s", (_name, value) => {
    using secret = secretOf(value);
    const read = readStaticKeys(secret, aes256);
    if ("why" in read) throw new Error(read.why);
    for (const way of ["in", "out"] as const) {
      const { spi, encryption, integrity } = read[way];
      expect({ spi, encryption: hexOf(encryption), integrity: hexOf(integrity) }).toEqual(
        pair[way],
      );
    }
    read[Symbol.dispose]();
    expect(() => hexOf(read.in.encryption)).toThrow("already wiped");
  });

  it("has the lengths of its algorithms", () => {
    const key = (octets: number, fill: number) => Buffer.alloc(octets, fill).toString("hex");
    const small = (spi: number) => ({ spi, encryption: key(16, spi), integrity: key(64, spi) });
    using secret = secretOf({ in: small(257), out: small(258) });
    const read = readStaticKeys(secret, { encryption: "aes-128-cbc", integrity: "sha512" });
    expect("why" in read).toBe(false);
  });

  it.each([
    ["no JSON", "keys", "it is no JSON: { is missing"],
    ["empty", "", "it is no JSON: { is missing"],
    ["too long", `${text}${" ".repeat(2_048)}`, "it has more than 2048 octets"],
    ["two texts", `${text} ${text}`, "something stands behind its end"],
    ["one direction", { in: pair.in }, "it has no out"],
    ["another field", { ...pair, note: "x" }, "it has fields beside in, out"],
    ["a field twice", text.replace('"out"', '"in"'), "it has in twice"],
    ["no SPI", { ...pair, in: { ...pair.in, spi: undefined } }, "in has no spi"],
    ["SPI 0", { ...pair, in: { ...pair.in, spi: 0 } }, /the spi of in is no whole number/],
    ["a reserved SPI", { ...pair, out: { ...pair.out, spi: 255 } }, /the spi of out is no whole/],
    [
      "an SPI of 33 bits",
      { ...pair, out: { ...pair.out, spi: 2 ** 32 } },
      /from 256 to 4294967295/,
    ],
    ["half an SPI", { ...pair, in: { ...pair.in, spi: 256.5 } }, /in is no JSON/],
    ["an SPI as text", text.replace("4097", '"4097"'), /the spi of in is no whole number/],
    ["an SPI with a zero before it", text.replace("4097", "04097"), /the spi of in is no whole/],
    [
      "a short key",
      { ...pair, in: { ...pair.in, encryption: "11".repeat(31) } },
      "the encryption key of in is no 64 digits of hexadecimal",
    ],
    [
      "a long key",
      { ...pair, out: { ...pair.out, integrity: "11".repeat(33) } },
      "the integrity key of out is no 64 digits of hexadecimal",
    ],
    ["half an octet", { ...pair, in: { ...pair.in, integrity: "1".repeat(63) } }, /no 64 digits/],
    ["a letter", { ...pair, in: { ...pair.in, integrity: "g".repeat(64) } }, /no 64 digits/],
    ["one SPI", { ...pair, out: { ...pair.out, spi: pair.in.spi } }, /have the same SPI/],
    [
      "the key of the other direction",
      { ...pair, out: { ...pair.out, encryption: pair.in.encryption } },
      "one key stands there twice",
    ],
    [
      "one key for both purposes",
      { ...pair, in: { ...pair.in, integrity: pair.in.encryption } },
      "one key stands there twice",
    ],
    ["a key as its field", { [pair.in.encryption]: 1 }, "it has a strange field"],
  ] as const)("with %s is refused with that reason", (_name, value, why) => {
    const said = whyOf(value);
    if (typeof why === "string") expect(said).toBe(why);
    else expect(said).toMatch(why);
  });

  it("is refused without a word of what stands in it, whatever is broken", () => {
    const keys = [pair.in, pair.out].flatMap(({ encryption, integrity }) => [
      encryption,
      integrity,
    ]);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const octets = new TextEncoder().encode(text);
        octets[at] = octet;
        using secret = secretOf(new TextDecoder("latin1").decode(octets));
        const read = readStaticKeys(secret, aes256);
        if (!("why" in read)) return read[Symbol.dispose]();
        expect(keys.some((key) => read.why.includes(key.slice(0, 8)))).toBe(false);
      }),
      { numRuns: effort(300, 3_000) },
    );
  });
});
