// One link or tunnel as last evaluated, with the age of the observations behind it.

import { type IpsecTunnel, type MacsecPort, type Reading, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type DesiredLink, type DesiredTunnel, linkId } from "../../model/desired.ts";
import {
  isSolid,
  type LinkEvidence,
  type LinkHealth,
  type TunnelEvidence,
  type TunnelHealth,
} from "../../model/health.ts";
import type { Found } from "../../store/audit/record.ts";
import type { SiteView } from "./site-view.ts";

/** A verdict with the age of its evidence. */
export interface Observed extends Omit<Found, "since"> {
  /** The age of the oldest reading used, in milliseconds. */
  readonly observationAgeMs: number;
}

type Times = Pick<LinkEvidence, "now" | "settings">;

/** The age of the oldest reading on which a verdict may rest; 0 if none is fresh. */
function oldestMs(
  readings: readonly (Reading<unknown> | undefined)[],
  { now, settings }: Times,
): number {
  return readings.reduce((oldest, reading) => {
    if (reading === undefined || !isSolid(reading, now, settings.staleAfterMs)) return oldest;
    return Math.max(oldest, now - reading.at);
  }, 0);
}

/** Converts a link's health; suite and CKN are those in use, not the wanted ones. */
export function observedLink(
  link: DesiredLink,
  { verdict, reasons }: LinkHealth,
  observation: MacsecPort | undefined,
  times: Times,
): Observed {
  const known = verdict !== "unknown" && observation !== undefined;
  const session = known ? strongValue(observation.session) : undefined;
  const { settings, liveSuite, keys, session: mka, frames } = observation ?? {};
  return {
    ...{ about: linkId(link), kind: "link", verdict, codes: reasons.map(({ code }) => code) },
    suite: known ? (strongValue(observation.liveSuite) ?? null) : null,
    ckn: session?.principalCkn ?? null,
    observationAgeMs: oldestMs([settings, liveSuite, keys, mka, frames], times),
  };
}

/** Returns whether the PPK of a tunnel is in use now; absent = it has none, or it is not known. */
export function ppkOf(
  { auth, name }: DesiredTunnel,
  { deviceCache, intent }: SiteView,
  now: Instant,
): Pick<IpsecTunnel, "ppk"> {
  const observation = deviceCache.tunnelHistory(name).at(-1);
  if (auth.ppk === undefined || observation?.ppk === undefined) return {};
  const { staleAfterMs } = intent.desired.health;
  return isSolid(observation.ike, now, staleAfterMs) ? { ppk: observation.ppk } : {};
}

/** Converts a tunnel's health; the suite is that of the SA in use. */
export function observedTunnel(evidence: TunnelEvidence, health: TunnelHealth): Observed {
  const { name } = evidence.tunnel;
  const { verdict, reasons } = health;
  const { routing, ways, blocked } = evidence;
  const observation = evidence.observations.at(-1);
  const sas =
    observation === undefined || verdict === "unknown" ? undefined : strongValue(observation.sas);
  const used = sas?.find(({ phase }) => phase === "installed")?.transforms;
  return {
    ...{ about: name, kind: "tunnel", verdict, codes: reasons.map(({ code }) => code) },
    suite: used === undefined ? null : `${used.encryption} ${used.integrity} ${used.dhGroup}`,
    ckn: null,
    observationAgeMs: oldestMs(
      [observation?.ike, observation?.sas, routing, ways, blocked],
      evidence,
    ),
  };
}
