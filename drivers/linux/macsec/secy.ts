// One SecY of the kernel in the terms of IEEE 802.1AE: settings, counters, and which SAKs it uses.

import type { CipherSuite, FailOpen, KeyAgreement, MacsecFrames, Sak } from "#hal/model.ts";
import type { Link } from "../netlink/rtnetlink-link.ts";
import type { MacsecDevice } from "./macsec.ts";

export interface SecySettings {
  readonly suite: CipherSuite;
  readonly includeSci: boolean;
  /** undefined = replay protection is off. */
  readonly replayWindow: number | undefined;
  readonly failOpen: readonly FailOpen[];
}

/**
 * Returns undefined if the kernel left something out, or names a suite that the standard does not
 * define.
 */
export function secySettings({ secy }: MacsecDevice): SecySettings | undefined {
  if (secy === undefined) return undefined;
  const { cipherSuite: suite, includeSci, replay, window, validate, protect, encrypt } = secy;
  if (suite === undefined || includeSci === undefined || replay === undefined) return undefined;
  if (validate === undefined || protect === undefined || encrypt === undefined) return undefined;
  // Replay protection without the size of its window cannot be described.
  if (replay && window === undefined) return undefined;
  const failOpen: FailOpen[] = [];
  if (validate !== "strict") failOpen.push("validateNotStrict");
  if (!protect) failOpen.push("protectOff");
  if (!encrypt) failOpen.push("encryptOff");
  return { suite, includeSci, replayWindow: replay ? window : undefined, failOpen };
}

type Sa = NonNullable<MacsecDevice["txSas"]>[number];

/** Returns the SA that frames leave under; other transmit SAs may exist beside it. */
function transmitSa({ secy, txSas }: MacsecDevice): Sa | undefined {
  const sa = (txSas ?? []).find(({ an }) => an !== undefined && an === secy?.encodingSa);
  return sa?.active === true ? sa : undefined;
}

/** Returns undefined if no SA transmits. */
export function suiteInUse(device: MacsecDevice): CipherSuite | undefined {
  return transmitSa(device) === undefined ? undefined : device.secy?.cipherSuite;
}

const miDigits = 24;

/**
 * Formats the KEYID as MKA fills it: the key server's MI, and its key number in little-endian
 * order.
 */
function keyIdentifier(keyId: string): string {
  const digits = keyId.slice(miDigits).match(/../g) ?? [];
  const number = Number.parseInt(digits.toReversed().join(""), 16);
  return `${keyId.slice(0, miDigits)}/${number}`;
}

/**
 * Returns every SAK that the SecY holds, by AN and key: `receive` if an SA of a peer's channel
 * accepts frames under it, `transmit` if frames leave under it.
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

/** Compares the SAKs of the two directions. */
export function keyAgreement(saks: readonly Sak[]): KeyAgreement {
  const sending = saks.find(({ transmit }) => transmit);
  const receives = saks.some(({ receive }) => receive);
  if (sending === undefined) return receives ? "oneWay" : "none";
  if (!receives) return "oneWay";
  return sending.receive ? "same" : "different";
}

/** Returns undefined if one of the counters is missing. */
function sum(...counts: readonly (bigint | undefined)[]): bigint | undefined {
  let total = 0n;
  for (const count of counts) {
    if (count === undefined) return undefined;
    total += count;
  }
  return total;
}

/**
 * Returns undefined if the kernel does not report what was sent and received. The SecY counts EAPOL
 * among the untagged frames, so the MKA process counts clear data at the port instead.
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
  // Another device counts as it likes: only the kernel's own data path is known to count a frame
  // in one of the two.
  const isOwn = device.offload?.type === undefined || device.offload.type === "off";
  const octets = isOwn
    ? {
        rxOctetsValidated: received("inOctetsValidated"),
        rxOctetsDecrypted: received("inOctetsDecrypted"),
      }
    : {};
  return {
    ...octets,
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

/** Returns true if the SecY is strict, protects and encrypts, whatever its other settings. */
export function isTight({ info }: Link): boolean {
  const { validation, protect, encrypt } = info?.macsec ?? {};
  return validation === "strict" && protect === true && encrypt === true;
}
