// P2: at most one link of a group is out of service because of the agent, and only beside a sibling
// that was recently observed in service.

import type { Instant } from "#hal/world.ts";
import type { EffectEvent, LinkTruth } from "../base/truth.ts";
import {
  type Checker,
  describeEffect,
  type Finding,
  inService,
  type Knowledge,
  linkOf,
  type Moment,
  observedMs,
} from "./moment.ts";

export interface SiblingBounds {
  /**
   * The time for which an observation of the sibling counts as made immediately before an effect.
   */
  readonly observationFreshMs: number;
  /**
   * The time for which a usable link may stay drained once its sibling is seen lost or its campaign
   * waits.
   */
  readonly strandedMs: number;
  /** A usable link may stay drained this long without any act of the agent in its group. */
  readonly parkedMs: number;
}

interface Memory {
  /**
   * The agent's effect that took the link out of service, until a fault or a restore explains its
   * state.
   */
  taken: EffectEvent | undefined;
  drain: EffectEvent | undefined;
  /** The agent's effect that shut the port; a fault does not excuse that. */
  shut: EffectEvent | undefined;
  /** The CAK version at which its far end was last pointed, whether or not the hardware follows. */
  pointed: string | undefined;
  /** The time since which it carries. */
  aliveSince: Instant | undefined;
  /** The time since which it could carry and is drained or shut. */
  usableSince: Instant | undefined;
  /** The time since which the agent could know that the link is withheld beside a lost sibling. */
  strandedSince: Instant | undefined;
  standing: "none" | "stranded" | "parked";
}

/**
 * The delay in milliseconds with which a put may reach the hardware and still be the cause of an
 * outage.
 */
const attributionMs = 3_600_000;
/**
 * A link that began to carry this shortly before was down in every observation behind the effect.
 */
const raceMs = 5_000;

export function watchSiblings(bounds: SiblingBounds): Checker {
  const memories = new Map<string, Memory>();
  let bothOut = false;
  let lastAct: Instant | undefined;
  const memoryOf = (id: string): Memory => {
    const memory = memories.get(id) ?? fresh();
    memories.set(id, memory);
    return memory;
  };
  return (moment) => {
    const findings: Finding[] = [];
    for (const effect of moment.effects) {
      if (effect.what === "peer.put" && effect.link !== undefined) {
        memoryOf(effect.link).pointed = effect.cakSecretId;
      }
      if (effect.by !== "agent") continue;
      lastAct = moment.at;
      if (!takes(moment, effect) || isAwaited(moment, effect, memoryOf)) continue;
      if (hasJustRisen(moment, effect, memoryOf)) continue;
      findings.push(...judgeSibling(moment, effect, bounds));
    }
    for (const link of moment.now.links) attribute(moment, link, memoryOf(link.id));
    const out = moment.now.links.filter((link) => outBy(link, memoryOf(link.id)) !== undefined);
    if (out.length > 1 && !bothOut) findings.push(...bothLinksOut(moment, out, memoryOf));
    bothOut = out.length > 1;
    for (const link of moment.now.links) {
      findings.push(...keptDrained(moment, link, memoryOf(link.id), bounds, lastAct));
    }
    return findings;
  };
}

function fresh(): Memory {
  return {
    taken: undefined,
    drain: undefined,
    shut: undefined,
    pointed: undefined,
    aliveSince: undefined,
    usableSince: undefined,
    strandedSince: undefined,
    standing: "none",
  };
}

/** Returns the agent's effect because of which the link is out of service. */
function outBy(link: LinkTruth, memory: Memory): EffectEvent | undefined {
  if (link.carries && !link.drained) return undefined;
  return memory.taken ?? (link.fibreUp ? memory.shut : undefined);
}

function hasJustRisen(
  moment: Moment,
  effect: EffectEvent,
  memoryOf: (id: string) => Memory,
): boolean {
  const { link, at } = effect;
  const since = link === undefined ? undefined : memoryOf(link).aliveSince;
  return since !== undefined && (knowledgeOf(moment, effect)?.at ?? at) - since < raceMs;
}

/**
 * True for a key that the far end already waits for: adding it restores the link and disrupts
 * nothing.
 */
