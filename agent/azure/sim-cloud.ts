// The cloud of a simulated site: the site's socket serves both the vault and the far ends.

import { simMarker, simPeer, simVault } from "#drivers/index.ts";
import type { Dialer } from "#hal/world.ts";
import type { Cloud } from "../model/cloud.ts";

/** Makes the cloud; `address` is `unix:PATH` of the site. */
export function simCloud(dial: Dialer, address: string): Cloud {
  return {
    vault: simVault(dial, address),
    marker: simMarker(dial, address),
    pace: "withRouter",
    addresses: [address],
    farEnd: ({ resource, link }) => simPeer(dial, address, resource, link),
    connection: undefined,
    gatewayKey: undefined,
    document: undefined,
    identityEnd: undefined,
  };
}
