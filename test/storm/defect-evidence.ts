// Seeded defects in what the campaign believes: the tables are right, and their input is not.

import {
  type Campaign,
  type CampaignLink,
  type Evidence,
  entryOf,
  type Facts,
} from "#agent/model/campaign.ts";
import type { Cause } from "#agent/model/reason.ts";
import { decide } from "#agent/rotation/campaign.ts";
import { type Decide, type Heeds, noDefect, type SeededDefect } from "./seeded-defect.ts";

type Twist = (facts: Facts, campaign: Campaign) => Facts;

const held: Evidence = { kind: "held" };

/** Makes a defect; `twist` is called anew for every run. */
const believes = (
  name: string,
  breaks: SeededDefect["breaks"],
  title: string,
  twist: () => Twist,
  heeds: Heeds = noDefect.heeds,
): SeededDefect => ({
  name,
  breaks,
  title,
  where: "rotations",
  activate: () => {
    const believed = twist();
    const decideOn: Decide = (campaign, facts) => decide(campaign, believed(facts, campaign));
    return { ...noDefect, decide: decideOn, heeds };
  },
});

/** Treats a proof that still waits for such a cause as complete. */
const proofWithout =
  (is: (cause: Cause) => boolean): (() => Twist) =>
  () =>
  (facts) => {
    const { proof } = facts;
    return proof.kind === "waiting" && is(proof.cause) ? { ...facts, proof: held } : facts;
  };

/** Why a sibling is not known to carry; undefined = the precondition is another one. */
const siblingGap = (gate: Cause | undefined): Cause["code"] | undefined =>
  gate?.code === "gate.siblingUnhealthy" ? gate.cause.code : undefined;

const isUnread = (gate: Cause | undefined): boolean =>
  ["sibling.failed", "sibling.unread"].includes(siblingGap(gate) ?? "");

function siblingCarries(facts: Facts): Facts {
  const unmetPrecondition =
    siblingGap(facts.unmetPrecondition) === undefined ? facts.unmetPrecondition : undefined;
  return { ...facts, sibling: "carrying", unmetPrecondition };
}

const linkOf = ({ group, at }: Campaign): string => `${group} ${at}`;

const rememberedObservations = 120;

/** Makes the campaign believe for this many observations what was once true of a link. */
function remembering(
  is: (facts: Facts) => boolean,
  believed: (facts: Facts) => Facts,
): () => Twist {
  return () => {
    const seen = new Map<string, number>();
    let observations = 0;
    return (facts, campaign) => {
      observations += 1;
      const link = linkOf(campaign);
      if (is(facts)) seen.set(link, observations);
      const at = seen.get(link);
      return at !== undefined && observations - at <= rememberedObservations
        ? believed(facts)
        : facts;
    };
  };
}

const proofDefects: readonly SeededDefect[] = [
  believes(
    "no-proof",
    "P3",
    "removes the old key without a proof of the new one",
    () => (facts) => ({
      ...facts,
      proof: held,
    }),
  ),
  believes(
    "no-counters",
    "P3",
    "takes the MKA session for a proof, without the counters",
    proofWithout(({ code }) => code === "frames.lacking"),
  ),
  believes(
    "one-way-proof",
    "P3",
    "takes frames of one direction for a proof",
    proofWithout((cause) => cause.code === "frames.lacking" && cause.direction === "receive"),
  ),
  believes(
    "no-settle",
    "P3",
    "does not wait until a proof has settled",
    proofWithout(({ code }) => code === "proof.settles"),
  ),
  believes(
    "old-proof",
    "P3",
    "goes on with a proof that is minutes old",
    remembering(
      ({ proof }) => proof.kind === "held",
      (facts) => ({ ...facts, proof: held }),
    ),
  ),
  believes(
    "unproven-way-back",
    "P3",
    "removes the new key although the old one is not proven",
    () => (facts) => ({
      ...facts,
      oldProof: held,
    }),
  ),
  believes(
    "unproven-promotion",
    "P3",
    "promotes a fallback key that is not proven",
    () => (facts, campaign) => {
      const isFallback = entryOf(campaign).overlap === "fallback";
      return isFallback && facts.port?.promotion === "due" ? { ...facts, proof: held } : facts;
    },
  ),
];

