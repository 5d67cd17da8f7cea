// Two networks of one host, each with its own linkseal-net and charon: both have the same tunnel
// with the same addresses, and neither sees the other.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device, DeviceChange } from "#hal/device.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { ip, leaveNetworks, soon } from "../lab.ts";
import { buildSite, gatewayPsk, keyOf, pings, spec, type TunnelSite } from "./site.ts";

interface Side {
  readonly site: TunnelSite;
  readonly host: Host;
  readonly device: Device;
}

const sides: Side[] = [];

beforeAll(async () => {
  for (const _ of ["red", "blue"]) {
    const site = await buildSite();
    const host = await Host.open({
      ports: [],
      network: site.edge,
      clock: new PacedClock(1),
      charon: site.charon.socket,
    });
    sides.push({ site, host, device: await host.device() });
  }
}, 300_000);
afterAll(async () => {
  for (const { site, host, device } of sides) {
    await device[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
    for (const daemon of [site.charon, site.far]) daemon[Symbol.dispose]();
  }
  leaveNetworks();
});

async function commit({ device }: Side, change: DeviceChange): Promise<void> {
  const transaction = await device.prepare(change, keyOf(gatewayPsk), soon());
  await transaction.apply(120_000, soon());
  await transaction.confirm(soon());
}

async function observed({ device }: Side) {
  const { ipsec, blocked } = await device.observe(soon());
  const tunnel = ipsec.find(({ name }) => name === spec.name);
  const ike = tunnel?.ike.kind === "known" ? tunnel.ike.value : undefined;
  return { ike, blocked: blocked?.kind === "known" ? blocked.value : [] };
}

const sas = ({ site }: Side): string => ip("-n", site.edge, "xfrm", "state");
const put: DeviceChange = [{ kind: "ipsec.putTunnel", tunnel: spec }];
const remove: DeviceChange = [{ kind: "ipsec.removeTunnel", name: spec.name }];
const up = { ike: "established", blocked: spec.remotePrefixes };

describe("one tunnel in each of two networks", { timeout: 120_000 }, () => {
  it("a tunnel comes up in one network while the other has none of it", async () => {
    const [red, blue] = sides as [Side, Side];
    await commit(red, put);
    expect(await observed(red)).toEqual(up);
    expect(await observed(blue)).toEqual({ ike: undefined, blocked: [] });
    expect(sas(blue)).toBe("");
  });

  it("a tunnel comes up in the other network, and both carry at once", async () => {
    const [red, blue] = sides as [Side, Side];
    await commit(blue, put);
    expect(await observed(blue)).toEqual(up);
    const both = sides.map(({ site }) => pings(site.edge, 20, 0.1));
    expect(await Promise.all(both)).toEqual([20, 20]);
    expect(sas(red)).not.toBe(sas(blue));
  });

  it("a tunnel removed from one network leaves the other one carrying", async () => {
    const [red, blue] = sides as [Side, Side];
    const flow = pings(blue.site.edge, 40, 0.1);
    await commit(red, remove);
    expect(await flow).toBe(40);
    expect(sas(red)).toBe("");
    expect(await observed(blue)).toEqual(up);
  });
});
