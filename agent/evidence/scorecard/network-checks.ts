// Virtual networks: encryption between machines, inspection, and how machines are administered.

import { contains, type Prefix, parsePrefix } from "../../health/prefix.ts";
import { at, filtered, type Listed, type Resource, type Source } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import {
  allOf,
  type Effect,
  type Field,
  isFilled,
  isList,
  isOn,
  judge,
  seen,
  words,
} from "./fields.ts";
import { loginRules, loginTranslations } from "./login-rules.ts";
import {
  absent,
  ifRead,
  isWithin,
  listAt,
  nameOf,
  type Outcome,
  oneOf,
  overAll,
  sameId,
  textAt,
  together,
  unverifiable,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

export function networkEncryption({ estate }: Facts): Outcome {
  return overAll(estate.lists.networks, "virtual network", (network, source) => {
    const name = nameOf(network);
    const enforcement = wordOf(at(network, "properties", "encryption", "enforcement"));
    const next = `switch on encryption of ${name}`;
    const fields: readonly Field[] = [
      {
        ...{ path: "properties.encryption.enabled", does: isOn, unset: "fails" },
        ...{ fault: `${name} is not encrypted`, next },
      },
      { path: "properties.virtualNetworkPeerings", does: isList, fault: "", next },
    ];
    const proof = `${name} is encrypted, enforcement ${enforcement}`;
    return allOf([
      judge({ name, value: network, source }, fields, proof),
      ...listAt(network, "properties", "virtualNetworkPeerings").map((peering) =>
        peeringOf(peering, name, source),
      ),
    ]);
  });
}

/** Both networks of a peering must be encrypted; one that is not connected carries nothing. */
function peeringOf(peering: unknown, network: string, source: Source): Outcome {
  const name = `peering ${nameOf(peering)} of ${network}`;
  const next = `switch on encryption of the network at the other end of ${name}`;
  const part = { name, value: peering, source };
  const state: Field = {
    ...{ path: "properties.peeringState", fault: "", next },
    does: words(["Connected", "Initiated", "Disconnected"]),
  };
  if (words(["Initiated", "Disconnected"])(at(peering, "properties", "peeringState")) === "proves")
    return judge(part, [state], `${name} is not connected`);
  const remote: Field = {
    ...{ path: "properties.remoteVirtualNetworkEncryption.enabled", does: isOn },
    ...{ fault: `${name} leads to a network that is not encrypted`, next },
    doubt: `${name} does not show whether the network at its other end is encrypted`,
  };
  return judge(part, [state, remote], `${name} is encrypted at both ends`);
}

export function centralInspection({ estate }: Facts): Outcome {
  const { firewalls, intents, networks, routeTables } = estate.lists;
  const inHub = (each: Resource): boolean => at(each, "properties", "virtualHub") !== undefined;
  const inNetworks = filtered(firewalls, (each) => !inHub(each));
  const hasOwn = inNetworks.kind === "read" && inNetworks.items.length > 0;
  return together([
    overAll(firewalls, "Azure Firewall", (firewall, source) =>
      inHub(firewall)
        ? byIntent(firewall, intents)
        : ifRead(routeTables, ({ items }) => byRoutes(firewall, items, networks, source)),
    ),
    ...(hasOwn ? [everySubnet(inNetworks.items, routeTables, networks)] : []),
  ]);
}

function byRoutes(
  firewall: Resource,
  tables: readonly Resource[],
  networks: Listed,
  source: Source,
): Outcome {
  const name = nameOf(firewall);
  const next = `route traffic between networks through ${name}`;
  const leading = tables.flatMap((table) =>
    listAt(table, "properties", "routes")
      .filter((route) => leadsTo(route, firewall))
      .map((route) => ({ table, route })),
  );
  if (leading.length === 0) return absent(`no route leads through ${name}`, next, source);
  return oneOf(
    leading.map(({ table, route }) => {
      const part = { name: nameOf(table), value: { table, route }, source };
      return judge(part, routeFields(name, next, networks), `routes lead through ${name}`);
    }),
  );
}

function leadsTo(route: unknown, firewall: Resource): boolean {
  const hop = textAt(route, "properties", "nextHopIpAddress");
  const addresses = listAt(firewall, "properties", "ipConfigurations").map((each) =>
    textAt(each, "properties", "privateIPAddress"),
  );
  const isAppliance = at(route, "properties", "nextHopType") === "VirtualAppliance";
  return isAppliance && hop !== undefined && addresses.includes(hop);
}

function routeFields(firewall: string, next: string, networks: Listed): readonly Field[] {
  const nothing = `the routes that lead through ${firewall} are of no subnet or network`;
  return [
    { path: "table.properties.subnets", does: namesParts, fault: "", doubt: nothing, next },
    {
      ...{ path: "route.properties.addressPrefix", fault: "", doubt: nothing, next },
      does: (value) => (isNetworkWide(value, networks) ? "proves" : "nothing"),
    },
  ];
}

const filledOrNothing = (value: unknown): Effect =>
  isFilled(value) === "proves" ? "proves" : "nothing";

const namesParts = (value: unknown): Effect =>
  filledOrNothing(listAt(value).filter((each) => textAt(each, "id") !== undefined));

const wide = ["0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/** Returns true if a prefix covers the default route, a private range, or a whole network. */
function isNetworkWide(value: unknown, networks: Listed): boolean {
  const own = networks.kind === "read" ? networks.items : [];
  const prefixes = own.flatMap((each) =>
    listAt(each, "properties", "addressSpace", "addressPrefixes"),
  );
  const outer = prefixOf(value);
  return (
    outer !== undefined &&
    [...wide, ...prefixes].some((one) => {
      const inner = prefixOf(one);
      return inner !== undefined && contains(outer, inner);
    })
  );
}

const prefixOf = (value: unknown): Prefix | undefined =>
  typeof value === "string" ? parsePrefix(value) : undefined;

/** Azure's own services have these subnets to themselves, and route them on their own. */
const platformSubnets =
  /^(Gateway|AzureFirewall|AzureFirewallManagement|AzureBastion|RouteServer)Subnet$/i;

/** A subnet that no route leads through a firewall reaches other networks without inspection. */
function everySubnet(firewalls: readonly Resource[], tables: Listed, networks: Listed): Outcome {
  const leading = tables.kind === "read" ? tables.items.filter((table) => isLeading(table)) : [];
  function isLeading(table: Resource): boolean {
    return listAt(table, "properties", "routes").some(
      (route) =>
        firewalls.some((firewall) => leadsTo(route, firewall)) &&
        isNetworkWide(at(route, "properties", "addressPrefix"), networks),
    );
  }
  return overAll(networks, "virtual network", (network, source) => {
    const name = nameOf(network);
    const next = `route every subnet of ${name} through a firewall`;
    const own = { name, value: network, source };
    const list: Field = { path: "properties.subnets", does: isList, fault: "", next };
    const proof = `the subnets of ${name} are routed through a firewall`;
    const subnets = listAt(network, "properties", "subnets").filter(
      (each) => !platformSubnets.test(textAt(each, "name") ?? ""),
    );
    return allOf([
      judge(own, [list], proof),
      ...subnets.map((value) => {
        const doubt = `subnet ${nameOf(value)} of ${name} is not shown to pass a firewall`;
        const field: Field = {
          ...{ path: "properties.routeTable.id", fault: "", doubt, next },
          does: (id) => (leading.some((table) => sameId(table["id"], id)) ? "proves" : "nothing"),
        };
        return judge({ ...own, value }, [field], proof);
      }),
    ]);
  });
}

/** A firewall in a hub of Virtual WAN has traffic by routing intent, or by routes of the hub. */
function byIntent(firewall: Resource, intents: Listed): Outcome {
  const name = nameOf(firewall);
  const hub = textAt(firewall, "properties", "virtualHub", "id");
  const next = `set routing intent for private traffic of the hub of ${name}`;
  const doubt = `${name} is in a hub, and no routing intent for private traffic was read`;
  const proof = `the routing intent of its hub leads private traffic through ${name}`;
  return ifRead(intents, ({ items, source }) => {
    const policies = items
      .filter(({ id }) => isWithin(id, hub))
      .flatMap((intent) => listAt(intent, "properties", "routingPolicies"));
    if (policies.length === 0) return unverifiable(doubt, next);
    const fields: readonly Field[] = [
      {
        ...{ path: "nextHop", fault: "", doubt, next },
        does: (hop) => (sameId(hop, firewall["id"]) ? "proves" : "nothing"),
      },
      {
        ...{ path: "destinations", fault: "", doubt, next },
        does: (list) =>
          listAt(list).some((word) => sameId(word, "PrivateTraffic")) ? "proves" : "nothing",
      },
    ];
    return oneOf(policies.map((value) => judge({ name, value, source }, fields, proof)));
  });
}

export function bastion({ estate }: Facts): Outcome {
  const { bastions, firewalls, interfaces, securityGroups } = estate.lists;
  return together([
    overAll(bastions, "Bastion", (host, source) => {
      const name = nameOf(host);
      const state: Field = {
        ...{ path: "properties.provisioningState", does: words(["Succeeded"], ["Failed"]) },
        ...{ fault: `Bastion ${name} is Failed`, next: `mend Bastion ${name}` },
      };
      return judge({ name, value: host, source }, [state], `Bastion ${name} is deployed`);
    }),
    overAll(interfaces, "network interface", publicAddress),
    overAll(securityGroups, "network security group", loginRules),
    ifRead(firewalls, ({ items, source }) =>
      items.length === 0
        ? seen("no Azure Firewall translates a public address to 22 or 3389")
        : together(items.map((each) => loginTranslations(each, source))),
    ),
  ]);
}

function publicAddress(each: Resource, source: Source): Outcome {
  const name = nameOf(each);
  const next = `take the public address of ${name} away`;
  const fault = `${name} has a public address`;
  const proof = `${name} has no public address`;
  const configs: Field = { path: "properties.ipConfigurations", does: isFilled, fault: "", next };
  const fields: readonly Field[] = [
    // It shows that the part is whole: Azure leaves a public address that is not set out.
    {
      ...{ path: "properties.privateIPAddress", fault, next },
      does: (address) => (prefixOf(address) === undefined ? "nothing" : "proves"),
    },
    { path: "properties.publicIPAddress", does: () => "fails", unset: "harmless", fault, next },
  ];
  return allOf([
    judge({ name, value: each, source }, [{ ...configs, does: filledOrNothing }], proof),
    ...listAt(each, "properties", "ipConfigurations").map((value) =>
      judge({ name, value, source }, fields, proof),
    ),
  ]);
}
