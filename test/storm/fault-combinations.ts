// Fault combinations: faults that are harmless alone and not together, each for rows that hardly
// any random schedule leads to.

import type { Campaign, CampaignKind, CampaignState, Overlap } from "#agent/model/campaign.ts";
import { entryOf } from "#agent/model/campaign.ts";
import type { Scene } from "./scene.ts";

/**
 * A state that is entered, a row that is taken, or the moment in which the agent shuts the port, in
 * any state or in one ("retiring.shut").
 */
type Moment = CampaignState | `${CampaignState}.${string}` | "port.shut";

export interface Strike {
  /** The moment that it waits for. */
  readonly at: Moment;
  readonly kind: string;
  /** The sibling of the link under way; that link itself if absent. */
  readonly where?: "sibling";
  /** The shortest and the longest delay after that moment, in milliseconds. */
  readonly afterMs?: number;
  readonly withinMs?: number;
  /** The duration; drawn from its kind if absent. */
  readonly lastsMs?: number;
}

/**
 * The conditions under which a combination can have an effect; a condition that is absent does not
 * matter.
 */
interface Needs extends Partial<Pick<Scene, "farEnd" | "deadlines" | "quirk">> {
  readonly overlap?: readonly Overlap[];
  readonly kind?: CampaignKind;
  readonly urgency?: Campaign["urgency"];
  /** The router's commits wait for a confirm. */
  readonly timed?: true;
  /** The campaign has begun: a new key is on the router, or the far end was changed. */
  readonly begun?: true;
  /** The number of its entries in the draw where it fits; one if absent. */
  readonly weight?: number;
}

export interface FaultCombination {
  readonly needs: Needs;
  readonly strikes: readonly Strike[];
}

/** The conditions that a site offers. */
export interface Ground {
  readonly scene: Pick<Scene, "farEnd" | "deadlines" | "quirk">;
  readonly overlaps: readonly Overlap[];
}

export function fits({ needs }: FaultCombination, { scene, overlaps }: Ground): boolean {
  const { farEnd, deadlines, quirk, overlap } = needs;
  if (farEnd !== undefined && farEnd !== scene.farEnd) return false;
  if (deadlines !== undefined && deadlines !== scene.deadlines) return false;
  if (quirk !== undefined && quirk !== scene.quirk) return false;
  return overlap === undefined || overlap.some((each) => overlaps.includes(each));
}

/**
 * True if this campaign leads to where the combination waits; `timed` is true if the commits of its
 * router wait for a confirm.
 */
export function meets({ needs }: FaultCombination, campaign: Campaign, timed: boolean): boolean {
  const { overlap, kind, urgency, begun } = needs;
  if (overlap !== undefined && !overlap.includes(entryOf(campaign).overlap)) return false;
  if (kind !== undefined && kind !== campaign.kind) return false;
  if (urgency !== undefined && urgency !== campaign.urgency) return false;
  if (needs.timed === true && !timed) return false;
  const { told, soaked, goal } = campaign;
  return begun === undefined || told || soaked || goal === "revert";
}

const combination = (needs: Needs, ...strikes: readonly Strike[]): FaultCombination => ({
  needs,
  strikes,
});

const long = { lastsMs: 400_000 } as const;
const soon = { withinMs: 4_000 } as const;
const later = { withinMs: 20_000 } as const;

const both = { overlap: ["keychain", "fallback"] } as const;
const one = { overlap: ["breakBeforeMake"] } as const;
const fallback = { overlap: ["fallback"] } as const;
const agent = { farEnd: "agent" } as const;
const manual = { farEnd: "manual" } as const;
const hasty = { deadlines: "hasty" } as const;
const patient = { deadlines: "patient" } as const;
const emergency = { urgency: "emergency" } as const;
const shuts = { quirk: "shutBeforeKeyChange" } as const;
const timed = { ...both, timed: true } as const;

