// The only user of the Azure identity library: one credential, chosen by the config, and bearer
// tokens from it as Secrets.

import type { TokenCredential } from "@azure/identity";
import type { AzureEndpoints } from "#drivers/azure/azure-url.ts";
import { LinksealError } from "#hal/error.ts";
import { Secret } from "#hal/secret.ts";
import type { Clock } from "#hal/world.ts";
import type { AzureIdentity } from "../model/desired.ts";
import { problem } from "./answers.ts";
import type { GuardedDialer } from "./guard.ts";
import { explained, type SdkClient, type SdkTransport } from "./sdk-transport.ts";

/** Files and environment of this host that a credential needs. */
export interface CredentialHost {
  /**
   * Reads one PEM with key and certificate from `credential:NAME` or `file:PATH`.
   * @throws LinksealError that says why it cannot be used
   */
  certificate(reference: string): Promise<string>;
  /**
   * Reads the federated token anew at each call.
   * @throws LinksealError that says why it cannot be used
   */
  federatedToken(path: string): Promise<string>;
  /**
   * Checks the key file that the Arc agent names.
   * @throws LinksealError that says why it must not be read
   */
  checkArcKey(path: string): Promise<void>;
  /**
   * Sets the environment variables so that this host's tokens can come from one endpoint only, and
   * returns its origin; undefined = this kind of identity has no such endpoint.
   */
  pinEndpoint(identity: AzureIdentity): string | undefined;
}

/** Gets a token for a scope; it is valid for at least five more minutes. */
export type TokenSource = (scope: string, signal: AbortSignal) => Promise<Secret>;

interface SignIn {
  readonly clock: Pick<Clock, "now" | "wall">;
  readonly identity: AzureIdentity;
  readonly endpoints: AzureEndpoints;
  readonly transport: SdkTransport;
  readonly host: CredentialHost;
  readonly dial: Pick<GuardedDialer, "refusedTokens">;
}

/**
 * Returns the one scope for which a vault of ours may ask a token.
 * @throws LinksealError with `vault.denied` for any other scope
 */
export function vaultScope(
  scopes: string | readonly string[],
  { vaultResource, vault }: SignIn["endpoints"],
): string {
  const scope = `${vaultResource}/.default`;
  if ([scopes].flat().join(" ") === scope) return scope;
  const text = `the vault wants a token for something else than ${vaultResource}`;
  throw problem("vault.denied", text, vault, "compare azure.vault and azure.cloud");
}

/**
 * The library's credential for SecretClient; it gets tokens for vaults of the configured cloud
 * only.
 */
export function vaultCredential(signIn: SignIn): TokenCredential {
  const credential = chosenCredential(signIn);
  const { endpoints, identity } = signIn;
  return {
    async getToken(scopes, options) {
      const scope = vaultScope(scopes, endpoints);
      const tenant = options?.tenantId;
      if (tenant !== undefined && "tenant" in identity && tenant !== identity.tenant) {
        const text = `the vault belongs to another tenant (${tenant}) than azure.identity`;
        throw problem("vault.denied", text, endpoints.vault, "correct azure.identity's tenant");
      }
      const token = await credential.getToken(scope, options);
      // Without an end the client asks for it at each request: only the credential knows that the
      // clock was set since.
      return token === null ? null : { token: token.token, expiresOnTimestamp: 0 };
    },
  };
}

export function tokenSource(signIn: SignIn): TokenSource {
  const credential = chosenCredential(signIn);
  return async (scope, signal) => {
    const token = await credential.getToken(scope, { abortSignal: signal });
    if (token !== null) return Secret.take("token", new TextEncoder().encode(token.token));
    throw problem("vault.denied", "the identity got no token", scope);
  };
}

/**
 * Whether a sign-in sent a request, and how that failed: the libraries reword errors beyond
 * recognition.
 */
interface Wire {
  asked: boolean;
  failure: LinksealError | undefined;
}

// Microsoft's library keeps the first client and the first endpoint of a managed identity for as
// long as the process lives. So it gets this one client, which passes requests to the client of the
// sign-in under way.
let passing: SdkClient | undefined;
const kept: SdkClient = {
  sendRequest(request) {
    if (passing === undefined) throw new Error("no sign-in is under way");
    return passing.sendRequest(request);
  },
};
let endpointKept: string | undefined;
/**
 * The sign-in under way. There is one at a time, so that a failed request belongs to that sign-in.
 */
