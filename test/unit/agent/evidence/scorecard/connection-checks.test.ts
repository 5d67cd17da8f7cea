// VPN gateways, connections and peerings, in the forms of Microsoft's published examples.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import { readerOf, resource, rowOf, rowOn, scope } from "../../../kit/scorecard-kit.ts";

const network = `${scope}/providers/Microsoft.Network`;

function gateway(name: string, more: object, vnet = "vnet1"): Resource {
  const subnet = { id: `${network}/virtualNetworks/${vnet}/subnets/GatewaySubnet` };
  const part = `${network}/virtualNetworkGateways/${name}/ipConfigurations/gwipconfig1`;
  return resource("Microsoft.Network/virtualNetworkGateways", name, {
    ...{ provisioningState: "Succeeded", gatewayType: "Vpn", vpnType: "RouteBased" },
    ...{ enableBgp: false, enablePrivateIpAddress: false, activeActive: false },
    ipConfigurations: [{ name: "gwipconfig1", id: part, properties: { subnet } }],
    ...more,
  });
}

describe("point-to-site clients", () => {
  const none = "no gateway with point-to-site clients in the scopes that were read";
  const pool = { vpnClientAddressPool: { addressPrefixes: ["10.9.0.0/24"] } };
  const entra = {
    ...{ vpnAuthenticationTypes: ["AAD"], aadTenant: "https://login.microsoftonline.com/t/" },
    ...{ aadAudience: "c632b3df", aadIssuer: "https://sts.windows.net/t/" },
  };
  const clients = (more: object): Resource =>
    gateway("vpngw", {
      vpnClientConfiguration: {
        ...{ vpnClientProtocols: ["OpenVPN"], vpnClientRootCertificates: [] },
        ...{ vpnClientRevokedCertificates: [], ...more },
      },
    });

  it.each([
    [{}, "notVerifiable", none],
    [{ vpnClientAddressPool: { addressPrefixes: [] } }, "notVerifiable", none],
    [pool, "failed", "vpngw lets clients in by nothing"],
    [{ ...pool, vpnAuthenticationTypes: ["Certificate"] }, "failed", "in by Certificate"],
    [{ ...pool, ...entra }, "proven", "clients of vpngw sign in with Microsoft Entra ID alone"],
    [
      { vngClientConnectionConfigurations: [{ name: "c", properties: pool }] },
      "failed",
      "vpngw lets clients in by nothing",
    ],
  ])("a gateway with the client configuration %j is %s", async (more, verdict, says) => {
    const row = await rowOf("p2s-entra-authentication", clients(more));
    expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
  });
});

const direct = gateway("er", { gatewayType: "ExpressRoute" });
const vpn = gateway("vpngw", {});

function connection(name: string, more: object): Resource {
  return resource("Microsoft.Network/connections", name, {
    ...{ provisioningState: "Succeeded", connectionType: "IPsec", connectionProtocol: "IKEv2" },
    virtualNetworkGateway1: { id: `${network}/virtualNetworkGateways/VPNGW`, properties: {} },
    ...more,
  });
}

const outside = (more: object = {}): Resource => {
  return connection("backup", { useLocalAzureIpAddress: false, ...more });
};
const inside = connection("inside", { useLocalAzureIpAddress: true });

describe("a VPN over the Internet as backup", () => {
  it("a VPN over the Internet backs ExpressRoute up and fails no other row", async () => {
    const documents = [direct, vpn, outside({ connectionStatus: "Connected" })];
    expect(await rowOf("vpn-as-backup", ...documents)).toEqual({
      verdict: "proven",
      evidence: "backup of vpngw is a way beside ExpressRoute",
      next: null,
    });
    const peering = await rowOf("ipsec-over-private-peering", ...documents);
    expect(peering.verdict).toBe("notVerifiable");
    expect(peering.evidence).toContain("no IPsec connection over private peering in the scopes");
  });

  it("a VPN over the Internet does not fail the row of a private one beside it", async () => {
    const both = gateway("vpngw", { enablePrivateIpAddress: true });
    const row = await rowOf("ipsec-over-private-peering", direct, both, outside(), inside);
    expect(row).toMatchObject({ verdict: "proven" });
    expect(row.evidence).not.toContain("backup");
  });

  it("a connection of a configured tunnel fails if it goes over the Internet", async () => {
    const azureConnection = String(outside()["id"]);
    const { read } = readerOf([vpn, outside()]);
    const row = await rowOn("ipsec-over-private-peering", { read, tunnels: [{ azureConnection }] });
    expect(row).toMatchObject({
      verdict: "failed",
      evidence: expect.stringContaining("backup does not use the gateway's private address"),
    });
  });

  it.each([
    ["failed", [direct], "no VPN gateway exists beside er"],
    ["failed", [direct, gateway("vpngw", {}, "vnet2")], "no VPN gateway exists beside er"],
    ["notVerifiable", [direct, vpn], "no connection of vpngw over the Internet in the scopes"],
    ["notVerifiable", [direct, vpn, inside], "no connection of vpngw over the Internet in the"],
    [
      "failed",
      [direct, vpn, outside({ connectionStatus: "NotConnected" })],
      "no connection of vpngw over the Internet is connected",
    ],
    ["notVerifiable", [vpn, outside()], "no ExpressRoute gateway in the scopes"],
  ])("an ExpressRoute gateway's backup is %s", async (verdict, documents, says) => {
    const row = await rowOf("vpn-as-backup", ...documents);
    expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
  });
});

