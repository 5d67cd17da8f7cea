// What the config and `init` have to know of a simulated router.

import type { PlatformFacts } from "#hal/platform-facts.ts";

/** The facts about a simulated router. */
export const simFacts: PlatformFacts = {
  meant: /^(?!)/,
  vrfLengthMax: "none",
  aggregates: "none",
  bfdLines: () => ["linkseal sim fault bfd-off --heal"],
};
