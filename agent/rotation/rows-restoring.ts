// restoring and reverting: traffic comes back, or the old key does.

import type { CampaignKind, Context, Outcome, Row } from "../model/campaign.ts";
import { judge, sightOf } from "../model/claims.ts";
import type { Cause } from "../model/reason.ts";
import {
  breaksFirst,
  farIsOld,
  holdsNew,
  holdsOld,
  isEnrol,
  isHalfUndrained,
  isManual,
  isOverdue,
  isUsable,
  lacksFreshSak,
  lacksOld,
  siblingLost,
} from "./guards.ts";
import {
  bothEnds,
  foreignCommit,
  giveBack,
  isUnread,
  openFirst,
  pendingIsNeeded,
  refusal,
  takenBack,
  whyNeeded,
  whyRefused,
} from "./rows-shared.ts";

const carries = ({ facts, port }: Context): boolean =>
  port?.drain === "off" && facts.carrying.kind === "held" && port.pending === "none";

/** The link carries by this version alone, at both ends. */
function hasEnded({ facts, port }: Context, on: "old" | "new"): boolean {
  const { kind } = judge("campaign-ended", {
    alone: () => sightOf(port && port.keys === on),
    confirmed: () => sightOf(port && port.pending === "none"),
    far: () => sightOf(facts.far === on || facts.far === "either"),
    undrained: () => sightOf(port && port.drain === "off"),
    carries: () => sightOf(facts.carrying.kind === "held"),
  });
  return kind === "holds";
}

const successes = {
  enrol: "enrolled",
  change: "changed",
  rotate: "rotated",
} as const satisfies Record<CampaignKind, Outcome>;

const doneAs = (kind: CampaignKind): Row => ({
  name: `restoring.${successes[kind]}`,
  when: (context) =>
    context.campaign.kind === kind && hasEnded(context, "new") && !lacksFreshSak(context),
  next: "done",
  mark: { outcome: successes[kind] },
});

export const restoring: readonly Row[] = [
  openFirst("restoring"),
  {
    name: "restoring.unreadLate",
    when: (context) => isUnread(context) && isOverdue(context),
    next: "held",
  },
  {
    name: "restoring.unread",
    when: isUnread,
    next: "restoring",
  },
  {
    name: "restoring.confirm",
    when: pendingIsNeeded,
    next: "restoring",
    action: "confirm",
    cause: whyNeeded,
  },
  {
    name: "restoring.rollBack",
    when: () => true,
    next: "restoring",
    action: "rollBack",
  },
  ...foreignCommit("restoring"),
  {
    name: "restoring.restore",
    when: ({ facts }) => !facts.overdue,
    next: "restoring",
    action: "restore",
  },
  doneAs("enrol"),
  doneAs("change"),
  doneAs("rotate"),
  {
    name: "restoring.reverted",
    when: (context) => hasEnded(context, "old"),
    next: "done",
    mark: { outcome: "reverted" },
  },
  {
    name: "restoring.unfinished",
    when: (context) =>
      carries(context) && (context.port?.keys === "both" || lacksFreshSak(context)),
    next: "gated",
    cause: (context) => ({
      code: lacksFreshSak(context) ? "sak.ofOldKey" : "port.bothKeys",
    }),
  },
  {
    name: "restoring.late",
    when: isOverdue,
    next: "held",
    cause: waitsFor,
  },
  {
    name: "restoring.waits",
    when: () => true,
    next: "restoring",
    action: "probe",
    cause: waitsFor,
  },
];

function waitsFor({ facts, port }: Context): Cause {
  return facts.carrying.kind === "waiting" ? facts.carrying.cause : bothEnds(port, facts.far);
}

const farAway = ({ facts }: Context): boolean => facts.far === "new" || facts.far === "failed";

