// P6: a CKN names one CAK for ever; at most two keys on a link, at most N+1 in a group of N.

import type { Ckn } from "#hal/model.ts";
import {
  type Checker,
  describeEffect,
  type Finding,
  linkOf,
  type Moment,
  shortCkn,
} from "./oracle-moment.ts";
import type { EffectEvent, LinkTruth } from "./truth.ts";

const keysPerLinkMax = 2;

export function watchKeys(): Checker {
  /** The vault version first seen under a CKN, anywhere in the group. */
  const meanings = new Map<Ckn, string>();
  /** Newest effect that put a key, per link and end. */
  const writers = new Map<string, EffectEvent>();
  return (moment) => {
    const findings: Finding[] = [];
    for (const effect of moment.effects) {
      if (!putsKey(effect)) continue;
      writers.set(`${effect.link} ${endOf(effect)}`, effect);
      if (effect.by === "agent") findings.push(...tooMany(moment, effect));
    }
    for (const link of moment.now.links) findings.push(...reused(link, meanings, writers));
    return findings;
  };
}

function putsKey(effect: EffectEvent): boolean {
  switch (effect.what) {
    case "macsec.addKey":
    case "macsec.replaceKey":
    case "peer.put":
    case "rollback":
      return true;
    default:
      return false;
  }
}

function endOf(effect: EffectEvent): "edge" | "far" {
  return effect.what === "peer.put" ? "far" : "edge";
}

function* tooMany(moment: Moment, effect: EffectEvent): Iterable<Finding> {
  const link = linkOf(moment.now, effect.link);
  if (link === undefined) return;
  const event = describeEffect(effect);
  const asked = endOf(effect) === "far" && effect.ckn !== undefined ? [effect.ckn] : [];
  const onLink = new Set([...keysOf(link), ...asked]);
  if (onLink.size > keysPerLinkMax) {
    const text = `${onLink.size} keys stand on ${link.id}, and ${keysPerLinkMax} is the most`;
    yield { promise: "P6", event, text };
  }
  const most = moment.now.links.length + 1;
  const inGroup = new Set([...moment.now.links.flatMap(keysOf), ...asked]);
  if (inGroup.size > most) {
    const { name, links } = moment.now;
    const text = `${inGroup.size} keys in group ${name} of ${links.length} links, ${most} at most`;
    yield { promise: "P6", event, text };
  }
}

function keysOf(link: LinkTruth): readonly Ckn[] {
  return link.farKey === undefined ? link.edgeKeys : [...link.edgeKeys, link.farKey];
}

function* reused(
  link: LinkTruth,
  meanings: Map<Ckn, string>,
  writers: ReadonlyMap<string, EffectEvent>,
): Iterable<Finding> {
  const slots = link.edgeKeys.map((ckn, index) => ({
    ckn,
    cak: link.edgeCaks[index],
    end: "edge",
  }));
  if (link.farKey !== undefined) slots.push({ ckn: link.farKey, cak: link.farCak, end: "far" });
  for (const { ckn, cak, end } of slots) {
    if (cak === undefined) continue;
    const meant = meanings.get(ckn);
    meanings.set(ckn, cak);
    const writer = writers.get(`${link.id} ${end}`);
    if (meant === undefined || meant === cak || writer?.by !== "agent") continue;
    yield {
      promise: "P6",
      event: describeEffect(writer),
      text: `CKN ${shortCkn(ckn)} names two CAKs: the ${end} end of ${link.id} got another one`,
    };
  }
}
