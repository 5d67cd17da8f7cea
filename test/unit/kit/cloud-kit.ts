// A cloud to which a test adds the parts that it needs.

import type { Cloud, FarEndPlace } from "#agent/model/cloud.ts";
import { simPeer } from "#drivers/index.ts";
import type { PeerPort } from "#hal/device.ts";
import type { Dialer } from "#hal/world.ts";

type Own = Pick<Cloud, "vault" | "pace" | "farEnd"> & Partial<Cloud>;

export function cloudWith(own: Own): Cloud {
  return {
    ...{ addresses: [], connection: undefined, gatewayKey: undefined, document: undefined },
    identityEnd: undefined,
    marker: { mark: async () => undefined },
    ...own,
  };
}

/** Returns the far ends of a simulated site at this address. */
export function simFarEnd(dial: Dialer, address: string): (place: FarEndPlace) => PeerPort {
  return ({ resource, link }) => simPeer(dial, address, resource, link);
}
