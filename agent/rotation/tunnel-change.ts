// The machine of a tunnel's key or certificate: (change, facts) to step, by a table as the
// campaigns of links have one. Pure; its only caller is the runner of tunnel changes.

import type { WallTime } from "#hal/world.ts";
import { fitting } from "../model/machine.ts";
import type { Cause, Reason } from "../model/reason.ts";
import { sameReason } from "../model/reason.ts";
import type {
  TunnelAction,
  TunnelChange,
  TunnelContext,
  TunnelFacts,
  TunnelGuard,
  TunnelGuards,
  TunnelRow,
  TunnelSight,
  TunnelStep,
  TunnelTable,
} from "../model/tunnel-change.ts";

type When = TunnelRow["when"];

const always: When = () => true;
const isAgents: When = ({ facts }) => facts.farEnd === "agent";
const byPerson: When = ({ facts }) => facts.asked === "person";
const proceedsGiving: When = (seen) => byPerson(seen) && isAgents(seen);
const proceedsAlone: When = (seen) => byPerson(seen) && !isAgents(seen);
const isAnyRefused: When = ({ facts }) => facts.tunnels.some(({ isRefused }) => isRefused);
const hasFailed: When = ({ facts }) => facts.failed !== undefined;
const isAway = ({ traffic }: TunnelSight): boolean => traffic === "away";

/** The next tunnel that authenticates. */
const upcoming = ({ tunnels }: TunnelFacts): TunnelSight | undefined =>
  tunnels.find(({ proof }) => proof === "none");

/** A tunnel that is led away while it is not its turn. */
const finished = (facts: TunnelFacts): TunnelSight | undefined =>
  facts.tunnels.find((each) => isAway(each) && each.name !== upcoming(facts)?.name);

const failure = ({ change, facts }: TunnelContext): Cause =>
  facts.failed?.cause ?? { code: "recorded", text: change.state };

const waiting: readonly TunnelRow[] = [
  { name: "tunnel.waiting.proceedGive", when: proceedsGiving, next: "giving", action: "give" },
  {
    name: "tunnel.waiting.proceed",
    when: proceedsAlone,
    next: "switching",
    mark: { alone: "waiting" },
  },
  {
    name: "tunnel.waiting.refused",
    when: (seen) => seen.facts.kind === "psk" && isAnyRefused(seen),
    next: "switching",
    mark: { alone: "waiting" },
  },
  {
    name: "tunnel.waiting.shown",
    when: ({ facts }) => facts.kind === "certificate",
    next: "switching",
    mark: { alone: "waiting" },
  },
  {
    name: "tunnel.waiting.forPerson",
    when: (seen) => !isAgents(seen),
    next: "waiting",
    cause: "kept",
  },
  { name: "tunnel.waiting.give", when: always, next: "giving", action: "give" },
  {
    name: "tunnel.waiting.closed",
    when: always,
    next: "waiting",
    cause: ({ facts }) => facts.unmet ?? { code: "tunnel.notUp" },
  },
];

const giving: readonly TunnelRow[] = [
  {
    name: "tunnel.giving.proceed",
    when: proceedsAlone,
    next: "switching",
    mark: { alone: "waiting" },
  },
  { name: "tunnel.giving.leave", when: (seen) => !isAgents(seen), next: "waiting" },
  { name: "tunnel.giving.given", when: ({ facts }) => facts.given === "yes", next: "switching" },
  {
    name: "tunnel.giving.notGiven",
    when: (seen) => hasFailed(seen) && seen.facts.given === "no",
    next: "waiting",
    cause: failure,
  },
  {
    // The gateway may have it, and the vault does not let us finish.
    name: "tunnel.giving.withdrawn",
    when: ({ facts }) => facts.failed?.kind === "vault" && facts.isTakenBack,
    next: "returning",
    cause: failure,
  },
  { name: "tunnel.giving.either", when: hasFailed, next: "giving", cause: failure },
  {
    // If no SA is left, the router itself finds out which of the two keys the gateway has.
    name: "tunnel.giving.allRefused",
    when: ({ facts }) => facts.tunnels.every(({ isRefused }) => isRefused),
    next: "switching",
  },
  { name: "tunnel.giving.put", when: always, next: "giving", action: "give" },
];

const switching: readonly TunnelRow[] = [
  {
    // The router does not answer: nothing is known of the version, and a later turn continues.
    name: "tunnel.switching.unheard",
    when: ({ facts }) => facts.failed?.kind === "transport",
    next: "switching",
    cause: "kept",
  },
  { name: "tunnel.switching.refused", when: hasFailed, next: "returning", cause: failure },
  {
    name: "tunnel.switching.undrain",
    when: ({ facts }) => finished(facts) !== undefined,
    next: "switching",
    action: "undrain",
  },
  {
    name: "tunnel.switching.drain",
    when: ({ facts }) => upcoming(facts)?.traffic === "unasked",
    next: "switching",
    action: "drain",
  },
  {
    name: "tunnel.switching.take",
    when: ({ facts }) => upcoming(facts) !== undefined,
    next: "switching",
    action: "take",
  },
  {
    // A tunnel that was down before, and that no gateway refuses, needs no proof if the other has
    // one: the gateway has one key for both.
    name: "tunnel.switching.proven",
    when: ({ facts }) => facts.tunnels.some(({ proof }) => proof === "proven"),
    next: "done",
  },
  {
    name: "tunnel.switching.unproven",
    when: always,
    next: "returning",
    cause: ({ facts }) => ({ code: "tunnel.noNewSas", tunnel: facts.tunnels[0]?.name ?? "it" }),
  },
];

