import { describe, expect, it } from "vitest";
import {
  type CipherKind,
  cipherKind,
  type GatewaySize,
  gatewaySizes,
  planTunnels,
  smallestFor,
} from "#agent/operate/gateway-size.ts";

describe("how many tunnels fill a circuit", () => {
  it.each<[GatewaySize, CipherKind, number, number, number | undefined, number]>([
    ["VpnGw5", "gcm", 10_000, 5, 6, 10_000],
    ["VpnGw5", "cbc", 10_000, 15, 16, 10_000],
    ["VpnGw1", "gcm", 10_000, 1, 2, 650],
    ["VpnGw4", "tripleDes", 5000, 36, 37, 5000],
    ["VpnGw5", "gcm", 100_000, 5, 6, 10_000],
    ["highBandwidth", "gcm", 10_000, 2, 3, 10_000],
    ["highBandwidth", "gcm", 20_000, 4, undefined, 20_000],
    ["highBandwidth", "cbc", 10_000, 4, undefined, 2800],
  ])("%s with %s, %i Mbit/s: %i", (size, kind, circuit, tunnels, withOneSpare, carriesMbps) => {
    const fills = carriesMbps < circuit ? "part" : "whole";
    const plan = planTunnels(size, kind, circuit);
    expect(plan).toMatchObject({ tunnels, withOneSpare, carriesMbps, fills });
  });

  it("a plan has no tunnel too many, and promises no more than tunnels and gateway carry", () => {
    for (const size of gatewaySizes) {
      for (const kind of ["gcm", "cbc", "tripleDes"] as const) {
        for (let circuit = 1000; circuit <= 100_000; circuit += 1000) {
          const { tunnels, carriesMbps, ...plan } = planTunnels(size, kind, circuit);
          expect(carriesMbps).toBeLessThanOrEqual(Math.min(circuit, plan.aggregateMbps));
          expect(tunnels * plan.perTunnelMbps).toBeGreaterThanOrEqual(carriesMbps);
          expect((tunnels - 1) * plan.perTunnelMbps).toBeLessThan(carriesMbps);
        }
      }
    }
  });

  it("the smallest gateway that fills a circuit is found, if there is one", () => {
    expect(smallestFor("gcm", 1000)).toBe("VpnGw2");
    expect(smallestFor("gcm", 20_000)).toBe("highBandwidth");
    expect(smallestFor("cbc", 20_000)).toBeUndefined();
    expect(smallestFor("gcm", 40_000)).toBeUndefined();
  });

  it("the kind of a cipher follows from Azure's name", () => {
    expect(["GCMAES128", "AES256", "DES3"].map(cipherKind)).toEqual(["gcm", "cbc", "tripleDes"]);
  });
});
