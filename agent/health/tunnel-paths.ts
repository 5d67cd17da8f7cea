// Which paths lead past a tunnel: the routes of this side, what BGP advertises to the other side,
// and what blocks both.

import type { Reading, Route } from "#hal/model.ts";
import {
  type BackedLink,
  type Finding,
  finding,
  isSolid,
  type TunnelEvidence,
  unusable,
} from "../model/health.ts";
import { isSealed } from "./backup.ts";
import { contains, type Prefix, parsePrefix } from "./prefix.ts";

/** A path past the tunnel, as a message names it. */
interface Leak {
  readonly text: string;
  /**
   * The fate of its packets if they are blocked outside of tunnels; undefined = they pass.
   */
  readonly end: string | undefined;
  /** True if no packet to the prefix goes into the tunnel. */
  readonly takesAll: boolean;
}

export function pathFindings(evidence: TunnelEvidence): Finding[] {
  const { tunnel, now, settings } = evidence;
  const routes = routesIn(evidence);
  if (!isSolid(routes, now, settings.staleAfterMs)) {
    return [unusable("its routes", tunnel.device, tunnel.name, routes)];
  }
  const outward = tunnel.remotePrefixes.flatMap((remote): (Leak | Finding)[] => {
    const isSafe = ({ via, best }: Route): boolean => {
      if (via.kind === "tunnel") return true;
      const way = wayOver(evidence, via.port, remote);
      // A route that only waits to take over a dead link neither leaks nor loses packets.
      return way === "sealed" || (way === "dead" && !best);
    };
    const leak = clearPath(remote, routes.value, isSafe);
    if (leak === undefined || leak.via.kind === "tunnel") return [];
    const { port } = leak.via;
    const way = wayOver(evidence, port, remote);
    const unsure = way === "unknown" ? unsureOf(evidence, port) : undefined;
    if (unsure !== undefined) return [unsure];
    const text = `${tunnel.device} reaches ${remote} over ${port} (route ${leak.prefix})`;
    const isHeld = way === "dead" || isBlocked(evidence, remote);
    const end = way === "dead" ? "nothing leaves there" : "it is blocked there";
    const takesAll = way === "open" && isOnlyWay(leak, remote, routes.value);
    const fate = `${end}, and what takes that way is lost`;
    if (isHeld) return [{ text, end: fate, takesAll }];
    return [{ text: `${text}${openerText(evidence, remote)}`, end: undefined, takesAll }];
  });
  const unsure = outward.flatMap((one) => ("verdict" in one ? [one] : []));
  const leaks = [...outward.flatMap((one) => ("verdict" in one ? [] : [one])), ...inward(evidence)];
  const [leak] = leaks.toSorted((a, b) => weightOf(b) - weightOf(a));
  if (leak === undefined) return [...unsure.slice(0, 1), ...guardFindings(evidence)];
  const others = leaks.length === 1 ? "" : ` and in ${leaks.length - 1} more ways`;
  const sentence = `${leak.text}, beside the tunnel ${tunnel.name}${others}`;
  const code = "clear-path-beside-tunnel";
  return leak.end === undefined
    ? [finding("unprotected", code, tunnel.name, sentence)]
    : [finding(leak.takesAll ? "down" : "degraded", code, tunnel.name, `${sentence}; ${leak.end}`)];
}

/** The leak that is reported first: one in the clear, then one that takes all traffic. */
function weightOf({ end, takesAll }: Leak): number {
  if (end === undefined) return 2;
  return takesAll ? 1 : 0;
}

/**
 * Returns true if the route is for the very prefix and no best route leads into a tunnel. A route
 * that covers more takes over only where the tunnel's own one is gone, which is reported as such.
 */
function isOnlyWay(leak: Route, remote: string, routes: readonly Route[]): boolean {
  const [wanted, taken] = [parsePrefix(remote), parsePrefix(leak.prefix)];
  if (wanted === undefined || taken === undefined) return false;
  if (!leak.best || !contains(taken, wanted) || !contains(wanted, taken)) return false;
  return !routes.some(({ prefix, via, best }) => {
    const into = parsePrefix(prefix);
    return best && via.kind === "tunnel" && into !== undefined && contains(wanted, into);
  });
}

/**
 * How protected traffic would leave by a port: `sealed` = under the MACsec of a link that the
 * tunnel backs up, `dead` = not at all, `open` = in the clear unless something blocks it.
 */
function wayOver(
  evidence: TunnelEvidence,
  port: string,
  remote: string,
): "sealed" | "unknown" | "dead" | "open" {
  const link = backedLink(evidence, port);
  if (link === undefined) return "open";
  if (isSealed(link)) {
    return isBlocked(evidence, remote) && !passes(evidence, port, remote) ? "open" : "sealed";
  }
  // The link is must-secure, so without a session it drops everything.
  if (link.verdict === "down") return "dead";
  return link.verdict === "unknown" ? "unknown" : "open";
}

function backedLink({ backup }: TunnelEvidence, port: string): BackedLink | undefined {
  return backup?.links.find((link) => link.port === port);
}

/** Returns true if the block is known or assumed to let the prefix pass out of that port. */
function passes({ backup }: TunnelEvidence, port: string, remote: string): boolean {
  const { backed } = backup ?? {};
  if (backed?.kind !== "known") return backed !== undefined;
  return backed.value.some(({ prefix, open }) => prefix === remote && open.includes(port));
}

