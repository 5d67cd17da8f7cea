// One simulated cloud in front of one simulated site: it serves the same vault and the same far
// ends that the site's own protocol reaches.

import type { Prng } from "../base/prng.ts";
import type { Site } from "../site/site.ts";
import { Arm } from "./arm.ts";
import type { ClientApp } from "./assertion.ts";
import { Entra } from "./entra.ts";
import { WireFaults } from "./faults.ts";
import {
  type AzureHandler,
  type AzureReply,
  type AzureRequest,
  type Route,
  refusal,
  routeOf,
} from "./http.ts";
import { KeyVaultEmulator, vaultResources } from "./key-vault.ts";
import { type ArcChallenge, ManagedIdentities, type ManagedIdentity } from "./managed-identity.ts";
import { Tokens } from "./tokens.ts";

export type AzureService = "entra" | "vault" | "arm" | "identity";

/** Everything that a simulated cloud is built from. */
export interface SimAzureOptions {
  /** The simulated site whose vault and ports the cloud serves. */
  readonly site: Site;
  /** The seeded randomness of tokens and operation names. */
  readonly prng: Prng;
  /** The base URL of Entra ID, such as `https://localhost:8443`. */
  readonly authority: string;
  /** The base URL of the management API. */
  readonly arm: string;
  /** The tenant id. */
  readonly tenant: string;
  /** The registered applications. */
  readonly apps: readonly ClientApp[];
  /** Reads the clients' clock, by which tokens and assertions age, in Unix ms. */
  readonly wall: () => number;
  /** The form of access tokens; `jwt` if absent. */
  readonly tokenForm?: "opaque" | "jwt";
  /** The lifetime of a token in seconds; 3,599 if absent, as Entra issues them. */
  readonly tokenLifetimeS?: number;
  /** Client ids that may write secrets; every client may if absent. */
  readonly writers?: readonly string[];
  /** The value of `IDENTITY_HEADER`. */
  readonly identityHeader: string;
  /** The identity that the host itself has. */
  readonly systemAssigned: ManagedIdentity;
  /** The further identities that are assigned to the host. */
  readonly userAssigned?: readonly ManagedIdentity[];
  /** Writes a key file of Arc; if absent, this host is not an Arc machine. */
  readonly arcChallenge?: () => Promise<ArcChallenge>;
  /** The bandwidth of each port in Gbit/s; 100 if absent. */
  readonly bandwidthInGbps?: number;
}

/** The record of one answered request, without headers and body, so that it contains no secret. */
export interface Answered {
  readonly service: AzureService;
  readonly method: string;
  readonly path: string;
  /** The HTTP status; undefined if the connection was cut or got no answer. */
  readonly status: number | undefined;
}

const latencyMs: Readonly<Record<AzureService, number>> = {
  entra: 50,
  vault: 30,
  arm: 120,
  identity: 10,
};
const answeredMax = 10_000;
const armResources = [
  "https://management.azure.com",
  "https://management.core.windows.net",
  "https://management.usgovcloudapi.net",
  "https://management.chinacloudapi.cn",
] as const;

/** The last one is that of Microsoft Graph, which is refused there. */
const armRoots = ["subscriptions", "tenants", "metadata", "v1.0"];

/** The HTTP services of one simulated cloud. */
export class SimAzure {
  readonly tokens: Tokens;
  readonly arm: Arm;
  /** The faults of each service, which a test strikes and heals. */
  readonly faults: Readonly<Record<AzureService, WireFaults>> = {
    entra: new WireFaults(),
    vault: new WireFaults(),
    arm: new WireFaults(),
    identity: new WireFaults(),
  };
  /** The answered requests, oldest first. */
  readonly answered: Answered[] = [];
  readonly #options: SimAzureOptions;
  readonly #entra: Entra;
  readonly #vault: KeyVaultEmulator;
  readonly #identities: ManagedIdentities;

