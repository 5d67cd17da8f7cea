// Which far ends of a config may be asked or changed, whatever its cloud offers.

import type { PeerPort, PeerSecret } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Cloud } from "../model/cloud.ts";
import type { DesiredTunnel } from "../model/desired.ts";
import type { GatewayLook } from "./polling/lookout.ts";

/** `farEnd: manual`: whatever goes wrong in here, the change is a person's. */
export function onlyRead(peer: PeerPort, where: string): PeerPort {
  return {
    ...peer,
    async put() {
      const text = "the far end is changed by a person (farEnd: manual): nothing was written";
      const next = "linkseal rotation show, which says what to set there";
      throw new LinksealError("device.unsupported", text, { effect: "none", where, next });
    },
  };
}

/** What the gateway's side of a tunnel reports; undefined = it cannot be asked. */
export function gatewayLook(
  { connection }: Pick<Cloud, "connection">,
  { azureConnection }: DesiredTunnel,
): GatewayLook | undefined {
  if (connection === undefined || azureConnection === undefined) return undefined;
  return (signal) => connection(azureConnection, signal);
}

/** The gateway of a tunnel, where the agent may give it a key; undefined = a person does. */
export function gatewayKey(
  cloud: Pick<Cloud, "gatewayKey">,
  { auth, azureConnection }: DesiredTunnel,
): PeerSecret | undefined {
  if (auth.kind !== "psk" || auth.farEnd !== "agent" || azureConnection === undefined) {
    return undefined;
  }
  return cloud.gatewayKey?.(azureConnection);
}
