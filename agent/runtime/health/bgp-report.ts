// Reports of BGP inside a tunnel, and of how a bundle's traffic spreads.

import type { Instant } from "#hal/world.ts";
import { bundleOf, type Share, sessionOf, sharesOf } from "../../health/tunnel-bundle.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import { isSolid } from "../../model/health.ts";
import { drainOf, fresh } from "../../model/link-snapshot.ts";
import type { SiteView } from "./site-view.ts";

export interface Inside {
  /**
   * The BGP session inside the tunnel; absent if none is wanted. An undefined member = not known.
   */
  readonly bgp?: {
    readonly peer: string;
    readonly asn: number;
    readonly up: boolean | undefined;
    readonly drained: boolean | undefined;
  };
  readonly share?: Share;
}

/**
 * Reports BGP and share of a tunnel; an observation older than `health.staleAfter` at `now` counts
 * as unknown.
 */
export function insideOf(supervisor: SiteView, tunnel: DesiredTunnel, now: Instant): Inside {
  const { bgp, name } = tunnel;
  if (bgp === undefined) return {};
  const { peer, asn } = bgp;
  const { health } = supervisor.intent.desired;
  const state = fresh(supervisor.deviceCache.state(tunnel.device), health, now);
  const all = state === undefined ? [] : shares(supervisor, tunnel);
  const share = all.find((one) => one.tunnel === name);
  const isReported = state !== undefined && isSolid(state.routing, now, health.staleAfterMs);
  const up = isReported ? (sessionOf(tunnel, state)?.up ?? false) : undefined;
  const drained = isReported ? drainOf(state, name) === "on" : undefined;
  return { bgp: { peer, asn, up, drained }, ...(share === undefined ? {} : { share }) };
}

/** The shares of the tunnels of a bundle. */
export function shares({ deviceCache, intent }: SiteView, tunnel: DesiredTunnel): readonly Share[] {
  const bundle = bundleOf(intent.desired.tunnels, tunnel);
  return sharesOf(bundle, (name) => deviceCache.tunnelHistory(name));
}
