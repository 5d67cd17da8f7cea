// Opens a real vault with the operator's own identity: loaded only by the verbs that make, pair or
// check keys with a named credential.

import type { TokenCredential } from "@azure/identity";
import type { SecretClient } from "@azure/keyvault-secrets";
import { type AzureEndpoints, azureEndpoints } from "#drivers/azure/azure-url.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import type { KeyStore, KeyVault } from "#hal/vault.ts";
import type { Clock, Dialer } from "#hal/world.ts";
import { problem } from "../azure/answers.ts";
import { type GuardedDialer, guardedDialer } from "../azure/guard.ts";
import { vaultCredential, vaultScope } from "../azure/identity.ts";
import { explained, SdkTransport } from "../azure/sdk-transport.ts";
import { azureMarker, azureVault, serviceVersion, writing } from "../azure/vault.ts";
import { hostClock } from "../host/clock.ts";
import { hostCredentials } from "../host/credentials.ts";
import type { RealAzure } from "../model/desired.ts";
import { visible } from "../model/text.ts";

/** The operator's identity: named on the command line, and never found by probing. */
export type Credential =
  | { readonly kind: "azureCli"; readonly tenant: string | undefined }
  | {
      readonly kind: "deviceCode";
      readonly tenant: string | undefined;
      readonly client: string | undefined;
    }
  | {
      readonly kind: "certificate";
      readonly tenant: string;
      readonly client: string;
      /** One PEM with key and certificate, which only this user may read. */
      readonly file: string;
    };

export interface OperatorParts {
  readonly azure: RealAzure;
  readonly credential: Credential;
  readonly clock: Clock;
  readonly dial: Dialer;
  /** Shows the operator what to do in a browser. */
  readonly report: (text: string) => void;
}

/** The vault as the operator's identity may use it; it sends nothing before the first call. */
export function operatorVault(parts: OperatorParts): KeyStore {
  const { azure, clock } = parts;
  const endpoints = azureEndpoints(azure);
  const dial = guardedDialer(parts.dial, endpoints, azure, undefined);
  const checkArcKey = async (path: string): Promise<never> => {
    throw problem("vault.denied", "an operator has no key file of Azure Arc", path);
  };
  const transport = new SdkTransport({
    ...{ world: { clock }, dial, endpoints, checkArcKey },
    ...{ signIn: "operator", identityOrigin: undefined },
  });
  const credential = credentialOf(parts, { endpoints, transport, dial });
  const open = async (): Promise<SecretClient> => {
    const sdk = await import("@azure/keyvault-secrets");
    return new sdk.SecretClient(endpoints.vault, credential, {
      httpClient: transport.client(["vault"]),
      retryOptions: { maxRetries: 0 },
      serviceVersion,
      disableChallengeResourceVerification: azure.cloud === "loopback",
    });
  };
  let opened: Promise<SecretClient> | undefined;
  const client = (): Promise<SecretClient> => (opened ??= open());
  return storeOf(azureVault({ base: endpoints.vault, client }), endpoints.vault, client);
}

function storeOf(vault: KeyVault, base: string, client: () => Promise<SecretClient>): KeyStore {
  return {
    read: (id, signal) => vault.read(id, signal),
    async versions(name, signal) {
      try {
        return await vault.versions(name, signal);
      } catch (error) {
        // A link without a pair has no secrets yet: the first pair makes both of them.
        if (error instanceof LinksealError && /\(404\b/.test(error.message)) return [];
        throw error;
      }
    },
    put: (name, octets, tags, signal) =>
      writing(`${base}/secrets/${name}`, operatorDenied, async () => {
        // The library takes a string, which cannot be wiped: it is kept for this statement only.
        const { properties } = await (await client()).setSecret(name, hexOf(octets), {
          tags: { ...tags },
          abortSignal: signal,
        });
        return versionedId(properties.id, `${base}/secrets/${name}`);
      }),
    ...azureMarker({ base, client, denied: operatorDenied }),
  };
}

function hexOf(octets: Secret): string {
  return octets.use((bytes) => Buffer.from(bytes).toString("hex").toUpperCase());
}

function versionedId(id: string | undefined, where: string): string {
  if (id?.startsWith(`${where}/`) === true) return id;
  throw problem(
    "vault.unreachable",
    "the vault's reply does not name the version that it made",
    where,
  );
}

const operatorDenied = {
  text: "you may not write secrets here",
  next: "get the role Key Vault Secrets Officer on this vault, for yourself alone",
};

function credentialOf(
  { credential, report }: OperatorParts,
  wires: { endpoints: AzureEndpoints; transport: SdkTransport; dial: GuardedDialer },
): TokenCredential {
  const { endpoints, transport } = wires;
  if (credential.kind === "certificate") {
    const { tenant, client, file } = credential;
    const identity = {
      ...({ kind: "clientCertificate", tenant, client } as const),
      certificate: `file:${file}`,
    };
    return vaultCredential({ ...wires, identity, clock: hostClock, host: hostCredentials });
  }
  const make =
    credential.kind === "azureCli"
      ? () => azureCli(credential.tenant)
      : () => deviceCode(credential, endpoints, transport, report);
  let made: Promise<TokenCredential> | undefined;
  return {
    async getToken(scopes, options) {
      const scope = vaultScope(scopes, endpoints);
      made ??= make();
      return await (await made).getToken(scope, options);
    },
  };
}

const azureCliMsMax = 30_000;

async function azureCli(tenant: string | undefined): Promise<TokenCredential> {
  const sdk = await import("@azure/identity");
  const chosen = tenant === undefined ? {} : { tenantId: tenant };
  const inner = new sdk.AzureCliCredential({ ...chosen, processTimeoutInMs: azureCliMsMax });
  return {
    async getToken(scopes, options) {
      try {
        return await inner.getToken(scopes, options);
      } catch (error) {
        const absent = error instanceof Error && /could not be found/.test(error.message);
        const text = absent
          ? "the Azure CLI is not installed here (az)"
          : "the Azure CLI gives no token";
        throw problem("vault.denied", text, "az account get-access-token", "az login");
      }
    },
  };
}

async function deviceCode(
  { tenant, client }: Extract<Credential, { kind: "deviceCode" }>,
  endpoints: AzureEndpoints,
  transport: SdkTransport,
  report: (text: string) => void,
): Promise<TokenCredential> {
  const sdk = await import("@azure/identity");
  let heard: LinksealError | undefined;
  const line = transport.client(["authority"]);
  const httpClient: typeof line = {
    async sendRequest(request) {
      try {
        return await line.sendRequest(request);
      } catch (error) {
        if (error instanceof LinksealError) heard = error;
        throw error;
      }
    },
  };
  const inner = new sdk.DeviceCodeCredential({
    ...(tenant === undefined ? {} : { tenantId: tenant }),
    ...(client === undefined ? {} : { clientId: client }),
    authorityHost: endpoints.authority,
    // Our list of clouds fixes the authority, so that the library need not ask another host for it.
    disableInstanceDiscovery: true,
    httpClient,
    retryOptions: { maxRetries: 0 },
    userPromptCallback: ({ message }) => report(visible(message)),
  });
  return {
    async getToken(scopes, options) {
      try {
        return await inner.getToken(scopes, options);
      } catch (error) {
        throw explained(endpoints.authority, error, heard);
      }
    },
  };
}
