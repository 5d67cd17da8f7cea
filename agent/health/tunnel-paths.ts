// Which ways lead past a tunnel: routes of this side, what the other side is told by BGP, and what
// blocks both.

import type { Reading, Route } from "#hal/model.ts";
import { type Finding, finding, isSolid, type TunnelEvidence, unusable } from "./model.ts";
import { contains, type Prefix, parsePrefix } from "./prefix.ts";

/** A way past the tunnel, in the words that name it. */
interface Leak {
  readonly text: string;
  /** What becomes of packets on it, where they are blocked outside of tunnels. */
  readonly end: string | undefined;
}

export function pathFindings(evidence: TunnelEvidence): Finding[] {
  const { tunnel, now, settings } = evidence;
  const routes = routesIn(evidence);
  if (!isSolid(routes, now, settings.staleAfterMs)) {
    return [unusable("its routes", tunnel.device, tunnel.name, routes)];
  }
  const outward = tunnel.remotePrefixes.flatMap((remote): Leak[] => {
    const leak = clearPath(remote, routes.value);
    if (leak === undefined || leak.via.kind === "tunnel") return [];
    const text = `${tunnel.device} reaches ${remote} over ${leak.via.port} (route ${leak.prefix})`;
    const end = "it is blocked there, and what takes that way is lost";
    return [{ text, end: isBlocked(evidence, remote) ? end : undefined }];
  });
  const leaks = [...outward, ...inward(evidence)];
  const leak = leaks.find(({ end }) => end === undefined) ?? leaks[0];
  if (leak === undefined) return guardFindings(evidence);
  const others = leaks.length === 1 ? "" : ` and in ${leaks.length - 1} more ways`;
  const said = `${leak.text}, beside the tunnel ${tunnel.name}${others}`;
  const code = "clear-path-beside-tunnel";
  return leak.end === undefined
    ? [finding("unprotected", code, tunnel.name, said)]
    : [finding("degraded", code, tunnel.name, `${said}; ${leak.end}`)];
}

/**
 * What neighbours of another AS are told of this side: of a route there and one by the tunnel a
 * gateway prefers the open one. A port that brings parts of the prefix itself leads to this side.
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
    const told = advertised.find(({ port, prefix }) => !inside.has(port) && isPart(prefix));
    if (told === undefined) return [];
    const { port, peer, prefix } = told;
    const text = `${tunnel.device} tells ${peer} over ${port} the way to ${local}`;
    return [{ text: `${text} (advertises ${prefix})`, end }];
  });
}

function routesIn({ ways, routing, now }: TunnelEvidence): Reading<readonly Route[]> {
  if (ways !== undefined) {
    if (ways.kind === "unknown" || routing?.kind !== "known") return ways;
    // What BGP would take next is in no forwarding table, though it be the best that BGP has.
    const waiting = routing.value.routes.filter(({ via }) => via.kind === "port");
    const next = waiting.map((route) => ({ ...route, best: false }));
    return { ...ways, value: [...ways.value, ...next] };
  }
  if (routing === undefined) return { kind: "unknown", why: "queryFailed", at: now };
  return routing.kind === "unknown" ? routing : { ...routing, value: routing.value.routes };
}

/** Nothing leaks now, and something would as soon as the tunnel's route is gone. */
function guardFindings(evidence: TunnelEvidence): Finding[] {
  const { tunnel, blocked, now, settings } = evidence;
  if (blocked === undefined) return [];
  if (!isSolid(blocked, now, settings.staleAfterMs)) {
    return [unusable("its block policies", tunnel.device, tunnel.name, blocked)];
  }
  const open = tunnel.remotePrefixes.find((remote) => !isBlocked(evidence, remote));
  if (open === undefined) return [];
  const text = `${tunnel.device} would let ${open} pass in the clear without ${tunnel.name}`;
  return [finding("degraded", "guard-missing", tunnel.name, text)];
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
 * A route over a port: any for the prefix or a part of it, because it takes over when the tunnel
 * goes; one around it only if nothing better leads into a tunnel.
 */
function clearPath(remote: string, routes: readonly Route[]): Route | undefined {
  const wanted = parsePrefix(remote);
  if (wanted === undefined) return undefined;
  let covering: { readonly route: Route; readonly length: number } | undefined;
  for (const route of routes) {
    const prefix: Prefix | undefined = parsePrefix(route.prefix);
    if (prefix === undefined) continue;
    const inside = contains(wanted, prefix);
    if (inside && route.via.kind === "port") return route;
    if (!route.best || !contains(prefix, wanted)) continue;
    const before = covering?.length ?? -1;
    // Of two best routes for one prefix some traffic takes the open one.
    const asGood = prefix.length === before && route.via.kind === "port";
    if (prefix.length > before || asGood) covering = { route, length: prefix.length };
  }
  return covering?.route.via.kind === "port" ? covering.route : undefined;
}
