// Makes the state of tunnels from the replies about them, whatever the vendor.

import type { IpsecSa, IpsecTunnel } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type QueryResult, reading } from "./query-result.ts";
import type { StandingTunnel, TunnelConfig } from "./tunnel-config.ts";

interface ReportedState<T, I, S> {
  readonly ike: QueryResult<I>;
  /** Returns for each IKE SA between the ends of the tunnel whether it is up. */
  readonly isUp: (tunnel: T, reported: I) => readonly boolean[];
  readonly sas: QueryResult<S>;
  /** Returns the SAs of a tunnel; undefined = one of them is not understood. */
  readonly sasOf: (tunnel: T, reported: S) => readonly IpsecSa[] | undefined;
}

/** Returns every tunnel of the router that IPsec protects, ours or not. */
export function statesOf<T extends StandingTunnel, I, S>(
  { tunnels }: TunnelConfig<T>,
  { ike, isUp, sas, sasOf }: ReportedState<T, I, S>,
  at: Instant,
): readonly IpsecTunnel[] {
  return [...tunnels.values()].map((tunnel) => ({
    name: tunnel.name,
    ike: reading(ike, at, (reported) => ikeOf(isUp(tunnel, reported))),
    sas: reading(sas, at, (reported) => sasOf(tunnel, reported)),
  }));
}

function ikeOf(isUp: readonly boolean[]): "established" | "connecting" | "down" {
  if (isUp.includes(true)) return "established";
  return isUp.length === 0 ? "down" : "connecting";
}
