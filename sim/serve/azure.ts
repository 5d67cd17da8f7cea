// The simulated cloud for other processes: HTTPS on the loopback address, plain HTTP for the
// identity endpoints of this host, and the files that their clients need.

import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import {
  createServer as createPlain,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createSecure } from "node:https";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { LinksealError } from "#hal/error.ts";
import { federatedAudience } from "../azure/assertion.ts";
import { SimAzure, type SimAzureOptions } from "../azure/azure.ts";
import type { AzureHandler, AzureReply } from "../azure/http.ts";
import type { ArcChallenge } from "../azure/managed-identity.ts";
import type { Site } from "../site/site.ts";
import { Authority, type Certified, newAssertionKey, type Validity } from "./certificates.ts";
import { closeServer, listenAt, serveCall } from "./listener.ts";

export interface AzureServeOptions {
  /** A folder that only this user may enter; certificates and tokens are left in it. */
  readonly folder: string;
  /** The TCP port; 0 asks for any that is free. */
  readonly port: number;
  /** Builds the site whose vault's ids begin with this. */
  readonly site: (vaultBase: string) => Site;
  /** The defect of the server's certificate; none if absent. */
  readonly tls?: "wrongName" | "expired" | "unknownAuthority";
  /** The folder for key files of Azure Arc; one inside `folder` if absent. */
  readonly arcFolder?: string;
  /** Wraps the handler of the vault and of the management API. */
  readonly passing?: (handler: AzureHandler) => AzureHandler;
  readonly azure?: Partial<
    Pick<SimAzureOptions, "tokenForm" | "tokenLifetimeS" | "writers" | "bandwidthInGbps">
  >;
}

/** A running simulated cloud, with all that a client needs to reach it. */
export interface AzureServed {
  /** The cloud itself, for faults and recorded requests. */
  readonly azure: SimAzure;
  /** The site behind the cloud. */
  readonly site: Site;
  /** `https://localhost:PORT`: vault, authority and management API. */
  readonly base: string;
  /** The base URL of the metadata service and of App Service. */
  readonly local: string;
  /** The base URL of Azure Arc. */
  readonly arc: string;
  /** The path of the authority's certificate (PEM). */
  readonly ca: string;
  /** The tenant id. */
  readonly tenant: string;
  /** The client id of the agent's application. */
  readonly clientId: string;
  /** The path of the client's key and certificate, in one PEM file. */
  readonly certificate: string;
  /** The path of a file with a federated token (a JWT). */
  readonly federatedToken: string;
  /** The value of `IDENTITY_HEADER` that App Service would set. */
  readonly identityHeader: string;
  /**
   * The environment variables of a process that shall find everything but the federated token,
   * which would take precedence.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** Stops the servers. */
  close(): Promise<void>;
}

const loopback = "127.0.0.1";
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const pieces = 16;
const federatedIssuer = "https://issuer.invalid";
const subject = "linkseal-agent";

/** Listens, then builds the site; rejects if a port or the folder is not available. */
export async function serveAzure(options: AzureServeOptions): Promise<AzureServed> {
  const now = Date.now();
  const validity = { notBefore: now - hourMs, notAfter: now + 30 * dayMs };
  const authority = new Authority("linkseal simulated authority", validity);
  const parts: Late = { secure: undefined, local: undefined, arc: undefined };
  const leaf = leafOf(authority, options.tls, validity);
  const tls = { key: leaf.key, cert: leaf.certificate };
  const secure = createSecure(tls, listener(parts, "secure"));
  const local = createPlain(listener(parts, "local"));
  const arc = createPlain(listener(parts, "arc"));
  const servers = [secure, local, arc];
  const base = `https://localhost:${await listenAt(secure, options.port)}`;
  const at = {
    base,
    local: `http://${loopback}:${await listenAt(local, 0)}`,
    arc: `http://${loopback}:${await listenAt(arc, 0)}`,
  };
  const site = options.site(base);
  const identity = identityOf(site);
  const files = await leaveFiles(options, authority, identity.clientId, validity);
  const azure = new SimAzure({
    ...options.azure,
    ...{ site, prng: site.prng.fork("azure"), authority: base, arm: base, tenant: identity.tenant },
    apps: [
      {
        clientId: identity.clientId,
        certificates: [files.registered],
        federated: [{ issuer: federatedIssuer, subject, publicKey: files.issuerKey }],
      },
    ],
    wall: Date.now,
    identityHeader: identity.header,
    systemAssigned: identity.machine,
    userAssigned: [identity.user],
    arcChallenge: arcFiles(options.arcFolder ?? join(options.folder, "arc")),
  });
  const passed = options.passing?.(azure.secure) ?? azure.secure;
  Object.assign(parts, { secure: passed, local: azure.local, arc: azure.arc, site });
  const { ca, certificate, federatedToken } = files;
  const { tenant, clientId, header: identityHeader } = identity;
  const places = { ...at, ca, certificate, federatedToken, tenant, clientId, identityHeader };
  return {
    ...places,
    azure,
    site,
    environment: environmentOf(places),
    close: async () => {
      await Promise.all(servers.map(closeServer));
    },
  };
}

