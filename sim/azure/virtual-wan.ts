// VPN gateways of Virtual WAN hubs: their connections, and the link connections in them, each with
// two tunnels and one key. Derived from the truth of the site.

import type { Site } from "../site/site.ts";
import type { PlannedTunnel } from "../site/site-plan.ts";
import { connectionId, sharing, statusOf } from "./estate.ts";
import { isObject, type JsonObject, objectOf } from "./http.ts";

const gatewayType = "Microsoft.Network/vpnGateways";
const linkType = `${gatewayType}/vpnConnections/vpnLinkConnections`;
const keyPath = /^(.*\/vpnlinkconnections\/[^/]+)\/sharedkeys\/default$/i;

/** Returns true for the path of a link connection. */
export function isLink(path: string): boolean {
  return /\/vpnlinkconnections\/[^/]+$/i.test(path);
}

/** Returns the id of the link connection whose key is at a path; undefined = none is. */
export function linkOfKey(path: string): string | undefined {
  return keyPath.exec(path)?.[1];
}

/** Returns the body of a key of a link connection in the form of other connections. */
export function linkKeyIn(body: string): string {
  const properties = objectOf(body)?.["properties"];
  const key = isObject(properties) ? properties["sharedKey"] : undefined;
  return JSON.stringify({ value: key });
}

/** Azure reports the key's length alone, and a client must not depend on it. */
export function linkKeyDocument(path: string): JsonObject {
  return { id: path, name: "default", type: `${linkType}/sharedKeys`, properties: {} };
}

export function linkDocument(site: Site, tunnel: PlannedTunnel): JsonObject {
  const id = connectionId(site, tunnel);
  const isUp = sharing(site, tunnel).some(({ name }) => statusOf(site, name) === "Connected");
  return {
    id,
    name: id.split("/").at(-1),
    type: linkType,
    properties: {
      provisioningState: "Succeeded",
      vpnSiteLink: { id: `${id.split("/vpnGateways/")[0]}/vpnSites/edge/vpnSiteLinks/edge` },
      vpnConnectionProtocolType: "IKEv2",
      connectionStatus: isUp ? "Connected" : "NotConnected",
      vpnLinkConnectionMode: "Default",
      enableBgp: true,
      useLocalAzureIpAddress: true,
      usePolicyBasedTrafficSelectors: false,
      dpdTimeoutSeconds: 45,
      ingressBytesTransferred: 0,
      egressBytesTransferred: 0,
      ipsecPolicies: [
        {
          ...{ ikeEncryption: "GCMAES256", ikeIntegrity: "SHA384", dhGroup: "ECP384" },
          ...{ ipsecEncryption: "GCMAES256", ipsecIntegrity: "GCMAES256", pfsGroup: "ECP384" },
          ...{ saLifeTimeSeconds: 27_000, saDataSizeKilobytes: 102_400_000 },
        },
      ],
    },
  };
}

/** Answers for the gateways of a resource group, or for one of them; undefined = neither. */
export function vpnGatewaysAt(site: Site, path: string): JsonObject | undefined {
  const [, base, name] =
    /^(.*\/providers\/microsoft\.network)\/vpngateways(?:\/([^/]+))?$/i.exec(path) ?? [];
  if (base === undefined) return undefined;
  const inGroup = gatewaysOf(site).filter(({ id }) =>
    String(id).toLowerCase().startsWith(`${base}/vpngateways/`),
  );
  if (name === undefined) return { value: inGroup };
  return inGroup.find(({ id }) => String(id).toLowerCase() === path);
}

function gatewaysOf(site: Site): readonly JsonObject[] {
  const links = site.plan.tunnels.filter((tunnel) => isLink(connectionId(site, tunnel)));
  const byGateway = Map.groupBy(links, (tunnel) =>
    connectionId(site, tunnel).split("/").slice(0, 9).join("/"),
  );
  return [...byGateway].map(([id, tunnels]) => gatewayDocument(site, id, tunnels));
}

function gatewayDocument(site: Site, id: string, tunnels: readonly PlannedTunnel[]): JsonObject {
  const byConnection = Map.groupBy(tunnels, (tunnel) =>
    connectionId(site, tunnel).split("/").slice(0, 11).join("/"),
  );
  const addresses = [...new Set(tunnels.map(({ remoteAddress }) => remoteAddress))];
  return {
    id,
    name: id.split("/").at(-1),
    type: gatewayType,
    location: "westus",
    properties: {
      provisioningState: "Succeeded",
      virtualHub: { id: `${id.split("/vpnGateways/")[0]}/virtualHubs/hub` },
      vpnGatewayScaleUnit: 1,
      ipConfigurations: addresses.map((publicIpAddress, at) => ({
        ...{ id: `Instance${at}`, publicIpAddress },
      })),
      connections: [...byConnection].map(([connection, own]) => ({
        id: connection,
        name: connection.split("/").at(-1),
        type: `${gatewayType}/vpnConnections`,
        properties: {
          provisioningState: "Succeeded",
          vpnLinkConnections: linksOf(site, own).map((tunnel) => linkDocument(site, tunnel)),
        },
      })),
    },
  };
}

/** Returns one tunnel of each link connection. */
function linksOf(site: Site, tunnels: readonly PlannedTunnel[]): readonly PlannedTunnel[] {
  return tunnels.filter((tunnel) => sharing(site, tunnel)[0] === tunnel);
}
