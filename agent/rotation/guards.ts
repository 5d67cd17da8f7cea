// The conditions that the observation right before an effect must show.

import type { Context, Guard, Guards } from "../model/campaign.ts";

export const parkingStates = ["queued", "gated", "awaitingPeer", "held", "done"] as const;

export const isEnrol = ({ link }: Context): boolean => link.old === undefined;
export const breaksFirst = ({ link }: Context): boolean => link.overlap === "breakBeforeMake";
export const goesBack = ({ campaign }: Context): boolean => campaign.goal === "revert";
export const holdsNew = ({ port }: Context): boolean =>
  port?.keys === "both" || port?.keys === "new";
export const holdsOld = ({ port }: Context): boolean =>
  port?.keys === "both" || port?.keys === "old";
/** An emergency leaves no SAK in use that the old key protected. */
export const lacksFreshSak = ({ campaign, facts, port }: Context): boolean =>
  campaign.urgency === "emergency" && port?.keys === "new" && !facts.freshSak;

/**
 * A planned rotation touches the old key only after later SAKs of the new one are proven, where
 * they can be asked for; a compromised key does not stay for that.
 */
export const lacksLaterSaks = ({ campaign, facts: { laterSaks }, port }: Context): boolean =>
  campaign.urgency === "planned" &&
  port?.keys === "both" &&
  (laterSaks.kind === "due" || laterSaks.kind === "waiting");

export const isUsable = ({ port }: Context): boolean =>
  port !== undefined && port.carriedBy !== "nothing";
/** Half of a change that carries has its traffic; to finish it takes the link once more. */
export const isHalfUndrained = (context: Context): boolean =>
  context.port?.keys === "half" &&
  isUsable(context) &&
  context.port.drain === "off" &&
  context.facts.drained.kind === "waiting";
const isQuiet = ({ port }: Context): boolean => port?.pending === "none";
export const farIsOld = ({ facts }: Context): boolean =>
  facts.far === "old" || facts.far === "either";
export const farIsNew = ({ facts }: Context): boolean =>
  facts.far === "new" || facts.far === "either";
export const siblingLost = ({ facts }: Context): boolean => facts.sibling === "lost";
export const isOverdue = ({ facts }: Context): boolean => facts.overdue;
export const isManual = ({ facts }: Context): boolean => facts.farEnd === "manual";
/** No late change of ours may still take this key from the router. */
export const keepsKey = ({ facts: { mayLose } }: Context, key: "old" | "new"): boolean =>
  mayLose !== key && mayLose !== "both";
/** The port has its old version, or a change of it by half that a repeat finishes. */
export const lacksNew = ({ port }: Context): boolean =>
  port?.keys === "old" || port?.keys === "half";
/** The port has its new version, or half of it, which the way back undoes as a whole. */
export const lacksOld = ({ port }: Context): boolean =>
  port?.keys === "new" || port?.keys === "half";
/** The group is no longer as the campaign found it. */
export const hasBegun = (context: Context): boolean =>
  holdsNew(context) || lacksOld(context) || context.campaign.told || goesBack(context);

const guard = (name: string, holds: Guard["holds"]): Guard => ({ name, holds });

const siblingCarries = guard("the sibling carries", ({ facts }) => facts.sibling === "carrying");
const preconditionsHold = guard(
  "every gate is open",
  ({ facts }) => facts.unmetPrecondition === undefined,
);
const drained = guard("the link is drained", ({ facts }) => facts.drained.kind === "held");
const quiet = guard("nothing is pending on the device", isQuiet);
const pendingOurs = guard("the pending commit is ours", ({ port }) => port?.pending === "ours");
const oldOnly = guard("the port holds the old key alone", ({ port }) => port?.keys === "old");
const newOnly = guard("the port holds the new key alone", ({ port }) => port?.keys === "new");
const notNewYet = guard("the port holds the old key alone, or half of the change", lacksNew);
const notOldYet = guard("the port holds the new key alone, or half of the change", lacksOld);
const bothKeys = guard("the port holds both keys", ({ port }) => port?.keys === "both");
const farOld = guard("the far end is settled on old", farIsOld);
const byOld = guard("the link is secured by the old key", ({ port }) => port?.carriedBy === "old");
const untold = guard("the far end was never told", ({ campaign }) => !campaign.told);
const proven = guard("the new key is proven", ({ facts }) => facts.proof.kind === "held");
const oldProven = guard("the old key is proven", ({ facts }) => facts.oldProof.kind === "held");
const laterProven = guard(
  "no later SAK of the new key is to be proven",
  (context) => !lacksLaterSaks(context),
);
const keeps = (key: "old" | "new"): Guard =>
  guard(`no late change of ours takes the ${key} key`, (context) => keepsKey(context, key));
