// A tunnel as the backup of links: what traffic uses it now and why, and whether it was proven
// lately.

import type { Reading, Route } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { gapOf, seenUnless, unseenFor } from "../model/claims.ts";
import type { DesiredTunnel } from "../model/desired.ts";
import { type BackedLink, type Finding, finding, type ProofLog } from "../model/health.ts";
import { isoTime } from "../model/iso-time.ts";
import { contains, type Prefix, parsePrefix, sameAddress } from "./prefix.ts";

/** Returns true if the link is known to carry traffic under MACsec, degraded or not. */
export function isSealed({ verdict }: BackedLink): boolean {
  return verdict === "protected" || verdict === "degraded";
}

/** How the prefixes that a tunnel protects are routed now. */
export type Riding =
  /** None of them uses this tunnel. */
  | { readonly kind: "standby" }
  /** The tunnel carries a prefix because no link would carry it. */
  | { readonly kind: "carries"; readonly prefix: string; readonly because: string }
  /** The tunnel carries a prefix although a link would carry it too. */
  | { readonly kind: "preferred"; readonly prefix: string; readonly because: string }
  | { readonly kind: "unknown"; readonly because: string };

/** Every kind of `Riding`, in the order in which metrics and pages list them. */
export const ridingKinds = ["standby", "carries", "preferred", "unknown"] as const;

/**
 * Derives how the tunnel is used now; `routes` are the device's, including those not yet in use.
 */
export function ridingOf(
  tunnel: Pick<DesiredTunnel, "name" | "device" | "remotePrefixes" | "bgp">,
  routes: Reading<readonly Route[]> | undefined,
  links: readonly BackedLink[],
): Riding {
  if (routes?.kind !== "known") {
    return { kind: "unknown", because: `${tunnel.device} does not report its routes` };
  }
  const into = tunnel.remotePrefixes
    .flatMap((remote) => bestFor(remote, routes.value))
    .filter(({ via }) => via.kind === "tunnel" && via.name === tunnel.name)
    // The BGP neighbour inside the tunnel is always reached through it, so its route is no
    // evidence.
    .filter(({ prefix }) => !sameAddress(prefix, tunnel.bgp?.peer ?? ""));
  const [first] = into;
  if (first === undefined) return { kind: "standby" };
  for (const { prefix } of into) {
    const rival = links
      .filter((link) => isSealed(link) && link.drain === "off")
      .flatMap((link) => {
        const route = routeOver(link, prefix, routes.value);
        return route === undefined ? [] : [{ link, route }];
      })[0];
    if (rival === undefined) continue;
    const { link, route } = rival;
    const longer = lengthOf(prefix) > lengthOf(route.prefix);
    const how = longer
      ? `brings ${route.prefix}, and the longer prefix wins`
      : `brings ${route.prefix} as well`;
    return { kind: "preferred", prefix, because: `${link.id} is ${link.verdict} and ${how}` };
  }
  const because = links.map((link) => whyNotOver(link)).join(", ");
  return { kind: "carries", prefix: first.prefix, because };
}

function whyNotOver(link: BackedLink): string {
  const { id, drain, verdict, reason } = link;
  if (drain === "on") return `${id} is drained`;
  if (isSealed(link)) return `${id} brings no route`;
  return `${id} is ${verdict}${reason === undefined ? "" : ` (${reason.code})`}`;
}

/** The longest best routes that cover a prefix, and every best route inside it. */
function bestFor(remote: string, routes: readonly Route[]): readonly Route[] {
  const wanted = parsePrefix(remote);
  if (wanted === undefined) return [];
  const best = routes.flatMap((route): { readonly route: Route; readonly prefix: Prefix }[] => {
    const prefix = route.best ? parsePrefix(route.prefix) : undefined;
    return prefix === undefined ? [] : [{ route, prefix }];
  });
  const around = best.filter(({ prefix }) => contains(prefix, wanted));
  const longest = Math.max(...around.map(({ prefix }) => prefix.length));
  const inside = best.filter(
    ({ prefix }) => contains(wanted, prefix) && prefix.length > wanted.length,
  );
  return [...around.filter(({ prefix }) => prefix.length === longest), ...inside].map(
    ({ route }) => route,
  );
}

/** A route over the link for all or part of a prefix, whether it is in use or waits. */
function routeOver(
  { port }: BackedLink,
  wanted: string,
  routes: readonly Route[],
): Route | undefined {
  const prefix = parsePrefix(wanted);
  if (prefix === undefined) return undefined;
  return routes.find(({ via, prefix: text }) => {
    const other = via.kind === "port" && via.port === port ? parsePrefix(text) : undefined;
    return other !== undefined && (contains(other, prefix) || contains(prefix, other));
  });
}

const lengthOf = (prefix: string): number => parsePrefix(prefix)?.length ?? 0;

const provenIntervals = 3;
const failuresMax = 2;

/** What speaks against the tunnel as a backup; undefined = nothing, or it is too early to say. */
function unprovenCause(
  log: ProofLog | undefined,
  proveMs: number,
  now: Instant,
): string | undefined {
  if (log === undefined) return undefined;
  const { since, proven, failures, cause } = log;
  const isLate = now - (proven?.at ?? since) > provenIntervals * proveMs;
  if (failures < failuresMax && !isLate) return undefined;
  const last =
    proven === undefined ? "it was never proven" : `it was proven last at ${isoTime(proven.wall)}`;
  return `${cause ?? "no proof could be tried"}; ${last}`;
}

/** Why nothing shows that the backup would carry; undefined = its last proof does. */
export function backupGap(
  log: ProofLog | undefined,
  proveMs: number,
  now: Instant,
): string | undefined {
  const doubt = unprovenCause(log, proveMs, now);
  const isTried = log?.proven !== undefined || doubt !== undefined;
  return gapOf<"backup-ready", string>("backup-ready", {
    proven: () => (isTried ? seenUnless(doubt) : unseenFor("it was not proven yet")),
  });
}

/** A warning if the tunnel is the backup of a group and its proof is missing, failed or too old. */
export function unprovenFindings(
  { name, backs }: DesiredTunnel,
  log: ProofLog | undefined,
  now: Instant,
): Finding[] {
  const cause = backs === undefined ? undefined : unprovenCause(log, backs.proveMs, now);
  if (backs === undefined || cause === undefined) return [];
  const text = `${name} would be the backup of ${backs.group}, and nothing proves it: ${cause}`;
  return [finding("degraded", "backup-unproven", name, text)];
}
