// Compares a tunnel's interface with how it was made, without any effect.

import type { TunnelGap } from "#hal/model.ts";
import type { Address } from "../netlink/rtnetlink-address.ts";
import { type Link, linkFlags } from "../netlink/rtnetlink-link.ts";
import type { Route } from "../netlink/rtnetlink-route.ts";
import type { Policy } from "../netlink/xfrm.ts";
import { isOpen, wayInto } from "./guard.ts";
import type { TunnelEnds, TunnelLink } from "./tunnel-operation.ts";

export interface TunnelSurroundings {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly policies: readonly Policy[];
}

/**
 * Returns the differences of an existing interface; empty if it does not exist, which the list of
 * tunnels shows.
 */
export function tunnelGaps(want: TunnelLink, observed: TunnelSurroundings): readonly TunnelGap[] {
  const { name, ifId, mtu, prefixes, ends } = want;
  const link = observed.links.find((one) => one.name === name && one.info?.xfrm?.ifId === ifId);
  if (link === undefined) return [];
  const { index } = link;
  const closed = (text: string): TunnelGap => ({ kind: "closed", text });
  const gaps: TunnelGap[] = [];
  if ((link.flags & linkFlags.up) === 0) gaps.push(closed(`the interface ${name} is down`));
  if (ends !== undefined && !hasEnds(observed.addresses, index, ends)) {
    gaps.push(closed(`${name} lacks the address ${ends.local} opposite ${ends.peer}`));
  }
  for (const prefix of prefixes) {
    if (ends === undefined && !hasRoute(observed.routes, prefix, index)) {
      gaps.push(closed(`the route ${prefix} into ${name} is missing`));
    }
    if (!isOpen(observed.policies, wayInto(prefix, index))) {
      gaps.push(closed(`no policy lets ${prefix} past its block into ${name}`));
    }
  }
  if (link.mtu === mtu) return gaps;
  return [...gaps, { kind: "mtu", text: `${name} has an MTU of ${link.mtu}, made with ${mtu}` }];
}

export function hasEnds(addresses: readonly Address[], index: number, ends: TunnelEnds): boolean {
  return addresses.some(
    ({ link, local, address }) => link === index && local === ends.local && address === ends.peer,
  );
}

export function hasRoute(routes: readonly Route[], prefix: string, link: number): boolean {
  return routes.some(
    ({ outputLink, destination, destinationLength }) =>
      outputLink === link && `${destination}/${destinationLength}` === prefix,
  );
}
