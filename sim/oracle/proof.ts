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
  shortCkn,
  toldAt,
} from "./moment.ts";

/** The principal that secures the link, and what was delivered before it did. */
interface Standing {
  readonly principal: Ckn;
  /** Since no other key has secured the link. */
  readonly since: Instant;
  readonly out: bigint;
  readonly in: bigint;
}

interface Proven {
  readonly principal: Ckn;
  readonly at: Instant;
  /** Since when it had all the proof, and since when it secured the link. */
  readonly since: Instant;
  readonly stoodSince: Instant;
}

interface Memory {
  standing: Standing | undefined;
  /** The last standing, over moments in which the link is not secured. */
  tenure: Standing | undefined;
  /** When a principal last had all the proof, so that a flap a moment later is nobody's fault. */
  proven: Proven | undefined;
  /** The same of the principal before that one. */
  provenBefore: Proven | undefined;
  /** While the agent has its port shut: when it told the router to. */
  shutAt: Instant | undefined;
  /** When it last carried nothing, whatever the reason. */
  darkAt: Instant | undefined;
  /** When somebody else last changed its keys. */
  handAt: Instant | undefined;
  /** The key that a commit of the agent brought which still waits. */
  staged: Ckn | undefined;
  /** Somebody else changed keys while it waited, and it goes back to what was before that. */
  typedBeside: boolean;
  /** When somebody else last wrote its far end, or its hardware last followed them. */
  farHandAt: Instant | undefined;
  farKey: Ckn | undefined;
  farWriter: EffectEvent["by"] | undefined;
  /** Keys that secured the link, or that its far end was pointed at. */
  readonly used: Set<Ckn>;
}

/** A look that was under way so shortly before the agent asked may show what was before a hand. */
const lookMs = 5_000;
/** An agent that looks and then asks takes no longer. */
const askedMs = 10_000;

export interface ProofBounds {
  /** Frames in each direction that prove a key. */
  readonly proofFrames: number;
  /** How long a key must have secured the link before another one goes. */
  readonly settleMs: number;
  /** A proof counts for so long: an agent cannot look and act in the same instant. */
  readonly lookFreshMs: number;
}

