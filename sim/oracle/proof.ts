// P3: a key leaves the router only after the next one is proven, by MKA at both ends and by frames
// both ways.

import type { Ckn } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { EffectEvent, LinkTruth } from "../base/truth.ts";
import {
  type Checker,
  describeEffect,
  type Finding,
  linkOf,
  type Moment,
  sentAt,
  shortCkn,
} from "./moment.ts";

/** The principal that secures the link, and the delivered frames before it did. */
interface Standing {
  readonly principal: Ckn;
  /** The time since which no other key has secured the link. */
  readonly since: Instant;
  readonly out: bigint;
  readonly in: bigint;
}

interface Proven {
  readonly principal: Ckn;
  readonly at: Instant;
  /**
   * The time since which the proof was complete, and the time since which the key secured the link.
   */
  readonly since: Instant;
  readonly stoodSince: Instant;
}

interface Memory {
  standing: Standing | undefined;
  /** The last standing, kept over moments in which the link is not secured. */
  tenure: Standing | undefined;
  /**
   * The last complete proof of a principal, so that a flap a moment later is not the agent's fault.
   */
  proven: Proven | undefined;
  /** The last complete proof of the principal before that one. */
  provenBefore: Proven | undefined;
  /** While the agent has its port shut, the time at which it asked the router for that. */
  shutAt: Instant | undefined;
  /** The last time at which the link carried nothing, for any reason. */
  outageAt: Instant | undefined;
  /** The last time at which an operator changed its keys. */
  handAt: Instant | undefined;
  /** The key from a commit of the agent that still waits for its confirm. */
  staged: Ckn | undefined;
  /**
   * True if an operator changed keys while it waited; its revert restores the state before that.
   */
  typedBeside: boolean;
  /** The last time at which an operator wrote its far end, or its hardware followed that. */
  farHandAt: Instant | undefined;
  farKey: Ckn | undefined;
  farWriter: EffectEvent["by"] | undefined;
  /** The keys that secured the link, or at which its far end was pointed. */
  readonly used: Set<Ckn>;
}

/**
 * An observation that began this shortly before the agent's request may predate a manual change.
 */
const observeMs = 5_000;
/** The longest time from the agent's observation to its request, in milliseconds. */
const askedMs = 10_000;

export interface ProofBounds {
  /** The frames in each direction that prove a key. */
  readonly proofFrames: number;
  /**
   * The time for which a key must have secured the link before another one is removed, in
   * milliseconds.
   */
  readonly settleMs: number;
  /**
   * The time for which a proof counts, in milliseconds: an agent cannot observe and act in the same
   * instant.
   */
  readonly observationFreshMs: number;
}

export function watchRetirement(bounds: ProofBounds): Checker {
  const memories = new Map<string, Memory>();
  return (moment) => {
    // The frames that a key delivered until this effect count for it.
    for (const link of moment.now.links) {
      const memory = memories.get(link.id);
      const last = memory?.standing;
      if (memory === undefined || last === undefined) continue;
      if (moved(link, last, BigInt(bounds.proofFrames))) {
        const known = memory.proven?.principal === last.principal ? memory.proven : undefined;
        if (known === undefined) memory.provenBefore = memory.proven;
        const since = known?.since ?? moment.at;
        const { principal, since: stoodSince } = last;
        memory.proven = { principal, at: moment.at, since, stoodSince };
      }
    }
    const findings = moment.effects
      .filter((effect) => effect.by === "agent")
      .flatMap((effect) => [...judge(moment, effect, memories.get(effect.link ?? ""), bounds)]);
    for (const link of moment.now.links) {
      const memory = memories.get(link.id) ?? nothingObserved();
      const standing = standingOf(link, memory, moment.at);
      memory.standing = standing;
      if (standing !== undefined) memory.tenure = standing;
      if (!link.carries) memory.outageAt = moment.at;
      if (link.admin === "up") memory.shutAt = undefined;
      for (const effect of moment.effects) {
        const { by, what, ckn, link: id, at } = effect;
        if (id !== link.id) continue;
        if (by === "agent" && what === "port.shut") memory.shutAt = sentAt(moment, effect) ?? at;
        if (what === "peer.put") memory.farWriter = by;
        if (by === "agent" && what === "macsec.addKey") memory.staged = ckn;
        if (by !== "person") continue;
        if (what.startsWith("macsec.")) memory.handAt = moment.at;
        if (what === "peer.put") memory.farHandAt = moment.at;
      }
      if (!link.commitArmed) Object.assign(memory, { typedBeside: false, staged: undefined });
      else if (memory.handAt === moment.at) memory.typedBeside = true;
      const follows = link.farKey !== memory.farKey && memory.farWriter === "person";
      if (follows) memory.farHandAt = moment.at;
      memory.farKey = link.farKey;
      if (standing !== undefined) memory.used.add(standing.principal);
      if (link.farKey !== undefined) memory.used.add(link.farKey);
      memories.set(link.id, memory);
    }
    return findings;
  };
}

