// What the loops of a device may write beside the campaigns on its groups. Pure.

import type { CampaignState } from "../model/campaign.ts";

/**
 * `all`: no campaign is open. `setUps`: each of them waits, so that what is set up beside it
 * disturbs nothing, but nothing may be taken out of service. `none`: observe, and write nothing.
 */
export type Leave = "all" | "setUps" | "none";

/**
 * Returns what the open campaigns of a device, by their states, leave to its loops. One that waits
 * for its window, or for a person's decision, may do so for days; one that waits for the far end
 * (`awaitingPeer`) has to go on the moment that this moves.
 */
export function leaveBeside(open: readonly CampaignState[]): Leave {
  if (open.length === 0) return "all";
  return open.every((state) => state === "gated" || state === "held") ? "setUps" : "none";
}
