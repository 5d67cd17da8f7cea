// IP prefixes and addresses as text: which are valid, which contain which, and which are the same.

import { describe, expect, it } from "vitest";
import { contains, parsePrefix, sameAddress } from "#agent/health/prefix.ts";

describe("prefixes", () => {
  it.each([
    { text: "10.1.2.3", family: 4, bits: 0x0a010203n, length: 32 },
    { text: "10.0.0.0/8", family: 4, bits: 0x0a000000n, length: 8 },
    { text: "2001:db8::1", family: 6, bits: 0x20010db8000000000000000000000001n, length: 128 },
    { text: "1:2:3:4:5:6:7:8", family: 6, bits: 0x00010002000300040005000600070008n, length: 128 },
    { text: "1:2:3::5:6:7:8/64", family: 6, bits: 0x00010002000300000005000600070008n, length: 64 },
    { text: "::", family: 6, bits: 0n, length: 128 },
    { text: "ABCD::", family: 6, bits: 0xabcd0000000000000000000000000000n, length: 128 },
  ] as const)("the text of a prefix is parsed: $text", ({ text, family, bits, length }) => {
    expect(parsePrefix(text)).toEqual({ family, bits, length });
  });

  it.each([
    ["10.0.0.0/8", "10.1.2.0/24", true],
    ["10.1.2.0/24", "10.0.0.0/8", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["2001:db8::/32", "2001:db8:0:1::/64", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["::/0", "10.0.0.0/8", false],
    ["10.0.0.0/24", "10.0.0.0/8", false],
  ])("the prefix %s contains %s: %s", (outer, inner, inside) => {
    const [a, b] = [parsePrefix(outer), parsePrefix(inner)];
    expect(a !== undefined && b !== undefined && contains(a, b)).toBe(inside);
  });

  it.each([
    ["10.0.0.1", "10.0.0.1", true],
    ["10.0.0.1", "10.0.0.1/32", true],
    ["2001:db8::1", "2001:DB8:0:0::1", true],
    ["10.0.0.1", "10.0.0.2", false],
    ["10.0.0.0/8", "10.0.0.0", false],
    ["10.0.0.0", "10.0.0.0/8", false],
    ["no address", "no address", false],
    ["10.0.0.1", "no address", false],
    ["", "10.0.0.1", false],
  ])("the address %s is the same as %s: %s", (one, other, same) => {
    expect(sameAddress(one, other)).toBe(same);
  });

  it.each([
    "",
    "10.0.0/8",
    "10.0.0.256",
    "10.0.0.0/33",
    "10.0.0.0/8/8",
    "1::2::3",
    "::1/129",
    "g::",
    "1:2:3",
    "10.0.0.0/",
    "10.0.0.0/x8",
    "10.0.0.0/8x",
    "10.0.0.0/1e1",
    "10.0.0.x1",
    "10.0.0.1x",
    "1:2:3:4::5:6:7:8",
    "12345::",
    "::x1",
    "::1x",
  ])("the text %j is not a prefix", (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});
