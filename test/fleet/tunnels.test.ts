// The whole agent with simulated routers that use a vendor's dialect and end IPsec tunnels, on
// virtual time: from an empty config to every tunnel up, with and without broken connections, under
// the oracle.

import { describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { platforms, spokenBy } from "../conformance/place.ts";
import { effort } from "../effort.ts";
import { RouterStage } from "./router-stage.ts";

const tried = ["srx4600 23.4R2", "C8500-12X4QC 17.15.1"] as const;
const breaking = effort(1, 40);
const up = ["hub-1", "hub-2"].map((name) => ({ name, up: true, clearPath: false }));

describe("routers that end tunnels", () => {
  it.each(tried)("two tunnels come up, %s", async (name) => {
    await readXml(new TextEncoder().encode("<a/>"), "nowhere");
    const stage = new RouterStage(`tunnels ${name}`, spokenBy(platforms[name]), 2);
    await stage.run(stage.begin());
    await stage.settled();
    expect(stage.isProtected(), stage.rest).toBe(true);
    expect(stage.site.tunnelTruth()).toEqual(up);
    expect(stage.complaints()).toEqual([]);
  });

  it.each(tried)("two tunnels come up over connections that break, %s", async (name) => {
    await readXml(new TextEncoder().encode("<a/>"), "nowhere");
    let cut = 0;
    for (let turn = 0; turn < breaking; turn += 1) {
      const stage = new RouterStage(`cut ${turn} ${name}`, spokenBy(platforms[name]), 2);
      stage.cuts = 0.02;
      await stage.run(stage.begin());
      await stage.settled();
      cut += stage.cut;
      stage.cuts = 0;
      await stage.resumed();
      await stage.settled();
      await stage.site.clock.runFor(effort(300_000, 900_000));
      expect(stage.site.tunnelTruth()).toEqual(up);
      expect(stage.complaints()).toEqual([]);
    }
    expect(cut).toBeGreaterThan(0);
  });
});
