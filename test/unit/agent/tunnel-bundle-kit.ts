// Tunnels of one bundle.

import type { DesiredTunnel } from "#agent/model/desired.ts";
import { tunnel } from "./health-evidence.ts";

/** `hub-N` with BGP inside. */
export function hub(index: number): DesiredTunnel {
  const [local, peer] = [`169.254.21.${4 * index + 2}`, `169.254.21.${4 * index + 1}`];
  return {
    ...tunnel,
    name: `hub-${index}`,
    remotePrefixes: ["10.100.0.0/16", "10.101.0.0/16"],
    bgp: { local, peer, asn: 65_515 },
  };
}

export const bundle = [hub(1), hub(2)];
