// The end of an agent: it changes no device, and leaves no session open.

import { describe, expect, it } from "vitest";
import { simCloud } from "#agent/azure/sim-cloud.ts";
import { openRecords } from "#agent/operate/open.ts";
import { Agent } from "#agent/runtime/agent.ts";
import { drivers } from "#drivers/index.ts";
import type { Driver } from "#hal/device.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedIdentity, simulatedWorld } from "#sim/lab/simulate.ts";
import { buildSite } from "#sim/site/site.ts";
import { hasty } from "../../../short-waits.ts";
import { never, settled } from "../../kit/site-bench.ts";

const address = "unix:/run/linkseal-sim/site.sock";

/** A driver that opens and observes slowly; counts the open sessions. */
function counting(inner: Driver, sleep: (ms: number) => Promise<void>) {
  const counts = { opened: 0, ended: 0, looking: 0, opening: 0 };
  const driver: Driver = {
    ...inner,
    async open(target, world, hint, signal) {
      counts.opening += 1;
      await sleep(700);
      const device = await inner.open(target, world, hint, never);
      counts.opening -= 1;
      counts.opened += 1;
      return {
        ...device,
        async observe(bounded) {
          counts.looking += 1;
          await sleep(700);
          counts.looking -= 1;
          signal.throwIfAborted();
          return await device.observe(bounded);
        },
        async [Symbol.asyncDispose]() {
          counts.ended += 1;
          await device[Symbol.asyncDispose]();
        },
      };
    },
  };
  return { counts, driver };
}

describe("an agent that is asked to stop", () => {
  it.each([150, 1_100, 4_300, 5_500, 5_900, 6_200])(
    "an agent that is stopped after %i ms leaves no session open, whatever it is doing",
    async (ms) => {
      const size = { seed: "end", name: "demo", groups: 1, tunnels: 0, start: "clear" } as const;
      const site = buildSite(size);
      const { clock, prng } = site;
      const { sim } = drivers;
      if (sim === undefined) throw new Error("no simulated driver");
      const { counts, driver } = counting(sim, (restMs) => clock.sleep(restMs));
      const disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
      const log = { write: () => undefined };
      const world = simulatedWorld({ site, disk, log, prng: prng.fork("agent") });
      const records = await settled(clock, openRecords(world, simulatedIdentity()));
      const agent = new Agent({
        ...{ world, ...records },
        drivers: { ...drivers, sim: driver },
        clouds: () => simCloud(world.dial, address),
      });
      const stop = new AbortController();
      const running = agent.run(stop.signal).catch(() => undefined);
      const request = { text: hasty(site.config(address)), file: "a", who: "test", queue: false };
      await settled(clock, agent.apply(request, never));
      await clock.runFor(ms);
      const busy = counts.looking + counts.opening;
      stop.abort();
      await settled(clock, running);
      await clock.runFor(20_000);
      expect({ ...counts, busy: busy > 0 }).toEqual({
        ...{ opened: counts.opened, ended: counts.opened },
        ...{ looking: 0, opening: 0, busy: expect.any(Boolean) },
      });
      expect(counts.opened).toBeGreaterThan(2);
    },
  );
});
