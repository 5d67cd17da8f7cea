// Connections to Junos routers that end at any message: nothing is left behind, and once they last
// again every link gets its new pair.

import { describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { platformsOf, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const rotations = effort(1, 40);

describe("routers that speak Junos", () => {
  it.each(platformsOf("junos"))(
    `keep every promise over connections that break, %s`,
    { timeout: effort(120_000, 3_600_000) },
    async (name, platform) => {
      await readXml(new TextEncoder().encode("<a/>"), "nowhere");
      const stage = new RouterStage(`junos cut ${name}`, spokenBy(platform));
      await stage.run(stage.begin());
      await stage.settled();
      expect(stage.isProtected(), stage.rest).toBe(true);
      for (let turn = 0; turn < rotations; turn += 1) {
        await stage.rotate();
        stage.cuts = 0.01;
        await stage.site.clock.runFor(120_000);
        stage.cuts = 0;
        // What was taken back or held in such weather goes on, once the routers are reached.
        await stage.site.clock.runFor(30_000);
        await stage.resumed();
        await stage.settled();
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