function isAwaited(
  { now }: Moment,
  { what, link, ckn }: EffectEvent,
  memoryOf: (id: string) => Memory,
): boolean {
  const truth = linkOf(now, link);
  if (what !== "macsec.addKey" || truth === undefined || ckn === undefined) return false;
  const version = truth.edgeCaks[truth.edgeKeys.indexOf(ckn)];
  return version !== undefined && version === memoryOf(truth.id).pointed;
}

/** Returns the agent's knowledge when it asked for this; a router may carry it out much later. */
function knowledgeOf({ known }: Moment, { token, place }: EffectEvent): Knowledge | undefined {
  return (token === undefined ? undefined : known.get(token)) ?? known.get(place);
}

/**
 * True for a disruptive effect: the link could carry before it. On a link that is down, the same
 * effect is restoring.
 */
function takes(moment: Moment, effect: EffectEvent): boolean {
  if (linkOf(moment.before, effect.link)?.carries !== true) return false;
  switch (effect.what) {
    case "port.drain":
    case "port.shut":
    case "macsec.protect":
    case "macsec.addKey":
    case "macsec.promoteKey":
    case "macsec.removeKey":
    case "macsec.replaceKey":
    case "peer.put":
      return true;
    case "port.open":
    case "port.restore":
    case "macsec.rekeySak":
    case "ipsec.block":
    case "ipsec.putTunnel":
    case "ipsec.removeTunnel":
    case "ipsec.rekey":
    case "rollback":
    case "takeover":
    case "reboot":
      return false;
  }
}

function* judgeSibling(
  moment: Moment,
  effect: EffectEvent,
  bounds: SiblingBounds,
): Iterable<Finding> {
  for (const sibling of moment.now.links) {
    if (sibling.id === effect.link) continue;
    const known = knowledgeOf(moment, effect);
    const { at, observations } = known ?? { at: effect.at, observations: moment.observations };
    const observation = observations.get(sibling.id);
    const age = observation === undefined ? undefined : at - observation.at;
    const event = describeEffect(effect);
    const took = `the agent touched ${effect.link}`;
    if (age === undefined || age > bounds.observationFreshMs) {
      const observed = age === undefined ? "was never observed" : `was last observed ${age} ms ago`;
      yield {
        promise: "P2",
        event,
        text: `${took} on an old observation: its sibling ${sibling.id} ${observed}`,
      };
    } else if (observation?.inService === false) {
      const text = `${took} while its sibling ${sibling.id} was seen out of service`;
      yield { promise: "P2", event, text };
    }
  }
}

function attribute(moment: Moment, link: LinkTruth, memory: Memory): void {
  for (const effect of moment.effects) {
    if (effect.link !== link.id) continue;
    if (effect.what === "port.drain") memory.drain = effect.by === "agent" ? effect : undefined;
    if (effect.what === "port.shut") memory.shut = effect.by === "agent" ? effect : undefined;
    // A drain that was restored and returns by itself is reported as another party's drain.
    const again = effect.what === "takeover" && linkOf(moment.before, link.id)?.drained === false;
    if (again) memory.drain = undefined;
    if (effect.by !== "agent") memory.taken = undefined;
    else if (takes(moment, effect)) memory.taken = effect;
    else if (effect.what === "port.restore" && link.carries) memory.taken = undefined;
  }
  memory.aliveSince = link.carries ? (memory.aliveSince ?? moment.at) : undefined;
  if (link.admin === "up") memory.shut = undefined;
  if (moment.disturbed.has(link.id) || !link.fibreUp) memory.taken = undefined;
  const old = memory.taken !== undefined && moment.at - memory.taken.at > attributionMs;
  if (old && inService(link)) memory.taken = undefined;
}

function* bothLinksOut(
  moment: Moment,
  out: readonly LinkTruth[],
  memoryOf: (id: string) => Memory,
): Iterable<Finding> {
  const effects = out.flatMap((link) => outBy(link, memoryOf(link.id)) ?? []);
  const newest = effects.toSorted((a, b) => a.at - b.at).at(-1);
  if (newest === undefined) return;
  const names = out.map(({ id }) => id).join(" and ");
  const text = `links ${names} of group ${moment.now.name} are out of service because of the agent`;
  yield { promise: "P2", event: describeEffect(newest), text };
}

