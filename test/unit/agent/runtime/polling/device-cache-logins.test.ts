// Logins of the loops of a large site: only so many at a time, and never in the way of a campaign.

import { describe, expect, it } from "vitest";
import type { Desired } from "#agent/model/desired.ts";
import { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { LoginLimiter } from "#agent/runtime/polling/login-limiter.ts";
import type { Device, Driver } from "#hal/device.ts";
import { SimClock } from "#sim/base/clock.ts";
import { clockWorld } from "../../../kit/clock-world.ts";
import { capabilities, never, sampleState, settled, wallStart } from "../../../kit/site-bench.ts";
import { desired } from "../../../kit/snapshot-kit.ts";

const loginMs = 800;

class Stage {
  readonly clock = new SimClock(wallStart);
  readonly names: readonly string[];
  readonly cache: DeviceCache;
  /** Logins under way: now, and at most. */
  running = 0;
  most = 0;
  logins = 0;
  urgent = "";
  isDead = false;
  /** Devices that hold each login to its deadline. */
  holding: ReadonlySet<string> = new Set();

  constructor(devices: number) {
    this.names = Array.from({ length: devices }, (_, n) => `edge-${n}`);
    const [first] = desired.devices;
    if (first === undefined) throw new Error("no device");
    const config: Desired = {
      ...desired,
      ...{ groups: [], tunnels: [] },
      devices: this.names.map((name) => ({ ...first, name })),
    };
    this.cache = new DeviceCache(
      {
        world: clockWorld({ clock: this.clock }),
        drivers: { [first.driver]: this.#driver() },
        desired: config,
        peerPort: () => {
          throw new Error("no far end");
        },
        logins: new LoginLimiter(this.clock, () => 16),
        isUrgent: (device) => device === this.urgent,
      },
      undefined,
    );
  }

  #driver(): Driver {
    const { clock } = this;
    return {
      ...{ name: "sim", offers: capabilities },
      open: async ({ device }) => {
        this.running += 1;
        this.logins += 1;
        this.most = Math.max(this.most, this.running);
        try {
          const holds = this.holding.has(device) || (this.isDead && device !== this.urgent);
          await clock.sleep(holds ? 600_000 : loginMs);
        } finally {
          this.running -= 1;
        }
        const session: Partial<Device> = {
          capabilities,
          observe: async () => sampleState(device, clock.now()),
          [Symbol.asyncDispose]: async () => undefined,
        };
        return session as Device;
      },
    };
  }

  observeAll(): Promise<readonly unknown[]> {
    return Promise.all(this.names.map((name) => this.cache.observe(name, never)));
  }
}

describe("the logins of a site of 500 devices", () => {
  it("are sixteen at a time, and none is left out", async () => {
    const stage = new Stage(500);
    await settled(stage.clock, stage.observeAll());
    expect([stage.most, stage.logins]).toEqual([16, 500]);
    expect(stage.names.every((name) => stage.cache.state(name) !== undefined)).toBe(true);
    // Sessions that are open need no login, and wait for none.
    const begun = stage.clock.now();
    await settled(stage.clock, stage.observeAll());
    expect([stage.logins, stage.clock.now() - begun]).toEqual([500, 0]);
  });

  it("never keep a campaign's device waiting, even if all other devices are silent", async () => {
    const stage = new Stage(500);
    stage.isDead = true;
    const all = stage.observeAll();
    await stage.clock.runFor(1_000);
    stage.urgent = "edge-499";
    const begun = stage.clock.now();
    const seen = await settled(stage.clock, stage.cache.observe(stage.urgent, never));
    expect(seen).toBeDefined();
    expect(stage.clock.now() - begun).toBe(loginMs);
    await settled(stage.clock, all);
  });

  it("of silent devices keep no loop for more than a minute and one observation", async () => {
    const stage = new Stage(500);
    stage.isDead = true;
    const begun = stage.clock.now();
    await settled(stage.clock, stage.observeAll());
    expect(stage.clock.now() - begun).toBeLessThanOrEqual(60_000 + 10_000);
  });

  it("to a good device wait for no second login of 160 that hold theirs to the end", async () => {
    const stage = new Stage(161);
    const good = stage.names.at(-1) ?? "";
    stage.holding = new Set(stage.names.slice(0, -1));
    const begun = stage.clock.now();
    let readAt: number | undefined;
    // As the loops do: each device again as soon as its turn has ended.
    const loops = stage.names.map(async (name) => {
      while (readAt === undefined) {
        await stage.cache.observe(name, never);
        if (stage.cache.state(good) !== undefined) readAt ??= stage.clock.now();
      }
    });
    await settled(stage.clock, Promise.all(loops));
    // Ten rounds of sixteen, of which each takes the deadline of an observation.
    expect((readAt ?? 0) - begun).toBeLessThanOrEqual(10 * 10_000 + loginMs);
  });
});
