// The interface of a tunnel is restored to how it was made, and ever later if another program keeps
// changing it.

import { describe, expect, it } from "vitest";
import { tunnelSpec } from "../../../kit/charon-kit.ts";
import { settled } from "../../../kit/site-bench.ts";
import { TunnelBench } from "../../../kit/tunnel-bench.ts";
import { carry, NetHost } from "./net-host.ts";

const name = tunnelSpec.name;
const up = 1;

type Harm = (bench: TunnelBench) => void;

function change(bench: TunnelBench, over: { flags?: number; mtu?: number }): void {
  bench.kernel.links = bench.kernel.links.map((link) => ({ ...link, ...over }));
}

const noRoute: Harm = ({ kernel }) => {
  kernel.routes = [];
};
/** Deletes the interface as the kernel does: what was routed into it goes too. */
const down: Harm = (bench) => {
  change(bench, { flags: 0 });
  noRoute(bench);
};

const harms: readonly (readonly [what: string, harm: Harm, reason: string])[] = [
  ["is down", down, "the interface hub-1 is down"],
  [
    "came up without its route",
    (bench) => {
      down(bench);
      change(bench, { flags: up });
    },
    "the route 10.100.0.0/16 into hub-1 is missing",
  ],
  ["lost its route", noRoute, "the route 10.100.0.0/16 into hub-1 is missing"],
  [
    "lost the way past the block",
    ({ kernel }) => {
      kernel.policies = kernel.policies.filter(({ action }) => action === "block");
    },
    "no policy lets 10.100.0.0/16 past its block into hub-1",
  ],
  [
    "got another MTU",
    (bench) => change(bench, { mtu: 1_280 }),
    "hub-1 has an MTU of 1280, made with 1400",
  ],
];

async function standing(): Promise<TunnelBench> {
  const bench = await TunnelBench.open();
  await bench.put();
  await bench.clock.runFor(1_000);
  return bench;
}

const gapsOf = async (bench: TunnelBench) =>
  ((await bench.tunnel())?.gaps ?? []).map((gap) => gap.text);

describe("the interface of a tunnel", () => {
  it.each(harms)(
    "a tunnel's interface that %s is reported so, and restored at the next change",
    async (...row) => {
      const [, harm, reason] = row;
      const bench = await standing();
      harm(bench);
      expect(await gapsOf(bench)).toContain(reason);
      bench.server?.noteChange();
      await bench.clock.runFor(1_000);
      expect(await gapsOf(bench)).toEqual([]);
      expect(bench.kernel.links).toMatchObject([{ name, flags: up, mtu: 1_400 }]);
      expect(bench.kernel.routes).toHaveLength(1);
    },
  );

  it("a tunnel's interface is restored when its route is gone, not for other routes", async () => {
    const bench = await standing();
    const [link] = bench.kernel.links;
    noRoute(bench);
    bench.server?.noteRouteGone(9_999);
    await bench.clock.runFor(10_000);
    expect(bench.kernel.routes).toEqual([]);
    bench.server?.noteRouteGone(link?.index);
    await bench.clock.runFor(1_000);
    expect(bench.kernel.routes).toHaveLength(1);
  });

  it("a route that is deleted again and again is restored ever later", async () => {
    const bench = await standing();
    const index = bench.kernel.links[0]?.index;
    let times = 0;
    const untilS = 600;
    for (let tenth = 0; tenth < untilS * 10; tenth += 1) {
      if (bench.kernel.routes.length > 0) {
        times += 1;
        noRoute(bench);
        bench.server?.noteRouteGone(index);
      }
      await bench.clock.runFor(100);
    }
    // The waits are 1, 2, 4 ... 60 s: 6 in the first minute, and one in each after that.
    expect(times).toBeGreaterThan(10);
    expect(times).toBeLessThan(18);
    bench.server?.noteChange();
    await bench.clock.runFor(120_000);
    expect(await gapsOf(bench)).toEqual([]);
  });

  it("a deleted interface stays away within a boot, and is made again after the next", async () => {
    const bench = await standing();
    bench.kernel.links = [];
    noRoute(bench);
    bench.server?.noteChange();
    await bench.clock.runFor(5_000);
    expect(bench.kernel.links).toEqual([]);
    bench.bootId = "boot-2";
    await bench.restart();
    await bench.clock.runFor(1_000);
    expect(bench.kernel.links).toMatchObject([{ name, flags: up }]);
    expect(bench.kernel.routes).toHaveLength(1);
  });

  // linkseal-net was killed between the two, and a later link may get the number of the first.
  it.each([
    ["at the next start", async (bench: TunnelBench) => await bench.restart()],
    ["at the next change", async (bench: TunnelBench) => bench.server?.noteChange()],
  ])("a way past a block goes %s if its interface is gone", async (_when, next) => {
    const bench = await standing();
    const ways = () => bench.kernel.policies.filter(({ action }) => action !== "block");
    expect(ways()).toHaveLength(1);
    bench.kernel.links = [];
    await next(bench);
    await bench.clock.runFor(1_000);
    expect(ways()).toEqual([]);
    expect(bench.kernel.policies).toHaveLength(3);
  });

  it("the interface of a removed tunnel is not made again by a boot", async () => {
    const bench = await standing();
    await bench.commit({ kind: "ipsec.removeTunnel", name });
    bench.bootId = "boot-2";
    await bench.restart();
    await bench.clock.runFor(1_000);
    expect(bench.kernel.links).toEqual([]);
  });
});