/** While a link's state is unknown, it is also unknown whether the link is a path in the clear. */
function unsureOf(evidence: TunnelEvidence, port: string): Finding | undefined {
  const link = backedLink(evidence, port);
  if (link?.reason === undefined) return undefined;
  const { code, text, next } = link.reason;
  const why = `${evidence.tunnel.name} is the backup of ${link.id}, which is unknown: ${text}`;
  return { verdict: "unknown", code, text: why, next };
}

/**
 * Finds what is advertised of this side to neighbours of another AS: if a gateway learns a route
 * there and one through the tunnel, it prefers the open one. A port that brings parts of the prefix
 * itself leads to this side.
 */
function inward(evidence: TunnelEvidence): Leak[] {
  const { tunnel, routing, now, settings } = evidence;
  if (routing === undefined || !isSolid(routing, now, settings.staleAfterMs)) return [];
  const isHeld = tunnel.remotePrefixes.every((remote) => isBlocked(evidence, remote));
  const end = isHeld ? "it is blocked here, and what comes that way is lost" : undefined;
  const { advertised = [], routes } = routing.value;
  return tunnel.localPrefixes.flatMap((local): Leak[] => {
    const own = parsePrefix(local);
    if (own === undefined) return [];
    const isPart = (text: string): boolean => {
      const prefix = parsePrefix(text);
      return prefix !== undefined && contains(own, prefix);
    };
    const inside = new Set(
      routes.flatMap(({ prefix, via, best }) =>
        best && via.kind === "port" && isPart(prefix) ? [via.port] : [],
      ),
    );
    const isBacked = (port: string): boolean => {
      const link = backedLink(evidence, port);
      return link !== undefined && link.verdict !== "unprotected";
    };
    const reported = advertised.find(
      ({ port, prefix }) => !inside.has(port) && !isBacked(port) && isPart(prefix),
    );
    if (reported === undefined) return [];
    const { port, peer, prefix } = reported;
    const text = `${tunnel.device} sends ${peer} over ${port} a route to ${local}`;
    return [{ text: `${text} (advertises ${prefix})`, end, takesAll: false }];
  });
}

/** The routes that forward now, and those over ports that BGP would use next. */
export function routesIn({ ways, routing, now }: TunnelEvidence): Reading<readonly Route[]> {
  if (ways !== undefined) {
    if (ways.kind === "unknown" || routing?.kind !== "known") return ways;
    // What BGP would use next is in no forwarding table, even if BGP marks it as best.
    const waiting = routing.value.routes.filter(({ via }) => via.kind === "port");
    const next = waiting.map((route) => ({ ...route, best: false }));
    return { ...ways, value: [...ways.value, ...next] };
  }
  if (routing === undefined) return { kind: "unknown", why: "queryFailed", at: now };
  return routing.kind === "unknown" ? routing : { ...routing, value: routing.value.routes };
}

/**
 * Nothing leaks now, but a packet would leave in the clear as soon as the tunnel's route is gone.
 */
function guardFindings(evidence: TunnelEvidence): Finding[] {
  const { tunnel, blocked, now, settings } = evidence;
  if (blocked === undefined) return [];
  if (!isSolid(blocked, now, settings.staleAfterMs)) {
    return [unusable("its block policies", tunnel.device, tunnel.name, blocked)];
  }
  const open = tunnel.remotePrefixes.find((remote) => !isBlocked(evidence, remote));
  if (open === undefined) return [];
  const text = `${tunnel.device} would let ${open} pass in the clear without ${tunnel.name}`;
  const sentence = `${text}${openerText(evidence, open)}`;
  return [finding("degraded", "guard-missing", tunnel.name, sentence)];
}

/** The policy that precedes the block of a prefix, as the end of a sentence; empty = none does. */
function openerText({ opened = [] }: TunnelEvidence, remote: string): string {
  const by = opened.find(({ prefix }) => prefix === remote)?.by;
  return by === undefined ? "" : `, because ${by}, precedes its block`;
}

function isBlocked({ blocked, now, settings }: TunnelEvidence, remote: string): boolean {
  const wanted = parsePrefix(remote);
  if (wanted === undefined || blocked === undefined) return false;
  if (!isSolid(blocked, now, settings.staleAfterMs)) return false;
  return blocked.value.some((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && contains(prefix, wanted);
  });
}

/**
 * Finds an unsafe route over a port: any route for the prefix or a part of it, because it takes
 * over when the tunnel goes; a covering route only if no better one leads into a tunnel.
 */
function clearPath(
  remote: string,
  routes: readonly Route[],
  isSafe: (route: Route) => boolean,
): Route | undefined {
  const wanted = parsePrefix(remote);
  if (wanted === undefined) return undefined;
  let covering: { readonly route: Route; readonly length: number } | undefined;
  for (const route of routes) {
    const prefix: Prefix | undefined = parsePrefix(route.prefix);
    if (prefix === undefined) continue;
    const inside = contains(wanted, prefix);
    if (inside && !isSafe(route)) return route;
    if (!route.best || !contains(prefix, wanted)) continue;
    const before = covering?.length ?? -1;
    // If two routes for one prefix are equally good, some traffic takes the open one.
    const asGood = prefix.length === before && !isSafe(route);
    if (prefix.length > before || asGood) covering = { route, length: prefix.length };
  }
  return covering === undefined || isSafe(covering.route) ? undefined : covering.route;
}
