// One simulated cloud in front of one simulated site: the same vault and the same far ends that the
// site's own protocol reaches.

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
import { KeyVaultFace, vaultResources } from "./key-vault.ts";
import { type ArcChallenge, ManagedIdentities, type ManagedIdentity } from "./managed-identity.ts";
import { Tokens } from "./tokens.ts";

export type AzureService = "entra" | "vault" | "arm" | "identity";

export interface SimAzureOptions {
  readonly site: Site;
  readonly prng: Prng;
  /** Such as `https://localhost:8443`. */
  readonly authority: string;
  readonly arm: string;
  readonly tenant: string;
  readonly apps: readonly ClientApp[];
  /** Unix ms by which tokens and assertions age: that of the clients. */
  readonly wall: () => number;
  readonly tokenForm?: "opaque" | "jwt";
  /** 3,599 s if not said, as Entra gives them. */
  readonly tokenLifetimeS?: number;
  /** Client ids that may write secrets; everybody if not said. */
  readonly writers?: readonly string[];
  /** What `IDENTITY_HEADER` holds. */
  readonly identityHeader: string;
  readonly systemAssigned: ManagedIdentity;
  readonly userAssigned?: readonly ManagedIdentity[];
  /** Writes a key file of Arc; without it this host is no Arc machine. */
  readonly arcChallenge?: () => Promise<ArcChallenge>;
  /** Of every port; 100 if not said. */
  readonly bandwidthInGbps?: number;
}

/** One answered request; no header and no body, so nothing in it is secret. */
export interface Answered {
  readonly service: AzureService;
  readonly method: string;
  readonly path: string;
  /** undefined = cut or never answered. */
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

export class SimAzure {
  readonly tokens: Tokens;
  readonly arm: Arm;
  readonly faults: Readonly<Record<AzureService, WireFaults>> = {
    entra: new WireFaults(),
    vault: new WireFaults(),
    arm: new WireFaults(),
    identity: new WireFaults(),
  };
  /** Oldest first. */
  readonly answered: Answered[] = [];
  readonly #options: SimAzureOptions;
  readonly #entra: Entra;
  readonly #vault: KeyVaultFace;
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
      bandwidthInGbps: options.bandwidthInGbps ?? 100,
    });
    this.#entra = new Entra({
      ...{ tokens, authority, tenant, apps, resources },
      prng: prng.fork("entra"),
    });
    this.#vault = new KeyVaultFace({
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

  /** What answers over TLS: Entra, Key Vault and the management API, told apart by their paths. */
  readonly secure: AzureHandler = (request, signal) => this.#answer(request, signal, secureService);

  /** The identity endpoints of this host that speak plain HTTP, but for Arc's. */
  readonly local: AzureHandler = (request, signal) =>
    this.#answer(request, signal, () => "identity");

  /** The endpoint of Azure Arc, whose path is that of the metadata service too. */
  readonly arc: AzureHandler = (request, signal) => this.#answer(request, signal, () => "arc");

  /**
   * All of it behind one dialer, on virtual time, told apart by host: what is not Arc's or local
   * comes over TLS.
   */
  readonly anywhere: AzureHandler = async (request, signal) => {
    const found = await this.#faceOf(request)(request, signal);
    if (found.bodyMs !== undefined) await this.#options.site.clock.sleep(found.bodyMs, signal);
    return found;
  };

  #faceOf(request: AzureRequest): AzureHandler {
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
    const face = choose(route);
    const service = face === "arc" ? "identity" : face;
    let status: number | undefined;
    try {
      const found = await this.#served(request, route, face, signal);
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
    face: AzureService | "arc",
    signal: AbortSignal,
  ): Promise<AzureReply> {
    const { clock } = this.#options.site;
    const service = face === "arc" ? "identity" : face;
    await clock.sleep(latencyMs[service], signal);
    const wall = this.#options.wall();
    const spoilt = await this.faults[service].answer({ request, clock, wall, signal });
    if (spoilt !== undefined) {
      return service === "vault" ? this.#vault.challenged(spoilt, request) : spoilt;
    }
    switch (face) {
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
  if (root === "secrets") return "vault";
  return root === "subscriptions" ? "arm" : "entra";
}

function nothing({ path }: AzureRequest): AzureReply {
  return refusal(404, { code: "NotFound", message: `There is nothing at ${path}.` });
}
