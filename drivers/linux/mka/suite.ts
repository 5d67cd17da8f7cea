// Cipher suites as MKPDUs name them: IEEE Std 802.1AE-2018 table 14-1.

import type { CipherSuite } from "#hal/model.ts";

export interface SuiteRow {
  /** Lower-case hex. */
  readonly id: string;
  readonly sakBytes: 16 | 32;
  readonly packetNumber: "32 bit" | "64 bit";
  /** IEEE Std 802.1X-2020 9.8: the packet number from which a fresh SAK is wanted. */
  readonly exhaustedFrom: bigint;
}

export const suites: Readonly<Record<CipherSuite, SuiteRow>> = {
  "gcm-aes-128": {
    id: "0080c20001000001",
    sakBytes: 16,
    packetNumber: "32 bit",
    exhaustedFrom: 0xc0000000n,
  },
  "gcm-aes-256": {
    id: "0080c20001000002",
    sakBytes: 32,
    packetNumber: "32 bit",
    exhaustedFrom: 0xc0000000n,
  },
  "gcm-aes-xpn-128": {
    id: "0080c20001000003",
    sakBytes: 16,
    packetNumber: "64 bit",
    exhaustedFrom: 0xc000000000000000n,
  },
  "gcm-aes-xpn-256": {
    id: "0080c20001000004",
    sakBytes: 32,
    packetNumber: "64 bit",
    exhaustedFrom: 0xc000000000000000n,
  },
};

/** The id of 802.1AE-2006; some stations still send it for GCM-AES-128. */
const formerId = "0080020001000001";

/** Returns undefined if the standard does not define the id. */
export function suiteOfId(id: string): CipherSuite | undefined {
  if (id === formerId) return "gcm-aes-128";
  for (const [suite, row] of Object.entries(suites)) {
    if (row.id === id) return suite as CipherSuite;
  }
  return undefined;
}
