// Reads the lists of an estate over Azure's management API. Nothing is ever written.

import { type ApiVersion, armVersions, portVersionOf } from "#drivers/azure/api-versions.ts";
import { LinksealError } from "#hal/error.ts";
import { type DocumentPage, nextPage, type ReadDocument } from "../../model/azure-document.ts";
import {
  type Estate,
  filtered,
  identitiesOf,
  identityDocument,
  isFrontDoor,
  isResource,
  isVault,
  type Listed,
  type ListName,
  listTypes,
  principalOf,
  type Resource,
} from "./estate.ts";

const networkVersion = "2024-05-01";
const cdnVersion = "2024-02-01";

/** The API version of each list that a resource group has. */
const groupLists = {
  networks: networkVersion,
  connections: networkVersion,
  gateways: networkVersion,
  vpnGateways: networkVersion,
  circuits: networkVersion,
  bastions: networkVersion,
  interfaces: networkVersion,
  securityGroups: networkVersion,
  firewalls: networkVersion,
  hubs: networkVersion,
  routeTables: networkVersion,
  appGateways: networkVersion,
  gatewayFirewalls: networkVersion,
  frontDoorFirewalls: "2024-02-01",
  vaults: armVersions.vault.version,
  alerts: "2018-03-01",
  frontDoors: cdnVersion,
} as const satisfies Partial<Readonly<Record<ListName, string>>>;

/** The API version of each list that is read for a resource. */
const resourceLists = {
  identities: "2023-01-31",
  roles: "2022-04-01",
  // No stable version has it yet.
  perimeters: "2026-04-01-preview",
  endpoints: cdnVersion,
  originGroups: cdnVersion,
  routes: cdnVersion,
  origins: cdnVersion,
  domains: cdnVersion,
  policies: cdnVersion,
  ruleSets: cdnVersion,
  rules: cdnVersion,
  intents: networkVersion,
} as const satisfies Partial<Readonly<Record<ListName, string>>>;

const versions: Readonly<Record<Exclude<ListName, "ports">, string>> = {
  ...groupLists,
  ...resourceLists,
};

/** Each type that is read, with the version of the management API that is requested for it. */
export const estateVersions: readonly ApiVersion[] = (
  Object.keys(versions) as (keyof typeof versions)[]
).map((name) => ({ type: listTypes[name], version: versions[name] }));

type GroupLists = Readonly<Record<keyof typeof groupLists, Listed>>;

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
  const reader = new EstateReader(parts.read, signal);
  const group = await reader.group(scopes);
  const ports = await reader.ports(parts.ports);
  const vaults = filtered(group.vaults, (each) => isVault(each, [parts.vault]));
  const identities = await reader.identities(ports);
  const [roles, perimeters, below] = await Promise.all([
    reader.roles(vaults, identities),
    reader.below(vaults, "perimeters"),
    reader.parts(group),
  ]);
  const lists = { ...group, ...below, ports, identities, roles, perimeters };
  return { source: "scopes", scopes, lists };
}

class EstateReader {
  readonly #read: ReadDocument;
  readonly #signal: AbortSignal;

  constructor(read: ReadDocument, signal: AbortSignal) {
    this.#read = read;
    this.#signal = signal;
  }

  async group(scopes: readonly string[]): Promise<GroupLists> {
    const names = Object.keys(groupLists) as (keyof typeof groupLists)[];
    const found = await Promise.all(
      names.map(async (name) => {
        const each = scopes.map((scope) =>
          this.#list(`${scope}/providers/${listTypes[name]}`, groupLists[name]),
        );
        return [name, joined(await Promise.all(each))] as const;
      }),
    );
    const lists = Object.fromEntries(found) as Record<keyof typeof groupLists, Listed>;
    return { ...lists, frontDoors: filtered(lists.frontDoors, isFrontDoor) };
  }

