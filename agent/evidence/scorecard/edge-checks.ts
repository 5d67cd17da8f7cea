// Checks from the agent's own observations at the edge, and from Azure's side if it may be read.

import { type Algorithm, algorithms, weaknessOf } from "../../config/ipsec-policy.ts";
import type { Verdict } from "../../model/health.ts";
import { at, type Estate, isVault, type Listed, principalsOf, type Resource } from "./estate.ts";
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

interface EdgeLink {
  /** `group/link`. */
  readonly name: string;
  readonly verdict: Verdict;
  readonly codes: readonly string[];
  /** The CKN of the key in use; null = not known. */
  readonly ckn: string | null;
  /** The CKN of the accepted key; null = not known. */
  readonly meant: string | null;
  /** The far end as the management API last reported it; undefined = it was never read. */
  readonly farEnd:
    | {
        readonly ageMs: number;
        readonly admin: "up" | "down";
        readonly ids: readonly string[] | undefined;
      }
    | undefined;
}

interface EdgeTunnel {
  readonly name: string;
  readonly verdict: Verdict;
  readonly codes: readonly string[];
}

export interface ScorecardFacts {
  readonly links: readonly EdgeLink[];
  readonly tunnels: readonly EdgeTunnel[];
  readonly vault: string;
  readonly ports: readonly string[];
  readonly estate: Estate;
}

type Facts = ScorecardFacts;

/** The oldest usable reading of a far end, in milliseconds: they are read about every minute. */
const farEndMsMax = 900_000;
const linkCommand = (name: string): string => `linkseal links ${name}`;

export function macsecOnDirect({ links }: Facts): Outcome {
  if (links.length === 0) return unverifiable("no link is in the config", "linkseal apply");
  return together(links.flatMap((link) => [edgeOf(link), farEndOf(link)]));
}

function edgeOf({ name, verdict, codes }: EdgeLink): Outcome {
  const why = codes.length === 0 ? "" : ` (${codes.join(", ")})`;
  if (verdict === "protected") return proven(`${name} is protected, MKA and counters`);
  if (verdict === "unknown") return unverifiable(`${name} is unknown${why}`, linkCommand(name));
  return failed(`${name} is ${verdict}${why}`, linkCommand(name));
}

function farEndOf({ name, farEnd }: EdgeLink): Outcome {
  const stale = farEndStale(name, farEnd);
  if (stale !== undefined || farEnd === undefined) return stale ?? unread(name);
  if (farEnd.ids === undefined)
    return failed(`the far end of ${name} has MACsec off`, linkCommand(name));
  if (farEnd.admin === "down")
    return failed(`the far end of ${name} is switched off`, linkCommand(name));
  return proven(`the far end of ${name} names its CAK and CKN`);
}

function unread(name: string): Outcome {
  return unverifiable(`the far end of ${name} was not read`, "linkseal doctor");
}

function farEndStale(name: string, farEnd: EdgeLink["farEnd"]): Outcome | undefined {
  if (farEnd === undefined) return unread(name);
  if (farEnd.ageMs <= farEndMsMax) return undefined;
  const minutes = Math.floor(farEnd.ageMs / 60_000);
  return unverifiable(`the far end of ${name} was last read ${minutes} min ago`, "linkseal doctor");
}

export function keysInVault(facts: Facts): Outcome {
  const { links, vault, estate } = facts;
  if (links.length === 0) return unverifiable("no link is in the config", "linkseal apply");
  const { vaults } = estate.lists;
  const mine =
    vaults.kind === "unread"
      ? vaults
      : { ...vaults, items: vaults.items.filter((each) => isVault(each, vault)) };
  return together([
    ...links.map((link) => keyOf(link, vault)),
    overAll(mine, "vault of azure.vault", vaultSettings),
  ]);
}

function keyOf({ name, farEnd, ckn, meant }: EdgeLink, vault: string): Outcome {
  const stale = farEndStale(name, farEnd);
  if (stale !== undefined || farEnd === undefined) return stale ?? unread(name);
  const { ids = [] } = farEnd;
  const isOurs = (id: string): boolean =>
    id.toLowerCase().startsWith(`${vault.toLowerCase()}/secrets/`) && /\/[0-9a-f]{32}$/i.test(id);
  if (ids.length === 0 || !ids.every(isOurs)) {
    const text = `the far end of ${name} names no version of a secret in the vault`;
    return failed(text, "linkseal doctor");
  }
  if (ckn === null || meant === null) {
    return unverifiable(`the key in use on ${name} is not known`, linkCommand(name));
  }
  if (ckn !== meant) return failed(`${name} uses another key than the vault's`, linkCommand(name));
  return proven(`${name} uses the key of the vault version that both ends name`);
}

