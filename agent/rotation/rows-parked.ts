// The states in which traffic stays on: queued, gated, awaitingPeer, held, done.

import type { Context, Row } from "../model/campaign.ts";
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
} from "./guards.ts";
import { parkingRows } from "./rows-shared.ts";

/** Ends that do not fit each other, and no row of a break-before-make or of `add` would mend it. */
function isDarkForGood(context: Context): boolean {
  const { facts, port } = context;
  if (port?.darkness !== "lasting" || port.pending !== "none" || !hasBegun(context)) return false;
  if (facts.far === "failed") return !goesBack(context);
  if (facts.far === "updating" || facts.far === "unknown") return false;
  // A router that still has the old key gets the new one, or the far end goes back to the old one.
  if (facts.far === "new" && holdsOld(context) && !isEnrol(context)) return false;
  return isEnrol(context) || !breaksFirst(context);
}

const mayFollow = (context: Context): boolean => {
  const { facts, port } = context;
  if (goesBack(context) || port?.pending !== "none") return false;
  return facts.far === "new" && port.keys === "old" && port.carriedBy === "nothing";
};

export const queued: readonly Row[] = [
  {
    name: "queued.free",
    when: () => true,
    next: "gated",
    because: "the group is free",
  },
];

export const gated: readonly Row[] = [
  ...parkingRows("gated"),
  {
    name: "gated.leftoverKey",
    when: ({ port }) => port?.keys === "else",
    next: "gated",
    because: "a key or setting that is not of this campaign is on the port (gate.leftoverKey)",
  },
  {
    // Following gives the link back, and no gate may stop what gives.
    name: "gated.follow",
    when: (context) => mayFollow(context) && breaksFirst(context),
    next: "switching",
    mark: { told: true },
    because: "the far end has the new key and the link is dark",
  },
  {
    name: "gated.addForFar",
    when: mayFollow,
    next: "staging",
    mark: { told: true, aborted: false },
    because: "the far end has the new key and the link is dark: the router gets it too",
  },
  {
    name: "gated.dark",
    when: isDarkForGood,
    next: "held",
    because: ({ facts }) =>
      facts.far === "failed"
        ? "the far end reports a failed change and the link is dark"
        : `the link is dark: the far end is on ${facts.far} and does not fit the router`,
  },
  {
    name: "gated.askPerson",
    when: (context) => {
      const { campaign, facts, port } = context;
      if (!isManual(context) || campaign.asked || goesBack(context)) return false;
      // What a pending commit may still take away is nothing to point a far end at.
      if (port?.pending !== "none" || facts.far !== "old") return false;
      return port.keys === (breaksFirst(context) ? "old" : "both");
    },
    next: "awaitingPeer",
    because: "a person must point the far end at the new key",
  },
  {
    name: "gated.closed",
    when: ({ facts }) => facts.closedGate !== undefined,
    next: "gated",
    because: ({ facts }) => facts.closedGate ?? "a gate is closed",
  },
  {
    name: "gated.open",
    when: () => true,
    next: "draining",
    action: "drain",
    because: "all gates hold",
  },
];

function unseenText({ facts, port }: Context): string {
  if (port === undefined) return "the router cannot be read just now";
  return facts.far === "updating"
    ? "the far end is not settled just now"
    : "the far end cannot be read just now";
}

export const awaitingPeer: readonly Row[] = [
  ...parkingRows("awaitingPeer"),
  {
    name: "awaitingPeer.unreadable",
    when: ({ campaign, facts, port }) =>
      (port === undefined || facts.far === "unknown" || facts.far === "updating") &&
      !campaign.asked,
    next: "awaitingPeer",
    because: (context) => `a person must point the far end at the new key; ${unseenText(context)}`,
  },
  {
    name: "awaitingPeer.follow",
    when: (context) =>
      context.facts.far === "new" && context.port?.keys === "old" && breaksFirst(context),
    next: "switching",
    mark: { told: true },
    because: "the far end was changed",
  },
  {
    name: "awaitingPeer.changed",
    when: (context) => context.facts.far === "new" && holdsNew(context),
    next: "proving",
    mark: { told: true },
    because: "the far end was changed",
  },
  {
    name: "awaitingPeer.changedEarly",
    when: ({ facts, port }) => facts.far === "new" && port?.keys === "old",
    next: "gated",
    mark: { told: true },
    because: "the far end was changed and the new key is gone from the port",
  },
  {
    name: "awaitingPeer.farOther",
    when: ({ facts }) => facts.far === "other" || facts.far === "failed",
    next: "held",
    because: "the far end uses something that is not of this campaign",
  },
  {
    name: "awaitingPeer.newKeyGone",
    when: (context) => !breaksFirst(context) && context.port?.keys === "old",
    next: "gated",
    because: "the new key is gone from the port",
  },
  {
    name: "awaitingPeer.oldKeyGone",
    when: (context) =>
      context.port !== undefined && context.port.keys !== (breaksFirst(context) ? "old" : "both"),
    next: "held",
    because: "the port does not hold the keys that wait for the person any more",
  },
  {
    name: "awaitingPeer.proceed",
    when: ({ campaign }) => campaign.asked,
    next: "gated",
    because: "the operator said proceed",
  },
  {
    name: "awaitingPeer.waits",
    when: (context) => farIsOld(context),
    next: "awaitingPeer",
    because: (context) =>
      breaksFirst(context)
        ? "a person must point the far end at the new key; nothing of ours is on the router"
        : "a person must point the far end at the new key; the router holds both keys",
  },
];

/** What made it hold stays the reason, whatever is done meanwhile. */
export const held: readonly Row[] = [
  ...parkingRows("held").map((row) => ({ ...row, because: heldBecause })),
  {
    name: "held.stays",
    when: () => true,
    next: "held",
    because: heldBecause,
  },
];

function heldBecause({ campaign }: Context): string {
  return campaign.because;
}

export const done: readonly Row[] = [
  {
    name: "done.stays",
    when: () => true,
    next: "done",
    because: ({ campaign }) => campaign.because,
  },
];

/** Only packets of our own can show that a drained link carries again. */
export function listensIn(context: Context): boolean {
  const { port } = context;
  return port?.drain === "on" && port.pending === "none" && !isUsable(context);
}
