// switching: the far end moves, and the router follows where it holds one key.

import type { Context, Row } from "../model/campaign.ts";
import {
  breaksFirst,
  holdsNew,
  isHalfUndrained,
  isManual,
  isOverdue,
  lacksNew,
  siblingLost,
} from "./guards.ts";
import {
  farNotOurs,
  foreignCommit,
  giveBack,
  isUnread,
  losesCommits,
  openFirst,
  refusal,
  takenBack,
  whyLate,
  whyRefused,
} from "./rows-shared.ts";

/** The far end reads new: the router follows the moment the link has left its old state. */
const following: readonly Row[] = [
  {
    name: "switching.both",
    when: (context) => !breaksFirst(context),
    next: "proving",
  },
  {
    name: "switching.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
  },
  {
    name: "switching.unread",
    when: isUnread,
    next: "switching",
  },
  {
    name: "switching.followed",
    when: ({ port }) => port?.keys === "new",
    next: "proving",
  },
  {
    name: "switching.strange",
    when: (context) => !lacksNew(context),
    next: "held",
  },
  ...foreignCommit("switching"),
  {
    name: "switching.half",
    when: ({ facts, port }) => facts.far === "new" && port?.carriedBy === "old" && facts.overdue,
    next: "held",
  },
  {
    name: "switching.stillOld",
    when: ({ facts, port }) => facts.far === "new" && port?.carriedBy === "old",
    next: "switching",
    action: "probe",
  },
  {
    name: "switching.refused",
    when: (context) => refusal(context) !== undefined && context.facts.far === "new",
    next: "held",
    cause: whyRefused,
  },
  {
    name: "switching.lostCommits",
    when: losesCommits,
    next: "held",
  },
  {
    name: "switching.halfUndrained",
    when: isHalfUndrained,
    next: "gated",
  },
  {
    name: "switching.replace",
    when: () => true,
    next: "switching",
    action: "replace",
  },
  {
    name: "switching.eitherLate",
    when: ({ facts }) =>
      facts.far === "either" && (facts.overdue || facts.replacement.kind === "refused"),
    next: "reverting",
    cause: whyRefused,
  },
  {
    name: "switching.unpreparedLate",
    when: isOverdue,
    next: "held",
    cause: whyLate,
  },
  {
    name: "switching.prepare",
    when: ({ facts }) => facts.replacement.kind === "absent",
    next: "switching",
    action: "prepare",
  },
  {
    name: "switching.eitherWaits",
    when: ({ facts }) => facts.far === "either",
    next: "switching",
    cause: takenBack,
  },
  {
    // Half of the change fits the far end, and the other half may not take the link now.
    name: "switching.halfWaits",
    when: ({ port }) => port?.keys === "half",
    next: "switching",
    cause: takenBack,
  },
];

/** The far end may be told: the router holds the new key, or follows at once. */
const isReady = (context: Context): boolean =>
  breaksFirst(context) ? lacksNew(context) : holdsNew(context);

const farStillOld: readonly Row[] = [
  {
    // A person must not be asked to point the far end at a key that the router does not hold.
    name: "switching.newKeyGone",
    when: (context) => !breaksFirst(context) && context.port?.keys === "old",
    next: "gated",
  },
  {
    name: "switching.personLate",
    when: (context) => isManual(context) && (isOverdue(context) || siblingLost(context)),
    next: "gated",
    mark: { asked: false, claimed: false },
  },
  {
    name: "switching.personWaits",
    when: (context) => isManual(context) && isReady(context),
    next: "switching",
  },
  {
    name: "switching.unready",
    when: isManual,
    next: "switching",
    cause: ({ port }) =>
      port === undefined ? { code: "router.unread" } : { code: "port.keys", keys: port.keys },
  },
  {
    name: "switching.oldRefused",
    when: (context) => refusal(context) !== undefined,
    next: "reverting",
    cause: whyRefused,
  },
  {
    name: "switching.late",
    when: (context) => isOverdue(context) && !siblingLost(context),
    next: "reverting",
    cause: whyLate,
  },
  {
    name: "switching.lateAlone",
    when: isOverdue,
    next: "gated",
    cause: whyLate,
  },
  {
    name: "switching.prepareFirst",
    when: (context) =>
      context.facts.replacement.kind === "absent" && context.facts.unmetPrecondition === undefined,
    next: "switching",
    action: "prepare",
  },
  {
    name: "switching.putAgain",
    when: () => true,
    next: "switching",
    action: "putNew",
    mark: { told: true },
  },
  {
    name: "switching.putWaits",
    when: () => true,
    next: "switching",
    cause: takenBack,
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
  },
  {
    name: "switching.farUnsettled",
    when: ({ facts }) => ["updating", "unknown"].includes(facts.far),
    next: "switching",
  },
  {
    name: "switching.farFailed",
    when: ({ facts }) => facts.far === "failed" || facts.far === "other",
    next: "held",
    cause: farNotOurs,
  },
  ...following.map(farIs("new", "either")),
  ...farStillOld.map(farIs("old")),
];