function vaultSettings(vault: Resource): Outcome {
  const name = nameOf(vault);
  const { properties } = vault;
  const wanted: readonly (readonly [string, boolean])[] = [
    ["soft delete", at(properties, "enableSoftDelete") === true],
    ["purge protection", at(properties, "enablePurgeProtection") === true],
    ["Azure RBAC", at(properties, "enableRbacAuthorization") === true],
    [
      "a firewall that denies by default",
      at(properties, "networkAcls", "defaultAction") === "Deny",
    ],
    [
      "the bypass for trusted services",
      textAt(properties, "networkAcls", "bypass")?.includes("AzureServices") === true,
    ],
  ];
  const missing = wanted.filter(([, is]) => !is).map(([what]) => what);
  if (missing.length === 0) return proven(`${name} has ${wanted.map(([what]) => what).join(", ")}`);
  return failed(`${name} lacks ${missing.join(", ")}`, `set ${missing.join(", ")} on ${name}`);
}

/** The role id of Key Vault Secrets User, the same in every cloud. */
const secretsUser = "4633458b-17de-408a-b874-0445c86b69e6";

export function leastPrivilege({ estate, vault }: Facts): Outcome {
  const { ports, roles, vaults } = estate.lists;
  const carried = overAll(ports, "ExpressRoute port", (port) => {
    const name = nameOf(port);
    if (at(port, "identity", "type") !== "UserAssigned") {
      return failed(`${name} has no user-assigned identity`, `assign one to ${name}`);
    }
    if (principalsOf(port).length === 1) return proven(`${name} has one user-assigned identity`);
    return unverifiable(`${name} does not report exactly one principal`, "look in the portal");
  });
  const own =
    vaults.kind === "read" ? vaults.items.find((each) => isVault(each, vault)) : undefined;
  const scope = (textAt(own, "id") ?? "").toLowerCase();
  const allowed = overAll(roles, "role of the port's identity on the vault", (role) => {
    const definition = textAt(role, "properties", "roleDefinitionId") ?? "";
    const reaches = (textAt(role, "properties", "scope") ?? "").toLowerCase();
    const isNarrow = reaches === scope || reaches.startsWith(`${scope}/`);
    if (scope !== "" && isNarrow && definition.toLowerCase().endsWith(`/${secretsUser}`)) {
      return proven("its only role there is Key Vault Secrets User, on the vault alone");
    }
    const next = "leave it Key Vault Secrets User on this vault and nothing else";
    return failed("the identity of the port may do more than read secrets of the vault", next);
  });
  return together([carried, allowed]);
}

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
  const { connections } = lists;
  if (connections.kind === "unread") return connections;
  const items = connections.items.filter((each) => {
    const type = at(each, "properties", "connectionType");
    return types.some((wanted) => wanted === type);
  });
  return { ...connections, items };
}

export function privatePeering({ tunnels, estate }: Facts): Outcome {
  const vpn = gatewaysOf(estate, "Vpn");
  return together([
    ...tunnels.map(({ name, codes, verdict }) => {
      const next = `linkseal tunnels ${name}`;
      if (codes.includes("clear-path-beside-tunnel")) {
        return failed(`what ${name} protects is also reachable beside it, in the clear`, next);
      }
      if (verdict === "unknown") return unverifiable(`the routes of ${name} are unknown`, next);
      return proven(`no route in the clear leads to what ${name} protects`);
    }),
    overAll(connectionsOf(estate, "IPsec"), "IPsec connection", (connection) =>
      at(connection, "properties", "useLocalAzureIpAddress") === true
        ? proven(`${nameOf(connection)} uses the gateway's private address`)
        : failed(
            `${nameOf(connection)} does not use the gateway's private address`,
            `set useLocalAzureIpAddress on ${nameOf(connection)}`,
          ),
    ),
    overAll(vpn, "VPN gateway", (gateway) =>
      at(gateway, "properties", "enablePrivateIpAddress") === true
        ? proven(`${nameOf(gateway)} has a private address`)
        : failed(
            `${nameOf(gateway)} has no private address`,
            `set enablePrivateIpAddress on ${nameOf(gateway)}`,
          ),
    ),
  ]);
}

export function gatewaysOf({ lists }: Estate, type: "Vpn" | "ExpressRoute") {
  const { vpnGateways } = lists;
  if (vpnGateways.kind === "unread") return vpnGateways;
  const items = vpnGateways.items.filter((each) => at(each, "properties", "gatewayType") === type);
  return { ...vpnGateways, items };
}

