// Reads Azure's resource lists for the scorecard: each list is complete or has the reason why not.
// Nothing is ever written.

import { type ApiVersion, armVersions, portVersionOf } from "#drivers/azure/api-versions.ts";
import { LinksealError } from "#hal/error.ts";
import { type DocumentPage, nextPage, type ReadDocument } from "../../model/azure-document.ts";

/** A plain JSON object. */
export type Resource = Readonly<Record<string, unknown>>;

export type Listed =
  | { readonly kind: "read"; readonly items: readonly Resource[] }
  | { readonly kind: "unread"; readonly why: string };

const networkVersion = "2024-05-01";
const cdnVersion = "2024-02-01";

/** Provider and type of each list, with the API version that is used. */
const lists = {
  networks: ["Microsoft.Network/virtualNetworks", networkVersion],
  connections: ["Microsoft.Network/connections", networkVersion],
  vpnGateways: ["Microsoft.Network/virtualNetworkGateways", networkVersion],
  circuits: ["Microsoft.Network/expressRouteCircuits", networkVersion],
  bastions: ["Microsoft.Network/bastionHosts", networkVersion],
  interfaces: ["Microsoft.Network/networkInterfaces", networkVersion],
  securityGroups: ["Microsoft.Network/networkSecurityGroups", networkVersion],
  firewalls: ["Microsoft.Network/azureFirewalls", networkVersion],
  routeTables: ["Microsoft.Network/routeTables", networkVersion],
  appGateways: ["Microsoft.Network/applicationGateways", networkVersion],
  gatewayFirewalls: [
    "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies",
    networkVersion,
  ],
  frontDoorFirewalls: ["Microsoft.Network/FrontDoorWebApplicationFirewallPolicies", "2024-02-01"],
  vaults: ["Microsoft.KeyVault/vaults", armVersions.vault.version],
  alerts: ["Microsoft.Insights/metricAlerts", "2018-03-01"],
  frontDoors: ["Microsoft.Cdn/profiles", cdnVersion],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

/** Each type that is read, with the version of the management API that is requested for it. */
export const estateVersions: readonly ApiVersion[] = Object.values(lists).map(
  ([type, version]) => ({ type, version }),
);

/** Lists that are read below each Front Door. */
const belowFrontDoor = ["routes", "domains", "policies", "origins"] as const;

type ListName =
  | keyof typeof lists
  | (typeof belowFrontDoor)[number]
  | "ports"
  /** Role assignments of the ports' identities, on the vault. */
  | "roles";

export interface Estate {
  /** The resource groups that were read. */
  readonly scopes: readonly string[];
  readonly lists: Readonly<Record<ListName, Listed>>;
}

export interface EstateParts {
  readonly read: ReadDocument;
  readonly scopes: readonly string[];
  /** Resource ids of the ExpressRoute ports. */
  readonly ports: readonly string[];
  /** The vault's address, `https://NAME.SUFFIX`. */
  readonly vault: string;
}

const pagesMax = 20;
const itemsMax = 5_000;

/**
 * Reads every list; a list that Azure refuses is marked unread with the reason. An abort leaves
 * nothing behind, for nothing is written.
 */
export async function readEstate(parts: EstateParts, signal: AbortSignal): Promise<Estate> {
  const { scopes } = parts;
  const names = Object.keys(lists) as (keyof typeof lists)[];
  const found = await Promise.all(
    names.map(async (name): Promise<readonly [ListName, Listed]> => {
      const [type, version] = lists[name];
      const each = await Promise.all(
        scopes.map((scope) => listed(parts.read, `${scope}/providers/${type}`, version, signal)),
      );
      return [name, joined(each)];
    }),
  );
  const known = Object.fromEntries(found) as Record<keyof typeof lists, Listed>;
  const ports = await portsOf(parts, signal);
  const roles = await rolesOf(parts, known.vaults, ports, signal);
  const front = await frontDoors(parts.read, known.frontDoors, signal);
  return { scopes, lists: { ...known, ...front, ports, roles } };
}

/** An estate of which nothing was read, for the given reason. */
export function blindEstate(why: string): Estate {
  const names = [...Object.keys(lists), ...belowFrontDoor, "ports", "roles"] as ListName[];
  const unread: Listed = { kind: "unread", why };
  return {
    scopes: [],
    lists: Object.fromEntries(names.map((name) => [name, unread])) as Estate["lists"],
  };
}

/** Joins lists; the result is read only if every part is. */
function joined(parts: readonly Listed[]): Listed {
  const items: Resource[] = [];
  for (const part of parts) {
    if (part.kind === "unread") return part;
    items.push(...part.items);
  }
  return { kind: "read", items };
}

async function listed(
  read: ReadDocument,
  path: string,
  version: string,
  signal: AbortSignal,
  filter?: string,
): Promise<Listed> {
  const items: Resource[] = [];
  const terms = filter === undefined ? {} : { $filter: filter };
  let next: DocumentPage | undefined = { path, query: { "api-version": version, ...terms } };
  try {
    for (let page = 0; next !== undefined; page += 1) {
      if (page === pagesMax || items.length > itemsMax) {
        return { kind: "unread", why: `${shortOf(path)}: the list is longer than is read` };
      }
      const document = plain(await read(next.path, next.query, signal));
      const value = document["value"];
      if (!Array.isArray(value)) return { kind: "unread", why: `${shortOf(path)}: no list came` };
      items.push(...value.filter(isResource));
      next = nextPage(document["nextLink"]);
    }
    return { kind: "read", items };
  } catch (error) {
    return unreadFor(error, path);
  }
}

function unreadFor(error: unknown, path: string): Listed {
  if (!(error instanceof LinksealError)) throw error;
  return { kind: "unread", why: `${shortOf(path)}: ${error.message} (${error.code})` };
}

function shortOf(path: string): string {
  return path.split("/providers/").at(-1) ?? path;
}

/**
 * Converts a parsed document to plain JSON: in it, numbers are objects that keep their spelling.
 */
function plain(document: unknown): Resource {
  const value: unknown = JSON.parse(JSON.stringify(document));
  return isResource(value) ? value : {};
}

function isResource(value: unknown): value is Resource {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function portsOf({ read, ports }: EstateParts, signal: AbortSignal): Promise<Listed> {
  const items: Resource[] = [];
  for (const port of ports) {
    try {
      items.push(plain(await read(port, { "api-version": portVersionOf(port) }, signal)));
    } catch (error) {
      return unreadFor(error, port);
    }
  }
  return { kind: "read", items };
}

async function rolesOf(
  { read, vault }: EstateParts,
  vaults: Listed,
  ports: Listed,
  signal: AbortSignal,
): Promise<Listed> {
  if (vaults.kind === "unread") return vaults;
  if (ports.kind === "unread") return ports;
  const id = vaults.items.find((each) => isVault(each, vault))?.["id"];
  if (typeof id !== "string")
    return { kind: "unread", why: "the vault is in no scope that is read" };
  const path = `${id}/providers/Microsoft.Authorization/roleAssignments`;
  const principals = ports.items.flatMap(principalsOf);
  const found = await Promise.all(
    principals.map((principal) =>
      listed(read, path, armVersions.roles.version, signal, `principalId eq '${principal}'`),
    ),
  );
  return joined(found);
}

export function isVault(resource: Resource, vault: string): boolean {
  const uri = at(resource, "properties", "vaultUri");
  return typeof uri === "string" && uri.toLowerCase().replace(/\/$/, "") === vault.toLowerCase();
}

/** Object ids of the identities assigned to a port; anything that is not an id is left out. */
export function principalsOf(port: Resource): readonly string[] {
  const assigned = at(port, "identity", "userAssignedIdentities");
  return Object.values(isResource(assigned) ? assigned : {}).flatMap((identity) => {
    const id = at(identity, "principalId");
    return typeof id === "string" && /^[0-9a-f-]{36}$/i.test(id) ? [id] : [];
  });
}

/** Follows a path of keys into a document; undefined if it leads nowhere. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (!isResource(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

type FrontDoor = Readonly<Record<(typeof belowFrontDoor)[number], Listed>>;

async function frontDoors(
  read: ReadDocument,
  profiles: Listed,
  signal: AbortSignal,
): Promise<FrontDoor> {
  if (profiles.kind === "unread") {
    return { routes: profiles, domains: profiles, policies: profiles, origins: profiles };
  }
  const below = async (parents: Listed, child: string): Promise<Listed> => {
    if (parents.kind === "unread") return parents;
    const ids = parents.items.flatMap(({ id }) => (typeof id === "string" ? [id] : []));
    const all = ids.map((id) => listed(read, `${id}/${child}`, cdnVersion, signal));
    return joined(await Promise.all(all));
  };
  return {
    routes: await below(await below(profiles, "afdEndpoints"), "routes"),
    domains: await below(profiles, "customDomains"),
    policies: await below(profiles, "securityPolicies"),
    origins: await below(await below(profiles, "originGroups"), "origins"),
  };
}
