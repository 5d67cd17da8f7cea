// The data-plane model between two SecYs: the fate of frames is determined per change of state, and
// counters are charged per stretch of time.

import {
  isXpn,
  type PortCounters,
  type ReceiveSa,
  type ReceiveSc,
  type SecY,
  type TransmitSa,
} from "./secy.ts";

export type FlowOutcome =
  | "protected"
  | "clear"
  | "blocked"
  | "notValid"
  | "noSci"
  | "unknownSci"
  | "badTag"
  | "unusedSa"
  | "tooLong"
  | "swallowed"
  | "down";

/** The fate of every frame offered in one direction until something changes. */
export interface Forwarding {
  readonly outcome: FlowOutcome;
  /** `readable`: under MACsec, authenticated and not encrypted. */
  readonly onWire: "nothing" | "clear" | "readable" | "protected";
  readonly delivered: boolean;
  /** The port counters that each frame raises, at the sender and at the receiver. */
  readonly sent?: { readonly at: PortCounters; readonly name: keyof PortCounters };
  readonly received?: { readonly at: PortCounters; readonly name: keyof PortCounters };
  readonly transmitSa?: TransmitSa;
  readonly receiveSc?: ReceiveSc;
  readonly receiveSa?: ReceiveSa;
}

const down: Forwarding = { outcome: "down", onWire: "nothing", delivered: false };
const blocked: Forwarding = { outcome: "blocked", onWire: "nothing", delivered: false };

/** Returns the octets of SecTAG and ICV, with or without the SCI. */
export function macsecOctets(includeSci: boolean): number {
  return includeSci ? 32 : 24;
}

/** Returns the end of the usable packet numbers; XPN has more than any run can spend. */
function packetNumbersEnd(sa: TransmitSa): number {
  return isXpn(sa.key.suite) ? Infinity : 2 ** 32;
}

export function judge(link: "up" | "down", from: SecY, to: SecY, frameOctets: number): Forwarding {
  if (link === "down") return down;
  switch (from.mode) {
    case "blocked":
      return blocked;
    case "open":
    case "clear":
      return frameOctets > from.l2Mtu
        ? { outcome: "tooLong", onWire: "nothing", delivered: false }
        : judgeClear(from, to);
    case "secured":
      return judgeProtected(from, to, frameOctets);
  }
}

function judgeClear(from: SecY, to: SecY): Forwarding {
  // Where MACsec is off, no SecY exists that could count.
  const counted = {
    onWire: "clear" as const,
    ...(from.mode === "open" ? {} : { sent: { at: from.counters, name: "txClear" as const } }),
    ...(to.mode === "open" ? {} : { received: { at: to.counters, name: "rxClear" as const } }),
  };
  const accepted = to.mode === "open" || (!to.mustSecure && to.mode !== "blocked");
  return { ...counted, outcome: accepted ? "clear" : "blocked", delivered: accepted };
}

function judgeProtected(from: SecY, to: SecY, frameOctets: number): Forwarding {
  const transmitSa = from.encodingSa();
  if (transmitSa === undefined || transmitSa.nextPn >= packetNumbersEnd(transmitSa)) return blocked;
  if (frameOctets + macsecOctets(from.includeSci) > from.l2Mtu) {
    const sent = { at: from.counters, name: "txTooLong" } as const;
    return { outcome: "tooLong", onWire: "nothing", delivered: false, sent };
  }
  const sent = { at: from.counters, name: "txProtected" } as const;
  const onWire = from.integrityOnly ? "readable" : "protected";
  return { ...judgeTag(from, transmitSa, to), onWire, sent, transmitSa };
}

type Reception = Pick<Forwarding, "outcome" | "delivered" | "received" | "receiveSc" | "receiveSa">;

// Checks in the order of 802.1AE figure 10-5; the C bit is always set, so no invalid frame passes.
function judgeTag(from: SecY, transmitSa: TransmitSa, to: SecY): Reception {
  const lost = (outcome: FlowOutcome, name?: keyof PortCounters): Reception => ({
    outcome,
    delivered: false,
    ...(name === undefined ? {} : { received: { at: to.counters, name } }),
  });
  if (to.mode === "open") return lost("blocked");
  if (from.includeSci && !to.includeSci) return lost("badTag", "rxBadTag");
  if (!from.includeSci && to.includeSci) return lost("noSci", "rxNoSci");
  const receiveSc = to.receiveScs.get(from.sci);
  if (receiveSc?.active !== true) {
    return to.includeSci ? lost("unknownSci", "rxUnknownSci") : lost("noSci", "rxNoSci");
  }
  const receiveSa = receiveSc.sas.get(transmitSa.an);
  if (receiveSa === undefined) return { ...lost("unusedSa"), receiveSc };
  if (receiveSa.key !== transmitSa.key) return { ...lost("notValid"), receiveSc, receiveSa };
  const open = to.mode === "secured";
  return { outcome: open ? "protected" : "blocked", delivered: open, receiveSc, receiveSa };
}

/** Returns the number of frames that fit into the remaining packet numbers. */
export function roomFor(forwarding: Forwarding, frames: number): number {
  const sa = forwarding.transmitSa;
  return sa === undefined ? frames : Math.min(frames, packetNumbersEnd(sa) - sa.nextPn);
}

/** Raises every counter that `frames` frames of so many octets touch in this direction. */
export function charge(forwarding: Forwarding, frames: number, octets: number): void {
  if (forwarding.sent !== undefined) forwarding.sent.at[forwarding.sent.name] += frames;
  if (forwarding.received !== undefined) forwarding.received.at[forwarding.received.name] += frames;
  if (forwarding.transmitSa !== undefined) forwarding.transmitSa.nextPn += frames;
  const { receiveSc: sc, receiveSa: sa } = forwarding;
  if (sc === undefined) return;
  if (sa === undefined) {
    sc.notUsingSa += frames;
    return;
  }
  // The octets count whatever the verdict on the ICV is, as Linux counts them.
  sc.octets[forwarding.onWire === "readable" ? "readable" : "encrypted"] += frames * octets;
  if (forwarding.outcome === "notValid") {
    sc.notValid += frames;
    sa.notValid += frames;
  } else {
    sc.ok += frames;
    sa.ok += frames;
  }
}
