// Misfortune at the worst moment: a fault that strikes as a campaign enters a state, because some
// windows last a second and a storm seldom meets them.

import { type FleetFault, fleetFaults } from "#sim/faults.ts";
import type { Prng } from "#sim/prng.ts";
import type { Site } from "#sim/site.ts";
import type { Storm } from "#sim/storm.ts";
import { type Campaign, type CampaignState, campaignStates, entryOf } from "../campaign/model.ts";

export interface AmbushParts {
  readonly site: Site;
  readonly storm: Storm;
  readonly prng: Prng;
  /** Faults that lie in wait. */
  readonly traps: number;
  readonly about: "enrolment" | "rotation";
}

interface Trap {
  readonly state: CampaignState;
  readonly kind: FleetFault;
  readonly where: "link" | "sibling";
  readonly delayMs: number;
  readonly lastsMs: number;
}

const delaysMs = [0, 1_000, 4_000, 20_000] as const;
/** Most misfortunes pass; some outlast every deadline. */
const lasting = [0.1, 0.25, 1] as const;
const lastsMsMax = 600_000;
const passing: readonly CampaignState[] = ["queued", "done"];
const states = campaignStates.filter((state) => !passing.includes(state));

interface Strike {
  /** The state that it waits for. */
  readonly at: CampaignState;
  readonly kind: string;
  /** The link under way, if not said. */
  readonly where?: "sibling";
  /** At least, and at most, so much later. */
  readonly afterMs?: number;
  readonly withinMs?: number;
  /** Drawn from its kind, if not said. */
  readonly lastsMs?: number;
}

type Conspiracy = readonly Strike[];

const long = { lastsMs: 400_000 } as const;
const soon = { withinMs: 4_000 } as const;
const later = { withinMs: 20_000 } as const;
const late: Strike = { at: "staging", kind: "commit-late" };
const ahead: Strike = { at: "staging", kind: "far-ahead", ...soon };
const back: Strike = { at: "staging", kind: "far-back", afterMs: 44_000, withinMs: 62_000 };
const lostSibling: Strike = { at: "staging", kind: "port-shut", where: "sibling", ...soon };
const dark: Strike = { at: "staging", kind: "fibre-cut", ...later, ...long };

/** Troubles that are harmless alone and not together. */
const conspiracies: readonly Conspiracy[] = [
  // A staged key comes when the campaign has gone elsewhere: to the gates, back, or on.
  [late, { at: "staging", kind: "undrained", ...soon }],
  [late, { at: "staging", kind: "undrained", ...soon }, ahead],
  [late, lostSibling],
  [late, lostSibling, ahead],
  [late, ahead],
  // It comes when the router has got that key otherwise, and nobody needs it any more.
  [late, ahead, back],
  [late, ahead, back, { at: "staging", kind: "peer-silent", afterMs: 60_000, withinMs: 90_000 }],
  [late, ahead, back, { at: "staging", kind: "far-person", afterMs: 70_000, withinMs: 110_000 }],
  [
    ...[late, ahead, back],
    { at: "staging", kind: "far-slow", afterMs: 64_000, withinMs: 70_000, ...long },
    { at: "staging", kind: "far-person", afterMs: 75_000, withinMs: 100_000 },
  ],
  [late, ahead, { at: "staging", kind: "key-tidied", afterMs: 36_000, withinMs: 60_000 }],
  // A staged key can be neither confirmed nor taken back while the link is dark.
  [dark],
  [dark, { at: "staging", kind: "far-ahead", withinMs: 60_000 }],
  // Somebody ran ahead, and the router does not follow.
  [
    { at: "gated", kind: "port-shut", where: "sibling", lastsMs: 60_000 },
    { at: "gated", kind: "far-ahead", ...long },
    { at: "gated", kind: "key-refused", ...long },
  ],
  // A commit of somebody else that stays, perhaps beside a port that is shut for a key change.
  [{ at: "draining", kind: "commit-left", ...soon, ...long }],
  [{ at: "staging", kind: "commit-left", ...later, ...long }],
  [{ at: "staged", kind: "commit-left", ...long }],
  [{ at: "switching", kind: "commit-left", afterMs: 2_000, ...later, ...long }],
  [{ at: "retiring", kind: "commit-left", withinMs: 6_000, lastsMs: 60_000 }],
  [{ at: "reverting", kind: "commit-left", ...later, ...long }],
  // A candidate that is gone and cannot be made again, or a router that nobody reaches.
  [{ at: "switching", kind: "locked", afterMs: 2_000, withinMs: 8_000, ...long }],
  [{ at: "switching", kind: "unreachable", ...soon, ...long }],
  // A key that stays where it is to go, or is not taken where it is to come.
  [{ at: "retiring", kind: "key-kept", ...long }],
  [
    { at: "retiring", kind: "key-kept", ...long },
    { at: "retiring", kind: "undrained-briefly", ...later },
  ],
  [{ at: "promoting", kind: "locked", ...long }],
  [
    { at: "promoting", kind: "reply-late", ...long },
    { at: "promoting", kind: "undrained-briefly", ...later },
  ],
  [
    { at: "retiring", kind: "reply-late", ...long },
    { at: "retiring", kind: "undrained-briefly", ...later },
  ],
  [{ at: "draining", kind: "key-refused", ...long }],
  [
    { at: "proving", kind: "far-back", ...soon },
    { at: "reverting", kind: "key-refused", ...long },
  ],
  [
    { at: "proving", kind: "peer-silent", ...long },
    { at: "reverting", kind: "key-refused", ...long },
  ],
  [{ at: "retiring", kind: "key-by-hand", afterMs: 6_000, withinMs: 30_000 }],
  // A key goes while the far end is on its way to it.
  [
    { at: "awaitingPeer", kind: "far-ahead", withinMs: 1_000 },
    { at: "awaitingPeer", kind: "key-gone", afterMs: 3_000, withinMs: 8_000 },
  ],
  [{ at: "staged", kind: "key-tidied", ...soon }],
  [{ at: "draining", kind: "key-tidied", ...soon }],
];

