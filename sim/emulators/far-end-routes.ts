// Prefixes that the far end advertises over BGP, in the forms that break tables: short and long
// prefixes of both families, and a prefix that comes twice.

import { isIPv6 } from "node:net";
import type { Router } from "../router/router.ts";
import { known, portWith } from "./router-facts.ts";

const prefixes = [
  "198.18.0.0/16",
  "192.88.99.0/24",
  "198.19.200.128/25",
  "2001:db8:40::/48",
  "2001:db8:abcd:1200::/56",
];

/** Makes the far end advertise the prefixes; otherwise every table would be empty. */
export function advertiseFarEndRoutes(router: Router): void {
  for (const prefix of prefixes) router.advertise(prefix, "announce");
}

export interface AdvertisedRoute {
  readonly prefix: string;
  /** Whether each path is in use; of two paths of a prefix, the second may be. */
  readonly paths: readonly boolean[];
}

/** Returns the routes of one peer and one family; of both families if `family` is absent. */
export function routesFrom(
  router: Router,
  peer: string,
  family?: "ipv4" | "ipv6",
): readonly AdvertisedRoute[] {
  const port = portWith(router, peer);
  const found = (known(router.state().routing)?.routes ?? []).filter(
    ({ prefix, via }) =>
      via.kind === "port" &&
      via.port === port &&
      (family === undefined || family === familyOf(prefix)),
  );
  return found.map(({ prefix, best }, index) => {
    return { prefix, paths: index % 2 === 1 ? [false, best] : [best] };
  });
}

/** Returns the routes of the neighbour that has the same address in another routing instance. */
export const otherRoutes = (family: "ipv4" | "ipv6"): readonly AdvertisedRoute[] =>
  family === "ipv4" ? [{ prefix: "10.0.0.0/8", paths: [true] }] : [];

export const pathCount = (routes: readonly AdvertisedRoute[]): number =>
  routes.reduce((sum, one) => sum + one.paths.length, 0);

export const familyOf = (prefix: string): "ipv4" | "ipv6" =>
  isIPv6(prefix.split("/")[0] ?? "") ? "ipv6" : "ipv4";

export interface Columns {
  /** The text before a prefix, for a path that is in use, and for one that is not. */
  readonly codes: { readonly used: string; readonly unused: string };
  readonly prefixWidth: number;
  readonly nextHopWidth: number;
  /** The column of a next hop that has a row of its own. */
  readonly nextHopAt: number;
}

/**
 * Returns the rows of a table as Cisco's routers print them: a prefix is printed once, and a value
 * wider than its column ends the row, with nothing after it.
 */
export function tableRows(
  routes: readonly AdvertisedRoute[],
  peer: string,
  columns: Columns,
  printed: (prefix: string) => string = (prefix) => prefix,
): readonly string[] {
  const { codes, prefixWidth, nextHopWidth, nextHopAt } = columns;
  return routes.flatMap(({ prefix, paths }) => {
    const isMapped = familyOf(prefix) === "ipv6" && !peer.includes(":");
    const nextHop = isMapped ? `::ffff:${peer}` : peer;
    return paths.flatMap((isUsed, index) => {
      const begin = isUsed ? codes.used : codes.unused;
      const word = index === 0 ? printed(prefix) : "";
      const rest = "      0             0 12076 i";
      const isHopWide = nextHop.length > nextHopWidth;
      const tail = isHopWide ? [nextHop, `${" ".repeat(nextHopAt + nextHopWidth)}${rest}`] : [];
      const whole = isHopWide ? tail : [`${nextHop.padEnd(nextHopWidth)}${rest}`];
      const [first = "", ...more] = whole;
      if (word.length <= prefixWidth)
        return [`${begin}${word.padEnd(prefixWidth)} ${first}`, ...more];
      return [`${begin}${word}`, `${" ".repeat(nextHopAt)}${first}`, ...more];
    });
  });
}
