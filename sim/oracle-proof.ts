// P3: a key leaves the router only after the next one is proven, by MKA at both ends and by frames
// both ways.

import type { Ckn } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import {
  type Checker,
  describeEffect,
  type Finding,
  linkOf,
  type Moment,
  shortCkn,
} from "./oracle-moment.ts";
import type { EffectEvent, LinkTruth } from "./truth.ts";

/** Since when the link is secured by its present principal, and what was delivered until then. */
interface Standing {
  readonly principal: Ckn;
  readonly since: Instant;
  readonly out: bigint;
  readonly in: bigint;
}

export function watchRetirement(proofFrames: number): Checker {
  const standings = new Map<string, Standing>();
  return (moment) => {
    const findings = moment.effects
      .filter((effect) => effect.by === "agent")
      .flatMap((effect) => [...judge(moment, effect, standings, BigInt(proofFrames))]);
    for (const link of moment.now.links) {
      const standing = standingOf(link, standings.get(link.id), moment.at);
      if (standing === undefined) standings.delete(link.id);
      else standings.set(link.id, standing);
    }
    return findings;
  };
}

function standingOf(
  link: LinkTruth,
  before: Standing | undefined,
  at: Instant,
): Standing | undefined {
  if (!link.secured || link.principalCkn === undefined) return undefined;
  if (before?.principal === link.principalCkn) return before;
  return { principal: link.principalCkn, since: at, out: link.deliveredOut, in: link.deliveredIn };
}

function* judge(
  moment: Moment,
  effect: EffectEvent,
  standings: ReadonlyMap<string, Standing>,
  proofFrames: bigint,
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
    const name = shortCkn(old);
    if (effect.what === "macsec.replaceKey") {
      if (before.farKey === old)
        yield found(`replaced key ${name} while the far end still used it`);
      continue;
    }
    const standing = standings.get(now.id);
    const next = standing?.principal;
    if (standing === undefined || next === undefined || next === old) {
      yield found(`retired key ${name} before another key secured both ends`);
    } else if (before.farKey !== next) {
      yield found(`retired key ${name} while the far end did not use key ${shortCkn(next)}`);
    } else if (!moved(now, standing, proofFrames)) {
      yield found(
        `retired key ${name} on the control plane alone: under ${proofFrames} frames arrived ` +
          `each way under key ${shortCkn(next)}`,
      );
    }
  }
}

function moved(link: LinkTruth, standing: Standing, proofFrames: bigint): boolean {
  const out = link.deliveredOut - standing.out;
  const back = link.deliveredIn - standing.in;
  return out >= proofFrames && back >= proofFrames;
}

/** Keys that this effect took off the router. */
function lostKeys(effect: EffectEvent, before: LinkTruth, now: LinkTruth): readonly Ckn[] {
  switch (effect.what) {
    case "macsec.removeKey":
      return effect.ckn === undefined ? [] : [effect.ckn];
    case "macsec.replaceKey":
    case "rollback":
      return before.edgeKeys.filter((ckn) => !now.edgeKeys.includes(ckn));
    default:
      return [];
  }
}
