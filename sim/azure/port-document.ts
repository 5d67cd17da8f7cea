// The resource of an ExpressRoute Direct port or LAG: the bodies that a PUT accepts, and the
// document that a GET returns. Properties that are not modelled here are part of the document at
// every level.

import { createHash } from "node:crypto";
import type { PeerState } from "#hal/device.ts";
import type { CipherSuite } from "#hal/model.ts";
import type { AzureLink, LinkDocument, Msee } from "../site/msee.ts";
import { exactNumber, isObject, type JsonObject, textOf } from "./http.ts";

type PortKind = "expressRoutePorts" | "expressRouteLags";

/** The state that Azure keeps of a port besides what the hardware model knows. */
export interface PortRecord {
  readonly id: string;
  readonly kind: PortKind;
  readonly msee: Msee;
  raw: JsonObject;
}

/** The valid request of a PUT. */
export interface PortChange {
  readonly raw: JsonObject;
  /** The links whose settings the request changes. */
  readonly links: ReadonlyMap<AzureLink, LinkDocument>;
}

const azureLinks: readonly AzureLink[] = ["link1", "link2"];

const ciphers: Readonly<Record<CipherSuite, string>> = {
  "gcm-aes-128": "GcmAes128",
  "gcm-aes-256": "GcmAes256",
  "gcm-aes-xpn-128": "GcmAesXpn128",
  "gcm-aes-xpn-256": "GcmAesXpn256",
};

const readOnly = [
  "provisioningState",
  "provisionedBandwidthInGbps",
  "mtu",
  "etherType",
  "allocationDate",
  "resourceGuid",
  "circuits",
];
const readOnlyOfLink = [
  "provisioningState",
  "routerName",
  "interfaceName",
  "patchPanelId",
  "rackId",
  "coloLocation",
  "connectorType",
];
const fixed = ["peeringLocation", "bandwidthInGbps"];
/** The place of every port. */
export const peeringLocation = "Equinix-Seattle-SE2";

/** The identity that the port presents to Key Vault. */
export const portIdentity = {
  principalId: "99999999-8888-7777-6666-555555555555",
  clientId: "99999999-8888-7777-6666-444444444444",
} as const;

/** Returns the document of the identity that a port has, by the port's resource id. */
export function identityDocument(port: string): JsonObject {
  const id = identityOf(port);
  return {
    ...{ id, name: id.split("/").at(-1), type: "Microsoft.ManagedIdentity/userAssignedIdentities" },
    location: "westus",
    properties: { ...portIdentity, tenantId: "11111111-2222-3333-4444-555555555555" },
  };
}

function identityOf(port: string): string {
  const [group = "", rest = ""] = port.split("/providers/");
  const identities = "providers/Microsoft.ManagedIdentity/userAssignedIdentities";
  return `${group}/${identities}/${rest.split("/").at(-1)}-macsec`;
}

/** Returns the ids of the identities that a port's document names. */
export function identitiesOf(document: JsonObject): readonly string[] {
  return Object.keys(objectAt(objectAt(document, "identity"), "userAssignedIdentities"));
}

export interface PortOptions {
  readonly msee: Msee;
  readonly bandwidthInGbps: number;
  readonly circuit: string;
}

export function newPort({ msee, bandwidthInGbps, circuit }: PortOptions): PortRecord {
  const kind = /\/expressRouteLags\//i.test(msee.name) ? "expressRouteLags" : "expressRoutePorts";
  const name = msee.name.split("/").at(-1) ?? "";
  const lag = { numberOfPorts: 2, minimumActivePortsRequired: 1, lacpTimer: "Fast" };
  const raw = {
    name,
    id: msee.name,
    type: `Microsoft.Network/${kind}`,
    location: "westus",
    tags: { owner: "network" },
    // The service writes the type in this case and leaves the ids of the identity out.
    identity: { type: "userAssigned", userAssignedIdentities: { [identityOf(msee.name)]: {} } },
    simExtension: { kept: true },
    properties: {
      peeringLocation,
      bandwidthInGbps,
      encapsulation: "QinQ",
      billingType: "UnlimitedData",
      provisionedBandwidthInGbps: 0,
      mtu: "1500",
      etherType: "0x8100",
      allocationDate: "2026-01-15",
      resourceGuid: createHash("md5").update(msee.name).digest("hex"),
      circuits: [{ id: circuit }],
      ...(kind === "expressRouteLags" ? lag : {}),
      simPortExtension: {
        serial: exactNumber("12345678901234567890"),
        share: exactNumber("1.50"),
        list: [1, "two", null],
      },
      links: azureLinks.map((link) => newLink(msee.name, link, kind)),
    },
  };
  return { id: msee.name, kind, msee, raw };
}

