// switching, proving, promoting, retiring: the far end moves, and the new key earns its place.

import {
  breaksFirst,
  holdsNew,
  isEnrol,
  isManual,
  isOverdue,
  isUsable,
  siblingLost,
} from "../guards.ts";
import type { Context, Row } from "../model.ts";
import {
  foreignCommit,
  giveBack,
  isUnread,
  losesCommits,
  openFirst,
  refusal,
  takenBack,
} from "./shared.ts";

const isProven = ({ facts }: Context): boolean => facts.proof.kind === "held";
const proofText = ({ facts }: Context): string =>
  facts.proof.kind === "waiting" ? facts.proof.text : "the new key is proven";
const undrained = ({ facts, port }: Context): boolean =>
  port?.drain === "off" && facts.drained.kind === "waiting";
/** What a key's retirement needs, beside the proof. */
const mayTake = ({ facts }: Context): boolean =>
  facts.closedGate === undefined && facts.drained.kind === "held";

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

const farStillOld: readonly Row[] = [
  {
    name: "switching.personLate",
    when: (context) => isManual(context) && (isOverdue(context) || siblingLost(context)),
    next: "gated",
    mark: { asked: false, claimed: false },
    because: "the far end was not changed",
  },
  {
    name: "switching.personWaits",
    when: isManual,
    next: "switching",
    because: "change the far end now: it is still as before",
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

const onceProven: readonly Row[] = [
  {
    name: "proving.staleSakLate",
    when: ({ campaign, facts, port }) =>
      campaign.urgency === "emergency" && port?.keys === "new" && !facts.freshSak && facts.overdue,
    next: "held",
    because: "the SAK is still one that the old key protected",
  },
  {
    name: "proving.freshSak",
    when: ({ campaign, facts, port }) =>
      campaign.urgency === "emergency" && port?.keys === "new" && !facts.freshSak,
    next: "proving",
    action: "rekeySak",
    because: "the SAK is older than the new key: a fresh one is asked for",
  },
  {
    name: "proving.staleSak",
    when: ({ campaign, facts, port }) =>
      campaign.urgency === "emergency" && port?.keys === "new" && !facts.freshSak,
    next: "proving",
    because: "waiting for a SAK that the old key never protected",
  },
  {
    name: "proving.proven",
    when: ({ port }) => port?.keys === "new",
    next: "restoring",
    mark: { proved: true },
    because: "the new key is proven both ways",
  },
  {
    name: "proving.strange",
    when: ({ port }) => port?.keys !== "both",
    next: "held",
    because: "the new key works, and the port holds something else beside it",
  },
  {
    name: "proving.promote",
    when: (context) =>
      context.link.overlap === "fallback" && context.port?.promoted === false && mayTake(context),
    next: "promoting",
    mark: { proved: true },
    because: "the new key is proven: it becomes the primary one",
  },
  {
    name: "proving.promoteLater",
    when: ({ link, port }) => link.overlap === "fallback" && port?.promoted === false,
    next: "gated",
    mark: { proved: true },
    because: takenBack,
  },
  {
    name: "proving.soak",
    when: ({ campaign }) =>
      campaign.retire === "afterSoak" && campaign.urgency === "planned" && !campaign.soaked,
    next: "restoring",
    mark: { proved: true, soaked: true },
    because: "the new key is proven: it carries the traffic before the old one goes",
  },
  {
    name: "proving.retire",
    when: mayTake,
    next: "retiring",
    mark: { proved: true },
    because: "the new key is proven both ways: the old one goes",
  },
  {
    name: "proving.retireLater",
    when: () => true,
    next: "gated",
    mark: { proved: true },
    because: takenBack,
  },
];

const proven = onceProven.map(
  (row): Row => ({
    ...row,
    when: (context) => isProven(context) && context.port?.pending === "none" && row.when(context),
  }),
);

const unproven: readonly Row[] = [
  {
    name: "proving.farBackEnrol",
    when: (context) => context.facts.far === "old" && isEnrol(context),
    next: "held",
    because: "the far end left the new key: put it back, or resume",
  },
  {
    name: "proving.farBackByHand",
    when: (context) => context.facts.far === "old" && isManual(context) && !breaksFirst(context),
    next: "gated",
    mark: { asked: false, claimed: false },
    because: "the far end went back to the old key",
  },
  {
    name: "proving.farBackBroken",
    when: (context) => context.facts.far === "old" && isManual(context),
    next: "held",
    because: "the far end went back to the old key and the router holds the new one",
  },
  {
    name: "proving.farBack",
    when: ({ facts }) => facts.far === "old",
    next: "reverting",
    because: "the far end went back to the old key",
  },
  {
    name: "proving.farOther",
    when: ({ facts }) => facts.far === "other" || facts.far === "failed",
    next: "held",
    because: ({ facts }) =>
      facts.far === "failed"
        ? "the far end reports a failed change while the new key is proven"
        : "the far end uses a key that is not of this campaign",
  },
  {
    name: "proving.follow",
    when: (context) =>
      context.facts.far === "new" && context.port?.keys === "old" && breaksFirst(context),
    next: "switching",
    because: "the new key is not on the port",
  },
  {
    name: "proving.newKeyGone",
    when: (context) =>
      ["new", "either"].includes(context.facts.far) &&
      context.port !== undefined &&
      !holdsNew(context),
    next: "held",
    because: "the new key is gone from the port",
  },
];

const proofLate: readonly Row[] = [
  {
    name: "proving.lateHeld",
    when: (context) =>
      isOverdue(context) &&
      (isManual(context) || isEnrol(context) || (siblingLost(context) && isUsable(context))),
    next: "held",
    because: (context) => `no proof in time: ${proofText(context)}`,
  },
  {
    name: "proving.late",
    when: isOverdue,
    next: "reverting",
    because: (context) => `no proof in time: ${proofText(context)}`,
  },
  {
    name: "proving.waits",
    when: () => true,
    next: "proving",
    action: "probe",
    because: proofText,
  },
];

export const proving: readonly Row[] = [
  openFirst("proving"),
  giveBack("proving"),
  {
    name: "proving.pending",
    when: ({ facts }) => facts.far !== "unknown",
    next: "proving",
    action: "confirm",
    because: "the new key is in use: its commit is confirmed",
  },
  ...proven,
  ...unproven,
  ...proofLate,
];

const endsUnread = (context: Context): boolean =>
  isUnread(context) || context.facts.far === "unknown";

/** Shared by the two states that change the key set of a proven link for good. */
function interrupted(state: "promoting" | "retiring"): readonly Row[] {
  return [
    {
      name: `${state}.late`,
      when: isOverdue,
      next: "held",
      because: "both keys are on the router and the far end is on the new one: not done in time",
    },
    {
      name: `${state}.unread`,
      when: endsUnread,
      next: state,
      because: "router or far end cannot be read",
    },
    {
      name: `${state}.unproven`,
      when: (context) => !isProven(context),
      next: "proving",
      because: (context) => `the proof does not hold any more: ${proofText(context)}`,
    },
    {
      name: `${state}.giveUp`,
      when: (context) =>
        siblingLost(context) || undrained(context) || context.facts.closedGate !== undefined,
      next: "gated",
      because: takenBack,
    },
  ];
}

export const promoting: readonly Row[] = [
  openFirst("promoting"),
  giveBack("promoting"),
  {
    name: "promoting.promoted",
    when: ({ port }) => port?.keys === "both" && port.promoted && port.pending === "none",
    next: "proving",
    because: "the new key is the primary one: it is proven again",
  },
  {
    name: "promoting.keyGone",
    when: (context) => context.port !== undefined && context.port.keys !== "both",
    next: "held",
    because: "one of the two keys is gone from the port",
  },
  ...interrupted("promoting"),
  {
    name: "promoting.promote",
    when: () => true,
    next: "promoting",
    action: "promote",
    because: "the new key is made the primary one",
  },
  {
    name: "promoting.waits",
    when: () => true,
    next: "promoting",
    because: takenBack,
  },
];

export const retiring: readonly Row[] = [
  openFirst("retiring"),
  {
    name: "retiring.fresh",
    when: ({ campaign, port }) => port?.keys === "new" && campaign.urgency === "emergency",
    next: "proving",
    because: "the old key is gone: the new one is proven with a fresh SAK",
  },
  {
    name: "retiring.retired",
    when: ({ port }) => port?.keys === "new",
    next: "restoring",
    because: "the old key is gone",
  },
  {
    name: "retiring.newKeyGone",
    when: (context) => context.port !== undefined && !holdsNew(context),
    next: "held",
    because: "the new key is gone from the port: the link may be dark",
  },
  giveBack("retiring"),
  ...interrupted("retiring"),
  {
    name: "retiring.remove",
    when: () => true,
    next: "retiring",
    action: "removeOld",
    because: "the old key is removed",
  },
  {
    name: "retiring.waits",
    when: () => true,
    next: "retiring",
    because: takenBack,
  },
];
