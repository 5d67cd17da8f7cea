// Which received frames were readable on the wire, as far as the counters of a SecY can prove it.
// IEEE 802.1AE-2018, 9.9: E = 0 means that the user data is authenticated and not encrypted.
// The Linux kernel (drivers/net/macsec.c, macsec_post_decrypt) counts octets before its verdict on
// the ICV, so frames that anyone forges raise these counters too.

import type { Confidentiality } from "../model/health.ts";
import type { Observation } from "./sample-window.ts";

/** The counters of one observation that tell encrypted from readable frames. */
export interface ReceiveCounts {
  /** Octets of frames with E = 0, refused ones included. */
  readonly validated: bigint;
  /** Octets of frames with E = 1, refused ones included. */
  readonly decrypted: bigint;
  /** Accepted frames. */
  readonly accepted: bigint;
  /** Frames refused after their octets may have been counted; undefined = not all are counted. */
  readonly refused: bigint | undefined;
  /** The SAK in use: a channel made anew between two observations has another one. */
  readonly sak: string | undefined;
}

/** No frame has more octets: no interface of Linux has a larger MTU, and no Ethernet port. */
const frameOctetsMost = 65_535n;
/** A frame of less user data has no EtherType. */
const frameOctetsLeast = 1n;

const names = ["validated", "decrypted", "accepted"] as const;

/** True if no counter fell from `a` to `b`: one that fell was reset, replaced or has wrapped. */
function comparable(a: ReceiveCounts, b: ReceiveCounts): boolean {
  if (names.some((name) => b[name] < a[name])) return false;
  return a.refused === undefined || b.refused === undefined || b.refused >= a.refused;
}

interface Span {
  readonly from: ReceiveCounts;
  readonly to: ReceiveCounts;
}

/** True if more octets were readable than the refused frames can have had. */
function exceedsRefused(octets: Span, refused: Span): boolean {
  const [before, after] = [refused.from.refused, refused.to.refused];
  if (before === undefined || after === undefined) return false;
  return octets.to.validated - octets.from.validated > (after - before) * frameOctetsMost;
}

/** True if more frames were accepted than the decrypted octets can have been. */
function exceedsDecrypted(frames: Span, octets: Span): boolean {
  if (octets.to.validated === octets.from.validated) return false;
  const most = (octets.to.decrypted - octets.from.decrypted) / frameOctetsLeast;
  return frames.to.accepted - frames.from.accepted > most;
}

function canJoin(x: ReceiveCounts, y: ReceiveCounts, z: ReceiveCounts): boolean {
  return comparable(x, y) && comparable(y, z) && x.sak === y.sak && y.sak === z.sak;
}

/**
 * A frame raises the counter of its octets a moment before that of its verdict, so one reading may
 * lie between the two. Each difference is therefore compared with one that is an observation
 * longer, at the end where the other counter may differ by such frames.
 */
function provenBy(x: ReceiveCounts, y: ReceiveCounts, z: ReceiveCounts): boolean {
  const whole = { from: x, to: z };
  return exceedsRefused({ from: x, to: y }, whole) || exceedsDecrypted({ from: y, to: z }, whole);
}

/**
 * Derives what the observations prove, the oldest first; each has both counters of octets. It is
 * `readable` only if no number of refused frames, whatever their E bit, explains the octets, or no
 * encrypted frames explain the accepted ones. Never throws.
 */
export function confidentialityOf(observations: readonly ReceiveCounts[]): Confidentiality {
  let [isRising, isDecrypting, isAccepting, isSuspect] = [false, false, false, false];
  for (const [index, z] of observations.entries()) {
    const [x, y] = [observations[index - 2], observations[index - 1]];
    if (y === undefined) continue;
    if (x !== undefined && canJoin(x, y, z)) {
      if (provenBy(x, y, z)) return "readable";
      isSuspect = false;
    }
    if (!comparable(y, z)) {
      [isRising, isDecrypting, isAccepting] = [false, false, false];
      continue;
    }
    isRising ||= z.validated > y.validated;
    isDecrypting ||= z.decrypted > y.decrypted;
    isAccepting ||= z.accepted > y.accepted;
    const last = { from: y, to: z };
    isSuspect ||= exceedsRefused(last, last) || exceedsDecrypted(last, last);
  }
  if (isSuspect) return "unsettled";
  if (isRising) return "unproven";
  if (isDecrypting) return "encrypted";
  return isAccepting || observations.length === 0 ? "notVisible" : "noFrames";
}

/**
 * Returns the counters of an observation; undefined if its platform does not show the octets of
 * both kinds.
 */
export function receiveCounts({ frames, session }: Observation): ReceiveCounts | undefined {
  const { rxOctetsValidated: validated, rxOctetsDecrypted: decrypted, rxOk: accepted } = frames;
  if (validated === undefined || decrypted === undefined) return undefined;
  const { rxNotValid, rxLate, rxNotUsingSa = 0n, rxUnusedSa = 0n } = frames;
  const isWhole = rxNotValid !== undefined && rxLate !== undefined;
  const refused = isWhole ? rxNotValid + rxLate + rxNotUsingSa + rxUnusedSa : undefined;
  return { validated, decrypted, accepted, refused, sak: session.latestSak?.keyId };
}
