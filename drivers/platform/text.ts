// Words and numbers that routers of several vendors write alike.

import type { CipherSuite } from "#hal/model.ts";

export const suites: readonly CipherSuite[] = [
  "gcm-aes-128",
  "gcm-aes-256",
  "gcm-aes-xpn-128",
  "gcm-aes-xpn-256",
];

export function suiteOf(text: string | undefined): CipherSuite | undefined {
  return suites.find((one) => one === text?.toLowerCase());
}

/** Digits alone, and few: neither a sign nor an exponent. */
export function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export function countOf(text: string | undefined): bigint | undefined {
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}