let last: Promise<unknown> = Promise.resolve();

/** A token is renewed minutes before its end, so that a smaller step changes nothing. */
const stepMs = 60_000;

/**
 * Returns a credential that is made at the first sign-in, and made anew after a failed one, because
 * certificates are renewed, after a service refused a token of this process, and after a step of
 * the wall clock, by which the library computes when a token ends. The tokens of a managed identity
 * outlive that: the library keeps them for as long as the process lives.
 */
function chosenCredential(signIn: SignIn): TokenCredential {
  const { clock, dial } = signIn;
  const where = "tenant" in signIn.identity ? signIn.endpoints.authority : "azure.identity";
  const wire: Wire = { asked: false, failure: undefined };
  const client = wired(signIn.transport, wire);
  let made: Promise<TokenCredential> | undefined;
  let asideMs = 0;
  let refused = 0;
  const once: TokenCredential["getToken"] = async (scopes, options) => {
    Object.assign(wire, { asked: false, failure: undefined });
    passing = client;
    try {
      const nowAsideMs = clock.wall() - clock.now();
      const isRefused = dial.refusedTokens() > refused;
      if (isRefused || Math.abs(nowAsideMs - asideMs) > stepMs) made = undefined;
      if (made === undefined) [asideMs, refused] = [nowAsideMs, dial.refusedTokens()];
      made ??= libraryCredential(signIn);
      return await (await made).getToken(scopes, options);
    } catch (error) {
      made = undefined;
      // The library's message may quote its input, which is a private key.
      const unasked = wire.asked ? undefined : unusable(where, "the credential is of no use");
      throw explained(where, error, wire.failure ?? unasked);
    }
  };
  return {
    getToken(scopes, options) {
      const next = last.then(() => once(scopes, options));
      last = next.catch(() => undefined);
      return next;
    },
  };
}

function wired(transport: SdkTransport, wire: Wire): SdkClient {
  const client = transport.client(["authority", "identity"], (failure) => {
    wire.failure = failure;
  });
  return {
    sendRequest(request) {
      wire.asked = true;
      return client.sendRequest(request);
    },
  };
}

async function libraryCredential(signIn: SignIn): Promise<TokenCredential> {
  const { identity, endpoints, host } = signIn;
  // Another config of this process may have chosen another endpoint since then.
  const endpoint = host.pinEndpoint(identity);
  endpointKept ??= endpoint;
  if (endpoint !== undefined && endpoint !== endpointKept) {
    throw unusable("azure.identity", "it is of another kind than at the start: restart the agent");
  }
  const sdk = await import("@azure/identity");
  const common = {
    authorityHost: endpoints.authority,
    httpClient: kept,
    // The agent's loops retry, after they have checked what else may have changed.
    retryOptions: { maxRetries: 0 },
  };
  // Our list of clouds fixes the authority, so that the library need not ask another host for it.
  const application = { ...common, disableInstanceDiscovery: true };
  switch (identity.kind) {
    case "arc":
    case "managedIdentity": {
      const { client } = identity;
      return new sdk.ManagedIdentityCredential(
        client === undefined ? common : { ...common, clientId: client },
      );
    }
    case "clientCertificate": {
      const certificate = await host.certificate(identity.certificate);
      const { tenant, client } = identity;
      const options = { ...application, sendCertificateChain: true };
      return new sdk.ClientCertificateCredential(tenant, client, { certificate }, options);
    }
    case "workloadIdentity": {
      const { tenant, client, tokenFile } = identity;
      const assertion = (): Promise<string> => host.federatedToken(tokenFile);
      return new sdk.ClientAssertionCredential(tenant, client, assertion, application);
    }
  }
}

/** Makes the error for a credential of this host that cannot be used. */
export function unusable(
  where: string,
  text: string,
  next = "correct the credential, then linkseal keys check",
): LinksealError {
  return new LinksealError("vault.denied", text, { effect: "none", where, next });
}
