// The Microsoft end of a link: one expressRoutePort (or LAG) document holds both links, and one
// write changes exactly one of them.

import type { PeerPort, PeerState, PeerWant } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { CipherSuite } from "#hal/model.ts";
import type { Arm } from "./transport/arm.ts";
import { writeFaithful } from "./transport/arm-json.ts";

export interface ExpressRouteLink {
  /** Resource id of the port or LAG. */
  readonly resource: string;
  readonly link: "link1" | "link2";
  /** The operation that the journal names last; undefined = none. */
  readonly operation: () => string | undefined;
}

/** Has all of MACsec (2024-05-01); LAGs came later. */
const portVersion = "2024-05-01";
const lagVersion = "2026-01-01";

const cipherNames: Readonly<Record<CipherSuite, string>> = {
  "gcm-aes-128": "GcmAes128",
  "gcm-aes-256": "GcmAes256",
  "gcm-aes-xpn-128": "GcmAesXpn128",
  "gcm-aes-xpn-256": "GcmAesXpn256",
};

interface Parts extends ExpressRouteLink {
  readonly arm: Arm;
}

/** The far ends behind one management API; writes to one document wait for each other. */
export function expressRoute(arm: Arm): (link: ExpressRouteLink) => PeerPort {
  const lines = new Map<string, Promise<void>>();
  const inTurn = async (resource: string, work: () => Promise<void>): Promise<void> => {
    const key = resource.toLowerCase();
    const turn = (lines.get(key) ?? Promise.resolve()).then(work);
    lines.set(
      key,
      turn.catch(() => undefined),
    );
    await turn;
  };
  return (link) => peer({ ...link, arm }, inTurn);
}

function peer(
  parts: Parts,
  inTurn: (resource: string, work: () => Promise<void>) => Promise<void>,
): PeerPort {
  /** Operations that were seen to end. */
  const ended = new Map<string, "succeeded" | "failed">();
  return {
    async observe(signal) {
      const document = await read(parts, signal);
      const state = stateOf(document, parts);
      const operation = parts.operation();
      if (operation === undefined || ended.get(operation) === "succeeded") return state;
      const known = ended.get(operation) ?? (await parts.arm.operation(operation, signal));
      if (known !== "running") ended.set(operation, known);
      // A document may read "Succeeded" before the operation has even begun.
      if (known === "running") return { ...state, provisioning: "updating", operation };
      return known === "failed" ? { ...state, provisioning: "failed" } : state;
    },
    put: (want, accepted, signal) =>
      inTurn(parts.resource, () => write(parts, want, accepted, signal)),
  };
}

function versionOf(resource: string): string {
  return /\/expressRouteLags\//i.test(resource) ? lagVersion : portVersion;
}

async function read({ arm, resource }: Parts, signal: AbortSignal): Promise<Json> {
  const document = await arm.get(resource, versionOf(resource), signal);
  return objectIn(document, resource);
}

