// A real cloud as the agent uses it: the vault and the far ends of one config, behind libraries
// that are loaded at the first call.

import { azureEndpoints } from "#drivers/azure/azure-url.ts";
import { ExpressRoute } from "#drivers/index.ts";
import type { PeerPort } from "#hal/device.ts";
import type { KeyMarker, KeyVault } from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import type { ReadDocument } from "../model/azure-document.ts";
import type { Cloud, FarEndPlace } from "../model/cloud.ts";
import type { RealAzure } from "../model/desired.ts";
import type { CredentialHost } from "./identity.ts";
import { RetryAfterBudget } from "./retry-after-budget.ts";

interface Opened {
  readonly vault: KeyVault;
  readonly marker: KeyMarker;
  readonly expressRoute: ExpressRoute;
}

/** Loads the module of this host's credentials when the first of them is needed. */
export type LoadCredentials = () => Promise<{
  readonly hostCredentials: CredentialHost;
  readonly certificateEnd: (pem: string) => WallTime | undefined;
}>;

/**
 * The vault and the far ends of a config whose cloud is Azure. A call that fails to load the
 * libraries or a credential rejects, and the next call tries again.
 */
export class RealCloud implements Cloud {
  readonly pace = "polled";
  readonly #world: World;
  readonly #azure: RealAzure;
  readonly #credentials: LoadCredentials;
  readonly addresses: readonly string[];
  readonly identityEnd: Cloud["identityEnd"];
  #opened: Promise<Opened> | undefined;

  constructor(world: World, azure: RealAzure, credentials: LoadCredentials) {
    this.#world = world;
    this.#azure = azure;
    this.#credentials = credentials;
    const { vault, authority, arm } = azureEndpoints(azure);
    this.addresses = [vault, authority, arm];
    const { identity } = azure;
    if (identity.kind === "clientCertificate") {
      this.identityEnd = async () => {
        const { certificateEnd, hostCredentials } = await credentials();
        return certificateEnd(await hostCredentials.certificate(identity.certificate));
      };
    }
  }

  /** The Key Vault of the config. */
  readonly vault: KeyVault = {
    versions: async (name, signal) => (await this.#open()).vault.versions(name, signal),
    read: async (id, signal) => (await this.#open()).vault.read(id, signal),
  };

  /** Marks versions in it, which needs a right that the agent's role does not have. */
  readonly marker: KeyMarker = {
    mark: async (id, marks, signal) => (await this.#open()).marker.mark(id, marks, signal),
  };

  /** Returns the far end of a link: an ExpressRoute Direct port. */
  farEnd(place: FarEndPlace): PeerPort {
    const port = async (): Promise<PeerPort> => (await this.#open()).expressRoute.peer(place);
    return {
      observe: async (signal) => (await port()).observe(signal),
      put: async (want, accepted, signal) => (await port()).put(want, accepted, signal),
      telemetry: async (signal) => {
        const { expressRoute } = await this.#open();
        return await expressRoute.peer(place).telemetry(signal);
      },
    };
  }

  /** The connection status that Azure reports for a VPN connection. */
  readonly connection: Cloud["connection"] = async (resource, signal) =>
    await (await this.#open()).expressRoute.connection(resource, signal);

  /** The gateway end of a VPN connection, where its key is set. */
  readonly gatewayKey: Cloud["gatewayKey"] = (resource) => ({
    put: async (secret, signal) => {
      const { expressRoute } = await this.#open();
      await expressRoute.gateway(resource).put(secret, signal);
    },
  });

  /** Reads a document of the management API, for evidence. */
  readonly document: ReadDocument = async (path, query, signal) =>
    await (await this.#open()).expressRoute.document(path, query, signal);

  #open(): Promise<Opened> {
    const opened = this.#opened ?? this.#load();
    this.#opened = opened;
    // The next call tries again, because a missing file may be there by then.
    opened.catch(() => {
      if (this.#opened === opened) this.#opened = undefined;
    });
    return opened;
  }

  async #load(): Promise<Opened> {
    const { openAzure } = await import("./open-azure.ts");
    const { hostCredentials } = await this.#credentials();
    const { vault, marker, token, dial } = openAzure(this.#world, this.#azure, hostCredentials);
    const { arm: origin, armResource: resource } = azureEndpoints(this.#azure);
    const { clock } = this.#world;
    const retryAfter = new RetryAfterBudget(clock);
    const expressRoute = new ExpressRoute({ clock, dial, origin, resource, token, retryAfter });
    return { vault, marker, expressRoute };
  }
}
