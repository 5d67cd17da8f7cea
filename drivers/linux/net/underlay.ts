// Whether this host can send what a tunnel has protected: the outer address, the interface that has
// it, the route to the gateway, and the interfaces that the route leads to.

import type { TunnelGap } from "#hal/model.ts";
import type { NetlinkSocket } from "#hal/netlink.ts";
import { type Link, linkFlags } from "../netlink/rtnetlink-link.ts";
import { askRoute, readRoute } from "../netlink/rtnetlink-route.ts";
import type { Policy } from "../netlink/xfrm.ts";
import type { TunnelSurroundings } from "./tunnel-gaps.ts";

interface OuterEnds {
  readonly local: string;
  readonly remote: string;
}

/** The errors by which the kernel says that it has no route; others say nothing of one. */
const noRoute: ReadonlySet<string> = new Set(["ENETUNREACH", "EHOSTUNREACH"]);

/**
 * Returns what keeps the packets of a tunnel on this host; undefined = nothing does, or the kernel
 * does not report it. Only what it lists counts, and one whole path is enough.
 */
export async function underlayGap(
  ifId: number | undefined,
  observed: TunnelSurroundings,
  routes: NetlinkSocket,
  signal: AbortSignal,
): Promise<TunnelGap | undefined> {
  let first: string | undefined;
  for (const ends of outerEnds(ifId, observed.policies)) {
    const text = await cutOf(ends, observed, routes, signal);
    if (text === undefined) return undefined;
    first ??= text;
  }
  return first === undefined ? undefined : { kind: "outer", text: first };
}

/** A template without an address leaves it to the kernel. */
const isAny: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Policies stay while SAs come and go: their templates name the addresses of each SA. */
function outerEnds(ifId: number | undefined, policies: readonly Policy[]): readonly OuterEnds[] {
  const own = policies.filter(
    ({ direction, attributes }) =>
      direction === "out" && ifId !== undefined && attributes.ifId === ifId,
  );
  return own
    .flatMap(({ attributes }) => attributes.templates ?? [])
    .map(({ source, destination }) => ({ local: source, remote: destination }))
    .filter(({ local, remote }) => !isAny.has(local) && !isAny.has(remote));
}

async function cutOf(
  { local, remote }: OuterEnds,
  { links, addresses }: TunnelSurroundings,
  routes: NetlinkSocket,
  signal: AbortSignal,
): Promise<string | undefined> {
  const own = addresses.filter((one) => (one.local ?? one.address) === local);
  if (own.length === 0) return `no interface has the outer address ${local}`;
  const at = (index: number): Link | undefined => links.find((link) => link.index === index);
  const isShut = (link: Link | undefined): boolean =>
    link !== undefined && (link.flags & linkFlags.up) === 0;
  const holders = own.map(({ link }) => at(link));
  if (holders.every(isShut)) {
    return `the interface ${namesOf(holders)} with the outer address ${local} is down`;
  }
  const answer = await routes.ask(askRoute(remote, local), readRoute, signal);
  if (answer.kind === "refused") {
    return noRoute.has(answer.refusal.name) ? `no route leads to ${remote}` : undefined;
  }
  const hops = answer.found.flatMap(({ outputLink, nextHops = [] }) =>
    outputLink === undefined ? nextHops.map(({ link }) => link) : [outputLink],
  );
  const ways = hops.map(at);
  const isDead = (link: Link | undefined): boolean => isShut(link) || link?.carrier === false;
  if (ways.length === 0 || !ways.every(isDead)) return undefined;
  return `the interface ${namesOf(ways)}, which leads to ${remote}, has no link`;
}

function namesOf(links: readonly (Link | undefined)[]): string {
  return [...new Set(links.map((link) => link?.name ?? "without a name"))].join(" and ");
}
