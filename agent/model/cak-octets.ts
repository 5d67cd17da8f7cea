// The size of the CAK that each cipher suite takes.

import type { CipherSuite } from "#hal/model.ts";

/** The octets of a CAK for each suite (IEEE 802.1X-2020 clause 9.3.1). */
export const cakOctets: Readonly<Record<CipherSuite, 16 | 32>> = {
  "gcm-aes-128": 16,
  "gcm-aes-256": 32,
  "gcm-aes-xpn-128": 16,
  "gcm-aes-xpn-256": 32,
};
