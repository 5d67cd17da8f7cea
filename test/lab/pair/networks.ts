// The networks of a pair on two hosts: a host inside the site, two edge hosts with one link each,
// and the far end of both links.

import type { PortName } from "#hal/model.ts";
import {
  asLines,
  edgeAs,
  farAs,
  firstLines,
  ownPolicy,
  policyFor,
  session,
} from "../../kernel/host/router.ts";
import { addNetwork, ip, ipBatch } from "../../kernel/lab.ts";

/** The addresses of one edge host. */
export interface EdgePlan {
  readonly name: "edge-a" | "edge-b";
  /** The link's name in the group. */
  readonly link: "primary" | "secondary";
  readonly port: PortName;
  /** With the length of its prefix. */
  readonly address: string;
  /** The far end's peering address. */
  readonly peer: string;
  /** Its address in the site, at which its tunnel begins as well. */
  readonly routerId: string;
  readonly tunnel: TunnelPlan;
}

/** A tunnel of an edge host to the far end: its name, and a host behind each end. */
interface TunnelPlan {
  readonly name: string;
  readonly inside: string;
  readonly beyond: string;
}

export const edges = [
  {
    ...{ name: "edge-a", link: "primary", port: "p1", routerId: "198.51.100.11" },
    ...{ address: "192.0.2.1/30", peer: "192.0.2.2" },
    tunnel: { name: "hub-a", inside: "10.1.0.1", beyond: "10.100.0.1" },
  },
  {
    ...{ name: "edge-b", link: "secondary", port: "p2", routerId: "198.51.100.12" },
    ...{ address: "192.0.2.5/30", peer: "192.0.2.6" },
    tunnel: { name: "hub-b", inside: "10.2.0.1", beyond: "10.101.0.1" },
  },
] as const satisfies readonly EdgePlan[];

/** The path between the agent and the second host, by the interface at each end. */
export const path = { port: "sa", beyond: "10.9.4.2" } as const;

export const loopbacks = { inside: "198.51.100.1", far: "203.0.113.1" } as const;

/** Names of the networks. */
export interface Networks {
  readonly inside: string;
  readonly "edge-a": string;
  readonly "edge-b": string;
  readonly far: string;
}

/** Both ends of a wire: network, interface, address with the length of its prefix. */
type Wire = readonly [
  readonly [keyof Networks, string, string],
  readonly [keyof Networks, string, string],
];

const wires: readonly Wire[] = [
  [
    ["edge-a", "p1", "192.0.2.1/30"],
    ["far", "m1", "192.0.2.2/30"],
  ],
  [
    ["edge-b", "p2", "192.0.2.5/30"],
    ["far", "m2", "192.0.2.6/30"],
  ],
  [
    ["inside", "ia", "10.9.1.2/30"],
    ["edge-a", "la", "10.9.1.1/30"],
  ],
  [
    ["inside", "ib", "10.9.2.2/30"],
    ["edge-b", "lb", "10.9.2.1/30"],
  ],
  [
    ["edge-a", "ab", "10.9.3.1/30"],
    ["edge-b", "ba", "10.9.3.2/30"],
  ],
  [
    ["edge-a", path.port, "10.9.4.1/30"],
    ["edge-b", "sb", `${path.beyond}/30`],
  ],
];

/** Builds all networks and the wires between them. */
export function buildNetworks(): Networks {
  const [inside, a, b, far] = Array.from({ length: 4 }, addNetwork) as [
    ...[string, string, string, string],
  ];
  const all = { inside, "edge-a": a, "edge-b": b, far };
  for (const network of Object.values(all)) {
    const settings = [
      ...["net.ipv4.fib_multipath_hash_policy=1", "net.ipv4.ip_forward=1"],
      ...["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"],
      // Packets that IPv6 sends by itself on the wire below would be data in the clear.
      ...["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"],
    ];
    ip("netns", "exec", network, "sysctl", "-qw", ...settings);
  }
  for (const [[near, port], [beyond, other]] of wires) {
    ipBatch(
      [`link add ${port} type veth peer name ${other} netns ${all[beyond]}`],
      "-n",
      all[near],
    );
  }
  for (const network of Object.keys(all) as (keyof Networks)[]) lightUp(all, network);
  return all;
}

/** Gives the interfaces of a network their addresses, and light. `but`: not this one. */
export function lightUp(all: Networks, network: keyof Networks, but?: string): void {
  const own = interfacesOf(network).filter(([, port]) => port !== but);
  const lines = own.flatMap(([, port, address]) => [
    `addr replace ${address} dev ${port}`,
    `link set ${port} up`,
  ]);
  ipBatch(lines, "-n", all[network]);
}

/** Takes the light off all interfaces of a network, and their addresses. */
export function lightDown(all: Networks, network: keyof Networks): void {
  const lines = interfacesOf(network).flatMap(([, port]) => [
    `link set ${port} down`,
    `addr flush dev ${port}`,
  ]);
  ipBatch(lines, "-n", all[network]);
}

const interfacesOf = (network: keyof Networks) => wires.flat().filter(([name]) => name === network);

const asOf = (peer: string): number => (peer.startsWith("10.") ? edgeAs : farAs);

/** FRR's configuration of an edge: the far end, and inside host and other edge of its own AS. */
export function edgeRouting({ name, peer, routerId }: EdgePlan): string {
  const own = name === "edge-a" ? ["10.9.1.2", "10.9.3.2"] : ["10.9.2.2", "10.9.3.1"];
  return [
    ...firstLines,
    ...ownPolicy,
    ...asLines(edgeAs),
    ` bgp router-id ${routerId}`,
    ...[peer, ...own].flatMap((address) => session(address, asOf(address), edgeAs)),
    " address-family ipv4 unicast",
    `  network ${routerId}/32`,
    ...policyFor(peer),
    ...own.map((address) => `  neighbor ${address} next-hop-self`),
    "",
  ].join("\n");
}

/** FRR's configuration of the host inside. */
export function insideRouting(): string {
  return [
    ...firstLines,
    ...asLines(edgeAs),
    ` bgp router-id ${loopbacks.inside}`,
    ...["10.9.1.1", "10.9.2.1"].flatMap((address) => session(address, edgeAs, edgeAs)),
    " address-family ipv4 unicast",
    `  network ${loopbacks.inside}/32`,
    "  maximum-paths ibgp 2",
    "",
  ].join("\n");
}

/** FRR's configuration of the far end. */
export function farRouting(): string {
  const peers = edges.map(({ address }) => address.replace("/30", ""));
  return [
    ...firstLines,
    ...asLines(farAs),
    ` bgp router-id ${loopbacks.far}`,
    " no bgp ebgp-requires-policy",
    ...peers.flatMap((peer) => session(peer, edgeAs)),
    " address-family ipv4 unicast",
    `  network ${loopbacks.far}/32`,
    "",
  ].join("\n");
}
