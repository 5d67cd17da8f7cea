// proving, promoting, retiring: the new key earns its place.

import { type Context, laterSaksNeeded, type Row } from "../model/campaign.ts";
import type { Cause } from "../model/reason.ts";
import {
  breaksFirst,
  holdsNew,
  isEnrol,
  isManual,
  isOverdue,
  isUsable,
  lacksFreshSak,
  lacksLaterSaks,
  lacksNew,
  siblingLost,
} from "./guards.ts";
import { farNotOurs, giveBack, isUnread, openFirst, takenBack } from "./rows-shared.ts";

const isProven = ({ facts }: Context): boolean => facts.proof.kind === "held";

/** What the proof lacks; once a later SAK was asked for, this is the one that lacks it. */
function proofMissing({ facts: { proof, laterSaks } }: Context): Cause {
  const gap: Cause | undefined = proof.kind === "waiting" ? proof.cause : undefined;
  switch (laterSaks.kind) {
    case "due":
      return gap ?? ofLaterSak(laterSaks.number, { code: "sak.asked" });
    case "waiting":
      return ofLaterSak(laterSaks.number, gap ?? laterSaks.cause);
    case "proven":
    case "notOffered":
      return gap ?? { code: "proof.held" };
  }
}

function ofLaterSak(number: number, cause: Cause): Cause {
  return { code: "sak.later", number, needed: laterSaksNeeded, cause };
}

const isLaterSakDue = (context: Context): boolean =>
  lacksLaterSaks(context) && context.facts.laterSaks.kind === "due";

const undrained = ({ facts, port }: Context): boolean =>
  port?.drain === "off" && facts.drained.kind === "waiting";
/** What a key's retirement needs, beside the proof. */
const mayTake = ({ facts }: Context): boolean =>
  facts.unmetPrecondition === undefined && facts.drained.kind === "held";

const onceProven: readonly Row[] = [
  {
    name: "proving.staleSakLate",
    when: (context) => lacksFreshSak(context) && isOverdue(context),
    next: "held",
  },
  {
    name: "proving.freshSak",
    when: lacksFreshSak,
    next: "proving",
    action: "rekeySak",
  },
  {
    name: "proving.staleSak",
    when: lacksFreshSak,
    next: "proving",
  },
  {
    name: "proving.proven",
    when: ({ port }) => port?.keys === "new",
    next: "restoring",
    mark: { proved: true },
  },
  {
    name: "proving.strange",
    when: ({ port }) => port?.keys !== "both",
    next: "held",
  },
  {
    name: "proving.laterSakLateHeld",
    when: (context) =>
      lacksLaterSaks(context) &&
      isOverdue(context) &&
      (isManual(context) || (siblingLost(context) && isUsable(context))),
    next: "held",
    cause: proofMissing,
  },
  {
    name: "proving.laterSakLate",
    when: (context) => lacksLaterSaks(context) && isOverdue(context),
    next: "reverting",
    cause: proofMissing,
  },
  {
    name: "proving.laterSak",
    when: isLaterSakDue,
    next: "proving",
    action: "renewSak",
    cause: proofMissing,
  },
  {
    name: "proving.laterSakGated",
    when: isLaterSakDue,
    next: "gated",
    mark: { proved: true },
    cause: takenBack,
  },
  {
    name: "proving.laterSakWaits",
    when: lacksLaterSaks,
    next: "proving",
    action: "probe",
    cause: proofMissing,
  },
  {
    name: "proving.promote",
    when: (context) => context.port?.promotion === "due" && mayTake(context),
    next: "promoting",
    mark: { proved: true },
  },
  {
    name: "proving.promoteLater",
    when: ({ port }) => port?.promotion === "due",
    next: "gated",
    mark: { proved: true },
    cause: takenBack,
  },
  {
    name: "proving.soak",
    when: ({ campaign }) =>
      campaign.retire === "afterSoak" && campaign.urgency === "planned" && !campaign.soaked,
    next: "restoring",
    mark: { proved: true, soaked: true },
  },
  {
    name: "proving.retire",
    when: mayTake,
    next: "retiring",
    mark: { proved: true },
  },
  {
    name: "proving.retireLater",
    when: () => true,
    next: "gated",
    mark: { proved: true },
    cause: takenBack,
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
  },
  {
    name: "proving.farBackByHand",
    when: (context) => context.facts.far === "old" && isManual(context) && !breaksFirst(context),
    next: "gated",
    mark: { asked: false, claimed: false },
  },
  {
    name: "proving.farBackBroken",
    when: (context) => context.facts.far === "old" && isManual(context),
    next: "held",
  },
  {
    name: "proving.farBack",
    when: ({ facts }) => facts.far === "old",
    next: "reverting",
  },
  {
    name: "proving.farOther",
    when: ({ facts }) => facts.far === "other" || facts.far === "failed",
    next: "held",
    cause: farNotOurs,
  },
  {
    name: "proving.follow",
    when: (context) => context.facts.far === "new" && lacksNew(context) && breaksFirst(context),
    next: "switching",
  },
  {
    name: "proving.newKeyGone",
    when: (context) =>
      ["new", "either"].includes(context.facts.far) &&
      context.port !== undefined &&
      !holdsNew(context),
    next: "held",
  },
];

