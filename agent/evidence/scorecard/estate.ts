// The resources of Azure that a scorecard judges: one list for each type, which is complete or has
// the reason why not.

/** A plain JSON object. A property that Azure shows as null is null: it is not set. */
export type Resource = Readonly<Record<string, unknown>>;

/** `scopes`: Azure was read now; `documents`: files were read, which may leave anything out. */
export type Source = "scopes" | "documents";

/** A list of one type; `next` is the step that makes an unread one readable. */
export type Listed =
  | { readonly kind: "read"; readonly items: readonly Resource[]; readonly source: Source }
  | { readonly kind: "unread"; readonly why: string; readonly next: string };

/** The ARM type of each list. */
export const listTypes = {
  ports: "Microsoft.Network/expressRoutePorts",
  /** Identities of the ports: `id` and `properties.principalId`. */
  identities: "Microsoft.ManagedIdentity/userAssignedIdentities",
  /** Roles of these identities on the vault, also those that come through a group. */
  roles: "Microsoft.Authorization/roleAssignments",
  circuits: "Microsoft.Network/expressRouteCircuits",
  vaults: "Microsoft.KeyVault/vaults",
  perimeters: "Microsoft.KeyVault/vaults/networkSecurityPerimeterConfigurations",
  connections: "Microsoft.Network/connections",
  gateways: "Microsoft.Network/virtualNetworkGateways",
  /** Gateways of Virtual WAN hubs, with their connections and link connections. */
  vpnGateways: "Microsoft.Network/vpnGateways",
  networks: "Microsoft.Network/virtualNetworks",
  bastions: "Microsoft.Network/bastionHosts",
  interfaces: "Microsoft.Network/networkInterfaces",
  securityGroups: "Microsoft.Network/networkSecurityGroups",
  firewalls: "Microsoft.Network/azureFirewalls",
  hubs: "Microsoft.Network/virtualHubs",
  intents: "Microsoft.Network/virtualHubs/routingIntent",
  routeTables: "Microsoft.Network/routeTables",
  appGateways: "Microsoft.Network/applicationGateways",
  gatewayFirewalls: "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies",
  frontDoorFirewalls: "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies",
  frontDoors: "Microsoft.Cdn/profiles",
  endpoints: "Microsoft.Cdn/profiles/afdEndpoints",
  routes: "Microsoft.Cdn/profiles/afdEndpoints/routes",
  domains: "Microsoft.Cdn/profiles/customDomains",
  policies: "Microsoft.Cdn/profiles/securityPolicies",
  ruleSets: "Microsoft.Cdn/profiles/ruleSets",
  rules: "Microsoft.Cdn/profiles/ruleSets/rules",
  originGroups: "Microsoft.Cdn/profiles/originGroups",
  origins: "Microsoft.Cdn/profiles/originGroups/origins",
  alerts: "Microsoft.Insights/metricAlerts",
} as const;

export type ListName = keyof typeof listTypes;

/** The names of all lists. */
export const listNames = Object.keys(listTypes) as readonly ListName[];

/** All lists that a scorecard judges. */
export interface Estate {
  readonly source: Source;
  /** The resource groups that were read; empty = none. */
  readonly scopes: readonly string[];
  readonly lists: Readonly<Record<ListName, Listed>>;
}

/** Makes an estate of which nothing was read, for the given reason. */
export function blindEstate(why: string, next: string): Estate {
  const unread: Listed = { kind: "unread", why, next };
  const lists = Object.fromEntries(listNames.map((name) => [name, unread]));
  return { source: "scopes", scopes: [], lists: lists as Estate["lists"] };
}

/** Returns true for a JSON object that is not a list. */
export function isResource(value: unknown): value is Resource {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Follows a path of keys into a document; undefined if it leads nowhere, or to null. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (!isResource(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found ?? undefined;
}

/** Returns true if the vault has one of these addresses, each `https://NAME.SUFFIX`. */
export function isVault(resource: Resource, addresses: readonly string[]): boolean {
  const uri = at(resource, "properties", "vaultUri");
  if (typeof uri !== "string") return false;
  const found = uri.toLowerCase().replace(/\/$/, "");
  return addresses.some((address) => address.toLowerCase() === found);
}

/**
 * Returns false for a profile of the classic content delivery network, which has the same type as
 * Front Door and none of its parts.
 */
export function isFrontDoor(profile: Resource): boolean {
  const sku = at(profile, "sku", "name");
  return typeof sku !== "string" || /_AzureFrontDoor$/i.test(sku);
}

/** Returns the list with the items that `keep` accepts. */
export function filtered(list: Listed, keep: (item: Resource) => boolean): Listed {
  return list.kind === "unread" ? list : { ...list, items: list.items.filter(keep) };
}

interface PortIdentity {
  /** The resource id of the identity. */
  readonly id: string;
  /** Its object id in the directory; undefined = the port does not show it. */
  readonly principal: string | undefined;
}

/** Returns the user-assigned identities of a port. */
export function identitiesOf(port: Resource): readonly PortIdentity[] {
  const assigned = at(port, "identity", "userAssignedIdentities");
  return Object.entries(isResource(assigned) ? assigned : {}).map(([id, identity]) => {
    return { id, principal: objectId(at(identity, "principalId")) };
  });
}

/** Returns the object id of an identity's own document; undefined = it shows none. */
export function principalOf(identity: Resource): string | undefined {
  return objectId(at(identity, "properties", "principalId"));
}

function objectId(value: unknown): string | undefined {
  return typeof value === "string" && /^[0-9a-f-]{36}$/i.test(value) ? value : undefined;
}

/** Returns an identity as its own document shows it, from what a port shows of it. */
export function identityDocument({ id, principal }: PortIdentity): Resource {
  const name = id.split("/").at(-1);
  return { id, name, type: listTypes.identities, properties: { principalId: principal } };
}
