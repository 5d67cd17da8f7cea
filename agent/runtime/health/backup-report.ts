// Reports of a backup tunnel: how its traffic is routed, since when and why, and when it was
// proven.

import type { WallTime } from "#hal/world.ts";
import { backupGap, type Riding, ridingOf } from "../../health/backup.ts";
import { routesIn } from "../../health/tunnel-paths.ts";
import { type DesiredLink, type DesiredTunnel, linkId } from "../../model/desired.ts";
import {
  type BackedLink,
  isSolid,
  type LinkHealth,
  type TunnelEvidence,
} from "../../model/health.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf } from "../../model/link-snapshot.ts";
import type { SiteView } from "./site-view.ts";

/** The evidence for a backup tunnel; undefined = the tunnel backs up no group. */
export function backupEvidence(
  supervisor: SiteView,
  { name, device, backs }: DesiredTunnel,
  healthOf: (link: DesiredLink) => LinkHealth,
): TunnelEvidence["backup"] {
  if (backs === undefined) return undefined;
  const state = supervisor.deviceCache.state(device);
  const links = backs.links.map((link): BackedLink => {
    const { verdict, reasons } = healthOf(link);
    const isDrained = state !== undefined && drainOf(state, link.port) === "on";
    const { port } = link;
    return { id: linkId(link), port, verdict, reason: reasons[0], drain: isDrained ? "on" : "off" };
  });
  return { links, backed: state?.backed, proof: supervisor.tunnelProbes.log(name) };
}

function ridingNow(evidence: TunnelEvidence): Riding | undefined {
  const { tunnel, backup, routing, now, settings } = evidence;
  if (backup === undefined) return undefined;
  const { staleAfterMs } = settings;
  const routes = routesIn(evidence);
  const riding = ridingOf(
    tunnel,
    isSolid(routes, now, staleAfterMs) ? routes : undefined,
    backup.links,
  );
  // Only BGP knows the routes that a link offers and that are not in use.
  const isWhole = routing !== undefined && isSolid(routing, now, staleAfterMs);
  if (riding.kind === "standby" || isWhole) return riding;
  return { kind: "unknown", because: `${tunnel.device} does not report its BGP routes` };
}

/** How the traffic is routed, and since when that is known. */
interface Since {
  readonly kind: Riding["kind"];
  readonly wall: WallTime;
}

/** How the traffic of a backup is routed, since when, and the group that it backs up. */
export interface Ridden {
  readonly riding: Riding;
  readonly group: string;
  readonly since: WallTime;
}

/** A backup tunnel as the status reports it. */
export interface BackupStatus {
  readonly group: string;
  readonly rides: Riding["kind"];
  /** When this was first observed; null = not observed yet. */
  readonly since: string | null;
  /** Why the traffic is routed so; null = there is nothing to explain. */
  readonly because: string | null;
  /** The last successful proof; null = none since this agent started. */
  readonly provenAt: string | null;
  /** Why the tunnel cannot be relied on; null = the proof is good enough. */
  readonly unproven: string | null;
}

/** Follows how the traffic of each backup is routed. */
export class BackupWatch {
  readonly #since = new Map<string, Since>();

  /** Notes how the traffic is routed now; undefined = the tunnel backs up no group. */
  turn(evidence: TunnelEvidence, wall: WallTime): Ridden | undefined {
    const riding = ridingNow(evidence);
    const { name, backs } = evidence.tunnel;
    if (backs === undefined || riding === undefined) return undefined;
    const before = this.#since.get(name);
    const since = before?.kind === riding.kind ? before : { kind: riding.kind, wall };
    this.#since.set(name, since);
    return { riding, group: backs.group, since: since.wall };
  }

  /** Returns the status of a backup tunnel; undefined = it backs up no group. */
  status(evidence: TunnelEvidence): BackupStatus | undefined {
    const { tunnel, backup, now } = evidence;
    const { name, backs } = tunnel;
    const riding = ridingNow(evidence);
    if (backs === undefined || backup === undefined || riding === undefined) return undefined;
    const since = this.#since.get(name);
    const { proof } = backup;
    return {
      group: backs.group,
      rides: riding.kind,
      since: since?.kind === riding.kind ? isoTime(since.wall) : null,
      because: riding.kind === "standby" ? null : riding.because,
      provenAt: proof?.proven === undefined ? null : isoTime(proof.proven.wall),
      unproven: backupGap(proof, backs.proveMs, now) ?? null,
    };
  }
}
