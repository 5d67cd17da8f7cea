// The same cases behind the real Unix socket, with the driver and the dialer of the agent.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostDialer } from "#agent/host/dialer.ts";
import type { Dialer } from "#hal/world.ts";
import {
  deviceCases,
  peerCases,
  runDeviceCase,
  runPeerCase,
  runVaultCase,
  type Verdict,
  vaultCases,
} from "#sim/conformance/suite.ts";
import { paceClock, serveSite } from "#sim/serve/site.ts";
import { type SiteHandler, siteHandler } from "#sim/site/protocol.ts";
import { profile } from "./profiles.ts";
import { benchOf, buildRig, type Rig } from "./rig.ts";
import { buildFarSide, driverWay, type FarSide, peerBench, vaultBench } from "./site.ts";
import { failures, formatRows, type Row } from "./table.ts";

let folder: string;
const rows: Row[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "linkseal-conformance-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  console.log(formatRows("sim driver, real socket", rows));
});

/** Virtual time stands while bytes travel: a slow machine must not look like a slow router. */
function tracked(inner: Dialer, handler: SiteHandler) {
  let asking = 0;
  let answering = 0;
  const counted = async <T>(count: (by: 1 | -1) => void, act: () => Promise<T>): Promise<T> => {
    count(1);
    try {
      return await act();
    } finally {
      count(-1);
    }
  };
  const asks = (by: 1 | -1): void => {
    asking += by;
  };
  const answers = (by: 1 | -1): void => {
    answering += by;
  };
  const dial: Dialer = {
    ...inner,
    http: (request, signal) => counted(asks, () => inner.http(request, signal)),
  };
  const tracking: SiteHandler = (request, signal) =>
    counted(answers, () => handler(request, signal));
  return { dial, handler: tracking, hold: () => asking > answering };
}

interface Place {
  readonly rig: Rig;
  readonly far: FarSide;
  readonly dial: Dialer;
  readonly to: string;
}

async function served(
  profileName: string,
  run: (place: Place) => Promise<Verdict>,
): Promise<Verdict> {
  const rig = buildRig(profile(profileName));
  const far = buildFarSide(rig);
  const { dial, handler, hold } = tracked(hostDialer, siteHandler(far.site));
  const path = join(folder, "site.sock");
  const server = await serveSite(handler, path);
  const pace = paceClock(rig.clock, { speed: Number.POSITIVE_INFINITY, hold });
  try {
    return await run({ rig, far, dial, to: `unix:${path}` });
  } finally {
    await pace.stop();
    await server.close();
  }
}

function keep(name: string, verdicts: ReadonlyMap<string, Verdict>): string[] {
  const row = { profile: name, verdicts };
  rows.push(row);
  return failures(row);
}

describe("behind a real socket", () => {
  it.each(["everything", "surviving fallback", "immediate none"])(
    "a simulated device behind a real socket passes every case: %s",
    async (name) => {
      const verdicts = new Map<string, Verdict>();
      for (const one of deviceCases) {
        const run = async ({ rig, dial, to }: Place) =>
          runDeviceCase(one, await benchOf(rig, driverWay(rig, dial, to)));
        verdicts.set(one.name, await served(name, run));
      }
      expect(keep(name, verdicts)).toEqual([]);
    },
  );

  it("the far end behind a real socket passes every case", async () => {
    const verdicts = new Map<string, Verdict>();
    for (const one of peerCases) {
      const run = ({ rig, far, dial, to }: Place) =>
        runPeerCase(one, peerBench(rig, far, dial, to));
      verdicts.set(one.name, await served("everything", run));
    }
    expect(keep("far end", verdicts)).toEqual([]);
  });

  it("the vault behind a real socket passes every case", async () => {
    const verdicts = new Map<string, Verdict>();
    for (const one of vaultCases) {
      const run = ({ rig, far, dial, to }: Place) =>
        runVaultCase(one, vaultBench(rig, far, dial, to));
      verdicts.set(one.name, await served("everything", run));
    }
    expect(keep("vault", verdicts)).toEqual([]);
  });
});
