// Metrics of IPsec tunnels; one that is configured and absent has no SA: 0, and not nothing.

import {
  type IkeState,
  type IpsecSa,
  type IpsecTunnel,
  ikeStates,
  strongValue,
} from "#hal/model.ts";
import { ridingKinds } from "../health/backup.ts";
import { lastEndMs, sequenceLimit } from "../health/tunnel.ts";
import { verdictOrder } from "../model/health.ts";
import { type MetricRow, oneOf, type Sample } from "./metric.ts";
import type { Snapshot, TunnelSnapshot } from "./snapshot.ts";

const directions = ["in", "out"] as const;

/** Those that carry or may carry; undefined = nobody knows. */
export function sasOf(seen: TunnelSnapshot["seen"]): readonly IpsecSa[] | undefined {
  if (seen === "unknown") return undefined;
  if (seen === "absent") return [];
  return strongValue(seen.sas)?.filter(({ phase }) => phase !== "deleting");
}

export function ikeOf(seen: TunnelSnapshot["seen"]): IkeState | undefined {
  if (seen === "unknown") return undefined;
  return seen === "absent" ? "down" : strongValue((seen satisfies IpsecTunnel).ike);
}

function byDirection(
  read: (sas: readonly IpsecSa[]) => number | bigint | undefined,
): (snapshot: Snapshot) => Iterable<Sample> {
  return function* ({ tunnels }) {
    for (const { tunnel, seen } of tunnels) {
      const sas = sasOf(seen);
      for (const direction of sas === undefined ? [] : directions) {
        const value = read((sas ?? []).filter((sa) => sa.direction === direction));
        if (value !== undefined) yield [[tunnel.name, direction], value];
      }
    }
  };
}

/** RFC 4303, 2.2: what is counted is the low half where the numbers are extended. */
export function usedRatio(sas: readonly IpsecSa[]): number | undefined {
  const used = sas.flatMap(({ sequence }) =>
    sequence === undefined || sequence >= sequenceLimit ? [] : sequence,
  );
  if (used.length === 0) return undefined;
  return Math.max(...used.map((sequence) => Number(sequence) / Number(sequenceLimit)));
}

/** In the order of the reference. */
export const tunnelMetrics = [
  {
    name: "linkseal_tunnel_info",
    kind: "gauge",
    help: "What the accepted intent says of the tunnel; always 1.",
    labels: ["tunnel", "device", "inside_macsec", "keying"],
    read: ({ tunnels }) =>
      tunnels.map(({ tunnel: { name, device, insideMacsec = "" } }) => {
        return [[name, device, insideMacsec, "ike"], 1] as const;
      }),
  },
  {
    name: "linkseal_tunnel_verdict",
    kind: "gauge",
    help: "The verdict on each tunnel of the accepted intent: 1 for the one that stands.",
    labels: ["tunnel", "verdict"],
    read: function* ({ tunnels }) {
      for (const { tunnel, verdict } of tunnels) yield* oneOf([tunnel.name], verdictOrder, verdict);
    },
  },
  {
    name: "linkseal_ike_state",
    kind: "gauge",
    help: "The IKE SA: 1 for the state that it is in; a tunnel that the device lacks is down.",
    labels: ["tunnel", "state"],
    read: function* ({ tunnels }) {
      for (const { tunnel, seen } of tunnels) {
        const state = ikeOf(seen);
        if (state !== undefined) yield* oneOf([tunnel.name], ikeStates, state);
      }
    },
  },
  {
    name: "linkseal_ipsec_sas",
    kind: "gauge",
    help: "IPsec SAs of the tunnel; 0 = it is configured and has none.",
    labels: ["tunnel", "direction"],
    read: byDirection((sas) => sas.length),
  },
  {
    name: "linkseal_ipsec_sa_packets",
    kind: "gauge",
    help: "Packets of the SAs that are there now; it falls when one is replaced.",
    labels: ["tunnel", "direction"],
    read: byDirection((sas) => sas.reduce((sum, { packets }) => sum + packets, 0n)),
  },
  {
    name: "linkseal_ipsec_sequence_used_ratio",
    kind: "gauge",
    help: "Part of the 32-bit sequence numbers of an SA that is used; the highest SA counts.",
    labels: ["tunnel", "direction"],
    read: byDirection(usedRatio),
  },
  {
    name: "linkseal_ipsec_sa_remaining_seconds",
    kind: "gauge",
    help: "Until the hard lifetime of the SA in use is over; the youngest SA counts.",
    labels: ["tunnel", "direction"],
    read: byDirection((sas) => {
      const endsInMs = lastEndMs(sas);
      return endsInMs === undefined ? undefined : endsInMs / 1_000;
    }),
  },
  {
    name: "linkseal_backup_rides",
    kind: "gauge",
    help: "How what a backup tunnel protects rides: 1 for standby, carries, preferred or unknown.",
    labels: ["tunnel", "group", "rides"],
    read: function* ({ tunnels }) {
      for (const { tunnel, backup } of tunnels) {
        if (backup !== null) yield* oneOf([tunnel.name, backup.group], ridingKinds, backup.rides);
      }
    },
  },
  {
    name: "linkseal_backup_proven_timestamp_seconds",
    kind: "gauge",
    help: "When test traffic came back through a backup tunnel last; absent = not since the start.",
    labels: ["tunnel"],
    read: ({ tunnels }) =>
      tunnels.flatMap(({ tunnel, backup }): Sample[] =>
        backup === null || backup.provenAt === null
          ? []
          : [[[tunnel.name], Date.parse(backup.provenAt) / 1_000]],
      ),
  },
] as const satisfies readonly MetricRow[];
