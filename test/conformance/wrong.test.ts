// For each case planted wrong devices that it must fail; what else they fail is printed.

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
import { openRouter } from "#sim/site/device-hal.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { profile } from "./profiles.ts";
import { benchOf, buildRig, drive } from "./rig.ts";
import { buildFarSide, peerBench, vaultBench } from "./site.ts";
import { wrongKeys, wrongPorts, wrongTraffic, wrongTroubles } from "./wrong-change.ts";
import { type SpoilPeer, type SpoilVault, wrongPeers, wrongVaults } from "./wrong-far.ts";
import type { Wrong } from "./wrong-kit.ts";
import { wrongCommits, wrongObservations } from "./wrong-observation.ts";
import { wrongRefusals } from "./wrong-refusal.ts";
import { wrongTunnels } from "./wrong-tunnel.ts";

const wrongDevices = {
  ...wrongObservations,
  ...wrongCommits,
  ...wrongKeys,
  ...wrongPorts,
  ...wrongTraffic,
  ...wrongTunnels,
  ...wrongTroubles,
};

interface Case {
  readonly name: string;
}

const lines: string[] = [];
afterAll(() => {
  console.log(["\nplanted: what its case says, and what else it fails", ...lines].join("\n"));
});

function rowsOf<T>(table: Readonly<Record<string, readonly T[]>>) {
  return Object.entries(table).flatMap(([name, wrongs]) =>
    wrongs.map((wrong, index) => ({ name, nth: index + 1, wrong })),
  );
}

function namesOf(cases: readonly Case[]): string[] {
  return cases.map(({ name }) => name).toSorted();
}

/** Runs all cases on the same wrong thing and returns the names of those that fail. */
async function failing<C extends Case>(
  title: string,
  own: string,
  cases: readonly C[],
  run: (one: C) => Promise<Verdict>,
): Promise<readonly string[]> {
  const failed = new Map<string, string>();
  for (const one of cases) {
    const verdict = await run(one);
    if (verdict.kind === "failed") failed.set(one.name, verdict.text);
  }
  const others = [...failed.keys()].filter((name) => name !== own);
  lines.push(`${title}: ${failed.get(own)}`);
  if (others.length > 0) lines.push(`    else ${others.length}: ${others.join("; ")}`);
  return [...failed.keys()];
}

async function onDevice(one: (typeof deviceCases)[number], wrong: Wrong): Promise<Verdict> {
  const offers = profile(wrong.profile ?? "everything");
  const rig = buildRig(offers);
  const open = async () => wrong.spoil(openRouter(rig.router), rig);
  const bench = await benchOf(rig, { open, offers, exchanges: () => rig.clock.sleeps });
  return await drive(rig.clock, runDeviceCase(one, bench));
}

async function onPeer(one: (typeof peerCases)[number], spoil: SpoilPeer): Promise<Verdict> {
  const rig = buildRig(profile("everything"));
  const far = buildFarSide(rig);
  const bench = peerBench(rig, far, simulatedDialer(siteHandler(far.site)));
  const peer = spoil(bench.peer, far, bench.neighbour);
  return await drive(rig.clock, runPeerCase(one, { ...bench, peer }));
}

async function onVault(one: (typeof vaultCases)[number], spoil: SpoilVault): Promise<Verdict> {
  const rig = buildRig(profile("everything"));
  const far = buildFarSide(rig);
  const bench = vaultBench(rig, far, simulatedDialer(siteHandler(far.site)));
  const vault = spoil(bench.vault, far);
  return await drive(rig.clock, runVaultCase(one, { ...bench, vault }));
}

describe("every case fails the wrong device that was planted for it", () => {
  it("each case has a wrong device, far end or vault, and no other name has one", () => {
    expect(Object.keys(wrongDevices).toSorted()).toEqual(namesOf(deviceCases));
    expect(Object.keys(wrongPeers).toSorted()).toEqual(namesOf(peerCases));
    expect(Object.keys(wrongVaults).toSorted()).toEqual(namesOf(vaultCases));
  });

  it.each(rowsOf(wrongDevices))(
    "a wrong device fails its case: $name ($nth)",
    async ({ name, nth, wrong }) => {
      const title = `${name} (${nth})`;
      const failed = await failing(title, name, deviceCases, (one) => onDevice(one, wrong));
      expect(failed).toContain(name);
    },
  );

  it.each(rowsOf(wrongPeers))(
    "a wrong far end fails its case: $name ($nth)",
    async ({ name, nth, wrong }) => {
      const title = `${name} (${nth})`;
      const failed = await failing(title, name, peerCases, (one) => onPeer(one, wrong));
      expect(failed).toContain(name);
    },
  );

  it.each(rowsOf(wrongVaults))(
    "a wrong vault fails its case: $name ($nth)",
    async ({ name, nth, wrong }) => {
      const title = `${name} (${nth})`;
      const failed = await failing(title, name, vaultCases, (one) => onVault(one, wrong));
      expect(failed).toContain(name);
    },
  );

  it.each(wrongRefusals)(
    "a device that wrongly accepts what it does not offer fails: $fails on $profile",
    async (wrong) => {
      const title = `not offered: ${wrong.fails}`;
      const failed = await failing(title, wrong.fails, deviceCases, (one) => onDevice(one, wrong));
      expect(failed).toContain(wrong.fails);
    },
  );
});