const notEnrol = guard("there is an old key to go back to", (context) => !isEnrol(context));
const agentWrites = guard("the far end is ours to write", (context) => !isManual(context));
const overlapping = guard("the router can hold both keys", (context) => !breaksFirst(context));
const replacing = guard("the router holds one key", breaksFirst);
const validated = guard(
  "the change waits, valid, on the candidate",
  ({ facts }) => facts.replacement.kind === "valid",
);

const followsFar = (far: "old" | "new"): Guard =>
  guard(`the far end is on ${far} and the link has left its other state`, (context) => {
    const { facts, port } = context;
    if (facts.far !== far && facts.far !== "either") return false;
    if (facts.far === far && port?.carriedBy === (far === "new" ? "old" : "new")) return false;
    // Where the far end has nothing to do, or half of a change fits it, following takes the link.
    const takes = facts.far === "either" || (port?.keys === "half" && isUsable(context));
    return !takes || (facts.unmetPrecondition === undefined && facts.drained.kind === "held");
  });

export const guards: Guards = {
  drain: [siblingCarries, quiet],
  restore: [quiet, guard("the link is drained by us", ({ port }) => port?.drain === "on")],
  stage: [overlapping, preconditionsHold, drained, quiet, oldOnly, farOld, byOld, untold],
  add: [
    overlapping,
    quiet,
    oldOnly,
    guard("the far end is on new, or told with every gate open", ({ facts, campaign }) => {
      if (facts.far === "new") return true;
      return (
        campaign.told && facts.unmetPrecondition === undefined && facts.drained.kind === "held"
      );
    }),
    // Where the port is shut for it, adding to a link that works is a disruptive effect.
    guard("a port that is shut for it carries nothing, or may be taken", (context) => {
      const { facts } = context;
      if (!facts.shutsFirst || !isUsable(context)) return true;
      return facts.unmetPrecondition === undefined && facts.drained.kind === "held";
    }),
  ],
  confirm: [pendingOurs],
  rollBack: [
    pendingOurs,
    // If the staged key is gone, rolling back may also undo what a person has typed since.
    bothKeys,
    byOld,
    untold,
    guard("the far end is on old, or unreadable", ({ facts }) =>
      ["old", "either", "unknown"].includes(facts.far),
    ),
  ],
  prepare: [replacing, quiet, notNewYet],
  prepareBack: [replacing, quiet, notOldYet, notEnrol],
  putNew: [
    agentWrites,
    preconditionsHold,
    drained,
    keeps("new"),
    guard("the far end is on old", ({ facts }) => facts.far === "old"),
    guard("the router is ready for it", (context) =>
      breaksFirst(context)
        ? lacksNew(context) && context.facts.replacement.kind === "valid"
        : context.port?.keys === "both",
    ),
  ],
  putOld: [
    agentWrites,
    notEnrol,
    quiet,
    keeps("old"),
    guard(
      "the old key waits on the router",
      (context) => breaksFirst(context) || holdsOld(context),
    ),
    guard("the far end is settled", ({ facts }) => !["updating", "unknown"].includes(facts.far)),
    guard("nothing is lost by it", (context) => {
      if (!isUsable(context)) return true;
      return context.facts.sibling === "carrying" && context.facts.drained.kind === "held";
    }),
  ],
  promote: [preconditionsHold, drained, bothKeys, proven, laterProven],
  removeOld: [preconditionsHold, drained, bothKeys, proven, laterProven],
  removeNew: [
    preconditionsHold,
    drained,
    bothKeys,
    byOld,
    oldProven,
    guard("the far end is on old", ({ facts }) => facts.far === "old"),
  ],
  replace: [replacing, quiet, notNewYet, validated, followsFar("new")],
  replaceBack: [replacing, quiet, notOldYet, notEnrol, validated, followsFar("old")],
  rekeySak: [preconditionsHold, drained, newOnly, proven],
  renewSak: [
    preconditionsHold,
    drained,
    bothKeys,
    proven,
    // The old key is the way back where a later SAK passes no frames.
    keeps("old"),
    guard("the next SAK can be asked for", ({ facts }) => facts.laterSaks.kind === "due"),
  ],
  open: [
    quiet,
    guard("it was shut for a key change", ({ campaign, port }) => {
      return campaign.shut && port?.admin === "down";
    }),
  ],
  probe: [],
};
