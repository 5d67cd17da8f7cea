// Counters as IOS XR reports them. Undefined = there is a reply, and it is not understood.

import type { MacsecFrames, MkpduCounters } from "#hal/model.ts";
import { clearOf, counterIn, countersOf, plus, sumOf } from "../platform/cisco-mka.ts";

export function readMkpdus(text: string): MkpduCounters | undefined {
  const counters = countersOf(text);
  const sent = counterIn(counters, "MKPDUs Transmitted");
  const received = counterIn(counters, "MKPDUs Validated & Rx");
  if (sent === undefined || received === undefined) return undefined;
  return {
    sent,
    received,
    icvFailed:
      counterIn(counters, "MKPDU Rx Validation (ICV)") ??
      counterIn(counters, "MKPDU Rx ICV Verification"),
    unknownCkn: counterIn(counters, "MKPDUs Rx Invalid CKN"),
    replayed: counterIn(counters, "MKPDU Rx Bad Peer MN"),
  };
}

/**
 * Reads the counters of the SecY and its channels; the lines below a channel repeat them for each
 * association. Both counters of the transmit channel, and that of valid frames of each receive
 * channel, are always printed: without one of them the reply is not understood.
 */
export function readFrames(
  text: string,
  mkpdus: MkpduCounters | undefined,
): MacsecFrames | undefined {
  const parts = sectionsOf(text);
  const secy = countersOf(parts.secy);
  const transmit = countersOf(parts.transmit);
  const receive = parts.receive.map(countersOf);
  const sum = (name: string): bigint | undefined => sumOf(receive, name);
  const encrypted = counterIn(transmit, "OutPktsEncrypted");
  // A counter outside a channel belongs to one whose heading was lost.
  const isMixed = [parts.secy, parts.transmit, parts.transmitSa, parts.outside].some((one) =>
    /^ {0,16}InPkts(?:OK|Late|Invalid|NotValid|NotUsingSA|UnusedSA)\b/m.test(one),
  );
  const integrityOnly = counterIn(transmit, "OutPktsProtected");
  const rxOk = receive.length === 0 ? 0n : sum("InPktsOK");
  if (encrypted === undefined || integrityOnly === undefined || isMixed) return undefined;
  if (parts.isBroken || rxOk === undefined) return undefined;
  return {
    // "OutPktsProtected" counts frames that are only authenticated: their data is readable.
    txProtected: encrypted,
    txClear: undefined,
    txTooLong: counterIn(secy, "OutPktsTooLong"),
    rxOk,
    rxClear: clearOf(counterIn(secy, "InPktsUntagged"), mkpdus),
    rxBadTag: counterIn(secy, "InPktsBadTag"),
    rxNotValid: plus(sum("InPktsInvalid"), sum("InPktsNotValid")),
    rxLate: sum("InPktsLate"),
    rxNoSci: counterIn(secy, "InPktsNoSCI"),
    rxUnknownSci: counterIn(secy, "InPktsUnknownSCI"),
    rxNotUsingSa: sum("InPktsNotUsingSA"),
    rxUnusedSa: sum("InPktsUnusedSA"),
    nextPn: counterIn(countersOf(parts.transmitSa), "NextPN"),
  };
}

interface Sections {
  readonly secy: string;
  readonly transmit: string;
  readonly transmitSa: string;
  readonly receive: readonly string[];
  /** What precedes the first receive channel. */
  readonly outside: string;
  /** A heading is lost or there twice: frames would count as none, or twice. */
  readonly isBroken: boolean;
}

const channelHead = /^ *RxSC \d{1,6}: *[0-9a-fA-F]{0,16} *$/m;

function sectionsOf(text: string): Sections {
  const [head = "", channels = ""] = text.split(/^ *SC Stats *$/m);
  const [tx = "", rx = ""] = channels.split(/^ *RxSC Stats *$/m);
  const [transmit = "", transmitSa = ""] = tx.split(/^ *TxSA Stats *$/m);
  const [outside = "", ...channelTexts] = rx.split(channelHead);
  const heads = text.split("\n").filter((row) => /^ *(?:TxSC|RxSC|SC)\b/.test(row));
  const receive = channelTexts.map((one) => one.split(/^ *RxSA Stats *$/m)[0] ?? "");
  const isWhole = /^ *RxSC Stats *$/m.test(text) && new Set(heads).size === heads.length;
  return { secy: head, transmit, transmitSa, receive, outside, isBroken: !isWhole };
}
