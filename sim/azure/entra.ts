// Entra ID as its clients meet it: discovery, tokens for a proven identity, and tokens for a person
// who enters a code elsewhere.

import type { Prng } from "../base/prng.ts";
import { type AssertionRules, type ClientApp, checkAssertion, jtiOf } from "./assertion.ts";
import { type AzureReply, type AzureRequest, type Route, reply } from "./http.ts";
import type { Tokens } from "./tokens.ts";

export interface EntraOptions {
  readonly tokens: Tokens;
  readonly prng: Prng;
  /** The base URL of Entra ID, such as `https://localhost:8443`. */
  readonly authority: string;
  readonly tenant: string;
  readonly apps: readonly ClientApp[];
  /** The resources that a scope may ask for, without `/.default`. */
  readonly resources: readonly string[];
}

/** The grant type as RFC 8628 has it, and as Microsoft's clients write it. */
const deviceGrants = ["urn:ietf:params:oauth:grant-type:device_code", "device_code"];
const bearerAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

export class Entra {
  readonly #options: EntraOptions;
  /** The assertion that each identifier first came with. */
  readonly #usedIds = new Map<string, string>();
  /** Device codes, and whether their person has signed in. */
  readonly #devices = new Map<string, "waiting" | "done">();

  constructor(options: EntraOptions) {
    this.#options = options;
  }

  /** Answers a request for any path under `/TENANT/`. */
  answer(request: AzureRequest, { method, segments }: Route): AzureReply {
    const [tenant = "", ...rest] = segments;
    const known = tenant.toLowerCase() === this.#options.tenant.toLowerCase();
    switch (`${method} ${rest.join("/")}`) {
      case "GET v2.0/.well-known/openid-configuration":
        return known ? this.#configuration() : this.#noTenant(tenant);
      case "GET discovery/v2.0/keys":
        return reply(200, { keys: [] });
      case "POST oauth2/v2.0/token":
        return known ? this.#token(request) : this.#noTenant(tenant);
      case "POST oauth2/v2.0/devicecode":
        return known ? this.#deviceCode() : this.#noTenant(tenant);
      default:
        return this.#refuse(404, "invalid_request", 900561, "The endpoint does not exist.");
    }
  }