const returning: readonly TunnelRow[] = [
  { name: "tunnel.returning.proceedGive", when: proceedsGiving, next: "giving", action: "give" },
  {
    name: "tunnel.returning.proceed",
    when: proceedsAlone,
    next: "switching",
    mark: { alone: "waiting" },
  },
  { name: "tunnel.returning.failed", when: hasFailed, next: "returning", cause: failure },
  {
    name: "tunnel.returning.putBack",
    when: ({ facts }) => facts.ours !== "inUse",
    next: "returning",
    action: "putBack",
  },
  {
    name: "tunnel.returning.overHeld",
    when: ({ change }) => change.alone === "held",
    next: "held",
  },
  {
    name: "tunnel.returning.overWaiting",
    when: (seen) => seen.change.alone === "waiting" || !isAgents(seen),
    next: "waiting",
  },
  {
    name: "tunnel.returning.over",
    when: ({ facts }) => facts.isGivenBack,
    next: "held",
  },
  {
    name: "tunnel.returning.giveBack",
    when: always,
    next: "returning",
    action: "giveBack",
  },
  { name: "tunnel.returning.mayLand", when: always, next: "returning" },
];

const held: readonly TunnelRow[] = [
  { name: "tunnel.held.proceedGive", when: proceedsGiving, next: "giving", action: "give" },
  {
    name: "tunnel.held.proceed",
    when: proceedsAlone,
    next: "switching",
    mark: { alone: "waiting" },
  },
  {
    name: "tunnel.held.refused",
    when: isAnyRefused,
    next: "switching",
    mark: { alone: "held" },
  },
  { name: "tunnel.held.stays", when: always, next: "held", cause: "kept" },
];

/** The rows of each state; the first one that fits is taken. */
export const tunnelTable: TunnelTable = { waiting, giving, switching, returning, held };

const guard = (name: string, holds: TunnelGuard["holds"]): TunnelGuard => ({ name, holds });

const gatesOpen = guard("every gate is open, or a person asks", (seen) => {
  const begins = seen.change.state === "waiting" || seen.change.state === "held";
  return !begins || byPerson(seen) || seen.facts.unmet === undefined;
});
const nothingLands = guard("no earlier write can still land", ({ facts }) => !facts.mayLand);
/** The version in use may be on its way there. */
const nothingGoesBack = guard("no write of the way back can still land", (seen) => {
  return seen.change.state !== "returning" || !seen.facts.mayLand;
});

/** The guards of each action; all of them must hold. */
export const tunnelGuards: TunnelGuards = {
  give: [gatesOpen, nothingGoesBack],
  giveBack: [nothingLands],
  take: [],
  putBack: [],
  drain: [],
  undrain: [],
};

/** Returns the next step for what was observed; what the table does not list stays as it is. */
export function decideTunnel(change: TunnelChange, facts: TunnelFacts): TunnelStep {
  return decideTunnelBy(tunnelTable, tunnelGuards, change, facts);
}

/** `decideTunnel` with other rows or guards, for the proof that each of them is needed. */
export function decideTunnelBy(
  table: TunnelTable,
  guards: TunnelGuards,
  change: TunnelChange,
  facts: TunnelFacts,
): TunnelStep {
  const context: TunnelContext = { change, facts };
  const row = fitting(table[change.state], guards, context);
  if (row === undefined) {
    const { state: next, reason } = change;
    return { row: "unlisted", next, action: undefined, tunnel: undefined, reason, mark: {} };
  }
  const reason = reasonOf(row, context);
  const isBack = row.next === "returning" && change.state !== "returning";
  const turnedBack = isBack && "cause" in reason ? { turnedBack: reason.cause } : {};
  return {
    ...{ row: row.name, next: row.next, action: row.action },
    ...{ tunnel: targetOf(row.action, facts), reason, ...turnedBack, mark: row.mark ?? {} },
  };
}

function reasonOf(row: TunnelRow, context: TunnelContext): Reason {
  if (row.cause === undefined) return { code: row.name };
  if (row.cause === "kept") return context.change.reason;
  return { code: row.name, cause: row.cause(context) };
}

function targetOf(action: TunnelAction | undefined, facts: TunnelFacts): string | undefined {
  switch (action) {
    case "drain":
    case "take":
      return upcoming(facts)?.name;
    case "undrain":
      return finished(facts)?.name;
    case "give":
    case "giveBack":
    case "putBack":
    case undefined:
      return undefined;
  }
}

/** Returns true if nothing more is done before another observation. */
export function isAtRest(change: TunnelChange, step: TunnelStep): boolean {
  if (step.action !== undefined) return false;
  return step.next === change.state || step.next === "waiting" || step.next === "held";
}

/** Returns the record after a step that is not the last one; the same one if it is as before. */
export function advanceTunnel(
  change: TunnelChange,
  step: TunnelStep & { readonly next: TunnelChange["state"] },
  at: WallTime,
): TunnelChange {
  const { next: state, reason, mark } = step;
  const moved = state !== change.state;
  if (!moved && sameReason(reason, change.reason)) return change;
  const { auth, by } = change;
  // A way forward that begins anew forgets why the last one ended.
  const begins = moved && (state === "giving" || state === "switching");
  const alone = begins ? (state === "giving" ? undefined : mark.alone) : change.alone;
  const turnedBack = begins ? undefined : (step.turnedBack ?? change.turnedBack);
  return {
    ...{ auth, state, since: moved ? at : change.since, reason },
    ...(turnedBack !== undefined && { turnedBack }),
    ...(alone !== undefined && { alone }),
    ...(by !== undefined && { by }),
  };
}
