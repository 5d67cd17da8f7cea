// Which far ends of a config may be read or changed, whatever its cloud offers.

import type { PeerPort, PeerSecret } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Cloud } from "../model/cloud.ts";
import type { DesiredTunnel } from "../model/desired.ts";
import type { GatewayQuery } from "./polling/gateway-report.ts";

/**
 * Refuses every write (`farEnd: manual`): even if the agent has a fault, an operator makes the
 * change.
 */
export function onlyRead(peer: PeerPort, where: string): PeerPort {
  return {
    ...peer,
    async put() {
      const text = "the far end is changed by a person (farEnd: manual): nothing was written";
      const next = "linkseal rotation show, which prints the command for it once it is time";
      throw new LinksealError("device.unsupported", text, { effect: "none", where, next });
    },
  };
}

/** Returns a reader of the gateway's side of a tunnel; undefined = it cannot be queried. */
export function gatewayQuery(
  { connection }: Pick<Cloud, "connection">,
  { azureConnection }: DesiredTunnel,
): GatewayQuery | undefined {
  if (connection === undefined || azureConnection === undefined) return undefined;
  return (signal) => connection(azureConnection, signal);
}

/**
 * Returns the writer of a gateway's key if the agent may change it; undefined = an operator does.
 */
export function gatewayKey(
  cloud: Pick<Cloud, "gatewayKey">,
  { auth, azureConnection }: DesiredTunnel,
): PeerSecret | undefined {
  if (auth.kind !== "psk" || auth.farEnd !== "agent" || azureConnection === undefined) {
    return undefined;
  }
  return cloud.gatewayKey?.(azureConnection);
}