const siblingDefects: readonly SeededDefect[] = [
  believes(
    "blind-to-sibling",
    "P2",
    "never asks whether the sibling carries",
    () => siblingCarries,
    () => undefined,
  ),
  believes(
    "old-sibling",
    "P2",
    "believes a sibling for minutes after it was seen to carry",
    remembering(({ sibling }) => sibling === "carrying", siblingCarries),
    () => undefined,
  ),
  believes(
    "unread-sibling",
    "P2",
    "takes a sibling that cannot be read for one that carries",
    () => (facts) => (isUnread(facts.unmetPrecondition) ? siblingCarries(facts) : facts),
    (lost) => (isUnread(lost) ? undefined : lost),
  ),
];

/** Returns the facts with the port as a mistaken reader sees it. */
const portWith = (facts: Facts, seen: Partial<NonNullable<Facts["port"]>>): Facts =>
  facts.port === undefined ? facts : { ...facts, port: { ...facts.port, ...seen } };

function doneWithoutReturn(facts: Facts, { state }: Campaign): Facts {
  if (state !== "restoring" || facts.port?.keys !== "new") return facts;
  return { ...portWith(facts, { drain: "off" }), carrying: held };
}

const portDefects: readonly SeededDefect[] = [
  believes(
    "armed-switch",
    "P3",
    "changes the far end while a timer may still remove the new key",
    () => (facts) => {
      if (facts.port?.pending !== "ours" || facts.staged.kind !== "held") return facts;
      return { ...portWith(facts, { pending: "none" }), unmetPrecondition: undefined };
    },
  ),
  believes(
    "third-key",
    "P6",
    "takes a key that it does not know for its own",
    () => (facts) =>
      facts.port?.keys === "else"
        ? portWith({ ...facts, drained: held }, { keys: "both", carriedBy: "old" })
        : facts,
  ),
  believes(
    "both-are-new",
    "P7",
    "reports a link as done while the old key is still there",
    () => (facts, campaign) =>
      campaign.state === "restoring" && facts.port?.keys === "both"
        ? portWith(facts, { keys: "new" })
        : facts,
  ),
  believes(
    "both-drained",
    "P2",
    "goes on with the sibling while the link before it is still drained",
    () => (facts, campaign) => {
      const believed =
        siblingGap(facts.unmetPrecondition) === "sibling.drained" ? siblingCarries(facts) : facts;
      return doneWithoutReturn(believed, campaign);
    },
    () => undefined,
  ),
  believes(
    "no-return",
    "P2",
    "reports a link as done before its traffic is back",
    () => doneWithoutReturn,
  ),
];

const farDefects: readonly SeededDefect[] = [
  believes(
    "reply-is-fact",
    "liveness",
    "takes an accepted change of the far end for a finished one",
    () => (facts, campaign) =>
      campaign.told && campaign.goal === "forward" && ["old", "updating"].includes(facts.far)
        ? {
            ...facts,
            far: "new",
            unmetPrecondition:
              facts.unmetPrecondition?.code === "farEnd.unsettled"
                ? undefined
                : facts.unmetPrecondition,
          }
        : facts,
  ),
  believes(
    "writes-for-person",
    "liveness",
    "writes a far end that only an operator may change",
    () => (facts) => ({
      ...facts,
      farEnd: "agent",
    }),
  ),
  believes(
    "far-first",
    "P3",
    "replaces the key of the router while the far end still uses it",
    () => (facts, campaign) =>
      isBreak(entryOf(campaign)) && campaign.state === "switching" && facts.far === "old"
        ? portWith({ ...facts, far: "new" }, { carriedBy: "nothing" })
        : facts,
  ),
  believes(
    "half-is-whole",
    "P3",
    "follows a far end that still works under its old key",
    () => (facts, campaign) =>
      isBreak(entryOf(campaign)) && facts.far === "new" && facts.port?.carriedBy === "old"
        ? portWith(facts, { carriedBy: "nothing" })
        : facts,
  ),
];

function isBreak({ overlap, old }: CampaignLink): boolean {
  return overlap === "breakBeforeMake" && old !== undefined;
}

export const evidenceDefects: readonly SeededDefect[] = [
  ...proofDefects,
  ...siblingDefects,
  ...portDefects,
  ...farDefects,
];
