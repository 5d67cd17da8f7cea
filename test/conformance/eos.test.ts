// The EOS driver against a router that speaks EOS, on virtual time.

import { afterAll, describe, expect, it } from "vitest";
import { deviceCases, runDeviceCase, type Verdict } from "#hal/conformance.ts";
import { channelTo } from "../face-channel.ts";
import { placeOf, platforms, wayOf } from "./eos-place.ts";
import { benchOf, drive } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";

describe("eos", () => {
  const rows: Row[] = [];
  afterAll(() => {
    console.log(formatRows("eos, virtual time", rows));
  });

  it.each(Object.entries(platforms))("%s", { timeout: 120_000 }, async (name, platform) => {
    const verdicts = new Map<string, Verdict>();
    for (const one of deviceCases) {
      const place = placeOf(platform);
      const { rig, face } = place;
      const target = { device: rig.router.name, address: "192.0.2.1" };
      const way = wayOf(place, target, async (to) =>
        channelTo(to.device, (wire) => face.connect(wire)),
      );
      const run = async () => runDeviceCase(one, await benchOf(rig, way));
      verdicts.set(one.name, await drive(rig.clock, run()));
    }
    const row = { profile: name, verdicts };
    rows.push(row);
    expect(failures(row)).toEqual([]);
    expect(verdicts.size).toBe(deviceCases.length);
  });
});
