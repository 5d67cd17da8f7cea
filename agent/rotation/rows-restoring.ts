// restoring and reverting: traffic comes back, or the old key does.

import type { CampaignKind, Context, Outcome, Row } from "../model/campaign.ts";
import {
  breaksFirst,
  farIsNew,
  farIsOld,
  holdsNew,
  holdsOld,
  isEnrol,
  isManual,
  isOverdue,
  isUsable,
  lacksFreshSak,
  siblingLost,
} from "./guards.ts";
import {
  foreignCommit,
  giveBack,
  heldKeys,
  isUnread,
  neededText,
  openFirst,
  pendingIsNeeded,
  refusal,
  takenBack,
} from "./rows-shared.ts";

const carries = ({ facts, port }: Context): boolean =>
  port?.drain === "off" && facts.carrying.kind === "held" && port.pending === "none";

const successes: Readonly<Record<CampaignKind, Outcome>> = {
  enrol: "enrolled",
  change: "changed",
  rotate: "rotated",
};

const doneAs = (kind: CampaignKind): Row => ({
  name: `restoring.${successes[kind]}`,
  when: (context) =>
    context.campaign.kind === kind &&
    carries(context) &&
    context.port?.keys === "new" &&
    !lacksFreshSak(context) &&
    farIsNew(context),
  next: "done",
  mark: { outcome: successes[kind] },
  because: {
    enrol: "the link is protected",
    change: "the link is protected with its new settings",
    rotate: "the link is protected by its new key alone",
  }[kind],
});

export const restoring: readonly Row[] = [
  openFirst("restoring"),
  {
    name: "restoring.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
    because: "the router cannot be read while traffic should come back",
  },
  {
    name: "restoring.unread",
    when: isUnread,
    next: "restoring",
    because: "the router cannot be read",
  },
  {
    name: "restoring.confirm",
    when: pendingIsNeeded,
    next: "restoring",
    action: "confirm",
    because: neededText,
  },
  {
    name: "restoring.rollBack",
    when: () => true,
    next: "restoring",
    action: "rollBack",
    because: "the staged key is rolled back first",
  },
  ...foreignCommit("restoring"),
  {
    name: "restoring.restore",
    when: ({ facts }) => !facts.overdue,
    next: "restoring",
    action: "restore",
    because: "traffic comes back",
  },
  doneAs("enrol"),
  doneAs("change"),
  doneAs("rotate"),
  {
    name: "restoring.reverted",
    when: (context) => carries(context) && context.port?.keys === "old" && farIsOld(context),
    next: "done",
    mark: { outcome: "reverted" },
    because: "the link carries as it did before",
  },
  {
    name: "restoring.unfinished",
    when: (context) =>
      carries(context) && (context.port?.keys === "both" || lacksFreshSak(context)),
    next: "gated",
    because: (context) =>
      lacksFreshSak(context)
        ? "the link carries by a SAK that the old key protected: a fresh one is still to come"
        : "the link carries with both keys on the router: one of them still has to go",
  },
  {
    name: "restoring.late",
    when: isOverdue,
    next: "held",
    because: (context) =>
      context.facts.carrying.kind === "waiting"
        ? `the link does not carry again: ${waitsFor(context)}`
        : `the link carries, and not as it should: ${waitsFor(context)}`,
  },
  {
    name: "restoring.waits",
    when: () => true,
    next: "restoring",
    action: "probe",
    because: waitsFor,
  },
];

function waitsFor({ facts, port }: Context): string {
  if (facts.carrying.kind === "waiting") return facts.carrying.text;
  return `the router holds ${heldKeys(port)} and the far end is ${facts.far}`;
}

const farAway = ({ facts }: Context): boolean => facts.far === "new" || facts.far === "failed";

/** The far end first: it must be on the old key before the new one may go. */
const farBack: readonly Row[] = [
  {
    name: "reverting.farOther",
    when: ({ facts }) => facts.far === "other",
    next: "held",
    because: "the far end uses a key that is not of this campaign: a person must put the old one",
  },
  {
    name: "reverting.farEnrol",
    when: (context) => farAway(context) && isEnrol(context),
    next: "held",
    because: "an enrolment never goes back: a person must put MACsec off at both ends",
  },
  {
    name: "reverting.farByHand",
    when: (context) => farAway(context) && isManual(context),
    next: "held",
    because: "a person must point the far end back at the old key, then resume or revert",
  },
  {
    name: "reverting.oldKeyGone",
    when: (context) => farAway(context) && !breaksFirst(context) && !holdsOld(context),
    next: "held",
    because: "the old key is gone from the port: an ordinary rotation back is the way",
  },
  {
    name: "reverting.undrained",
    when: (context) =>
      farAway(context) &&
      isUsable(context) &&
      context.port?.drain === "off" &&
      context.facts.drained.kind === "waiting" &&
      !siblingLost(context),
    next: "gated",
    mark: { goal: "revert" },
    because: "the way back starts with moving the traffic away",
  },
  {
    name: "reverting.prepare",
    when: (context) =>
      farAway(context) && breaksFirst(context) && context.facts.replacement.kind === "absent",
    next: "reverting",
    action: "prepareBack",
    because: "the old key is validated on the router first",
  },
  {
    name: "reverting.refused",
    when: (context) => farAway(context) && breaksFirst(context) && refusal(context) !== undefined,
    next: "held",
    because: (context) => `the router refuses the old key: ${refusal(context)}`,
  },
  {
    name: "reverting.put",
    when: farAway,
    next: "reverting",
    action: "putOld",
    mark: { told: true },
    because: "the far end is asked to use the old key again",
  },
  {
    name: "reverting.putWaits",
    when: farAway,
    next: "reverting",
    because: takenBack,
  },
];

