// The document of an ExpressRoute Direct port or LAG: reads one link from it, and returns the same
// document with this one link changed.

import type { PeerDetails, PeerState, PeerWant } from "#hal/device.ts";
import type { CipherSuite } from "#hal/model.ts";
import {
  isObject,
  type JsonObject,
  numberIn,
  textAt,
  valueAt,
  writeFaithful,
} from "../transport/arm-json.ts";

export type AzureLink = "link1" | "link2";

/** Thrown for a document that makes no sense; its text says why. */
export class OddDocument extends Error {}

const cipherNames: Readonly<Record<CipherSuite, string>> = {
  "gcm-aes-128": "GcmAes128",
  "gcm-aes-256": "GcmAes256",
  "gcm-aes-xpn-128": "GcmAesXpn128",
  "gcm-aes-xpn-256": "GcmAesXpn256",
};

/** Properties of a link that one write may change, besides `adminState`. */
const changing = ["cknSecretIdentifier", "cakSecretIdentifier", "cipher", "sciState"] as const;

/**
 * Reads the state of one link from the document alone; an operation may still be running.
 * @throws OddDocument if the document is not understood.
 */
export function stateOf(document: unknown, name: AzureLink): PeerState {
  const link = linkIn(document, name);
  const config = (key: (typeof changing)[number]): unknown =>
    valueAt(link, "properties", "macSecConfig", key);
  const states = {
    port: textAt(document, "properties", "provisioningState"),
    link: textAt(link, "properties", "provisioningState"),
  };
  return {
    pointsAt: idsOf(config("cakSecretIdentifier"), config("cknSecretIdentifier")),
    suite: suiteOf(config("cipher")),
    sci: config("sciState") === "Enabled" ? "on" : "off",
    admin: textAt(link, "properties", "adminState") === "Enabled" ? "up" : "down",
    provisioning: provisioningOf(states),
    revision: revisionOf(document),
    operation: undefined,
    details: { ...detailsOf(document, config("cipher"), states), ...lagOf(document, link) },
  };
}

/** Azure changes the etag with every update of the resource; without one the document stands. */
export function revisionOf(document: unknown): string {
  return textAt(document, "etag") ?? writeFaithful(document);
}

/** Returns true if the document names the end of the last change of its port. */
export function isAtRest({ provisioning }: PeerState): boolean {
  return provisioning === "settled" || provisioning === "failed";
}

/**
 * Returns what both links show while nothing of the port is being changed; undefined = something
 * is, or may be.
 */
export function pictureOf(document: unknown): string | undefined {
  const states = (["link1", "link2"] as const).map((name) => stateOf(document, name));
  if (!states.every(isAtRest)) return undefined;
  return JSON.stringify(
    states.map(({ pointsAt, suite, sci, admin, provisioning }) => [
      ...[pointsAt?.cakSecretId, pointsAt?.cknSecretId],
      ...[suite, sci, admin, provisioning],
    ]),
  );
}

/** A port carries one identity; more than a few are not worth a question each. */
const identitiesMax = 4;

function detailsOf(
  document: unknown,
  cipher: unknown,
  provisioning: PeerDetails["provisioning"],
): PeerDetails {
  const circuits = valueAt(document, "properties", "circuits");
  const ids = Array.isArray(circuits) ? circuits.map((entry) => textAt(entry, "id")) : [];
  const assigned = valueAt(document, "identity", "userAssignedIdentities");
  const identities = isObject(assigned) ? Object.keys(assigned) : [];
  return {
    identity: identities.length > 0 ? "present" : "missing",
    identities: identities.filter(isResourceId).slice(0, identitiesMax),
    bandwidthGbps: numberIn(valueAt(document, "properties", "bandwidthInGbps")),
    cipher: typeof cipher === "string" ? cipher : undefined,
    provisioning,
    failure: undefined,
    circuits: ids.filter((id) => id !== undefined && isResourceId(id)) as readonly string[],
  };
}

function lagOf(document: unknown, link: JsonObject): Pick<PeerDetails, "lag"> {
  const members = valueAt(link, "properties", "members");
  const least = numberIn(valueAt(document, "properties", "minimumActivePortsRequired"));
  if (!Array.isArray(members) || least === undefined) return {};
  return { lag: { members: members.length, least } };
}

/** Accepts only what may occur in the path of a request. */
function isResourceId(id: string): boolean {
  return /^\/subscriptions\/[A-Za-z0-9/._()-]{1,600}$/.test(id) && !/\/\.{1,2}(\/|$)/.test(id);
}