export function watchRetirement(bounds: ProofBounds): Checker {
  const memories = new Map<string, Memory>();
  return (moment) => {
    // What a key delivered until this effect counts for it.
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
      const memory = memories.get(link.id) ?? nothingSeen();
      const standing = standingOf(link, memory, moment.at);
      memory.standing = standing;
      if (standing !== undefined) memory.tenure = standing;
      if (!link.carries) memory.darkAt = moment.at;
      if (link.admin === "up") memory.shutAt = undefined;
      for (const effect of moment.effects) {
        const { by, what, ckn, link: id, at } = effect;
        if (id !== link.id) continue;
        if (by === "agent" && what === "port.shut") memory.shutAt = toldAt(moment, effect) ?? at;
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

function nothingSeen(): Memory {
  return {
    standing: undefined,
    tenure: undefined,
    proven: undefined,
    provenBefore: undefined,
    shutAt: undefined,
    darkAt: undefined,
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
  // A flap moves no other key to the front, so it begins no new tenure.
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
    // A staged key that nobody ever used is no key that another one has to replace.
    if (effect.what === "rollback" && memory?.used.has(old) !== true) continue;
    // Nor is one that both ends have left for the key beside it.
    if (effect.what === "rollback" && isLeft(before, old)) continue;
    if (effect.what === "rollback" && isUnseen(moment, effect, before, memory)) continue;
    if (effect.what !== "macsec.replaceKey") {
      // What is taken back was begun a moment ago, and its far end looked at all the while.
      const seen =
        effect.what === "rollback" && memory !== undefined
          ? { ...memory, farHandAt: undefined }
          : memory;
      const flaw = flawOf(old, moment.at, before, seen, bounds);
      const told = effect.what === "rollback" ? undefined : toldAt(moment, effect);
      if (wasProvenWhenTold(old, told, memory, bounds)) continue;
      if (flaw !== undefined) yield found(`retired key ${shortCkn(old)} ${flaw}`);
    } else if (
      before.farKey === old &&
      !wasDark(memory, toldAt(moment, effect) ?? moment.at, bounds)
    ) {
      yield found(`replaced key ${shortCkn(old)} while the far end still used it`);
    }
  }
  const { ckn } = effect;
  if (effect.what !== "macsec.promoteKey" || ckn === undefined) return;
  if (memory !== undefined && wasProvenBeforeHand(moment, effect, memory, bounds)) return;
  const other = before.edgeKeys.find((key) => key !== ckn);
  if (other !== undefined && wasProvenWhenTold(other, toldAt(moment, effect), memory, bounds)) {
    return;
  }
  const flaw = other === undefined ? undefined : flawOf(other, moment.at, before, memory, bounds);
  if (flaw !== undefined) yield found(`promoted key ${shortCkn(ckn)} ${flaw}`);
}

/**
 * What a person typed in while the commit waited goes with it. No look shows that while both keys
 * stand there as the commit left them, nor what is typed once the agent has asked.
 */
function isUnseen(
  moment: Moment,
  { token = "" }: EffectEvent,
  { edgeKeys }: LinkTruth,
  memory: Memory | undefined,
): boolean {
  if (memory === undefined) return false;
  const { staged, typedBeside, handAt } = memory;
  // A commit for another port of the router goes back whole, by us or by its timer.
  if (typedBeside && (staged === undefined || edgeKeys.includes(staged))) return true;
  const askedAt = moment.takenBack.get(token);
  return handAt !== undefined && askedAt !== undefined && handAt > askedAt - lookMs;
}

/**
 * A promotion leaves both keys: where a person lets the far end go once the router was told of it,
 * or told to shut the port for it, no look can prove.
 */
function wasProvenBeforeHand(
  moment: Moment,
  effect: EffectEvent,
  { shutAt, provenBefore, farHandAt }: Memory,
  { lookFreshMs }: ProofBounds,
): boolean {
  const since = shutAt ?? toldAt(moment, effect);
  if (since === undefined || farHandAt === undefined || farHandAt < since) return false;
  if (provenBefore === undefined || provenBefore.principal !== effect.ckn) return false;
  return since - provenBefore.at <= lookFreshMs;
}

/**
 * A router may carry a change out minutes after it was told to: the proof of another key, by
 * frames and by time, was whole when the agent asked.
 */
function wasProvenWhenTold(
  old: Ckn,
  told: Instant | undefined,
  memory: Memory | undefined,
  { settleMs }: ProofBounds,
): boolean {
  if (told === undefined) return false;
  return [memory?.proven, memory?.provenBefore].some((proven) => {
    if (proven === undefined || proven.principal === old) return false;
    const { at, since, stoodSince } = proven;
    return since <= told && told - at <= askedMs && told - stoodSince >= settleMs;
  });
}

/** What the proof of the key that stays lacks; undefined = nothing. */
function flawOf(
  old: Ckn,
  at: Instant,
  { farKey }: LinkTruth,
  memory: Memory | undefined,
  bounds: ProofBounds,
): string | undefined {
  const { lookFreshMs, settleMs } = bounds;
  const proven = memory?.proven;
  const fresh = proven !== undefined && at - proven.at <= lookFreshMs;
  const next = fresh && proven.principal !== old ? proven.principal : memory?.standing?.principal;
  if (next === undefined || next === old) return "before another key secured both ends";
  // What a person does there while the router carries out a commit no look can show.
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

/** Both ends are secured by another key, and the far end is set to that one. */
function isLeft({ secured, principalCkn, farKey }: LinkTruth, ckn: Ckn): boolean {
  return secured && principalCkn !== ckn && farKey === principalCkn;
}

/** A link that is dark has left its old key as far as anybody can tell from its near end. */
function wasDark(memory: Memory | undefined, at: Instant, bounds: ProofBounds): boolean {
  return within(memory?.darkAt, at, bounds);
}

function within(then: Instant | undefined, at: Instant, { lookFreshMs }: ProofBounds): boolean {
  return then !== undefined && at - then <= lookFreshMs;
}

function moved(link: LinkTruth, standing: Standing, proofFrames: bigint): boolean {
  const out = link.deliveredOut - standing.out;
  const back = link.deliveredIn - standing.in;
  return out >= proofFrames && back >= proofFrames;
}

/** Keys that this effect took off the router. */
function lostKeys(effect: EffectEvent, before: LinkTruth, now: LinkTruth): readonly Ckn[] {
  if (effect.what === "macsec.removeKey") return effect.ckn === undefined ? [] : [effect.ckn];
  if (effect.what !== "macsec.replaceKey" && effect.what !== "rollback") return [];
  return before.edgeKeys.filter((ckn) => !now.edgeKeys.includes(ckn));
}