describe("the interfaces of several tunnels after a boot", () => {
  const all = ["hub-1", "hub-2", "hub-3"];
  async function withTunnels(): Promise<NetHost> {
    const host = new NetHost();
    await host.start();
    for (const [at, hub] of all.entries()) {
      await host.commit(carry(hub, 41 + at, [`10.${at + 1}.0.0/16`]));
    }
    await host.clock.runFor(5_000);
    return host;
  }

  // The first interface that was restored counted for all: the others were taken for deleted.
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    "tunnels are all restored after a boot though linkseal-net was killed after %i changes",
    async (changes) => {
      const host = await withTunnels();
      host.kernel.diesAt = host.kernel.acts.length + changes;
      await host.boot();
      expect(host.names.length).toBeLessThanOrEqual(all.length);
      host.kernel.diesAt = undefined;
      await host.start();
      await host.clock.runFor(60_000);
      expect(host.names).toEqual(all);
    },
  );

  it("a tunnel that the kernel refused at a boot is restored without another change", async () => {
    const host = await withTunnels();
    host.kernel.refuses = host.kernel.acts.length;
    await host.boot();
    expect(host.names).toEqual(all.slice(1));
    await host.clock.runFor(5_000);
    expect(host.names).toEqual(all);
  });

  it("a tunnel that is deleted after all were restored by a boot stays away", async () => {
    const host = await withTunnels();
    await host.boot();
    await host.clock.runFor(5_000);
    host.kernel.links = host.kernel.links.filter(({ name: one }) => one !== "hub-2");
    host.server.noteChange();
    await host.clock.runFor(600_000);
    expect(host.names).toEqual(["hub-1", "hub-3"]);
  });

  // There was no interface, so the removal had nothing to do and left the tunnel stored.
  it.each(["confirmed", "reverted"])(
    "a removed tunnel whose interface was deleted by hand is made by no boot (%s)",
    async (end) => {
      const host = await withTunnels();
      const gone = host.kernel.links.find(({ name: one }) => one === "hub-2");
      host.kernel.links = host.kernel.links.filter((link) => link !== gone);
      host.kernel.routes = host.kernel.routes.filter(
        ({ outputLink }) => outputLink !== gone?.index,
      );
      const token = await host.apply({ kind: "ipsec.drop", name: "hub-2" });
      if (end === "confirmed") await settled(host.clock, host.server.confirm(token));
      await host.clock.runFor(120_000);
      expect(host.names).toEqual(["hub-1", "hub-3"]);
      expect((await host.storedLinks()).map((link) => link.name)).toEqual(["hub-1", "hub-3"]);
      await host.boot();
      await host.clock.runFor(60_000);
      expect(host.names).toEqual(["hub-1", "hub-3"]);
    },
  );
});