const restored = { next: "restoring", mark: { outcome: "reverted" } } as const;

/** The far end is on old: the router follows it, or lets go of what was staged. */
const onceFarIsBack: readonly Row[] = [
  {
    name: "reverting.enrolBare",
    when: (context) => isEnrol(context) && context.port?.keys === "old",
    ...restored,
    because: "nothing of ours is on either end",
  },
  {
    name: "reverting.enrolKeyed",
    when: isEnrol,
    next: "held",
    because: "the router holds a key while the far end has MACsec off: a person must clear it",
  },
  {
    name: "reverting.replacedBack",
    when: (context) => breaksFirst(context) && context.port?.keys === "old" && isUsable(context),
    ...restored,
    because: "both ends are as they were",
  },
  {
    name: "reverting.replaceBack",
    when: breaksFirst,
    next: "reverting",
    action: "replaceBack",
    because: "the far end is as before: the router follows",
  },
  {
    name: "reverting.prepareLate",
    when: (context) =>
      breaksFirst(context) &&
      context.port?.keys === "new" &&
      context.facts.replacement.kind === "absent",
    next: "reverting",
    action: "prepareBack",
    because: "the old key is validated on the router",
  },
  {
    name: "reverting.backRefused",
    when: (context) => breaksFirst(context) && refusal(context) !== undefined,
    next: "held",
    because: (context) => `the router refuses the old key: ${refusal(context)}`,
  },
  {
    name: "reverting.breakWaits",
    when: (context) => breaksFirst(context) && context.port?.keys !== "else",
    next: "reverting",
    action: "probe",
    because: "waiting for the link to work with the old key",
  },
  {
    name: "reverting.noOldKey",
    when: (context) => !holdsOld(context),
    next: "held",
    because: "the old key is not on the port: it cannot go back by itself",
  },
  {
    name: "reverting.notYet",
    when: ({ facts, port }) =>
      port?.carriedBy !== "old" || (port.keys === "both" && facts.oldProof.kind === "waiting"),
    next: "reverting",
    action: "probe",
    because: ({ facts }) =>
      `the old key must be proven before the new one goes: ${
        facts.oldProof.kind === "waiting" ? facts.oldProof.text : "it is not in charge yet"
      }`,
  },
  {
    name: "reverting.removed",
    when: (context) => !holdsNew(context),
    ...restored,
    because: "both ends are back on the old key alone",
  },
  {
    name: "reverting.removeUndrained",
    when: ({ facts, port }) =>
      port?.drain === "off" && facts.drained.kind === "waiting" && facts.sibling === "carrying",
    next: "gated",
    mark: { goal: "revert" },
    because: "the way back starts with moving the traffic away",
  },
  {
    name: "reverting.remove",
    when: () => true,
    next: "reverting",
    action: "removeNew",
    because: "the new key is removed",
  },
  {
    name: "reverting.removeWaits",
    when: () => true,
    next: "reverting",
    because: takenBack,
  },
];

const routerBack = onceFarIsBack.map(
  (row): Row => ({ ...row, when: (context) => farIsOld(context) && row.when(context) }),
);

export const reverting: readonly Row[] = [
  openFirst("reverting"),
  giveBack("reverting"),
  ...foreignCommit("reverting"),
  {
    name: "reverting.late",
    when: isOverdue,
    next: "held",
    because: "the way back was not done in time",
  },
  {
    name: "reverting.confirm",
    when: pendingIsNeeded,
    next: "reverting",
    action: "confirm",
    because: neededText,
  },
  {
    name: "reverting.unread",
    when: ({ facts, port }) =>
      port === undefined || facts.far === "unknown" || facts.far === "updating",
    next: "reverting",
    because: "waiting to read both ends",
  },
  {
    name: "reverting.rollBack",
    when: () => true,
    next: "reverting",
    action: "rollBack",
    because: "the staged key is rolled back first",
  },
  {
    name: "reverting.pending",
    when: ({ port }) => port?.pending === "ours",
    next: "reverting",
    because: "waiting until the device has reverted the staged key",
  },
  ...farBack,
  ...routerBack,
];