  #configuration(): AzureReply {
    const { authority, tenant } = this.#options;
    const base = `${authority}/${tenant}`;
    return reply(200, {
      issuer: `${base}/v2.0`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
      device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      end_session_endpoint: `${base}/oauth2/v2.0/logout`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
      token_endpoint_auth_methods_supported: ["private_key_jwt"],
      response_types_supported: ["code"],
      subject_types_supported: ["pairwise"],
      id_token_signing_alg_values_supported: ["RS256"],
      tenant_region_scope: null,
    });
  }

  #token(request: AzureRequest): AzureReply {
    const form = new URLSearchParams(request.body);
    const type = request.headers["content-type"] ?? "";
    if (!/^application\/x-www-form-urlencoded(;|$)/i.test(type)) {
      const text = "The request body must contain the following parameter: 'grant_type'.";
      return this.#refuse(400, "invalid_request", 900144, text);
    }
    if (deviceGrants.includes(form.get("grant_type") ?? "")) return this.#signedIn(form);
    if (form.get("grant_type") !== "client_credentials") {
      const text = "The app requested an unsupported grant type.";
      return this.#refuse(400, "unsupported_grant_type", 70003, text);
    }
    const clientId = form.get("client_id") ?? "";
    const app = this.#options.apps.find((one) => one.clientId === clientId.toLowerCase());
    if (app === undefined) {
      const text = `Application with identifier '${clientId}' was not found in the directory.`;
      return this.#refuse(400, "unauthorized_client", 700016, text);
    }
    return this.#unproven(form, app) ?? this.#granted(form, app);
  }

  /** Begins a device code grant (RFC 8628); the person signs in after one more poll. */
  #deviceCode(): AzureReply {
    const deviceCode = this.#options.prng.hex(24);
    const userCode = this.#options.prng.hex(4).toUpperCase();
    this.#devices.set(deviceCode, "waiting");
    const uri = `${this.#options.authority}/device`;
    return reply(200, {
      device_code: deviceCode,
      user_code: userCode,
      verification_uri: uri,
      expires_in: 900,
      interval: 1,
      message: `To sign in, open the page ${uri} and enter the code ${userCode} to authenticate.`,
    });
  }

  #signedIn(form: URLSearchParams): AzureReply {
    const code = form.get("device_code") ?? "";
    const state = this.#devices.get(code);
    if (state === undefined) {
      const text = "The provided value for the input parameter 'device_code' is not valid.";
      return this.#refuse(400, "invalid_grant", 9002313, text);
    }
    if (state === "waiting") {
      this.#devices.set(code, "done");
      const text = "Authorization pending. Continue polling.";
      return this.#refuse(400, "authorization_pending", 70016, text);
    }
    this.#devices.delete(code);
    const scope = (form.get("scope") ?? "").split(" ").find((one) => one.endsWith("/.default"));
    const asked = new URLSearchParams({ scope: scope ?? "" });
    return this.#granted(asked, { clientId: form.get("client_id") ?? "" });
  }

  #unproven(form: URLSearchParams, app: ClientApp): AzureReply | undefined {
    if (form.has("client_secret")) {
      return this.#refuse(401, "invalid_client", 7000215, "Invalid client secret provided.");
    }
    const assertion = form.get("client_assertion");
    if (assertion === null || form.get("client_assertion_type") !== bearerAssertion) {
      const text = "The request body must contain: 'client_assertion' or 'client_secret'.";
      return this.#refuse(401, "invalid_client", 7000218, text);
    }
    const { authority, tenant, tokens } = this.#options;
    const base = `${authority}/${tenant}`;
    const audiences = [`${base}/oauth2/v2.0/token`, `${base}/v2.0`];
    const rules: AssertionRules = { app, audiences, nowS: tokens.nowS };
    const complaint = checkAssertion(assertion, rules);
    if (complaint !== undefined) return this.#refuse(401, "invalid_client", ...complaint);
    return this.#replayed(assertion);
  }

  // Microsoft's clients send one assertion again until it expires; a different assertion under the
  // same identifier is a forgery.
  #replayed(assertion: string): AzureReply | undefined {
    const jti = jtiOf(assertion);
    if (jti === undefined) return undefined;
    const before = this.#usedIds.get(jti) ?? assertion;
    this.#usedIds.set(jti, before);
    if (before === assertion) return undefined;
    return this.#refuse(401, "invalid_client", 700027, "The assertion's jti was used before.");
  }

  #granted(form: URLSearchParams, { clientId }: Pick<ClientApp, "clientId">): AzureReply {
    const scope = form.get("scope") ?? "";
    const audience = /^(\S+?)\/+\.default$/.exec(scope)?.[1];
    if (audience === undefined) {
      const text = `The provided value for scope ${scope} is not valid.`;
      return this.#refuse(400, "invalid_scope", 1002012, text);
    }
    if (!this.#options.resources.includes(audience)) {
      const text = `The resource principal named ${audience} was not found in the tenant.`;
      return this.#refuse(400, "invalid_resource", 500011, text);
    }
    const { tenant, tokens } = this.#options;
    const { token } = tokens.issue({ audience, tenant, clientId });
    const { lifetimeS } = tokens;
    return reply(200, {
      token_type: "Bearer",
      expires_in: lifetimeS,
      ext_expires_in: lifetimeS,
      access_token: token,
    });
  }

  #uuid(): string {
    return this.#options.prng.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  #noTenant(tenant: string): AzureReply {
    const text = `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID.`;
    return this.#refuse(400, "invalid_tenant", 90002, text);
  }

  #refuse(status: number, error: string, number: number, sentence: string): AzureReply {
    const timestamp = new Date(this.#options.tokens.nowS * 1000).toISOString();
    return reply(status, {
      error,
      error_description: `AADSTS${number}: ${sentence}`,
      error_codes: [number],
      timestamp: timestamp.replace("T", " ").replace(/\.\d+/, ""),
      trace_id: this.#uuid(),
      correlation_id: this.#uuid(),
      error_uri: `${this.#options.authority}/error?code=${number}`,
    });
  }
}
