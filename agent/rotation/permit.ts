// The hub's permit: which campaigns need one, and until when a link can still wait for it.

import type { Campaign, CampaignState, PortFacts } from "../model/campaign.ts";
import type { Desired, RiskName } from "../model/desired.ts";

/** Returns true if this campaign takes no link without a permit. */
export function needsPermit(
  { fleet }: Pick<Desired, "fleet">,
  { urgency, risks }: Pick<Campaign, "urgency" | "risks">,
  acceptsRisk: (risk: RiskName) => boolean,
): boolean {
  if (fleet?.permits === undefined || urgency === "emergency") return false;
  return !risks.includes("noPermit") && !acceptsRisk("noPermit");
}

/** Returns true if the campaign was last seen to lack nothing but its permit. */
export const waitsForPermit = ({ reason }: Pick<Campaign, "reason">): boolean =>
  "cause" in reason && reason.cause.code === "gate.permit";

/** The states before anything takes the link. */
const before: readonly CampaignState[] = ["queued", "gated", "draining"];

/**
 * Returns true if the link under way is as it was before the campaign, as far as that can be seen:
 * only then does a campaign wait for a hub. What has taken a link goes on to the end of it, and a
 * way back is never held up. `port`: undefined = it was not read.
 */
export function isUntaken(
  { goal, told, state }: Pick<Campaign, "goal" | "told" | "state">,
  port: Pick<PortFacts, "keys" | "drain"> | undefined,
): boolean {
  if (port === undefined || goal === "revert" || told || !before.includes(state)) return false;
  if (["new", "both", "half"].includes(port.keys)) return false;
  // A drain that the campaign has not sent, or has given back, is no beginning.
  return port.drain === "off" || state !== "draining";
}
