// The subscription's contents besides the ports themselves: circuits with their peerings, and VPN
// connections, derived from the truth of the site.

import type { Site, SiteLink } from "../site/site.ts";
import type { PlannedTunnel } from "../site/site-plan.ts";
import type { JsonObject } from "./http.ts";
import type { LinkReading, Metered } from "./monitor.ts";

export interface Circuit {
  readonly id: string;
  readonly group: string;
  readonly port: string;
}

const rxDbm = -2.6;
const txDbm = -1.4;
const darkDbm = -40;

/** Returns one circuit per port, as the simulated customer bought it. */
export function circuitsOf(site: Site): readonly Circuit[] {
  return site.plan.groups.map(({ name, expressRoutePort }) => {
    const base = expressRoutePort.split("/providers/")[0] ?? "";
    const id = `${base}/providers/Microsoft.Network/expressRouteCircuits/${name}-circuit`;
    return { id, group: name, port: expressRoutePort };
  });
}

export function circuitDocument({ id, port }: Circuit): JsonObject {
  return {
    id,
    name: id.split("/").at(-1),
    type: "Microsoft.Network/expressRouteCircuits",
    location: "westus",
    sku: { name: "Premium_MeteredData", tier: "Premium", family: "MeteredData" },
    properties: {
      provisioningState: "Succeeded",
      circuitProvisioningState: "Enabled",
      serviceProviderProvisioningState: "Provisioned",
      expressRoutePort: { id: port },
      bandwidthInGbps: 10,
      stag: 100,
      peerings: [peeringDocument(id)],
    },
  };
}

export function peeringDocument(circuit: string): JsonObject {
  return {
    id: `${circuit}/peerings/AzurePrivatePeering`,
    name: "AzurePrivatePeering",
    type: "Microsoft.Network/expressRouteCircuits/peerings",
    properties: {
      provisioningState: "Succeeded",
      peeringType: "AzurePrivatePeering",
      state: "Enabled",
      azureASN: 12_076,
      peerASN: 65_010,
      primaryPeerAddressPrefix: "192.0.2.0/30",
      secondaryPeerAddressPrefix: "192.0.2.4/30",
      vlanId: 100,
    },
  };
}

export function connectionDocument(site: Site, tunnel: PlannedTunnel): JsonObject {
  const id = connectionId(site, tunnel);
  const tunnelConnectionStatus = sharing(site, tunnel).map(({ name, remoteAddress }) => ({
    tunnel: `${id.split("/").at(-1)}_${remoteAddress}`,
    connectionStatus: statusOf(site, name),
  }));
  const isUp = tunnelConnectionStatus.some((each) => each.connectionStatus === "Connected");
  const connectionStatus = isUp ? "Connected" : "NotConnected";
  const base = id.split("/connections/")[0] ?? "";
  return {
    id,
    name: id.split("/").at(-1),
    type: "Microsoft.Network/connections",
    location: "westus",
    properties: {
      provisioningState: "Succeeded",
      connectionType: "IPsec",
      connectionProtocol: "IKEv2",
      connectionMode: "Default",
      authenticationType: "PSK",
      connectionStatus,
      tunnelConnectionStatus,
      virtualNetworkGateway1: { id: `${base}/virtualNetworkGateways/gw` },
      localNetworkGateway2: { id: `${base}/localNetworkGateways/${tunnel.name}` },
      enableBgp: true,
      useLocalAzureIpAddress: true,
      usePolicyBasedTrafficSelectors: false,
      dpdTimeoutSeconds: 45,
      ipsecPolicies: [
        {
          ikeEncryption: "GCMAES256",
          ikeIntegrity: "SHA384",
          dhGroup: "ECP384",
          ipsecEncryption: "GCMAES256",
          ipsecIntegrity: "GCMAES256",
          pfsGroup: "ECP384",
          saLifeTimeSeconds: 27_000,
          saDataSizeKilobytes: 102_400_000,
        },
      ],
    },
  };
}

/** Returns the state that Azure reports of a tunnel. */
export function statusOf(site: Site, tunnel: string): "Connected" | "NotConnected" {
  const truth = site.tunnelTruth().find(({ name }) => name === tunnel);
  return truth?.up === true ? "Connected" : "NotConnected";
}

/** Returns the tunnels of the connection of a tunnel, itself among them. */
export function sharing(site: Site, tunnel: PlannedTunnel): readonly PlannedTunnel[] {
  const id = connectionId(site, tunnel);
  return site.plan.tunnels.filter((other) => connectionId(site, other) === id);
}

export function connectionId(site: Site, { name, group, connection }: PlannedTunnel): string {
  const port = site.plan.groups.find((one) => one.name === group)?.expressRoutePort ?? "";
  const base = port.split("/providers/")[0] ?? "";
  return `${base}/providers/Microsoft.Network/${connection ?? `connections/${name}`}`;
}

export function meteredPort(id: string, links: readonly SiteLink[]): Metered {
  const lanes = links.map((link) => ({ dimensions: { Link: link.azureLink }, link: link.id }));
  return { id, namespace: "Microsoft.Network/expressRoutePorts", lanes };
}

export function meteredCircuit(id: string, links: readonly SiteLink[]): Metered {
  const lanes = links.map((link) => {
    const peer = link.azureLink === "link1" ? "Primary-IPv4" : "Secondary-IPv4";
    return { dimensions: { PeeringType: "Private", Peer: peer }, link: link.id };
  });
  return { id, namespace: "Microsoft.Network/expressRouteCircuits", lanes };
}

/** Reads the values that the Microsoft end measures; it cannot see whether MKA is secured. */
export function readLink(site: Site, id: string): LinkReading {
  const link = site.link(id);
  const truth = site.groupTruth(link?.group ?? "").links.find((one) => one.id === id);
  const adminUp = link?.msee.resource(link.azureLink).admin === "up";
  const lit = truth?.fibreUp === true && truth.admin === "up";
  return {
    adminUp,
    lineUp: truth?.linkUp === true && adminUp,
    arp: truth?.carries === true,
    bgp: truth?.bgpUp === true,
    rxDbm: lit ? rxDbm : darkDbm,
    txDbm: adminUp ? txDbm : darkDbm,
  };
}