/** The far end first: it must be on the old key before the new one may go. */
const farBack: readonly Row[] = [
  {
    name: "reverting.farOther",
    when: ({ facts }) => facts.far === "other",
    next: "held",
  },
  {
    name: "reverting.farEnrol",
    when: (context) => farAway(context) && isEnrol(context),
    next: "held",
  },
  {
    name: "reverting.farByHand",
    when: (context) => farAway(context) && isManual(context),
    next: "held",
  },
  {
    name: "reverting.oldKeyGone",
    when: (context) => farAway(context) && !breaksFirst(context) && !holdsOld(context),
    next: "held",
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
  },
  {
    name: "reverting.prepare",
    when: (context) =>
      farAway(context) && breaksFirst(context) && context.facts.replacement.kind === "absent",
    next: "reverting",
    action: "prepareBack",
  },
  {
    name: "reverting.refused",
    when: (context) => farAway(context) && breaksFirst(context) && refusal(context) !== undefined,
    next: "held",
    cause: whyRefused,
  },
  {
    name: "reverting.put",
    when: farAway,
    next: "reverting",
    action: "putOld",
    mark: { told: true },
  },
  {
    name: "reverting.putWaits",
    when: farAway,
    next: "reverting",
    cause: takenBack,
  },
];

const restored = { next: "restoring", mark: { outcome: "reverted" } } as const;

/** The far end is on old: the router follows it, or lets go of what was staged. */
const onceFarIsBack: readonly Row[] = [
  {
    name: "reverting.enrolBare",
    when: (context) => isEnrol(context) && context.port?.keys === "old",
    ...restored,
  },
  {
    name: "reverting.enrolKeyed",
    when: isEnrol,
    next: "held",
  },
  {
    name: "reverting.replacedBack",
    when: (context) => breaksFirst(context) && context.port?.keys === "old" && isUsable(context),
    ...restored,
  },
  {
    name: "reverting.halfUndrained",
    when: isHalfUndrained,
    next: "gated",
    mark: { goal: "revert" },
  },
  {
    name: "reverting.replaceBack",
    when: breaksFirst,
    next: "reverting",
    action: "replaceBack",
  },
  {
    name: "reverting.prepareLate",
    when: (context) =>
      breaksFirst(context) && lacksOld(context) && context.facts.replacement.kind === "absent",
    next: "reverting",
    action: "prepareBack",
  },
  {
    name: "reverting.backRefused",
    when: (context) => breaksFirst(context) && refusal(context) !== undefined,
    next: "held",
    cause: whyRefused,
  },
  {
    name: "reverting.breakWaits",
    when: (context) => breaksFirst(context) && context.port?.keys !== "else",
    next: "reverting",
    action: "probe",
  },
  {
    name: "reverting.noOldKey",
    when: (context) => !holdsOld(context),
    next: "held",
  },
  {
    name: "reverting.notYet",
    when: ({ facts, port }) =>
      port?.carriedBy !== "old" || (port.keys === "both" && facts.oldProof.kind === "waiting"),
    next: "reverting",
    action: "probe",
    cause: ({ facts }) =>
      facts.oldProof.kind === "waiting" ? facts.oldProof.cause : { code: "oldKey.notInCharge" },
  },
  {
    name: "reverting.removed",
    when: (context) => !holdsNew(context),
    ...restored,
  },
  {
    name: "reverting.removeUndrained",
    when: ({ facts, port }) =>
      port?.drain === "off" && facts.drained.kind === "waiting" && facts.sibling === "carrying",
    next: "gated",
    mark: { goal: "revert" },
  },
  {
    name: "reverting.remove",
    when: () => true,
    next: "reverting",
    action: "removeNew",
  },
  {
    name: "reverting.removeWaits",
    when: () => true,
    next: "reverting",
    cause: takenBack,
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
  },
  {
    name: "reverting.confirm",
    when: pendingIsNeeded,
    next: "reverting",
    action: "confirm",
    cause: whyNeeded,
  },
  {
    name: "reverting.unread",
    when: ({ facts, port }) =>
      port === undefined || facts.far === "unknown" || facts.far === "updating",
    next: "reverting",
  },
  {
    name: "reverting.rollBack",
    when: () => true,
    next: "reverting",
    action: "rollBack",
  },
  {
    name: "reverting.pending",
    when: ({ port }) => port?.pending === "ours",
    next: "reverting",
  },
  ...farBack,
  ...routerBack,
];
