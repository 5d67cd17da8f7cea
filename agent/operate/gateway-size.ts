// Computes how many tunnels fill a circuit, from the figures that Microsoft publishes about its
// gateways ("About gateway SKUs", January 2024). Microsoft measured them, and guarantees none.

/** Throughput in Mbit/s, and how many tunnels there may be. */
interface Figures {
  /** All tunnels together. */
  readonly aggregate: number;
  readonly gcm: number;
  readonly cbc: number;
  readonly tripleDes: number;
  readonly tunnels: number;
}

/** A generation of VPN gateways; it is chosen when a gateway is made, and never changes. */
export type Generation = 1 | 2;

type Generations = Readonly<Partial<Record<Generation, Figures>>>;

const slow = { tripleDes: 140, cbc: 700 };

const gateways = {
  VpnGw1: { 1: { aggregate: 650, gcm: 650, cbc: 500, tripleDes: 130, tunnels: 30 } },
  VpnGw2: {
    1: { aggregate: 1000, gcm: 1200, cbc: 650, tripleDes: 140, tunnels: 30 },
    2: { aggregate: 1250, gcm: 1250, cbc: 550, tripleDes: 130, tunnels: 30 },
  },
  VpnGw3: {
    1: { ...slow, aggregate: 1250, gcm: 1250, tunnels: 30 },
    2: { ...slow, aggregate: 2500, gcm: 1500, tunnels: 30 },
  },
  VpnGw4: { 2: { ...slow, aggregate: 5000, gcm: 2300, tunnels: 100 } },
  VpnGw5: { 2: { ...slow, aggregate: 10_000, gcm: 2300, tunnels: 100 } },
  // Two connections of two tunnels each. Microsoft publishes figures for GCM only on these
  // gateways; the others are those of VpnGw5.
  highBandwidth: { 2: { ...slow, aggregate: 20_000, gcm: 5000, tunnels: 4 } },
  // The gateway of a Virtual WAN hub with all of its scale units, and 1,000 tunnels on each of its
  // two instances ("Virtual WAN limits", May 2022); for other ciphers than GCM as above.
  virtualWan: { 2: { ...slow, aggregate: 20_000, gcm: 1000, tunnels: 2000 } },
} as const satisfies Record<string, Generations>;

/** What a scale unit of a Virtual WAN gateway carries, in Mbit/s. */
export const scaleUnitMbps = 500;

/** A gateway SKU; the AZ variant of a SKU has the same figures. */
export type GatewaySize = keyof typeof gateways;
/** All gateway SKUs, the smallest first. */
export const gatewaySizes = Object.keys(gateways) as readonly GatewaySize[];

/** Returns the generations of a SKU, the older first. */
export function generationsOf(size: GatewaySize): readonly Generation[] {
  return ([1, 2] as const).filter((generation) => figuresOf(size, generation) !== undefined);
}

/** Returns the newest generation of a SKU, which a new gateway is of. */
export function newestOf(size: GatewaySize): Generation {
  return generationsOf(size).at(-1) ?? 2;
}

function figuresOf(size: GatewaySize, generation: Generation): Figures | undefined {
  const generations: Generations = gateways[size];
  return generations[generation];
}

/** What `ipsecEncryption` of the policy, in Azure's names, means for the throughput. */
export type CipherKind = Exclude<keyof Figures, "aggregate" | "tunnels">;

/** Returns the kind for an `ipsecEncryption` in Azure's names, such as GCMAES256. */
export function cipherKind(ipsecEncryption: string): CipherKind {
  if (ipsecEncryption.startsWith("GCM")) return "gcm";
  return ipsecEncryption === "DES3" ? "tripleDes" : "cbc";
}

export interface TunnelPlan {
  readonly perTunnelMbps: number;
  readonly aggregateMbps: number;
  /** The gateway has no room for more. */
  readonly tunnelsMax: number;
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

/** A gateway, and how its tunnels encrypt. */
export interface Gateway {
  readonly size: GatewaySize;
  /** One of `generationsOf` the size. */
  readonly generation: Generation;
  readonly kind: CipherKind;
}

/**
 * Plans the tunnels for a circuit of `circuitMbps` Mbit/s.
 * @throws RangeError if there is no such generation of the gateway.
 */
export function planTunnels({ size, generation, kind }: Gateway, circuitMbps: number): TunnelPlan {
  const figures = figuresOf(size, generation);
  if (figures === undefined) throw new RangeError(`no generation ${generation} of ${size}`);
  const { aggregate: aggregateMbps, tunnels: tunnelsMax } = figures;
  // Microsoft's figure for a tunnel of VpnGw2, generation 1, is above that of the whole gateway.
  const perTunnelMbps = Math.min(figures[kind], aggregateMbps);
  const carriesMbps = Math.min(circuitMbps, aggregateMbps, tunnelsMax * perTunnelMbps);
  const tunnels = Math.ceil(carriesMbps / perTunnelMbps);
  return {
    perTunnelMbps,
    aggregateMbps,
    tunnelsMax,
    tunnels,
    withOneSpare: tunnels < tunnelsMax ? tunnels + 1 : undefined,
    carriesMbps,
    fills: carriesMbps < circuitMbps ? "part" : "whole",
  };
}

/**
 * Returns the smallest gateway, in its newest generation, that fills the circuit; undefined = none
 * does, and only MACsec can protect all of it.
 */
export function smallestFor(kind: CipherKind, circuitMbps: number): GatewaySize | undefined {
  return gatewaySizes.find((size) => {
    // A hub's gateway is no larger size of another gateway.
    if (size === "virtualWan") return false;
    const gateway = { size, generation: newestOf(size), kind };
    return planTunnels(gateway, circuitMbps).fills === "whole";
  });
}
