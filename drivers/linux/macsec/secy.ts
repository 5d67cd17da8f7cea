// One SecY of the kernel in the nouns of IEEE 802.1AE: settings, counters, and which SAKs it uses.

import type { CipherSuite, FailOpen, KeyAgreement, MacsecFrames, Sak } from "#hal/model.ts";
import type { Link } from "../netlink/rtnetlink-link.ts";
import type { MacsecDevice } from "./macsec.ts";

export interface SecySettings {
  readonly suite: CipherSuite;
  readonly includeSci: boolean;
  /** undefined = replay protection off. */
  readonly replayWindow: number | undefined;
  readonly failOpen: readonly FailOpen[];
}

/** Undefined where the kernel left something out, or names a suite that the standard does not. */
export function secySettings({ secy }: MacsecDevice): SecySettings | undefined {
  if (secy === undefined) return undefined;
  const { cipherSuite: suite, includeSci, replay, window, validate, protect, encrypt } = secy;
  if (suite === undefined || includeSci === undefined || replay === undefined) return undefined;
  if (validate === undefined || protect === undefined || encrypt === undefined) return undefined;
  // Without its window a replay protection that is on says nothing.
  if (replay && window === undefined) return undefined;
  const failOpen: FailOpen[] = [];
  if (validate !== "strict") failOpen.push("validateNotStrict");
  if (!protect) failOpen.push("protectOff");
  if (!encrypt) failOpen.push("encryptOff");
  return { suite, includeSci, replayWindow: replay ? window : undefined, failOpen };
}

type Sa = NonNullable<MacsecDevice["txSas"]>[number];

/** The SA that frames leave under; there may be others beside it. */
function transmitSa({ secy, txSas }: MacsecDevice): Sa | undefined {
  const sa = (txSas ?? []).find(({ an }) => an !== undefined && an === secy?.encodingSa);
  return sa?.active === true ? sa : undefined;
}

/** Undefined where no SA transmits. */
export function suiteInUse(device: MacsecDevice): CipherSuite | undefined {
  return transmitSa(device) === undefined ? undefined : device.secy?.cipherSuite;
}

const miDigits = 24;

/** KEYID as MKA fills it: the key server's MI, and its key number in the order of little-endian. */
function keyIdentifier(keyId: string): string {
  const digits = keyId.slice(miDigits).match(/../g) ?? [];
  const number = Number.parseInt(digits.toReversed().join(""), 16);
  return `${keyId.slice(0, miDigits)}/${number}`;
}

/**
 * Every SAK that the SecY holds, by AN and key: `receive` where an SA of a peer's channel takes
 * frames under it, `transmit` where frames leave under it.
 */
export function saksOf(device: MacsecDevice): readonly Sak[] {
  const saks = new Map<string, Sak>();
  const note = ({ an, keyId }: Sa, receive: boolean, transmit: boolean): void => {
    if (an === undefined || keyId === undefined) return;
    const key = `${an} ${keyId}`;
    const was = saks.get(key);
    saks.set(key, {
      an,
      keyId: keyIdentifier(keyId),
      receive: receive || was?.receive === true,
      transmit: transmit || was?.transmit === true,
    });
  };
  const sending = transmitSa(device);
  for (const sa of device.txSas ?? []) note(sa, false, sa === sending);
  for (const channel of device.rxScs ?? []) {
    for (const sa of channel.sas ?? []) {
      note(sa, channel.active === true && sa.active === true, false);
    }
  }
  return [...saks.values()];
}

export function keyAgreement(saks: readonly Sak[]): KeyAgreement {
  const sending = saks.find(({ transmit }) => transmit);
  const receives = saks.some(({ receive }) => receive);
  if (sending === undefined) return receives ? "oneWay" : "none";
  if (!receives) return "oneWay";
  return sending.receive ? "same" : "different";
}

/** Undefined as soon as one of them is not told. */
function sum(...counts: readonly (bigint | undefined)[]): bigint | undefined {
  let total = 0n;
  for (const count of counts) {
    if (count === undefined) return undefined;
    total += count;
  }
  return total;
}

/**
 * Undefined where the kernel does not tell what was sent and received at all. The SecY counts EAPOL
 * with the untagged frames, so that clear data is what the MKA process counts at the port.
 */
export function framesOf(device: MacsecDevice): MacsecFrames | undefined {
  const { txScStatistics: tx, secyStatistics: secy } = device;
  const channels = device.rxScs ?? [];
  type Name = keyof NonNullable<(typeof channels)[number]["statistics"]>;
  const received = (...names: readonly Exclude<Name, "pad" | "unnamed">[]): bigint | undefined =>
    sum(...channels.flatMap(({ statistics }) => names.map((name) => statistics?.[name])));
  const txProtected = sum(tx?.outPktsProtected, tx?.outPktsEncrypted);
  const rxOk = received("inPktsOk");
  if (txProtected === undefined || rxOk === undefined) return undefined;
  return {
    txProtected,
    txClear: secy?.outPktsUntagged,
    txTooLong: secy?.outPktsTooLong,
    rxOk,
    rxClear: undefined,
    rxBadTag: secy?.inPktsBadTag,
    rxNotValid: received("inPktsNotValid", "inPktsInvalid"),
    rxLate: received("inPktsLate"),
    rxNoSci: secy?.inPktsNoSci,
    rxUnknownSci: secy?.inPktsUnknownSci,
    rxNotUsingSa: received("inPktsNotUsingSa"),
    rxUnusedSa: received("inPktsUnusedSa"),
    nextPn: transmitSa(device)?.pn,
  };
}

/** Strict, protecting and encrypting, whatever else it is. */
export function isTight({ info }: Link): boolean {
  const { validation, protect, encrypt } = info?.macsec ?? {};
  return validation === "strict" && protect === true && encrypt === true;
}