const late: Strike = { at: "staging", kind: "commit-late" };
const ahead: Strike = { at: "staging", kind: "far-ahead", ...soon };
const back: Strike = { at: "staging", kind: "far-back", afterMs: 44_000, withinMs: 62_000 };
/** The same two changes at the very moments in which the agent is not observing. */
const aheadBehind: Strike = { at: "staging.stage", kind: "far-ahead", withinMs: 3_000 };
const backBehind: Strike = { at: "staged.farNew", kind: "far-back", withinMs: 3_000 };
/** The router gets the key manually before the agent learns that its own commit is late. */
const typed: Strike = { at: "staging.stage", kind: "key-ahead", afterMs: 2_000, withinMs: 26_000 };
const lostSibling: Strike = { at: "staging", kind: "port-shut", where: "sibling", ...soon };

/** A staged key arrives when the campaign has gone elsewhere: to its checks, back, or on. */
const lateKeys: readonly FaultCombination[] = [
  combination({ ...timed, weight: 5 }, late, { at: "staging", kind: "undrained", ...soon }),
  combination(timed, late, { at: "staging", kind: "undrained", ...soon }, ahead),
  combination({ ...timed, weight: 4 }, late, lostSibling),
  combination(timed, late, lostSibling, ahead),
  combination(timed, late, ahead),
  // The key arrives when the router has got it otherwise, and the campaign no longer needs it.
  combination({ ...timed, weight: 2 }, late, ahead, back),
  combination({ ...timed, ...agent, weight: 8 }, late, aheadBehind, backBehind, {
    ...{ at: "reverting", kind: "frozen-counters", lastsMs: 100_000 },
  }),
  combination({ ...timed, ...agent, weight: 3 }, late, aheadBehind, backBehind, {
    ...{ at: "reverting", kind: "far-ahead", afterMs: 12_000, withinMs: 30_000 },
  }),
  combination({ ...timed, ...agent, weight: 2 }, late, aheadBehind, backBehind, {
    ...{ at: "reverting", kind: "fibre-cut", ...soon, lastsMs: 100_000 },
  }),
  // The key arrives on the way back from a proof that failed.
  combination({ ...timed, ...agent, ...hasty, weight: 5 }, late, aheadBehind, {
    ...{ at: "proving", kind: "peer-silent", ...long },
  }),
  combination({ ...timed, weight: 4 }, late, ahead, back, {
    ...{ at: "staging", kind: "peer-silent", afterMs: 60_000, withinMs: 90_000 },
  }),
  combination(timed, late, ahead, back, {
    ...{ at: "staging", kind: "far-person", afterMs: 70_000, withinMs: 110_000 },
  }),
  combination(
    timed,
    ...[late, ahead, back],
    { at: "staging", kind: "far-slow", afterMs: 64_000, withinMs: 70_000, ...long },
    { at: "staging", kind: "far-person", afterMs: 75_000, withinMs: 100_000 },
  ),
  combination({ ...timed, weight: 5 }, late, ahead, {
    ...{ at: "staging", kind: "key-tidied", afterMs: 36_000, withinMs: 60_000 },
  }),
  combination({ ...timed, ...manual, weight: 5 }, late, typed),
  combination(
    { ...timed, ...manual, weight: 9 },
    ...[late, typed],
    { at: "awaitingPeer", kind: "far-slow", ...long },
    { at: "awaitingPeer", kind: "far-ahead", ...later },
  ),
  combination({ ...timed, weight: 4 }, late, typed, {
    ...{ at: "staging.both", kind: "far-unreadable", lastsMs: 60_000 },
  }),
  combination({ ...timed, weight: 2 }, late, typed, {
    ...{ at: "staging.both", kind: "unparsed", lastsMs: 60_000 },
  }),
];

/** A staged key can be neither confirmed nor reverted while the link is down. */
const darkness: readonly FaultCombination[] = [
  combination(timed, { at: "staging", kind: "fibre-cut", ...later, ...long }),
  combination(
    timed,
    { at: "staging", kind: "fibre-cut", ...later, ...long },
    {
      ...{ at: "staging", kind: "far-ahead", withinMs: 60_000 },
    },
  ),
  combination(
    { ...timed, ...hasty, weight: 4 },
    { at: "staging.stage", kind: "fibre-cut", ...long },
  ),
  combination(
    { ...timed, ...hasty, weight: 6 },
    {
      ...{ at: "staging.stage", kind: "fibre-cut", lastsMs: 150_000 },
    },
  ),
  // The commit is reverted as the sibling fails too, and then a boot keeps the key.
  combination(
    { ...timed, ...patient, weight: 6 },
    { at: "staging.stage", kind: "fibre-cut", ...long },
    { at: "staging.stage", kind: "port-shut", where: "sibling", afterMs: 2_000, ...soon, ...long },
    { at: "staging.abort", kind: "boot-forgets", ...soon },
  ),
];

