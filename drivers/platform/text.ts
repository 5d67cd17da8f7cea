// Words and numbers that routers of several vendors write alike.

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
