import { describe, expect, it } from "vitest";
import {
  type CipherKind,
  cipherKind,
  type GatewaySize,
  type Generation,
  gatewaySizes,
  generationsOf,
  newestOf,
  planTunnels,
  smallestFor,
} from "#agent/operate/gateway-size.ts";

describe("how many tunnels fill a circuit", () => {
  it.each<
    [GatewaySize, Generation, CipherKind, number, number, number | undefined, number, number]
  >([
    ["VpnGw5", 2, "gcm", 10_000, 5, 6, 10_000, 100],
    ["VpnGw5", 2, "cbc", 10_000, 15, 16, 10_000, 100],
    ["VpnGw1", 1, "gcm", 10_000, 1, 2, 650, 30],
    ["VpnGw2", 2, "gcm", 10_000, 1, 2, 1250, 30],
    // The first generation was given the figures of the second.
    ["VpnGw2", 1, "gcm", 10_000, 1, 2, 1000, 30],
    ["VpnGw2", 1, "cbc", 10_000, 2, 3, 1000, 30],
    ["VpnGw3", 1, "gcm", 10_000, 1, 2, 1250, 30],
    ["VpnGw3", 2, "gcm", 10_000, 2, 3, 2500, 30],
    ["VpnGw4", 2, "tripleDes", 5000, 36, 37, 5000, 100],
    ["VpnGw5", 2, "gcm", 100_000, 5, 6, 10_000, 100],
    ["highBandwidth", 2, "gcm", 10_000, 2, 3, 10_000, 4],
    ["highBandwidth", 2, "gcm", 20_000, 4, undefined, 20_000, 4],
    ["highBandwidth", 2, "cbc", 10_000, 4, undefined, 2800, 4],
    ["virtualWan", 2, "gcm", 10_000, 10, 11, 10_000, 2000],
    ["virtualWan", 2, "gcm", 40_000, 20, 21, 20_000, 2000],
  ])(
    "%s of generation %i with %s, %i Mbit/s: %i",
    (size, generation, kind, circuit, tunnels, withOneSpare, carriesMbps, tunnelsMax) => {
      const fills = carriesMbps < circuit ? "part" : "whole";
      const plan = planTunnels({ size, generation, kind }, circuit);
      expect(plan).toMatchObject({ tunnels, withOneSpare, carriesMbps, fills, tunnelsMax });
    },
  );

  it("a plan has no tunnel too many, and promises no more than tunnels and gateway carry", () => {
    const gateways = gatewaySizes.flatMap((size) =>
      generationsOf(size).flatMap((generation) =>
        (["gcm", "cbc", "tripleDes"] as const).map((kind) => ({ size, generation, kind })),
      ),
    );
    for (const gateway of gateways) {
      for (let circuit = 1000; circuit <= 100_000; circuit += 1000) {
        const { tunnels, carriesMbps, ...plan } = planTunnels(gateway, circuit);
        expect(carriesMbps).toBeLessThanOrEqual(Math.min(circuit, plan.aggregateMbps));
        expect(tunnels).toBeLessThanOrEqual(plan.tunnelsMax);
        expect(tunnels * plan.perTunnelMbps).toBeGreaterThanOrEqual(carriesMbps);
        expect((tunnels - 1) * plan.perTunnelMbps).toBeLessThan(carriesMbps);
      }
    }
  });

  it("each SKU has the generations that Microsoft sells", () => {
    expect(Object.fromEntries(gatewaySizes.map((size) => [size, generationsOf(size)]))).toEqual({
      ...{ VpnGw1: [1], VpnGw2: [1, 2], VpnGw3: [1, 2], VpnGw4: [2], VpnGw5: [2] },
      ...{ highBandwidth: [2], virtualWan: [2] },
    });
    expect(gatewaySizes.map(newestOf)).toEqual([1, 2, 2, 2, 2, 2, 2]);
    const gateway = { size: "VpnGw1", generation: 2, kind: "gcm" } as const;
    expect(() => planTunnels(gateway, 1000)).toThrow(RangeError);
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
