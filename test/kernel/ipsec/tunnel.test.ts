// A tunnel of this host by charon, against a stand-in for Azure's gateway.

import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { observeCharon, withCharon } from "#drivers/linux/ipsec/charon.ts";
import { childName, loadConnection } from "#drivers/linux/ipsec/messages.ts";
import { openStream } from "#drivers/transport/stream.ts";
import type { DeviceChange } from "#hal/device.ts";
import type { IpsecTunnel } from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { PacedClock } from "../host/clock.ts";
import { ip, soon, until } from "../lab.ts";
import {
  buildSite,
  gatewayPsk,
  keyOf,
  loadGateway,
  pings,
  spec,
  strong,
  type TunnelSite,
} from "./site.ts";
import { TunnelHost } from "./tunnel-host.ts";

let site: TunnelSite;
let host: TunnelHost;

beforeAll(async () => {
  site = await buildSite();
  host = await TunnelHost.at(site);
}, 180_000);
afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const commit = (change: DeviceChange, psk = gatewayPsk): Promise<void> =>
  host.commit(change, keyOf(psk));
const tunnel = (): Promise<IpsecTunnel | undefined> => host.tunnel();
const put = (tunnel: TunnelSpec = spec): DeviceChange => [{ kind: "ipsec.putTunnel", tunnel }];
const remove: DeviceChange = [{ kind: "ipsec.removeTunnel", name: spec.name }];

const spis = (observed: IpsecTunnel | undefined): readonly number[] =>
  observed?.sas.kind === "known"
    ? observed.sas.value.map(({ spi }) => spi).toSorted((a, b) => a - b)
    : [];

describe("a tunnel", { timeout: 120_000 }, () => {
  it("a tunnel comes up as configured, proven by a rekey of its child, and carries", async () => {
    await commit(put());
    const observed = await tunnel();
    expect(observed?.ike).toMatchObject({ kind: "known", value: "established" });
    if (observed?.sas.kind !== "known") throw new Error("its SAs are not known");
    const installed = observed.sas.value.filter(({ phase }) => phase === "installed");
    expect(installed.map(({ direction }) => direction).toSorted()).toEqual(["in", "out"]);
    for (const { transforms } of installed) expect(transforms).toEqual(spec.transforms);
    expect(await pings(site.edge)).toBe(3);
    const { blocked, ways } = await host.device.observe(soon());
    expect(blocked).toMatchObject({ kind: "known", value: spec.remotePrefixes });
    const via = { kind: "tunnel", name: spec.name };
    expect(ways?.kind === "known" && ways.value).toContainEqual({
      ...{ prefix: "10.100.0.0/16", via, best: true },
    });
    const all = ip("-n", site.edge, "-d", "xfrm", "state");
    expect(all).toContain("if_id 0x2a");
    expect(all).toMatch(/replay.window 4096/);
  });

  it("a tunnel that is put again unchanged is not touched", async () => {
    const before = spis(await tunnel());
    await commit(put());
    expect(spis(await tunnel())).toEqual(before);
  });

  it.each(["child", "ike", "reauthenticate"] as const)(
    "a tunnel loses nothing in a %s rekey",
    async (what) => {
      const before = spis(await tunnel());
      const flow = pings(site.edge, 100, 0.05);
      await commit([{ kind: "ipsec.rekey", name: spec.name, what }]);
      const received = await flow;
      console.log(`${what}: ${100 - received} of 100 lost`);
      expect(received).toBeGreaterThanOrEqual(what === "reauthenticate" ? 98 : 100);
      const after = await until(async () => {
        const observed = spis(await tunnel());
        return observed.length === 2 ? observed : undefined;
      });
      expect(after.some((spi) => before.includes(spi))).toBe(what === "ike");
    },
  );

  it("a tunnel is in every observation while charon rekeys its IKE SA repeatedly", async () => {
    const charon = { path: site.charon.socket, stream: openStream, clock: new PacedClock(1) };
    let observations = 0;
    let rekeying = true;
    const missed: number[] = [];
    const looking = withCharon(charon, soon(), async (client) => {
      for (; rekeying; observations += 1) {
        const { sas } = await observeCharon(client, soon());
        const isUp = sas.some(({ name, state }) => name === spec.name && state === "established");
        if (!isUp) missed.push(observations);
        // In a machine where programs take no virtual time, no rekey happens unless this loop
        // rests.
        await rest(10);
      }
    });
    for (let round = 0; round < 12; round += 1) {
      await site.charon.ask("rekey", { ike: spec.name });
      await rest(500);
    }
    rekeying = false;
    await looking;
    console.log(`${observations} looks while IKE was rekeyed, ${missed.length} without it`);
    expect(observations).toBeGreaterThan(0);
    expect(missed).toEqual([]);
  });

  it("a tunnel that does not exist cannot be rekeyed", async () => {
    const change = [{ kind: "ipsec.rekey", name: "hub-9", what: "child" }] as const;
    await expect(commit(change)).rejects.toMatchObject({ code: "device.rejected", effect: "none" });
  });

  it("a removed tunnel is gone at both daemons, and its prefix stays blocked", async () => {
    await commit(remove);
    expect(await tunnel()).toBeUndefined();
    expect(ip("-n", site.edge, "xfrm", "state")).toBe("");
    const { blocked } = await host.device.observe(soon());
    expect(blocked).toMatchObject({ value: spec.remotePrefixes });
    await until(() => (ip("-n", site.gateway, "xfrm", "state") === "" ? true : undefined));
  });
});

