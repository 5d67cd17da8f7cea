// Managed identity as the processes of one host meet it: Azure Arc, App Service, and the metadata
// service of a virtual machine. The endpoints speak plain HTTP, so a token is issued only to a
// process that proves that it runs on this host.

import { type AzureReply, type AzureRequest, type Route, reply } from "./http.ts";
import type { Tokens } from "./tokens.ts";

/** A file that only permitted processes may read; its content proves that they could. */
export interface ArcChallenge {
  /** The path of the file. */
  readonly path: string;
  /** The content of the file. */
  readonly key: string;
}

export interface ManagedIdentity {
  readonly clientId: string;
  readonly objectId: string;
  readonly resourceId: string;
}

export interface ManagedIdentityOptions {
  readonly tokens: Tokens;
  readonly tenant: string;
  readonly resources: readonly string[];
  readonly systemAssigned: ManagedIdentity;
  readonly userAssigned: readonly ManagedIdentity[];
  /** The value that App Service would put into `IDENTITY_HEADER`. */
  readonly identityHeader: string;
  /** Writes a fresh key file of Arc; undefined if this host is not an Arc machine. */
  readonly challenge: (() => Promise<ArcChallenge>) | undefined;
}

const arcVersions = ["2019-08-15", "2019-11-01", "2020-06-01"];
const metadataVersions = ["2018-02-01", "2019-08-01", "2021-02-01"];
const appServiceVersions = ["2019-08-01"];

export class ManagedIdentities {
  readonly #options: ManagedIdentityOptions;
  /** The key of the last challenge; it is accepted once. */
  #arcKey: string | undefined;

  constructor(options: ManagedIdentityOptions) {
    this.#options = options;
  }

  /** Answers at `http://localhost:40342/metadata/identity/oauth2/token`. */
  async arc(request: AzureRequest, route: Route): Promise<AzureReply> {
    const early = this.#metadata(request, route, arcVersions);
    if (early !== undefined) return early;
    const presented = /^basic (.+)$/i.exec(request.headers["authorization"] ?? "")?.[1];
    const key = this.#arcKey;
    this.#arcKey = undefined;
    if (presented !== undefined && presented === key) return this.#granted(route);
    const { challenge } = this.#options;
    if (challenge === undefined) return complaint(404, "not_found", "This is no Arc machine.");
    const fresh = await challenge();
    this.#arcKey = fresh.key;
    return reply(
      401,
      { error: "unauthorized" },
      { "www-authenticate": `Basic realm=${fresh.path}` },
    );
  }

  /** Answers at `http://169.254.169.254/metadata/identity/oauth2/token`. */
  metadata(request: AzureRequest, route: Route): AzureReply {
    return this.#metadata(request, route, metadataVersions) ?? this.#granted(route);
  }

  /** Answers at the URL that App Service puts into `IDENTITY_ENDPOINT`, here `/msi/token`. */
  appService(request: AzureRequest, route: Route): AzureReply {
    if (route.method !== "GET") return complaint(405, "bad_request", "Only GET is supported.");
    if (request.headers["x-identity-header"] !== this.#options.identityHeader) {
      return complaint(401, "unauthorized", "X-IDENTITY-HEADER is missing or wrong.");
    }
    return badVersion(route, appServiceVersions) ?? this.#granted(route);
  }

  #metadata(
    request: AzureRequest,
    route: Route,
    versions: readonly string[],
  ): AzureReply | undefined {
    const path = route.segments.join("/");
    if (path !== "metadata/identity/oauth2/token") {
      return complaint(404, "not_found", "There is no such endpoint.");
    }
    if (route.method !== "GET") return complaint(405, "bad_request", "Only GET is supported.");
    if (request.headers["metadata"]?.toLowerCase() !== "true") {
      return complaint(400, "invalid_request", "Required metadata header not specified.");
    }
    // A request that came through a proxy may originate from any host.
    if (request.headers["x-forwarded-for"] !== undefined) {
      return complaint(400, "invalid_request", "X-Forwarded-For is not allowed.");
    }
    return badVersion(route, versions);
  }

  #granted({ query }: Route): AzureReply {
    const audience = (query.get("resource") ?? "").replace(/\/+$/, "");
    const { resources, tokens, tenant } = this.#options;
    if (!resources.includes(audience)) {
      const text = `AADSTS500011: The resource principal named ${audience} was not found.`;
      return complaint(400, "invalid_resource", text);
    }
    const who = this.#asked(query);
    if (who === undefined) return complaint(400, "invalid_request", "Identity not found.");
    const { identity, echo } = who;
    const { token, issued } = tokens.issue({ audience, tenant, clientId: identity.clientId });
    return reply(200, {
      access_token: token,
      client_id: identity.clientId,
      expires_in: String(tokens.lifetimeS),
      expires_on: String(issued.expiresS),
      not_before: String(tokens.nowS),
      resource: query.get("resource"),
      token_type: "Bearer",
      ...echo,
    });
  }

  #asked(query: Route["query"]) {
    const { systemAssigned, userAssigned } = this.#options;
    const names = [
      ["client_id", "clientId"],
      ["object_id", "objectId"],
      ["principal_id", "objectId"],
      ["msi_res_id", "resourceId"],
      ["mi_res_id", "resourceId"],
    ] as const;
    const asked = names.find(([name]) => query.has(name));
    if (asked === undefined) return { identity: systemAssigned, echo: {} };
    const [name, field] = asked;
    const value = query.get(name) ?? "";
    const identity = [systemAssigned, ...userAssigned].find(
      (one) => one[field].toLowerCase() === value.toLowerCase(),
    );
    return identity === undefined ? undefined : { identity, echo: { [name]: value } };
  }
}

function badVersion({ query }: Route, versions: readonly string[]): AzureReply | undefined {
  const version = query.get("api-version");
  if (version !== undefined && versions.includes(version)) return undefined;
  return complaint(400, "invalid_request", `api-version ${version ?? ""} is not supported.`);
}

function complaint(status: number, error: string, text: string): AzureReply {
  return reply(status, { error, error_description: text });
}
