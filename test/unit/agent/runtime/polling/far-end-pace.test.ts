// How often a far end is read, who may write to it, and over which link it is reached.

import { describe, expect, it } from "vitest";
import type { Desired, DesiredLink } from "#agent/model/desired.ts";
import { managementPathOf } from "#agent/runtime/campaigns/management-path.ts";
import { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { FarEndPoller } from "#agent/runtime/polling/far-end-poller.ts";
import { Reconciler } from "#agent/runtime/reconcile.ts";
import { emptyMemory, type Memory } from "#agent/store/journal/memory.ts";
import type { Device, Driver, PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { buildSite } from "#sim/site/site.ts";
import { clockWorld } from "../../../kit/clock-world.ts";
import { noRights } from "../../../kit/rights-kit.ts";
import { capabilities, never, refused, settled, wallStart } from "../../../kit/site-bench.ts";
import { desired, link, peerOff } from "../../../kit/snapshot-kit.ts";
import { running } from "../health-evaluator-bench.ts";

const real: Desired = {
  ...desired,
  azure: {
    ...{ cloud: "public", vault: "https://kv-demo.vault.azure.net", farEnd: "agent" },
    ...{ identity: { kind: "arc", client: undefined }, scopes: [], privateEndpoints: [] },
    ...{ authority: undefined, arm: undefined },
  },
};

class Scene {
  readonly clock = new SimClock(wallStart);
  readonly observations: number[] = [];
  memory: Memory = emptyMemory;
  broken = false;
  provisioning: PeerState["provisioning"] = "settled";
  /** The route of an address or a name. */
  readonly routes = new Map<string, string>();
  readonly names = new Map<string, readonly string[]>();
  resolved = 0;
  readonly deviceCache: DeviceCache;
  readonly #turn: () => Promise<void>;

  constructor(wanted: Desired) {
    const unreachable = (): Promise<never> => Promise.reject(gone());
    const resolve = async (host: string): Promise<readonly string[]> => {
      this.resolved += 1;
      return this.names.get(host) ?? (await unreachable());
    };
    const world = clockWorld({ clock: this.clock, dial: { resolve }, refusal: gone });
    const device: Device = {
      id: link.device,
      capabilities,
      observe: unreachable,
      prepare: unreachable,
      recall: unreachable,
      routesTo: async (address) => {
        const port = this.routes.get(address);
        return port === undefined ? undefined : [port];
      },
      async [Symbol.asyncDispose]() {},
    };
    const driver: Driver = { name: "sim", offers: capabilities, open: async () => device };
    const peer = ({ name }: DesiredLink) => ({
      observe: async () => {
        if (name === link.name) this.observations.push(this.clock.now());
        return this.broken ? await unreachable() : { ...peerOff, provisioning: this.provisioning };
      },
      put: unreachable,
    });
    const drivers = { sim: driver };
    this.deviceCache = new DeviceCache(
      { world, drivers, desired: wanted, peerPort: peer },
      undefined,
    );
    const memory = (): Memory => this.memory;
    const isPolled = wanted.azure.cloud !== "sim";
    const reconciler = new Reconciler({
      cloud: { pace: isPolled ? "polled" : "withRouter" },
      ...{ world, desired: wanted, intent: 1, device: link.device, deviceCache: this.deviceCache },
      vault: { versions: unreachable, read: unreachable },
      keys: () => async () => Secret.take("psk", new Uint8Array(8)),
      ...{
        memory,
        write: async () => undefined,
        leave: () => "all",
        readOnly: () => false,
        made: () => undefined,
        inCampaign: () => false,
        drains: { drainForChange: unreachable, undrainAfterChange: unreachable },
        report: () => undefined,
        alone: (work: () => Promise<void>) => work(),
      },
    });
    const watch = new FarEndPoller({
      world,
      desired: wanted,
      deviceCache: this.deviceCache,
      memory,
      rights: noRights,
    });
    this.#turn = async () => {
      await reconciler.observe(never);
      if (isPolled) await watch.turn(never);
    };
  }

  /** Returns the seconds at which the far end was read, with a turn every five seconds. */
  async seconds(turns: number): Promise<readonly number[]> {
    for (let turn = 0; turn < turns; turn += 1) {
      await settled(this.clock, this.#turn());
      await this.clock.runFor(5_000);
    }
    return this.observations.map((at) => Math.round(at / 1_000));
  }

  managementPath(...managementAddresses: readonly string[]): ReturnType<typeof managementPathOf> {
    const { deviceCache, clock } = this;
    return settled(
      clock,
      managementPathOf({ world: { clock }, deviceCache, managementAddresses }, link, never),
    );
  }
}

function gone(): LinksealError {
  const details = { effect: "none", where: "x", next: "linkseal status" } as const;
  return new LinksealError("peer.unreachable", "gone", details);
}

describe("a far end is read", () => {
  it("a far end of a simulated site is read at every turn", async () => {
    expect(await new Scene(desired).seconds(4)).toEqual([0, 5, 10, 15]);
  });

  it("a far end in a real cloud is read once a minute", async () => {
    expect(await new Scene(real).seconds(30)).toEqual([0, 60, 120]);
  });

  it("a far end is read more often during a campaign, or while it cannot be read", async () => {
    const busy = new Scene(real);
    busy.memory = running("gated");
    expect(await busy.seconds(10)).toEqual([0, 15, 30, 45]);
    const broken = new Scene(real);
    broken.broken = true;
    expect(await broken.seconds(10)).toEqual([0, 15, 30, 45]);
    expect(broken.deviceCache.peerFailure(link)).toMatchObject({ text: "gone", since: 0 });
  });

  it("a far end is read more often until a lost operation is decided", async () => {
    const lost = new Scene(real);
    lost.provisioning = "updating";
    expect(await lost.seconds(10)).toEqual([0, 15, 30, 45]);
  });

  it("a far end's reading has its true age", async () => {
    const scene = new Scene(real);
    await scene.seconds(11);
    expect([scene.clock.now(), scene.deviceCache.peer(link)?.at]).toEqual([55_000, 0]);
  });
});

describe("the management path", () => {
  const vault = "https://kv-demo.vault.azure.net";
  it("the management path is known by every address of a host name", async () => {
    const scene = new Scene(real);
    scene.names.set("kv-demo.vault.azure.net", ["192.0.2.1", "192.0.2.2"]);
    scene.routes.set("192.0.2.1", "mgmt0");
    expect(await scene.managementPath(vault)).toBe("unknown");
    scene.routes.set("192.0.2.2", "mgmt0");
    expect(await scene.managementPath(vault, "unix:/run/x")).toBe("elsewhere");
    scene.routes.set("192.0.2.2", link.port);
    expect(await scene.managementPath(vault)).toBe("overThisLink");
    expect(scene.resolved).toBe(1);
    await scene.clock.runFor(60_000);
    await scene.managementPath(vault);
    expect(scene.resolved).toBe(2);
  });

  it("the management path is unknown for an unknown name, and none to this host", async () => {
    const scene = new Scene(real);
    expect(await scene.managementPath("https://management.azure.com")).toBe("unknown");
    scene.names.set("localhost", ["127.0.0.1", "::1"]);
    expect(await scene.managementPath("https://localhost:8443")).toBe("elsewhere");
  });
});

describe("farEnd: manual", () => {
  it("a far end under farEnd: manual is read, and never written", async () => {
    const site = buildSite({ seed: "m", name: "demo", groups: 1, tunnels: 0, start: "clear" });
    const disk = new SimDisk({ clock: site.clock, prng: site.prng.fork("disk"), writeMs: 1 });
    const world = simulatedWorld({ site, disk, log: { write: () => undefined }, prng: site.prng });
    const agent = await settled(site.clock, simulatedAgent(world));
    const stop = new AbortController();
    void agent.run(stop.signal);
    const text = site.config("unix:/run/x").replace("farEnd: agent", "farEnd: manual");
    await settled(
      site.clock,
      agent.apply({ text, file: "x", who: "test", queue: false }, stop.signal),
    );
    await site.clock.runFor(10_000);
    const [first] = agent.supervisor?.intent.desired.groups[0]?.links ?? [];
    if (first === undefined) throw new RangeError("no link");
    const key = site.vault.generatePair(first.key, "gcm-aes-xpn-256");
    const want = { key, suite: "gcm-aes-xpn-256", sci: "on", admin: "up" } as const;
    const port = agent.supervisor?.deviceCache.peerPort(first);
    const error = await refused(Promise.resolve(port?.put(want, async () => undefined, never)));
    expect([error.code, error.effect, error.where]).toEqual([
      "device.unsupported",
      "none",
      "erd-demo/primary",
    ]);
    expect(agent.supervisor?.deviceCache.peer(first)?.state.pointsAt).toBeUndefined();
    const [msee] = site.msees.values();
    expect(msee?.resource("link1").pointsAt).toBeUndefined();
    stop.abort();
  });
});
