// The MAC security entity of IEEE 802.1AE: its channels, associations and counters.

import type { CipherSuite, MacsecFrames } from "#hal/model.ts";
import type { SakToken } from "./mka-pdu.ts";

/**
 * `open` means no MACsec on the port; `clear` means that the KaY lets frames through unprotected.
 */
export type PortMode = "open" | "blocked" | "clear" | "secured";

export interface TransmitSa {
  readonly an: number;
  /** The key that the hardware encrypts with; a stale one is not the key that MKA agreed on. */
  readonly key: SakToken;
  nextPn: number;
}

export interface ReceiveSa {
  readonly an: number;
  readonly key: SakToken;
  ok: number;
  notValid: number;
}

/** A receive channel, which keeps its counters when its SAs go (802.1AE 10.7.9). */
export interface ReceiveSc {
  /** The SCI of the sender, as sixteen hex digits. */
  readonly sci: string;
  /** True while the channel accepts frames. */
  active: boolean;
  /** The associations by AN. */
  readonly sas: Map<number, ReceiveSa>;
  /** Frames that were valid. */
  ok: number;
  /** Octets that were authenticated and not encrypted, and those that were encrypted. */
  octets: { readable: number; encrypted: number };
  /** Frames whose ICV was wrong. */
  notValid: number;
  /** Frames for an AN without an association. */
  notUsingSa: number;
}

function zeroCounters() {
  return {
    txProtected: 0,
    txClear: 0,
    txTooLong: 0,
    rxClear: 0,
    rxBadTag: 0,
    rxNoSci: 0,
    rxUnknownSci: 0,
  };
}

/**
 * The port's counters; numbers and not bigint, because 400G of the smallest frames needs 170 days
 * to pass 2^53.
 */
export type PortCounters = ReturnType<typeof zeroCounters>;

export function isXpn(suite: CipherSuite): boolean {
  return suite === "gcm-aes-xpn-128" || suite === "gcm-aes-xpn-256";
}

/** The MI of the key server that made a SAK: another CA has another one. */
const madeBy = ({ keyId }: SakToken): string => keyId.split("/", 1)[0] ?? keyId;

export class SecY {
  readonly sci: string;
  mode: PortMode = "open";
  mustSecure = true;
  includeSci = true;
  l2Mtu: number;
  /** The fault in which frames are authenticated and not encrypted (E = 0). */
  integrityOnly = false;
  /** The fault in which new SAs get the key of the SA before them. */
  staleKeys = false;
  /** The fault in which the AN in use when another CA took over keeps that SAK for good. */
  staleAn = false;
  /** The fault in which frames are sent under the old SAK still when the ANs begin again. */
  staysAtRollover = false;
  /** A version that grows with every change that can alter the fate of a frame. */
  version = 0;
  readonly counters = zeroCounters();
  readonly receiveScs = new Map<string, ReceiveSc>();
  readonly #transmitSas = new Map<number, TransmitSa>();
  #encodingAn = 0;
  #lastSa: TransmitSa | undefined;
  /** The SA in use when another CA took over. */
  #leftBehind: TransmitSa | undefined;

  constructor(sci: string, l2Mtu: number) {
    this.sci = sci;
    this.l2Mtu = l2Mtu;
  }

  configure(rules: { readonly mustSecure: boolean; readonly includeSci: boolean }): void {
    this.mustSecure = rules.mustSecure;
    this.includeSci = rules.includeSci;
    this.version += 1;
  }

  setL2Mtu(octets: number): void {
    this.l2Mtu = octets;
    this.version += 1;
  }

  setMode(mode: PortMode): void {
    this.mode = mode;
    this.version += 1;
  }