function newLink(port: string, name: AzureLink, kind: PortKind): JsonObject {
  const index = name === "link1" ? 1 : 2;
  const members = [1, 2].map((member) => ({ name: `${name}-member${member}` }));
  return {
    name,
    id: `${port}/links/${name}`,
    properties: {
      routerName: `sea-06gmr-cis-${index}`,
      interfaceName: `HundredGigE0/0/0/${index}`,
      patchPanelId: `PP:0${index}`,
      rackId: `SEA${index}.01`,
      coloLocation: "SEA",
      connectorType: "LC",
      ...(kind === "expressRouteLags" ? { members } : {}),
      macSecConfig: { simKeyExtension: "kept" },
      simLinkExtension: index,
    },
  };
}

/** Returns the document as a GET shows it now. */
export function portDocument({ raw, msee }: PortRecord): JsonObject {
  const properties = objectAt(raw, "properties");
  const states = azureLinks.map((link) => msee.resource(link).provisioning);
  const body = {
    ...raw,
    properties: {
      ...properties,
      provisioningState: stateOf(states),
      links: linksOf(raw).map((link) => linkDocument(link, msee)),
    },
  };
  const etag = etagOf({ ...body, revision: msee.resource("link1").revision });
  const links = linksOf(body).map((link) => ({ ...link, etag }));
  return { ...body, etag, properties: { ...body.properties, links } };
}

function linkDocument(raw: JsonObject, msee: Msee): JsonObject {
  const state = msee.resource(linkName(raw) ?? "link1");
  const { pointsAt, suite, sci, admin, provisioning } = state;
  const properties = objectAt(raw, "properties");
  const config = objectAt(properties, "macSecConfig");
  const unknown = Object.fromEntries(Object.entries(config).filter(([name]) => !isKeyField(name)));
  // A port from before the setting shows it only after a client has written it.
  const showsSci = sci === "on" || config["sciState"] !== undefined;
  return {
    ...raw,
    properties: {
      ...properties,
      adminState: admin === "up" ? "Enabled" : "Disabled",
      provisioningState: stateOf([provisioning]),
      macSecConfig: {
        ...(pointsAt === undefined
          ? {}
          : {
              cknSecretIdentifier: pointsAt.cknSecretId,
              cakSecretIdentifier: pointsAt.cakSecretId,
            }),
        ...(suite === undefined ? {} : { cipher: ciphers[suite] }),
        ...(showsSci ? { sciState: sci === "on" ? "Enabled" : "Disabled" } : {}),
        ...unknown,
      },
    },
  };
}

/** Replaces the tags, as a PATCH does; returns a sentence if Azure would refuse them. */
export function retagged(record: PortRecord, body: JsonObject | undefined): string | undefined {
  const tags = body?.["tags"];
  if (!isObject(tags) || !Object.values(tags).every((text) => typeof text === "string")) {
    return "The tags are not valid.";
  }
  record.raw = { ...record.raw, tags };
  return undefined;
}

/** Reads the body of a PUT; returns a sentence if Azure would refuse it. */
export function changeOf(record: PortRecord, body: JsonObject): PortChange | string {
  const { raw } = record;
  const given = body["properties"];
  if (!isObject(given)) return "The request has no properties.";
  if (textOf(body["location"])?.toLowerCase() !== raw["location"]) {
    return "The location is missing or cannot be changed.";
  }
  const properties = objectAt(raw, "properties");
  const moved = fixed.find(
    (name) => given[name] !== undefined && written(given[name]) !== written(properties[name]),
  );
  if (moved !== undefined) return `The property ${moved} cannot be changed.`;
  const kept = pick(properties, [...readOnly, ...fixed]);
  const links = mergedLinks(raw, given["links"]);
  if (typeof links === "string") return links;
  const next = {
    ...body,
    ...pick(raw, ["id", "name", "type", "location"]),
    properties: { ...given, ...kept, links },
  };
  return soundChange(record, next);
}

function soundChange(record: PortRecord, raw: JsonObject): PortChange | string {
  const changes = new Map<AzureLink, LinkDocument>();
  for (const link of linksOf(raw)) {
    const name = linkName(link) ?? "link1";
    const wanted = wantedOf(objectAt(link, "properties"), record.msee.resource(name));
    if (typeof wanted === "string") return `${name}: ${wanted}`;
    const { suite, pointsAt } = wanted;
    if (pointsAt !== undefined && !isObject(raw["identity"])) {
      return `${name}: MACsec needs a user-assigned identity on the port.`;
    }
    const slow = Number(objectAt(record.raw, "properties")["bandwidthInGbps"]) <= 10;
    if (slow && suite?.includes("xpn") === true) {
      return `${name}: the cipher is not supported at this bandwidth.`;
    }
    if (!isSame(wanted, record.msee.resource(name))) changes.set(name, wanted);
  }
  return { raw, links: changes };
}

