// A seeded defect: a small mistake in the agent, or a harmful program beside it, that the simulator
// must find.

import type { Campaign, CampaignState, Facts, Step } from "#agent/model/campaign.ts";
import type { OnDecision } from "#agent/model/decision.ts";
import type { Cause } from "#agent/model/reason.ts";
import { decide } from "#agent/rotation/campaign.ts";
import type { World } from "#hal/world.ts";

/**
 * `liveness` means that something never comes to an end; `repeat`, that the same seed gives another
 * history.
 */
type Broken = "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "liveness" | "repeat";

/** The edge end of a link. */
interface Edge {
  readonly group: string;
  readonly device: string;
  readonly port: string;
}

/**
 * The surroundings of a seeded defect: `processNumber` counts the processes of the agent from 1.
 */
interface Ground {
  readonly world: World;
  readonly edges: readonly Edge[];
  readonly processNumber: number;
}

export type Decide = (campaign: Campaign, facts: Facts) => Step;
/** Changes the doubt that observations cast on relying on a sibling. */
export type Heeds = (lost: Cause | undefined) => Cause | undefined;
type Took = (campaign: Campaign, row: string, next: CampaignState) => void;

/** A seeded defect in one run; its memory outlives the processes of that run. */
export interface ActiveDefect {
  readonly decide: Decide;
  readonly heeds: Heeds;
  readonly surround: (ground: Ground) => World;
}

export interface SeededDefect {
  readonly name: string;
  readonly breaks: Broken;
  /** The wrong behaviour, as a sentence without its subject. */
  readonly title: string;
  /** The run that shows it: days of calm, or rotations under a fault schedule. */
  readonly where: "days" | "rotations";
  readonly activate: () => ActiveDefect;
}

/** The unchanged agent in an unchanged World. */
export const noDefect: ActiveDefect = {
  decide,
  heeds: (lost) => lost,
  surround: ({ world }) => world,
};

/** Makes a decision hook; `took` is called with each row that was taken. */
export function hookOf(active: ActiveDefect, took?: Took): OnDecision {
  return (decision) => {
    switch (decision.kind) {
      case "step":
        if (active.decide !== decide)
          decision.step = active.decide(decision.campaign, decision.facts);
        return;
      case "doubt":
        decision.doubt = active.heeds(decision.doubt);
        return;
      case "taken":
        took?.(decision.campaign, decision.row, decision.next);
        return;
      case "tunnelStep":
        return;
    }
  };
}
