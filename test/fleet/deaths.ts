// The calls at which a test kills an agent: all of them in a long run, otherwise enough of each
// kind.

import type { Prng } from "#sim/base/prng.ts";
import { effort } from "../effort.ts";
import type { Death } from "../storm/crashing-world.ts";

export const deaths: readonly Death[] = ["before", "during", "after"];

/** Leaves out numbers, and names of records and of routers. */
const kindOf = (call: string): string => call.replace(/[0-9a-f]{8,}|\d+|\bedge-[a-z]\b/g, "#");

/**
 * Returns indices among `calls`, which a clean run made. Each kind of call is tried in each of the
 * three ways, and each record of the journal in one of them, so that no two of these tests are the
 * same.
 */
export function deadly(calls: readonly string[], when: Death, lots: Prng): readonly number[] {
  const all = calls.map((call, index) => ({ call, index }));
  const ofAKind = [...Map.groupBy(all, ({ call }) => kindOf(call)).values()];
  const some = ofAKind.flatMap((same) => [
    lots.pick(same),
    ...same.filter(({ call }, nth) => call === "append journal" && deaths[nth % 3] === when),
  ]);
  const chosen = effort(some, all).map(({ index }) => index);
  return [...new Set(chosen)].sort((a, b) => a - b);
}
