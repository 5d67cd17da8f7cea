// Checks the conditions for pointing a far end at another key. P3: the router has the key, and
// nothing removes it again by itself. P2: the traffic is on the other link.

import type { Ckn } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { EffectEvent } from "../base/truth.ts";
import {
  type Checker,
  describeEffect,
  type Finding,
  linkOf,
  type Moment,
  shortCkn,
} from "./moment.ts";

export function watchSwitch(): Checker {
  /** The keys that each link's router has ever had. */
  const held = new Map<string, Set<Ckn>>();
  return (moment) => {
    const findings: Finding[] = [];
    for (const effect of moment.effects) {
      if (effect.by !== "agent" || effect.what !== "peer.put") continue;
      const known = held.get(effect.link ?? "");
      if (known !== undefined) findings.push(...judgePut(moment, effect, known));
    }
    for (const { id, edgeKeys } of moment.now.links) {
      const known = held.get(id) ?? new Set();
      for (const ckn of edgeKeys) known.add(ckn);
      held.set(id, known);
    }
    return findings;
  };
}

function* judgePut(moment: Moment, effect: EffectEvent, held: ReadonlySet<Ckn>): Iterable<Finding> {
  const { ckn, link = "" } = effect;
  const event = describeEffect(effect);
  // A commit that landed late and brought nothing removes nothing either.
  for (const key of linkOf(moment.now, link)?.revertTakes ?? []) {
    const taken = `a timer may remove key ${shortCkn(key)}`;
    yield { promise: "P3", event, text: `the agent changed the far end of ${link} while ${taken}` };
  }
  // A link's first key replaces no old one.
  const first = linkOf(moment.before, link)?.edgeKeys.length === 0;
  if (first || ckn === undefined) return;
  if (held.has(ckn) || moment.tried.get(link)?.has(ckn) === true) return;
  const claim = `the agent pointed the far end of ${link} at key ${shortCkn(ckn)}`;
  const text = `${claim}, which its router never had and was never asked to take`;
  yield { promise: "P3", event, text };
}

const changing: ReadonlySet<EffectEvent["what"]> = new Set([
  "peer.put",
  "macsec.promoteKey",
  "macsec.removeKey",
]);

/**
 * Checks key changes. `isDrained` is true if this group drains before it changes keys; a link
 * counts as quiet for `freshMs`.
 */
export function watchTraffic(isDrained: () => boolean, freshMs: number): Checker {
  const quietAt = new Map<string, Instant>();
  return (moment) => {
    const findings = isDrained() ? [...underTraffic(moment, quietAt, freshMs)] : [];
    for (const { id, offered, carries } of moment.now.links) {
      // A link that carries nothing has no traffic to lose until an observation can have shown that
      // it does.
      if (!offered || !carries) quietAt.set(id, moment.at);
    }
    return findings;
  };
}

function* underTraffic(
  moment: Moment,
  quietAt: ReadonlyMap<string, Instant>,
  freshMs: number,
): Iterable<Finding> {
  for (const effect of moment.effects) {
    if (effect.by !== "agent" || !changing.has(effect.what)) continue;
    const before = linkOf(moment.before, effect.link);
    if (before === undefined || !before.offered || !before.carries) continue;
    // While its counters have stopped, a link shows no traffic, whatever it carries.
    if (moment.at - (moment.movesSince.get(before.id) ?? 0) <= freshMs) continue;
    const quiet = quietAt.get(before.id);
    if (quiet !== undefined && moment.at - quiet <= freshMs) continue;
    const text = `the agent changed a key of ${before.id} with the traffic still on it`;
    yield { promise: "P2", event: describeEffect(effect), text };
  }
}
