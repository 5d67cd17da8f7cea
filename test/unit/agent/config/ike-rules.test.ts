// Which versions of IKE, identities and postquantum preshared keys a config may give to a tunnel.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import { siteConfig } from "../../kit/site-config.ts";

const host = "driver: linux\n    charon: unix:/run/charon.vici";
const onLinux = siteConfig.replace("driver: sim", host).replace("    insideMacsec: erd-demo\n", "");
const risk = "  - { risk: weakTunnel, until: 2027-01-31 }\n";
const ours = "local: { address: 198.51.100.1 }";
const theirs = "remote: { address: 203.0.113.1 }";
const auth = "auth: { psk: hub-1-psk }";
const certified = (more: string) =>
  `auth: { certificate: own, authorities: roots${more === "" ? "" : `, ${more}`} }`;

type Edit = readonly [written: string, instead: string];

function parsed(edits: readonly Edit[], text = onLinux + risk) {
  const changed = edits.reduce((before, [written, instead]) => {
    if (!before.includes(written)) throw new Error(`the sample has no ${written}`);
    return before.replace(written, instead);
  }, text);
  return parseConfig(changed, "f");
}

function complaints(edits: readonly Edit[], text?: string): readonly string[] {
  const result = parsed(edits, text);
  return result.kind === "ok" ? [] : result.complaints.map(formatComplaint);
}

function tunnelOf(...edits: readonly Edit[]) {
  const result = parsed(edits);
  if (result.kind !== "ok") throw new Error(result.complaints.map(formatComplaint).join("\n"));
  return result.desired.tunnels[0];
}

const v1 = [auth, `${auth}\n    ike: v1\n    policy: azurePolicyBased`] as const;

describe("identities in a config", () => {
  it.each(["192.0.2.9", "2001:db8::9", "gw.partner.example", "gw1", "CN=edge, O=Site"])(
    "a tunnel may have the identity %s",
    (id) => {
      const quoted = JSON.stringify(id);
      const local = tunnelOf([ours, `local: { address: 198.51.100.1, id: ${quoted} }`]);
      const remote = tunnelOf([theirs, `remote: { address: 203.0.113.1, id: ${quoted} }`]);
      expect([local, remote]).toMatchObject([{ localId: id }, { remoteId: id }]);
    },
  );

  it.each<readonly [string, readonly Edit[], string]>([
    [
      "one name",
      [
        [ours, "local: { address: 198.51.100.1, id: gw.example }"],
        [theirs, "remote: { address: 203.0.113.1, id: GW.example }"],
      ],
      "remote.id",
    ],
    ["our address", [[theirs, "remote: { address: 203.0.113.1, id: 198.51.100.1 }"]], "remote.id"],
    ["its address", [[ours, "local: { address: 198.51.100.1, id: 203.0.113.1 }"]], "local.id"],
  ])("both ends cannot have %s as their identity (C11)", (_what, edits, path) => {
    expect(complaints(edits)).toEqual([
      expect.stringMatching(`tunnels\\[0\\]\\.${path}: is .*, both ends would have one identity`),
    ]);
  });

  it("behind two NATs the peer may have our private address as its identity", () => {
    const id = "local: { address: 198.51.100.1, id: 192.0.2.9 }";
    const same: Edit = [theirs, "remote: { address: 203.0.113.1, id: 198.51.100.1 }"];
    expect(tunnelOf([ours, id], same)).toMatchObject({ remoteId: "198.51.100.1" });
  });

  it("a wildcard in auth.peer is named by the rule, since no value of auth is shown (C12)", () => {
    const [found] = complaints([[auth, certified('peer: "CN=*"')]]);
    expect(found).toMatch(/a distinguished name without wildcards; to correct it: peer: CN=/);
  });

  it.each(["ann@partner.example", "0.0.0.0", "::", "%any", "CN=*", "@#0a", "gw_1.2", "a..b", ""])(
    "a tunnel cannot have the identity %j",
    (id) => {
      const quoted = JSON.stringify(id);
      const [found] = complaints([[theirs, `remote: { address: 203.0.113.1, id: ${quoted} }`]]);
      expect(found).toContain("tunnels[0].remote.id");
    },
  );

  it("a tunnel without identities in the config has none, so that its addresses count", () => {
    expect(tunnelOf()).not.toHaveProperty("localId");
    expect(tunnelOf()).not.toHaveProperty("remoteId");
  });

  it("with a certificate remote.id stands for auth.peer, and not beside it", () => {
    const named: Edit = [theirs, "remote: { address: 203.0.113.1, id: gw.partner.example }"];
    const tunnel = tunnelOf(named, [auth, certified("")]);
    expect(tunnel?.auth).toMatchObject({ kind: "certificate", peer: "gw.partner.example" });
    expect(tunnel).not.toHaveProperty("remoteId");
    expect(complaints([named, [auth, certified("peer: CN=gw")]])).toEqual([
      expect.stringContaining("tunnels[0].remote.id: is gw.partner.example"),
    ]);
    expect(complaints([[auth, certified("")]])).toEqual([expect.stringContaining("has no peer")]);
  });

  it("with a certificate local.id is a name, because its subject is shown anyway", () => {
    const subject: Edit = [ours, 'local: { address: 198.51.100.1, id: "CN=edge" }'];
    expect(complaints([subject, [auth, certified("peer: CN=gw")]])).toEqual([
      expect.stringContaining("tunnels[0].local.id: is CN=edge"),
    ]);
    expect(complaints([subject])).toEqual([]);
  });
});