/** Another client's commit that stays, or a router that does not answer. */
const blocked: readonly FaultCombination[] = [
  combination({ ...hasty, weight: 3 }, { at: "draining", kind: "commit-left", ...soon, ...long }),
  combination(
    { ...hasty, ...agent, weight: 3 },
    { at: "draining", kind: "far-unreadable", withinMs: 1_000, ...long },
  ),
  combination(
    { ...timed, ...hasty, weight: 5 },
    {
      ...{ at: "staging.stage", kind: "unreachable", afterMs: 2_000, withinMs: 6_000 },
      lastsMs: 100_000,
    },
  ),
  combination(both, { at: "staging", kind: "commit-left", ...later, ...long }),
  combination(both, { at: "staged", kind: "commit-left", ...long }),
  combination(one, { at: "switching", kind: "commit-left", afterMs: 2_000, ...later, ...long }),
  combination(
    { ...one, ...hasty, ...agent, weight: 4 },
    {
      ...{
        at: "switching.putAgain",
        kind: "commit-left",
        afterMs: 1_000,
        withinMs: 5_000,
        ...long,
      },
    },
  ),
  combination(
    { ...one, ...hasty, ...manual, weight: 3 },
    {
      ...{ at: "draining.validated", kind: "commit-left", withinMs: 5_000, ...long },
    },
  ),
  combination(both, { at: "retiring", kind: "commit-left", withinMs: 6_000, lastsMs: 60_000 }),
  combination({}, { at: "reverting", kind: "commit-left", ...later, ...long }),
  combination(
    { ...both, ...hasty, ...agent, weight: 4 },
    { at: "proving", kind: "far-back", ...soon },
    { at: "reverting", kind: "commit-left", ...soon, ...long },
  ),
  combination(one, { at: "switching", kind: "locked", afterMs: 2_000, withinMs: 8_000, ...long }),
  combination(
    { ...one, ...hasty, weight: 3 },
    { at: "switching", kind: "unreachable", afterMs: 3_000, withinMs: 12_000, ...long },
  ),
  combination(
    { ...both, ...hasty, weight: 2 },
    { at: "staging.both", kind: "unreachable", ...long },
  ),
  combination({ ...fallback, ...hasty, weight: 8 }, { at: "promoting", kind: "locked", ...long }),
  combination(
    { ...emergency, ...hasty, weight: 12 },
    { at: "proving.freshSak", kind: "locked", ...long },
  ),
];

/** The fault strikes while the port is shut for a key. */
const whileShut: readonly FaultCombination[] = [
  combination({ ...shuts, weight: 14 }, { at: "port.shut", kind: "unreachable", ...long }),
  combination({ ...shuts, weight: 5 }, { at: "port.shut", kind: "commit-left", ...long }),
  combination(
    { ...shuts, ...both, weight: 4 },
    {
      ...{ at: "retiring.shut", kind: "commit-left", lastsMs: 30_000 },
    },
  ),
  combination(
    { ...shuts, ...both, ...agent, weight: 3 },
    {
      ...{ at: "retiring.shut", kind: "commit-left", lastsMs: 140_000 },
    },
  ),
  combination(
    { ...shuts, ...fallback, weight: 7 },
    {
      ...{ at: "promoting.shut", kind: "commit-left", lastsMs: 5_000 },
    },
  ),
  combination(
    { ...shuts, ...both, ...agent, weight: 4 },
    { at: "proving", kind: "far-back", ...soon },
    { at: "reverting", kind: "key-kept", ...long },
  ),
];

/** A port that a lost commit had opened is shut again, whatever state the campaign is in. */
const shutAgain: readonly FaultCombination[] = [
  combination(
    { ...shuts, ...both, weight: 14 },
    { at: "staged", kind: "standby-behind", withinMs: 1_000 },
  ),
  combination(
    { ...shuts, ...both, ...manual, weight: 6 },
    { at: "awaitingPeer", kind: "standby-behind", withinMs: 6_000 },
  ),
  combination(
    { ...shuts, weight: 4 },
    { at: "restoring", kind: "standby-behind", withinMs: 6_000 },
  ),
  combination(
    { ...shuts, ...both, begun: true, weight: 25 },
    { at: "retiring.shut", kind: "undrained" },
    { at: "draining", kind: "standby-behind", ...soon },
  ),
];

