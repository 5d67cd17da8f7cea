// The management API (ARM) of one subscription: ports and LAGs with both their links, operations
// that take their time, and the readable properties of circuits, connections and metrics.

import { LinksealError } from "#hal/error.ts";
import type { Prng } from "../base/prng.ts";
import type { AzureLink, LinkDocument, Msee } from "../site/msee.ts";
import type { Site } from "../site/site.ts";
import type { PlannedTunnel } from "../site/site-plan.ts";
import {
  circuitDocument,
  circuitsOf,
  connectionDocument,
  connectionId,
  meteredCircuit,
  meteredPort,
  peeringDocument,
  readLink,
} from "./estate.ts";
import {
  type AzureReply,
  type AzureRequest,
  bearerOf,
  exactObjectOf,
  type JsonObject,
  objectOf,
  type Route,
  refusal,
  reply,
} from "./http.ts";
import { Monitor } from "./monitor.ts";
import {
  changeOf,
  identitiesOf,
  linksOf,
  newPort,
  type PortRecord,
  portDocument,
} from "./port-document.ts";
import { Posture } from "./posture.ts";
import { neededFor, neededToFollow, Roles } from "./roles.ts";
import { type SharedKeyOperation, SharedKeys } from "./shared-keys.ts";
import type { Tokens } from "./tokens.ts";
import { typeOf, versionsOf } from "./versions.ts";
import {
  isLink,
  linkDocument,
  linkKeyDocument,
  linkKeyIn,
  linkOfKey,
  vpnGatewaysAt,
} from "./virtual-wan.ts";

export interface ArmOptions {
  readonly site: Site;
  readonly prng: Prng;
  readonly tokens: Tokens;
  /** The base URL at which operations are polled, such as `https://localhost:8443`. */
  readonly base: string;
  readonly authority: string;
  readonly tenant: string;
  readonly audiences: readonly string[];
  readonly bandwidthInGbps: number;
}

interface Operation {
  readonly msee: Msee;
  readonly id: string;
}

const retryVirtualS = 10;
const permissions = "/providers/microsoft.authorization/permissions";

export class Arm {
  readonly ports: ReadonlyMap<string, PortRecord>;
  readonly posture: Posture;
  readonly sharedKeys: SharedKeys;
  /** What the clients may do, and what a test takes away from them. */
  readonly roles: Roles;
  readonly #options: ArmOptions;
  readonly #operations = new Map<string, Operation>();
  /** The connection of each operation that sets a shared key. */
  readonly #connections = new Map<string, string>();
  readonly #monitor: Monitor;

