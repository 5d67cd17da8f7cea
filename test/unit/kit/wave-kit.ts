// Waves, asks and statuses for the tests of a hub.

import type { Ask, AskState } from "#agent/fleet/records.ts";
import type { Member, MemberState, Wave } from "#agent/fleet/wave.ts";
import type { Verdict } from "#agent/model/health.ts";
import { isoTime } from "#agent/model/iso-time.ts";
import type { WallTime } from "#hal/world.ts";
import { wallStart } from "./site-bench.ts";
import { siteStatus } from "./site-statuses.ts";

/** The hub's wall clock `ms` after the beginning. */
export const wallAt = (ms: number): WallTime => (wallStart + ms) as WallTime;

/** A nonce that is told by its number. */
export const nonceOf = (number: number): string => number.toString(16).padStart(32, "0");

/** An ask of the group `g` of a site. */
export function askOf(site: string, number: number, state: AskState = { kind: "asking" }): Ask {
  return {
    ...{ nonce: nonceOf(number), site, group: "g", kind: "rotate" },
    config: { number: 1, sha256: "ab".repeat(32) },
    keys: [{ link: "primary", old: "aa", new: "bb" }],
    ...{ at: wallAt(0), state },
  };
}

export const asking = { kind: "asking" } as const;
export const begun = { kind: "begun", at: wallAt(0) } as const;
export const reached = { kind: "ended", at: wallAt(0), end: "reached" } as const;
export const notReached = { kind: "ended", at: wallAt(0), end: "notReached" } as const;

/** The group `g` of a site. */
export function memberOf(site: string, state: MemberState = { kind: "waiting" }): Member {
  return { site, group: "g", before: null, state };
}

/** A wave over the groups `g` of these sites, in stages. */
export function waveOf(stages: readonly (readonly string[])[], part: Partial<Wave> = {}): Wave {
  return {
    ...{ name: "w", kind: "rotate", shareMax: 2, bakeMs: 60_000, lateMs: 3_600_000 },
    ...{ permitMs: 600_000, begun: { at: wallAt(0), by: "ann" }, resumed: null },
    ...{ state: { kind: "running" }, stage: 0, bakingSince: null },
    stages: stages.map((sites) => sites.map((site) => memberOf(site))),
    ...part,
  };
}

/** The octets of a site's status of that verdict. */
export function statusOf(site: string, verdict: Verdict, at: WallTime): Uint8Array {
  const told = { at: isoTime(at), verdict, verdicts: { [verdict]: 2 } };
  return Buffer.from(JSON.stringify(siteStatus(site, told)));
}
