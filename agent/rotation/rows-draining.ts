// draining: the traffic goes to the sibling, and what both ends show tells how to go on.

import type { Context, Row } from "../model/campaign.ts";
import {
  breaksFirst,
  farIsNew,
  goesBack,
  hasBegun,
  holdsNew,
  isManual,
  isOverdue,
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
} from "./rows-shared.ts";

const drainText = ({ facts }: Context): string =>
  facts.drained.kind === "waiting" ? facts.drained.text : "the link is drained";

const drainFails: readonly Row[] = [
  {
    name: "draining.siblingLostBegun",
    when: (context) => siblingLost(context) && hasBegun(context),
    next: "gated",
    because: "the sibling was lost while the traffic moved away",
  },
  {
    name: "draining.siblingLost",
    when: siblingLost,
    ...turnBack,
    because: "the sibling was lost before anything was begun",
  },
  {
    name: "draining.lateBegun",
    when: (context) => isOverdue(context) && !isDrained(context) && hasBegun(context),
    next: "held",
    because: (context) => `the link could not be drained in time: ${drainText(context)}`,
  },
  {
    name: "draining.late",
    when: (context) => isOverdue(context) && !isDrained(context),
    ...turnBack,
    because: (context) => `the link could not be drained in time: ${drainText(context)}`,
  },
];

const drainGoesOn: readonly Row[] = [
  {
    name: "draining.lostBegun",
    when: (context) => losesCommits(context) && hasBegun(context),
    next: "held",
    because: "the router accepted the drain and lost it, again and again",
  },
  {
    name: "draining.lost",
    when: losesCommits,
    ...turnBack,
    because: "the router accepted the drain and lost it, again and again",
  },
  {
    name: "draining.again",
    when: (context) => !isDrained(context) && context.port?.drain === "off",
    next: "draining",
    action: "drain",
    because: "traffic is moved away",
  },
  {
    name: "draining.waits",
    when: (context) => !isDrained(context),
    next: "draining",
    because: drainText,
  },
];

const drained: readonly Row[] = [
  {
    name: "draining.back",
    when: goesBack,
    next: "reverting",
    because: "drained: back to the old key",
  },
  {
    name: "draining.strange",
    when: ({ facts, port }) =>
      port?.keys === "else" || facts.far === "failed" || facts.far === "other",
    next: "held",
    because: "the two ends show a state that no campaign made",
  },
  {
    name: "draining.updating",
    when: ({ facts }) => facts.far === "updating",
    next: "switching",
    because: "the far end is being changed",
  },
  {
    name: "draining.farUnseenLate",
    when: ({ facts }) => facts.far === "unknown" && facts.overdue,
    next: "held",
    because: "the far end cannot be read",
  },
  {
    name: "draining.farUnseen",
    when: ({ facts }) => facts.far === "unknown",
    next: "draining",
    because: "the far end cannot be read",
  },
  {
    name: "draining.farNew",
    when: (context) => farIsNew(context) && holdsNew(context),
    next: "proving",
    because: "the far end is on the new key, and so is the router",
  },
  {
    name: "draining.follow",
    when: (context) => context.facts.far === "new" && breaksFirst(context),
    next: "switching",
    mark: { told: true },
    because: "the far end has the new key already",
  },
  {
    name: "draining.farNewFirst",
    when: ({ facts }) => facts.far === "new",
    next: "staging",
    mark: { aborted: false },
    because: "the far end has the new key already: the router gets it too",
  },
  {
    name: "draining.newAlone",
    when: (context) => breaksFirst(context) && context.port?.keys === "new",
    next: "reverting",
    because: "the far end never took the new key",
  },
];

/** A far end that a person must move. */
const asksPerson = (context: Context): boolean =>
  breaksFirst(context) && isManual(context) && context.facts.far === "old";

// A person is asked only for what the router is known to follow.
const drainedByHand: readonly Row[] = [
  {
    name: "draining.refused",
    when: (context) => asksPerson(context) && refusal(context) !== undefined,
    next: "reverting",
    because: (context) => `the router refuses the new key: ${refusal(context)}`,
  },
  {
    name: "draining.validated",
    when: (context) =>
      asksPerson(context) &&
      context.facts.replacement.kind === "valid" &&
      context.port?.keys === "old",
    next: "switching",
    mark: { told: true },
    because: "drained: change the far end now",
  },
  {
    name: "draining.unvalidated",
    when: (context) => asksPerson(context) && isOverdue(context),
    next: "reverting",
    because: "the router did not validate the new key in time",
  },
  {
    name: "draining.validates",
    when: asksPerson,
    next: "draining",
    action: "prepare",
    because: "the new key is validated on the router first",
  },
];

const drainedByAgent: readonly Row[] = [
  {
    name: "draining.breaks",
    when: (context) => breaksFirst(context) && context.port?.keys === "old",
    next: "switching",
    because: "drained: the far end comes first",
  },
  {
    name: "draining.stages",
    when: ({ port }) => port?.keys === "old",
    next: "staging",
    mark: { aborted: false },
    because: "drained: the new key joins the old one on the router",
  },
  {
    name: "draining.staged",
    when: ({ port }) => port?.keys === "both",
    next: "staged",
    because: "drained: the router holds both keys",
  },
  {
    name: "draining.oldKeyGone",
    when: ({ port }) => port?.keys === "new",
    next: "held",
    because: "the old key is gone from the port while the far end still uses it",
  },
];

export const draining: readonly Row[] = [
  openFirst("draining"),
  giveBack("draining"),
  {
    name: "draining.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
    because: "the router cannot be read, and so not be drained",
  },
  {
    name: "draining.unread",
    when: isUnread,
    next: "draining",
    because: "the router cannot be read",
  },
  ...drainFails,
  {
    name: "draining.pending",
    when: ({ port }) => port?.pending === "ours",
    next: "staging",
    because: "a staged key still waits for its confirm",
  },
  ...foreignCommit("draining"),
  ...drainGoesOn,
  ...drained,
  ...drainedByHand,
  ...drainedByAgent,
];