function* keptDrained(
  moment: Moment,
  link: LinkTruth,
  memory: Memory,
  bounds: SiblingBounds,
  lastAct: Instant | undefined,
): Iterable<Finding> {
  // The agent cannot know to restore what no record says it took out of service.
  const { forgotAt } = moment;
  if (forgotAt !== undefined) {
    if (memory.drain !== undefined && memory.drain.at <= forgotAt) memory.drain = undefined;
    if (memory.shut !== undefined && memory.shut.at <= forgotAt) memory.shut = undefined;
  }
  // A shut link shows only once it is open whether it could carry, so it counts as usable.
  const shut = link.fibreUp ? memory.shut : undefined;
  const withheld = shut ?? (link.drained && link.carries ? memory.drain : undefined);
  if (withheld === undefined || link.commitPending) {
    memory.usableSince = undefined;
    memory.strandedSince = undefined;
    memory.standing = "none";
    return;
  }
  // A link that has just begun to carry could not have had its traffic back before.
  memory.usableSince ??= moment.at;
  const state = shut === undefined ? "drained" : "shut";
  const event = describeEffect(withheld);
  const askedAt = moment.asked.get(link.id);
  const tried = askedAt !== undefined && moment.at - askedAt <= bounds.strandedMs;
  const known = !tried && knownLostSiblings(moment, link);
  memory.strandedSince = known ? (memory.strandedSince ?? moment.at) : undefined;
  if (memory.standing !== "none") return;
  if (memory.strandedSince !== undefined && moment.at - memory.strandedSince > bounds.strandedMs) {
    memory.standing = "stranded";
    yield {
      promise: "P2",
      event,
      text: `${link.id} could carry but stayed ${state} after its sibling was seen lost`,
    };
  } else if (
    !tried &&
    unmeantMs(moment, link.id, withheld, memory.usableSince) > bounds.strandedMs
  ) {
    memory.standing = "parked";
    const text = `${link.id} could carry but stays ${state} by a change that nothing needs`;
    yield { promise: "P2", event, text };
  } else if (!tried && waitsMs(moment, link, memory.usableSince) > bounds.strandedMs) {
    memory.standing = "parked";
    const text = `${link.id} could carry but stays ${state} while its campaign waits`;
    yield { promise: "P2", event, text };
  } else if (!tried && quietMs(moment, memory.usableSince, lastAct) > bounds.parkedMs) {
    memory.standing = "parked";
    const text = `${link.id} could carry but stays ${state} although nothing is being done`;
    yield { promise: "P2", event, text };
  }
}

/** A dead or blind agent cannot restore, so its own link must have been observed recently. */
function waitsMs(moment: Moment, { id }: LinkTruth, usableSince: Instant): number {
  const since = moment.parked.get(id);
  const observation = moment.observations.get(id);
  if (since === undefined || observation === undefined || moment.at - observation.at > observedMs)
    return 0;
  return moment.at - Math.max(since, usableSince, observation.observedSince);
}

/**
 * Measures a drain without a purpose. A router may carry out late what a campaign has left behind:
 * the agent knows what it asked for, unless its disk has lost that.
 */
function unmeantMs(
  moment: Moment,
  id: string,
  withheld: EffectEvent,
  usableSince: Instant,
): number {
  const { meant, observations, forgotAt, at } = moment;
  const observation = observations.get(id);
  if (meant === undefined || meant.has(id)) return 0;
  if (observation === undefined || at - observation.at > observedMs) return 0;
  const asked = knowledgeOf(moment, withheld)?.at ?? withheld.at;
  if (forgotAt !== undefined && asked <= forgotAt) return 0;
  return at - Math.max(withheld.at, usableSince, observation.observedSince);
}

function quietMs(moment: Moment, usableSince: Instant, lastAct: Instant | undefined): number {
  return lastAct === undefined ? 0 : moment.at - Math.max(usableSince, lastAct);
}

/** A dead or blind agent cannot restore: both links must have been observed recently. */
function knownLostSiblings(moment: Moment, link: LinkTruth): boolean {
  return moment.now.links.every((other) => {
    const observation = moment.observations.get(other.id);
    if (observation === undefined || moment.at - observation.at > observedMs) return false;
    return other.id === link.id || (!observation.inService && !inService(other));
  });
}
