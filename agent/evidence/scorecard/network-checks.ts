// Virtual networks: encryption between machines, inspection, and how machines are administered.

import { at, type Listed, type Resource } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import { loginRules } from "./login-rules.ts";
import {
  absent,
  failed,
  ifRead,
  isWithin,
  listAt,
  nameOf,
  type Outcome,
  overAll,
  proven,
  sameId,
  textAt,
  together,
  unverifiable,
  wordOf,
} from "./outcome.ts";

type Facts = ScorecardFacts;

export function networkEncryption({ estate }: Facts): Outcome {
  return overAll(estate.lists.networks, "virtual network", (network) => {
    const name = nameOf(network);
    const encryption = at(network, "properties", "encryption");
    if (at(encryption, "enabled") !== true) {
      return failed(`${name} is not encrypted`, `switch on encryption of ${name}`);
    }
    return proven(`${name} is encrypted, enforcement ${wordOf(at(encryption, "enforcement"))}`);
  });
}

export function centralInspection({ estate }: Facts): Outcome {
  const { firewalls, routeTables, intents } = estate.lists;
  return overAll(firewalls, "Azure Firewall", (firewall) => {
    const hub = textAt(firewall, "properties", "virtualHub", "id");
    return hub === undefined ? byRoutes(firewall, routeTables) : byIntent(firewall, hub, intents);
  });
}

function byRoutes(firewall: Resource, routeTables: Listed): Outcome {
  const name = nameOf(firewall);
  const addresses = listAt(firewall, "properties", "ipConfigurations").map((each) =>
    textAt(each, "properties", "privateIPAddress"),
  );
  return ifRead(routeTables, ({ items, source }) => {
    const hops = items
      .flatMap((each) => listAt(each, "properties", "routes"))
      .filter((route) => at(route, "properties", "nextHopType") === "VirtualAppliance")
      .map((route) => textAt(route, "properties", "nextHopIpAddress"));
    if (addresses.some((address) => address !== undefined && hops.includes(address))) {
      return proven(`routes lead through ${name}`);
    }
    const next = `route traffic between networks through ${name}`;
    return absent(`no route leads through ${name}`, next, source);
  });
}

/** A firewall in a hub of Virtual WAN has traffic by routing intent, or by routes of the hub. */
function byIntent(firewall: Resource, hub: string, intents: Listed): Outcome {
  const name = nameOf(firewall);
  return ifRead(intents, ({ items }) => {
    const policies = items
      .filter(({ id }) => isWithin(id, hub))
      .flatMap((intent) => listAt(intent, "properties", "routingPolicies"));
    const leads = policies.some(
      (policy) =>
        sameId(at(policy, "nextHop"), firewall["id"]) &&
        listAt(policy, "destinations").some((word) => sameId(word, "PrivateTraffic")),
    );
    if (leads) return proven(`the routing intent of its hub leads private traffic through ${name}`);
    const why = `${name} is in a hub, and no routing intent for private traffic was read`;
    return unverifiable(why, `set routing intent for private traffic of the hub of ${name}`);
  });
}

export function bastion({ estate }: Facts): Outcome {
  const { bastions, interfaces, securityGroups } = estate.lists;
  return together([
    overAll(bastions, "Bastion", (host) => {
      const name = nameOf(host);
      const state = at(host, "properties", "provisioningState");
      if (state === "Succeeded") return proven(`Bastion ${name} is deployed`);
      return failed(`Bastion ${name} is ${wordOf(state)}`, `mend Bastion ${name}`);
    }),
    overAll(interfaces, "network interface", (each) => {
      const name = nameOf(each);
      const isPublic = listAt(each, "properties", "ipConfigurations").some(
        (config) => at(config, "properties", "publicIPAddress") !== undefined,
      );
      if (!isPublic) return proven(`${name} has no public address`);
      return failed(`${name} has a public address`, `take the public address of ${name} away`);
    }),
    overAll(securityGroups, "network security group", loginRules),
  ]);
}
