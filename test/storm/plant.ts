// A planted fault: a small mistake of our own, or an offender beside us, that the simulator must
// find.

import type { Campaign, CampaignState, Facts, Step } from "#agent/model/campaign.ts";
import type { Cause } from "#agent/model/reason.ts";
import { decide } from "#agent/rotation/campaign.ts";
import type { OnDecision } from "#agent/runtime/campaigns/conductor.ts";
import type { World } from "#hal/world.ts";

/** `liveness` = what must come to an end does not; `repeat` = the same seed tells another story. */
type Broken = "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "liveness" | "repeat";

/** Where a link ends on our side. */
interface Edge {
  readonly group: string;
  readonly device: string;
  readonly port: string;
}

/** What a plant is put around: `life` counts the processes of the agent from 1. */
interface Ground {
  readonly world: World;
  readonly edges: readonly Edge[];
  readonly life: number;
}

export type Decide = (campaign: Campaign, facts: Facts) => Step;
/** What is made of that which observations say against leaning on a sibling. */
export type Heeds = (lost: Cause | undefined) => Cause | undefined;
type Took = (campaign: Campaign, row: string, next: CampaignState) => void;

/** A plant in one run; what it remembers outlives the processes of that run. */
export interface Sown {
  readonly decide: Decide;
  readonly heeds: Heeds;
  readonly surround: (ground: Ground) => World;
}

export interface Plant {
  readonly name: string;
  readonly breaks: Broken;
  /** What is done wrong, as a sentence without its subject. */
  readonly title: string;
  /** The run that shows it: days of a calm fleet, or rotations in bad weather. */
  readonly where: "days" | "rotations";
  readonly sow: () => Sown;
}

/** The agent as it is, in the world as it is. */
export const nothingSown: Sown = {
  decide,
  heeds: (lost) => lost,
  surround: ({ world }) => world,
};

/** `took` hears of each row that was taken. */
export function hookOf(sown: Sown, took?: Took): OnDecision {
  return (decision) => {
    switch (decision.kind) {
      case "step":
        if (sown.decide !== decide) decision.step = sown.decide(decision.campaign, decision.facts);
        return;
      case "doubt":
        decision.doubt = sown.heeds(decision.doubt);
        return;
      case "taken":
        took?.(decision.campaign, decision.row, decision.next);
        return;
    }
  };
}
