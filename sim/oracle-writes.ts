// P4: with devices equal to the accepted intent nothing is written, however often the agent starts.

import { describeEffect, type Finding } from "./oracle-moment.ts";
import type { EffectEvent } from "./truth.ts";

/** `why` tells why no write of the agent is allowed now; undefined = writes are fine. */
export function writes(why: string | undefined, effects: readonly EffectEvent[]): Finding[] {
  if (why === undefined) return [];
  return effects
    .filter((effect) => effect.by === "agent")
    .map((effect) => ({
      promise: "P4",
      event: describeEffect(effect),
      text: `the agent wrote to ${effect.place} although ${why}`,
    }));
}
