// Counters as IOS XE reports them. Undefined = there is a reply, and it is not understood.

import type { MacsecFrames, MkpduCounters } from "#hal/model.ts";
import { clearOf, counterIn, countersOf, plus, sumOf } from "../platform/cisco-mka.ts";

/**
 * Reads the port's counters of MKPDUs: one page for each key, summed. Several pages have a
 * heading each, or a part of a page is there twice: what it counts would hide clear frames. The
 * reason of a failed MKPDU is counted only for the whole router.
 */
export function readMkpdus(text: string): MkpduCounters | undefined {
  const pages = text
    .split(/^MKPDU Statistics$/m)
    .slice(1)
    .map(countersOf);
  const heads = text.match(/^MKA Statistics for Session\b/gm) ?? [];
  if (pages.length !== Math.max(1, heads.length)) return undefined;
  const sent = sumOf(pages, "MKPDUs Transmitted");
  const received = sumOf(pages, "MKPDUs Validated & Rx");
  if (sent === undefined || received === undefined) return undefined;
  return { sent, received, icvFailed: undefined, unknownCkn: undefined, replayed: undefined };
}

/**
 * Reads the counters of the SecY and its channels. A counter of a channel outside a channel belongs
 * to one whose heading was lost. Both counters of a transmit channel, and that of valid frames of a
 * receive channel, are always printed: without one of them the reply is not understood. So it is if
 * a heading, which names channel and association, is there twice: its frames would count twice.
 */
export function readFrames(
  text: string,
  nextPn: bigint | undefined,
  mkpdus: MkpduCounters | undefined,
): MacsecFrames | undefined {
  const [secyText = "", ...others] = text.split(
    /^ {0,8}(?=Controlled Port|Transmit SC|Receive SA)/m,
  );
  const heads = others.map((one) => one.split("\n", 1)[0]?.trim());
  if (new Set(heads).size < heads.length) return undefined;
  const secy = countersOf(secyText);
  const parts = (head: string): readonly ReadonlyMap<string, string>[] =>
    others.filter((one) => one.startsWith(head)).map(countersOf);
  const transmit = parts("Transmit SC");
  const receive = parts("Receive SA");
  const isMixed = [secyText, ...others].some(
    (one) => !one.startsWith("Receive SA") && /^ {0,8}In Pkts /m.test(one),
  );
  const encrypted = sumOf(transmit, "Out Pkts Encrypted");
  const integrityOnly = sumOf(transmit, "Out Pkts Protected");
  const rxOk = receive.length === 0 ? 0n : sumOf(receive, "In Pkts OK");
  if (encrypted === undefined || integrityOnly === undefined || isMixed) return undefined;
  // Frames that the port took in came by a channel, which is lost from the page.
  const isCut = parts("Controlled Port").some((one) => counterIn(one, "IF In Packets") !== 0n);
  if (rxOk === undefined || (receive.length === 0 && isCut)) return undefined;
  return {
    // "Out Pkts Protected" counts frames that are only authenticated: their data is readable.
    txProtected: encrypted,
    txClear: undefined,
    txTooLong: counterIn(secy, "Egress Too Long Pkts"),
    rxOk,
    rxClear: clearOf(counterIn(secy, "Ingress Untag Pkts"), mkpdus),
    rxBadTag: counterIn(secy, "Ingress Bad Tag Pkts"),
    rxNotValid: plus(sumOf(receive, "In Pkts Invalid"), sumOf(receive, "In Pkts Not Valid")),
    rxLate: sumOf(receive, "In Pkts Late"),
    rxNoSci: counterIn(secy, "Ingress No SCI Pkts"),
    rxUnknownSci: counterIn(secy, "Ingress Unknown SCI Pkts"),
    rxNotUsingSa: sumOf(receive, "In Pkts Not using SA"),
    rxUnusedSa: sumOf(receive, "In Pkts Unused SA"),
    nextPn,
  };
}

/** Reads the packet number of the SA that transmits; undefined while there is none. */
export function readNextPn(text: string): { readonly nextPn: bigint | undefined } | undefined {
  if (!/^ {0,4}Capabilities:? *$/m.test(text)) return undefined;
  const transmit = text.split(/^ ?Transmit SA:/m)[1]?.split(/^ ?Receive SC:/m)[0] ?? "";
  return { nextPn: counterIn(countersOf(transmit), "Next PN") };
}
