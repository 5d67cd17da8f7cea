// Rows that several states have in common.

import type { CampaignState, Context, PortFacts, Row } from "../model/campaign.ts";
import type { Cause, EndsCause, FarEnd } from "../model/reason.ts";
import { isUsable, siblingLost } from "./guards.ts";

/** The far end has the new key, or may be on its way to it. */
const farMayBeNew = ({ facts }: Context): boolean =>
  facts.far === "new" || facts.far === "updating";

/**
 * The staged key is gone again: a person has typed since, and the state that the commit goes back
 * to may be older than the key that this person put back.
 */
const isOvertaken = ({ port }: Context): boolean =>
  port?.keys === "old" || (port?.keys === "else" && port.carriedBy === "old");

/** A pending commit that must stay: its key is in charge or about to be, or it would undo more. */
export const pendingIsNeeded = (context: Context): boolean =>
  context.port?.carriedBy === "new" || farMayBeNew(context) || isOvertaken(context);

/** Why a pending commit stays. */
export const whyNeeded = (context: Context): Cause => ({
  code: isOvertaken(context) ? "staged.overtaken" : "staged.needed",
});

/** A port that was shut by us opens before anything else. */
export function openFirst(state: CampaignState): Row {
  return {
    name: `${state}.reopen`,
    when: ({ campaign, port }) => campaign.shut && port?.admin === "down",
    next: state,
    action: "open",
  };
}

/** A usable link gets its traffic back before anything else where the sibling is lost. */
export function giveBack(state: CampaignState): Row {
  return {
    name: `${state}.giveBack`,
    when: (context) => siblingLost(context) && isUsable(context),
    next: state,
    action: "restore",
  };
}

/** Parking rule: what is pending is settled, then a usable link gets its traffic back. */
export function parkingRows(state: CampaignState): readonly Row[] {
  return [
    openFirst(state),
    {
      name: `${state}.parkConfirm`,
      when: pendingIsNeeded,
      next: state,
      action: "confirm",
      cause: whyNeeded,
    },
    {
      name: `${state}.parkRollBack`,
      when: () => true,
      next: state,
      action: "rollBack",
    },
    {
      name: `${state}.parkRestore`,
      when: isUsable,
      next: state,
      action: "restore",
    },
  ];
}

/** A commit of another client would take ours along when it reverts. */
export function foreignCommit(state: CampaignState): readonly Row[] {
  return [
    {
      name: `${state}.foreignCommitStays`,
      when: ({ facts, port }) => port?.pending === "foreign" && facts.overdue,
      next: "held",
    },
    {
      name: `${state}.foreignCommit`,
      when: ({ port }) => port?.pending === "foreign",
      next: state,
    },
  ];
}

export const lostCommitsMax = 3;
/** A router that loses what it accepted is not asked for ever. */
export const losesCommits = ({ facts }: Context): boolean => facts.lostCommits >= lostCommitsMax;

/** Why the router refuses the change; undefined = it does not. */
export const refusal = ({ facts }: Context): Cause | undefined =>
  facts.replacement.kind === "refused" ? facts.replacement.cause : undefined;

/** Why a disruptive effect does not run now. */
export function takenBack({ facts, port }: Context): Cause {
  if (facts.unmetPrecondition !== undefined) return facts.unmetPrecondition;
  if (facts.drained.kind === "waiting") return facts.drained.cause;
  if (port === undefined) return { code: "router.unread" };
  if (port.pending !== "none") return { code: "router.commitPending" };
  if (facts.mayLose !== "nothing") return { code: "router.lateChange" };
  return bothEnds(port, facts.far);
}

/** Why the router did not take a change: its refusal, or what keeps the change back. */
export const whyRefused = (context: Context): Cause => refusal(context) ?? takenBack(context);

/** Why a key did not get where it should in time: the effect that failed last, or the above. */
export const whyLate = (context: Context): Cause => context.facts.trouble ?? whyRefused(context);

/** Returns what both ends of the link hold. */
export function bothEnds(port: PortFacts | undefined, far: FarEnd): EndsCause {
  return { code: "ends.are", keys: port?.keys ?? "unread", far };
}

/** The far end failed, has MACsec off, or is set to something that is not of this campaign. */
export function farNotOurs({ facts: { far, farIsOff } }: Context): Cause {
  if (far === "failed") return { code: "farEnd.failed" };
  return { code: farIsOff === true ? "farEnd.off" : "farEnd.foreign" };
}

export const isUnread = ({ port }: Context): boolean => port === undefined;
export const isDrained = ({ facts }: Context): boolean => facts.drained.kind === "held";

/** Nothing was begun: the traffic comes back and the campaign of this link is over. */
export const turnBack = { next: "restoring", mark: { outcome: "reverted" } } as const;
