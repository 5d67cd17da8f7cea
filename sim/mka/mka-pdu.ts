// An MKPDU as a value: the content of IEEE 802.1X-2020 figure 11-8, without octets or cryptography.

import type { CipherSuite, Ckn } from "#hal/model.ts";

/** A secure association key; equal only to itself, as two random keys would be. */
export interface SakToken {
  /** `mi/kn` of the key server that made it. */
  readonly keyId: string;
  readonly an: number;
  readonly suite: CipherSuite;
}

/** One slot of the MACsec SAK Use parameter set. */
export interface SakSlot {
  readonly keyId: string;
  readonly an: number;
  readonly transmit: boolean;
  readonly receive: boolean;
}

/** The two slots; after RETIRE a SAK in use is in the old one, so readers check both. */
export interface SakUse {
  readonly latest: SakSlot | undefined;
  readonly old: SakSlot | undefined;
}

/** An entry of a peer list, live or potential: both prove liveness alike. */
export interface PeerEcho {
  readonly mi: string;
  readonly mn: number;
}

export interface Mkpdu {
  readonly sci: string;
  readonly ckn: Ckn;
  /** Represents the ICV: it verifies if the receiver's CAK has the same bytes. */
  readonly cak: Uint8Array;
  readonly mi: string;
  readonly mn: number;
  readonly priority: number;
  readonly keyServer: boolean;
  readonly peers: readonly PeerEcho[];
  readonly use: SakUse;
  /** The lowest packet number that the sender may use next with the SAK it transmits with. */
  readonly lpn: number;
  readonly distributed: SakToken | undefined;
}

/** The SAK Use of a participant whose CA is not the principal one. */
export const noSakUse: SakUse = { latest: undefined, old: undefined };

/** Returns the slot that has this key, in either place. */
export function slotOf(use: SakUse, keyId: string): SakSlot | undefined {
  if (use.latest?.keyId === keyId) return use.latest;
  return use.old?.keyId === keyId ? use.old : undefined;
}
