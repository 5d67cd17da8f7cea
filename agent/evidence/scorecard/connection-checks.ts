// Connections over ExpressRoute and VPN gateways: their policies, paths and peerings.

import { type Algorithm, algorithms, isAlgorithm, weaknessOf } from "../../config/ipsec-policy.ts";
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
  allOf,
  type Effect,
  type Field,
  isFilled,
  isOn,
  isText,
  judge,
  seen,
  words,
} from "./fields.ts";
import {
  absent,
  failed,
  ifRead,
  listAt,
  nameOf,
  type Outcome,
  oneOf,
  overAll,
  sameId,
  textAt,
  together,
  unseen,
  unverifiable,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

export function ipsecPolicies({ tunnels, estate }: Facts): Outcome {
  const connections = connectionsOf(estate, "IPsec", "Vnet2Vnet");
  return together([
    ...tunnels.map(tunnelOf),
    overAll(connections, "IPsec connection", (connection, source) => {
      const name = nameOf(connection);
      const next = `give ${name} IKEv2 and a custom policy: linkseal explain weak-policy`;
      const weak = weakOf(connection);
      const fields: readonly Field[] = [
        typeField(name, next, "IPsec", "Vnet2Vnet"),
        {
          ...{ path: "properties.connectionProtocol", does: words(["IKEv2"], ["IKEv1"]) },
          ...{ fault: `${name} does not use IKEv2`, next },
        },
        {
          ...{ path: "properties.ipsecPolicies", does: isFilled, unset: "fails" },
          ...{ fault: `${name} takes every policy that Azure offers`, next },
        },
      ];
      const policies = listAt(connection, "properties", "ipsecPolicies").map((value) =>
        judge({ name, value, source }, policyFields(name, weak, next), isStrong(name)),
      );
      return allOf([
        judge({ name, value: connection, source }, fields, isStrong(name)),
        ...policies,
      ]);
    }),
  ]);
}

const isStrong = (name: string): string => `${name} has IKEv2 and a strong policy of its own`;

/** Rests on every algorithm of a policy: one that is not named could be any. */
function policyFields(name: string, weak: readonly Algorithm[], next: string): readonly Field[] {
  return algorithms.map((path) => ({
    ...{ path, fault: `${name} has a weak ${weak.join(", ")}`, next },
    does: (word) => {
      if (!isAlgorithm(path, word)) return "nothing";
      return isWeak(path, String(word)) ? "fails" : "proves";
    },
  }));
}

function weakOf(connection: Resource): readonly Algorithm[] {
  return listAt(connection, "properties", "ipsecPolicies").flatMap((policy) =>
    algorithms.filter((field) => {
      const word = textAt(policy, field);
      return word !== undefined && isWeak(field, word);
    }),
  );
}

function typeField(name: string, next: string, ...types: readonly ConnectionType[]): Field {
  return {
    path: "properties.connectionType",
    does: words(types),
    fault: `${name} is another`,
    next,
  };
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
  if (verdict === "protected") return seen(`${name} is up with the wanted transforms`);
  if (verdict === "unknown") return unverifiable(`${name} is unknown${why}`, next);
  return failed(`${name} is ${verdict}${why}`, next);
}

const connectionTypes = ["IPsec", "Vnet2Vnet", "ExpressRoute", "VPNClient"] as const;
type ConnectionType = (typeof connectionTypes)[number];

/**
 * Both ends of a `Vnet2Vnet` connection are Azure gateways, but it is IPsec all the same. A type
 * that is not known could be any of them.
 */
function connectionsOf({ lists }: Estate, ...types: readonly ConnectionType[]): Listed {
  const others = connectionTypes.filter((type) => !types.includes(type));
  const own = filtered(
    lists.connections,
    (each) => words(others)(at(each, "properties", "connectionType")) === "nothing",
  );
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
    overAll(wanted, "IPsec connection over private peering", (connection, source) => {
      const name = nameOf(connection);
      const next = `set useLocalAzureIpAddress on ${name}`;
      const field: Field = {
        ...{ path: "properties.useLocalAzureIpAddress", does: isOn, unset: "fails" },
        ...{ fault: `${name} does not use the gateway's private address`, next },
      };
      const proof = `${name} uses the gateway's private address`;
      const fields = [typeField(name, next, "IPsec"), field];
      return judge({ name, value: connection, source }, fields, proof);
    }),
    overAll(serving, "VPN gateway of such a connection", (gateway, source) => {
      const name = nameOf(gateway);
      const field: Field = {
        ...{ path: "properties.enablePrivateIpAddress", does: isOn, unset: "fails" },
        ...{
          fault: `${name} has no private address`,
          next: `set enablePrivateIpAddress on ${name}`,
        },
      };
      return judge({ name, value: gateway, source }, [field], `${name} has a private address`);
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
    return seen(`no route in the clear leads to what ${name} protects`);
  });
}

function gatewaysOf({ lists }: Estate, type: "Vpn" | "ExpressRoute"): Listed {
  const others = ["Vpn", "ExpressRoute", "LocalGateway"].filter((each) => each !== type);
  const isOther = words(others);
  return filtered(
    lists.gateways,
    (each) => isOther(at(each, "properties", "gatewayType")) === "nothing",
  );
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
  const next = `look why ${nameOf(first)} does not connect`;
  const fault = `no connection of ${name} over the Internet is connected`;
  const fields: readonly Field[] = [
    { path: "gateway.properties.gatewayType", does: words(["Vpn"]), fault, next },
    { path: "connection.properties.connectionType", does: words(["IPsec"]), fault, next },
    { path: "connection.properties.useLocalAzureIpAddress", does: words([false]), fault, next },
    {
      ...{ path: "connection.properties.connectionStatus", fault, next },
      does: words(["Connected"], ["NotConnected"]),
    },
  ];
  return oneOf(
    outside.map((connection) => {
      const part = { name: nameOf(connection), value: { gateway, connection }, source };
      return judge(part, fields, `${part.name} of ${name} is a way beside ExpressRoute`);
    }),
  );
}

function networkOf(gateway: Resource): string | undefined {
  const [first] = listAt(gateway, "properties", "ipConfigurations");
  const subnet = textAt(first, "properties", "subnet", "id");
  return subnet?.toLowerCase().replace(/\/subnets\/[^/]*$/, "");
}

export function pointToSite({ estate }: Facts): Outcome {
  const withClients = filtered(gatewaysOf(estate, "Vpn"), hasClients);
  return overAll(withClients, "gateway with point-to-site clients", (gateway, source) => {
    const name = nameOf(gateway);
    const clients = at(gateway, "properties", "vpnClientConfiguration");
    const ways = listAt(clients, "vpnAuthenticationTypes").map(wordOf).join(", ");
    const next = `let clients of ${name} sign in with Microsoft Entra ID alone`;
    const named = { does: isText, unset: "fails", next } as const;
    const fields: readonly Field[] = [
      {
        ...{ path: "vpnAuthenticationTypes", unset: "fails", next },
        does: entraAlone,
        fault: `${name} lets clients in by ${ways || "nothing"}`,
      },
      ...["aadTenant", "aadAudience", "aadIssuer"].map((path) => ({
        ...{ ...named, path, fault: `${name} names no tenant, audience or issuer` },
      })),
    ];
    const proof = `clients of ${name} sign in with Microsoft Entra ID alone`;
    return judge({ name, value: clients, source }, fields, proof);
  });
}

function entraAlone(ways: unknown): Effect {
  const effects = listAt(ways).map(words(["AAD"], ["Certificate", "Radius"]));
  if (effects.includes("fails") || (Array.isArray(ways) && ways.length === 0)) return "fails";
  return effects.length === 1 ? (effects[0] ?? "nothing") : "nothing";
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
  return overAll(estate.lists.circuits, "ExpressRoute circuit", (circuit, source) => {
    const name = nameOf(circuit);
    const next = `set an MD5 key on the peerings of ${name} and on the routers`;
    const peerings = listAt(circuit, "properties", "peerings").filter(
      (peering) => at(peering, "properties", "state") !== "Disabled",
    );
    if (peerings.length === 0) return unverifiable(`${name} shows no peering in use`, next);
    return together(peerings.map((peering) => peeringOf(peering, name, next, source)));
  });
}

function peeringOf(value: unknown, circuit: string, next: string, source: Source): Outcome {
  const name = `${circuit} ${wordOf(at(value, "properties", "peeringType"))}`;
  // Only the presence of the key is checked: its value goes nowhere, not even into a doubt.
  const key: Field = {
    ...{ path: "properties.sharedKey", does: isText, fault: `${name} has no shared key`, next },
    doubt: `Azure does not report whether ${name} has a shared key`,
  };
  return judge({ name, value, source }, [key], `${name} has a shared key`);
}
