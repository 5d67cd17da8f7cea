// Reports of BGP over a link and inside a tunnel, and of how a bundle's traffic spreads.

import { strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import {
  bundleOf,
  imbalanceOf,
  type Share,
  sessionOf,
  sharesOf,
} from "../../health/tunnel-bundle.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { type DesiredLink, type DesiredTunnel, linkId } from "../../model/desired.ts";
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

function shares({ deviceCache, intent }: SiteView, tunnel: DesiredTunnel): readonly Share[] {
  const bundle = bundleOf(intent.desired.tunnels, tunnel);
  return sharesOf(bundle, (name) => deviceCache.tunnelHistory(name));
}

/** Warns once for a bundle: about the tunnel that carries almost none of its traffic. */
export function balanceWarnings(supervisor: SiteView, tunnel: DesiredTunnel): Raised[] {
  const state = supervisor.deviceCache.state(tunnel.device);
  const all = shares(supervisor, tunnel);
  if (state === undefined || all.length === 0) return [];
  const drained = all.filter((one) => drainOf(state, one.tunnel) === "on");
  const found = imbalanceOf(all, new Set(drained.map((one) => one.tunnel)));
  if (found?.tunnel !== tunnel.name) return [];
  const raised = raise("tunnel-unbalanced", tunnel.name, found.text);
  return [{ ...raised, within: [tunnel.device] }];
}

/**
 * Warns of faults that a router reports about its BGP sessions over a link, besides up and down.
 */
export function sessionWarnings({ deviceCache }: SiteView, link: DesiredLink): Raised[] {
  const { state } = deviceCache.snapshot(link);
  const routing = state === undefined ? undefined : strongValue(state.routing);
  const troubles = (routing?.sessions ?? [])
    .filter(({ port }) => port === link.port)
    .flatMap(({ trouble }) => trouble ?? []);
  if (troubles.length === 0) return [];
  const raised = raise("bgp-trouble", linkId(link), troubles.join("; "));
  return [{ ...raised, within: [link.device, link.group] }];
}
