// The states in which traffic stays on: queued, gated, awaitingPeer, held, done.

import type { Context, Row } from "../model/campaign.ts";
import type { Cause } from "../model/reason.ts";
import {
  breaksFirst,
  farIsOld,
  goesBack,
  hasBegun,
  holdsNew,
  holdsOld,
  isEnrol,
  isManual,
  isUsable,
  keepsKey,
  lacksNew,
} from "./guards.ts";
import { farNotOurs, parkingRows, takenBack } from "./rows-shared.ts";

/** Ends that do not fit each other, and no row of a break-before-make or of `add` would mend it. */
function isLastingOutage(context: Context): boolean {
  const { facts, port } = context;
  if (port?.outage !== "lasting" || port.pending !== "none" || !hasBegun(context)) return false;
  if (facts.far === "failed") return !goesBack(context);
  if (facts.far === "updating" || facts.far === "unknown") return false;
  // A router that still has the old key gets the new one, or the far end goes back to the old one.
  if (facts.far === "new" && holdsOld(context) && !isEnrol(context)) return false;
  return isEnrol(context) || !breaksFirst(context);
}

const mayFollow = (context: Context): boolean => {
  const { facts, port } = context;
  if (goesBack(context) || port?.pending !== "none") return false;
  return facts.far === "new" && lacksNew(context) && port.carriedBy === "nothing";
};

export const queued: readonly Row[] = [
  {
    name: "queued.free",
    when: () => true,
    next: "gated",
  },
];

export const gated: readonly Row[] = [
  ...parkingRows("gated"),
  {
    name: "gated.leftoverKey",
    when: ({ port }) => port?.keys === "else",
    next: "gated",
  },
  {
    // Following gives the link back, and no precondition may stop a restoring effect.
    name: "gated.follow",
    when: (context) => mayFollow(context) && breaksFirst(context),
    next: "switching",
    mark: { told: true },
  },
  {
    name: "gated.addForFar",
    when: mayFollow,
    next: "staging",
    mark: { told: true, aborted: false },
  },
  {
    name: "gated.dark",
    when: isLastingOutage,
    next: "held",
    cause: (context) => {
      const { far, farIsOff } = context.facts;
      const isApart = far !== "failed" && farIsOff !== true;
      return isApart ? { code: "farEnd.apart", far } : farNotOurs(context);
    },
  },
  {
    // A removal of the new key that the router may still carry out, and the far end already on that
    // key, would make the link dark: what was resumed waits until it can come no more.
    name: "gated.lateChange",
    when: (context) => {
      const goesOn = !breaksFirst(context) && !goesBack(context);
      return goesOn && context.facts.far === "old" && !keepsKey(context, "new");
    },
    next: "gated",
  },
  {
    name: "gated.askPerson",
    when: (context) => {
      const { campaign, facts, port } = context;
      if (!isManual(context) || campaign.asked || goesBack(context)) return false;
      // A person is not asked to use a key that a pending commit may still take away.
      if (port?.pending !== "none" || facts.far !== "old") return false;
      return breaksFirst(context) ? lacksNew(context) : port.keys === "both";
    },
    next: "awaitingPeer",
  },
  {
    name: "gated.closed",
    when: ({ facts }) => facts.unmetPrecondition !== undefined,
    next: "gated",
    cause: takenBack,
  },
  {
    name: "gated.open",
    when: () => true,
    next: "draining",
    action: "drain",
  },
];

function unseen({ facts, port }: Context): Cause {
  if (port === undefined) return { code: "router.unread" };
  return { code: facts.far === "updating" ? "farEnd.unsettled" : "farEnd.unread" };
}

export const awaitingPeer: readonly Row[] = [
  ...parkingRows("awaitingPeer"),
  {
    name: "awaitingPeer.unreadable",
    when: ({ campaign, facts, port }) =>
      (port === undefined || facts.far === "unknown" || facts.far === "updating") &&
      !campaign.asked,
    next: "awaitingPeer",
    cause: unseen,
  },
  {
    name: "awaitingPeer.follow",
    when: (context) => context.facts.far === "new" && lacksNew(context) && breaksFirst(context),
    next: "switching",
    mark: { told: true },
  },
  {
    name: "awaitingPeer.changed",
    when: (context) => context.facts.far === "new" && holdsNew(context),
    next: "proving",
    mark: { told: true },
  },
  {
    name: "awaitingPeer.changedEarly",
    when: ({ facts, port }) => facts.far === "new" && port?.keys === "old",
    next: "gated",
    mark: { told: true },
  },
  {
    name: "awaitingPeer.farOther",
    when: ({ facts }) => facts.far === "other" || facts.far === "failed",
    next: "held",
  },
  {
    name: "awaitingPeer.newKeyGone",
    when: (context) => !breaksFirst(context) && context.port?.keys === "old",
    next: "gated",
  },
  {
    name: "awaitingPeer.oldKeyGone",
    when: (context) => {
      if (context.port === undefined) return false;
      return breaksFirst(context) ? !lacksNew(context) : context.port.keys !== "both";
    },
    next: "held",
  },
  {
    name: "awaitingPeer.proceed",
    when: ({ campaign }) => campaign.asked,
    next: "gated",
  },
  {
    name: "awaitingPeer.waits",
    when: (context) => farIsOld(context),
    next: "awaitingPeer",
    cause: (context) => ({
      code: breaksFirst(context) ? "router.untouched" : "router.holdsBoth",
    }),
  },
];

/** Rows that hold for time alone: the facts did not come, or were not read, in time. */
export const timeAlone: ReadonlySet<string> = new Set([
  "draining.unreadLate",
  "draining.farUnseenLate",
  "draining.lateBegun",
  "staging.unreadLate",
  "staged.unreadLate",
  "switching.unreadLate",
  "switching.farUnsettledLate",
  "proving.staleSakLate",
  "proving.laterSakLateHeld",
  "proving.lateHeld",
  "promoting.late",
  "retiring.late",
  "restoring.unreadLate",
  "restoring.late",
]);

/** What an operator looks for before a bare `resume`, once for each link. */
function goesOn({ campaign, facts, port }: Context): boolean {
  if (campaign.again !== true || campaign.goal !== "forward") return false;
  if (facts.sibling !== "carrying") return false;
  const isFarRead = facts.far === "old" || facts.far === "new" || facts.far === "either";
  return isFarRead && port?.pending === "none" && port.keys !== "else";
}

/** What made it hold stays the reason, whatever is done meanwhile. */
export const held: readonly Row[] = [
  ...parkingRows("held").map((row) => ({ ...row, cause: "kept" as const })),
  {
    // The same way on as an operator's `resume`: every gate is checked again.
    name: "held.goesOn",
    when: goesOn,
    next: "gated",
    mark: { asked: false, aborted: false },
  },
  {
    name: "held.stays",
    when: () => true,
    next: "held",
    cause: "kept",
  },
];

export const done: readonly Row[] = [
  {
    name: "done.stays",
    when: () => true,
    next: "done",
    cause: "kept",
  },
];

/** Only packets of our own can show that a drained link carries again. */
export function listensIn(context: Context): boolean {
  const { port } = context;
  return port?.drain === "on" && port.pending === "none" && !isUsable(context);
}