  constructor(options: SimAzureOptions) {
    this.#options = options;
    const { site, prng, tenant, authority, apps, wall } = options;
    this.tokens = new Tokens({
      prng: prng.fork("tokens"),
      wall,
      form: options.tokenForm ?? "jwt",
      lifetimeS: options.tokenLifetimeS ?? 3599,
    });
    const { tokens } = this;
    const audiences = [...armResources, options.arm];
    const resources = [...vaultResources, ...audiences];
    const cknNames = new Set(site.links.map(({ key }) => key.ckn));
    this.arm = new Arm({
      ...{ site, tokens, authority, tenant, audiences },
      prng: prng.fork("arm"),
      base: options.arm,
      principal: (options.userAssigned?.[0] ?? options.systemAssigned).objectId,
      bandwidthInGbps: options.bandwidthInGbps ?? 100,
    });
    this.#entra = new Entra({
      ...{ tokens, authority, tenant, apps, resources },
      prng: prng.fork("entra"),
    });
    this.#vault = new KeyVaultEmulator({
      ...{ vault: site.vault, tokens, authority, tenant, cknNames },
      writers: options.writers ?? "everybody",
    });
    this.#identities = new ManagedIdentities({
      ...{ tokens, tenant, resources },
      systemAssigned: options.systemAssigned,
      userAssigned: options.userAssigned ?? [],
      identityHeader: options.identityHeader,
      challenge: options.arcChallenge,
    });
  }

  /** The services behind TLS: Entra, Key Vault and the management API, distinguished by path. */
  readonly secure: AzureHandler = (request, signal) => this.#answer(request, signal, secureService);

  /** The identity endpoints of this host that speak plain HTTP, except that of Azure Arc. */
  readonly local: AzureHandler = (request, signal) =>
    this.#answer(request, signal, () => "identity");

  /** The endpoint of Azure Arc, whose path is that of the metadata service too. */
  readonly arc: AzureHandler = (request, signal) => this.#answer(request, signal, () => "arc");

  /**
   * All services behind one dialer, on virtual time, distinguished by host: every request that is
   * not for Arc or a local endpoint counts as one over TLS.
   */
  readonly anywhere: AzureHandler = async (request, signal) => {
    const found = await this.#emulatorOf(request)(request, signal);
    if (found.bodyMs !== undefined) await this.#options.site.clock.sleep(found.bodyMs, signal);
    return found;
  };

  #emulatorOf(request: AzureRequest): AzureHandler {
    if (/^(localhost|127\.0\.0\.1):40342$/.test(request.host)) return this.arc;
    const isLocal = request.host === "169.254.169.254" || request.path.startsWith("/msi/");
    return isLocal ? this.local : this.secure;
  }

  async #answer(
    request: AzureRequest,
    signal: AbortSignal,
    choose: (route: Route) => AzureService | "arc",
  ): Promise<AzureReply> {
    const route = routeOf(request);
    if (route === undefined) return nothing(request);
    const endpoint = choose(route);
    const service = endpoint === "arc" ? "identity" : endpoint;
    let status: number | undefined;
    try {
      const found = await this.#served(request, route, endpoint, signal);
      status = found.status;
      return found;
    } finally {
      const { method, path } = request;
      this.answered.push({ service, method, path, status });
      if (this.answered.length > answeredMax) this.answered.shift();
    }
  }

  async #served(
    request: AzureRequest,
    route: Route,
    endpoint: AzureService | "arc",
    signal: AbortSignal,
  ): Promise<AzureReply> {
    const { clock } = this.#options.site;
    const service = endpoint === "arc" ? "identity" : endpoint;
    await clock.sleep(latencyMs[service], signal);
    const wall = this.#options.wall();
    const spoilt = await this.faults[service].answer({ request, clock, wall, signal });
    if (spoilt !== undefined) {
      return service === "vault" ? this.#vault.challenged(spoilt, request) : spoilt;
    }
    switch (endpoint) {
      case "entra":
        return this.#entra.answer(request, route);
      case "vault":
        return this.#vault.answer(request, route);
      case "arm":
        return this.arm.answer(request, route);
      case "arc":
        return await this.#identities.arc(request, route);
      case "identity":
        return route.segments[0] === "msi"
          ? this.#identities.appService(request, route)
          : this.#identities.metadata(request, route);
    }
  }
}

function secureService({ segments }: Route): AzureService {
  const root = segments[0]?.toLowerCase();
  if (root === "secrets" || root === "deletedsecrets") return "vault";
  return root !== undefined && armRoots.includes(root) ? "arm" : "entra";
}

function nothing({ path }: AzureRequest): AzureReply {
  return refusal(404, { code: "NotFound", message: `There is nothing at ${path}.` });
}