const proofLate: readonly Row[] = [
  {
    name: "proving.lateHeld",
    when: (context) =>
      isOverdue(context) &&
      (isManual(context) || isEnrol(context) || (siblingLost(context) && isUsable(context))),
    next: "held",
    cause: proofMissing,
  },
  {
    name: "proving.late",
    when: isOverdue,
    next: "reverting",
    cause: proofMissing,
  },
  {
    name: "proving.waits",
    when: () => true,
    next: "proving",
    action: "probe",
    cause: proofMissing,
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
    },
    {
      name: `${state}.unread`,
      when: endsUnread,
      next: state,
    },
    {
      name: `${state}.unproven`,
      when: (context) => !isProven(context) || lacksLaterSaks(context),
      next: "proving",
      cause: proofMissing,
    },
    {
      name: `${state}.giveUp`,
      when: (context) =>
        siblingLost(context) || undrained(context) || context.facts.unmetPrecondition !== undefined,
      next: "gated",
      cause: takenBack,
    },
  ];
}

export const promoting: readonly Row[] = [
  openFirst("promoting"),
  giveBack("promoting"),
  {
    name: "promoting.promoted",
    when: ({ port }) =>
      port?.keys === "both" && port.promotion !== "due" && port.pending === "none",
    next: "proving",
  },
  {
    name: "promoting.keyGone",
    when: (context) => context.port !== undefined && context.port.keys !== "both",
    next: "held",
  },
  ...interrupted("promoting"),
  {
    name: "promoting.promote",
    when: () => true,
    next: "promoting",
    action: "promote",
  },
  {
    name: "promoting.waits",
    when: () => true,
    next: "promoting",
    cause: takenBack,
  },
];

export const retiring: readonly Row[] = [
  openFirst("retiring"),
  {
    name: "retiring.fresh",
    when: ({ campaign, port }) => port?.keys === "new" && campaign.urgency === "emergency",
    next: "proving",
  },
  {
    name: "retiring.retired",
    when: ({ port }) => port?.keys === "new",
    next: "restoring",
  },
  {
    name: "retiring.newKeyGone",
    when: (context) => context.port !== undefined && !holdsNew(context),
    next: "held",
  },
  giveBack("retiring"),
  ...interrupted("retiring"),
  {
    name: "retiring.remove",
    when: () => true,
    next: "retiring",
    action: "removeOld",
  },
  {
    name: "retiring.waits",
    when: () => true,
    next: "retiring",
    cause: takenBack,
  },
];