describe("IKEv1 in a config", () => {
  it("a tunnel is set up by main mode if the config says so", () => {
    expect(tunnelOf(v1)).toMatchObject({
      ikeVersion: "v1",
      ike: { encryption: "aes-256-cbc", integrity: "sha256", prf: "sha256", dhGroup: "modp-1024" },
      transforms: { encryption: "aes-256-cbc", integrity: "sha256", dhGroup: "none" },
      life: { seconds: 3_600, kilobytes: 102_400_000 },
    });
    expect(tunnelOf(v1)?.weaknesses[0]).toBe("ike v1 (RFC 9395: deprecated)");
    expect(tunnelOf()).not.toHaveProperty("ikeVersion");
  });

  it("IKEv1 needs the risk weakTunnel, whatever the policy", () => {
    const cbc =
      "{ ikeEncryption: AES256, ikeIntegrity: SHA256, dhGroup: ECP384, " +
      "ipsecEncryption: GCMAES256, ipsecIntegrity: GCMAES256, pfsGroup: ECP384, " +
      "saLifeTimeSeconds: 3600, saDataSizeKilobytes: 102400000 }";
    const edit: Edit = [auth, `${auth}\n    ike: v1\n    policy: ${cbc}`];
    expect(complaints([edit])).toEqual([]);
    expect(complaints([edit], onLinux)).toEqual([expect.stringContaining("ike v1 (RFC 9395")]);
  });

  it.each<{ what: string; edits: readonly Edit[]; says: string }>([
    {
      what: "two prefixes of the gateway",
      edits: [v1, ["remote: [10.100.0.0/16]", "remote: [10.100.0.0/16, 10.101.0.0/16]"]],
      says: "tunnels[0].protects.remote: has 2 prefixes",
    },
    {
      what: "two prefixes of ours",
      edits: [v1, ["local: [10.1.0.0/16]", "local: [10.1.0.0/16, 10.2.0.0/16]"]],
      says: "tunnels[0].protects.local: has 2 prefixes",
    },
    {
      what: "GCM for IKE",
      edits: [[auth, `${auth}\n    ike: v1`]],
      says: "tunnels[0].policy: has GCM for IKE",
    },
    {
      what: "BGP",
      edits: [v1, [auth, `${auth}\n    bgp: { local: 169.254.21.2, peer: 169.254.21.1 }`]],
      says: "tunnels[0].bgp: is set",
    },
    {
      what: "a certificate",
      edits: [v1, [auth, certified("peer: CN=gw")]],
      says: "tunnels[0].auth.certificate: is set",
    },
    {
      what: "a PPK",
      edits: [v1, [auth, "auth: { psk: hub-1-psk, ppk: hub-1-ppk, ppkId: hub }"]],
      says: "tunnels[0].auth.ppk: is set",
    },
  ])("IKEv1 is refused with $what", ({ edits, says }) => {
    expect(complaints(edits)).toEqual([expect.stringContaining(says)]);
  });
});

