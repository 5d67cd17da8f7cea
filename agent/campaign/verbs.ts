// What an operator may say to a campaign, and when.

import type { WallTime } from "#hal/world.ts";
import type { Campaign, CampaignState, PortFacts } from "./campaign.ts";

export type OperatorVerb = "proceed" | "resume" | "abandon";

export type Verdict =
  | { readonly kind: "accepted"; readonly campaign: Campaign }
  | { readonly kind: "refused"; readonly why: string };

/** What an operator may do, and when. */
export function command(
  campaign: Campaign,
  verb: OperatorVerb,
  port: PortFacts | undefined,
  at: WallTime,
): Verdict {
  const to = (state: CampaignState, because: string, mark: Partial<Campaign> = {}): Verdict => ({
    kind: "accepted",
    campaign: { ...campaign, state, because, since: at, ...mark },
  });
  switch (verb) {
    case "proceed":
      return campaign.state === "awaitingPeer"
        ? { kind: "accepted", campaign: { ...campaign, asked: true } }
        : { kind: "refused", why: `the campaign waits for nobody: it is ${campaign.state}` };
    case "resume":
      return campaign.state === "held"
        ? to("gated", "the operator resumed it", { asked: false, heldFrom: undefined })
        : { kind: "refused", why: `only a held campaign resumes: it is ${campaign.state}` };
    case "abandon":
      return abandon(campaign, port, to);
  }
}

function abandon(
  campaign: Campaign,
  port: PortFacts | undefined,
  to: (state: CampaignState, because: string, mark: Partial<Campaign>) => Verdict,
): Verdict {
  if (!["queued", "gated", "awaitingPeer", "held"].includes(campaign.state)) {
    return { kind: "refused", why: `it is ${campaign.state}: wait until it is parked` };
  }
  const untouched = campaign.state === "queued";
  if (!untouched && !(port?.usable === true && port.drain === "off" && !port.pending)) {
    return { kind: "refused", why: "the link does not carry, is drained, or has a commit pending" };
  }
  const links = campaign.links.map((link, index) =>
    index >= campaign.at && link.outcome === undefined
      ? { ...link, outcome: "abandoned" as const }
      : link,
  );
  return to("done", "the operator abandoned it", { links });
}
