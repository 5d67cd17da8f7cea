// Every seeded defect, by the part of the agent that it changes.

import { decisionDefects } from "./defect-decisions.ts";
import { evidenceDefects } from "./defect-evidence.ts";
import { offenderDefects } from "./defect-offenders.ts";
import { worldDefects } from "./defect-worlds.ts";
import type { SeededDefect } from "./seeded-defect.ts";

export const seededDefects: readonly SeededDefect[] = [
  ...offenderDefects,
  ...evidenceDefects,
  ...decisionDefects,
  ...worldDefects,
];