export function bgpAuthentication({ estate }: Facts): Outcome {
  return overAll(estate.lists.circuits, "ExpressRoute circuit", (circuit) => {
    const name = nameOf(circuit);
    const peerings = listAt(circuit, "properties", "peerings");
    const next = `set an MD5 key on the peerings of ${name} and on the routers`;
    if (peerings.length === 0) return unverifiable(`${name} shows no peering`, next);
    return together(
      peerings.map((peering) => {
        // Only the presence of the key is checked: its value goes nowhere.
        const key = at(peering, "properties", "sharedKey");
        const kind = wordOf(at(peering, "properties", "peeringType"));
        if (key === undefined || key === null) {
          return unverifiable(
            `Azure does not report whether ${name} ${kind} has a shared key`,
            next,
          );
        }
        if (key === "") return failed(`${name} ${kind} has no shared key`, next);
        return proven(`${name} ${kind} has a shared key`);
      }),
    );
  });
}

export function monitored({ estate, ports }: Facts): Outcome {
  const { alerts, circuits } = estate.lists;
  if (circuits.kind === "unread") return overAll(circuits, "circuit", () => proven());
  if (alerts.kind === "unread") return overAll(alerts, "alert rule", () => proven());
  const ids = [...ports, ...circuits.items.map((circuit) => textAt(circuit, "id") ?? "no id")];
  if (ids.length === 0) return unverifiable("no port is in the config", "linkseal apply");
  return together(
    ids.map((id) => {
      const name = id.split("/").at(-1) ?? "";
      const mine = alerts.items.filter((alert) =>
        listAt(alert, "properties", "scopes").some((scope) => sameId(scope, id)),
      );
      return alertsOf(id, name, mine);
    }),
  );
}

/** The metrics that show a lost line or session; all others continue as if nothing had happened. */
const lossMetrics = {
  port: ["LineProtocol", "RxLightLevel", "TxLightLevel"],
  circuit: ["ArpAvailability", "BgpAvailability"],
} as const;

function alertsOf(id: string, name: string, mine: readonly Resource[]): Outcome {
  const isPort = /\/expressRoute(Ports|Lags)\//i.test(id);
  const metrics: readonly string[] = lossMetrics[isPort ? "port" : "circuit"];
  const wanted = metrics.join(" or ");
  const next = `create an alert rule on ${wanted} of ${name}, with an action group`;
  if (mine.length === 0) {
    return unverifiable(`no alert rule of ${name} in the scopes that were read`, next);
  }
  const on = mine.filter((alert) => at(alert, "properties", "enabled") === true);
  if (on.length === 0) return failed(`every alert rule of ${name} is off`, next);
  const watching = on.filter((alert) =>
    listAt(alert, "properties", "criteria", "allOf").some((criterion) =>
      metrics.some((metric) => sameId(metric, at(criterion, "metricName"))),
    ),
  );
  if (watching.length === 0) {
    return unverifiable(`no alert rule of ${name} that was read watches ${wanted}`, next);
  }
  const isAlerting = watching.some((alert) =>
    listAt(alert, "properties", "actions").some(
      (action) => textAt(action, "actionGroupId") !== undefined,
    ),
  );
  if (isAlerting) return proven(`an alert rule watches ${name} and has an action group`);
  // A processing rule may add an action group, but those rules are not read.
  const why = `no alert rule on ${wanted} of ${name} has an action group: who gets it is not known`;
  return unverifiable(why, next);
}

export function vpnBackup({ tunnels, estate }: Facts): Outcome {
  const vpn = gatewaysOf(estate, "Vpn");
  const direct = gatewaysOf(estate, "ExpressRoute");
  const backed = overAll(direct, "ExpressRoute gateway", (gateway) => {
    const name = nameOf(gateway);
    const network = networkOf(gateway);
    if (network === undefined) return unverifiable(`${name} does not report its network`, "portal");
    const isBacked = vpn.kind === "read" && vpn.items.some((each) => networkOf(each) === network);
    if (isBacked) return proven(`a VPN gateway exists beside ${name}`);
    return failed(`no VPN gateway exists beside ${name}`, "add a VPN gateway as its backup");
  });
  return together([backed, ...tunnels.map(tunnelOf)]);
}

function networkOf(gateway: Resource): string | undefined {
  const [first] = listAt(gateway, "properties", "ipConfigurations");
  const subnet = textAt(first, "properties", "subnet", "id");
  return subnet?.toLowerCase().replace(/\/subnets\/[^/]*$/, "");
}
