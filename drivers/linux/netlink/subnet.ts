// Where a far end may have an address: the subnets on the ports of this host and in its tunnels, as
// linkseal-net tells them.

import { BlockList, isIP } from "node:net";
import type { Route } from "#hal/model.ts";
import { field, list, Malformed, name, optional, recordOf } from "../../local/shape.ts";

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

/** Throws Malformed. */
export function readSubnets(value: unknown): readonly Subnet[] {
  return list(recordOf(value, "reply"), "subnets", subnetsMax, (subnet) => ({
    via:
      field(subnet, "tunnel") === undefined
        ? { kind: "port", port: name(subnet, "port") }
        : { kind: "tunnel", name: name(subnet, "tunnel") },
    link: name(subnet, "link"),
    vrf: optional(name, subnet, "vrf") ?? defaultVrf,
    holds: holderOf(name(subnet, "prefix")),
  }));
}

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
