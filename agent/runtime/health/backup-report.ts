// What is told of a backup: how its traffic rides, since when and why, and when it was proven.

import type { WallTime } from "#hal/world.ts";
import { type Riding, ridingOf, unprovenCause } from "../../health/backup.ts";
import { routesIn } from "../../health/tunnel-paths.ts";
import { type Raised, raise } from "../../health/warnings.ts";
import { type DesiredLink, type DesiredTunnel, linkId } from "../../model/desired.ts";
import {
  type BackedLink,
  isSolid,
  type LinkHealth,
  type TunnelEvidence,
} from "../../model/health.ts";
import { isoTime } from "../../model/iso-time.ts";
import { drainOf } from "../../model/link-view.ts";
import type { SiteView } from "./site-view.ts";

/** undefined = it is the backup of nothing. */
export function backupEvidence(
  crew: SiteView,
  { name, device, backs }: DesiredTunnel,
  healthOf: (link: DesiredLink) => LinkHealth,
): TunnelEvidence["backup"] {
  if (backs === undefined) return undefined;
  const state = crew.lookout.state(device);
  const links = backs.links.map((link): BackedLink => {
    const { verdict, reasons } = healthOf(link);
    const isDrained = state !== undefined && drainOf(state, link.port) === "on";
    const { port } = link;
    return { id: linkId(link), port, verdict, reason: reasons[0], drain: isDrained ? "on" : "off" };
  });
  return { links, backed: state?.backed, proof: crew.backupProofs.log(name) };
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
  // What a link brings and nothing takes only BGP knows.
  const isWhole = routing !== undefined && isSolid(routing, now, staleAfterMs);
  if (riding.kind === "standby" || isWhole) return riding;
  return { kind: "unknown", because: `${tunnel.device} does not tell what BGP brings` };
}

/** How something rides, and from when on it is known to. */
interface Since {
  readonly kind: Riding["kind"];
  readonly wall: WallTime;
}

/** As the status has it. */
export interface BackupStatus {
  readonly group: string;
  readonly rides: Riding["kind"];
  /** null = no judgement has shown it yet. */
  readonly since: string | null;
  /** null = there is nothing to explain. */
  readonly because: string | null;
  /** null = not since this agent runs. */
  readonly provenAt: string | null;
  /** null = the proof is good enough. */
  readonly unproven: string | null;
}

/** Follows how the traffic of each backup rides. */
export class BackupWatch {
  readonly #since = new Map<string, Since>();

  /** Notes how it rides, and says what is amiss with that. */
  turn(evidence: TunnelEvidence, wall: WallTime): Raised[] {
    const riding = ridingNow(evidence);
    if (riding === undefined) return [];
    const { tunnel } = evidence;
    const before = this.#since.get(tunnel.name);
    const since = before?.kind === riding.kind ? before : { kind: riding.kind, wall };
    this.#since.set(tunnel.name, since);
    return warningsOf(tunnel, riding, since);
  }

  /** undefined = it is the backup of nothing. */
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
      unproven: unprovenCause(proof, backs.proveMs, now) ?? null,
    };
  }
}

function warningsOf(
  { name, device, backs }: DesiredTunnel,
  riding: Riding,
  { wall }: Since,
): Raised[] {
  if (backs === undefined || riding.kind === "standby" || riding.kind === "unknown") return [];
  const { prefix, because } = riding;
  const text = `${prefix} rides in ${name}, the backup of ${backs.group}, since ${isoTime(wall)}`;
  const raised =
    riding.kind === "carries"
      ? raise("backup-carries", name, `${text}: ${because}`)
      : raise("backup-preferred", name, `${text}, although ${because}`);
  return [{ ...raised, within: [device] }];
}
