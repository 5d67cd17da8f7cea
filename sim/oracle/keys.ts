// P6: a CKN names one CAK for ever; at most two keys on a link, at most N+1 in a group of N.

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

const keysPerLinkMax = 2;
/**
 * A router that carries out a commit so long after it was told to brings what nobody waits for: the
 * campaign that staged the key may have ended as "reverted", which is what every look showed, and
 * the next one brings keys of its own. A campaign that waited before it ends would only move that:
 * nobody knows how long a router keeps what it has queued, and after a death nobody knows since
 * when. Let pass, for this long after the asking at least and while the commit waits for its
 * confirm: no end uses the key, its own timer takes it away, and until then a commit that is
 * pending keeps every effect that takes off this device and off its sibling.
 */
const lateMs = 60_000;
const keyBringing: ReadonlySet<EffectEvent["what"]> = new Set([
  "macsec.addKey",
  "macsec.replaceKey",
  "peer.put",
  "rollback",
]);

/** What a router brought back so shortly before a change was asked for was in no look. */
const unseenMs = 10_000;

export function watchKeys(): Checker {
  /** The vault version first seen under a CKN, anywhere in the group. */
  const meanings = new Map<Ckn, string>();
  /** Found at the start or brought by the agent: a person may bring more, on any link. */
  const ours = new Set<Ckn>();
  /** By link, where it was last pointed by the agent; `undefined` = by a person. */
  const pointed = new Map<string, Ckn | undefined>();
  /** Brought late, by link: gone with their timer, and in nobody's count until then. */
  const passing = new Map<string, Ckn>();
  /** By link and key: when its router brought it back by itself. */
  const cameBackAt = new Map<string, Instant>();
  /** By link: when the agent last told its router to take its traffic away, and to shut it. */
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
        taken.set(effect.link ?? "", toldAt(moment, effect) ?? effect.at);
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
  const pending = linkOf(moment.now, effect.link)?.commitArmed === true;
  const asked = toldAt(moment, effect);
  return pending && asked !== undefined && moment.at - asked > lateMs;
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
  // A person, or a vault that serves an old version, may give a far end a key that we did not.
  const kept = (each: LinkTruth): readonly Ckn[] =>
    pointed.has(each.id) && pointed.get(each.id) !== each.farKey ? each.edgeKeys : keysOf(each);
  // A router may take its time: what came back since it was told was in no look either.
  const askedAt = toldAt(moment, effect) ?? moment.at;
  // A link that is drained or shut already is finished first: to leave it half way would darken
  // both. One that is not has begun with its router, and a far end may refuse the key before it
  // takes it.
  const { ckn, what } = effect;
  const tried = ckn === undefined ? undefined : moment.tried.get(link.id)?.get(ckn);
  const isShut = linkOf(moment.before, link.id)?.admin === "down";
  const taken = isShut ? shutAt.get(link.id) : link.drained ? drainedAt.get(link.id) : tried;
  const begunAt = taken ?? askedAt;
  const isSeen = (each: LinkTruth, ckn: Ckn): boolean =>
    (each.id === link.id ? askedAt : begunAt) -
      (cameBackAt.get(`${each.id} ${ckn}`) ?? Number.NEGATIVE_INFINITY) >
    unseenMs;
  // What changes the router itself starts from the keys that it holds; nothing else has read them.
  const startsThere = (each: LinkTruth): boolean => each.id === link.id && endOf(effect) === "edge";
  const counted = (each: LinkTruth): readonly Ckn[] =>
    startsThere(each) ? kept(each) : kept(each).filter((ckn) => isSeen(each, ckn));
  const late = new Set(passing.values());
  const onLink = new Set([...counted(link), ...asked].filter((ckn) => !late.has(ckn)));
  if (onLink.size > keysPerLinkMax) {
    const text = `${onLink.size} keys stand on ${link.id}, and ${keysPerLinkMax} is the most`;
    yield { promise: "P6", event, text };
  }
  // What stands at one end of the link already, whoever brought it, is not one more at the other;
  // a roll-back names what it takes, and may bring another one.
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

/** What the effect put, held against what the CKN meant before. */
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