  constructor(options: ArmOptions) {
    this.#options = options;
    const { site, bandwidthInGbps } = options;
    const circuits = circuitsOf(site);
    this.posture = new Posture({ site, vaultUri: site.vault.base });
    this.sharedKeys = new SharedKeys(site, options.prng.fork("shared keys"));
    this.ports = new Map(
      [...site.msees.values()].map((msee) => {
        const circuit = circuits.find(({ port }) => port === msee.name)?.id ?? "";
        return [msee.name.toLowerCase(), newPort({ msee, bandwidthInGbps, circuit })];
      }),
    );
    const records = [...this.ports.values()];
    const ports = records.map(({ id, raw }) => ({ id, identities: identitiesOf(raw) }));
    this.roles = new Roles(ports, () =>
      records
        .filter(({ msee }) => msee.hasFault("rightWithheld"))
        .map(({ id, kind }) => ({ action: `Microsoft.Network/${kind}/write`, scope: id })),
    );
    this.#monitor = new Monitor({
      clock: site.clock,
      links: site.links.map(({ id }) => id),
      read: (link) => readLink(site, link),
    });
  }

  /** Answers a request for any path under `/subscriptions`. */
  answer(request: AzureRequest, route: Route): AzureReply {
    const stranger = this.#stranger(request);
    if (stranger !== undefined) return stranger;
    const version = route.query.get("api-version");
    if (version === undefined) {
      return bad("MissingApiVersionParameter", "The api-version query parameter is required.");
    }
    const insights = "/providers/microsoft.insights/metrics";
    const path = `/${route.segments.join("/")}`.toLowerCase();
    const unpublished = this.#unpublished(path, version);
    if (unpublished !== undefined) return unpublished;
    if (path.includes("/providers/microsoft.network/locations/")) return this.#poll(path);
    const refused = this.roles.refuse(neededFor(route.method, path));
    if (refused !== undefined) return refused;
    if (path.endsWith(permissions)) {
      return this.#permissions(path.slice(0, -permissions.length), route);
    }
    if (path.endsWith(insights)) return this.#metrics(path.slice(0, -insights.length), route);
    return (
      this.#port(request, route, path, version) ??
      this.#sharedKey(request, route, path, version) ??
      this.#other(route, path)
    );
  }

  #permissions(scope: string, { method, query }: Route): AzureReply {
    if (method !== "GET") return notAllowed(method);
    const { site, base } = this.#options;
    const resources = [
      ...[...this.ports.values()].flatMap(({ id, raw }) => [id, ...identitiesOf(raw)]),
      ...site.plan.tunnels.map((tunnel) => connectionId(site, tunnel)),
      ...circuitsOf(site).map(({ id }) => id),
    ];
    const isKnown = resources.some((id) => `${id.toLowerCase()}/`.startsWith(`${scope}/`));
    if (!isKnown) return notFound(scope);
    return this.roles.permissionsAt(scope, base, Number(query.get("$skiptoken") ?? 0));
  }

  #unpublished(path: string, version: string): AzureReply | undefined {
    const type = typeOf(path);
    const versions = versionsOf(type, this.#options.site.clock.wall());
    if (versions === undefined || versions.includes(version)) return undefined;
    const text =
      `No registered resource provider found for location 'westus' and API version ` +
      `'${version}' for type '${type.slice(type.indexOf("/") + 1)}'. ` +
      `The supported api-versions are '${versions.join(", ")}'.`;
    return bad("NoRegisteredProviderFound", text);
  }

  // The real service returns the key in its answer as well, so a client must not read the body.
  #sharedKey(
    { body }: AzureRequest,
    { method }: Route,
    path: string,
    version: string,
  ): AzureReply | undefined {
    const [, connection] = /^(.*\/connections\/[^/]+)\/sharedkey$/.exec(path) ?? [];
    const id = connection ?? linkOfKey(path);
    if (id === undefined) return undefined;
    const tunnel = this.#tunnelOf(id);
    if (tunnel === undefined) return notFound(path);
    if (method !== "PUT") return notAllowed(method);
    const put = this.sharedKeys.put(tunnel, connection === undefined ? linkKeyIn(body) : body);
    switch (put.kind) {
      case "malformed":
        return bad("InvalidRequestFormat", "The shared key is not valid.");
      case "busy":
        return this.#conflict(put.operation, version);
      case "accepted":
        this.#connections.set(put.operation, id);
        return reply(200, connection === undefined ? linkKeyDocument(path) : objectOf(body), {
          "azure-asyncoperation": this.#operationUrl(id, put.operation, version),
          "retry-after": this.#retryAfter(),
        });
    }
  }

  #tunnelOf(id: string): PlannedTunnel | undefined {
    const { site } = this.#options;
    return site.plan.tunnels.find((one) => connectionId(site, one).toLowerCase() === id);
  }

  #stranger(request: AzureRequest): AzureReply | undefined {
    const { tokens, audiences, authority, tenant } = this.#options;
    const verdict = tokens.check(bearerOf(request), audiences);
    if (verdict.kind === "good") return undefined;
    const body = {
      missing: ["AuthenticationFailed", "The 'Authorization' header is missing."],
      unknown: ["InvalidAuthenticationToken", "The access token is invalid."],
      expired: ["ExpiredAuthenticationToken", "The access token expiry UTC time is in the past."],
      audience: [
        "InvalidAuthenticationTokenAudience",
        "The access token has been obtained for the wrong audience.",
      ],
    }[verdict.why];
    const [code = "", message = ""] = body;
    const where = `Bearer authorization_uri="${authority}/${tenant}", error="invalid_token"`;
    return refusal(401, { code, message }, { "www-authenticate": where });
  }

  #port(
    request: AzureRequest,
    { method }: Route,
    path: string,
    version: string,
  ): AzureReply | undefined {
    const [, id = "", below = ""] =
      /^(.*?\/(?:expressrouteports|expressroutelags)\/[^/]+)(.*)$/.exec(path) ?? [];
    if (id === "" || below.startsWith("/providers/")) return undefined;
    const record = this.ports.get(id);
    if (record === undefined) return notFound(path);
    if (method === "PUT" && below === "") return this.#put(record, request.body, version);
    if (method !== "GET") return notAllowed(method);
    return this.#got(record, below);
  }

  #got(record: PortRecord, below: string): AzureReply {
    const unread = unreadable(record);
    if (unread !== undefined) return unread;
    const document = portDocument(record);
    const links = linksOf(document);
    const etagged = (found: JsonObject): AzureReply =>
      reply(200, found, { etag: String(found["etag"]) });
    if (below === "") return etagged(document);
    if (below === "/links") return reply(200, { value: links });
    const link = links.find(({ name }) => below === `/links/${String(name)}`);
    return link === undefined ? notFound(`${record.id}${below}`) : etagged(link);
  }

  // An `If-Match` is ignored: the published interface does not name it for this operation.
  #put(record: PortRecord, text: string, version: string): AzureReply {
    const body = exactObjectOf(text);
    if (body === undefined) {
      return bad("InvalidRequestContent", "The request content was invalid and not JSON.");
    }
    const { msee } = record;
    const busy = this.#running(msee);
    if (busy !== undefined) return this.#conflict(busy, version);
    const linked = this.roles.refuseLinked(record.id, identitiesOf(body));
    if (linked !== undefined) return linked;
    const change = changeOf(record, body);
    if (typeof change === "string") return bad("InvalidRequestFormat", change);
    // A PUT that changes nothing is an operation all the same.
    const untouched = new Map<AzureLink, LinkDocument>([["link1", msee.resource("link1")]]);
    try {
      const id = msee.write(change.links.size === 0 ? untouched : change.links, "agent");
      record.raw = change.raw;
      const name = this.#operationName(msee, id);
      return reply(200, portDocument(record), {
        "azure-asyncoperation": this.#operationUrl(record.id, name, version),
        "retry-after": this.#retryAfter(),
      });
    } catch (error) {
      if (error instanceof LinksealError) return this.#refused(error);
      throw error;
    }
  }

  #refused({ code, message }: LinksealError): AzureReply {
    if (code !== "peer.throttled") return bad("InvalidRequestFormat", message);
    const body = { code: "TooManyRequests", message };
    return refusal(429, body, { "retry-after": this.#retryAfter() });
  }

  #conflict(busy: string, version: string): AzureReply {
    const where = `${this.#options.base}/operations/${busy}?api-version=${version}`;
    return refusal(409, {
      code: "AnotherOperationInProgress",
      message: `Another operation on this or dependent resource is in progress: ${where}`,
    });
  }

  #running(msee: Msee): string | undefined {
    const states = [msee.resource("link1"), msee.resource("link2")];
    if (!states.some(({ provisioning }) => provisioning === "updating")) return undefined;
    const id = states.find(({ operation }) => operation !== undefined)?.operation ?? "";
    return this.#operationName(msee, id);
  }

  // An operation has one name, whichever client began it, and only its own id leads back to it.
  #operationName(msee: Msee, id: string): string {
    const found = [...this.#operations].find(([, one]) => one.msee === msee && one.id === id);
    if (found !== undefined) return found[0];
    const digits = this.#options.prng.hex(16);
    const name = digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    this.#operations.set(name, { msee, id });
    return name;
  }

  #operationUrl(id: string, name: string, version: string): string {
    const subscription = id.split("/").slice(0, 3).join("/");
    const place = "providers/Microsoft.Network/locations/westus/operations";
    return `${this.#options.base}${subscription}/${place}/${name}?api-version=${version}`;
  }

  #poll(path: string): AzureReply {
    const name = path.split("/operations/")[1] ?? "";
    const operation = this.#operations.get(name);
    const resource = this.#connections.get(name) ?? operation?.msee.name;
    const refused =
      resource === undefined ? undefined : this.roles.refuse(neededToFollow(resource, path));
    if (refused !== undefined) return refused;
    const shared = this.sharedKeys.operation(name);
    if (shared !== undefined) return this.#polled(shared);
    const state = operation?.msee.operation(operation.id);
    if (operation === undefined || state === undefined) return notFound(path);
    const unshown = unreadable(operation) ?? unfollowed(operation, path);
    if (unshown !== undefined) return unshown;
    switch (state.kind) {
      case "running":
        return reply(200, { status: "InProgress" }, { "retry-after": this.#retryAfter() });
      case "succeeded":
        return reply(200, { status: "Succeeded" });
      case "failed": {
        const error = { code: "ExpressRoutePortUpdateFailed", message: state.why, details: [] };
        return reply(200, { status: "Failed", error });
      }
    }
  }

  #polled(state: SharedKeyOperation): AzureReply {
    switch (state) {
      case "running":
        return reply(200, { status: "InProgress" }, { "retry-after": this.#retryAfter() });
      case "succeeded":
        return reply(200, { status: "Succeeded" });
      case "failed": {
        const error = { code: "VpnConnectionUpdateFailed", message: "The gateway failed." };
        return reply(200, { status: "Failed", error });
      }
    }
  }

  /** Returns the seconds that a client should wait, converted to the client's real time. */
  #retryAfter(): string {
    const speed = this.#options.site.speed();
    return String(
      Number.isFinite(speed) ? Math.max(1, Math.round(retryVirtualS / speed)) : retryVirtualS,
    );
  }

  #metrics(path: string, route: Route): AzureReply {
    const { site } = this.#options;
    const port = this.ports.get(path);
    if (port !== undefined) {
      const links = site.links.filter(({ msee }) => msee === port.msee);
      return this.#monitor.answer(meteredPort(port.id, links), route);
    }
    const circuit = circuitsOf(site).find(({ id }) => id.toLowerCase() === path);
    if (circuit === undefined) return notFound(path);
    const links = site.links.filter(({ group }) => group === circuit.group);
    return this.#monitor.answer(meteredCircuit(circuit.id, links), route);
  }

  #other({ method, query }: Route, path: string): AzureReply {
    const { site } = this.#options;
    if (method !== "GET") return notAllowed(method);
    const posture = this.posture.answer(path, query.get("$filter"));
    if (posture !== undefined) return posture;
    const tunnel = this.#tunnelOf(path);
    if (tunnel !== undefined) {
      const document = isLink(path) ? linkDocument(site, tunnel) : connectionDocument(site, tunnel);
      return reply(200, document);
    }
    const gateways = vpnGatewaysAt(site, path);
    if (gateways !== undefined) return reply(200, gateways);
    for (const circuit of circuitsOf(site)) {
      const id = circuit.id.toLowerCase();
      if (path === id) return reply(200, circuitDocument(circuit));
      const peering = peeringDocument(circuit.id);
      if (path === `${id}/peerings`) return reply(200, { value: [peering] });
      if (path === `${id}/peerings/azureprivatepeering`) return reply(200, peering);
    }
    return notFound(path);
  }
}

function unreadable({ msee }: Pick<PortRecord, "msee">): AzureReply | undefined {
  try {
    msee.observe("link1");
    return undefined;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    return refusal(503, { code: "ServiceUnavailable", message: error.message });
  }
}

/** Answers as for a role on the port alone, which does not cover operations. */
function unfollowed({ msee }: Pick<PortRecord, "msee">, path: string): AzureReply | undefined {
  if (msee.hasFault("operationLost")) return notFound(path);
  if (!msee.hasFault("operationRefused")) return undefined;
  const action = "Microsoft.Network/locations/operations/read";
  const message = `The client does not have authorization to perform action '${action}'.`;
  return refusal(403, { code: "AuthorizationFailed", message });
}

function bad(code: string, message: string): AzureReply {
  return refusal(400, { code, message });
}

function notFound(path: string): AzureReply {
  const message = `The Resource '${path}' was not found.`;
  return refusal(404, { code: "ResourceNotFound", message });
}

function notAllowed(method: string): AzureReply {
  const message = `The method ${method} is not allowed on this resource.`;
  return refusal(405, { code: "MethodNotAllowed", message });
}
