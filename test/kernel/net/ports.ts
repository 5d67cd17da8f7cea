// A port with every kind of configuration, and the comparison of it.

import { ip, ipBatch } from "../lab.ts";

/**
 * Builds `wire`, with a VLAN in a VRF, addresses and routes of both families, one over two links.
 */
export function buildPort(network: string): void {
  ipBatch(
    [
      "link add wire type veth peer name far",
      "link add red type vrf table 10",
      "link set red up",
      "link set far up",
      "link add link wire name wire.7 type vlan id 7",
      "link set wire.7 master red",
      "link set wire up",
      "link set wire.7 up",
      "addr add 192.0.2.1/30 dev wire",
      "addr add 2001:db8::1/64 dev wire nodad",
      "addr add 198.51.100.1/30 dev wire.7",
      // The kernel removes the second address of a subnet with the first.
      "addr add 203.0.113.129/26 dev wire",
      "addr add 203.0.113.130/26 dev wire",
      // An administrator has shut this one.
      "link add link wire name wire.8 type vlan id 8",
      "route add 203.0.113.0/25 via 192.0.2.2 dev wire",
      "route add 203.0.113.9/32 via 203.0.113.1 dev wire onlink",
      "route add 10.9.0.0/16 via 198.51.100.2 dev wire.7 table 10",
      "route add 2001:db8:9::/48 via 2001:db8::2 dev wire",
      "link add other type dummy",
      "addr add 192.0.2.9/30 dev other",
      "link set other up",
      "route add 10.8.0.0/16 nexthop via 192.0.2.2 dev wire nexthop via 192.0.2.10 dev other",
    ],
    "-n",
    network,
  );
}

/**
 * Returns all that an administrator has set on the port, as `ip` prints it. The kernel adds the
 * routes to an address itself, and those of IPv6 later: they are left out.
 */
export function configuredIn(network: string): readonly string[] {
  const show = (...argv: string[]): string[] => ip("-n", network, ...argv).split("\n");
  const routes = ["route", "show", "table", "all"];
  const names = ["wire", "wire.7", "wire.8"].flatMap((name) =>
    show("-br", "addr", "show", "dev", name),
  );
  return [
    // The link-local address comes and goes with the link.
    ...names.map((line) => line.replace(/ fe80\S+/, "")),
    ...show(...routes),
    ...show("-6", ...routes),
  ]
    .filter((line) => !/fe80|fe00|ff00|multicast|cache|table local/.test(line))
    .map((line) => line.replace(/ (dead|linkdown|pref medium)/g, "").trim())
    .filter((line) => line !== "")
    .sort();
}
