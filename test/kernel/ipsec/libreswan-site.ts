// An edge with charon and a gateway with libreswan, with a router between them that forwards
// everything, also packets of protected prefixes in the clear: a leak would arrive.

import { addNetwork, ip, ipBatch } from "../lab.ts";
import { Daemon, type Retransmission } from "./daemon.ts";
import { type GatewayConnection, Libreswan } from "./libreswan.ts";
import { gatewayPsk, inner } from "./site.ts";

export const outer = { edge: "198.51.100.1", gateway: "203.0.113.1" } as const;
export const middle = { edge: "198.51.100.254", gateway: "203.0.113.254" } as const;

/** libreswan's words for the policy `strong` of Azure. */
export const connection: GatewayConnection = {
  ...{ name: "azure", own: outer.gateway, peer: outer.edge, ifId: 7, psk: gatewayPsk },
  ...{ ike: "aes_gcm256-sha2_384;dh20", esp: "aes_gcm256;dh20" },
};

export interface ForeignSite {
  readonly edge: string;
  readonly middle: string;
  readonly gateway: string;
  readonly charon: Daemon;
  readonly far: Libreswan;
}

/** Builds the three networks; both daemons run when it resolves. */
export async function buildForeignSite(
  first = connection,
  retransmission?: Retransmission,
): Promise<ForeignSite> {
  const [edge, between, gateway] = [addNetwork(), addNetwork(), addNetwork()];
  for (const [network, side] of [
    [edge, "edge"],
    [gateway, "gateway"],
  ] as const) {
    const wire = ["link", "add", "wire", "type", "veth", "peer", "name", side, "netns", between];
    ip("-n", network, ...wire);
    ip("-n", network, "address", "add", `${outer[side]}/24`, "dev", "wire");
    ip("-n", network, "address", "add", `${inner[side]}/32`, "dev", "lo");
    ip("-n", network, "link", "set", "wire", "up");
    ip("-n", between, "address", "add", `${middle[side]}/24`, "dev", side);
    ip("-n", between, "link", "set", side, "up");
    const [via, source] = [middle[side], inner[side]];
    ip("-n", network, "route", "add", "default", "via", via, "src", source);
  }
  ipBatch(
    [
      `route add 10.1.0.0/16 via ${outer.edge}`,
      `route add 10.100.0.0/16 via ${outer.gateway}`,
      `route add 10.101.0.0/16 via ${outer.gateway}`,
    ],
    "-n",
    between,
  );
  ip("netns", "exec", between, "sysctl", "-qw", "net.ipv4.ip_forward=1");
  ip("-n", gateway, "link", "add", "gw", "type", "xfrm", "if_id", "7");
  ip("-n", gateway, "link", "set", "gw", "mtu", "1400", "up");
  ip("-n", gateway, "route", "add", "10.1.0.0/16", "dev", "gw", "src", inner.gateway);
  const [charon, far] = [new Daemon(edge, retransmission), new Libreswan(gateway)];
  await charon.start();
  await far.start();
  far.load(first);
  return { edge, middle: between, gateway, charon, far };
}

/** Puts the edge behind a NAT: the gateway sees the address of the router between them. */
export function hideEdge({ middle: network }: ForeignSite): void {
  const rules =
    "add table ip hide; add chain ip hide out { type nat hook postrouting priority 100; }";
  const rule = 'add rule ip hide out oifname "gateway" ip saddr 198.51.100.1 masquerade';
  ip("netns", "exec", network, "nft", `${rules}; ${rule}`);
}

/**
 * Deletes the SA by which the gateway receives from that address; its own way out stays.
 * @throws RangeError if there is none
 */
export function loseInbound(gateway: string, from: string, to: string): void {
  const states = ip("-n", gateway, "xfrm", "state", "list").split(/^(?=src )/m);
  const inbound = states.filter((one) => one.startsWith(`src ${from} dst ${to}\n`));
  const spis = inbound.flatMap((one) => /spi (0x[0-9a-f]+)/.exec(one)?.[1] ?? []);
  if (spis.length === 0) throw new RangeError(`no SA from ${from} to ${to}`);
  for (const spi of spis) {
    const sa = ["src", from, "dst", to, "proto", "esp", "spi", spi];
    ip("-n", gateway, "xfrm", "state", "delete", ...sa);
  }
}

/** The packets for which the kernel of this network had no SA. */
export function withoutSa(network: string): number {
  const counters = ip("netns", "exec", network, "cat", "/proc/net/xfrm_stat");
  return Number(/XfrmInNoStates\s+(\d+)/.exec(counters)?.[1]);
}
