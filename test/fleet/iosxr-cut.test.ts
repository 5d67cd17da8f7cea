// Connections to IOS XR routers that end at any message: nothing is left behind, and once they last
// again every link gets its new pair.

import { describe, expect, it } from "vitest";
import { platformsOf, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const rotations = effort(1, 40);

describe("routers that speak IOS XR", () => {
  it.each(platformsOf("iosxr"))(
    `keep every promise over connections that break, %s`,
    { timeout: effort(120_000, 3_600_000) },
    async (name, platform) => {
      const stage = new RouterStage(`iosxr cut ${name}`, spokenBy(platform));
      await stage.run(stage.begin());
      await stage.settled();
      expect(stage.isProtected(), stage.rest).toBe(true);
      for (let turn = 0; turn < rotations; turn += 1) {
        await stage.rotate();
        // A look says many lines, each of which may be the last.
        stage.cuts = 0.0008;
        await stage.site.clock.runFor(120_000);
        stage.cuts = 0;
        // What was taken back in such weather is asked for again, once the routers are reached.
        await stage.site.clock.runFor(30_000);
        await stage.settled();
        await stage.resumed();
        expect(stage.isProtected(), stage.rest).toBe(true);
        await stage.rotate();
        await stage.settled();
        expect(stage.isProtected(), stage.rest).toBe(true);
        const links = stage.site.truth().groups[0]?.links ?? [];
        for (const { edgeKeys, farKey } of links) expect(edgeKeys).toEqual([farKey]);
      }
      expect(stage.cut).toBeGreaterThan(3 * rotations);
      expect(stage.complaints()).toEqual([]);
    },
  );
});
