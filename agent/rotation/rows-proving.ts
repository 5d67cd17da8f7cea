// proving, promoting, retiring: the new key earns its place.

import type { Context, Row } from "../model/campaign.ts";
import {
  breaksFirst,
  holdsNew,
  isEnrol,
  isManual,
  isOverdue,
  isUsable,
  lacksFreshSak,
  siblingLost,
} from "./guards.ts";
import { giveBack, isUnread, openFirst, takenBack } from "./rows-shared.ts";

const isProven = ({ facts }: Context): boolean => facts.proof.kind === "held";
const proofText = ({ facts }: Context): string =>
  facts.proof.kind === "waiting" ? facts.proof.text : "the new key is proven";
const undrained = ({ facts, port }: Context): boolean =>
  port?.drain === "off" && facts.drained.kind === "waiting";
/** What a key's retirement needs, beside the proof. */
const mayTake = ({ facts }: Context): boolean =>
  facts.closedGate === undefined && facts.drained.kind === "held";

const onceProven: readonly Row[] = [
  {
    name: "proving.staleSakLate",
    when: (context) => lacksFreshSak(context) && isOverdue(context),
    next: "held",
    because: "the SAK is still one that the old key protected",
  },
  {
    name: "proving.freshSak",
    when: lacksFreshSak,
    next: "proving",
    action: "rekeySak",
    because: "the SAK is older than the new key: a fresh one is asked for",
  },
  {
    name: "proving.staleSak",
    when: lacksFreshSak,
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
