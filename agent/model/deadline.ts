// How long a campaign may stay in a state that must get on by itself.

import type { CampaignState } from "./campaign.ts";
import type { RotationSettings } from "./desired.ts";
import { provingMs } from "./proof-time.ts";

/**
 * Returns how long a campaign may stay in a state; infinite for one that waits for a person or a
 * precondition, and for `done`.
 */
export function deadlineMs(state: CampaignState, rotation: RotationSettings): number {
  const { verifyMs, soakMs, farEndMs, drained } = rotation;
  switch (state) {
    case "draining":
      return verifyMs + 2 * drained.samples * drained.everyMs;
    case "staging":
    case "staged":
    case "promoting":
    case "retiring":
      return 2 * verifyMs;
    case "switching":
    case "reverting":
      return farEndMs;
    case "proving":
      return provingMs(rotation);
    case "restoring":
      return 2 * verifyMs + 2 * soakMs;
    case "queued":
    case "gated":
    case "awaitingPeer":
    case "held":
    case "done":
      return Number.POSITIVE_INFINITY;
  }
}