describe("a postquantum preshared key in a config", () => {
  const with_ = (more: string): readonly Edit[] => [[auth, `auth: { psk: hub-1-psk, ${more} }`]];

  it("a PPK is required unless it is only offered", () => {
    const of = (more: string) => tunnelOf(...with_(more))?.auth.ppk;
    expect(of("ppk: hub-1-ppk, ppkId: hub-1.2026")).toEqual({
      ...{ secret: "hub-1-ppk", id: "hub-1.2026", use: "required" },
    });
    expect(of("ppk: p, ppkId: hub, ppkUse: offered")).toMatchObject({ use: "offered" });
    expect(tunnelOf()?.auth).not.toHaveProperty("ppk");
  });

  it.each([
    ["ppk: hub-1-ppk", "tunnels[0].auth: has a ppk and no ppkId"],
    ["ppkId: hub", "tunnels[0].auth.ppkId: is hub, there is no ppk"],
    ["ppkUse: offered", "tunnels[0].auth.ppkUse: is offered, there is no ppk"],
    ["ppk: p, ppkId: ann@example", "tunnels[0].auth.ppkId"],
    ["ppk: p, ppkId: 10.0.0.1", "tunnels[0].auth.ppkId"],
    ["ppk: p, ppkId: hub, ppkUse: always", "tunnels[0].auth.ppkUse"],
  ])("a PPK is refused: %s", (more, says) => {
    expect(complaints(with_(more))).toEqual([expect.stringContaining(says)]);
  });

  it("a name of a PPK is that of one secret on a device", () => {
    const [, tunnels = ""] = /tunnels:\n([\s\S]*)repair/.exec(onLinux) ?? [];
    const ppk = (secret: string) => `auth: { psk: hub-1-psk, ppk: ${secret}, ppkId: hub }`;
    const second = (secret: string) =>
      tunnels
        .replace("hub-1\n", "hub-2\n")
        .replace("203.0.113.1", "203.0.113.2")
        .replace(auth, ppk(secret));
    const both = (secret: string) =>
      (onLinux + risk).replace(tunnels, tunnels.replace(auth, ppk("one")) + second(secret));
    expect(complaints([], both("one"))).toEqual([]);
    expect(complaints([], both("other"))).toEqual([
      expect.stringContaining("tunnels[1].auth.ppkId: is hub, hub-1 gives this name to one"),
    ]);
  });
});

describe("what only a Linux host does", () => {
  it.each<{ what: string; edits: readonly Edit[]; says: string }>([
    {
      what: "local.id",
      edits: [[ours, "local: { address: 198.51.100.1, id: gw1 }"]],
      says: "tunnels[0].local.id: is gw1",
    },
    {
      what: "remote.id",
      edits: [[theirs, "remote: { address: 203.0.113.1, id: gw1 }"]],
      says: "tunnels[0].remote.id: is gw1",
    },
    { what: "ike: v1", edits: [v1], says: "tunnels[0].ike: is v1" },
    {
      what: "auth.ppk",
      edits: [[auth, "auth: { psk: hub-1-psk, ppk: p, ppkId: hub }"]],
      says: "tunnels[0].auth.ppk: is p",
    },
    { what: "dpd", edits: [[auth, `${auth}\n    dpd: 5s`]], says: "tunnels[0].dpd: is 5s" },
  ])("$what is refused for another driver", ({ edits, says }) => {
    expect(complaints(edits, siteConfig + risk)).toEqual([expect.stringContaining(says)]);
    expect(complaints(edits)).toEqual([]);
  });

  it("the interval of dead peer detection is in seconds, within its limits", () => {
    expect(tunnelOf([auth, `${auth}\n    dpd: 1m`])?.dpdSeconds).toBe(60);
    expect(complaints([[auth, `${auth}\n    dpd: 1s`]])).toEqual([
      expect.stringContaining("tunnels[0].dpd"),
    ]);
  });
});
