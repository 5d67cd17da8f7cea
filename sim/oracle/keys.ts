// P6: a CKN always names one CAK; at most two keys exist on a link, and at most N+1 in a group of
// N.

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

const keysPerLinkMax = 2;
/**
 * A router that carries out a commit this long after it was asked brings a key that no campaign
 * waits for: the campaign that staged it may have ended as "reverted", as every observation showed,
 * and the next one brings keys of its own. A campaign that waited before it ends would only
 * postpone that: it cannot know how long a router keeps what it has queued, nor since when after a
 * restart. Such a key does not count, for at least this long after the request and while the commit
 * waits for its confirm: no end uses it, its own timer removes it, and until then the pending
 * commit blocks every disruptive effect on this device and on its sibling. A final commit has no
 * timer: its key does not count at the moment at which it comes, which no agent can prevent, and
 * counts for every effect after it.
 */
const lateMs = 60_000;
const keyBringing: ReadonlySet<EffectEvent["what"]> = new Set([
  "macsec.addKey",
  "macsec.replaceKey",
  "peer.put",
  "rollback",
]);

/**
 * A key that a router brought back this shortly before a change was requested was in no
 * observation.
 */
const unseenMs = 10_000;

export function watchKeys(): Checker {
  /** The vault version first seen under a CKN, anywhere in the group. */
  const meanings = new Map<Ckn, string>();
  /**
   * Keys found at the start or brought by the agent; a manual operator may bring more, on any link.
   */
  const ours = new Set<Ckn>();
  /** The key at which the agent last pointed each link; `undefined` if an operator did so last. */
  const pointed = new Map<string, Ckn | undefined>();
  /** Keys brought late, by link; their timer removes them, and until then they do not count. */
  const passing = new Map<string, Ckn>();
  /** The time at which a router brought a key back by itself, by link and key. */
  const cameBackAt = new Map<string, Instant>();
  /** The time at which the agent last asked a router to drain a link, and to shut it, by link. */
  const drainedAt = new Map<string, Instant>();
  const shutAt = new Map<string, Instant>();
  return (moment) => {
    const findings: Finding[] = [];
    for (const { id, commitArmed } of moment.now.links) {
      if (!commitArmed) passing.delete(id);
    }
    if (moment.before === undefined) {
      for (const ckn of moment.now.links.flatMap(keysOf)) ours.add(ckn);
    }
    for (const effect of moment.effects) {
      if (effect.what === "peer.put" && effect.link !== undefined) {
        pointed.set(effect.link, effect.by === "agent" ? effect.ckn : undefined);
      }
      if (effect.what === "takeover") noteReturned(moment, effect, cameBackAt);
      if (effect.by === "agent" && (effect.what === "port.drain" || effect.what === "port.shut")) {
        const taken = effect.what === "port.drain" ? drainedAt : shutAt;
        taken.set(effect.link ?? "", sentAt(moment, effect) ?? effect.at);
      }
      if (effect.by !== "agent" || !keyBringing.has(effect.what)) continue;
      if (effect.ckn !== undefined) ours.add(effect.ckn);
      if (isLate(moment, effect)) passing.set(effect.link ?? "", effect.ckn ?? ("" as Ckn));
      findings.push(
        ...tooMany(moment, effect, { ours, pointed, passing, cameBackAt, drainedAt, shutAt }),
      );
      findings.push(...reused(moment, effect, meanings));
    }
    for (const link of moment.now.links) {
      for (const [ckn, cak] of caksOf(link)) {
        if (!meanings.has(ckn)) meanings.set(ckn, cak);
      }
    }
    return findings;
  };
}

function endOf(effect: EffectEvent): "edge" | "far" {
  return effect.what === "peer.put" ? "far" : "edge";
}

interface Origins {
  readonly ours: ReadonlySet<Ckn>;
  readonly pointed: ReadonlyMap<string, Ckn | undefined>;
  readonly passing: ReadonlyMap<string, Ckn>;
  readonly cameBackAt: ReadonlyMap<string, Instant>;
  readonly drainedAt: ReadonlyMap<string, Instant>;
  readonly shutAt: ReadonlyMap<string, Instant>;
}

function noteReturned(
  { before, now }: Moment,
  { at, link }: EffectEvent,
  cameBackAt: Map<string, Instant>,
): void {
  const had = linkOf(before, link)?.edgeKeys ?? [];
  for (const ckn of linkOf(now, link)?.edgeKeys ?? []) {
    if (!had.includes(ckn)) cameBackAt.set(`${link} ${ckn}`, at);
  }
}

