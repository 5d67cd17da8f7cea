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
  readonly kind: string;
  /** The link under way, if not said. */
  readonly where?: "sibling";
  /** At least, and at most, so much later. */
  readonly afterMs?: number;
  readonly withinMs?: number;
  /** Drawn from its kind, if not said. */
  readonly lastsMs?: number;
}

interface Conspiracy {
  readonly state: CampaignState;
  readonly strikes: readonly Strike[];
}

const long = { lastsMs: 400_000 } as const;
const soon = { withinMs: 4_000 } as const;

/** Troubles that are harmless alone and not together. */
const conspiracies: readonly Conspiracy[] = [
  // A staged key comes when the campaign has gone elsewhere: to the gates, back, or on.
  { state: "staging", strikes: [{ kind: "commit-late" }, { kind: "undrained", ...soon }] },
  {
    state: "staging",
    strikes: [{ kind: "commit-late" }, { kind: "undrained", ...soon }, { kind: "far-ahead" }],
  },
  {
    state: "staging",
    strikes: [{ kind: "commit-late" }, { kind: "port-shut", where: "sibling", ...soon }],
  },
  {
    state: "staging",
    strikes: [
      { kind: "commit-late" },
      { kind: "port-shut", where: "sibling", ...soon },
      { kind: "far-ahead", ...soon },
    ],
  },
  { state: "staging", strikes: [{ kind: "commit-late" }, { kind: "far-ahead", ...soon }] },
  // It comes when the router has got that key otherwise, and nobody needs it any more.
  {
    state: "staging",
    strikes: [
      { kind: "commit-late" },
      { kind: "far-ahead", ...soon },
      { kind: "far-back", afterMs: 28_000, withinMs: 50_000 },
    ],
  },
  {
    state: "staging",
    strikes: [
      { kind: "commit-late" },
      { kind: "far-ahead", ...soon },
      { kind: "far-back", afterMs: 28_000, withinMs: 50_000 },
      { kind: "peer-silent", afterMs: 40_000, withinMs: 80_000 },
    ],
  },
  // A staged key can be neither confirmed nor taken back while the link is dark.
  { state: "staging", strikes: [{ kind: "fibre-cut", withinMs: 20_000, ...long }] },
  {
    state: "staging",
    strikes: [
      { kind: "fibre-cut", withinMs: 20_000, ...long },
      { kind: "far-ahead", withinMs: 60_000 },
    ],
  },
  // Somebody ran ahead, and the router does not follow.
  {
    state: "gated",
    strikes: [
      { kind: "port-shut", where: "sibling", lastsMs: 60_000 },
      { kind: "far-ahead", ...long },
      { kind: "key-refused", ...long },
    ],
  },
  // A port that is shut for a key change, and a commit that is in the way of opening it.
  { state: "retiring", strikes: [{ kind: "commit-left", withinMs: 20_000, lastsMs: 60_000 }] },
  { state: "reverting", strikes: [{ kind: "commit-left", withinMs: 20_000, ...long }] },
  { state: "staged", strikes: [{ kind: "commit-left", ...long }] },
  { state: "switching", strikes: [{ kind: "commit-left", ...soon, ...long }] },
  // A candidate that is gone, and cannot be made again.
  {
    state: "switching",
    strikes: [
      { kind: "session-cut", ...soon },
      { kind: "locked", ...soon, ...long },
    ],
  },
  { state: "switching", strikes: [{ kind: "unreachable", ...soon, ...long }] },
  { state: "switching", strikes: [{ kind: "far-fails", ...long }] },
  // A key that stays where it is to go, or is not taken where it is to come.
  { state: "retiring", strikes: [{ kind: "key-kept", ...long }] },
  {
    state: "retiring",
    strikes: [
      { kind: "key-kept", ...long },
      { kind: "undrained-briefly", withinMs: 20_000 },
    ],
  },
  {
    state: "promoting",
    strikes: [
      { kind: "locked", ...long },
      { kind: "undrained-briefly", withinMs: 20_000 },
    ],
  },
  { state: "draining", strikes: [{ kind: "key-refused", ...long }] },
  { state: "reverting", strikes: [{ kind: "key-refused", ...long }] },
  { state: "proving", strikes: [{ kind: "far-off", ...soon }] },
  { state: "switching", strikes: [{ kind: "far-off", withinMs: 20_000 }] },
];

export class Ambush {
  readonly #parts: AmbushParts;
  readonly #traps: Trap[];

  constructor(parts: AmbushParts) {
    this.#parts = parts;
    const { prng, traps } = parts;
    // Troubles come together: half of them wait for the same state.
    const state = prng.pick(states);
    this.#traps = Array.from({ length: traps }, () => {
      const where = prng.chance(0.85) ? "link" : "sibling";
      const delayMs = prng.between(0, prng.pick(delaysMs));
      const meets = prng.chance(0.5) ? state : prng.pick(states);
      return trapOf(prng, prng.pick(fleetFaults), { state: meets, where, delayMs });
    });
    if (traps > 0 && prng.chance(0.5)) this.#traps.push(...conspiring(prng));
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

function conspiring(prng: Prng): readonly Trap[] {
  const { state, strikes } = prng.pick(conspiracies);
  return strikes.map(({ kind: name, where, afterMs = 0, withinMs = afterMs, lastsMs }) => {
    const kind = fleetFaults.find((each) => each.name === name);
    if (kind === undefined) throw new RangeError(`no fault ${name}`);
    const delayMs = prng.between(afterMs, withinMs);
    const trap = trapOf(prng, kind, { state, where: where ?? "link", delayMs });
    return lastsMs === undefined ? trap : { ...trap, lastsMs };
  });
}
