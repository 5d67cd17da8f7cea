// Eight tunnels to one gateway that BGP spreads traffic over: how it spreads, and each of them
// rekeyed and taken down in turn while nothing is lost.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { imbalanceOf, type Share, sharesOf } from "#agent/health/tunnel-bundle.ts";
import type { Device, DeviceChange } from "#hal/device.ts";
import { type DeviceState, type IpsecTunnel, strongValue, type TunnelSpec } from "#hal/model.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { lostOf, startFlows } from "../host/router.ts";
import { ip, leaveNetworks, soon, until } from "../lab.ts";
import { type BgpSite, buildBgpSite, leaveBgpSite, loadFar } from "./bgp-site.ts";
import { gatewayPsk, inner, keyOf } from "./site.ts";

const count = 8;
let site: BgpSite;
let host: Host;
let device: Device;

beforeAll(async () => {
  site = await buildBgpSite(count);
  const { network, frr } = site.edge;
  host = await Host.open({
    ...{ ports: [], network, clock: new PacedClock(1), charon: site.charon.socket },
    pathspace: frr.shell.at(-1) ?? "",
  });
  device = await host.device();
}, 240_000);
afterAll(async () => {
  await device[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  leaveBgpSite(site);
  leaveNetworks();
});

async function commit(...change: DeviceChange): Promise<void> {
  const transaction = await device.prepare(change, keyOf(gatewayPsk), soon());
  await transaction.apply(120_000, soon());
  await transaction.confirm(soon());
}

async function turn(kind: "port.drain" | "port.restore", port: string): Promise<void> {
  const transaction = await device.prepare([{ kind, port, means: "prepend" }], noKeys, soon());
  await transaction.apply("final", soon());
}

const noKeys = (): never => {
  throw new Error("a drain asks for no key");
};

const look = (): Promise<DeviceState> => device.observe(soon());
const tunnelIn = ({ ipsec }: DeviceState, wanted: string): IpsecTunnel | undefined =>
  ipsec.find(({ name }) => name === wanted);

/** Tunnels that the kernel's best routes lead to the hosts behind the gateway by. */
async function ledBy(): Promise<readonly string[]> {
  const { ways } = await look();
  const routes = ways === undefined ? [] : (strongValue(ways) ?? []);
  const led = routes.filter(({ prefix, best }) => best && prefix === "10.100.0.0/16");
  return led.flatMap(({ via }) => (via.kind === "tunnel" ? [via.name] : [])).toSorted();
}

const names = (): readonly string[] => site.specs.map(({ name }) => name).toSorted();

/** How it spreads between the looks before and after. */
async function sharesWhile(act: () => Promise<unknown>): Promise<readonly Share[]> {
  const before = await look();
  await act();
  const after = await look();
  return sharesOf(site.specs, (name) =>
    [before, after].flatMap((state) => tunnelIn(state, name) ?? []),
  );
}

async function burst(flows: number, each: number): Promise<void> {
  const script = join(import.meta.dirname, "burst.ts");
  const argv = [process.execPath, script, inner.edge, inner.gateway, `${flows}`, `${each}`];
  await promisify(execFile)("ip", ["netns", "exec", site.edge.network, ...argv]);
}

describe("eight tunnels", { timeout: 300_000 }, () => {
  it("all carry at once, as soon as BGP has led traffic into each", async () => {
    for (const tunnel of site.specs) await commit({ kind: "ipsec.putTunnel", tunnel });
    const routing = await until(async () => {
      const told = strongValue((await look()).routing);
      const up = told?.tunnelSessions?.filter((session) => session.up) ?? [];
      return up.length === count ? told : undefined;
    }, 120_000);
    expect(routing.tunnelSessions?.map(({ tunnel }) => tunnel).toSorted()).toEqual(names());
    const all = async () => ((await ledBy()).length === count ? true : undefined);
    await until(all, 120_000);
    expect(await ledBy()).toEqual(names());
  });

  it("take even parts of many flows, and one that is left out of few is named", async () => {
    const even = await sharesWhile(() => burst(256, 20));
    console.log(
      even.map(({ tunnel, sent, percent }) => `${tunnel} ${sent} ${percent} %`).join(", "),
    );
    expect(even).toHaveLength(count);
    expect(imbalanceOf(even, new Set())).toBeUndefined();
    const one = await sharesWhile(() => burst(1, 4_000));
    const named = imbalanceOf(one, new Set());
    console.log(`${named?.tunnel}: ${named?.text}`);
    expect(named?.text).toMatch(/it sends 0(\.\d)? % where 12\.5 % would be even/);
  });
});

/** Until no more than BGP's own packets go either way. */
async function untilQuiet(name: string): Promise<void> {
  const moved = async (): Promise<bigint> => {
    const seen = tunnelIn(await look(), name);
    const sas = seen === undefined ? [] : (strongValue(seen.sas) ?? []);
    return sas.reduce((sum, { packets }) => sum + packets, 0n);
  };
  let before = await moved();
  await until(async () => {
    const now = await moved();
    const rise = now - before;
    before = now;
    return rise <= 8n ? true : undefined;
  });
}

async function isUp({ name }: TunnelSpec): Promise<boolean> {
  const state = await look();
  const sessions = strongValue(state.routing)?.tunnelSessions ?? [];
  return sessions.some(({ tunnel, up }) => tunnel === name && up);
}

/** The gateway lets it go and takes it no more until it is loaded again. */
async function takeDown(tunnel: TunnelSpec): Promise<void> {
  const { name } = tunnel;
  await site.far.ask("unload-conn", { name });
  await site.far.ask("terminate", { ike: name, force: "yes", timeout: "2000" });
  await until(async () => ((await isUp(tunnel)) ? undefined : true));
}

describe("each of eight tunnels", { timeout: 300_000 }, () => {
  it.each(Array.from({ length: count }, (_, at) => at))(
    "is drained, rekeyed, taken down and brought back with nothing lost: %i",
    async (at) => {
      const tunnel = site.specs[at];
      if (tunnel === undefined) throw new Error("no such tunnel");
      const { name } = tunnel;
      const stop = await startFlows(
        [site.edge.network, inner.edge],
        [site.gateway.network, inner.gateway],
      );
      await turn("port.drain", name);
      await until(async () => ((await ledBy()).includes(name) ? undefined : true));
      await untilQuiet(name);
      await commit({ kind: "ipsec.rekey", name, what: "child" });
      await commit({ kind: "ipsec.rekey", name, what: "ike" });
      await takeDown(tunnel);
      const others = names().filter((each) => each !== name);
      expect(await ledBy()).toEqual(others);
      await loadFar(site.far, tunnel);
      await until(async () => ((await isUp(tunnel)) ? true : undefined), 120_000);
      await turn("port.restore", name);
      await until(async () => ((await ledBy()).includes(name) ? true : undefined));
      const tallies = await stop();
      const lost = lostOf(tallies);
      const sent = tallies.map((tally) => tally.sent);
      console.log(`${name}: lost ${lost.join(" and ")} of ${sent.join(" and ")} packets`);
      expect([lost, tallies.flatMap(({ refused }) => refused)]).toEqual([[0, 0], []]);
      expect(Math.min(...sent)).toBeGreaterThan(1_000);
    },
  );

  it("and none left an SA behind", () => {
    const sas = ip("-n", site.edge.network, "xfrm", "state").match(/^\s+(aead|enc) /gm) ?? [];
    expect(sas).toHaveLength(2 * count);
  });
});
