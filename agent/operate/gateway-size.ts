// Computes how many tunnels fill a circuit, from the figures that Microsoft publishes about its
// gateways (`about-gateway-skus`, November 2023). Microsoft measured them, and guarantees none.

/** Throughput in Mbit/s. */
interface Figures {
  /** All tunnels together. */
  readonly aggregate: number;
  readonly gcm: number;
  readonly cbc: number;
  readonly tripleDes: number;
}

const gateways = {
  VpnGw1: { aggregate: 650, gcm: 650, cbc: 500, tripleDes: 130 },
  VpnGw2: { aggregate: 1250, gcm: 1250, cbc: 550, tripleDes: 130 },
  VpnGw3: { aggregate: 2500, gcm: 1500, cbc: 700, tripleDes: 140 },
  VpnGw4: { aggregate: 5000, gcm: 2300, cbc: 700, tripleDes: 140 },
  VpnGw5: { aggregate: 10_000, gcm: 2300, cbc: 700, tripleDes: 140 },
  // Microsoft publishes figures for GCM only on these gateways; the others are those of VpnGw5.
  highBandwidth: { aggregate: 20_000, gcm: 5000, cbc: 700, tripleDes: 140 },
} as const satisfies Record<string, Figures>;

/** A gateway SKU; the AZ variant of a SKU has the same figures. */
export type GatewaySize = keyof typeof gateways;
/** All gateway SKUs, the smallest first. */
export const gatewaySizes = Object.keys(gateways) as readonly GatewaySize[];
/**
 * Two connections of two tunnels each; other gateways have room for more tunnels than a circuit
 * needs.
 */
const highBandwidthTunnels = 4;

/** What `ipsecEncryption` of the policy, in Azure's names, means for the throughput. */
export type CipherKind = Exclude<keyof Figures, "aggregate">;

/** Returns the kind for an `ipsecEncryption` in Azure's names, such as GCMAES256. */
export function cipherKind(ipsecEncryption: string): CipherKind {
  if (ipsecEncryption.startsWith("GCM")) return "gcm";
  return ipsecEncryption === "DES3" ? "tripleDes" : "cbc";
}

export interface TunnelPlan {
  readonly perTunnelMbps: number;
  readonly aggregateMbps: number;
  /** So many tunnels carry the whole circuit, or all that the gateway can carry. */
  readonly tunnels: number;
  /**
   * The number of tunnels with one of them out of service; undefined = the gateway has no room for
   * another.
   */
  readonly withOneSpare: number | undefined;
  readonly carriesMbps: number;
  readonly fills: "whole" | "part";
}

/** Plans the tunnels for a circuit of `circuitMbps` Mbit/s. */
export function planTunnels(size: GatewaySize, kind: CipherKind, circuitMbps: number): TunnelPlan {
  const { aggregate: aggregateMbps, [kind]: perTunnelMbps } = gateways[size];
  const room = size === "highBandwidth" ? highBandwidthTunnels : Number.POSITIVE_INFINITY;
  const carriesMbps = Math.min(circuitMbps, aggregateMbps, room * perTunnelMbps);
  const tunnels = Math.ceil(carriesMbps / perTunnelMbps);
  return {
    perTunnelMbps,
    aggregateMbps,
    tunnels,
    withOneSpare: tunnels < room ? tunnels + 1 : undefined,
    carriesMbps,
    fills: carriesMbps < circuitMbps ? "part" : "whole",
  };
}

/**
 * Returns the smallest gateway that fills the circuit; undefined = none does, and only MACsec can
 * protect all of it.
 */
export function smallestFor(kind: CipherKind, circuitMbps: number): GatewaySize | undefined {
  return gatewaySizes.find((size) => planTunnels(size, kind, circuitMbps).fills === "whole");
}
