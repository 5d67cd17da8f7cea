// What metrics tell of a tunnel's SAs, for each way in which a device may tell them.

import { describe, expect, it } from "vitest";
import type { SeenTunnel, TunnelStatus } from "#agent/runtime/health/status.ts";
import type { Measured } from "#agent/telemetry/metric.ts";
import { tunnelMetrics } from "#agent/telemetry/tunnel-metrics.ts";
import { type IpsecSa, type IpsecTunnel, known, unknown } from "#hal/model.ts";
import { at, desired } from "../../kit/snapshot-kit.ts";

const [tunnel] = desired.tunnels;

const sa = (over: Partial<IpsecSa>): IpsecSa => ({
  spi: 1,
  direction: "in",
  phase: "installed",
  transforms: { encryption: "aes256gcm16", integrity: "none", dhGroup: "ecp384" },
  packets: 10n,
  sequence: 10n,
  ...over,
});

function seen(sas: readonly IpsecSa[], ike: "established" | "connecting" = "established") {
  return { name: "hub-1", ike: known(ike, at(0)), sas: known(sas, at(0)) } as const;
}

/** Figures of one metric by the labels beside the tunnel's name. */
function figures(name: string, what: SeenTunnel): Readonly<Record<string, unknown>> {
  if (tunnel === undefined) throw new Error("no tunnel");
  const tunnels = [{ tunnel, status: { verdict: "protected" }, seen: what }];
  const row = tunnelMetrics.find((each) => each.name === `linkseal_${name}`);
  const samples = [...(row?.read({ tunnels } as unknown as Measured) ?? [])];
  return Object.fromEntries(samples.map(([[, ...labels], value]) => [labels.join(), value]));
}

describe("a tunnel that is a backup", () => {
  const read = (name: string, backup: TunnelStatus["backup"]) => {
    const row = tunnelMetrics.find((each) => each.name === `linkseal_backup_${name}`);
    const tunnels = [{ tunnel, status: { verdict: "protected", backup }, seen: seen([]) }];
    return [...(row?.read({ tunnels } as unknown as Measured) ?? [])];
  };
  const backup = {
    ...{
      group: "erd-demo",
      rides: "carries" as const,
      since: null,
      because: "erd-demo/primary is down",
    },
    ...{ provenAt: "2026-11-24T10:00:00Z", unproven: null },
  };

  it("metrics of a backup tunnel say whether it carries traffic, and when it was proven", () => {
    expect(read("rides", backup)).toEqual([
      [["hub-1", "erd-demo", "standby"], 0],
      [["hub-1", "erd-demo", "carries"], 1],
      [["hub-1", "erd-demo", "preferred"], 0],
      [["hub-1", "erd-demo", "unknown"], 0],
    ]);
    expect(read("proven_timestamp_seconds", backup)).toEqual([[["hub-1"], 1_795_514_400]]);
    expect(read("proven_timestamp_seconds", { ...backup, provenAt: null })).toEqual([]);
  });

  it("a tunnel has backup metrics only if the config says that it is a backup", () => {
    expect([read("rides", null), read("proven_timestamp_seconds", null)]).toEqual([[], []]);
  });
});

describe("SAs of a tunnel", () => {
  const rekeyed = seen([
    sa({ packets: 7n, sequence: 2n ** 31n }),
    sa({ phase: "rekeyed", packets: 5n, sequence: 2n ** 30n }),
    sa({ phase: "deleting", packets: 100n, sequence: 2n ** 32n - 1n }),
    sa({ direction: "out", packets: 2n ** 60n, sequence: 2n ** 40n }),
  ]);

  it("SAs count if they carry or may carry: two while a rekey overlaps", () => {
    expect(figures("ipsec_sas", rekeyed)).toEqual({ in: 2, out: 1 });
    expect(figures("ipsec_sa_packets", rekeyed)).toEqual({ in: 12n, out: 2n ** 60n });
  });

  it("the used share of sequence numbers is that of the highest SA with 32-bit numbers", () => {
    expect(figures("ipsec_sequence_used_ratio", rekeyed)).toEqual({ in: 0.5 });
    expect(figures("ipsec_sequence_used_ratio", seen([sa({ sequence: undefined })]))).toEqual({});
  });

  it("the remaining lifetime is that of the youngest SA in use, if each has one", () => {
    const [old, young] = [sa({ endsInMs: 9_500 }), sa({ spi: 2, endsInMs: 26_000_500 })];
    const name = "ipsec_sa_remaining_seconds";
    const out = sa({ direction: "out" });
    expect(figures(name, seen([old, young, out]))).toEqual({ in: 26_000.5 });
    const rekeyed = { ...young, phase: "rekeyed" } as const;
    expect(figures(name, seen([old, rekeyed]))).toEqual({ in: 9.5 });
    expect(figures(name, seen([old, sa({ spi: 3 })]))).toEqual({});
  });

  it("a tunnel without SAs has 0, and one that is not known has no series", () => {
    for (const none of ["absent", seen([])] as const) {
      expect(figures("ipsec_sas", none)).toEqual({ in: 0, out: 0 });
      expect(figures("ipsec_sa_packets", none)).toEqual({ in: 0n, out: 0n });
    }
    const failed: IpsecTunnel = { ...seen([]), sas: unknown("queryFailed", at(0)) };
    expect(figures("ipsec_sas", failed)).toEqual({});
    expect(figures("ipsec_sas", "unknown")).toEqual({});
  });
});

describe("IKE", () => {
  it("IKE is in one state, down if the tunnel is absent, and in none if it is not known", () => {
    const all = { established: 0, connecting: 0, down: 0, forgotten: 0, unloaded: 0 };
    expect(figures("ike_state", seen([], "connecting"))).toEqual({ ...all, connecting: 1 });
    expect(figures("ike_state", "absent")).toEqual({ ...all, down: 1 });
    expect(figures("ike_state", "unknown")).toEqual({});
  });
});
