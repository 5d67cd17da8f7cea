// A planted fault: a small mistake of our own, or an offender beside us, that the simulator must
// find.

import type { World } from "#hal/world.ts";
import { decide } from "../campaign/campaign.ts";
import { type Mind, soundMind } from "../campaign/conductor.ts";

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

/** A plant in one run; what it remembers outlives the processes of that run. */
export interface Sown {
  readonly decide: Mind["decide"];
  readonly heeds: Mind["heeds"];
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
  heeds: soundMind.heeds,
  surround: ({ world }) => world,
};
