// The whole agent against routers that speak IOS XE, on virtual time: first keys, then rotations,
// each by what its platform can hold, in good weather and over connections that break, under the
// eyes of the oracle.

import { describe, expect, it } from "vitest";
import { type Platform, platformsOf, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const rotations = effort(2, 200);
const breaking = effort(1, 40);

/** The far end of this site speaks with extended packet numbers. */
const all = platformsOf("iosxe").filter(([, { less }]) => less.suites === undefined);

async function begun(seed: string, platform: Platform): Promise<RouterStage> {
  const stage = new RouterStage(seed, spokenBy(platform));
  await stage.run(stage.begin());
  await stage.settled();
  expect(stage.isProtected(), stage.rest).toBe(true);
  return stage;
}

describe("routers that speak IOS XE", () => {
  it.each(all)(
    `get first keys and ${rotations} new pairs, each with its port shut (CSCvt33018), %s`,
    { timeout: effort(120_000, 3_600_000) },
    async (name, platform) => {
      const stage = await begun(`iosxe ${name}`, platform);
      const told: string[] = [];
      stage.site.onEffect(({ by, what }) => {
        if (by === "agent" && /^(?:port\.|macsec\..*Key$)/.test(what)) told.push(what);
      });
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
      // Under an XPN suite each key comes between a port that is shut and one that is open again.
      const keys = told.filter((what) => what.startsWith("macsec."));
      expect(keys.length).toBeGreaterThan(0);
      expect(told.filter((what) => what === "port.shut")).toHaveLength(keys.length);
      expect(told.filter((what) => what === "port.open")).toHaveLength(keys.length);
      const each = 2 * rotations;
      expect(Object.fromEntries(stage.keyEffects)).toEqual(
        platform.less.overlap === "none"
          ? { "macsec.addKey": 2, "macsec.replaceKey": each }
          : {
              "macsec.addKey": 2 + each,
              "macsec.promoteKey": each,
              "macsec.removeKey": each,
            },
      );
    },
  );

  it.each(all)(
    `keep every promise over connections that break, %s`,
    { timeout: effort(120_000, 3_600_000) },
    async (name, platform) => {
      const stage = await begun(`iosxe cut ${name}`, platform);
      for (let turn = 0; turn < breaking; turn += 1) {
        await stage.rotate();
        // A look says many lines, each of which may be the last.
        stage.cuts = 0.001;
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
      expect(stage.cut).toBeGreaterThan(breaking);
      expect(stage.complaints()).toEqual([]);
    },
  );
});
