// How many tunnels fill a circuit, from the figures that Microsoft publishes of its gateways
// (`about-gateway-skus`, November 2023): measured there, and guaranteed by nobody.

/** In Mbit/s. */
interface Figures {
  /** Of all tunnels together. */
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
  // Nothing is published of other transforms than GCM on these: what VpnGw5 does with them.
  highBandwidth: { aggregate: 20_000, gcm: 5000, cbc: 700, tripleDes: 140 },
} as const satisfies Record<string, Figures>;

export type GatewaySize = keyof typeof gateways;
export const gatewaySizes = Object.keys(gateways) as readonly GatewaySize[];
/** Two connections of two tunnels each; other gateways have room for more than anybody needs. */
const highBandwidthTunnels = 4;

/** By `ipsecEncryption` of the policy, in Azure's words. */
export type CipherKind = Exclude<keyof Figures, "aggregate">;

export function cipherKind(ipsecEncryption: string): CipherKind {
  if (ipsecEncryption.startsWith("GCM")) return "gcm";
  return ipsecEncryption === "DES3" ? "tripleDes" : "cbc";
}

export interface TunnelPlan {
  readonly perTunnelMbps: number;
  readonly aggregateMbps: number;
  /** That many carry what the circuit carries, or all that the gateway carries. */
  readonly tunnels: number;
  /** With one of them out of service; undefined = the gateway has no room for another. */
  readonly withOneSpare: number | undefined;
  readonly carriesMbps: number;
  readonly fills: "whole" | "part";
}

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

/** The smallest that fills the circuit; undefined = none does, and MACsec alone protects it all. */
export function smallestFor(kind: CipherKind, circuitMbps: number): GatewaySize | undefined {
  return gatewaySizes.find((size) => planTunnels(size, kind, circuitMbps).fills === "whole");
}
