// The pause between changes of the links of one group.

import { describe, expect, it } from "vitest";
import { bakingSibling } from "#agent/rotation/bake.ts";
import type { Binding } from "#agent/store/journal/memory.ts";
import { type WallTime, wallAfter } from "#hal/world.ts";
import { bindingOf, linkNamed, wall } from "../../kit/snapshot-kit.ts";

const hourMs = 3_600_000;
const secondary = linkNamed("secondary");
const changed = (how: Binding["how"], since: WallTime = wall) => ({
  bindings: { "erd-demo/secondary": bindingOf({ how, since }) },
});

describe("the pause of rotation.bake", () => {
  it.each(["rotated", "changed"] as const)("a link waits after its sibling was %s", (how) => {
    const bakes = (ms: number) =>
      bakingSibling(changed(how), [secondary], 2 * hourMs, wallAfter(wall, ms));
    const waits = {
      code: "window.bakes",
      sibling: "secondary",
      until: new Date(wall + 2 * hourMs).toISOString().replace(".000", ""),
    };
    expect(bakes(0)).toEqual(waits);
    expect(bakes(2 * hourMs - 1)).toEqual(waits);
    expect(bakes(2 * hourMs)).toBeUndefined();
  });

  it.each(["enrolled", "adopted"] as const)("no link waits after its sibling was %s", (how) => {
    expect(bakingSibling(changed(how), [secondary], 2 * hourMs, wall)).toBeUndefined();
  });

  it("no link waits without a pause, without a sibling, or beside one that has no key", () => {
    expect(bakingSibling(changed("rotated"), [secondary], undefined, wall)).toBeUndefined();
    expect(bakingSibling(changed("rotated"), [], 2 * hourMs, wall)).toBeUndefined();
    expect(bakingSibling({ bindings: {} }, [secondary], 2 * hourMs, wall)).toBeUndefined();
  });

  it("a clock that was set back does not lengthen the pause", () => {
    const later = wallAfter(wall, 400 * 24 * hourMs);
    expect(bakingSibling(changed("rotated", later), [secondary], 2 * hourMs, wall)).toBeUndefined();
  });
});