  async ports(ids: readonly string[]): Promise<Listed> {
    const each = ids.map((id) => this.#one(id, portVersionOf(id)));
    return joined(await Promise.all(each));
  }

  /** Reads the identities of which a port does not show the object id. */
  async identities(ports: Listed): Promise<Listed> {
    if (ports.kind === "unread") return ports;
    const own = ports.items.flatMap(identitiesOf);
    const shown = own.filter(({ principal }) => principal !== undefined).map(identityDocument);
    const hidden = own.filter(({ principal }) => principal === undefined);
    const each = hidden.map(({ id }) => this.#one(id, versions.identities));
    return joined([listed(shown), ...(await Promise.all(each))]);
  }

  async roles(vaults: Listed, identities: Listed): Promise<Listed> {
    if (vaults.kind === "unread") return vaults;
    if (identities.kind === "unread") return identities;
    const [id] = idsOf(vaults);
    if (id === undefined) {
      const next = "add the resource group of the vault to azure.scopes in the config";
      return { kind: "unread", why: "the vault is in no scope that is read", next };
    }
    const path = `${id}/providers/${listTypes.roles}`;
    const principals = identities.items.flatMap((each) => principalOf(each) ?? []);
    const each = principals.map((principal) =>
      this.#list(path, versions.roles, `assignedTo('${principal}')`),
    );
    return joined(await Promise.all(each));
  }

  /** Reads a list below each resource of `parents`: a child of its type, or of another provider. */
  async below(parents: Listed, name: keyof typeof resourceLists): Promise<Listed> {
    if (parents.kind === "unread") return parents;
    const type = listTypes[name];
    const child = type.split("/").at(-1);
    const each = idsOf(parents).map((id) => this.#list(`${id}/${child}`, versions[name]));
    return joined(await Promise.all(each));
  }

  async parts({ frontDoors, hubs }: GroupLists) {
    const [endpoints, originGroups, ruleSets] = await Promise.all([
      this.below(frontDoors, "endpoints"),
      this.below(frontDoors, "originGroups"),
      this.below(frontDoors, "ruleSets"),
    ]);
    return {
      endpoints,
      originGroups,
      ruleSets,
      rules: await this.below(ruleSets, "rules"),
      routes: await this.below(endpoints, "routes"),
      origins: await this.below(originGroups, "origins"),
      domains: await this.below(frontDoors, "domains"),
      policies: await this.below(frontDoors, "policies"),
      intents: await this.below(hubs, "intents"),
    };
  }

  async #one(id: string, version: string): Promise<Listed> {
    try {
      return listed([plain(await this.#read(id, { "api-version": version }, this.#signal))]);
    } catch (error) {
      return unreadFor(error, id);
    }
  }

  async #list(path: string, version: string, filter?: string): Promise<Listed> {
    const items: Resource[] = [];
    const terms = filter === undefined ? {} : { $filter: filter };
    let next: DocumentPage | undefined = { path, query: { "api-version": version, ...terms } };
    try {
      for (let page = 0; next !== undefined; page += 1) {
        if (page === pagesMax || items.length > itemsMax) {
          return unread(path, "the list is longer than is read");
        }
        const document = plain(await this.#read(next.path, next.query, this.#signal));
        const value = document["value"];
        if (!Array.isArray(value)) return unread(path, "no list came");
        items.push(...value.filter(isResource));
        next = nextPage(document["nextLink"]);
      }
      return listed(items);
    } catch (error) {
      return unreadFor(error, path);
    }
  }
}

function listed(items: readonly Resource[]): Listed {
  return { kind: "read", items, source: "scopes" };
}

/** Joins lists; the result is read only if every part is. */
function joined(parts: readonly Listed[]): Listed {
  const items: Resource[] = [];
  for (const part of parts) {
    if (part.kind === "unread") return part;
    items.push(...part.items);
  }
  return listed(items);
}

function idsOf({ items }: { readonly items: readonly Resource[] }): readonly string[] {
  return items.flatMap(({ id }) => (typeof id === "string" ? [id] : []));
}

function unreadFor(error: unknown, path: string): Listed {
  if (!(error instanceof LinksealError)) throw error;
  return unread(path, `${error.message} (${error.code})`);
}

function unread(path: string, why: string): Listed {
  const name = path.split("/providers/").at(-1) ?? path;
  return {
    kind: "unread",
    why: `${name}: ${why}`,
    next: "give the agent's identity Reader on these scopes",
  };
}

/**
 * Converts a parsed document to plain JSON: in it, numbers are objects that keep their spelling.
 */
function plain(document: unknown): Resource {
  const value: unknown = JSON.parse(JSON.stringify(document));
  return isResource(value) ? value : {};
}
