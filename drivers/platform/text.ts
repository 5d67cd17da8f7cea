// Words, numbers and prefixes that routers of several vendors write alike.

import { isIPv4 } from "node:net";
import type { CipherSuite } from "#hal/model.ts";

/** The cipher suites of IEEE 802.1AE. */
export const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];

/** Reads a cipher suite in upper or lower case; undefined = another word. */
export function suiteOf(text: string | undefined): CipherSuite | undefined {
  return suites.find((one) => one === text?.toLowerCase());
}

/** A zero before other digits is what is left of a number that lost its first one. */
const digits = (most: number): RegExp => new RegExp(`^(?:0|[1-9]\\d{0,${most - 1}})$`);
const [wholePattern, countPattern] = [digits(15), digits(20)];

/** Reads up to 15 digits, without a sign or an exponent. */
export function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && wholePattern.test(text) ? Number(text) : undefined;
}

/** Reads a counter of up to 20 digits; undefined = not a number. */
export function countOf(text: string | undefined): bigint | undefined {
  return text !== undefined && countPattern.test(text) ? BigInt(text) : undefined;
}

/** Returns whether the text is an IPv4 prefix in CIDR notation. */
export function isPrefix(text: string): boolean {
  const [, address = "", length] = /^([\d.]{7,15})\/(\d{1,2})$/.exec(text) ?? [];
  return isIPv4(address) && Number(length) <= 32;
}

/** Returns whether an IPv4 prefix has no bit behind its length. */
export function isNetwork(prefix: string): boolean {
  const [address = "", length = "0"] = prefix.split("/");
  const octets = address.split(".").map((octet, index) => {
    const bits = Math.min(8, Math.max(0, Number(length) - 8 * index));
    return Number(octet) & (0xff00 >> bits) & 0xff;
  });
  return octets.join(".") === address;
}
