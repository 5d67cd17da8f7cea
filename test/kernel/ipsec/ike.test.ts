// Identities, IKEv1 in main mode, and postquantum preshared keys, with real charon at both ends.

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { profiles, transformsOf } from "#agent/config/ipsec-policy.ts";
import type { ViciMessage } from "#drivers/transport/vici-wire.ts";
import type { DeviceChange, SecretRef } from "#hal/device.ts";
import type { IpsecTunnel } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { ip, until } from "../lab.ts";
import {
  azure,
  buildSite,
  gatewayPsk,
  LeakWatch,
  loadAzure,
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

const ppkText = "00112233445566778899aabbccddeeff".repeat(2);
const values = { psk: gatewayPsk, ppk: ppkText };

async function commit(change: DeviceChange, over: Partial<typeof values> = {}): Promise<void> {
  const known = { ...values, ...over };
  const keys = async ({ kind }: SecretRef): Promise<Secret> => {
    if (kind !== "psk" && kind !== "ppk") throw new Error(`no value of ${kind} is asked for here`);
    return Secret.take(kind, new TextEncoder().encode(known[kind]));
  };
  await host.commit(change, keys);
}

const put = (tunnel: TunnelSpec): DeviceChange => [{ kind: "ipsec.putTunnel", tunnel }];
afterEach(async () => {
  if ((await tunnel()) !== undefined) {
    await commit([{ kind: "ipsec.removeTunnel", name: spec.name }]);
  }
  await site.far.ask("unload-conn", { name: "azure" });
  await site.far.ask("terminate", { ike: "azure", force: "yes" }).catch(() => undefined);
  await until(() => (ip("-n", site.edge, "xfrm", "state") === "" ? true : undefined));
}, 120_000);

const tunnel = (): Promise<IpsecTunnel | undefined> => host.tunnel();

/** The gateway with a PSK between two identities. */
async function gateway(
  ends: { readonly own: string; readonly edge: string },
  more: { readonly connection?: ViciMessage; readonly child?: ViciMessage } = {},
  policy = strong,
): Promise<void> {
  const { own, edge } = ends;
  const psk = { id: "azure", type: "IKE", data: gatewayPsk, owners: [own, edge] };
  await site.far.ask("load-shared", psk);
  const authentication = [
    { auth: "psk", id: own },
    { auth: "psk", id: edge },
  ] as const;
  await loadAzure(site.far, policy, authentication, { ...azure, ...more });
}

const outer = { own: spec.remoteAddress, edge: spec.localAddress };

describe("a tunnel with identities", { timeout: 180_000 }, () => {
  it("a partner with a domain name, and we with a public address, agree", async () => {
    await gateway({ own: "gw.partner.example", edge: "192.0.2.9" });
    await commit(put({ ...spec, localId: "192.0.2.9", remoteId: "gw.partner.example" }));
    expect(await pings(site.edge)).toBe(3);
    await commit([{ kind: "ipsec.rekey", name: spec.name, what: "reauthenticate" }]);
    expect(await pings(site.edge)).toBe(3);
  });

  it("distinguished names are identities with a PSK as well", async () => {
    await gateway({ own: "C=IE, O=Partner, CN=gw", edge: "CN=edge" });
    await commit(put({ ...spec, localId: "CN=edge", remoteId: "C=IE, O=Partner, CN=gw" }));
    expect(await pings(site.edge)).toBe(3);
  });

  it("a gateway that does not know our identity is a refusal of the authentication", async () => {
    await gateway({ own: outer.own, edge: "192.0.2.9" });
    const reason = /knows no connection between the identity/;
    await expect(commit(put(spec))).rejects.toThrow(reason);
    expect(ip("-n", site.edge, "xfrm", "state")).toBe("");
  });

  it("a tunnel gets another identity beside the SAs that carry", async () => {
    await gateway(outer);
    await commit(put(spec));
    await gateway({ own: "gw.partner.example", edge: outer.edge });
    const flow = pings(site.edge, 60, 0.05);
    await commit(put({ ...spec, remoteId: "gw.partner.example" }));
    expect(await flow).toBeGreaterThanOrEqual(57);
    await until(async () => {
      const [sa] = await site.charon.list("list-sas", "list-sa");
      const one = sa?.get(spec.name);
      return one instanceof Map && one.get("remote-id") === "gw.partner.example" ? true : undefined;
    });
  });
});

const policyBased = transformsOf(profiles.azurePolicyBased);
const mainMode: TunnelSpec = {
  ...spec,
  ...{ ike: policyBased.ike, transforms: policyBased.esp, life: policyBased.life },
  ikeVersion: "v1",
};
/** As a policy-based gateway of Azure is documented: no PFS, and the two prefixes alone. */
const basic = {
  policy: { ike: "aes256-sha256-modp1024", esp: "aes256-sha256" },
  more: {
    connection: { version: "1" },
    child: { local_ts: ["10.100.0.0/16"], remote_ts: ["10.1.0.0/16"], life_time: "3600s" },
  },
};

describe("a tunnel of IKEv1", { timeout: 180_000 }, () => {
  it("main mode brings it up, for its pair of prefixes alone, and nothing leaks", async () => {
    using leaks = new LeakWatch(site);
    await gateway(outer, basic.more, basic.policy);
    await commit(put(mainMode));
    const observed = await tunnel();
    expect(observed?.ike).toMatchObject({ kind: "known", value: "established" });
    if (observed?.sas.kind !== "known") throw new Error("its SAs are not known");
    for (const { transforms } of observed.sas.value) expect(transforms).toEqual(policyBased.esp);
    expect(await pings(site.edge)).toBe(3);
    const selectors = ip("-n", site.edge, "xfrm", "policy");
    expect(selectors).toContain("src 10.1.0.0/16 dst 10.100.0.0/16");
    expect(leaks.observed).toEqual([]);
  });

  it("a child and an IKE SA are rekeyed without loss, a new authentication is not", async () => {
    await gateway(outer, basic.more, basic.policy);
    await commit(put(mainMode));
    for (const what of ["child", "ike"] as const) {
      const flow = pings(site.edge, 60, 0.05);
      await commit([{ kind: "ipsec.rekey", name: spec.name, what }]);
      const received = await flow;
      console.log(`IKEv1, ${what}: ${60 - received} of 60 lost`);
      expect(received).toBeGreaterThanOrEqual(57);
    }
    const again = { kind: "ipsec.rekey", name: spec.name, what: "reauthenticate" } as const;
    await expect(commit([again])).rejects.toThrow(/would end the SAs/);
    expect(await pings(site.edge)).toBe(3);
  });

  interface Row {
    readonly name: string;
    readonly policy?: typeof basic.policy;
    readonly more?: typeof basic.more;
    readonly psk?: string;
    readonly own?: string;
    readonly reason: RegExp;
  }
  const rows: readonly Row[] = [
    { name: "another PSK", psk: "another_PSK_of_16+", reason: /different pre-shared keys/ },
    {
      name: "other algorithms for IKE",
      policy: { ...basic.policy, ike: "aes128-sha1-modp1024" },
      reason: /no algorithms for IKE/,
    },
    {
      name: "other algorithms for ESP",
      policy: { ...basic.policy, esp: "aes128-sha1" },
      reason: /no algorithms for ESP/,
    },
    {
      name: "a PFS group",
      policy: { ...basic.policy, esp: "aes256-sha256-modp1024" },
      reason: /no algorithms for ESP/,
    },
    {
      name: "other prefixes",
      more: { ...basic.more, child: { ...basic.more.child, local_ts: ["10.101.0.0/16"] } },
      reason: /traffic selectors/,
    },
    { name: "another identity", own: "gw.partner.example", reason: /shows the identity gw\.part/ },
  ];

  it.each(rows)("a gateway with $name is refused with that reason", async (row) => {
    const { policy = basic.policy, more = basic.more, psk = gatewayPsk, own = outer.own } = row;
    await gateway({ ...outer, own }, more, policy);
    await expect(commit(put(mainMode), { psk })).rejects.toThrow(row.reason);
    expect(ip("-n", site.edge, "xfrm", "state")).toBe("");
  });
});

describe("a tunnel with a postquantum preshared key", { timeout: 180_000 }, () => {
  const ppk = { secretId: "https://v/secrets/hub-1-ppk/1", id: "hub-1.2026" } as const;
  const withPpk = (use: "required" | "offered"): TunnelSpec => ({
    ...spec,
    auth: { ...spec.auth, ppk: { ...ppk, use } },
  });
  const loadPpk = (data: string) =>
    site.far.ask("load-shared", { id: "ppk", type: "ppk", data, owners: [ppk.id] });
  const ppkConnection = { connection: { ppk_id: ppk.id, ppk_required: "yes" } };

  it("both ends use it, and it is reported", async () => {
    await loadPpk(ppkText);
    await gateway(outer, ppkConnection);
    await commit(put(withPpk("required")));
    expect(await tunnel()).toMatchObject({ ppk: "used" });
    expect(await pings(site.edge)).toBe(3);
    await commit([{ kind: "ipsec.rekey", name: spec.name, what: "reauthenticate" }]);
    await until(async () => ((await tunnel())?.ppk === "used" ? true : undefined));
    const shared = await site.charon.ask("get-shared", {});
    expect(`${JSON.stringify([...shared])}${site.charon.output()}`).not.toContain(ppkText);
  });

  it("without it at the gateway a required one is refused, and an offered one is not", async () => {
    await site.far.ask("unload-shared", { id: "ppk" }).catch(() => undefined);
    await gateway(outer);
    await expect(commit(put(withPpk("required")))).rejects.toThrow(/PPK/);
    await commit(put(withPpk("offered")));
    expect(await tunnel()).toMatchObject({ ppk: "unused" });
    expect(await pings(site.edge)).toBe(3);
  });

  it("another PPK at the gateway is a refusal", async () => {
    await loadPpk("f".repeat(64));
    await gateway(outer, ppkConnection);
    await expect(commit(put(withPpk("required")))).rejects.toThrow(/pre-shared keys or PPKs, or/);
  });
});

const spis = (): readonly string[] =>
  ip("-n", site.edge, "xfrm", "state").match(/spi 0x[0-9a-f]+/g) ?? [];

describe("what a peer does", { timeout: 180_000 }, () => {
  it("a tunnel that the gateway deletes comes back without a packet", async () => {
    await gateway(outer);
    await commit(put(spec));
    const before = spis();
    expect(before.length).toBeGreaterThan(0);
    await site.far.ask("terminate", { ike: "azure", force: "yes", timeout: "2000" });
    await until(async () => {
      const now = spis();
      const isUp = (await tunnel())?.ike;
      const isNew = now.length >= 2 && now.every((spi) => !before.includes(spi));
      return isNew && isUp?.kind === "known" && isUp.value === "established" ? true : undefined;
    });
    expect(await pings(site.edge)).toBe(3);
  });
});
