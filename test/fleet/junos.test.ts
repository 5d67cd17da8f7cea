// The whole agent against routers that speak Junos, on virtual time: first keys, then rotations,
// each by what its platform can hold, under the eyes of the oracle.

import { describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { platformsOf, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const rotations = effort(2, 200);

describe("routers that speak Junos", () => {
  it.each(platformsOf("junos"))(
    `get first keys and ${rotations} new pairs, %s`,
    { timeout: effort(120_000, 3_600_000) },
    async (name, platform) => {
      // Loads what reads XML, which takes real time that no virtual clock waits for.
      await readXml(new TextEncoder().encode("<a/>"), "nowhere");
      const stage = new RouterStage(`junos ${name}`, spokenBy(platform));
      await stage.run(stage.begin());
      await stage.settled();
      expect(stage.isProtected(), stage.rest).toBe(true);
      for (let turn = 0; turn < rotations; turn += 1) {
        const before = stage.site.truth().groups[0]?.links.map(({ farKey }) => farKey);
        await stage.rotate();
        await stage.settled();
        const links = stage.site.truth().groups[0]?.links ?? [];
        expect(stage.isProtected(), stage.rest).toBe(true);
        expect(links.map(({ farKey }) => farKey)).not.toEqual(before);
        for (const { edgeKeys, farKey } of links) expect(edgeKeys).toEqual([farKey]);
      }
      expect(stage.complaints()).toEqual([]);
      const each = 2 * rotations;
      expect(Object.fromEntries(stage.keyEffects)).toEqual(
        platform.less.overlap === "none"
          ? { "macsec.addKey": 2, "macsec.replaceKey": each }
          : { "macsec.addKey": 2 + each, "macsec.removeKey": each },
      );
    },
  );
});
