// Faults of a tunnel's SAs that last although IKE is up, and that new SAs mend.

import { type IpsecTunnel, strongValue } from "#hal/model.ts";
import type { HealthSettings } from "../model/desired.ts";
import { carriedOver } from "./tunnel-bundle.ts";

/**
 * `oneWay`: packets leave and none arrives; `duplicates`: more than one pair of SAs carries, of
 * which each is rekeyed on its own.
 */
export type SaFault = "oneWay" | "duplicates";

/**
 * Returns the fault that every one of these observations shows, over at least the evidence time;
 * undefined = none, or it does not last that long yet. While IKE is down or the gateway is silent
 * there is none: new SAs could not be made.
 */
export function saFaultOf(
  observations: readonly IpsecTunnel[],
  { evidenceMs }: Pick<HealthSettings, "evidenceMs">,
): SaFault | undefined {
  const [oldest, newest] = [observations[0], observations.at(-1)];
  if (oldest === undefined || newest === undefined) return undefined;
  if (newest.sas.at - oldest.sas.at < evidenceMs) return undefined;
  if (observations.some(({ ike }) => strongValue(ike) !== "established")) return undefined;
  if (newest.isSilent === true) return undefined;
  // The newest two tell it of most tunnels, without a count over all.
  const isSilent = [observations.slice(-2), observations].every(
    (some) => carriedOver(some, "in") === 0n,
  );
  if (isSilent && (carriedOver(observations, "out") ?? 0n) > 0n) return "oneWay";
  return observations.every((one) => pairsOf(one) > 1) ? "duplicates" : undefined;
}

/** Returns true if the newest of these observations shows that the fault has ended. */
export function isMended(fault: SaFault, observations: readonly IpsecTunnel[]): boolean {
  if (fault === "oneWay") return (carriedOver(observations, "in") ?? 0n) > 0n;
  const newest = observations.at(-1);
  return newest !== undefined && pairsOf(newest) === 1;
}

/** The pairs of SAs that send; 0 if they are not known. */
function pairsOf({ sas }: IpsecTunnel): number {
  const all = strongValue(sas) ?? [];
  return all.filter(({ direction, phase }) => direction === "out" && phase === "installed").length;
}
