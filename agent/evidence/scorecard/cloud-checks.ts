// Checks of resources in Azure alone, of which the edge shows nothing.

import type { ScorecardFacts } from "./edge-checks.ts";
import { gatewaysOf } from "./edge-checks.ts";
import { at, type Resource } from "./estate.ts";
import { loginRules } from "./login-rules.ts";
import {
  failed,
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

export function pointToSite({ estate }: Facts): Outcome {
  const vpn = gatewaysOf(estate, "Vpn");
  const withClients =
    vpn.kind === "unread"
      ? vpn
      : { ...vpn, items: vpn.items.filter((each) => clientsOf(each) !== undefined) };
  return overAll(withClients, "gateway with point-to-site clients", (gateway) => {
    const name = nameOf(gateway);
    const clients = clientsOf(gateway);
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

function clientsOf(gateway: Resource): unknown {
  return at(gateway, "properties", "vpnClientConfiguration") ?? undefined;
}

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
  const { firewalls, routeTables } = estate.lists;
  if (routeTables.kind === "unread") return overAll(routeTables, "route table", () => proven());
  const hops = routeTables.items
    .flatMap((each) => listAt(each, "properties", "routes"))
    .filter((route) => at(route, "properties", "nextHopType") === "VirtualAppliance")
    .map((route) => textAt(route, "properties", "nextHopIpAddress"));
  return overAll(firewalls, "Azure Firewall", (firewall) => {
    const name = nameOf(firewall);
    const addresses = listAt(firewall, "properties", "ipConfigurations").map((each) =>
      textAt(each, "properties", "privateIPAddress"),
    );
    if (addresses.some((address) => address !== undefined && hops.includes(address))) {
      return proven(`routes lead through ${name}`);
    }
    const next = `route traffic between networks through ${name}`;
    return failed(`no route leads through ${name}`, next);
  });
}

export function frontDoorTls({ estate }: Facts): Outcome {
  const { routes, domains } = estate.lists;
  return together([
    overAll(routes, "Front Door route", (route) => {
      const name = nameOf(route);
      const next = `redirect to HTTPS and forward HttpsOnly on route ${name}`;
      if (at(route, "properties", "httpsRedirect") !== "Enabled") {
        return failed(`route ${name} serves plain HTTP`, next);
      }
      if (at(route, "properties", "forwardingProtocol") !== "HttpsOnly") {
        return failed(`route ${name} may forward plain HTTP`, next);
      }
      return proven(`route ${name} is HTTPS at both ends`);
    }),
    overAll(domains, "Front Door domain", (domain) => {
      const name = nameOf(domain);
      const version = at(domain, "properties", "tlsSettings", "minimumTlsVersion");
      if (version === "TLS12" || version === "TLS13") return proven(`${name} wants ${version}`);
      return failed(`${name} takes ${wordOf(version)}`, `set TLS 1.2 as minimum of ${name}`);
    }),
  ]);
}

export function frontDoorOrigins({ estate }: Facts): Outcome {
  return overAll(estate.lists.origins, "Front Door origin", (origin) => {
    const name = nameOf(origin);
    const link = at(origin, "properties", "sharedPrivateLinkResource");
    const next = `reach origin ${name} over Private Link, and approve the connection`;
    if (link === undefined || link === null) return failed(`origin ${name} is public`, next);
    const status = at(link, "status");
    if (status === "Approved") return proven(`origin ${name} is reached over Private Link`);
    return failed(`the Private Link of origin ${name} is ${wordOf(status)}`, next);
  });
}

const goodTls = /^TLSv1_[23]$/;
/** Predefined policies whose minimum is TLS 1.2. */
const goodPolicy = /^AppGwSslPolicy(20170401S|20220101|20220101S)$/;

export function appGatewayTls({ estate }: Facts): Outcome {
  return overAll(estate.lists.appGateways, "Application Gateway", (gateway) => {
    const name = nameOf(gateway);
    const { properties } = gateway;
    const plain = (list: string): boolean => {
      const all = listAt(properties, list);
      return all.length === 0 || all.some((each) => at(each, "properties", "protocol") !== "Https");
    };
    const next = `end TLS 1.2 or newer at the listeners and at the backends of ${name}`;
    if (plain("httpListeners")) return failed(`${name} listens to plain HTTP`, next);
    if (plain("backendHttpSettingsCollection")) {
      return failed(`${name} speaks plain HTTP to its backends`, next);
    }
    if (!isNewTls(at(properties, "sslPolicy"))) {
      return failed(`${name} takes TLS older than 1.2`, next);
    }
    const profiles = listAt(properties, "httpListeners").flatMap((listener) => {
      const id = textAt(listener, "properties", "sslProfile", "id");
      return id === undefined ? [] : profileOf(properties, name, id);
    });
    return together([proven(`${name} has TLS end to end`), ...profiles]);
  });
}

/**
 * A listener with an SSL profile uses that profile's policy, if it has one, instead of the
 * gateway's.
 */
function profileOf(properties: unknown, name: string, id: string): readonly Outcome[] {
  const found = listAt(properties, "sslProfiles").find((each) => sameId(at(each, "id"), id));
  const next = `set TLS 1.2 as minimum of every SSL profile of ${name}`;
  if (found === undefined) {
    return [unverifiable(`a listener of ${name} has an SSL profile that is not shown`, next)];
  }
  const policy = at(found, "properties", "sslPolicy") ?? undefined;
  if (policy === undefined || isNewTls(policy)) return [];
  const profile = wordOf(at(found, "name"));
  return [
    failed(`a listener of ${name} takes TLS older than 1.2, by SSL profile ${profile}`, next),
  ];
}

function isNewTls(policy: unknown): boolean {
  const least = textAt(policy, "minProtocolVersion") ?? "";
  return goodTls.test(least) || goodPolicy.test(textAt(policy, "policyName") ?? "");
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

export const notAtEdge =
  (why: string, next: string) =>
  (_facts: Facts): Outcome =>
    unverifiable(why, next);
