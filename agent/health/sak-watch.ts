// The watch of the SAKs that follow a rotation in which they were not proven: some hardware passes
// the first SAKs of a new key and fails at a later one.

import type { WallTime } from "#hal/world.ts";
import { laterSaksNeeded } from "../model/campaign.ts";
import type { LinkHealth, Reason, Verdict } from "../model/health.ts";
import { isoTime } from "../model/iso-time.ts";
import type { WarningCode } from "../model/warning-rows.ts";

/** How many SAKs have followed the first one of a new key. */
export interface LaterSakWatch {
  /** Later SAKs that were in use, the present one included; 0 = the first one is. */
  readonly seen: number;
  /** How many of them the watch needs. */
  readonly needed: number;
}

/** Reasons of a link whose MKA is content and whose frames are lost. */
const frameCodes: readonly WarningCode[] = [
  "stale-sak",
  "frames-not-valid",
  "frames-one-way",
  "probe-unanswered",
];

/** Returns true if the same key server made both SAKs, in one session; both are `mi/kn`. */
export function isSameServer(one: string, other: string): boolean {
  return serverOf(one) === serverOf(other);
}

/**
 * Returns the watch of a link; undefined = it has ended, because the link is protected under the
 * last SAK that is needed, or the SAKs are of two sessions.
 */
export function watchOf(first: string, inUse: string, verdict: Verdict): LaterSakWatch | undefined {
  if (!isSameServer(first, inUse)) return undefined;
  const seen = numberOf(inUse) - numberOf(first);
  if (!(seen >= 0 && seen <= laterSaksNeeded)) return undefined;
  if (seen === laterSaksNeeded && verdict === "protected") return undefined;
  return { seen, needed: laterSaksNeeded };
}

/**
 * Returns the health with the cause and the way back beside a loss of frames at a later SAK;
 * `about` is `group/link`, `changedAt` the end of the rotation.
 */
export function withWatch(
  health: LinkHealth,
  { seen, needed }: LaterSakWatch,
  about: string,
  changedAt: WallTime,
): LinkHealth {
  if (seen === 0) return health;
  const first = health.reasons.find(({ code }) => frameCodes.includes(code));
  if (first === undefined) return health;
  const which = `SAK ${seen} of ${needed} after the rotation of ${isoTime(changedAt)}`;
  const why = `this is ${which}: hardware can keep an older SAK at its association number`;
  const amended: Reason = {
    ...first,
    text: `${first.text}; ${why}. Drain the link and restart MACsec on its port`,
    next: `linkseal explain stale-sak ${about}`,
  };
  const reasons = health.reasons.map((reason) => (reason === first ? amended : reason));
  return { ...health, reasons };
}

function serverOf(keyId: string): string {
  return keyId.split("/", 1)[0] ?? keyId;
}

function numberOf(keyId: string): number {
  return Number(keyId.split("/")[1]);
}