function nothingObserved(): Memory {
  return {
    standing: undefined,
    tenure: undefined,
    proven: undefined,
    provenBefore: undefined,
    shutAt: undefined,
    outageAt: undefined,
    handAt: undefined,
    staged: undefined,
    typedBeside: false,
    farHandAt: undefined,
    farKey: undefined,
    farWriter: undefined,
    used: new Set(),
  };
}

function standingOf(link: LinkTruth, before: Memory, at: Instant): Standing | undefined {
  const principal = link.principalCkn;
  if (!link.secured || principal === undefined) return undefined;
  if (before.standing?.principal === principal) return before.standing;
  // A flap makes no other key the principal, so it begins no new tenure.
  const since = before.tenure?.principal === principal ? before.tenure.since : at;
  return { principal, since, out: link.deliveredOut, in: link.deliveredIn };
}

function* judge(
  moment: Moment,
  effect: EffectEvent,
  memory: Memory | undefined,
  bounds: ProofBounds,
): Iterable<Finding> {
  const now = linkOf(moment.now, effect.link);
  const before = linkOf(moment.before, effect.link);
  if (now === undefined || before === undefined) return;
  const found = (text: string): Finding => ({
    promise: "P3",
    event: describeEffect(effect),
    text: `the agent ${text} on ${now.id}`,
  });
  for (const old of lostKeys(effect, before, now)) {
    // A staged key that was never used needs no successor.
    if (effect.what === "rollback" && memory?.used.has(old) !== true) continue;
    // The same applies to a key that both ends have left for the other one.
    if (effect.what === "rollback" && isLeft(before, old)) continue;
    if (effect.what === "rollback" && isUnseen(moment, effect, before, memory)) continue;
    if (effect.what !== "macsec.replaceKey") {
      // The reverted change began a moment ago, and its far end was observed all the while.
      const observed =
        effect.what === "rollback" && memory !== undefined
          ? { ...memory, farHandAt: undefined }
          : memory;
      const flaw = flawOf(old, moment.at, before, observed, bounds);
      const sent = effect.what === "rollback" ? undefined : sentAt(moment, effect);
      if (wasProvenWhenSent(old, sent, memory, bounds)) continue;
      if (flaw !== undefined) yield found(`retired key ${shortCkn(old)} ${flaw}`);
    } else if (
      before.farKey === old &&
      !hadOutage(memory, sentAt(moment, effect) ?? moment.at, bounds)
    ) {
      yield found(`replaced key ${shortCkn(old)} while the far end still used it`);
    }
  }
  const { ckn } = effect;
  if (effect.what !== "macsec.promoteKey" || ckn === undefined) return;
  if (memory !== undefined && wasProvenBeforeHand(moment, effect, memory, bounds)) return;
  const other = before.edgeKeys.find((key) => key !== ckn);
  if (other !== undefined && wasProvenWhenSent(other, sentAt(moment, effect), memory, bounds)) {
    return;
  }
  const flaw = other === undefined ? undefined : flawOf(other, moment.at, before, memory, bounds);
  if (flaw !== undefined) yield found(`promoted key ${shortCkn(ckn)} ${flaw}`);
}

/**
 * True for a key that an operator added while the commit waited, which its revert removes too. No
 * observation shows that while both keys are there as the commit left them, nor a key that is added
 * after the agent's request.
 */
