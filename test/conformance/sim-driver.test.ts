import { afterAll, describe, expect, it } from "vitest";
import {
  deviceCases,
  peerCases,
  runDeviceCase,
  runPeerCase,
  runVaultCase,
  type Verdict,
  vaultCases,
} from "#sim/conformance/suite.ts";
import { simulatedDialer } from "#sim/lab/simulate.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { profile, profiles } from "./profiles.ts";
import { benchOf, buildRig, drive } from "./rig.ts";
import { buildFarSide, driverWay, peerBench, vaultBench } from "./site.ts";
import { failures, formatRows, type Row } from "./table.ts";

// A site keeps one session per device for all who ask, so no session of its own can end there.
const names = Object.keys(profiles).filter((name) => !name.startsWith("session-bound"));

describe("the sim driver, its far end and its vault, without a socket", () => {
  const rows: Row[] = [];
  afterAll(() => {
    console.log(formatRows("sim driver, virtual time", rows));
  });

  function keep(name: string, verdicts: ReadonlyMap<string, Verdict>): string[] {
    const row = { profile: name, verdicts };
    rows.push(row);
    return failures(row);
  }

  it.each(names)("the sim driver without a socket passes every case: %s", async (name) => {
    const verdicts = new Map<string, Verdict>();
    for (const one of deviceCases) {
      const rig = buildRig(profile(name));
      const way = driverWay(rig, simulatedDialer(siteHandler(buildFarSide(rig).site)));
      const run = async () => runDeviceCase(one, await benchOf(rig, way));
      verdicts.set(one.name, await drive(rig.clock, run()));
    }
    expect(keep(name, verdicts)).toEqual([]);
  });

  it("the simulated far end without a socket passes every case", async () => {
    const verdicts = new Map<string, Verdict>();
    for (const one of peerCases) {
      const rig = buildRig(profile("everything"));
      const far = buildFarSide(rig);
      const bench = peerBench(rig, far, simulatedDialer(siteHandler(far.site)));
      verdicts.set(one.name, await drive(rig.clock, runPeerCase(one, bench)));
    }
    expect(keep("far end", verdicts)).toEqual([]);
  });

  it("the simulated vault without a socket passes every case", async () => {
    const verdicts = new Map<string, Verdict>();
    for (const one of vaultCases) {
      const rig = buildRig(profile("everything"));
      const far = buildFarSide(rig);
      const bench = vaultBench(rig, far, simulatedDialer(siteHandler(far.site)));
      verdicts.set(one.name, await drive(rig.clock, runVaultCase(one, bench)));
    }
    expect(keep("vault", verdicts)).toEqual([]);
  });
});
