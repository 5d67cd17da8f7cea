// A peering of the simulated site loses its BFD: `doctor` names it, and `plan` notes it.

import { expect, it } from "vitest";
import type { SitePlan } from "#agent/compare/site-plan.ts";
import type { Finding } from "#agent/model/finding.ts";
import { doctorReport } from "#agent/operate/doctor/report.ts";
import type { WallTime } from "#hal/world.ts";
import { settingFaults } from "#sim/faults/faults.ts";
import { Pair } from "../../kit/rotate-kit.ts";
import { never, settled } from "../../kit/site-bench.ts";

async function findings(pair: Pair): Promise<readonly Finding[]> {
  const { clock } = pair.site;
  const now = clock.wall() as WallTime;
  return (await settled(clock, doctorReport(pair.agent, now, never))).findings;
}

it("a peering without BFD is named with what turns it on, by doctor and by plan", async () => {
  const pair = await Pair.adopted({ overlap: "keychain" });
  expect(await findings(pair)).toEqual([]);
  const fault = settingFaults.find(({ name }) => name === "bfd-off");
  if (fault === undefined) throw new Error("no such fault");
  const heal = fault.strike(pair.site, pair.link("primary"));
  const [found, ...others] = await findings(pair);
  expect(others).toEqual([]);
  expect(found).toMatchObject({ code: "bfd-off", severity: "warning", about: "erd-demo/primary" });
  expect(found?.here).toMatch(/ has no BFD, and its hold time is 180 s$/);
  const answer = await pair.ask("POST /v1/plan", { text: pair.config() });
  const { plan } = answer as { plan: SitePlan };
  // The config says nothing about BFD, so both ends are as it wants them.
  expect([plan.wouldChange, plan.differs]).toEqual([false, false]);
  const about = "erd-demo/primary";
  const note = { about, text: found?.here, next: found?.next, kind: "limit" };
  expect(plan.notes).toEqual([note]);
  heal();
  expect(await findings(pair)).toEqual([]);
});
