// Connections over ExpressRoute and VPN gateways: their policies, paths and peerings.

import { type Algorithm, algorithms, weaknessOf } from "../../config/ipsec-policy.ts";
import {
  at,
  type Estate,
  filtered,
  isResource,
  type Listed,
  type Resource,
  type Source,
} from "./estate.ts";
import { besideAgent, type EdgeTunnel, type ScorecardFacts } from "./facts.ts";
import {
  absent,
  failed,
  ifRead,
  listAt,
  nameOf,
  type Outcome,
  overAll,
  proven,
  sameId,
  textAt,
  together,
  unseen,
  unverifiable,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

export function ipsecPolicies({ tunnels, estate }: Facts): Outcome {
  return together([
    ...tunnels.map(tunnelOf),
    overAll(connectionsOf(estate, "IPsec", "Vnet2Vnet"), "IPsec connection", (connection) => {
      const name = nameOf(connection);
      const next = `give ${name} IKEv2 and a custom policy: linkseal explain weak-policy`;
      if (at(connection, "properties", "connectionProtocol") !== "IKEv2") {
        return failed(`${name} does not use IKEv2`, next);
      }
      const policies = listAt(connection, "properties", "ipsecPolicies");
      if (policies.length === 0)
        return failed(`${name} takes every policy that Azure offers`, next);
      const weak = policies.flatMap((policy) =>
        algorithms.filter((field) => {
          const word = at(policy, field);
          return typeof word !== "string" || isWeak(field, word);
        }),
      );
      if (weak.length === 0) return proven(`${name} has IKEv2 and a strong policy of its own`);
      return failed(`${name} has a weak ${weak.join(", ")}`, next);
    }),
  ]);
}

/**
 * Applies the table for policies of the config; an algorithm that the config refuses is weak too.
 */
function isWeak(field: Algorithm, word: string): boolean {
  return word === "None" || weaknessOf(field, word) !== undefined;
}

function tunnelOf({ name, verdict, codes }: EdgeTunnel): Outcome {
  const why = codes.length === 0 ? "" : ` (${codes.join(", ")})`;
  const next = `linkseal tunnels ${name}`;
  // This proves only the transforms, not the policy of IKE.
  if (verdict === "protected") return proven(`${name} is up with the wanted transforms`);
  if (verdict === "unknown") return unverifiable(`${name} is unknown${why}`, next);
  return failed(`${name} is ${verdict}${why}`, next);
}

/** Both ends of a `Vnet2Vnet` connection are Azure gateways, but it is IPsec all the same. */
function connectionsOf({ lists }: Estate, ...types: readonly ("IPsec" | "Vnet2Vnet")[]): Listed {
  const own = filtered(lists.connections, (each) => {
    const type = at(each, "properties", "connectionType");
    return types.some((wanted) => wanted === type);
  });
  const { vpnGateways } = lists;
  if (own.kind === "unread") return own;
  if (vpnGateways.kind === "unread") return vpnGateways;
  return { ...own, items: [...own.items, ...vpnGateways.items.flatMap(linkConnectionsOf)] };
}

/** The link connections of a Virtual WAN gateway, in the form of other connections. */
function linkConnectionsOf(gateway: Resource): readonly Resource[] {
  const links = listAt(gateway, "properties", "connections").flatMap((connection) =>
    listAt(propertiesOf(connection), "vpnLinkConnections"),
  );
  return links.filter(isResource).map((link) => {
    const own = propertiesOf(link);
    const connectionProtocol = own["vpnConnectionProtocolType"];
    return { ...link, properties: { ...own, connectionType: "IPsec", connectionProtocol } };
  });
}

/** az prints the properties of a part beside its name. */
function propertiesOf(part: unknown): Resource {
  const properties = at(part, "properties") ?? part;
  return isResource(properties) ? properties : {};
}

const isPrivate = (connection: Resource): boolean =>
  at(connection, "properties", "useLocalAzureIpAddress") === true;

export function privatePeering({ tunnels, connections, estate }: Facts): Outcome {
  // A connection over the Internet that no tunnel of the config names is judged as a backup.
  const wanted = filtered(
    connectionsOf(estate, "IPsec"),
    (each) => isPrivate(each) || connections.some((id) => sameId(id, each["id"])),
  );
  const serving = filtered(gatewaysOf(estate, "Vpn"), ({ id }) =>
    ifServes(wanted, (connection) => sameId(gatewayOf(connection), id)),
  );
  return together([
    ...routesOf(tunnels, estate.source),
    overAll(wanted, "IPsec connection over private peering", (connection) => {
      const name = nameOf(connection);
      if (isPrivate(connection)) return proven(`${name} uses the gateway's private address`);
      return failed(
        `${name} does not use the gateway's private address`,
        `set useLocalAzureIpAddress on ${name}`,
      );
    }),
    overAll(serving, "VPN gateway of such a connection", (gateway) => {
      const name = nameOf(gateway);
      if (at(gateway, "properties", "enablePrivateIpAddress") === true) {
        return proven(`${name} has a private address`);
      }
      return failed(`${name} has no private address`, `set enablePrivateIpAddress on ${name}`);
    }),
  ]);
}

function ifServes(list: Listed, serves: (connection: Resource) => boolean): boolean {
  return list.kind === "read" && list.items.some(serves);
}

const gatewayOf = (connection: Resource): string | undefined =>
  textAt(connection, "properties", "virtualNetworkGateway1", "id");

function routesOf(tunnels: readonly EdgeTunnel[], source: Source): readonly Outcome[] {
  if (source === "documents") {
    return [unverifiable("no document shows the routes at the edge", besideAgent)];
  }
  return tunnels.map(({ name, codes, verdict }) => {
    const next = `linkseal tunnels ${name}`;
    if (codes.includes("clear-path-beside-tunnel")) {
      return failed(`what ${name} protects is also reachable beside it, in the clear`, next);
    }
    if (verdict === "unknown") return unverifiable(`the routes of ${name} are unknown`, next);
    return proven(`no route in the clear leads to what ${name} protects`);
  });
}

function gatewaysOf({ lists }: Estate, type: "Vpn" | "ExpressRoute"): Listed {
  return filtered(lists.gateways, (each) => at(each, "properties", "gatewayType") === type);
}

export function vpnBackup({ estate }: Facts): Outcome {
  const connections = connectionsOf(estate, "IPsec");
  return overAll(gatewaysOf(estate, "ExpressRoute"), "ExpressRoute gateway", (direct, source) => {
    const name = nameOf(direct);
    const network = networkOf(direct);
    if (network === undefined) {
      return unverifiable(`${name} does not report its network`, `look at ${name} in the portal`);
    }
    return ifRead(gatewaysOf(estate, "Vpn"), ({ items }) => {
      const beside = items.filter((each) => networkOf(each) === network);
      const [gateway] = beside;
      if (gateway === undefined) {
        const next = "add a VPN gateway as its backup";
        return absent(`no VPN gateway exists beside ${name}`, next, source);
      }
      const mine = filtered(connections, (each) =>
        beside.some(({ id }) => sameId(gatewayOf(each), id)),
      );
      return ifRead(mine, (read) => backupOf(gateway, read.items, read.source));
    });
  });
}

/** A connection over ExpressRoute itself is lost with it, so it backs nothing up. */
function backupOf(gateway: Resource, connections: readonly Resource[], source: Source): Outcome {
  const name = nameOf(gateway);
  const outside = connections.filter((each) => !isPrivate(each));
  const [first] = outside;
  if (first === undefined) return unseen(`no connection of ${name} over the Internet`, source);
  const isUp = (each: Resource): boolean =>
    at(each, "properties", "connectionStatus") !== "NotConnected";
  const up = outside.find(isUp);
  if (up !== undefined) return proven(`${nameOf(up)} of ${name} is a way beside ExpressRoute`);
  const next = `look why ${nameOf(first)} does not connect`;
  return failed(`no connection of ${name} over the Internet is connected`, next);
}

function networkOf(gateway: Resource): string | undefined {
  const [first] = listAt(gateway, "properties", "ipConfigurations");
  const subnet = textAt(first, "properties", "subnet", "id");
  return subnet?.toLowerCase().replace(/\/subnets\/[^/]*$/, "");
}

export function pointToSite({ estate }: Facts): Outcome {
  const withClients = filtered(gatewaysOf(estate, "Vpn"), hasClients);
  return overAll(withClients, "gateway with point-to-site clients", (gateway) => {
    const name = nameOf(gateway);
    const clients = at(gateway, "properties", "vpnClientConfiguration");
    const ways = listAt(clients, "vpnAuthenticationTypes");
    const next = `let clients of ${name} sign in with Microsoft Entra ID alone`;
    if (ways.length !== 1 || ways[0] !== "AAD") {
      return failed(`${name} lets clients in by ${ways.map(wordOf).join(", ") || "nothing"}`, next);
    }
    const isNamed = ["aadTenant", "aadAudience", "aadIssuer"].every(
      (field) => textAt(clients, field) !== undefined,
    );
    if (!isNamed) return failed(`${name} names no tenant, audience or issuer`, next);
    return proven(`clients of ${name} sign in with Microsoft Entra ID alone`);
  });
}

/** A gateway has clients only if it has addresses for them, whatever else is configured. */
function hasClients(gateway: Resource): boolean {
  const clients = at(gateway, "properties", "vpnClientConfiguration");
  const groups = listAt(clients, "vngClientConnectionConfigurations").map((group) =>
    at(group, "properties"),
  );
  return [clients, ...groups].some(
    (each) => listAt(each, "vpnClientAddressPool", "addressPrefixes").length > 0,
  );
}

export function bgpAuthentication({ estate }: Facts): Outcome {
  return overAll(estate.lists.circuits, "ExpressRoute circuit", (circuit) => {
    const name = nameOf(circuit);
    const next = `set an MD5 key on the peerings of ${name} and on the routers`;
    const peerings = listAt(circuit, "properties", "peerings").filter(
      (peering) => at(peering, "properties", "state") !== "Disabled",
    );
    if (peerings.length === 0) return unverifiable(`${name} shows no peering in use`, next);
    return together(peerings.map((peering) => peeringOf(peering, name, next)));
  });
}

function peeringOf(peering: unknown, circuit: string, next: string): Outcome {
  // Only the presence of the key is checked: its value goes nowhere.
  const key = at(peering, "properties", "sharedKey");
  const name = `${circuit} ${wordOf(at(peering, "properties", "peeringType"))}`;
  if (key === undefined) {
    return unverifiable(`Azure does not report whether ${name} has a shared key`, next);
  }
  if (key === "") return failed(`${name} has no shared key`, next);
  return proven(`${name} has a shared key`);
}
