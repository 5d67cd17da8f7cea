// Protected packets never leave in the clear: not while charon is killed, not after the tunnel is
// gone.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device, DeviceChange } from "#hal/device.ts";
import type { IpsecTunnel } from "#hal/model.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { ip, leaveNetworks, soon, until } from "../lab.ts";
import {
  buildSite,
  gatewayPsk,
  keyOf,
  LeakWatch,
  loadGateway,
  pings,
  spec,
  strong,
  type TunnelSite,
} from "./site.ts";

let site: TunnelSite;
let host: Host;
let device: Device;
let leaks: LeakWatch;

async function openHost(): Promise<void> {
  const clock = new PacedClock(1);
  host = await Host.open({ ports: [], network: site.edge, clock, charon: site.charon.socket });
  device = await host.device();
}

async function closeHost(): Promise<void> {
  await device[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
}

beforeAll(async () => {
  site = await buildSite();
  await openHost();
  leaks = new LeakWatch(site);
}, 180_000);
afterAll(async () => {
  leaks[Symbol.dispose]();
  await closeHost();
  for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  leaveNetworks();
});

async function commit(...change: DeviceChange): Promise<void> {
  const transaction = await device.prepare(change, keyOf(gatewayPsk), soon());
  await transaction.apply(120_000, soon());
  await transaction.confirm(soon());
}

const put = { kind: "ipsec.putTunnel", tunnel: spec } as const;
const remove = { kind: "ipsec.removeTunnel", name: spec.name } as const;

async function tunnel(): Promise<IpsecTunnel | undefined> {
  const { ipsec } = await device.observe(soon());
  return ipsec.find(({ name }) => name === spec.name);
}

async function untilIke(state: string): Promise<void> {
  await until(async () => {
    const ike = (await tunnel())?.ike;
    return ike?.kind === "known" && ike.value === state ? true : undefined;
  });
}

/**
 * Counts SAs with keys: a packet without an SA makes the kernel add one without keys, until the key
 * exchange has made it.
 */
const saCount = (network: string): number =>
  ip("-n", network, "xfrm", "state").match(/^\s+(aead|enc) /gm)?.length ?? 0;

const blocks = (): number => ip("-n", site.edge, "xfrm", "policy").split("action block").length - 1;

/** Sends traffic for the gateway's host all the time. */
async function underTraffic(act: () => Promise<void>): Promise<{ sent: number; lost: number }> {
  const count = 2_000;
  let acting = true;
  const flow = (async () => {
    let counters = { sent: 0, lost: 0 };
    while (acting) {
      const received = await pings(site.edge, 20, 0.05);
      counters = { sent: counters.sent + 20, lost: counters.lost + 20 - received };
      if (counters.sent >= count) break;
    }
    return counters;
  })();
  try {
    await rest(500);
    await act();
    await rest(500);
  } finally {
    acting = false;
  }
  return await flow;
}

describe("a protected prefix", { timeout: 180_000 }, () => {
  it("a protected prefix never leaves in the clear, from before the first SA on", async () => {
    const { sent, lost } = await underTraffic(async () => {
      const done = commit(put);
      await until(() => (blocks() === 3 ? true : undefined));
      await rest(200);
      // Until then no prefix was protected, and packets left in the clear as always.
      leaks.observed.length = 0;
      await done;
    });
    console.log(`set up: ${lost} of ${sent} lost`);
    expect(await pings(site.edge)).toBe(3);
  });

  it("a tunnel carries while charon is killed, and its successor owns all SAs", async () => {
    const { sent, lost } = await underTraffic(async () => {
      await site.charon.stop("SIGKILL");
      expect(saCount(site.edge)).toBeGreaterThanOrEqual(2);
      const blind = await tunnel();
      expect(blind?.ike).toMatchObject({ kind: "unknown", why: "queryFailed" });
      await site.charon.start();
      await untilIke("forgotten");
      await commit(put);
      await untilIke("established");
    });
    console.log(`charon killed: ${lost} of ${sent} lost`);
    await until(() => (saCount(site.edge) === 2 ? true : undefined));
    const observed = await tunnel();
    expect(observed?.sas.kind === "known" && observed.sas.value.length).toBe(2);
    expect(await pings(site.edge)).toBe(3);
  });

  it("a tunnel loses nothing while agent and linkseal-net are killed", async () => {
    const { sent, lost } = await underTraffic(async () => {
      await closeHost();
      await rest(1_000);
      await openHost();
    });
    console.log(`agent and linkseal-net killed: ${lost} of ${sent} lost`);
    expect(lost).toBe(0);
    await untilIke("established");
  });

  it("a prefix stays blocked when charon stops in order and removes its SAs", async () => {
    await underTraffic(async () => {
      await site.charon.stop("SIGTERM");
      expect(saCount(site.edge)).toBe(0);
      expect(await pings(site.edge)).toBe(0);
      await site.charon.start();
      await commit(put);
    });
    expect(await pings(site.edge)).toBe(3);
  });

  it("a gateway that dies and comes back is reported, and the tunnel comes up again", async () => {
    const start = performance.now();
    await site.far.stop("SIGKILL");
    ip("-n", site.gateway, "xfrm", "state", "flush");
    await until(async () => {
      const ike = (await tunnel())?.ike;
      return ike?.kind === "known" && ike.value !== "established" ? true : undefined;
    });
    const noticed = performance.now();
    console.log(`a dead gateway was noticed after ${Math.round(noticed - start)} ms`);
    await site.far.start();
    await loadGateway(site.far, strong, gatewayPsk);
    await untilIke("established");
    console.log(`and was back after ${Math.round(performance.now() - noticed)} ms more`);
    expect(await until(async () => ((await pings(site.edge)) > 0 ? true : undefined))).toBe(true);
  });

  it("a prefix stays blocked when its tunnel is removed, although a route exists", async () => {
    await underTraffic(() => commit(remove));
    expect(ip("-n", site.edge, "route", "get", "10.100.0.1")).toContain("dev wire");
    expect(await pings(site.edge)).toBe(0);
    const { blocked, ways } = await device.observe(soon());
    expect(blocked).toMatchObject({ kind: "known", value: spec.remotePrefixes });
    const via = { kind: "port", port: "wire" };
    expect(ways).toMatchObject({ value: [{ prefix: "0.0.0.0/0", via, best: true }] });
  });

  it("no pass policy of charon opens a block, of whatever priority and selector", async () => {
    for (const remote of ["10.100.0.0/17", "0.0.0.0/0", ...spec.remotePrefixes]) {
      const child = { mode: "pass", local_ts: ["0.0.0.0/0"], remote_ts: [remote] };
      const children = { open: { ...child, start_action: "trap", priority: "1" } };
      const ends = { local: { auth: "psk" }, remote: { auth: "psk" } };
      await site.charon.ask("load-conn", { open: { version: "2", ...ends, children } });
      const policies = ip("-n", site.edge, "xfrm", "policy");
      expect(policies).toContain(`src 0.0.0.0/0 dst ${remote} `);
      expect(policies).toMatch(/priority 1\b/);
      expect(await pings(site.edge)).toBe(0);
      const { blocked } = await device.observe(soon());
      expect(blocked).toMatchObject({ kind: "known", value: spec.remotePrefixes });
      await site.charon.ask("unload-conn", { name: "open" });
      expect(blocks()).toBe(3);
    }
  });

  it("no protected packet was seen on the wire in all of this", () => {
    expect(leaks.observed).toEqual([]);
  });

  it("a prefix whose block is removed leaves in the clear, and the watch sees it", async () => {
    ip("-n", site.edge, "xfrm", "policy", "flush");
    expect(await device.observe(soon())).toMatchObject({ blocked: { kind: "known", value: [] } });
    await pings(site.edge);
    expect(leaks.observed).toContainEqual("10.1.0.1 > 10.100.0.1, protocol 1");
  });
});
