// Which addresses are behind an interface.

import { BlockList, isIP } from "node:net";

type Holds = (address: string) => boolean;

/** Returns a test for the addresses of a prefix; undefined = the text is not a prefix. */
export function subnetOf(prefix: string): Holds | undefined {
  const [, address = "", digits = ""] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(prefix) ?? [];
  const [version, length] = [isIP(address), Number(digits)];
  if (version === 0 || length > (version === 4 ? 32 : 128)) return undefined;
  const kind = version === 4 ? "ipv4" : "ipv6";
  const block = new BlockList();
  block.addSubnet(address, length, kind);
  return (other) => isIP(other) === version && block.check(other, kind);
}

/** An address and the length of its prefix; undefined = there is none. */
type Subnet = readonly [address: string, bits: number, kind: "ipv4" | "ipv6"] | undefined;

/** Returns a test for all subnets of an interface. */
export function subnetsOf(subnets: readonly Subnet[]): Holds {
  const all = new BlockList();
  for (const subnet of subnets) {
    try {
      if (subnet !== undefined) all.addSubnet(...subnet);
    } catch {
      // The text is not an address of a subnet, so no neighbour is behind it.
    }
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && all.check(address, family === 4 ? "ipv4" : "ipv6");
  };
}
