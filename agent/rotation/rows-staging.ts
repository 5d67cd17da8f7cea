// staging and staged: the new key joins the old one on the router, before the far end hears of it.

import type { Context, Row } from "../model/campaign.ts";
import { farIsOld, holdsNew, isManual, isOverdue, siblingLost } from "./guards.ts";
import {
  foreignCommit,
  giveBack,
  isDrained,
  isUnread,
  losesCommits,
  lostCommitsMax,
  neededText,
  openFirst,
  pendingIsNeeded,
  refusal,
  takenBack,
  turnBack,
} from "./rows-shared.ts";

const isVerified = ({ facts }: Context): boolean => facts.staged.kind === "held";

const stagedKeyPending: readonly Row[] = [
  {
    // In doubt confirm: an extra key never cuts a link, a missing one does.
    name: "staging.needed",
    when: pendingIsNeeded,
    next: "staging",
    action: "confirm",
    because: neededText,
  },
  {
    name: "staging.confirm",
    when: (context) =>
      !context.campaign.aborted &&
      !isOverdue(context) &&
      !siblingLost(context) &&
      farIsOld(context) &&
      isVerified(context),
    next: "staging",
    action: "confirm",
    because: "both keys are there and the old one still carries: confirmed",
  },
  {
    name: "staging.rollBack",
    when: ({ campaign, facts }) => campaign.aborted || facts.overdue || facts.sibling === "lost",
    next: "staging",
    action: "rollBack",
    mark: { aborted: true },
    because: "the staged key could not be verified: it is rolled back",
  },
  {
    name: "staging.stuck",
    when: ({ campaign, facts, port }) =>
      port?.pending === "ours" && campaign.aborted && facts.overdue,
    next: "held",
    because: "the staged key can be neither confirmed nor rolled back",
  },
  {
    name: "staging.abort",
    when: ({ campaign, facts, port }) =>
      port?.pending === "ours" && !campaign.aborted && (facts.overdue || facts.sibling === "lost"),
    next: "staging",
    mark: { aborted: true },
    because: "the staged key could not be verified: the device will revert it",
  },
  {
    name: "staging.verifies",
    when: ({ port }) => port?.pending === "ours",
    next: "staging",
    because: ({ campaign, facts }) => {
      if (campaign.aborted) return "waiting until the device has reverted the staged key";
      return facts.staged.kind === "waiting" ? facts.staged.text : "waiting for the far end";
    },
  },
];

const stagedKeySettled: readonly Row[] = [
  {
    name: "staging.bothAborted",
    when: (context) =>
      context.port?.keys === "both" && context.campaign.aborted && farIsOld(context),
    next: "reverting",
    because: "the staged key is to be taken back",
  },
  {
    name: "staging.both",
    when: ({ port }) => port?.keys === "both",
    next: "staged",
    because: "the router holds both keys",
  },
  {
    name: "staging.addForFar",
    when: (context) =>
      context.facts.far === "new" &&
      !(isOverdue(context) && (refusal(context) !== undefined || losesCommits(context))),
    next: "staging",
    action: "add",
    because: "the far end has the new key: the router gets it too",
  },
  {
    name: "staging.farNewRefused",
    when: (context) =>
      context.port?.keys === "old" && context.facts.far === "new" && isOverdue(context),
    next: "held",
    because: (context) =>
      `the far end is new, the router does not take it: ${refusal(context) ?? takenBack(context)}`,
  },
  {
    name: "staging.refused",
    when: (context) =>
      context.port?.keys === "old" && context.facts.far !== "new" && refusal(context) !== undefined,
    ...turnBack,
    because: (context) => `the router refuses the new key: ${refusal(context)}`,
  },
  {
    name: "staging.turnBack",
    when: ({ campaign, facts, port }) =>
      port?.keys === "old" &&
      facts.far !== "new" &&
      (campaign.aborted ||
        facts.overdue ||
        facts.sibling === "lost" ||
        facts.lostCommits >= lostCommitsMax),
    ...turnBack,
    because: "the new key could not be put beside the old one",
  },
  {
    name: "staging.undrained",
    when: ({ facts, port }) =>
      port?.keys === "old" &&
      facts.far !== "new" &&
      port.drain === "off" &&
      facts.drained.kind === "waiting",
    next: "gated",
    because: "the link is not drained any more",
  },
  {
    name: "staging.stage",
    when: () => true,
    next: "staging",
    action: "stage",
    because: "the new key is put beside the old one",
  },
  {
    name: "staging.addAgain",
    when: ({ campaign, facts }) => campaign.told && facts.far === "old",
    next: "staging",
    action: "add",
    because: "the new key is put beside the old one again",
  },
  {
    name: "staging.waits",
    when: ({ port }) => port?.keys === "old",
    next: "staging",
    because: takenBack,
  },
  {
    name: "staging.newAlone",
    when: ({ facts, port }) => port?.keys === "new" && facts.far === "new",
    next: "proving",
    because: "both ends hold the new key",
  },
  {
    name: "staging.oldKeyGone",
    when: () => true,
    next: "held",
    because: "the port holds neither the old key nor what was staged",
  },
];

