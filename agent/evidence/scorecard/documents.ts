// Exported documents of Azure: the resources in a file, as ARM, Resource Graph or the Azure CLI
// print them. The text is hostile until it is read here, with limits.

import { parseJson } from "#hal/json.ts";
import { fromOutside } from "#hal/outside.ts";
import {
  at,
  type Estate,
  identitiesOf,
  identityDocument,
  isFrontDoor,
  isResource,
  type Listed,
  type ListName,
  listNames,
  listTypes,
  type Resource,
} from "./estate.ts";
import { nameOf } from "./outcome.ts";

/** A file that could not be used, or a resource in it. */
export interface Refused {
  readonly file: string;
  readonly why: string;
}

/** A resource of a type that a row judges. */
interface Found {
  readonly list: ListName;
  /** The resource in ARM's form, or why it cannot be judged. */
  readonly resource: Resource | string;
}

/** One file, sorted by what the rows judge. */
export interface ParsedDocument {
  /** The name of the file in its folder. */
  readonly file: string;
  /** The resources that a row judges. */
  readonly found: readonly Found[];
  /** How many resources it contains that no row judges. */
  readonly others: number;
  /** What cannot be judged of it, with the reason; empty = nothing. */
  readonly refused: readonly Refused[];
}

/** The longest document that is parsed, in UTF-16 units. */
export const documentCharactersMax = 32 * 1024 * 1024;
const resourcesMax = 20_000;

/** Makes the document of a file that could not be read, for the given reason. */
export function refusedDocument(file: string, why: string): ParsedDocument {
  return { file, found: [], others: 0, refused: [{ file, why }] };
}

/** Parses one exported file; never throws. A text that is not one is refused, with the reason. */
export function parseDocument(file: string, text: string): ParsedDocument {
  const refuse = (why: string): ParsedDocument => refusedDocument(file, why);
  return fromOutside(
    () => {
      const value = parseJson(text, { characters: documentCharactersMax });
      const items = itemsOf(value);
      if (items === undefined) return refuse("it contains no resource and no list of resources");
      if (items.length > resourcesMax) return refuse(`it has more than ${resourcesMax} resources`);
      return cutShort(sorted(file, items), value);
    },
    (cause) =>
      refuse(
        cause instanceof SyntaxError
          ? "it is not JSON, or too long or too deep"
          : "it cannot be read",
      ),
  );
}

/** A resource, a list, a page of ARM (`value`), or an answer of Resource Graph (`data`). */
function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value.filter((each) => each !== null);
  if (typeOf(value) !== undefined) return [value];
  const list = [at(value, "value"), at(value, "data")].find((each) => Array.isArray(each));
  return list?.filter((each: unknown) => each !== null);
}

const unset: ReadonlySet<unknown> = new Set([undefined, null, "", false, "false"]);

/** An incomplete page makes the lists of the types in it unread, and is named with the reason. */
function cutShort(document: ParsedDocument, page: unknown): ParsedDocument {
  const why = incompleteOf(page);
  if (why === undefined) return document;
  const { file } = document;
  const found = document.found.map(({ list }) => ({ list, resource: `${file}: ${why}` }));
  return { ...document, found, refused: [{ file, why }, ...document.refused] };
}

/**
 * Returns why a page of ARM or of Resource Graph is not all that Azure has; undefined = it is all.
 * The Azure CLI writes the fields of Resource Graph in another case than its REST API.
 */
function incompleteOf(page: unknown): string | undefined {
  const set = (key: string): boolean => !unset.has(at(page, key));
  const more = ["nextLink", "@odata.nextLink", "skip_token", "skipToken", "$skipToken"].find(set);
  if (more !== undefined) return `it is one page of several (it has ${more}): export all pages`;
  const cut = ["resultTruncated", "result_truncated"].some(set);
  const total = at(page, "total_records") ?? at(page, "totalRecords");
  const count = itemsOf(page)?.length ?? 0;
  if (cut || (typeof total === "number" && total > count)) {
    return "it has fewer records than the query found: export all pages";
  }
  return undefined;
}

