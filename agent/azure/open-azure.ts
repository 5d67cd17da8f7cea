// Builds the clients of a real cloud on any World; loaded only by an agent whose config names one.

import { azureEndpoints } from "#drivers/azure/azure-url.ts";
import type { KeyMarker, KeyVault } from "#hal/vault.ts";
import type { Dialer, World } from "#hal/world.ts";
import type { RealAzure } from "../model/desired.ts";
import { signInKindOf } from "./answers.ts";
import { guardedDialer } from "./guard.ts";
import { type CredentialHost, type TokenSource, tokenSource, vaultCredential } from "./identity.ts";
import { SdkTransport } from "./sdk-transport.ts";
import { azureMarker, azureVault, serviceVersion } from "./vault.ts";

export interface AzureClients {
  readonly vault: KeyVault;
  readonly marker: KeyMarker;
  /** Tokens for the management API. */
  readonly token: TokenSource;
  /** Reaches vault, authority and management API of the config, and no other host. */
  readonly dial: Dialer;
}

export function openAzure(
  world: Pick<World, "clock" | "dial">,
  azure: RealAzure,
  host: CredentialHost,
): AzureClients {
  const endpoints = azureEndpoints(azure);
  const { identity } = azure;
  const identityOrigin = host.pinEndpoint(identity);
  const dial = guardedDialer(world.dial, endpoints, azure, identityOrigin);
  const transport = new SdkTransport({
    world,
    dial,
    endpoints,
    signIn: signInKindOf(identity),
    identityOrigin,
    checkArcKey: (path) => host.checkArcKey(path),
  });
  const signIn = { clock: world.clock, identity, endpoints, transport, host, dial };
  const client = async () => {
    const { SecretClient } = await import("@azure/keyvault-secrets");
    return new SecretClient(endpoints.vault, vaultCredential(signIn), {
      httpClient: transport.client(["vault"]),
      retryOptions: { maxRetries: 0 },
      serviceVersion,
      // The transport compares the challenge with the one resource that the cloud has. A loopback
      // vault on this host is the only one whose name need not end with that resource.
      disableChallengeResourceVerification: azure.cloud === "loopback",
    });
  };
  let made: ReturnType<typeof client> | undefined;
  const parts = { base: endpoints.vault, client: () => (made ??= client()) };
  const [vault, marker] = [azureVault(parts), azureMarker(parts)];
  return { vault, marker, token: tokenSource(signIn), dial };
}