/** The same for first keys. */
const enrolling: readonly Conspiracy[] = [
  [{ at: "proving", kind: "far-off", ...soon }],
  [
    { at: "proving", kind: "far-off", ...soon },
    { at: "proving", kind: "fibre-cut", afterMs: 20_000, withinMs: 40_000, ...long },
  ],
  [{ at: "switching", kind: "far-fails", ...long }],
  [{ at: "draining", kind: "key-refused", ...long }],
  [{ at: "switching", kind: "far-off", ...later }],
];

export class Ambush {
  readonly #parts: AmbushParts;
  readonly #traps: Trap[];

  constructor(parts: AmbushParts) {
    this.#parts = parts;
    const { prng, traps, about } = parts;
    // Troubles come together: half of them wait for the same state.
    const state = prng.pick(states);
    this.#traps = Array.from({ length: traps }, () => {
      const where = prng.chance(0.85) ? "link" : "sibling";
      const delayMs = prng.between(0, prng.pick(delaysMs));
      const meets = prng.chance(0.5) ? state : prng.pick(states);
      return trapOf(prng, prng.pick(fleetFaults), { state: meets, where, delayMs });
    });
    const all = about === "enrolment" ? enrolling : conspiracies;
    if (traps > 0 && prng.chance(about === "enrolment" ? 0.9 : 0.7))
      this.#traps.push(...conspiring(prng, prng.pick(all)));
  }

  /** A campaign is in this state now: what waited for it strikes, each trap once. */
  entered(campaign: Campaign, state: CampaignState): void {
    const { site, storm } = this.#parts;
    for (const trap of this.#traps.filter((each) => each.state === state)) {
      this.#traps.splice(this.#traps.indexOf(trap), 1);
      const { name } = entryOf(campaign);
      const link = site.links.find(
        (each) => each.group === campaign.group && (each.name === name) === (trap.where === "link"),
      );
      if (link !== undefined) storm.strikeAfter(trap.delayMs, trap.kind, link, trap.lastsMs);
    }
  }
}

function trapOf(
  prng: Prng,
  kind: FleetFault,
  trap: Pick<Trap, "state" | "where" | "delayMs">,
): Trap {
  const { low, high } = kind.lastsMs;
  const lastsMs = Math.min(lastsMsMax, prng.between(low, high) * prng.pick(lasting));
  return { ...trap, kind, lastsMs };
}

function conspiring(prng: Prng, strikes: Conspiracy): readonly Trap[] {
  return strikes.map(({ at, kind: name, where, afterMs = 0, withinMs = afterMs, lastsMs }) => {
    const kind = fleetFaults.find((each) => each.name === name);
    if (kind === undefined) throw new RangeError(`no fault ${name}`);
    const delayMs = prng.between(afterMs, withinMs);
    const trap = trapOf(prng, kind, { state: at, where: where ?? "link", delayMs });
    return lastsMs === undefined ? trap : { ...trap, lastsMs };
  });
}
