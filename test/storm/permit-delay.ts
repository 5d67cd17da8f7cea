// P8: the hub can withhold and never force. Compares what an agent did to a site with what the same
// agent did to the same site without a hub.

import type { EffectEvent } from "#sim/base/truth.ts";

/** An effect of the agent on one link. */
export interface LinkEffect {
  readonly at: number;
  /** `group/link`. */
  readonly link: string;
  /** The kind of change and its key. */
  readonly what: string;
}

/** Returns an effect of the agent; undefined = it is of another party, or of no link. */
export function linkEffect({ by, at, link, what, ckn }: EffectEvent): LinkEffect | undefined {
  if (by !== "agent" || link === undefined) return undefined;
  return { at, link, what: ckn === undefined ? what : `${what} ${ckn.slice(0, 8)}` };
}

export interface AgentRun {
  /** Its effects, the oldest first. */
  readonly effects: readonly LinkEffect[];
  /** When it ended, or was looked at last. */
  readonly endedAt: number;
}

/** The time that the same steps may differ by: the turns of two agents are not in step. */
const unevenMs = 30_000;
/** What is once more as slow as it was, and this much slower, does not go on. */
const slackMs = 240_000;

/** Returns how the run with a hub is more than a delay of the one without; empty = P8 holds. */
export function judgeDelay(free: AgentRun, withHub: AgentRun): readonly string[] {
  const found: string[] = [];
  const links = new Set([...free.effects, ...withHub.effects].map(({ link }) => link));
  for (const link of links) {
    const [all, some] = [stepsOf(free, link), stepsOf(withHub, link)];
    const strange = some.findIndex(({ what }, index) => what !== all[index]?.what);
    if (strange >= 0) {
      const step = some[strange]?.what;
      found.push(`P8: ${link}: ${step} is step ${strange + 1}, without a hub it is not`);
      continue;
    }
    const early = some.find(({ at }, index) => at < (all[index]?.at ?? 0) - unevenMs);
    if (early !== undefined) found.push(`P8: ${link}: ${early.what} is earlier than without a hub`);
    const stuck = stuckAt(all, some, withHub.endedAt);
    if (stuck !== undefined) found.push(`P8: ${link}: what has taken it waits after ${stuck}`);
  }
  return found;
}

function stepsOf({ effects }: AgentRun, link: string): readonly LinkEffect[] {
  // An effect is named by its goal: run twice, it does no more than once.
  return effects
    .filter((each) => each.link === link)
    .filter((each, index, all) => each.what !== all[index - 1]?.what);
}

/** Returns the effect after which a link that was taken does not get on. */
function stuckAt(
  all: readonly LinkEffect[],
  some: readonly LinkEffect[],
  endedAt: number,
): string | undefined {
  for (const [index, { at, what }] of some.entries()) {
    const [here, next] = [all[index], all[index + 1]];
    if (here === undefined || next === undefined) return undefined;
    const isEnd = what.startsWith("port.restore");
    const tookMs = (some[index + 1]?.at ?? endedAt) - at;
    if (!isEnd && tookMs > 2 * (next.at - here.at) + slackMs) return what;
  }
  return undefined;
}
