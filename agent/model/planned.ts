// Which outage of a link is planned: one during a campaign that works on it.

import type { CampaignState } from "./campaign.ts";

/**
 * Returns true for a state in which a campaign works on its link as planned. One that goes back or
 * is stopped does not go as planned, and in the other states the link has its traffic.
 */
export function isPlannedWork(state: CampaignState): boolean {
  switch (state) {
    case "draining":
    case "staging":
    case "staged":
    case "switching":
    case "proving":
    case "promoting":
    case "retiring":
    case "restoring":
      return true;
    case "queued":
    case "gated":
    case "awaitingPeer":
    case "reverting":
    case "held":
    case "done":
      return false;
  }
}
