// The states of a campaign in plain words, for the CLI and the page. JSON, metrics and documents
// keep the codes.

import type { CampaignState } from "./campaign.ts";

/** Returns the state as operators read it; `age` = how long it has lasted, as text. */
export function stateText(state: CampaignState, age?: string): string {
  const since = age === undefined ? "" : ` for ${age}`;
  if (state === "gated") return `waiting for checks${since}`;
  if (state === "held") return `stopped${since}, needs an operator`;
  return `${state}${since}`;
}
