// P4: while devices equal the accepted intent nothing is written, however often the agent starts;
// and a far end that only an operator changes is never written.

import type { EffectEvent } from "../base/truth.ts";
import { describeEffect, type Finding } from "./moment.ts";

/** The reason for which no write of the agent is allowed now: none at all, or none to a far end. */
export interface Forbidden {
  readonly all?: string;
  readonly puts?: string;
}

export function writes({ all, puts }: Forbidden, effects: readonly EffectEvent[]): Finding[] {
  return effects
    .filter((effect) => effect.by === "agent")
    .flatMap((effect) => {
      const why = all ?? (effect.what === "peer.put" ? puts : undefined);
      if (why === undefined) return [];
      const text = `the agent wrote to ${effect.place} although ${why}`;
      return [{ promise: "P4" as const, event: describeEffect(effect), text }];
    });
}
