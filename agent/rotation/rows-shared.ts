// Rows that several states have in common.

import type { CampaignState, Context, PortFacts, Row } from "../model/campaign.ts";
import { isUsable, siblingLost } from "./guards.ts";

/** The far end has the new key, or may be on its way to it. */
const farMayBeNew = ({ facts }: Context): boolean =>
  facts.far === "new" || facts.far === "updating";

/**
 * The staged key is gone again: somebody has typed since, and what the commit goes back to may be
 * older than the key that they put back.
 */
const isOvertaken = ({ port }: Context): boolean =>
  port?.keys === "old" || (port?.keys === "else" && port.carriedBy === "old");

/** A pending commit that must stay: its key is in charge or about to be, or it would undo more. */
export const pendingIsNeeded = (context: Context): boolean =>
  context.port?.carriedBy === "new" || farMayBeNew(context) || isOvertaken(context);

export const neededText = (context: Context): string =>
  isOvertaken(context)
    ? "the staged key is gone again: its commit is confirmed, as undoing it might undo more"
    : "the staged key is needed: its commit is confirmed";

/** A port that was shut by us opens before anything else. */
export function openFirst(state: CampaignState): Row {
  return {
    name: `${state}.reopen`,
    when: ({ campaign, port }) => campaign.shut && port?.admin === "down",
    next: state,
    action: "open",
    because: "the port was shut by the change of the key: it opens again",
  };
}

/** Rule 3: with the sibling lost, a usable link gets its traffic back before anything else. */
export function giveBack(state: CampaignState): Row {
  return {
    name: `${state}.giveBack`,
    when: (context) => siblingLost(context) && isUsable(context),
    next: state,
    action: "restore",
    because: "the sibling was lost while this link is usable: traffic comes back first",
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
      because: neededText,
    },
    {
      name: `${state}.parkRollBack`,
      when: () => true,
      next: state,
      action: "rollBack",
      because: "nothing needs the staged key: its commit is rolled back",
    },
    {
      name: `${state}.parkRestore`,
      when: isUsable,
      next: state,
      action: "restore",
      because: "the link is usable, so its traffic comes back while nothing goes on",
    },
  ];
}

/** A commit of somebody else would take ours along when it reverts. */
export function foreignCommit(state: CampaignState): readonly Row[] {
  return [
    {
      name: `${state}.foreignCommitStays`,
      when: ({ facts, port }) => port?.pending === "foreign" && facts.overdue,
      next: "held",
      because: "a commit that is not of this campaign stays pending on the router",
    },
    {
      name: `${state}.foreignCommit`,
      when: ({ port }) => port?.pending === "foreign",
      next: state,
      because: "a commit that is not of this campaign is pending on the router",
    },
  ];
}

export const lostCommitsMax = 3;
/** A router that loses what it accepted is not asked for ever. */
export const losesCommits = ({ facts }: Context): boolean => facts.lostCommits >= lostCommitsMax;

export const refusal = ({ facts }: Context): string | undefined =>
  facts.replacement.kind === "refused" ? facts.replacement.text : undefined;

/** Why an effect that takes does not run now; for the operator. */
export function takenBack({ facts, port }: Context): string {
  if (facts.closedGate !== undefined) return facts.closedGate;
  if (facts.drained.kind === "waiting") return facts.drained.text;
  if (port === undefined) return "the router cannot be read";
  if (port.pending !== "none") return "a commit is pending on the router";
  if (facts.mayLose !== "nothing") {
    return "the router may still carry out a change of ours that takes a key away";
  }
  return `the port holds ${heldKeys(port)} and the far end is ${facts.far}`;
}

export function heldKeys(port: PortFacts | undefined): string {
  if (port === undefined) return "what nobody can read";
  if (port.keys === "both") return "both keys";
  return port.keys === "else" ? "a foreign key" : `the ${port.keys} key`;
}

export const isUnread = ({ port }: Context): boolean => port === undefined;
export const isDrained = ({ facts }: Context): boolean => facts.drained.kind === "held";

/** Nothing was begun: the traffic comes back and the campaign of this link is over. */
export const turnBack = { next: "restoring", mark: { outcome: "reverted" } } as const;
