// A drain in a VRF of a real kernel, with FRR at both ends: the default instance has sessions with
// the same addresses, which stay as they are.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dumpLinks, readLink } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { dumpRoutes, readRoute } from "#drivers/linux/netlink/rtnetlink-route.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { Device } from "#hal/device.ts";
import { type DrainMeans, type Routing, strongValue } from "#hal/model.ts";
import {
  enterNetwork,
  found,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";
import { PacedClock } from "./clock.ts";
import { Host } from "./host.ts";
import { buildPair, type Pair, stopRouter, type } from "./router.ts";

const vrf = "azure";
const ipv4 = 2;

let pair: Pair;
let host: Host;
let device: Device;
let kernel: NetlinkChannel;

beforeAll(async () => {
  pair = await buildPair(vrf);
  const { network, frr } = pair.edge;
  enterNetwork(network);
  kernel = new NetlinkChannel(native, netlinkFamilies.route);
  const pathspace = frr.shell.at(-1) ?? "";
  host = await Host.open({ network, pathspace, clock: new PacedClock(1), ports: [] });
  device = await host.device();
  await until(usesOnly("p1,p2"));
}, 120_000);
afterAll(async () => {
  await device[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  kernel[Symbol.dispose]();
  for (const router of [pair.edge, pair.far]) stopRouter(router);
  leaveNetworks();
});

async function observe(): Promise<Routing> {
  const value = strongValue((await device.observe(soon())).routing);
  if (value === undefined) throw new Error("the routing is not known");
  return value;
}

/** Returns whether the kernel's routes to the far end lead over these links alone. */
const usesOnly = (wanted: string) => async (): Promise<true | undefined> => {
  const routes = found(await kernel.ask(dumpRoutes(ipv4), readRoute, soon()));
  const links = found(await kernel.ask(dumpLinks(), readLink, soon()));
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const used = routes
    .filter(({ destination }) => destination === pair.far.loopback)
    .flatMap(({ outputLink, nextHops }) => nextHops?.map(({ link }) => link) ?? [outputLink])
    .map((link) => names.get(link ?? 0) ?? "?");
  return used.toSorted().join() === wanted ? true : undefined;
};

async function turn(kind: "port.drain" | "port.restore", port: string, means: DrainMeans) {
  const noKeys = (): never => {
    throw new Error("a drain asks for no key");
  };
  const transaction = await device.prepare([{ kind, port, means }], noKeys, soon());
  await transaction.apply("final", soon());
}

/** Returns what is configured for BGP in the default instance. */
const defaultInstance = (): string =>
  /^router bgp \d+$.*?^exit$/ms.exec(type(pair.edge, "show running-config"))?.[0] ?? "";

describe("BGP of a VRF", { timeout: 120_000 }, () => {
  it("sessions are those of the VRF, whatever has their addresses in the default one", async () => {
    const { sessions } = await until(async () => {
      const routing = await observe();
      return routing.sessions.every(({ up }) => up) ? routing : undefined;
    });
    expect(sessions.map(({ port, peer, vrf: own }) => [port, peer, own])).toEqual([
      ["p1", "192.0.2.2", vrf],
      ["p2", "192.0.2.6", vrf],
    ]);
  });

  it("a drain in a VRF leads traffic away and back, and changes no other instance", async () => {
    const before = defaultInstance();
    expect(before).toContain("64999");
    const whole = type(pair.edge, "show running-config");
    for (const means of ["prepend", "gracefulShutdown", "peeringShutdown"] as const) {
      await turn("port.drain", "p1", means);
      await until(usesOnly("p2"));
      const { drains, routes } = await observe();
      expect(drains).toEqual([{ port: "p1", means }]);
      const best = routes.filter((one) => one.best).map(({ via }) => via);
      expect(best).not.toContainEqual({ kind: "port", port: "p1" });
      expect(defaultInstance()).toBe(before);
      await turn("port.restore", "p1", means);
      await until(usesOnly("p1,p2"));
      expect(type(pair.edge, "show running-config")).toBe(whole);
    }
  });

  it("a probe of a port in a VRF is answered by the far end of that port", async () => {
    expect(await device.probe?.("p1", 5, soon())).toEqual({ sent: 5, answered: 5 });
  });
});
