// Every rule of the tree; each has a seeded offender and a near miss in seeded.ts.

import { actorRule, wordRule } from "./english.ts";
import { importRule } from "./imports.ts";
import { lockRule, manifestRule } from "./manifest.ts";
import { jsonRule, loosenedRule, patternRule, testRule, worldRule } from "./names.ts";
import { secretRule } from "./secrets.ts";
import {
  awaitRule,
  classRule,
  columnRule,
  fileRule,
  functionRule,
  machineRule,
  pathRule,
  reminderRule,
  suppressionRule,
} from "./shape.ts";
import type { Rule } from "./source.ts";

export const rules: readonly Rule[] = [
  importRule,
  worldRule,
  loosenedRule,
  jsonRule,
  testRule,
  patternRule,
  functionRule,
  fileRule,
  columnRule,
  pathRule,
  classRule,
  awaitRule,
  reminderRule,
  suppressionRule,
  actorRule,
  wordRule,
  machineRule,
  secretRule,
  manifestRule,
  lockRule,
];
