// Where a far end may have an address: the subnets on the ports of this host and in its tunnels, as
// linkseal-net tells them.

import { BlockList, isIP } from "node:net";
import type { Route } from "#hal/model.ts";
import { type Decoder, list, Malformed, name, optional, property } from "../../local/shape.ts";

export interface Subnet {
  readonly via: Route["via"];
  /** The link that has the address: the port itself, its SecY, or a VLAN on one of them. */
  readonly link: string;
  /** `default` is the one without a VRF. */
  readonly vrf: string;
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

/** Throws Malformed. */
export const readSubnets = (value: unknown): readonly Subnet[] => subnetsAt(value, "reply");

function holderOf(prefix: string): Subnet["holds"] {
  const [, address = "", digits = ""] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(prefix) ?? [];
  const [version, length] = [isIP(address), Number(digits)];
  if (version === 0 || length > (version === 4 ? 32 : 128)) throw new Malformed("prefix");
  const block = new BlockList();
  block.addSubnet(address, length, version === 4 ? "ipv4" : "ipv6");
  return (other) => isIP(other) === version && block.check(other, version === 4 ? "ipv4" : "ipv6");
}

/** The subnet that an address of this VRF lies in. */
export function subnetOf(
  subnets: readonly Subnet[],
  vrf: string,
  address: string,
): Subnet | undefined {
  return subnets.find((subnet) => subnet.vrf === vrf && subnet.holds(address));
}

/** Every VRF that a port takes part in, and the default one. */
export function vrfsOf(subnets: readonly Subnet[]): readonly string[] {
  return [...new Set([defaultVrf, ...subnets.map(({ vrf }) => vrf)])];
}
