// What a face reads as tunnels in its own configuration, beside those of the simulated router.

import type { Router } from "../router/router.ts";
import { sameBytes, sameSpec, type TunnelConfig } from "../router/router-config.ts";

/** By name; what a configuration has no words for stays as somebody else made it. */
export function asTheyStand(
  read: readonly TunnelConfig[],
  router: Router,
): Map<string, TunnelConfig> {
  return new Map(
    read.map((tunnel) => {
      const stands = router.running.tunnels.get(tunnel.spec.name);
      const isSame = stands !== undefined && sameTunnel(stands, tunnel);
      return [tunnel.spec.name, isSame ? stands : tunnel] as const;
    }),
  );
}

export function sameTunnel(stands: TunnelConfig, read: TunnelConfig): boolean {
  const { localPrefixes, ifId } = read.spec;
  const remotePrefixes = stands.spec.remotePrefixes.toSorted();
  const told = { ...stands.spec, localPrefixes, ifId, remotePrefixes };
  return sameSpec(told, read.spec) && sameBytes(stands.psk, read.psk);
}
