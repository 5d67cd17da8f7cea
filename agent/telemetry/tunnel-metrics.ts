// Metrics of IPsec tunnels; a configured tunnel that the device lacks is
// exported with 0 SAs and is not left out.

import { type IkeState, type IpsecSa, ikeStates, strongValue } from "#hal/model.ts";
import { ridingKinds } from "../health/backup.ts";
import { lastEndMs, sequenceLimit } from "../health/tunnel.ts";
import { verdictOrder } from "../model/health.ts";
import type { SiteTunnel } from "../runtime/health/site-snapshot.ts";
import type { SeenTunnel } from "../runtime/health/status.ts";
import { type Figure, metricsOf, oneOf, seconds } from "./metric.ts";

const directions = ["in", "out"] as const;

/** Returns the SAs that carry or may carry traffic; undefined = not known. */
export function sasOf(seen: SeenTunnel): readonly IpsecSa[] | undefined {
  if (seen === "unknown") return undefined;
  if (seen === "absent") return [];
  return strongValue(seen.sas)?.filter(({ phase }) => phase !== "deleting");
}

/** Returns the state of the IKE SA; undefined = not known. */
export function ikeOf(seen: SeenTunnel): IkeState | undefined {
  if (seen === "unknown") return undefined;
  return seen === "absent" ? "down" : strongValue(seen.ike);
}

const { one, several, state } = metricsOf(
  ["tunnel"],
  ({ tunnels }) => tunnels,
  ({ tunnel }: SiteTunnel) => [tunnel.name],
);

function byDirection<Name extends string>(
  name: Name,
  help: string,
  read: (sas: readonly IpsecSa[]) => Figure,
) {
  return several(name, ["direction"], help, ({ seen }) => {
    const sas = sasOf(seen);
    if (sas === undefined) return [];
    return directions.map((way) => [[way], read(sas.filter(({ direction }) => direction === way))]);
  });
}

/**
 * Returns the used share of the sequence numbers, 0 to 1; undefined = not known. RFC 4303, 2.2:
 * extended numbers exceed this counter, so it gives no share for them.
 */
export function usedRatio(sas: readonly IpsecSa[]): number | undefined {
  const used = sas.flatMap(({ sequence }) =>
    sequence === undefined || sequence >= sequenceLimit ? [] : sequence,
  );
  if (used.length === 0) return undefined;
  return Math.max(...used.map((sequence) => Number(sequence) / Number(sequenceLimit)));
}

/** All metrics of tunnels, in the order of the reference. */
export const tunnelMetrics = [
  several(
    "linkseal_tunnel_info",
    ["device", "inside_macsec", "keying"],
    "What the accepted intent says about the tunnel; always 1.",
    ({ tunnel: { device, insideMacsec = "" } }) => [[[device, insideMacsec, "ike"], 1]],
  ),
  state(
    "linkseal_tunnel_verdict",
    "verdict",
    "The verdict on each tunnel of the accepted intent: 1 for the present one.",
    verdictOrder,
    ({ status }) => status.verdict,
  ),
  several(
    "linkseal_tunnel_cause_info",
    ["code", "about"],
    "The cause of a verdict that is a consequence: it alarms for the tunnel too; always 1.",
    ({ status: { because } }) => (because === null ? [] : [[[because.code, because.about], 1]]),
  ),
  state(
    "linkseal_ike_state",
    "state",
    "The IKE SA: 1 for the state that it is in; a tunnel that the device lacks is down.",
    ikeStates,
    ({ seen }) => ikeOf(seen),
  ),
  byDirection(
    "linkseal_ipsec_sas",
    "IPsec SAs of the tunnel; 0 = it is configured and has none.",
    (sas) => sas.length,
  ),
  byDirection(
    "linkseal_ipsec_sa_packets",
    "Packets of the SAs that are there now; it falls when one is replaced.",
    (sas) => sas.reduce((sum, { packets }) => sum + packets, 0n),
  ),
  byDirection(
    "linkseal_ipsec_sequence_used_ratio",
    "Part of the 32-bit sequence numbers of an SA that is used; the highest SA counts.",
    usedRatio,
  ),
  byDirection(
    "linkseal_ipsec_sa_remaining_seconds",
    "Time until the hard lifetime of the SA in use ends; the youngest SA counts.",
    (sas) => seconds(lastEndMs(sas)),
  ),
  several(
    "linkseal_backup_rides",
    ["group", "rides"],
    "Whether a backup tunnel carries traffic: 1 for standby, carries, preferred or unknown.",
    ({ status: { backup } }) =>
      backup === null ? [] : oneOf([backup.group], ridingKinds, backup.rides),
  ),
  one(
    "linkseal_backup_proven_timestamp_seconds",
    "When test traffic came back through a backup tunnel last; absent = not since the start.",
    ({ status }) => {
      const at = status.backup?.provenAt ?? null;
      return at === null ? undefined : Date.parse(at) / 1_000;
    },
  ),
] as const;