// Merges the links of a body into the document: a link that the body leaves out stays as it is, and
// a link that it names becomes as in the body, except for Azure's read-only properties.
function mergedLinks(raw: JsonObject, given: unknown): readonly JsonObject[] | string {
  const before = linksOf(raw);
  if (given === undefined) return before;
  if (!Array.isArray(given)) return "The property links is no list.";
  const named = new Map<AzureLink, JsonObject>();
  for (const link of given as readonly unknown[]) {
    const name = isObject(link) ? linkName(link) : undefined;
    if (!isObject(link) || name === undefined || named.has(name)) {
      return "Links cannot be added, removed or named twice.";
    }
    named.set(name, link);
  }
  return before.map((link) => {
    const asked = named.get(linkName(link) ?? "link1");
    if (asked === undefined || !isObject(asked["properties"])) return link;
    const own = pick(objectAt(link, "properties"), readOnlyOfLink);
    const properties = { ...asked["properties"], ...own };
    return { ...asked, ...pick(link, ["id", "name"]), properties };
  });
}

function wantedOf(properties: JsonObject, now: LinkDocument): LinkDocument | string {
  const admin = properties["adminState"];
  if (admin !== undefined && admin !== "Enabled" && admin !== "Disabled") {
    return "adminState is not valid.";
  }
  const state = admin === undefined ? now.admin : admin === "Enabled" ? "up" : "down";
  const config = properties["macSecConfig"];
  if (config === undefined || config === null) return { ...now, admin: state };
  if (!isObject(config)) return "macSecConfig is no object.";
  const { cipher, sciState } = config;
  const suite = Object.entries(ciphers).find(([, name]) => name === cipher)?.[0];
  if (cipher !== undefined && cipher !== null && suite === undefined) return "cipher is not valid.";
  if (!(sciState === undefined || sciState === "Enabled" || sciState === "Disabled")) {
    return "sciState is not valid.";
  }
  const pointsAt = secretsOf(config);
  if (typeof pointsAt === "string") return pointsAt;
  return {
    admin: state,
    suite: suite as CipherSuite | undefined,
    sci: sciState === "Enabled" ? "on" : "off",
    pointsAt,
  };
}

function secretsOf(config: JsonObject): LinkDocument["pointsAt"] | string {
  const cknSecretId = config["cknSecretIdentifier"] ?? undefined;
  const cakSecretId = config["cakSecretIdentifier"] ?? undefined;
  if (cknSecretId === undefined && cakSecretId === undefined) return undefined;
  if (typeof cknSecretId !== "string" || typeof cakSecretId !== "string") {
    return "both secret identifiers are needed, or none.";
  }
  const form = /^https:\/\/[^/?#]+\/secrets\/[0-9A-Za-z-]{1,127}(\/[0-9a-f]{32})?$/;
  if (!form.test(cknSecretId) || !form.test(cakSecretId))
    return "a secret identifier is malformed.";
  return { cknSecretId, cakSecretId };
}

function isSame(a: LinkDocument, b: LinkDocument): boolean {
  return (
    a.admin === b.admin &&
    a.suite === b.suite &&
    a.sci === b.sci &&
    a.pointsAt?.cakSecretId === b.pointsAt?.cakSecretId &&
    a.pointsAt?.cknSecretId === b.pointsAt?.cknSecretId
  );
}

function isKeyField(name: string): boolean {
  return /^(cknSecretIdentifier|cakSecretIdentifier|cipher|sciState)$/.test(name);
}

function stateOf(states: readonly PeerState["provisioning"][]): string {
  if (states.includes("updating")) return "Updating";
  return states.includes("failed") ? "Failed" : "Succeeded";
}

function written(value: unknown): string {
  return JSON.stringify(value);
}

function etagOf(document: JsonObject): string {
  const hash = createHash("sha256").update(written(document)).digest("hex");
  return `W/"${hash.slice(0, 8)}-${hash.slice(8, 12)}-${hash.slice(12, 24)}"`;
}

export function linksOf(document: JsonObject): readonly JsonObject[] {
  const links = objectAt(document, "properties")["links"];
  return Array.isArray(links) ? links.filter(isObject) : [];
}

function linkName(link: JsonObject): AzureLink | undefined {
  const name = textOf(link["name"])?.toLowerCase();
  return azureLinks.find((one) => one === name);
}

function objectAt(from: JsonObject, name: string): JsonObject {
  const value = from[name];
  return isObject(value) ? value : {};
}

function pick(from: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
}
