// For each case a planted wrong device that it must fail; what else such a device fails is printed.

import { afterAll, describe, expect, it } from "vitest";
import { deviceCases, runDeviceCase, type Verdict } from "#hal/conformance.ts";
import { openRouter } from "#sim/faces/hal.ts";
import { profile } from "./profiles.ts";
import { benchOf, buildRig, drive } from "./rig.ts";
import {
  wrongKeys,
  wrongPorts,
  wrongTraffic,
  wrongTroubles,
  wrongTunnels,
} from "./wrong-change.ts";
import type { Wrong, WrongTable } from "./wrong-kit.ts";
import { wrongCommits, wrongLooks } from "./wrong-look.ts";

const table: WrongTable = {
  ...wrongLooks,
  ...wrongCommits,
  ...wrongKeys,
  ...wrongPorts,
  ...wrongTraffic,
  ...wrongTunnels,
  ...wrongTroubles,
};

async function runOn(one: (typeof deviceCases)[number], wrong: Wrong): Promise<Verdict> {
  const offers = profile(wrong.profile ?? "everything");
  const rig = buildRig(offers);
  const open = async () => wrong.spoil(openRouter(rig.router), rig);
  const bench = await benchOf(rig, { open, offers, exchanges: () => rig.clock.sleeps });
  return await drive(rig.clock, runDeviceCase(one, bench));
}

describe("every case fails the wrong device that was planted for it", () => {
  const lines: string[] = [];
  afterAll(() => {
    console.log(["\nplanted wrong device            what else it fails", ...lines].join("\n"));
  });

  it("has a wrong device for each case, and no other", () => {
    expect(Object.keys(table).toSorted()).toEqual(deviceCases.map(({ name }) => name).toSorted());
  });

  const rows = Object.entries(table).flatMap(([name, wrongs]) =>
    wrongs.map((wrong, index) => ({ name, nth: index + 1, wrong })),
  );

  it.each(rows)("$name ($nth)", async ({ name, nth, wrong }) => {
    const failed: string[] = [];
    for (const one of deviceCases) {
      const verdict = await runOn(one, wrong);
      if (verdict.kind === "failed") failed.push(one.name);
    }
    lines.push(`${name} (${nth})`);
    for (const other of failed) if (other !== name) lines.push(`    ${other}`);
    expect(failed).toContain(name);
  });
});
