// Shows a campaign that an operator began or sent a command to, and with --wait follows it to its
// end first.

import { readable } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Status } from "../runtime/health/status.ts";
import { follow } from "./progress.ts";
import { campaignText } from "./rotation-text.ts";
import type { Session } from "./session.ts";
import { exit } from "./shape.ts";

/**
 * Follows the campaign to its end if `wait` is set, and shows it; `after` = number of the last
 * event before the campaign began.
 */
export async function conclude(
  session: Session,
  begun: CampaignShape,
  after: number,
  { wait }: { readonly wait?: true },
): Promise<void> {
  const groups = [begun.group];
  const [ended] =
    wait === true ? await follow(session, { groups, after, until: "ended", quietMs: 0 }) : [begun];
  const campaign = ended ?? begun;
  await showCampaigns(session, campaign, [campaign]);
  exit(campaignExit(campaign));
}

/** Returns 1 for a campaign that stopped, or that ended without its goal. */
function campaignExit({ state, goal, links }: CampaignShape): 0 | 1 {
  if (state === "held") return 1;
  const isMissed = links.some(({ outcome }) =>
    outcome === "reverted" ? goal === "forward" : outcome === "abandoned",
  );
  return state === "done" && isMissed ? 1 : 0;
}

export async function showCampaigns(
  session: Session,
  result: unknown,
  campaigns: readonly CampaignShape[],
): Promise<void> {
  const { at } = await session.view<Status>("/v1/status");
  await session.show(result, () => {
    if (campaigns.length === 0) return "No campaign has run.";
    return readable(campaigns)
      .map((campaign) => campaignText(campaign, at))
      .join("\n\n");
  });
}
