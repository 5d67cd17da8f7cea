// The subnets on the ports of this host and in its tunnels, in which far ends may have addresses,
// as linkseal-net reports them.

import { BlockList, isIP } from "node:net";
import { type Decoder, list, Malformed, name, optional, property } from "#hal/decoder.ts";
import type { Route } from "#hal/model.ts";

/** A subnet of this host. */
export interface Subnet {
  /** The port or tunnel that the subnet belongs to. */
  readonly via: Route["via"];
  /** The link that has the address: the port itself, its SecY, or a VLAN on one of them. */
  readonly link: string;
  /** `default` means no VRF. */
  readonly vrf: string;
  /** Returns true if the subnet contains the address. */
  readonly holds: (address: string) => boolean;
}

const subnetsMax = 8_192;
const defaultVrf = "default";

const subnetAt: Decoder<Subnet> = (subnet, what) => {
  const of = <T>(key: string, decode: Decoder<T>): T => property(key, decode)(subnet, what);
  const tunnel = of("tunnel", optional(name));
  return {
    via:
      tunnel === undefined
        ? { kind: "port", port: of("port", name) }
        : { kind: "tunnel", name: tunnel },
    link: of("link", name),
    vrf: of("vrf", optional(name)) ?? defaultVrf,
    holds: holderOf(of("prefix", name)),
  };
};
const subnetsAt = property("subnets", list(subnetAt, subnetsMax));

/**
 * Reads linkseal-net's reply.
 * @throws Malformed
 */
export const readSubnets = (value: unknown): readonly Subnet[] => subnetsAt(value, "reply");

function holderOf(prefix: string): Subnet["holds"] {
  const [, address = "", digits = ""] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(prefix) ?? [];
  const [version, length] = [isIP(address), Number(digits)];
  if (version === 0 || length > (version === 4 ? 32 : 128)) throw new Malformed("prefix");
  const block = new BlockList();
  block.addSubnet(address, length, version === 4 ? "ipv4" : "ipv6");
  return (other) => isIP(other) === version && block.check(other, version === 4 ? "ipv4" : "ipv6");
}

/** Returns the subnet that contains an address of this VRF. */
export function subnetOf(
  subnets: readonly Subnet[],
  vrf: string,
  address: string,
): Subnet | undefined {
  return subnets.find((subnet) => subnet.vrf === vrf && subnet.holds(address));
}

/** Returns every VRF that a port takes part in, and the default one. */
export function vrfsOf(subnets: readonly Subnet[]): readonly string[] {
  return [...new Set([defaultVrf, ...subnets.map(({ vrf }) => vrf)])];
}
