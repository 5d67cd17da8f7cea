// What an operator may say to a campaign, and when.

import type { WallTime } from "#hal/world.ts";
import {
  type Campaign,
  type CampaignState,
  type FarEnd,
  noMarks,
  type PortFacts,
} from "./model.ts";

export type OperatorVerb = "proceed" | "resume" | "revert" | "abandon";

export interface Said {
  readonly verb: OperatorVerb;
  /** With `proceed`: the person says that the far end was changed already. */
  readonly farEndDone: boolean;
}

/** Both ends of the link under way as last seen. */
export interface Seen {
  /** undefined = not readable. */
  readonly port: PortFacts | undefined;
  readonly far: FarEnd;
}

export type Verdict =
  | { readonly kind: "accepted"; readonly campaign: Campaign }
  | { readonly kind: "refused"; readonly why: string };

const refused = (why: string): Verdict => ({ kind: "refused", why });

export function command(campaign: Campaign, said: Said, seen: Seen, at: WallTime): Verdict {
  switch (said.verb) {
    case "proceed":
      // Where nobody sees the far end, the word comes while the person changes it.
      if (campaign.state === "switching" && said.farEndDone) {
        return { kind: "accepted", campaign: { ...campaign, claimed: true } };
      }
      if (campaign.state !== "awaitingPeer") {
        return refused(`the campaign waits for nobody: it is ${campaign.state}`);
      }
      return {
        kind: "accepted",
        campaign: { ...campaign, asked: true, claimed: said.farEndDone || campaign.claimed },
      };
    case "resume":
      if (campaign.state !== "held") {
        return refused(`only a held campaign resumes: it is ${campaign.state}`);
      }
      return to(campaign, "gated", "the operator resumed it", at, {
        goal: "forward",
        asked: false,
        aborted: false,
        heldFrom: undefined,
      });
    case "revert":
      return revert(campaign, seen.port, at);
    case "abandon":
      return abandon(campaign, seen.port, at);
  }
}

function to(
  campaign: Campaign,
  state: CampaignState,
  because: string,
  at: WallTime,
  change: Partial<Campaign>,
): Verdict {
  return { kind: "accepted", campaign: { ...campaign, state, because, since: at, ...change } };
}

function revert(campaign: Campaign, port: PortFacts | undefined, at: WallTime): Verdict {
  const left = campaign.links.findIndex(({ outcome }) => outcome === "abandoned");
  const reopens = campaign.state === "done" && left >= 0;
  if (!reopens && !["gated", "awaitingPeer", "held"].includes(campaign.state)) {
    return refused(`it is ${campaign.state}: wait until it is parked`);
  }
  if (port === undefined) return refused("the router cannot be read, so nobody knows what is left");
  if (port.keys === "new") {
    return refused(
      campaign.kind === "enrol"
        ? "an enrolment never goes back: a person must put MACsec off at both ends"
        : "the old key is off the port: an ordinary rotation is the way back",
    );
  }
  if (!reopens) {
    return to(campaign, "gated", "the operator wants the old key back", at, {
      goal: "revert",
      heldFrom: undefined,
    });
  }
  const links = campaign.links.map((link, index) =>
    index === left ? { ...link, outcome: undefined } : link,
  );
  return to(campaign, "gated", "the operator wants the old key back", at, {
    ...noMarks,
    // What was sent under them may still land.
    token: campaign.token,
    earlierToken: campaign.earlierToken,
    links,
    at: left,
    told: true,
    goal: "revert",
  });
}

function abandon(campaign: Campaign, port: PortFacts | undefined, at: WallTime): Verdict {
  if (!["queued", "gated", "awaitingPeer", "held"].includes(campaign.state)) {
    return refused(`it is ${campaign.state}: wait until it is parked`);
  }
  const untouched = campaign.state === "queued";
  const carries =
    port !== undefined &&
    port.carriedBy !== "nothing" &&
    port.drain === "off" &&
    port.pending === "none";
  if (!untouched && !carries) {
    return refused("the link does not carry, is drained, or has a commit pending");
  }
  const links = campaign.links.map((link, index) =>
    index >= campaign.at ? { ...link, outcome: "abandoned" as const } : link,
  );
  return to(campaign, "done", "the operator abandoned it", at, { links });
}
