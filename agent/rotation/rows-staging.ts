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
  openFirst,
  pendingIsNeeded,
  refusal,
  takenBack,
  turnBack,
  whyLate,
  whyNeeded,
  whyRefused,
} from "./rows-shared.ts";

const isVerified = ({ facts }: Context): boolean => facts.staged.kind === "held";

const isUnsettled = ({ facts: { far } }: Context): boolean =>
  far === "unknown" || far === "updating";

const stagedKeyPending: readonly Row[] = [
  {
    // In doubt confirm: an extra key never cuts a link, a missing one does.
    name: "staging.needed",
    when: pendingIsNeeded,
    next: "staging",
    action: "confirm",
    cause: whyNeeded,
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
  },
  {
    name: "staging.rollBack",
    when: ({ campaign, facts }) => campaign.aborted || facts.overdue || facts.sibling === "lost",
    next: "staging",
    action: "rollBack",
    mark: { aborted: true },
  },
  {
    name: "staging.stuck",
    when: ({ campaign, facts, port }) =>
      port?.pending === "ours" && campaign.aborted && facts.overdue,
    next: "held",
  },
  {
    name: "staging.abort",
    when: ({ campaign, facts, port }) =>
      port?.pending === "ours" && !campaign.aborted && (facts.overdue || facts.sibling === "lost"),
    next: "staging",
    mark: { aborted: true },
  },
  {
    name: "staging.verifies",
    when: ({ port }) => port?.pending === "ours",
    next: "staging",
    cause: ({ campaign, facts }) => {
      if (campaign.aborted) return { code: "staged.reverting" };
      return facts.staged.kind === "waiting" ? facts.staged.cause : { code: "farEnd.awaited" };
    },
  },
];

const stagedKeySettled: readonly Row[] = [
  {
    name: "staging.bothAborted",
    when: (context) =>
      context.port?.keys === "both" && context.campaign.aborted && farIsOld(context),
    next: "reverting",
  },
  {
    name: "staging.both",
    when: ({ port }) => port?.keys === "both",
    next: "staged",
  },
  {
    name: "staging.addForFar",
    when: (context) =>
      context.facts.far === "new" &&
      !(isOverdue(context) && (refusal(context) !== undefined || losesCommits(context))),
    next: "staging",
    action: "add",
  },
  {
    name: "staging.farNewRefused",
    when: (context) =>
      context.port?.keys === "old" && context.facts.far === "new" && isOverdue(context),
    next: "held",
    cause: whyRefused,
  },
  {
    name: "staging.refused",
    when: (context) =>
      context.port?.keys === "old" && context.facts.far !== "new" && refusal(context) !== undefined,
    ...turnBack,
    cause: whyRefused,
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
    cause: whyLate,
  },
  {
    name: "staging.undrained",
    when: ({ facts, port }) =>
      port?.keys === "old" &&
      facts.far !== "new" &&
      port.drain === "off" &&
      facts.drained.kind === "waiting",
    next: "gated",
  },
  {
    name: "staging.stage",
    when: () => true,
    next: "staging",
    action: "stage",
  },
  {
    name: "staging.addAgain",
    when: ({ campaign, facts }) => campaign.told && facts.far === "old",
    next: "staging",
    action: "add",
  },
  {
    name: "staging.waits",
    when: ({ port }) => port?.keys === "old",
    next: "staging",
    cause: takenBack,
  },
  {
    name: "staging.newAlone",
    when: ({ facts, port }) => port?.keys === "new" && facts.far === "new",
    next: "proving",
  },
  {
    // A far end that was not read yet may have the new key as well, as after a restored backup.
    name: "staging.newUnread",
    when: (context) => context.port?.keys === "new" && isUnsettled(context) && !isOverdue(context),
    next: "staging",
  },
  {
    name: "staging.oldKeyGone",
    when: () => true,
    next: "held",
  },
];

export const staging: readonly Row[] = [
  openFirst("staging"),
  giveBack("staging"),
  {
    name: "staging.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
  },
  {
    name: "staging.unread",
    when: isUnread,
    next: "staging",
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
  },
  {
    name: "staged.unread",
    when: (context) => isUnread(context) || context.facts.far === "unknown",
    next: "staged",
  },
  {
    name: "staged.pending",
    when: ({ port }) => port?.pending === "ours",
    next: "staging",
  },
  ...foreignCommit("staged"),
  {
    name: "staged.updating",
    when: ({ facts }) => facts.far === "updating",
    next: "switching",
  },
  {
    name: "staged.newKeyGone",
    when: ({ port }) => port?.keys === "old",
    next: "gated",
  },
  {
    name: "staged.farNew",
    when: (context) => context.facts.far === "new" && holdsNew(context),
    next: "proving",
  },
  {
    name: "staged.strange",
    when: ({ facts, port }) => port?.keys !== "both" || facts.far !== "old",
    next: "held",
    cause: ({ facts, port }) =>
      port?.keys === "both"
        ? { code: "farEnd.besideBoth", far: facts.far }
        : { code: "port.oldKeyGone" },
  },
  {
    name: "staged.askPerson",
    when: (context) => isManual(context) && !context.campaign.asked,
    next: "awaitingPeer",
  },
  {
    name: "staged.giveUp",
    when: ({ facts, port }) =>
      facts.sibling === "lost" ||
      facts.overdue ||
      (port?.drain === "off" && facts.drained.kind === "waiting"),
    next: "gated",
    cause: takenBack,
  },
  {
    name: "staged.tellPerson",
    when: (context) =>
      isManual(context) && context.facts.unmetPrecondition === undefined && isDrained(context),
    next: "switching",
    mark: { told: true },
  },
  {
    name: "staged.put",
    when: () => true,
    next: "switching",
    action: "putNew",
    mark: { told: true },
  },
  {
    name: "staged.waits",
    when: () => true,
    next: "staged",
    cause: takenBack,
  },
];
