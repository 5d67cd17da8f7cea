// draining: the traffic goes to the sibling, and what both ends show tells how to go on.

import type { Context, Row } from "../model/campaign.ts";
import type { Cause } from "../model/reason.ts";
import {
  breaksFirst,
  farIsNew,
  goesBack,
  hasBegun,
  holdsNew,
  isManual,
  isOverdue,
  lacksNew,
  siblingLost,
} from "./guards.ts";
import {
  foreignCommit,
  giveBack,
  isDrained,
  isUnread,
  losesCommits,
  openFirst,
  refusal,
  turnBack,
  whyLate,
  whyRefused,
} from "./rows-shared.ts";

const drainMissing = ({ facts }: Context): Cause =>
  facts.drained.kind === "waiting" ? facts.drained.cause : { code: "link.isDrained" };

const drainFails: readonly Row[] = [
  {
    name: "draining.siblingLostBegun",
    when: (context) => siblingLost(context) && hasBegun(context),
    next: "gated",
  },
  {
    name: "draining.siblingLost",
    when: siblingLost,
    ...turnBack,
  },
  {
    name: "draining.lateBegun",
    when: (context) => isOverdue(context) && !isDrained(context) && hasBegun(context),
    next: "held",
    cause: drainMissing,
  },
  {
    name: "draining.late",
    when: (context) => isOverdue(context) && !isDrained(context),
    ...turnBack,
    cause: drainMissing,
  },
];

const drainGoesOn: readonly Row[] = [
  {
    name: "draining.lostBegun",
    when: (context) => losesCommits(context) && hasBegun(context),
    next: "held",
  },
  {
    name: "draining.lost",
    when: losesCommits,
    ...turnBack,
  },
  {
    name: "draining.again",
    when: (context) => !isDrained(context) && context.port?.drain === "off",
    next: "draining",
    action: "drain",
  },
  {
    name: "draining.waits",
    when: (context) => !isDrained(context),
    next: "draining",
    cause: drainMissing,
  },
];

const drained: readonly Row[] = [
  {
    name: "draining.back",
    when: goesBack,
    next: "reverting",
  },
  {
    name: "draining.strange",
    when: ({ facts, port }) =>
      port?.keys === "else" || facts.far === "failed" || facts.far === "other",
    next: "held",
  },
  {
    name: "draining.updating",
    when: ({ facts }) => facts.far === "updating",
    next: "switching",
  },
  {
    name: "draining.farUnseenLate",
    when: ({ facts }) => facts.far === "unknown" && facts.overdue,
    next: "held",
  },
  {
    name: "draining.farUnseen",
    when: ({ facts }) => facts.far === "unknown",
    next: "draining",
  },
  {
    name: "draining.farNew",
    when: (context) => farIsNew(context) && holdsNew(context),
    next: "proving",
  },
  {
    name: "draining.follow",
    when: (context) => context.facts.far === "new" && breaksFirst(context),
    next: "switching",
    mark: { told: true },
  },
  {
    name: "draining.farNewFirst",
    when: ({ facts }) => facts.far === "new",
    next: "staging",
    mark: { aborted: false },
  },
  {
    name: "draining.newAlone",
    when: (context) => breaksFirst(context) && context.port?.keys === "new",
    next: "reverting",
  },
];

/** A far end that a person must move. */
const asksPerson = (context: Context): boolean =>
  breaksFirst(context) && isManual(context) && context.facts.far === "old";

// A person is asked only for what the router is known to follow.
const drainedManually: readonly Row[] = [
  {
    name: "draining.refused",
    when: (context) => asksPerson(context) && refusal(context) !== undefined,
    next: "reverting",
    cause: whyRefused,
  },
  {
    name: "draining.validated",
    when: (context) =>
      asksPerson(context) && context.facts.replacement.kind === "valid" && lacksNew(context),
    next: "switching",
    mark: { told: true },
  },
  {
    name: "draining.unvalidated",
    when: (context) => asksPerson(context) && isOverdue(context),
    next: "reverting",
    cause: whyLate,
  },
  {
    name: "draining.validates",
    when: asksPerson,
    next: "draining",
    action: "prepare",
  },
];

const drainedByAgent: readonly Row[] = [
  {
    name: "draining.breaks",
    when: (context) => breaksFirst(context) && lacksNew(context),
    next: "switching",
  },
  {
    name: "draining.stages",
    when: ({ port }) => port?.keys === "old",
    next: "staging",
    mark: { aborted: false },
  },
  {
    name: "draining.staged",
    when: ({ port }) => port?.keys === "both",
    next: "staged",
  },
  {
    name: "draining.oldKeyGone",
    when: ({ port }) => port?.keys === "new",
    next: "held",
  },
];

export const draining: readonly Row[] = [
  openFirst("draining"),
  giveBack("draining"),
  {
    name: "draining.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
  },
  {
    name: "draining.unread",
    when: isUnread,
    next: "draining",
  },
  {
    // The drain was not carried out, so the link is as it was: it may wait where it waited.
    name: "draining.withheld",
    when: ({ facts }) => facts.withheld !== undefined,
    next: "gated",
    cause: ({ facts }) => facts.withheld ?? { code: "permit.missing" },
  },
  ...drainFails,
  {
    name: "draining.pending",
    when: ({ port }) => port?.pending === "ours",
    next: "staging",
  },
  ...foreignCommit("draining"),
  ...drainGoesOn,
  ...drained,
  ...drainedManually,
  ...drainedByAgent,
];