interface Late {
  secure: AzureHandler | undefined;
  local: AzureHandler | undefined;
  arc: AzureHandler | undefined;
  site?: Site;
}

function leafOf(
  authority: Authority,
  wrong: AzureServeOptions["tls"],
  validity: Validity,
): Certified {
  const names = ["localhost", "*.vault.localhost"];
  const addresses = [loopback, "::1"];
  switch (wrong) {
    case undefined:
      return authority.server(validity, names, addresses);
    case "wrongName":
      return authority.server(validity, ["elsewhere.invalid"], []);
    case "expired": {
      const past = { notBefore: validity.notBefore - 2 * dayMs, notAfter: validity.notBefore };
      return authority.server(past, names, addresses);
    }
    case "unknownAuthority":
      return new Authority("linkseal unknown authority", validity).server(
        validity,
        names,
        addresses,
      );
  }
}

function identityOf(site: Site) {
  const prng = site.prng.fork("azure identity");
  const uuid = (): string => prng.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const port = site.plan.groups[0]?.expressRoutePort ?? "";
  const resourceGroup = port.split("/providers/")[0] ?? "";
  const named = (name: string) => ({
    clientId: uuid(),
    objectId: uuid(),
    resourceId: `${resourceGroup}/${name}`,
  });
  const machine = named("providers/Microsoft.HybridCompute/machines/edge");
  const user = named("providers/Microsoft.ManagedIdentity/userAssignedIdentities/linkseal");
  // Both ways share one client id, since `AZURE_CLIENT_ID` is read for both.
  return { tenant: uuid(), clientId: user.clientId, header: uuid(), machine, user };
}

async function leaveFiles(
  { folder }: AzureServeOptions,
  authority: Authority,
  clientId: string,
  validity: Validity,
) {
  const client = authority.client("linkseal-agent", validity);
  const issuer = newAssertionKey();
  const token = issuer.signed({
    ...{ iss: federatedIssuer, sub: subject, aud: federatedAudience, jti: clientId },
    nbf: Math.floor(validity.notBefore / 1000),
    exp: Math.floor(validity.notAfter / 1000),
  });
  const ca = join(folder, "ca.pem");
  const certificate = join(folder, "client.pem");
  const federatedToken = join(folder, "federated-token");
  await writeFile(ca, authority.certificate, { mode: 0o644 });
  await writeFile(certificate, `${client.key}${client.certificate}`, { mode: 0o600 });
  await writeFile(federatedToken, token, { mode: 0o600 });
  const issuerKey = issuer.publicKey;
  return { ca, certificate, federatedToken, registered: client.certificate, issuerKey };
}

/** Writes one key file at a time, as the agent of Arc does. */
function arcFiles(folder: string): () => Promise<ArcChallenge> {
  let last: string | undefined;
  return async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (last !== undefined) await rm(last, { force: true });
    const path = join(folder, `${randomBytes(8).toString("hex")}.key`);
    const key = randomBytes(32).toString("hex");
    await writeFile(path, key, { mode: 0o640 });
    last = path;
    return { path, key };
  };
}

type ServedAt = Pick<AzureServed, "base" | "local" | "ca" | "tenant" | "clientId"> &
  Pick<AzureServed, "certificate" | "identityHeader">;

function environmentOf(places: ServedAt): Readonly<Record<string, string>> {
  return {
    AZURE_AUTHORITY_HOST: places.base,
    NODE_EXTRA_CA_CERTS: places.ca,
    AZURE_TENANT_ID: places.tenant,
    AZURE_CLIENT_ID: places.clientId,
    AZURE_CLIENT_CERTIFICATE_PATH: places.certificate,
    IDENTITY_ENDPOINT: `${places.local}/msi/token`,
    IDENTITY_HEADER: places.identityHeader,
    NO_PROXY: "localhost,127.0.0.1",
  };
}

function listener(parts: Late, which: "secure" | "local" | "arc"): RequestListener {
  return (request, response) => {
    const handler = parts[which];
    if (handler === undefined || parts.site === undefined) response.destroy();
    else void answer(handler, parts.site, request, response);
  };
}

function answer(
  handler: AzureHandler,
  site: Site,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const { method = "", url: path = "" } = request;
  return serveCall(request, response, async (body, gone) => {
    const asked = { host: headers["host"] ?? "", method, path, headers, body };
    try {
      await send(response, await handler(asked, gone), site.speed(), gone);
    } catch (error) {
      if (!(error instanceof LinksealError && error.code === "transport.closed")) throw error;
      response.destroy();
    }
  });
}

async function send(
  response: ServerResponse,
  { status, headers, body, bodyMs = 0 }: AzureReply,
  speed: number,
  signal: AbortSignal,
): Promise<void> {
  const octets = Buffer.from(body);
  response.writeHead(status, { ...headers, "content-length": octets.length });
  const step = bodyMs === 0 ? octets.length : Math.ceil(octets.length / pieces);
  for (let at = 0; at < octets.length; at += step) {
    response.write(octets.subarray(at, at + step));
    if (bodyMs > 0) await rest(bodyMs / pieces / speed, undefined, { signal });
  }
  response.end();
}
