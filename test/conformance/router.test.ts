import { afterAll, describe, expect, it } from "vitest";
import type { Capabilities } from "#hal/device.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#sim/conformance/suite.ts";
import { openRouter } from "#sim/site/device-hal.ts";
import { profile, profiles } from "./profiles.ts";
import { benchOf, buildRig, drive } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";

async function runOne(one: (typeof deviceCases)[number], offers: Capabilities): Promise<Verdict> {
  const rig = buildRig(offers);
  const open = async () => openRouter(rig.router);
  const bench = await benchOf(rig, { open, offers, exchanges: () => rig.clock.sleeps });
  return await drive(rig.clock, runDeviceCase(one, bench));
}

describe("the simulated router itself", () => {
  const rows: Row[] = [];
  afterAll(() => {
    console.log(formatRows("router, virtual time", rows));
  });

  it.each(Object.keys(profiles))("the simulated router passes every case: %s", async (name) => {
    const verdicts = new Map<string, Verdict>();
    for (const one of deviceCases) verdicts.set(one.name, await runOne(one, profile(name)));
    const row = { profile: name, verdicts };
    rows.push(row);
    expect(failures(row).join("\n")).toBe("");
    expect(verdicts.size).toBe(deviceCases.length);
  });
});
