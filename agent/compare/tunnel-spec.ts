// A configured tunnel as a driver takes it. Pure.

import type { TunnelAuth, TunnelSpec } from "#hal/tunnel-spec.ts";
import type { DesiredTunnel } from "../model/desired.ts";

/** Converts a configured tunnel into the form that a driver takes. */
export function tunnelSpec(tunnel: DesiredTunnel, auth: TunnelAuth): TunnelSpec {
  const { name, localAddress, remoteAddress, localPrefixes, remotePrefixes } = tunnel;
  const { ike, transforms, life, mtu, ifId, bgp, backs } = tunnel;
  const { ikeVersion, localId, remoteId, dpdSeconds } = tunnel;
  return {
    ...{ name, localAddress, remoteAddress, localPrefixes, remotePrefixes },
    ...{ ike, transforms, life, mtu, ifId, auth },
    ...(ikeVersion === undefined ? {} : { ikeVersion }),
    ...(localId === undefined ? {} : { localId }),
    ...(remoteId === undefined ? {} : { remoteId }),
    ...(dpdSeconds === undefined ? {} : { dpdSeconds }),
    ...(bgp === undefined ? {} : { bgp }),
    ...(backs === undefined ? {} : { backs: backs.links.map(({ port }) => port) }),
  };
}
