// Expiry warnings: keys that get too old or wait for an operator, secrets and certificates that
// expire. None of them changes a verdict.

import { type WallTime, wallAfter } from "#hal/world.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import {
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
} from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import type { WarningCode } from "../../model/warning-rows.ts";
import { type Memory, named } from "../../store/journal/memory.ts";
import { endsSoonMs } from "../polling/key-check.ts";
import type { UsedUntil } from "../polling/key-poller.ts";

/**
 * The lead time in milliseconds: enough to put a fresh pair into the vault and to wait for a
 * window. A short-lived key gets the share below instead.
 */
const agesSoonMs = 14 * 86_400_000;
const agesSoonShare = 4;

/** Warns that a link's key is older than `rotate.maxAge`, or soon will be. */
export function keyAgeWarnings(
  { rotate }: DesiredGroup,
  link: DesiredLink,
  created: WallTime | undefined,
  now: WallTime,
): Raised[] {
  const { maxAgeMs } = rotate;
  if (maxAgeMs === undefined || created === undefined) return [];
  const end = wallAfter(created, maxAgeMs);
  const made = `the key was made at ${isoTime(created)} and is too old`;
  if (now >= end) return [raise("key-age", linkId(link), `${made} since ${isoTime(end)}`)];
  const leadMs = Math.min(agesSoonMs, maxAgeMs / agesSoonShare);
  if (now < wallAfter(end, -leadMs)) return [];
  return [raise("key-age-soon", linkId(link), `${made} from ${isoTime(end)} on`)];
}

/** Warns of keys, certificates and identities that have expired or soon will. */
export function endWarnings(ends: readonly UsedUntil[], now: WallTime): Raised[] {
  return ends.flatMap(({ code, about, within, what, at }): Raised[] => {
    if (at - now >= endsSoonMs) return [];
    const text = `${what} ${now < at ? "ends" : "has ended"} at ${isoTime(at)}`;
    return [{ ...raise(code, about, text), within }];
  });
}

/** Warns that readings of the age that the config in force allows support no verdict any more. */
export function boundWarnings({ health, staleAfterAskedMs }: Desired): Raised[] {
  if (staleAfterAskedMs === undefined) return [];
  const [asked, used] = [staleAfterAskedMs, health.staleAfterMs].map((ms) => `${ms / 1_000}s`);
  const text = `health.staleAfter is ${asked} in the config in force, and ${used} is used`;
  const why = "no older reading supports a verdict";
  return [raise("stale-after-bounded", "site", `${text}: ${why}`)];
}

/** Warns of the last day of the risk that tunnels with a weak policy stand on. */
export function riskWarnings({ acceptRisks, tunnels }: Desired, now: WallTime): Raised[] {
  const weak = tunnels.filter(({ weaknesses }) => weaknesses.length > 0).map(({ name }) => name);
  const [last] = acceptRisks
    .filter(({ risk }) => risk === "weakTunnel")
    .map(({ until }) => until)
    .sort((a, b) => b - a);
  if (weak.length === 0 || last === undefined || now >= last || last - now >= endsSoonMs) return [];
  const text = `weakTunnel is accepted until ${isoTime(last)}; after it nothing sets up`;
  const first = weak.slice(0, 3).join(", ");
  const more = weak.length > 3 ? ` and ${weak.length - 3} more` : "";
  return [raise("risk-ending", "site", `${text} ${first}${more} again`)];
}

/**
 * Warns of a newer key that waits, is refused or was withdrawn, or of a certificate that the
 * gateway refuses.
 */
export function authWarnings(memory: Memory, tunnel: DesiredTunnel): Raised[] {
  const { name, device, auth } = tunnel;
  const next = named(memory.auths, name)?.next;
  if (next === undefined) return [];
  const within = [device];
  if (auth.kind === "certificate") {
    if (next.state !== "waiting") return [];
    const raised = raise("rotation-held", name, `its newer certificate waits: ${next.because}`);
    return [{ ...raised, next: "put a version into the vault that the gateway takes", within }];
  }
  const warningOf = (code: WarningCode, text: string, command: "show" | "proceed"): Raised[] => {
    const raised = raise(code, name, `${text}: ${next.because}`);
    return [{ ...raised, next: `linkseal psk ${command} ${name}`, within }];
  };
  switch (next.state) {
    case "waiting":
      if (auth.farEnd === "manual") {
        return warningOf("waiting-for-person", "a newer pre-shared key waits", "proceed");
      }
      return next.trouble === undefined
        ? warningOf("campaign-waiting", "a newer pre-shared key waits", "show")
        : warningOf("far-end-refused", "a newer pre-shared key is not taken", "show");
    case "giving":
      if (next.trouble === undefined) return [];
      return warningOf("far-end-refused", "a newer pre-shared key is on its way", "show");
    case "switching":
      return [];
    case "returning":
      return warningOf("rotation-held", "its newer pre-shared key is being withdrawn", "show");
    case "held":
      return warningOf("rotation-held", "its newer pre-shared key was withdrawn", "proceed");
  }
}
