// The same cases behind a real SSH server, with the dialer of the agent.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { platforms as registry } from "#drivers/index.ts";
import { Shells } from "#drivers/transport/shell.ts";
import { readXml } from "#drivers/transport/xml.ts";
import type { Dialer } from "#hal/world.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#sim/conformance/suite.ts";
import { paceClock } from "#sim/serve/site.ts";
import { serveSsh } from "#sim/serve/ssh.ts";
import { effort } from "../effort.ts";
import { anyKey } from "../unit/kit/ssh-bench.ts";
import { type Platform, placeOf, platforms, wayOf } from "./place.ts";
import { benchOf } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";
import { Travel } from "./travel.ts";

async function served(platform: Platform, one: (typeof deviceCases)[number]): Promise<Verdict> {
  const place = placeOf(platform);
  const { rig, emulator } = place;
  const travel = new Travel();
  const connect = travel.routerEnd((wire) => emulator.connect(wire));
  const { channel } = registry[platform.vendor].access;
  const server = await serveSsh({ port: 0, channel, connect });
  await using shells = new Shells(anyKey);
  const { port, hostKey } = server;
  const ssh = { user: "linkseal", port, key: "file:/key", hostKey };
  const target = { device: rig.router.name, address: "127.0.0.1", ssh };
  const dial: Dialer["channel"] = (to, kind, signal) =>
    travel.open(() => shells.channel(to, kind, signal));
  const pace = paceClock(rig.clock, { speed: Number.POSITIVE_INFINITY, hold: travel.hold });
  try {
    return await runDeviceCase(one, await benchOf(rig, wayOf(place, target, dial)));
  } finally {
    await pace.stop();
    await server.close();
  }
}

/** One of each vendor, and those that end tunnels. */
const tried = [
  "7280CR3MK 4.30.5M",
  "AWE-5510 4.32.2F",
  "C8500-12X4QC 17.15.1",
  "8201-32FH 7.11.2",
  "C9336C-FX2 9.3.6",
  "ptx10008 23.4R2",
  "srx4600 23.4R2",
] as const;

describe("a vendor's router behind a real SSH server", () => {
  const rows: Row[] = [];
  beforeAll(async () => {
    await readXml(new TextEncoder().encode("<warm/>"), "nowhere");
  });
  afterAll(() => {
    console.log(formatRows("vendors, real SSH", rows));
  });

  it.each(tried)(
    "a vendor's router behind a real SSH server passes every case: %s",
    async (name) => {
      const platform: Platform = platforms[name];
      // A real server takes its time: each case meets one of them, and all of them in the long run.
      const turn = tried.indexOf(name);
      const cases = effort(
        deviceCases.filter((_, index) => index % tried.length === turn),
        deviceCases,
      );
      const verdicts = new Map<string, Verdict>();
      const left = [...cases];
      // Most of a case is waiting for a turn of the event loop, which several can share.
      const worker = async (): Promise<void> => {
        for (let one = left.shift(); one !== undefined; one = left.shift()) {
          verdicts.set(one.name, await served(platform, one));
        }
      };
      await Promise.all(Array.from({ length: 8 }, worker));
      expect(verdicts.size).toBe(cases.length);
      const row = { profile: name, verdicts };
      rows.push(row);
      expect(failures(row).join("\n")).toBe("");
    },
  );
});