/** A key that stays although it should be removed, or is refused where it should be added. */
const stubborn: readonly FaultCombination[] = [
  combination({ ...both, ...hasty, weight: 6 }, { at: "retiring", kind: "key-kept", ...long }),
  combination(
    { ...both, weight: 5 },
    { at: "retiring", kind: "key-kept", ...long },
    { at: "retiring", kind: "key-gone", afterMs: 2_000, withinMs: 8_000 },
  ),
  combination(
    { ...both, weight: 3 },
    { at: "retiring", kind: "key-kept", ...long },
    { at: "retiring", kind: "port-shut", where: "sibling", afterMs: 2_000, withinMs: 8_000 },
  ),
  combination(
    { ...fallback, weight: 4 },
    { at: "promoting", kind: "locked", ...long },
    { at: "promoting", kind: "port-shut", where: "sibling", afterMs: 2_000, withinMs: 8_000 },
  ),
  combination(
    both,
    { at: "retiring", kind: "key-kept", ...long },
    { at: "retiring", kind: "undrained-briefly", ...later },
  ),
  combination(
    fallback,
    { at: "promoting", kind: "reply-late", ...long },
    { at: "promoting", kind: "undrained-briefly", ...later },
  ),
  combination(
    both,
    { at: "retiring", kind: "reply-late", ...long },
    { at: "retiring", kind: "undrained-briefly", ...later },
  ),
  combination({}, { at: "draining", kind: "key-refused", ...long }),
  combination(
    { ...one, ...agent, weight: 6 },
    { at: "proving", kind: "far-back", ...soon },
    { at: "proving", kind: "key-refused", ...soon, ...long },
  ),
  combination(
    { ...one, ...agent, ...hasty, weight: 5 },
    { at: "proving", kind: "peer-silent", ...long },
    { at: "proving", kind: "key-refused", ...soon, ...long },
  ),
  // The portal reports success, and the link goes on as before.
  combination({ ...one, ...hasty, weight: 6 }, { at: "draining", kind: "far-never", ...long }),
  // An operator anticipated the change at the far end, and the router does not follow.
  combination(
    both,
    { at: "gated", kind: "port-shut", where: "sibling", lastsMs: 60_000 },
    { at: "gated", kind: "far-ahead", ...long },
    { at: "gated", kind: "key-refused", ...long },
  ),
  ...(["key-refused", "locked"] as const).map((kind) =>
    combination(
      { ...one, ...hasty, weight: 4 },
      { at: "gated", kind: "port-shut", where: "sibling", lastsMs: 60_000 },
      { at: "gated", kind: "far-ahead", ...long },
      { at: "gated", kind, ...long },
    ),
  ),
  combination({ ...one, weight: 2 }, { at: "switching", kind: "commit-lost", ...long }),
  combination({ weight: 2 }, { at: "draining", kind: "commit-lost", ...long }),
  combination({ begun: true, weight: 8 }, { at: "draining", kind: "commit-lost", ...long }),
];

/** The traffic does not leave the link, or the sibling fails. */
const traffic: readonly FaultCombination[] = [
  combination({}, { at: "draining", kind: "far-strays", lastsMs: 200_000 }),
  combination({ begun: true, weight: 3 }, { at: "draining", kind: "far-strays", lastsMs: 200_000 }),
  combination(
    { ...fallback, weight: 3 },
    { at: "proving.promote", kind: "far-strays", lastsMs: 30_000 },
  ),
  combination(
    { ...both, weight: 2 },
    { at: "proving.retire", kind: "far-strays", lastsMs: 30_000 },
  ),
  combination(fallback, { at: "promoting", kind: "undrained" }),
  combination(fallback, { at: "promoting", kind: "port-shut", where: "sibling" }),
  combination(both, { at: "retiring", kind: "undrained" }),
  combination(both, { at: "retiring", kind: "port-shut", where: "sibling" }),
  combination(
    { ...both, weight: 3 },
    { at: "staging.both", kind: "far-unreadable", lastsMs: 60_000 },
    { at: "staged", kind: "port-shut", where: "sibling", ...soon },
  ),
  combination(
    { ...agent, ...hasty, weight: 2 },
    { at: "draining", kind: "far-refuses", ...long },
    { at: "switching", kind: "port-shut", where: "sibling", afterMs: 60_000, ...long },
  ),
];

