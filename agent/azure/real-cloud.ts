// A real cloud as the agent sees it: the vault and the far ends of one config, behind libraries
// that are loaded when the first of them is asked.

import { azureEndpoints } from "#drivers/azure-url.ts";
import { ExpressRoute } from "#drivers/index.ts";
import type { PeerPort, PeerSecret } from "#hal/device.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { WallTime, World } from "#hal/world.ts";
import type { RealAzure } from "../desired.ts";
import type { ReadDocument } from "../scorecard/estate.ts";
import { Patience } from "./patience.ts";

interface Opened {
  readonly vault: KeyVault;
  readonly expressRoute: ExpressRoute;
}

/** Which far end, and the operation on it that the journal names last. */
type FarEnd = Parameters<ExpressRoute["peer"]>[0];

export class RealCloud {
  readonly #world: World;
  readonly #azure: RealAzure;
  #opened: Promise<Opened> | undefined;

  constructor(world: World, azure: RealAzure) {
    this.#world = world;
    this.#azure = azure;
  }

  readonly vault: KeyVault = {
    versions: async (name, signal) => (await this.#open()).vault.versions(name, signal),
    read: async (id, signal) => (await this.#open()).vault.read(id, signal),
  };

  peer(farEnd: FarEnd): PeerPort {
    const port = async (): Promise<PeerPort> => (await this.#open()).expressRoute.peer(farEnd);
    return {
      observe: async (signal) => (await port()).observe(signal),
      put: async (want, accepted, signal) => (await port()).put(want, accepted, signal),
      sight: async (signal) => {
        const { expressRoute } = await this.#open();
        return await expressRoute.peer(farEnd).sight(signal);
      },
    };
  }

  /** The word of a VPN connection about itself. */
  async connection(resource: string, signal: AbortSignal): Promise<string> {
    return await (await this.#open()).expressRoute.connection(resource, signal);
  }

  /** The gateway of a VPN connection. */
  gatewayKey(resource: string): PeerSecret {
    return {
      put: async (secret, signal) => {
        const { expressRoute } = await this.#open();
        await expressRoute.gateway(resource).put(secret, signal);
      },
    };
  }

  /** A document of the management API, for evidence. */
  readonly document: ReadDocument = async (path, query, signal) =>
    await (await this.#open()).expressRoute.document(path, query, signal);

  /** Last moment of the certificate that we sign in with; undefined = we sign in without one. */
  async identityEnd(): Promise<WallTime | undefined> {
    const { identity } = this.#azure;
    if (identity.kind !== "clientCertificate") return undefined;
    const { certificateEnd, hostCredentials } = await import("../host/credentials.ts");
    return certificateEnd(await hostCredentials.certificate(identity.certificate));
  }

  #open(): Promise<Opened> {
    const opened = this.#opened ?? this.#load();
    this.#opened = opened;
    // What this host lacked may be there at the next try.
    opened.catch(() => {
      if (this.#opened === opened) this.#opened = undefined;
    });
    return opened;
  }

  async #load(): Promise<Opened> {
    const { openAzure } = await import("./open-azure.ts");
    const { hostCredentials } = await import("../host/credentials.ts");
    const { vault, token, dial } = openAzure(this.#world, this.#azure, hostCredentials);
    const { arm: origin, armResource: resource } = azureEndpoints(this.#azure);
    const { clock } = this.#world;
    const patience = new Patience(clock);
    const expressRoute = new ExpressRoute({ clock, dial, origin, resource, token, patience });
    return { vault, expressRoute };
  }
}