/** Returns the resource type in lower case, from `type` or else from the id. */
function typeOf(value: unknown): string | undefined {
  const type = at(value, "type");
  if (typeof type === "string" && /^[\w.]+(\/[\w.]+)+$/.test(type)) return type.toLowerCase();
  const id = at(value, "id");
  if (typeof id !== "string" || !id.includes("/providers/")) return undefined;
  const [provider = "", ...rest] = id.toLowerCase().split("/providers/").at(-1)?.split("/") ?? [];
  return [provider, ...rest.filter((_name, index) => index % 2 === 0)].join("/");
}

const listsByType: ReadonlyMap<string, ListName> = new Map([
  ...listNames.map((name) => [listTypes[name].toLowerCase(), name] as const),
  ["microsoft.network/expressroutelags", "ports"],
]);

function sorted(file: string, items: readonly unknown[]): ParsedDocument {
  const found: Found[] = [];
  const refused: Refused[] = [];
  let others = 0;
  for (const [index, item] of items.entries()) {
    const type = typeOf(item);
    const list = type === undefined ? undefined : listsByType.get(type);
    if (type === undefined || !isResource(item)) {
      refused.push({ file, why: `item ${index + 1} has no type and no resource id` });
    } else if (list === undefined) others += 1;
    else {
      const resource = inArmForm(list, item);
      found.push({ list, resource });
      if (typeof resource === "string") refused.push({ file, why: resource });
    }
  }
  return { file, found, others, refused: refused.length > 3 ? shortened(refused) : refused };
}

function shortened(refused: readonly Refused[]): readonly Refused[] {
  const [first, second] = refused;
  if (first === undefined || second === undefined) return refused;
  return [first, second, { ...first, why: `${refused.length - 2} more items like these` }];
}

/** The keys of a resource that are beside `properties` in ARM's form. */
const beside = new Set(
  [
    ...["id", "name", "type", "location", "tags", "etag", "sku", "identity", "kind", "zones"],
    ...["plan", "resourceGroup", "subscriptionId", "tenantId", "systemData", "managedBy"],
    ...["extendedLocation", "apiVersion"],
  ].map((key) => key.toLowerCase()),
);

/** A document of the Azure CLI has one of these if it is whole. */
const wholeSigns = ["provisioningState", "principalId", "scopes", "logs", "metrics"];

/**
 * Returns a resource with `properties`. The Azure CLI puts their contents beside `id`, in the
 * resource and in its parts; without a sign that the document is whole, the text says so.
 */
function inArmForm(list: ListName, item: Resource): Resource | string {
  if (isResource(item["properties"])) return withParts(list, item, item["properties"]);
  const isWhole = wholeSigns.some((key) => Object.hasOwn(item, key));
  if (isWhole && typeof item["id"] === "string") {
    const whole = wrapped(item);
    return withParts(list, whole, isResource(whole["properties"]) ? whole["properties"] : {});
  }
  return `${nameOf(item)} has no properties: export the whole resource`;
}

function wrapped(value: Resource): Resource {
  const entries = Object.entries(value).map(
    ([key, inner]) => [renamed.get(key) ?? key, wrappedParts(inner)] as const,
  );
  if (typeof value["id"] !== "string" || isResource(value["properties"])) {
    return Object.fromEntries(entries);
  }
  return divided(Object.fromEntries(entries));
}

/** Puts what is not beside `properties` in ARM's form into them. */
function divided(value: Resource): Resource {
  if (isResource(value["properties"])) return value;
  const entries = Object.entries(value);
  const isBeside = (key: string): boolean => beside.has(key.toLowerCase());
  return {
    ...Object.fromEntries(entries.filter(([key]) => isBeside(key))),
    properties: Object.fromEntries(entries.filter(([key]) => !isBeside(key))),
  };
}

function wrappedParts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wrappedParts);
  return isResource(value) ? wrapped(value) : value;
}