function isLate(moment: Moment, effect: EffectEvent): boolean {
  const asked = sentAt(moment, effect);
  return asked !== undefined && moment.at - asked > lateMs;
}

function* tooMany(
  moment: Moment,
  effect: EffectEvent,
  { ours, pointed, passing, cameBackAt, drainedAt, shutAt }: Origins,
): Iterable<Finding> {
  const link = linkOf(moment.now, effect.link);
  if (link === undefined) return;
  const event = describeEffect(effect);
  const asked = endOf(effect) === "far" && effect.ckn !== undefined ? [effect.ckn] : [];
  // An operator, or a vault that serves an old version, may give a far end a key that the agent did
  // not.
  const kept = (each: LinkTruth): readonly Ckn[] =>
    pointed.has(each.id) && pointed.get(each.id) !== each.farKey ? each.edgeKeys : keysOf(each);
  // A router may take its time: a key that returned after the request was in no observation either.
  const askedAt = sentAt(moment, effect) ?? moment.at;
  // A link that is already drained or shut is finished first: leaving it half way would interrupt
  // both links. The change of any other link began with its router, and a far end may refuse the
  // key before it takes it.
  const { ckn, what } = effect;
  const tried = ckn === undefined ? undefined : moment.tried.get(link.id)?.get(ckn);
  const isShut = linkOf(moment.before, link.id)?.admin === "down";
  const taken = isShut ? shutAt.get(link.id) : link.drained ? drainedAt.get(link.id) : tried;
  const begunAt = taken ?? askedAt;
  const isObserved = (each: LinkTruth, ckn: Ckn): boolean =>
    (each.id === link.id ? askedAt : begunAt) -
      (cameBackAt.get(`${each.id} ${ckn}`) ?? Number.NEGATIVE_INFINITY) >
    unseenMs;
  // A change of the router starts from the router's own keys; no other party has read them.
  const startsThere = (each: LinkTruth): boolean => each.id === link.id && endOf(effect) === "edge";
  const counted = (each: LinkTruth): readonly Ckn[] =>
    startsThere(each) ? kept(each) : kept(each).filter((ckn) => isObserved(each, ckn));
  const late = new Set(passing.values());
  const onLink = new Set([...counted(link), ...asked].filter((ckn) => !late.has(ckn)));
  if (onLink.size > keysPerLinkMax) {
    const text = `${onLink.size} keys are on ${link.id}, and ${keysPerLinkMax} is the most`;
    yield { promise: "P6", event, text };
  }
  // A key that one end of the link already has, from any source, is not one more at the other; a
  // rollback names the key that it removes, and may bring another one.
  const stood = linkOf(moment.before, link.id);
  const stands = stood !== undefined && ckn !== undefined && keysOf(stood).includes(ckn);
  if (stands && what !== "rollback") return;
  const most = moment.now.links.length + 1;
  const all = [...moment.now.links.flatMap(counted), ...asked];
  const inGroup = new Set(all.filter((ckn) => ours.has(ckn) && !late.has(ckn)));
  if (inGroup.size > most) {
    const { name, links } = moment.now;
    const text = `${inGroup.size} keys in group ${name} of ${links.length} links, ${most} at most`;
    yield { promise: "P6", event, text };
  }
}

function keysOf(link: LinkTruth): readonly Ckn[] {
  return link.farKey === undefined ? link.edgeKeys : [...link.edgeKeys, link.farKey];
}

/** Compares the CAK that the effect put with the one that the CKN named before. */
function* reused(
  moment: Moment,
  effect: EffectEvent,
  meanings: ReadonlyMap<Ckn, string>,
): Iterable<Finding> {
  const link = linkOf(moment.now, effect.link);
  if (link === undefined) return;
  const { ckn, cakSecretId } = effect;
  const asked =
    ckn === undefined || cakSecretId === undefined ? [] : ([[ckn, cakSecretId]] as const);
  const put = endOf(effect) === "far" ? asked : caksOf(link);
  for (const [name, cak] of put) {
    const meant = meanings.get(name);
    if (meant === undefined || meant === cak) continue;
    const end = `the ${endOf(effect)} end of ${link.id}`;
    const text = `CKN ${shortCkn(name)} names two CAKs: ${end} got another one`;
    yield { promise: "P6", event: describeEffect(effect), text };
  }
}

function caksOf(link: LinkTruth): readonly (readonly [Ckn, string])[] {
  return link.edgeKeys.flatMap((ckn, index) => {
    const cak = link.edgeCaks[index];
    return cak === undefined ? [] : [[ckn, cak] as const];
  });
}