  /** Creates the SAs of both directions; those at the same AN are deleted (802.1AE 10.7). */
  install(sak: SakToken, peerSci: string): void {
    const before = this.encodingSa();
    if (before !== undefined && madeBy(before.key) !== madeBy(sak)) this.#leftBehind = before;
    const stale = this.#stale(sak);
    const key = stale?.key ?? sak;
    // Hardware that kept its key counts on from where it was.
    this.#transmitSas.set(sak.an, { an: sak.an, key, nextPn: stale?.nextPn ?? 1 });
    const sc = this.receiveScs.get(peerSci) ?? newReceiveSc(peerSci);
    this.receiveScs.set(peerSci, sc);
    sc.active = true;
    sc.sas.set(sak.an, { an: sak.an, key, ok: 0, notValid: 0 });
    this.version += 1;
  }

  /** Returns the SA that the hardware kept instead of this SAK; undefined = it took the SAK. */
  #stale(sak: SakToken): TransmitSa | undefined {
    if (this.staleKeys && this.#lastSa !== undefined) return this.#lastSa;
    const left = this.#leftBehind;
    return this.staleAn && left?.key.an === sak.an ? left : undefined;
  }

  /** Transmits with the SA of this AN from now on. */
  encode(an: number): void {
    const begins = this.encodingSa() !== undefined && an < this.#encodingAn;
    if (this.staysAtRollover && begins) return;
    this.#encodingAn = an;
    this.#lastSa = this.encodingSa();
    this.version += 1;
  }

  remove(an: number): void {
    this.#transmitSas.delete(an);
    for (const sc of this.receiveScs.values()) sc.sas.delete(an);
    this.version += 1;
  }

  /** Removes every SA and receive channel; counters stay. */
  clear(): void {
    this.#transmitSas.clear();
    for (const sc of this.receiveScs.values()) {
      sc.sas.clear();
      sc.active = false;
    }
    this.version += 1;
  }

  encodingSa(): TransmitSa | undefined {
    return this.#transmitSas.get(this.#encodingAn);
  }

  liveSuite(): CipherSuite | undefined {
    return this.mode === "secured" ? this.encodingSa()?.key.suite : undefined;
  }

  resetCounters(): void {
    Object.assign(this.counters, zeroCounters());
    for (const sc of this.receiveScs.values()) {
      sc.ok = 0;
      sc.octets = { readable: 0, encrypted: 0 };
      sc.notValid = 0;
      sc.notUsingSa = 0;
      for (const sa of sc.sas.values()) {
        sa.ok = 0;
        sa.notValid = 0;
      }
    }
  }

  /** Sums all channels; `perPort` hardware has no counters of single SAs to sum. */
  frames(counting: "perSa" | "perPort"): MacsecFrames {
    const c = this.counters;
    const sum = { ok: 0, readable: 0, encrypted: 0, notValid: 0, notUsingSa: 0 };
    for (const sc of this.receiveScs.values()) {
      sum.ok += sc.ok;
      sum.readable += sc.octets.readable;
      sum.encrypted += sc.octets.encrypted;
      sum.notValid += sc.notValid;
      sum.notUsingSa += sc.notUsingSa;
    }
    const sa = this.encodingSa();
    const perSa = counting === "perSa";
    return {
      txProtected: BigInt(c.txProtected),
      txClear: BigInt(c.txClear),
      txTooLong: BigInt(c.txTooLong),
      rxOk: BigInt(sum.ok),
      rxOctetsValidated: BigInt(sum.readable),
      rxOctetsDecrypted: BigInt(sum.encrypted),
      rxClear: BigInt(c.rxClear),
      rxBadTag: BigInt(c.rxBadTag),
      rxNotValid: BigInt(sum.notValid),
      rxLate: 0n,
      rxNoSci: BigInt(c.rxNoSci),
      rxUnknownSci: BigInt(c.rxUnknownSci),
      rxNotUsingSa: BigInt(sum.notUsingSa),
      rxUnusedSa: perSa ? 0n : undefined,
      nextPn: perSa && sa !== undefined ? BigInt(sa.nextPn) : undefined,
    };
  }
}

function newReceiveSc(sci: string): ReceiveSc {
  const octets = { readable: 0, encrypted: 0 };
  return { sci, active: true, sas: new Map(), ok: 0, octets, notValid: 0, notUsingSa: 0 };
}