export const staging: readonly Row[] = [
  openFirst("staging"),
  giveBack("staging"),
  {
    name: "staging.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
    because: "the router cannot be read while a key is being staged",
  },
  {
    name: "staging.unread",
    when: isUnread,
    next: "staging",
    because: "the router cannot be read",
  },
  ...stagedKeyPending,
  ...foreignCommit("staging"),
  ...stagedKeySettled,
];

export const staged: readonly Row[] = [
  openFirst("staged"),
  giveBack("staged"),
  {
    name: "staged.unreadLate",
    when: (context) => (isUnread(context) || context.facts.far === "unknown") && isOverdue(context),
    next: "held",
    because: "router or far end cannot be read",
  },
  {
    name: "staged.unread",
    when: (context) => isUnread(context) || context.facts.far === "unknown",
    next: "staged",
    because: "router or far end cannot be read",
  },
  {
    name: "staged.pending",
    when: ({ port }) => port?.pending === "ours",
    next: "staging",
    because: "the staged key still waits for its confirm",
  },
  ...foreignCommit("staged"),
  {
    name: "staged.updating",
    when: ({ facts }) => facts.far === "updating",
    next: "switching",
    because: "the far end is being changed",
  },
  {
    name: "staged.newKeyGone",
    when: ({ port }) => port?.keys === "old",
    next: "gated",
    because: "the new key is gone from the port",
  },
  {
    name: "staged.farNew",
    when: (context) => context.facts.far === "new" && holdsNew(context),
    next: "proving",
    because: "the far end is on the new key already",
  },
  {
    name: "staged.strange",
    when: ({ facts, port }) => port?.keys !== "both" || facts.far !== "old",
    next: "held",
    because: ({ facts, port }) =>
      port?.keys === "both"
        ? `the far end is ${facts.far} while both keys wait on the router`
        : "the old key is gone from the port while the far end still uses it",
  },
  {
    name: "staged.askPerson",
    when: (context) => isManual(context) && !context.campaign.asked,
    next: "awaitingPeer",
    because: "both keys wait on the router: a person must point the far end at the new one",
  },
  {
    name: "staged.giveUp",
    when: ({ facts, port }) =>
      facts.sibling === "lost" ||
      facts.overdue ||
      (port?.drain === "off" && facts.drained.kind === "waiting"),
    next: "gated",
    because: takenBack,
  },
  {
    name: "staged.tellPerson",
    when: (context) =>
      isManual(context) && context.facts.closedGate === undefined && isDrained(context),
    next: "switching",
    mark: { told: true },
    because: "drained: change the far end now",
  },
  {
    name: "staged.put",
    when: () => true,
    next: "switching",
    action: "putNew",
    mark: { told: true },
    because: "the far end is asked to use the new key",
  },
  {
    name: "staged.waits",
    when: () => true,
    next: "staged",
    because: takenBack,
  },
];