/**
 * Returns the document to write.
 * @throws OddDocument if it differs from what was read in more than this one link.
 */
export function withLink(document: unknown, name: AzureLink, want: PeerWant): unknown {
  const changed = replaceLink(document, name, (link) => linkWith(link, want));
  const masked = (whole: unknown): string => writeFaithful(replaceLink(whole, name, maskedLink));
  if (masked(document) === masked(changed)) return changed;
  throw new OddDocument("the write would touch more than one link");
}

function replaceLink(
  document: unknown,
  name: AzureLink,
  change: (link: JsonObject) => JsonObject,
): JsonObject {
  const own = linkIn(document, name);
  const links = linksIn(document).map((link) => (link === own ? change(link) : link));
  return {
    ...objectIn(document),
    properties: { ...objectIn(valueAt(document, "properties")), links },
  };
}

function linkWith(link: JsonObject, { key, suite, sci, admin }: PeerWant): JsonObject {
  const properties = partOf(link, "properties");
  return {
    ...link,
    properties: {
      ...properties,
      adminState: admin === "up" ? "Enabled" : "Disabled",
      macSecConfig: {
        ...partOf(properties, "macSecConfig"),
        cknSecretIdentifier: key.cknSecretId,
        cakSecretIdentifier: key.cakSecretId,
        cipher: cipherNames[suite],
        sciState: sci === "on" ? "Enabled" : "Disabled",
      },
    },
  };
}

function maskedLink(link: JsonObject): JsonObject {
  const properties = partOf(link, "properties");
  const mask = Object.fromEntries(changing.map((key) => [key, null]));
  // They come first in both, so that the order of the properties does not matter.
  const macSecConfig = { ...mask, ...partOf(properties, "macSecConfig"), ...mask };
  return {
    ...link,
    properties: {
      ...{ adminState: null, macSecConfig },
      ...properties,
      ...{ adminState: null, macSecConfig },
    },
  };
}

/** Azure always has two links, for a port as for a LAG. */
function linksIn(document: unknown): readonly JsonObject[] {
  const links = valueAt(document, "properties", "links");
  if (Array.isArray(links) && links.length === 2 && links.every(isObject)) return links;
  throw new OddDocument("it does not have two links");
}

function linkIn(document: unknown, name: AzureLink): JsonObject {
  const named = linksIn(document).filter((link) => textAt(link, "name")?.toLowerCase() === name);
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  throw new OddDocument(`it does not have one ${name}`);
}

/** MACsec is on when identifiers are set, whatever the cipher says. */
function idsOf(cak: unknown, ckn: unknown): PeerState["pointsAt"] {
  const [cakSecretId, cknSecretId] = [secretIdOf(cak), secretIdOf(ckn)];
  if (cakSecretId === undefined && cknSecretId === undefined) return undefined;
  // A single identifier is neither "off" nor a key that can exist.
  return { cakSecretId: cakSecretId ?? "", cknSecretId: cknSecretId ?? "" };
}

function secretIdOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string" || !/^[\x21-\x7e]{1,500}$/.test(value)) {
    throw new OddDocument("a secret identifier is not a URL");
  }
  // PowerShell writes the port number into what it calls the id of a secret.
  return value.replace(/^https:\/\/[^/?#]+/i, (origin) =>
    origin.toLowerCase().replace(/:443$/, ""),
  );
}

function suiteOf(cipher: unknown): CipherSuite | undefined {
  const suites = Object.keys(cipherNames) as CipherSuite[];
  return suites.find((suite) => cipherNames[suite] === cipher);
}

/**
 * Returns the worse of the port's and the link's state; a word that is none of Azure's three ends
 * is a change that runs.
 */
function provisioningOf({ port, link }: PeerDetails["provisioning"]): PeerState["provisioning"] {
  const states = [port, link];
  if (states.some((state) => state === "Failed" || state === "Canceled")) return "failed";
  // A link may have no state; a port always has one, and without it nothing shows an end.
  if (port === undefined && (link === undefined || link === "Succeeded")) return "unknown";
  const settled = port === "Succeeded" && (link === undefined || link === "Succeeded");
  return settled ? "settled" : "updating";
}

function objectIn(value: unknown): JsonObject {
  if (isObject(value)) return value;
  throw new OddDocument("it is not an object");
}

function partOf(from: JsonObject, key: string): JsonObject {
  const part = from[key];
  if (part === undefined || part === null) return {};
  if (isObject(part)) return part;
  throw new OddDocument(`${key} is not an object`);
}