describe("a gateway of a Virtual WAN hub", () => {
  const strong = {
    ...{ saLifeTimeSeconds: 27_000, saDataSizeKilobytes: 102_400_000 },
    ...{ ipsecEncryption: "GCMAES256", ipsecIntegrity: "GCMAES256", pfsGroup: "ECP384" },
    ...{ ikeEncryption: "AES256", ikeIntegrity: "SHA384", dhGroup: "ECP384" },
  };
  const hub = (more: object, flat = false): Resource => {
    const own = {
      ...{ provisioningState: "Succeeded", routingWeight: 0, enableBgp: false },
      ...{ vpnConnectionProtocolType: "IKEv2", ipsecPolicies: [strong], ...more },
    };
    const name = "first";
    const id = `${network}/vpnGateways/gw/vpnConnections/edge/vpnLinkConnections/${name}`;
    const vpnLinkConnections = [flat ? { name, id, ...own } : { name, id, properties: own }];
    const connections = [
      flat
        ? { name: "edge", vpnLinkConnections }
        : { name: "edge", properties: { provisioningState: "Succeeded", vpnLinkConnections } },
    ];
    return resource("Microsoft.Network/vpnGateways", "gw", { vpnGatewayScaleUnit: 1, connections });
  };

  it.each([
    [{}, "proven", "first has IKEv2 and a strong policy of its own"],
    [{ vpnConnectionProtocolType: "IKEv1" }, "failed", "first does not use IKEv2"],
    [{ ipsecPolicies: [] }, "failed", "first takes every policy that Azure offers"],
    [{ ipsecPolicies: [{ ...strong, dhGroup: "DHGroup2" }] }, "failed", "first has a weak dhGroup"],
  ])("a link connection with %j is %s, however it is printed", async (more, verdict, says) => {
    for (const document of [hub(more), hub(more, true)]) {
      const row = await rowOf("ipsec-connections", document);
      expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
    }
  });

  it.each([
    [{ useLocalAzureIpAddress: true }, "first uses the gateway's private address"],
    [{ useLocalAzureIpAddress: false }, "no IPsec connection over private peering"],
  ])("a link connection with %j is judged as others are", async (more, says) => {
    const row = await rowOf("ipsec-over-private-peering", hub(more));
    expect(row.evidence).toContain(says);
  });
});

describe("the key of a BGP session", () => {
  const circuit = (...peerings: readonly object[]): Resource =>
    resource("Microsoft.Network/expressRouteCircuits", "circuit1", {
      provisioningState: "Succeeded",
      peerings: peerings.map((properties) => ({ name: "p", properties })),
    });
  const peering = { peeringType: "AzurePrivatePeering", state: "Enabled", vlanId: 200 };
  const microsoft = { peeringType: "MicrosoftPeering", state: "Disabled", sharedKey: "" };

  it.each([
    ["notVerifiable", [peering], "does not report whether circuit1 AzurePrivatePeering has"],
    ["failed", [{ ...peering, sharedKey: "" }], "circuit1 AzurePrivatePeering has no shared key"],
    ["proven", [{ ...peering, sharedKey: "x" }], "circuit1 AzurePrivatePeering has a shared key"],
    ["proven", [{ ...peering, sharedKey: "x" }, microsoft], "AzurePrivatePeering has a shared key"],
    ["notVerifiable", [microsoft], "circuit1 shows no peering in use"],
    ["notVerifiable", [], "circuit1 shows no peering in use"],
  ])("a circuit's BGP authentication is %s with %j", async (verdict, peerings, says) => {
    const row = await rowOf("bgp-authentication", circuit(...peerings));
    expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
    expect(row.evidence).not.toContain("MicrosoftPeering");
  });
});
