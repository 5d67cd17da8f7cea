// Targeted faults: a fault strikes as a campaign enters a state, takes a row or has shut a port,
// because some of these moments last a second and a random schedule seldom meets them.

import {
  type Campaign,
  type CampaignState,
  campaignStates,
  entryOf,
} from "#agent/model/campaign.ts";
import type { Prng } from "#sim/base/prng.ts";
import { type StormFault, stormFaults } from "#sim/faults/faults.ts";
import type { Site } from "#sim/site/site.ts";
import {
  enrolling,
  type FaultCombination,
  fits,
  type Ground,
  meets,
  rotating,
  type Strike,
} from "./fault-combinations.ts";
import type { Storm } from "./fault-storm.ts";

export interface TargetedFaultsParts {
  readonly site: Site;
  readonly storm: Storm;
  readonly prng: Prng;
  readonly scene: Ground["scene"];
  /** The number of independent faults that wait for their moment. */
  readonly targeted: number;
  readonly about: "enrolment" | "rotation";
  /** `none`: a fault combination waits, and no other fault. */
  readonly company: "storm" | "none";
}

interface TargetedFault {
  readonly at: Strike["at"];
  readonly kind: StormFault;
  readonly where: "link" | "sibling";
  readonly delayMs: number;
  readonly lastsMs: number;
  /** The combination that the fault belongs to; undefined if it strikes alone, in any campaign. */
  readonly combination: FaultCombination | undefined;
}

const delaysMs = [0, 1_000, 4_000, 20_000] as const;
/** Most faults end in time; some outlast every deadline. */
const lasting = [0.1, 0.25, 1] as const;
const lastsMsMax = 600_000;
const passing: readonly CampaignState[] = ["queued", "done"];
const states = campaignStates.filter((state) => !passing.includes(state));
const combinationChance = { enrolment: 0.9, rotation: 0.9 } as const;

export class TargetedFaults {
  readonly #parts: TargetedFaultsParts;
  readonly kind: "plain" | "combined";
  readonly #targeted: TargetedFault[];
  /** The last campaign of each group, and the state that it went to. */
  readonly #lastCampaign = new Map<
    string,
    { readonly campaign: Campaign; readonly state: CampaignState }
  >();

  constructor(parts: TargetedFaultsParts) {
    this.#parts = parts;
    const { prng, about, company } = parts;
    const targeted = company === "none" ? 0 : parts.targeted;
    // Faults occur together: half of them wait for the same state.
    const state = prng.pick(states);
    this.#targeted = Array.from({ length: targeted }, () => {
      const where = prng.chance(0.85) ? "link" : "sibling";
      const delayMs = prng.between(0, prng.pick(delaysMs));
      const at = prng.chance(0.5) ? state : prng.pick(states);
      return faultOf(prng, prng.pick(stormFaults), { at, where, delayMs, combination: undefined });
    });
    const isCombined =
      company === "none" || (targeted > 0 && prng.chance(combinationChance[about]));
    this.kind = isCombined ? "combined" : "plain";
    if (this.kind === "combined") {
      const all = about === "enrolment" ? enrolling : rotating;
      this.#targeted.push(...faultsOf(prng, chosen(prng, all, groundOf(parts))));
    }
  }

  /** Strikes what waited for this row or state, once. */
  entered(campaign: Campaign, row: string, state: CampaignState): void {
    this.#lastCampaign.set(campaign.group, { campaign, state });
    this.#strikeDue(campaign, ({ at }) => at === row || at === state);
  }

  /** Strikes what waited for the agent to shut the port of this link. */
  shut(link: string): void {
    const lastCampaign = this.#lastCampaign.get(link.slice(0, link.indexOf("/")));
    if (lastCampaign === undefined) return;
    const { campaign, state } = lastCampaign;
    this.#strikeDue(campaign, ({ at }) => at === "port.shut" || at === `${state}.shut`);
  }

  #strikeDue(campaign: Campaign, waits: (fault: TargetedFault) => boolean): void {
    const { site, storm } = this.#parts;
    const { name } = entryOf(campaign);
    const links = site.links.filter(({ group }) => group === campaign.group);
    const own = links.find((each) => each.name === name);
    const timed = own?.router.options.capabilities.commit.kind !== "immediate";
    const due = this.#targeted.filter(
      (fault) =>
        waits(fault) &&
        (fault.combination === undefined || meets(fault.combination, campaign, timed)),
    );
    for (const fault of due) {
      this.#targeted.splice(this.#targeted.indexOf(fault), 1);
      const link = links.find((each) => (each === own) === (fault.where === "link"));
      if (link !== undefined) storm.strikeAfter(fault.delayMs, fault.kind, link, fault.lastsMs);
    }
  }
}

function groundOf({ site, scene }: TargetedFaultsParts): Ground {
  const overlaps = site.links.map(({ router }) => {
    const overlap = router.options.capabilities.macsec?.overlap;
    return overlap === undefined || overlap === "none" ? "breakBeforeMake" : overlap;
  });
  return { scene, overlaps };
}

function chosen(prng: Prng, all: readonly FaultCombination[], ground: Ground): FaultCombination {
  const fitting = all.filter((each) => fits(each, ground));
  return prng.pick(
    fitting.flatMap((each) => Array.from({ length: each.needs.weight ?? 1 }, () => each)),
  );
}

function faultOf(
  prng: Prng,
  kind: StormFault,
  fault: Pick<TargetedFault, "at" | "where" | "delayMs" | "combination">,
): TargetedFault {
  const { low, high } = kind.lastsMs;
  const lastsMs = Math.min(lastsMsMax, prng.between(low, high) * prng.pick(lasting));
  return { ...fault, kind, lastsMs };
}

function faultsOf(prng: Prng, combination: FaultCombination): readonly TargetedFault[] {
  return combination.strikes.map(
    ({ at, kind: name, where, afterMs = 0, withinMs = afterMs, lastsMs }) => {
      const kind = stormFaults.find((each) => each.name === name);
      if (kind === undefined) throw new RangeError(`no fault ${name}`);
      const delayMs = prng.between(afterMs, withinMs);
      const fault = faultOf(prng, kind, { at, where: where ?? "link", delayMs, combination });
      return lastsMs === undefined ? fault : { ...fault, lastsMs };
    },
  );
}
