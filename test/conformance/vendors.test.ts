// The drivers of vendors against routers that speak as theirs do, on virtual time.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readXml } from "#drivers/transport/xml.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#hal/conformance/suite.ts";
import { channelTo } from "../emulator-channel.ts";
import { allPlatforms, placeOf, wayOf } from "./place.ts";
import { benchOf, drive } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";

describe("a vendor's router", () => {
  const rows: Row[] = [];
  // The parser comes from a file, and virtual time does not wait for one.
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });
  afterAll(() => {
    console.log(formatRows("vendors, virtual time", rows));
  });

  it.each(allPlatforms)(
    "a vendor's emulated router passes every case: %s",
    { timeout: 120_000 },
    async (name, platform) => {
      const verdicts = new Map<string, Verdict>();
      for (const one of deviceCases) {
        const place = placeOf(platform);
        const { rig, emulator } = place;
        const target = { device: rig.router.name, address: "192.0.2.1" };
        const way = wayOf(place, target, async (to) =>
          channelTo(to.device, (wire) => emulator.connect(wire)),
        );
        const run = async () => runDeviceCase(one, await benchOf(rig, way));
        verdicts.set(one.name, await drive(rig.clock, run()));
      }
      const row = { profile: name, verdicts };
      rows.push(row);
      expect(failures(row).join("\n")).toBe("");
      expect(verdicts.size).toBe(deviceCases.length);
    },
  );
});
