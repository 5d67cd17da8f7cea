// Every seeded defect, by the part of the agent that it changes.

import type { Plant } from "./plant.ts";
import { decisionPlants } from "./plant-decisions.ts";
import { evidencePlants } from "./plant-evidence.ts";
import { offenderPlants } from "./plant-offenders.ts";
import { worldPlants } from "./plant-worlds.ts";

export const plants: readonly Plant[] = [
  ...offenderPlants,
  ...evidencePlants,
  ...decisionPlants,
  ...worldPlants,
];