/** The lists of parts that the rows judge, whose entries have `properties` in ARM's form. */
const partLists: Partial<Record<ListName, readonly string[]>> = {
  ports: ["links"],
  circuits: ["peerings"],
  gateways: ["ipConfigurations"],
  interfaces: ["ipConfigurations"],
  securityGroups: ["securityRules"],
  firewalls: ["ipConfigurations", "natRuleCollections"],
  networks: ["subnets", "virtualNetworkPeerings"],
  routeTables: ["routes"],
  appGateways: [
    ...["httpListeners", "backendHttpSettingsCollection", "requestRoutingRules", "urlPathMaps"],
    "redirectConfigurations",
  ],
};

/** Azure always prints these lists: without them, a resource would look closed. */
const neededParts: Partial<Record<ListName, string>> = {
  interfaces: "ipConfigurations",
  securityGroups: "securityRules",
};

/** A security rule without one of each of these could be any rule. */
const ruleParts = [
  ["protocol"],
  ["access"],
  ["direction"],
  ["destinationPortRange", "destinationPortRanges"],
  ["sourceAddressPrefix", "sourceAddressPrefixes", "sourceApplicationSecurityGroups"],
];

/**
 * Returns a resource whose parts have `properties`. A query of the Azure CLI leaves the ids of
 * parts out, or their contents; the text says which contents are missing.
 */
function withParts(list: ListName, item: Resource, properties: Resource): Resource | string {
  const shaped: Record<string, unknown> = { ...properties };
  for (const key of partLists[list] ?? []) {
    const parts = at(properties, key);
    const why = `${nameOf(item)} has no readable ${key}: export the whole resource`;
    if (!Array.isArray(parts)) {
      if (parts !== undefined || neededParts[list] === key) return why;
      continue;
    }
    const whole = parts.map(partInArmForm);
    if (!whole.every((part) => isReadable(key, part))) return why;
    shaped[key] = whole;
  }
  return { ...item, properties: shaped };
}

function partInArmForm(part: unknown): unknown {
  if (!isResource(part)) return part;
  return isResource(part["properties"]) ? part : divided(wrapped(part));
}

function isReadable(key: string, part: unknown): boolean {
  const contents = at(part, "properties");
  if (!isResource(contents) || Object.keys(contents).length === 0) return false;
  if (key !== "securityRules") return true;
  return ruleParts.every((names) => names.some((name) => at(contents, name) !== undefined));
}

/** Names that older commands of the Azure CLI spell in another case. */
const renamed: ReadonlyMap<string, string> = new Map([
  ["privateIpAddress", "privateIPAddress"],
  ["publicIpAddress", "publicIPAddress"],
  ["hubIpAddresses", "hubIPAddresses"],
]);

/**
 * Makes an estate of documents. A list without a document, or with one that cannot be judged, is
 * unread: the documents do not show that there is nothing else.
 */
export function estateOfDocuments(documents: readonly ParsedDocument[]): Estate {
  const all = documents.flatMap(({ found }) => found);
  const lists = Object.fromEntries(
    listNames.map((name) => [name, listOf(name, all)] as const),
  ) as Record<ListName, Listed>;
  return { source: "documents", scopes: [], lists: { ...lists, identities: withShown(lists) } };
}

function listOf(name: ListName, all: readonly Found[]): Listed {
  const next = `export ${listTypes[name]} as JSON into the folder`;
  const items: Resource[] = [];
  for (const { list, resource } of all) {
    if (list !== name) continue;
    if (typeof resource === "string") return { kind: "unread", why: resource, next };
    items.push(resource);
  }
  if (items.length === 0) {
    return { kind: "unread", why: `the documents contain no ${listTypes[name]}`, next };
  }
  const kept = name === "frontDoors" ? items.filter(isFrontDoor) : items;
  return { kind: "read", items: kept, source: "documents" };
}

/** Some ports show the object ids of their identities themselves. */
function withShown({ ports, identities }: Readonly<Record<ListName, Listed>>): Listed {
  if (ports.kind === "unread") return identities;
  const shown = ports.items
    .flatMap(identitiesOf)
    .filter(({ principal }) => principal !== undefined)
    .map(identityDocument);
  if (shown.length === 0) return identities;
  const more = identities.kind === "read" ? identities.items : [];
  return { kind: "read", items: [...more, ...shown], source: "documents" };
}