/** A key is removed or added manually while the far end is changing. */
const hands: readonly FaultCombination[] = [
  combination(
    { ...both, weight: 2 },
    { at: "retiring", kind: "key-by-hand", afterMs: 6_000, ...later },
  ),
  combination(
    { ...both, ...manual, weight: 4 },
    { at: "awaitingPeer", kind: "far-ahead", withinMs: 1_000 },
    { at: "awaitingPeer", kind: "key-gone", afterMs: 3_000, withinMs: 8_000 },
  ),
  combination({ ...both, weight: 4 }, { at: "staging.both", kind: "key-tidied" }),
  combination(both, { at: "staging.both", kind: "key-gone" }),
  combination({ ...both, begun: true, weight: 8 }, { at: "draining", kind: "key-tidied", ...soon }),
  combination(fallback, { at: "promoting", kind: "key-gone", ...soon }),
  combination(both, { at: "retiring", kind: "key-gone", ...soon }),
  combination(
    { ...both, ...emergency, weight: 12 },
    { at: "proving.freshSak", kind: "locked", ...long },
    { at: "proving.freshSak", kind: "key-by-hand", afterMs: 1_000, withinMs: 10_000 },
  ),
  combination({ ...one, ...manual, weight: 8 }, { at: "proving", kind: "far-back", ...soon }),
  combination({ ...both, ...manual, weight: 3 }, { at: "proving", kind: "far-back", ...soon }),
  combination(
    { ...both, ...agent, ...hasty, weight: 4 },
    { at: "proving", kind: "peer-silent", ...long },
    { at: "reverting", kind: "key-tidied" },
  ),
];

const brief = { kind: "final-late", lastsMs: 8_000 } as const;

/** A final change arrives when the campaign has gone on without it, or back. */
const lateFinals: readonly FaultCombination[] = [
  combination({ weight: 3 }, { at: "draining", ...brief }),
  combination(
    { weight: 2 },
    { at: "draining", ...brief },
    { at: "restoring", kind: "fibre-cut", where: "sibling", afterMs: 20_000, withinMs: 200_000 },
  ),
  combination(
    { ...both, ...agent, weight: 2 },
    { at: "retiring", ...brief },
    {
      ...{ at: "retiring", kind: "peer-silent", afterMs: 9_000, withinMs: 20_000, ...long },
    },
  ),
  combination(
    { ...both, ...agent, ...hasty },
    { at: "proving", kind: "peer-silent", ...long },
    {
      ...{ at: "reverting", ...brief },
    },
  ),
  combination({ ...one, ...agent }, { at: "switching", ...brief, lastsMs: 30_000 }),
  combination({ ...shuts, weight: 2 }, { at: "staging", ...brief }),
];

export const rotating: readonly FaultCombination[] = [
  ...lateKeys,
  ...lateFinals,
  ...darkness,
  ...blocked,
  ...whileShut,
  ...shutAgain,
  ...stubborn,
  ...traffic,
  ...hands,
];

/** The combinations for first keys. */
export const enrolling: readonly FaultCombination[] = [
  combination({ weight: 3 }, { at: "proving", kind: "far-off", ...soon }),
  combination(
    {},
    { at: "proving", kind: "far-off", ...soon },
    { at: "proving", kind: "fibre-cut", afterMs: 20_000, withinMs: 40_000, ...long },
  ),
  combination({}, { at: "switching", kind: "far-fails", ...long }),
  combination({}, { at: "draining", kind: "key-refused", ...long }),
  combination({}, { at: "switching", kind: "far-off", ...later }),
  combination({ weight: 2 }, { at: "draining", kind: "key-ahead", withinMs: 2_000 }),
  combination(
    { weight: 3 },
    { at: "draining", kind: "key-refused", ...long },
    { at: "reverting", kind: "far-set" },
  ),
];
