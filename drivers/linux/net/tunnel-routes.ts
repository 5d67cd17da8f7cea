// How this kernel reaches what tunnels protect: into a tunnel, or past all of them over a port.

import { known, type Reading, type Route } from "#hal/model.ts";
import type { KernelObservation } from "../macsec/port.ts";
import { families } from "../netlink/address.ts";
import { type Route as KernelRoute, routeKinds } from "../netlink/rtnetlink-route.ts";
import { canonicalPrefix } from "./guard.ts";
import { portBelow } from "./stack.ts";

const mainTable = 254;
/** The decoder of an observation accepts no more. */
const routesMax = 4_096;

/** Returns the routes that overlap with `blocked`, the protected prefixes. */
export function waysOf(
  observation: KernelObservation,
  blocked: Reading<readonly string[]>,
): Reading<readonly Route[]> {
  const { at } = observation;
  if (blocked.kind === "unknown") return blocked;
  const around = observation.routes.filter((route) => isAround(route, blocked.value));
  const best = new Map<string, number>();
  for (const route of around) {
    const prefix = prefixOf(route);
    const priority = route.priority ?? 0;
    best.set(prefix, Math.min(best.get(prefix) ?? priority, priority));
  }
  const routes = around
    .slice(0, routesMax)
    .flatMap((route) =>
      routesFrom(route, observation, (route.priority ?? 0) === best.get(prefixOf(route))),
    );
  return known(routes, at);
}

function prefixOf({ family, destination, destinationLength }: KernelRoute): string {
  const any = family === families.ipv4 ? "0.0.0.0" : "::";
  return `${destination ?? any}/${destinationLength}`;
}

function isAround(route: KernelRoute, prefixes: readonly string[]): boolean {
  const { kind, table } = route;
  if (kind !== routeKinds.unicast || (table ?? mainTable) !== mainTable) return false;
  return prefixes.some((prefix) => overlap(prefixOf(route), prefix));
}

function overlap(one: string, other: string): boolean {
  if (one.includes(":") !== other.includes(":")) return false;
  const lengths = [one, other].map((prefix) => Number(prefix.slice(prefix.indexOf("/") + 1)));
  const shorter = Math.min(...lengths);
  const cut = (prefix: string): string =>
    canonicalPrefix(`${prefix.slice(0, prefix.indexOf("/"))}/${shorter}`);
  return shorter === 0 || cut(one) === cut(other);
}

function routesFrom(route: KernelRoute, { links }: KernelObservation, best: boolean): Route[] {
  const prefix = prefixOf(route);
  const out = [route.outputLink, ...(route.nextHops ?? []).map(({ link }) => link)];
  return [...new Set(out)].flatMap((index): Route[] => {
    const link = links.find((one) => one.index === index);
    if (index === undefined || link === undefined) return [];
    if (link.info?.kind === "xfrm") {
      return [{ prefix, via: { kind: "tunnel", name: link.name ?? "" }, best }];
    }
    const port = portBelow(index, links) ?? link.name ?? String(index);
    return [{ prefix, via: { kind: "port", port }, best }];
  });
}
