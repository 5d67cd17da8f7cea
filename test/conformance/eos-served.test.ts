// The same cases behind a real SSH server, with the dialer of the agent.

import { afterAll, describe, expect, it } from "vitest";
import { Shells } from "#drivers/transport/shell.ts";
import { deviceCases, runDeviceCase, type Verdict } from "#hal/conformance.ts";
import type { Dialer } from "#hal/world.ts";
import { paceClock } from "#sim/serve.ts";
import { serveSsh } from "#sim/serve-ssh.ts";
import { effort } from "../effort.ts";
import { anyKey } from "../unit/ssh-bench.ts";
import { placeOf, platforms, wayOf } from "./eos-place.ts";
import { benchOf } from "./rig.ts";
import { failures, formatRows, type Row } from "./table.ts";
import { Travel } from "./travel.ts";

async function served(one: (typeof deviceCases)[number]): Promise<Verdict> {
  const place = placeOf(platforms["7280CR3MK 4.30.5M"]);
  const { rig, face } = place;
  const travel = new Travel();
  const connect = travel.routerEnd((wire) => face.connect(wire));
  const server = await serveSsh({ port: 0, channel: "shell", connect });
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

/** A look at a command line takes its time: every day some, and all of them in the long run. */
const cases = effort(
  deviceCases.filter((_, index) => index % 3 === 0),
  deviceCases,
);

describe("eos behind a real SSH server", () => {
  const rows: Row[] = [];
  afterAll(() => {
    console.log(formatRows("eos, real SSH", rows));
  });

  it("7280CR3MK 4.30.5M", { timeout: 600_000 }, async () => {
    const verdicts = new Map<string, Verdict>();
    const left = [...cases];
    // Most of a case is waiting for a turn of the event loop, which several can share.
    const worker = async (): Promise<void> => {
      for (let one = left.shift(); one !== undefined; one = left.shift()) {
        verdicts.set(one.name, await served(one));
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(verdicts.size).toBe(cases.length);
    const row = { profile: "7280CR3MK 4.30.5M", verdicts };
    rows.push(row);
    expect(failures(row)).toEqual([]);
  });
});
