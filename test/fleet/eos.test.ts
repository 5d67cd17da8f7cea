// The whole agent against routers that speak EOS, on virtual time: first keys, then rotations by a
// fallback key and its promotion, in good weather and over connections that break, under the eyes
// of the oracle.

import { describe, expect, it } from "vitest";
import { type Platform, platformsOf, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const rotations = effort(2, 200);
const breaking = effort(1, 40);

/** Each form in which sessions with a timer are shown; every platform has its conformance. */
const tried = platformsOf("eos").slice(0, effort(2, 3));

async function begun(seed: string, platform: Platform): Promise<RouterStage> {
  const stage = new RouterStage(seed, spokenBy(platform));
  await stage.run(stage.begin());
  await stage.settled();
  expect(stage.isProtected(), stage.rest).toBe(true);
  return stage;
}

describe("routers that speak EOS", () => {
  it.each(tried)(
    `get first keys and ${rotations} new pairs, %s`,
    { timeout: effort(120_000, 3_600_000) },
    async (name, platform) => {
      const stage = await begun(`eos ${name}`, platform);
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
      expect(Object.fromEntries(stage.keyEffects)).toEqual({
        "macsec.addKey": 2 + each,
        "macsec.promoteKey": each,
        "macsec.removeKey": each,
      });
    },
  );

  it.each(tried)(
    `keep every promise over connections that break, %s`,
    { timeout: effort(120_000, 3_600_000) },
    async (name, platform) => {
      const stage = await begun(`eos cut ${name}`, platform);
      for (let turn = 0; turn < breaking; turn += 1) {
        await stage.rotate();
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
