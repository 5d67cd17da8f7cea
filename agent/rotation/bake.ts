// The pause of `rotation.bake` between changes of the links of one group.

import { type WallTime, wallAfter } from "#hal/world.ts";
import { type DesiredLink, linkId } from "../model/desired.ts";
import { isoTime } from "../model/iso-time.ts";
import type { CauseOf } from "../model/reason.ts";
import { type Binding, type Memory, named } from "../store/journal/memory.ts";

/** The operations after which the next link waits: not those that bring the first key. */
const changes: readonly Binding["how"][] = ["changed", "rotated"];

/**
 * Returns the sibling whose last change is younger than the pause; undefined = none is, or there is
 * no pause. A clock that was set meanwhile does not lengthen it.
 */
export function bakingSibling(
  { bindings }: Pick<Memory, "bindings">,
  siblings: readonly DesiredLink[],
  bakeMs: number | undefined,
  now: WallTime,
): CauseOf<"window.bakes"> | undefined {
  if (bakeMs === undefined) return undefined;
  for (const link of siblings) {
    const binding = named(bindings, linkId(link));
    if (binding === undefined || !changes.includes(binding.how)) continue;
    if (Math.abs(now - binding.since) >= bakeMs) continue;
    const until = isoTime(wallAfter(binding.since, bakeMs));
    return { code: "window.bakes", sibling: link.name, until };
  }
  return undefined;
}
