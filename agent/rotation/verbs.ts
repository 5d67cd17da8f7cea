// The commands that a campaign accepts from an operator, and when.

import type { WallTime } from "#hal/world.ts";
import { type Campaign, type CampaignState, noMarks, type PortFacts } from "../model/campaign.ts";
import type { FarEnd, Reason, RefusalCause } from "../model/reason.ts";

/** The commands that an operator can give to a campaign. */
export type OperatorVerb = "proceed" | "resume" | "revert" | "abandon";

/** A command of an operator to a campaign. */
export interface OperatorInput {
  /** The command. */
  readonly verb: OperatorVerb;
  /** True if the operator reports with `proceed` that the far end was changed already. */
  readonly farEndDone: boolean;
}

/** Both ends of the link under way as last observed. */
export interface ObservedEnds {
  /** undefined = not readable. */
  readonly port: PortFacts | undefined;
  /** `failed` does not occur: what it is set to counts, whatever became of its last change. */
  readonly far: FarEnd;
  /** Whether the key that the link would go back to was declared compromised. */
  readonly oldKey: "trusted" | "compromised";
}

export type Verdict =
  | { readonly kind: "accepted"; readonly campaign: Campaign }
  /** `next`: the next safe command; absent = to look at the campaign. */
  | { readonly kind: "refused"; readonly why: RefusalCause; readonly next?: string };

const refused = (why: RefusalCause): Verdict => ({ kind: "refused", why });

/** Returns the campaign after an operator's command, or why it is refused; `by` is the operator. */
export function command(
  campaign: Campaign,
  input: OperatorInput & { readonly by: string },
  observed: ObservedEnds,
  at: WallTime,
): Verdict {
  const reason: Reason = { code: `operator.${input.verb}`, by: input.by };
  switch (input.verb) {
    case "proceed":
      // Where the agent cannot read the far end, `proceed` comes while the person changes it.
      if (campaign.state === "switching" && input.farEndDone) {
        return { kind: "accepted", campaign: { ...campaign, reason, claimed: true } };
      }
      if (campaign.state !== "awaitingPeer") {
        return refused({ code: "refused.notAwaiting", state: campaign.state });
      }
      return {
        kind: "accepted",
        campaign: {
          ...campaign,
          reason,
          asked: true,
          claimed: input.farEndDone || campaign.claimed,
        },
      };
    case "resume":
      if (campaign.state !== "held") {
        return refused({ code: "refused.notHeld", state: campaign.state });
      }
      return to(campaign, "gated", reason, at, {
        links: campaign.links.map(({ turnedBack: _turnedBack, ...link }) => link),
        goal: "forward",
        asked: false,
        aborted: false,
        heldFrom: undefined,
      });
    case "revert":
      return revert(campaign, observed, reason, at);
    case "abandon":
      return abandon(campaign, observed, reason, at);
  }
}

function to(
  campaign: Campaign,
  state: CampaignState,
  reason: Reason,
  at: WallTime,
  change: Partial<Campaign>,
): Verdict {
  return { kind: "accepted", campaign: { ...campaign, state, reason, since: at, ...change } };
}

function revert(campaign: Campaign, observed: ObservedEnds, reason: Reason, at: WallTime): Verdict {
  const { port } = observed;
  const left = campaign.links.findIndex(({ outcome }) => outcome === "abandoned");
  const reopens = campaign.state === "done" && left >= 0;
  if (!reopens && !["gated", "awaitingPeer", "held"].includes(campaign.state)) {
    return refused({ code: "refused.notParked", state: campaign.state });
  }
  if (port === undefined) return refused({ code: "refused.unread" });
  if (port.keys === "new") {
    const isEnrolment = campaign.kind === "enrol";
    return refused({ code: isEnrolment ? "refused.enrolment" : "refused.oldKeyGone" });
  }
  if (observed.oldKey === "compromised" && !givesBack(port, observed)) {
    const { group, state } = campaign;
    const next = `linkseal rotation ${state === "held" ? "resume" : "show"} ${group}`;
    return { kind: "refused", why: { code: "refused.compromised" }, next };
  }
  if (!reopens) {
    return to(campaign, "gated", reason, at, {
      goal: "revert",
      heldFrom: undefined,
    });
  }
  const links = campaign.links.map((link, index) =>
    index === left ? { ...link, outcome: undefined } : link,
  );
  return to(campaign, "gated", reason, at, {
    ...noMarks,
    // A change that was sent under them may still arrive.
    token: campaign.token,
    earlierToken: campaign.earlierToken,
    links,
    at: left,
    touched: true,
    told: true,
    goal: "revert",
  });
}

/** A dark link is worse than a bad key, and so is a far end that only the old key mends. */
function givesBack(port: PortFacts, { far }: ObservedEnds): boolean {
  if (port.carriedBy === "new") return false;
  return port.carriedBy === "nothing" || !(far === "old" || far === "either");
}

function abandon(
  campaign: Campaign,
  { port, far }: ObservedEnds,
  reason: Reason,
  at: WallTime,
): Verdict {
  if (!["queued", "gated", "awaitingPeer", "held"].includes(campaign.state)) {
    return refused({ code: "refused.notParked", state: campaign.state });
  }
  // Where nothing was done to either end, nothing that can be read of them matters. A person who
  // was asked once may change the far end at any time after it, so that mark stays.
  const waits = campaign.state === "gated" && campaign.touched === false;
  const untouched = campaign.state === "queued" || waits;
  const carries =
    port !== undefined &&
    port.carriedBy !== "nothing" &&
    port.drain === "off" &&
    port.pending === "none";
  // A device that is not read says nothing of its link, not even that it does not carry.
  if (!untouched && port === undefined) return refused({ code: "refused.unread" });
  if (!untouched && !carries) {
    return refused({ code: "refused.notCarrying" });
  }
  const parted = untouched || port === undefined ? undefined : partedAs(campaign, port, far);
  if (parted !== undefined) return parted;
  const links = campaign.links.map((link, index) =>
    index >= campaign.at ? { ...link, outcome: "abandoned" as const } : link,
  );
  return to(campaign, "done", reason, at, { links });
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
      return refused({ code: "refused.farEndUnread" });
    case "updating":
      return refused({ code: "refused.farEndUpdating" });
    case "other":
    case "failed":
      return refused({
        code: "refused.farEndForeign",
        version: carriedBy === "new" ? "new" : "old",
      });
  }
  const { group, state, kind } = campaign;
  const mayGoBack = kind !== "enrol" && keys !== "new";
  const other = mayGoBack ? `revert ${group}` : `show ${group}`;
  const next = `linkseal rotation ${state === "held" ? `resume ${group}` : other}`;
  return { kind: "refused", why: { code: "refused.apart", far, keys, mayRevert: mayGoBack }, next };
}
