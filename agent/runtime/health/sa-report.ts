// Reports the SAs of a tunnel that carry, and whether its ESP travels in UDP.

import { type IpsecTunnel, strongValue } from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import { isSolid } from "../../model/health.ts";
import { fresh } from "../../model/link-snapshot.ts";
import type { SiteView } from "./site-view.ts";

/** The SAs of a tunnel as they are now. */
export interface SaReport {
  /**
   * Pairs of SAs that carry; more than one where the gateway made a second child, or both ends
   * rekeyed at once. undefined = not known.
   */
  readonly pairs: number | undefined;
  /** The ends that are behind a NAT; undefined = not reported. */
  readonly nat: IpsecTunnel["nat"] | undefined;
}

/** Reports the SAs of a tunnel; an observation older than `health.staleAfter` is not known. */
export function saReportOf(supervisor: SiteView, tunnel: DesiredTunnel, now: Instant): SaReport {
  const { health } = supervisor.intent.desired;
  const state = fresh(supervisor.deviceCache.state(tunnel.device), health, now);
  const observed = state?.ipsec.find(({ name }) => name === tunnel.name);
  if (observed === undefined || !isSolid(observed.sas, now, health.staleAfterMs)) {
    return { pairs: undefined, nat: undefined };
  }
  const isUp = strongValue(observed.ike) === "established";
  const sending = observed.sas.value.filter(
    ({ direction, phase }) => direction === "out" && phase === "installed",
  );
  return { pairs: sending.length, nat: isUp ? observed.nat : undefined };
}
