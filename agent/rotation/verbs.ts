// What an operator may say to a campaign, and when.

import type { WallTime } from "#hal/world.ts";
import {
  type Campaign,
  type CampaignState,
  type FarEnd,
  noMarks,
  type PortFacts,
} from "../model/campaign.ts";

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
  /** `failed` does not occur: what it is set to counts, whatever became of its last change. */
  readonly far: FarEnd;
}

export type Verdict =
  | { readonly kind: "accepted"; readonly campaign: Campaign }
  /** `next`: the next safe command; absent = to look at the campaign. */
  | { readonly kind: "refused"; readonly why: string; readonly next?: string };

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
      return abandon(campaign, seen, at);
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

function abandon(campaign: Campaign, { port, far }: Seen, at: WallTime): Verdict {
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
  const parted = untouched || port === undefined ? undefined : partedAs(campaign, port, far);
  if (parted !== undefined) return parted;
  const links = campaign.links.map((link, index) =>
    index >= campaign.at ? { ...link, outcome: "abandoned" as const } : link,
  );
  return to(campaign, "done", "the operator abandoned it", at, { links });
}

/**
 * What an abandoned link is left with must be one version at both ends: the far end is set to the
 * key that carries the link, and the router holds no older one that this campaign was to replace.
 * undefined = so it is.
 */
function partedAs(campaign: Campaign, port: PortFacts, far: FarEnd): Verdict | undefined {
  const { keys, carriedBy } = port;
  switch (far) {
    case "either":
      return undefined;
    case "old":
      if (carriedBy === "old" && keys !== "new") return undefined;
      break;
    case "new":
      if (carriedBy === "new" && keys === "new") return undefined;
      break;
    case "unknown":
      // Without a write of ours the far end is as it was, and the link is secured by that.
      if (!campaign.told && carriedBy === "old") return undefined;
      return refused("the far end cannot be read, and it may use the new key by now");
    case "updating":
      return refused("the far end is being changed: wait until it has settled");
    case "other":
    case "failed":
      return refused(
        "the far end is set to something that is not of this campaign: a person must set it to " +
          `what the router uses, the ${carriedBy === "new" ? "new" : "old"} version, first`,
      );
  }
  const held = keys === "both" ? "both keys" : `the ${keys} key`;
  const why = `the far end is set to the ${far} version and the router holds ${held}`;
  const { group, state, kind } = campaign;
  const mayGoBack = kind !== "enrol" && keys !== "new";
  const ways = mayGoBack
    ? "resume brings both to the new one, revert to the old"
    : "resume goes on";
  const other = mayGoBack ? `revert ${group}` : `show ${group}`;
  const next = `linkseal rotation ${state === "held" ? `resume ${group}` : other}`;
  return { kind: "refused", why: `${why}: ${ways}`, next };
}