function isUnseen(
  moment: Moment,
  { token = "" }: EffectEvent,
  { edgeKeys }: LinkTruth,
  memory: Memory | undefined,
): boolean {
  if (memory === undefined) return false;
  const { staged, typedBeside, handAt } = memory;
  // A commit for another port of the router is reverted whole, by the agent or by its timer.
  if (typedBeside && (staged === undefined || edgeKeys.includes(staged))) return true;
  const askedAt = moment.takenBack.get(token);
  return handAt !== undefined && askedAt !== undefined && handAt > askedAt - observeMs;
}

/**
 * A promotion keeps both keys: if an operator changes the far end after the router was asked for
 * it, or asked to shut the port for it, no observation can prove the key.
 */
function wasProvenBeforeHand(
  moment: Moment,
  effect: EffectEvent,
  { shutAt, provenBefore, farHandAt }: Memory,
  { observationFreshMs }: ProofBounds,
): boolean {
  const since = shutAt ?? sentAt(moment, effect);
  if (since === undefined || farHandAt === undefined || farHandAt < since) return false;
  if (provenBefore === undefined || provenBefore.principal !== effect.ckn) return false;
  return since - provenBefore.at <= observationFreshMs;
}

/**
 * A router may carry out a change minutes after the request: the proof of another key, by frames
 * and by time, was complete when the agent asked.
 */
function wasProvenWhenSent(
  old: Ckn,
  sent: Instant | undefined,
  memory: Memory | undefined,
  { settleMs }: ProofBounds,
): boolean {
  if (sent === undefined) return false;
  return [memory?.proven, memory?.provenBefore].some((proven) => {
    if (proven === undefined || proven.principal === old) return false;
    const { at, since, stoodSince } = proven;
    return since <= sent && sent - at <= askedMs && sent - stoodSince >= settleMs;
  });
}

/** Returns what the proof of the remaining key lacks; undefined if it is complete. */
function flawOf(
  old: Ckn,
  at: Instant,
  { farKey }: LinkTruth,
  memory: Memory | undefined,
  bounds: ProofBounds,
): string | undefined {
  const { observationFreshMs, settleMs } = bounds;
  const proven = memory?.proven;
  const fresh = proven !== undefined && at - proven.at <= observationFreshMs;
  const next = fresh && proven.principal !== old ? proven.principal : memory?.standing?.principal;
  if (next === undefined || next === old) return "before another key secured both ends";
  // No observation can show what an operator does there while the router carries out a commit.
  const left = farKey !== next && !(fresh && within(memory?.farHandAt, at, bounds));
  if (left) return `while the far end did not use key ${shortCkn(next)}`;
  if (!fresh || proven.principal !== next) {
    return `on the control plane alone (no frames both ways under key ${shortCkn(next)})`;
  }
  const tenure = memory?.tenure;
  const stoodMs = tenure?.principal === next ? at - tenure.since : undefined;
  if (stoodMs === undefined || stoodMs >= settleMs) return undefined;
  return `${stoodMs} ms after key ${shortCkn(next)} came to secure the link, too soon to be sure`;
}

/** True if both ends are secured by another key, and the far end is set to that one. */
function isLeft({ secured, principalCkn, farKey }: LinkTruth, ckn: Ckn): boolean {
  return secured && principalCkn !== ckn && farKey === principalCkn;
}

/**
 * True if the link was recently out of service: as far as its near end can show, it has left its
 * old key.
 */
function hadOutage(memory: Memory | undefined, at: Instant, bounds: ProofBounds): boolean {
  return within(memory?.outageAt, at, bounds);
}

function within(
  then: Instant | undefined,
  at: Instant,
  { observationFreshMs }: ProofBounds,
): boolean {
  return then !== undefined && at - then <= observationFreshMs;
}

function moved(link: LinkTruth, standing: Standing, proofFrames: bigint): boolean {
  const out = link.deliveredOut - standing.out;
  const back = link.deliveredIn - standing.in;
  return out >= proofFrames && back >= proofFrames;
}

/** Returns the keys that this effect removed from the router. */
function lostKeys(effect: EffectEvent, before: LinkTruth, now: LinkTruth): readonly Ckn[] {
  if (effect.what === "macsec.removeKey") return effect.ckn === undefined ? [] : [effect.ckn];
  if (effect.what !== "macsec.replaceKey" && effect.what !== "rollback") return [];
  return before.edgeKeys.filter((ckn) => !now.edgeKeys.includes(ckn));
}
