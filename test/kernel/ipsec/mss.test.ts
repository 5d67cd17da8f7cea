// TCP of a host behind the edge, which does not know the tunnel and its MTU.

import { type ChildProcess, spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dumpTables, readTable } from "#drivers/linux/netlink/nftables.ts";
import { NetlinkChannel } from "#drivers/transport/netlink.ts";
import type { Device, DeviceChange } from "#hal/device.ts";
import { firstLine } from "../../first-line.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import {
  addNetwork,
  enterNetwork,
  found,
  ip,
  leaveNetworks,
  native,
  netlinkFamilies,
  soon,
  until,
} from "../lab.ts";
import { buildSite, gatewayPsk, inner, keyOf, spec, type TunnelSite } from "./site.ts";

const lan = { host: "10.1.7.2", edge: "10.1.7.1" } as const;
const port = 5_001;

let site: TunnelSite;
let host: Host;
let device: Device;
let behind: string;
let filter: NetlinkChannel;
const children: ChildProcess[] = [];

beforeAll(async () => {
  site = await buildSite();
  behind = addNetwork();
  ip("-n", site.edge, "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", behind);
  for (const [network, address] of [
    [site.edge, lan.edge],
    [behind, lan.host],
  ] as const) {
    ip("-n", network, "address", "add", `${address}/24`, "dev", "lan");
    ip("-n", network, "link", "set", "lan", "up");
  }
  ip("-n", behind, "route", "add", "default", "via", lan.edge);
  ip("netns", "exec", site.edge, "sysctl", "-qw", "net.ipv4.ip_forward=1");
  const { socket: charon } = site.charon;
  host = await Host.open({ ports: [], network: site.edge, clock: new PacedClock(1), charon });
  device = await host.device();
  enterNetwork(site.edge);
  filter = new NetlinkChannel(native, netlinkFamilies.filter);
}, 180_000);
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  filter[Symbol.dispose]();
  await device[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
  for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  leaveNetworks();
});

async function commit(...change: DeviceChange): Promise<void> {
  const transaction = await device.prepare(change, keyOf(gatewayPsk), soon());
  await transaction.apply(120_000, soon());
  await transaction.confirm(soon());
}

const tables = async (): Promise<readonly string[]> =>
  found(await filter.ask(dumpTables(), readTable, soon()));

/** Starts a program that prints a line once it listens, and keeps running. */
async function run(network: string, script: string): Promise<void> {
  const argv = ["netns", "exec", network, process.execPath, "-e", script];
  const child = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await firstLine(child.stdout);
}

/** Returns the most octets that an end of the connection sends in one segment. */
async function mssIn(network: string): Promise<number> {
  return await until(() => {
    const filterBy = ["state", "established", `( sport = ${port} or dport = ${port} )`];
    const reported = ip("netns", "exec", network, "ss", "-tinH", ...filterBy);
    const mss = /\bmss:(\d+)/.exec(reported)?.[1];
    return mss === undefined ? undefined : Number(mss);
  });
}

/** RFC 7323 timestamps are in every segment of a connection that uses them. */
const timestampBytes = 12;

describe("TCP through a tunnel", { timeout: 120_000 }, () => {
  it("TCP learns the tunnel's MTU from the edge, both ways, while the tunnel exists", async () => {
    await commit({ kind: "ipsec.putTunnel", tunnel: spec });
    expect(await tables()).toEqual(["linkseal-hub-1-1400"]);
    const server = `require("net").createServer((s) => s.on("error", () => 0))
      .listen(${port}, "${inner.gateway}", () => console.log("there"))`;
    const client = `const s = require("net").connect(${port}, "${inner.gateway}", () => {
      s.write("x"); console.log("there"); })`;
    await run(site.gateway, server);
    await run(behind, client);
    // The gateway's own link would let it send 10 more.
    expect(await mssIn(site.gateway)).toBe(1_350 - timestampBytes);
    expect(await mssIn(behind)).toBe(1_350 - timestampBytes);
  });

  it("TCP learns a changed MTU with the tunnel's, and none without a tunnel", async () => {
    await commit({ kind: "ipsec.putTunnel", tunnel: spec });
    expect(await tables()).toEqual(["linkseal-hub-1-1400"]);
    await commit({ kind: "ipsec.putTunnel", tunnel: { ...spec, mtu: 1_300 } });
    expect(await tables()).toEqual(["linkseal-hub-1-1300"]);
    await commit({ kind: "ipsec.removeTunnel", name: spec.name });
    expect(await tables()).toEqual([]);
  });
});
