// P4: with devices equal to the accepted intent nothing is written, however often the agent starts.

import { type Checker, describeEffect } from "./oracle-moment.ts";

/** `expected` tells why no write of the agent is allowed now; undefined = writes are fine. */
export function watchWrites(expected: () => string | undefined): Checker {
  return (moment) => {
    const why = expected();
    if (why === undefined) return [];
    return moment.effects
      .filter((effect) => effect.by === "agent")
      .map((effect) => ({
        promise: "P4",
        event: describeEffect(effect),
        text: `the agent wrote to ${effect.place} although ${why}`,
      }));
  };
}
