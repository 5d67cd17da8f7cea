// The change operations of the kernel for a tunnel: a fixed list, and none of them contains a key.

import { absent, count, each, type Kinds, list, name, object, uint32 } from "#hal/decoder.ts";
import { type ExemptPrefix, exemptPrefixAt } from "./exempt-prefixes.ts";
import { addressAt, prefixesAt, prefixesMax } from "./guard.ts";

/** The xfrm interface of a tunnel, with the prefixes that may leave by it. */
export interface TunnelLink {
  readonly name: string;
  readonly ifId: number;
  readonly mtu: number;
  readonly prefixes: readonly string[];
  /**
   * The addresses of BGP inside, which brings the routes; absent = a route for each prefix leads
   * into the tunnel.
   */
  readonly ends?: TunnelEnds;
}

export interface TunnelEnds {
  readonly local: string;
  readonly peer: string;
}

/**
 * Returns the host prefix of the BGP neighbour inside, which is reached through the tunnel alone.
 */
export function hostPrefix(address: string): string {
  return `${address}/${address.includes(":") ? 128 : 32}`;
}

/** One change operation of the kernel for a tunnel. */
export type TunnelOperation =
  | { readonly kind: "ipsec.block"; readonly prefixes: readonly string[] }
  /** From now on these prefixes may leave under the MACsec of these ports, and of no others. */
  | { readonly kind: "ipsec.back"; readonly backings: readonly ExemptPrefix[] }
  | { readonly kind: "ipsec.carry"; readonly link: TunnelLink }
  /** Removes the interface; its SAs and its block stay. */
  | { readonly kind: "ipsec.drop"; readonly name: string }
  /** Ends SAs that no IKE SA owns. */
  | {
      readonly kind: "ipsec.sweep";
      readonly name: string;
      readonly ifId: number;
      readonly sas: readonly { readonly spi: number }[];
    }
  /** Used by `linkseal guard` alone: no client of linkseal-net can request it. */
  | { readonly kind: "ipsec.unblock"; readonly prefixes: readonly string[] }
  /** Only ever undoes what was made and not confirmed: no client can request it. */
  | { readonly kind: "ipsec.unmake"; readonly name: string; readonly ifId: number };

const sasMax = 256;
const mtuMax = 65_535;

export const tunnelLink = object<TunnelLink>({
  ...{ name, ifId: uint32, mtu: count(mtuMax) },
  prefixes: prefixesAt,
  ends: absent(object(each(["local", "peer"], addressAt))),
});

export const tunnelOperations: Kinds<TunnelOperation> = {
  ...each(["ipsec.block", "ipsec.unblock"], { prefixes: prefixesAt }),
  "ipsec.back": { backings: list(exemptPrefixAt, prefixesMax) },
  "ipsec.carry": { link: tunnelLink },
  "ipsec.drop": { name },
  "ipsec.sweep": { name, ifId: uint32, sas: list(object({ spi: uint32 }), sasMax) },
  "ipsec.unmake": { name, ifId: uint32 },
};

export function tunnelPreview(operation: TunnelOperation): readonly string[] {
  switch (operation.kind) {
    case "ipsec.block":
      return operation.prefixes.map((prefix) => `+ block ${prefix} outside of tunnels`);
    case "ipsec.unblock":
      return operation.prefixes.map((prefix) => `- block ${prefix} outside of tunnels`);
    case "ipsec.back":
      return operation.backings.map(({ prefix, ports }) =>
        ports.length === 0
          ? `- pass ${prefix} under the MACsec of ports`
          : `+ pass ${prefix} under the MACsec of ${ports.join(", ")}, while it is tight`,
      );
    case "ipsec.carry": {
      const { name: link, ifId, mtu, prefixes, ends } = operation.link;
      const routes =
        ends === undefined
          ? prefixes.map((prefix) => `+ route ${prefix} into ${link}`)
          : [`+ address ${ends.local} on ${link}, opposite ${ends.peer}: BGP brings the routes`];
      return [`+ xfrm interface ${link}, number ${ifId}, mtu ${mtu}`, ...routes];
    }
    case "ipsec.drop":
    case "ipsec.unmake":
      return [`- xfrm interface ${operation.name}`];
    case "ipsec.sweep":
      return [`- ${operation.sas.length} SAs of ${operation.name} that no IKE SA owns`];
  }
}
