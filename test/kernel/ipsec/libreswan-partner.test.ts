// Partners whose gateway is libreswan: one that speaks IKEv1 in main mode alone, and one with a
// domain name as its identity, which meets us behind a NAT.

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { profiles, transformsOf } from "#agent/config/ipsec-policy.ts";
import type { DeviceChange } from "#hal/device.ts";
import { type IpsecTunnel, strongValue } from "#hal/model.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { effort } from "../../effort.ts";
import { makeRoom } from "../host/router.ts";
import { ip, until } from "../lab.ts";
import type { GatewayConnection } from "./libreswan.ts";
import {
  buildForeignSite,
  connection,
  type ForeignSite,
  hideEdge,
  middle,
  outer,
} from "./libreswan-site.ts";
import { LeakWatch, pings, spec } from "./site.ts";
import { TunnelHost } from "./tunnel-host.ts";

let site: ForeignSite;
let host: TunnelHost;
let leaks: LeakWatch;

beforeAll(async () => {
  makeRoom();
  site = await buildForeignSite();
  host = await TunnelHost.at(site);
  leaks = new LeakWatch(site);
}, 240_000);
afterEach(async () => {
  if ((await tunnel()) !== undefined)
    await commit([{ kind: "ipsec.removeTunnel", name: spec.name }]);
  if (leaks.observed.length > 0) throw new Error(`in the clear: ${leaks.observed.join(", ")}`);
}, 120_000);
afterAll(async () => {
  leaks[Symbol.dispose]();
  await host[Symbol.asyncDispose]();
});

const commit = (change: DeviceChange): Promise<void> => host.commit(change);
const tunnel = (): Promise<IpsecTunnel | undefined> => host.tunnel();
const put = (one: TunnelSpec): DeviceChange => [{ kind: "ipsec.putTunnel", tunnel: one }];

/** Returns the lines of charon's log that show what the two ends agreed on. */
function transcript(): string {
  const told =
    /(parsed|generating) (ID_PROT|QUICK_MODE|INFORMATIONAL|IKE_|CREATE_)|established|NAT/;
  return site.charon
    .output()
    .split("\n")
    .filter((line) => told.test(line))
    .slice(-40)
    .join("\n");
}

const policyBased = transformsOf(profiles.azurePolicyBased);
/** libreswan is built without group 2, which Azure's policy-based gateways want. */
const mainMode: TunnelSpec = {
  ...{ ...spec, remoteAddress: outer.gateway, ikeVersion: "v1", life: policyBased.life },
  ...{ ike: { ...policyBased.ike, dhGroup: "modp-2048" }, transforms: policyBased.esp },
};
const old: GatewayConnection = {
  ...{ ...connection, version: "ikev1", pfs: "no" },
  ...{ ike: "aes256-sha2_256;dh14", esp: "aes256-sha2_256" },
  ...{ ownPrefix: "10.100.0.0/16", peerPrefix: "10.1.0.0/16" },
};

describe("a partner that speaks IKEv1 alone", { timeout: 240_000 }, () => {
  it("main mode brings the tunnel up, rekeys renew it, and it carries", async () => {
    site.far.load(old);
    await commit(put(mainMode));
    const observed = await tunnel();
    expect(observed && strongValue(observed.ike)).toBe("established");
    const sas = (observed && strongValue(observed.sas)) ?? [];
    for (const { transforms } of sas) expect(transforms).toEqual(policyBased.esp);
    expect(await pings(site.edge)).toBe(3);
    for (const what of ["child", "ike"] as const) {
      const flow = pings(site.edge, 60, 0.05);
      await commit([{ kind: "ipsec.rekey", name: spec.name, what }]);
      const received = await flow;
      console.log(`IKEv1 beside libreswan, ${what}: ${60 - received} of 60 lost`);
      expect(received).toBeGreaterThanOrEqual(57);
    }
    console.log(transcript());
  });

  it("a partner that falls silent shows within 10 s, without traffic", async () => {
    site.far.load(old);
    const { dpdSeconds: _, ...usual } = mainMode;
    await commit(put(usual));
    const probes = (): number => site.charon.output().split("sending DPD request").length;
    const before = probes();
    // The worst moment: charon probes again only a whole interval later.
    await until(() => (probes() > before ? true : undefined));
    await site.far.stop("SIGKILL");
    const begun = performance.now();
    await until(async () => ((await tunnel())?.isSilent === true ? true : undefined));
    const ms = Math.round(performance.now() - begun);
    console.log(`IKEv1: a silent partner shows after ${ms} ms`);
    expect(ms).toBeLessThanOrEqual(effort(10_000, 60_000));
    await site.far.start();
  });

  const rows: readonly (readonly [string, Partial<GatewayConnection>, RegExp])[] = [
    ["another PSK", { psk: "another_PSK_of_16+" }, /pre-shared keys/],
    ["other algorithms for IKE", { ike: "aes128-sha1;dh14" }, /no algorithms for IKE/],
    ["other algorithms for ESP", { esp: "aes128-sha1" }, /no algorithms for ESP/],
    ["other prefixes", { ownPrefix: "10.101.0.0/16" }, /traffic selectors/],
    ["another identity of its own", { ownId: "@gw.partner.example" }, /identity/],
  ];

  it.each(rows)("a partner with %s is refused with that reason", async (what, change, text) => {
    site.far.load({ ...old, ...change });
    const error: unknown = await commit(put(mainMode)).catch((cause: unknown) => cause);
    console.log(what, error instanceof Error ? error.message : error);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(text);
    expect(await pings(site.edge, 2)).toBe(0);
  });
});

describe("a partner that speaks IKEv2 alone", { timeout: 240_000 }, () => {
  it("the partner is silent to IKEv1, and that is the reason", async () => {
    site.far.load({ ...old, version: "ikev2" });
    await commit(put(mainMode));
    await until(async () =>
      (await tunnel())?.trouble === "the gateway does not answer" ? true : undefined,
    );
    expect(await pings(site.edge, 2)).toBe(0);
  });
});

describe("a partner with a domain name, which sees us behind a NAT", { timeout: 240_000 }, () => {
  const named: TunnelSpec = {
    ...{ ...spec, remoteAddress: outer.gateway },
    ...{ localId: "edge.example", remoteId: "gw.partner.example" },
  };
  const hidden: GatewayConnection = {
    ...{ ...connection, peer: middle.gateway },
    ...{ ownId: "@gw.partner.example", peerId: "@edge.example" },
  };

  it("the tunnel comes up in UDP, the NAT is reported, and rekeys lose nothing", async () => {
    hideEdge(site);
    site.far.load(hidden);
    await commit(put(named));
    await until(async () => ((await tunnel())?.nat === "local" ? true : undefined));
    expect(ip("-n", site.edge, "xfrm", "state")).toContain("espinudp");
    expect(await pings(site.edge)).toBe(3);
    for (const what of ["child", "ike"] as const) {
      const flow = pings(site.edge, 60, 0.05);
      await commit([{ kind: "ipsec.rekey", name: spec.name, what }]);
      expect(await flow).toBe(60);
    }
    console.log(transcript());
  });

  it("a partner that knows us by another name is refused with that reason", async () => {
    site.far.load({ ...hidden, peerId: "@other.example" });
    await expect(commit(put(named))).rejects.toThrow(/knows no connection/);
  });
});