/** GET, change one link, prove that the rest is equal, PUT. */
async function write(
  parts: Parts,
  want: PeerWant,
  accepted: (operation: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { arm, resource, link } = parts;
  const document = await read(parts, signal);
  const before = stateOf(document, parts);
  if (isAsWanted(before, want)) return;
  if (before.provisioning === "updating") {
    throw refused(resource, "the port is being changed by somebody: nothing was written");
  }
  const changed = withLink(document, link, want, resource);
  if (writeFaithful(masked(document, link)) !== writeFaithful(masked(changed, link))) {
    throw refused(resource, "the write would touch more than one link: nothing was written");
  }
  const operation = await arm.put(resource, versionOf(resource), changed, signal);
  if (operation !== undefined) await accepted(operation);
}

function isAsWanted(state: PeerState, { key, suite, sci, admin }: PeerWant): boolean {
  return (
    state.provisioning === "settled" &&
    state.pointsAt?.cakSecretId === key.cakSecretId &&
    state.pointsAt.cknSecretId === key.cknSecretId &&
    state.suite === suite &&
    state.sci === sci &&
    state.admin === admin
  );
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectIn(value: unknown, resource: string): Json {
  if (isObject(value)) return value;
  throw unparsed(resource, "the document is no object");
}

function linksOf(document: Json, resource: string): readonly Json[] {
  const properties = document["properties"];
  const links = isObject(properties) ? properties["links"] : undefined;
  if (!Array.isArray(links) || links.length !== 2 || !links.every(isObject)) {
    throw unparsed(resource, "the document does not hold two links");
  }
  return links;
}

function linkIn(document: Json, link: string, resource: string): Json {
  const found = linksOf(document, resource).filter(({ name }) => name === link);
  const [only] = found;
  if (only === undefined || found.length !== 1) throw unparsed(resource, `it holds no one ${link}`);
  return only;
}

function withLink(document: Json, link: string, want: PeerWant, resource: string): Json {
  linkIn(document, link, resource);
  const properties = objectIn(document["properties"], resource);
  const links = linksOf(document, resource).map((entry) =>
    entry["name"] === link ? linkWith(entry, want) : entry,
  );
  return { ...document, properties: { ...properties, links } };
}

function linkWith(entry: Json, { key, suite, sci, admin }: PeerWant): Json {
  const properties = isObject(entry["properties"]) ? entry["properties"] : {};
  const before = isObject(properties["macSecConfig"]) ? properties["macSecConfig"] : {};
  const macSecConfig = {
    ...before,
    cknSecretIdentifier: key.cknSecretId,
    cakSecretIdentifier: key.cakSecretId,
    cipher: cipherNames[suite],
    sciState: sci === "on" ? "Enabled" : "Disabled",
  };
  const adminState = admin === "up" ? "Enabled" : "Disabled";
  return { ...entry, properties: { ...properties, adminState, macSecConfig } };
}

/** The document without what one write may change. */
function masked(document: Json, link: string): Json {
  const properties = isObject(document["properties"]) ? document["properties"] : {};
  const links = Array.isArray(properties["links"]) ? properties["links"] : [];
  return {
    ...document,
    properties: {
      ...properties,
      links: links.map((entry: unknown) =>
        isObject(entry) && entry["name"] === link ? maskedLink(entry) : entry,
      ),
    },
  };
}

const changing = ["cknSecretIdentifier", "cakSecretIdentifier", "cipher", "sciState"];

function maskedLink(entry: Json): Json {
  const properties = isObject(entry["properties"]) ? entry["properties"] : {};
  const config = isObject(properties["macSecConfig"]) ? properties["macSecConfig"] : {};
  const kept = Object.fromEntries(
    Object.entries(config).filter(([key]) => !changing.includes(key)),
  );
  return { ...entry, properties: { ...properties, adminState: null, macSecConfig: kept } };
}

function stateOf(document: Json, { resource, link }: Parts): PeerState {
  const entry = linkIn(document, link, resource);
  const own = isObject(entry["properties"]) ? entry["properties"] : {};
  const port = isObject(document["properties"]) ? document["properties"] : {};
  const config = isObject(own["macSecConfig"]) ? own["macSecConfig"] : {};
  const cakSecretId = secretId(config["cakSecretIdentifier"]);
  const cknSecretId = secretId(config["cknSecretIdentifier"]);
  const on = cakSecretId !== undefined && cknSecretId !== undefined;
  return {
    // MACsec is on when both identifiers are set, whatever the cipher says.
    pointsAt: on ? { cakSecretId, cknSecretId } : undefined,
    suite: suiteOf(config["cipher"]),
    sci: config["sciState"] === "Enabled" ? "on" : "off",
    admin: own["adminState"] === "Enabled" ? "up" : "down",
    provisioning: provisioningOf(port["provisioningState"], own["provisioningState"]),
    operation: undefined,
  };
}

function secretId(value: unknown): string | undefined {
  return typeof value === "string" && /^https:\/\/[\x21-\x7e]{1,500}$/.test(value)
    ? value
    : undefined;
}

function suiteOf(value: unknown): CipherSuite | undefined {
  const suites = Object.keys(cipherNames) as CipherSuite[];
  return suites.find((suite) => cipherNames[suite] === value);
}

/** The worse of the port's and the link's; a state nobody knows is not settled. */
function provisioningOf(...states: readonly unknown[]): PeerState["provisioning"] {
  if (states.some((state) => state === "Failed" || state === "Canceled")) return "failed";
  const settled = states.every((state) => state === "Succeeded" || state === undefined);
  return settled && states[0] === "Succeeded" ? "settled" : "updating";
}

function refused(resource: string, text: string): LinksealError {
  const where = resource.split("/").at(-1) ?? resource;
  return new LinksealError("peer.rejected", text, {
    effect: "none",
    where,
    next: "linkseal doctor",
  });
}

function unparsed(resource: string, text: string): LinksealError {
  const where = resource.split("/").at(-1) ?? resource;
  return new LinksealError("device.unparsed", `Azure's answer was not understood: ${text}`, {
    effect: "none",
    where,
    next: "linkseal doctor",
  });
}
