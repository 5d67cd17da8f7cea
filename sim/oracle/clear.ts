// P1: a protected link never carries clear frames because of the agent, and the agent never relaxes
// must-secure. What it protects stays secret: no packet number is used twice under a SAK.

import type { Instant } from "#hal/world.ts";
import type { LinkTruth } from "../base/truth.ts";
import { type Checker, describeEffect, type Finding, linkOf, type Moment } from "./moment.ts";
import { watchNumbers } from "./numbers.ts";

interface Memory {
  readonly clearFrames: bigint;
  /**
   * True once the link was secured at both ends under must-secure; from then on P1 covers clear
   * frames.
   */
  readonly wasProtected: boolean;
  /** The last change of the link by another party; its consequences are not the agent's. */
  readonly othersAt: Instant | undefined;
  readonly reported: boolean;
}

/** The delay in milliseconds with which the far end's hardware may follow a manual operator. */
const lateMs = 1_200_000;

export function watchClearFrames(): Checker {
  const memories = new Map<string, Memory>();
  const repeated = watchNumbers();
  return (moment) => {
    const findings = [...repeated(moment)];
    for (const link of moment.now.links) {
      findings.push(...loosened(moment, link));
      const memory = remember(moment, link, memories.get(link.id));
      const frames = link.clearFrames - memory.clearFrames;
      const guilty = memory.wasProtected && memory.othersAt === undefined && frames > 0n;
      if (guilty && !memory.reported) {
        findings.push({
          promise: "P1",
          event: `${link.id} sends clear frames`,
          text: `${frames} data frames crossed the protected link ${link.id} in the clear`,
        });
      }
      memories.set(link.id, { ...memory, clearFrames: link.clearFrames, reported: guilty });
    }
    return findings;
  };
}

function remember(moment: Moment, link: LinkTruth, memory: Memory | undefined): Memory {
  const sound = link.secured && link.policy === "mustSecure";
  const byOthers =
    moment.disturbed.has(link.id) ||
    moment.effects.some((effect) => effect.link === link.id && effect.by !== "agent");
  const othersAt = byOthers ? moment.at : memory?.othersAt;
  const over = othersAt !== undefined && moment.at - othersAt > lateMs;
  return {
    clearFrames: memory?.clearFrames ?? link.clearFrames,
    wasProtected: sound || (memory?.wasProtected ?? false),
    othersAt: sound && over ? undefined : othersAt,
    reported: memory?.reported ?? false,
  };
}

function* loosened(moment: Moment, link: LinkTruth): Iterable<Finding> {
  const before = linkOf(moment.before, link.id);
  if (before?.policy !== "mustSecure" || link.policy === "mustSecure") return;
  const effect = moment.effects.findLast((candidate) => candidate.link === link.id);
  if (effect?.by !== "agent") return;
  const left = link.policy === undefined ? "without MACsec" : "should-secure";
  yield {
    promise: "P1",
    event: describeEffect(effect),
    text: `the agent relaxed must-secure on ${link.id}: the port is ${left} now`,
  };
}
