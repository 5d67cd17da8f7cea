// A cloud as the agent asks it: the vault, the far ends and the gateways of one config.

import type { ConnectionReport } from "#drivers/azure/connections.ts";
import type { LastOperations } from "#drivers/index.ts";
import type { PeerPort, PeerSecret } from "#hal/device.ts";
import type { KeyMarker, KeyVault } from "#hal/vault.ts";
import type { WallTime } from "#hal/world.ts";
import type { ReadDocument } from "./azure-document.ts";
import type { AzureSettings, DesiredLink } from "./desired.ts";

/** One link of an ExpressRoute Direct port, and what was asked of it before. */
export interface FarEndPlace {
  /** The id of the port in Azure. */
  readonly resource: string;
  /** The link of the port in Azure. */
  readonly link: DesiredLink["azureLink"];
  /** The operations on the port that the journal names last. */
  readonly operations: () => LastOperations;
  /** A put whose end was not seen may still land within this time. */
  readonly putGraceMs: number;
}

/** The vault, far ends and gateways of one cloud. */
export interface Cloud {
  /** The vault of the config. */
  readonly vault: KeyVault;
  /** Marks versions in that vault, where the agent's identity has the right to. */
  readonly marker: KeyMarker;
  /**
   * `withRouter` = a far end is asked in each turn of the router at its other end; `polled` = far
   * ends and the last days of secrets have pollers of their own, far below Azure's limits.
   */
  readonly pace: "withRouter" | "polled";
  /** The places that the agent itself must reach: URLs, or the socket of a simulated site. */
  readonly addresses: readonly string[];
  /** Returns access to the far end of one link; it opens no connection yet. */
  farEnd(place: FarEndPlace): PeerPort;
  /**
   * Reads what a VPN connection reports of itself; undefined = it cannot be asked.
   * @throws LinksealError
   */
  readonly connection:
    | ((resource: string, signal: AbortSignal) => Promise<ConnectionReport>)
    | undefined;
  /** Gives a pre-shared key to the gateway of a VPN connection; undefined = there is none. */
  readonly gatewayKey: ((resource: string) => PeerSecret) | undefined;
  /** undefined = it has no management API. */
  readonly document: ReadDocument | undefined;
  /**
   * Resolves to the last moment of the certificate that the agent signs in with; undefined = it
   * signs in without one.
   */
  readonly identityEnd: (() => Promise<WallTime | undefined>) | undefined;
}

/** The cloud that a config names. */
export type Clouds = (azure: AzureSettings) => Cloud;
