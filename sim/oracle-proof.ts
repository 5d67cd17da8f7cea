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

/** The principal that secures the link, and what was delivered before it did. */
interface Standing {
  readonly principal: Ckn;
  readonly out: bigint;
  readonly in: bigint;
}

interface Memory {
  standing: Standing | undefined;
  /** When a principal last had all the proof, so that a flap a moment later is nobody's fault. */
  proven: { readonly principal: Ckn; readonly at: Instant } | undefined;
}

/** A proof counts for `freshMs`: an agent cannot look and act in the same instant. */
export function watchRetirement(proofFrames: number, freshMs: number): Checker {
  const memories = new Map<string, Memory>();
  return (moment) => {
    const findings = moment.effects
      .filter((effect) => effect.by === "agent")
      .flatMap((effect) => [...judge(moment, effect, memories.get(effect.link ?? ""), freshMs)]);
    for (const link of moment.now.links) {
      const memory = memories.get(link.id) ?? { standing: undefined, proven: undefined };
      const standing = standingOf(link, memory.standing);
      memory.standing = standing;
      if (standing !== undefined && moved(link, standing, BigInt(proofFrames))) {
        memory.proven = { principal: standing.principal, at: moment.at };
      }
      memories.set(link.id, memory);
    }
    return findings;
  };
}

function standingOf(link: LinkTruth, before: Standing | undefined): Standing | undefined {
  if (!link.secured || link.principalCkn === undefined) return undefined;
  if (before?.principal === link.principalCkn) return before;
  return { principal: link.principalCkn, out: link.deliveredOut, in: link.deliveredIn };
}

function* judge(
  moment: Moment,
  effect: EffectEvent,
  memory: Memory | undefined,
  freshMs: number,
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
    const proven = memory?.proven;
    const fresh = proven !== undefined && moment.at - proven.at <= freshMs;
    const next = fresh && proven.principal !== old ? proven.principal : memory?.standing?.principal;
    if (next === undefined || next === old) {
      yield found(`retired key ${name} before another key secured both ends`);
    } else if (before.farKey !== next) {
      yield found(`retired key ${name} while the far end did not use key ${shortCkn(next)}`);
    } else if (!fresh || proven.principal !== next) {
      const missing = `no frames both ways under key ${shortCkn(next)}`;
      yield found(`retired key ${name} on the control plane alone (${missing})`);
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
  if (effect.what === "macsec.removeKey") return effect.ckn === undefined ? [] : [effect.ckn];
  if (effect.what !== "macsec.replaceKey" && effect.what !== "rollback") return [];
  return before.edgeKeys.filter((ckn) => !now.edgeKeys.includes(ckn));
}
