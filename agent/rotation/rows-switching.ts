// switching: the far end moves, and the router follows where it holds one key.

import type { Context, Row } from "../model/campaign.ts";
import { breaksFirst, holdsNew, isManual, isOverdue, siblingLost } from "./guards.ts";
import {
  foreignCommit,
  giveBack,
  heldKeys,
  isUnread,
  losesCommits,
  openFirst,
  refusal,
  takenBack,
} from "./rows-shared.ts";

/** The far end reads new: the router follows the moment the link has left its old state. */
const following: readonly Row[] = [
  {
    name: "switching.both",
    when: (context) => !breaksFirst(context),
    next: "proving",
    because: "the far end is on the new key",
  },
  {
    name: "switching.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
    because: "the far end has the new key and the router cannot be read",
  },
  {
    name: "switching.unread",
    when: isUnread,
    next: "switching",
    because: "the router cannot be read",
  },
  {
    name: "switching.followed",
    when: ({ port }) => port?.keys === "new",
    next: "proving",
    because: "both ends hold the new key",
  },
  {
    name: "switching.strange",
    when: ({ port }) => port?.keys !== "old",
    next: "held",
    because: "a foreign key or setting is on the port",
  },
  ...foreignCommit("switching"),
  {
    name: "switching.half",
    when: ({ facts, port }) => facts.far === "new" && port?.carriedBy === "old" && facts.overdue,
    next: "held",
    because: "the far end says it has the new key, yet the link still works in its old state",
  },
  {
    name: "switching.stillOld",
    when: ({ facts, port }) => facts.far === "new" && port?.carriedBy === "old",
    next: "switching",
    action: "probe",
    because: "waiting for the link to leave its old state",
  },
  {
    name: "switching.refused",
    when: (context) => refusal(context) !== undefined && context.facts.far === "new",
    next: "held",
    because: (context) => `the router refuses the new key: ${refusal(context)}`,
  },
  {
    name: "switching.lostCommits",
    when: losesCommits,
    next: "held",
    because: "the router accepted the new key and lost it, again and again",
  },
  {
    name: "switching.replace",
    when: () => true,
    next: "switching",
    action: "replace",
    because: "the far end is ready: the router follows",
  },
  {
    name: "switching.eitherLate",
    when: ({ facts }) =>
      facts.far === "either" && (facts.overdue || facts.replacement.kind === "refused"),
    next: "reverting",
    because: (context) =>
      `the router did not take the new settings: ${refusal(context) ?? takenBack(context)}`,
  },
  {
    name: "switching.unpreparedLate",
    when: isOverdue,
    next: "held",
    because: "the router could not be given the new key in time",
  },
  {
    name: "switching.prepare",
    when: ({ facts }) => facts.replacement.kind === "absent",
    next: "switching",
    action: "prepare",
    because: "the new key is validated on the router",
  },
  {
    name: "switching.eitherWaits",
    when: ({ facts }) => facts.far === "either",
    next: "switching",
    because: takenBack,
  },
];

/** The far end may be told: the router holds the new key, or follows at once. */
const isReady = (context: Context): boolean =>
  breaksFirst(context) ? context.port?.keys === "old" : holdsNew(context);

const farStillOld: readonly Row[] = [
  {
    // Nobody may be told to point the far end at a key that the router does not hold.
    name: "switching.newKeyGone",
    when: (context) => !breaksFirst(context) && context.port?.keys === "old",
    next: "gated",
    because: "the new key is not on the router, and the far end is still as before",
  },
  {
    name: "switching.personLate",
    when: (context) => isManual(context) && (isOverdue(context) || siblingLost(context)),
    next: "gated",
    mark: { asked: false, claimed: false },
    because: "the far end was not changed",
  },
  {
    name: "switching.personWaits",
    when: (context) => isManual(context) && isReady(context),
    next: "switching",
    because: "change the far end now: it is still as before",
  },
  {
    name: "switching.unready",
    when: isManual,
    next: "switching",
    because: ({ port }) =>
      port === undefined
        ? "the router cannot be read: leave the far end as it is for now"
        : `leave the far end as it is: the router holds ${heldKeys(port)}`,
  },
  {
    name: "switching.oldRefused",
    when: (context) => refusal(context) !== undefined,
    next: "reverting",
    because: (context) => `the router refuses the new key: ${refusal(context)}`,
  },
  {
    name: "switching.late",
    when: (context) => isOverdue(context) && !siblingLost(context),
    next: "reverting",
    because: "the far end did not take the new key in time",
  },
  {
    name: "switching.lateAlone",
    when: isOverdue,
    next: "gated",
    because: "the far end did not take the new key in time, and the sibling was lost",
  },
  {
    name: "switching.prepareFirst",
    when: (context) =>
      context.facts.replacement.kind === "absent" && context.facts.closedGate === undefined,
    next: "switching",
    action: "prepare",
    because: "the new key is validated on the router first",
  },
  {
    name: "switching.putAgain",
    when: () => true,
    next: "switching",
    action: "putNew",
    mark: { told: true },
    because: "the far end is asked to use the new key",
  },
  {
    name: "switching.putWaits",
    when: () => true,
    next: "switching",
    because: takenBack,
  },
];

const farIs =
  (...kinds: readonly Context["facts"]["far"][]) =>
  (row: Row): Row => ({
    ...row,
    when: (context) => kinds.includes(context.facts.far) && row.when(context),
  });

export const switching: readonly Row[] = [
  openFirst("switching"),
  giveBack("switching"),
  {
    name: "switching.farUnsettledLate",
    when: ({ facts }) => ["updating", "unknown"].includes(facts.far) && facts.overdue,
    next: "held",
    because: "nobody knows whether the far end obeyed: look at it before anything else",
  },
  {
    name: "switching.farUnsettled",
    when: ({ facts }) => ["updating", "unknown"].includes(facts.far),
    next: "switching",
    because: "waiting for the far end to finish its change",
  },
  {
    name: "switching.farFailed",
    when: ({ facts }) => facts.far === "failed" || facts.far === "other",
    next: "held",
    because: ({ facts }) =>
      facts.far === "failed"
        ? "the far end reports that its change failed"
        : "the far end is set to another key",
  },
  ...following.map(farIs("new", "either")),
  ...farStillOld.map(farIs("old")),
];