describe("a tunnel whose ends disagree", { timeout: 120_000 }, () => {
  const rows = [
    {
      ...{ name: "another PSK", policy: strong },
      ...{ psk: "another_PSK_of_16+", why: /different pre-shared keys/ },
    },
    {
      ...{ name: "other algorithms for IKE", psk: gatewayPsk, why: /for IKE/ },
      policy: { ...strong, ike: "aes128-sha256-modp2048" },
    },
    {
      ...{ name: "other algorithms for ESP", psk: gatewayPsk, why: /for ESP/ },
      policy: { ...strong, esp: "aes128-sha256" },
    },
    {
      ...{ name: "another group for rekeying", psk: gatewayPsk },
      ...{
        policy: { ...strong, esp: "aes256gcm16-modp2048" },
        why: /different groups for rekeying/,
      },
    },
  ] as const;

  it.each(rows)(
    "a disagreement by $name is refused with that reason, and leaves nothing behind",
    async ({ policy, psk, why }) => {
      await loadGateway(site.far, policy, psk);
      await expect(commit(put())).rejects.toThrow(why);
      expect(await tunnel()).toBeUndefined();
      expect(ip("-n", site.edge, "xfrm", "state")).toBe("");
      const { control } = await host.device.observe(soon());
      expect(control).toMatchObject({ value: { commitPending: false } });
    },
  );

  it("a tunnel comes up once both ends agree", async () => {
    await loadGateway(site.far, strong, gatewayPsk);
    await commit(put());
    expect(await pings(site.edge)).toBe(3);
  });
});

describe("what an agent leaves that is killed before its proof", { timeout: 120_000 }, () => {
  it("the old SAs stay if the ends have other groups, and end after the proof else", async () => {
    // Another setting of IKE: the child of a new IKE SA has no group of its own (RFC 7296, 1.2).
    const other = { ...spec, dpdSeconds: 7 };
    const ask = { child: childName(other), ike: spec.name, timeout: "20000" };
    const pair = (): Promise<readonly number[]> =>
      until(async () => {
        const observed = spis(await tunnel());
        return observed.length === 2 ? observed : undefined;
      });
    const before = await pair();
    await loadGateway(site.far, { ...strong, esp: "aes256gcm16-modp2048" }, gatewayPsk);
    await site.charon.ask("load-conn", loadConnection(other));
    await site.charon.ask("initiate", ask);
    expect(spis(await tunnel())).toHaveLength(4);
    await expect(commit(put(other))).rejects.toThrow(/different groups for rekeying/);
    expect([await pair(), await pings(site.edge)]).toEqual([before, 3]);
    await loadGateway(site.far, strong, gatewayPsk);
    await site.charon.ask("initiate", ask);
    await commit(put(other));
    expect((await pair()).filter((spi) => before.includes(spi))).toEqual([]);
    const after = await tunnel();
    if (after?.sas.kind !== "known") throw new Error("its SAs are not known");
    for (const { transforms } of after.sas.value) expect(transforms).toEqual(spec.transforms);
    expect(await pings(site.edge)).toBe(3);
  });
});

describe("a gateway whose own address is protected", { timeout: 120_000 }, () => {
  it("a gateway inside a protected prefix is reached by a route of its own", async () => {
    await commit(remove);
    ip("-n", site.edge, "route", "add", "198.51.100.2/32", "dev", "wire");
    const remotePrefixes = [...spec.remotePrefixes, "198.51.100.0/30"];
    await commit(put({ ...spec, remotePrefixes }));
    expect(await pings(site.edge)).toBe(3);
    await commit([{ kind: "ipsec.rekey", name: spec.name, what: "ike" }]);
    const { blocked } = await host.device.observe(soon());
    expect(blocked).toMatchObject({ value: remotePrefixes });
  });
});
