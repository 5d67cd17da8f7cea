// Changes that a router accepted and a later observation does not show.

import type { ActionKind, PortFacts } from "../model/campaign.ts";

/** Tests, by action, whether a port shows that its router lost the accepted change. */
export const lostWhen: Partial<Record<ActionKind, (port: PortFacts) => boolean>> = {
  drain: ({ drain }) => drain === "off",
  add: ({ keys }) => keys === "old",
  stage: ({ keys, pending }) => keys === "old" && pending === "none",
  promote: ({ keys, promotion }) => keys === "both" && promotion === "due",
  removeOld: ({ keys }) => keys === "both",
  removeNew: ({ keys }) => keys === "both",
  replace: ({ keys }) => keys === "old",
  replaceBack: ({ keys }) => keys === "new",
};

/** The lost thing in words, for the operator; absent = the new key. */
export const lostWords: Partial<Record<ActionKind, string>> = {
  drain: "drain",
  promote: "promotion of the new key",
  removeOld: "removal of the old key",
  removeNew: "removal of the new key",
  replaceBack: "old key",
};
