// Several tunnels between an edge and a stand-in for Azure's gateway, with FRR at both ends: BGP
// inside each tunnel, and a session over the wire that stands for private peering.

import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import { type Router, startRouter, stopRouter } from "../host/router.ts";
import { addNetwork, ip, ipBatch } from "../lab.ts";
import { Daemon } from "./daemon.ts";
import { Libreswan } from "./libreswan.ts";
import { connection } from "./libreswan-site.ts";
import { gatewayPsk, inner, loadAzure, spec, strong } from "./site.ts";

/** Ends of the wire, whose session stands for private peering. */
export const wire = { edge: "198.51.100.1", gateway: "198.51.100.2" } as const;
export const edgeAs = 65_010;
export const gatewayAs = 65_515;
const peeringAs = 12_076;

export interface BgpSite<Far extends Disposable = Daemon> {
  readonly edge: Router;
  readonly gateway: Router;
  readonly charon: Daemon;
  readonly far: Far;
  readonly specs: readonly TunnelSpec[];
}

function specOf(index: number): TunnelSpec {
  return {
    ...spec,
    name: `hub-${index}`,
    localAddress: `198.51.100.${10 + index}`,
    remoteAddress: `198.51.100.${110 + index}`,
    ifId: 100 + index,
    bgp: {
      local: `169.254.21.${4 * index + 2}`,
      peer: `169.254.21.${4 * index + 1}`,
      asn: gatewayAs,
    },
  };
}

export async function buildBgpSite(count: number): Promise<BgpSite> {
  const parts = await buildRouters(count);
  const far = new Daemon(parts.gateway.network);
  await far.start();
  for (const one of parts.specs) await loadFar(far, one);
  return { ...parts, far };
}

/** Builds the same with libreswan as the gateway. */
export async function buildForeignBgpSite(count: number): Promise<BgpSite<Libreswan>> {
  const parts = await buildRouters(count);
  const far = new Libreswan(parts.gateway.network);
  for (const { name, localAddress, remoteAddress, ifId } of parts.specs) {
    const ends = { own: remoteAddress, peer: localAddress, ifId: ifId + 100 };
    far.load({ ...connection, name, ...ends });
  }
  await far.start();
  return { ...parts, far };
}

async function buildRouters(count: number): Promise<Omit<BgpSite, "far">> {
  const specs = Array.from({ length: count }, (_, at) => specOf(at + 1));
  const [edge, gateway] = [addNetwork(), addNetwork()];
  ip("-n", edge, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", gateway);
  for (const network of [edge, gateway]) {
    const own = network === edge ? "edge" : "gateway";
    const outer = specs.map((one) => (own === "edge" ? one.localAddress : one.remoteAddress));
    ipBatch(
      [wire[own], ...outer].map((address) => `addr add ${address}/24 dev wire`),
      "-n",
      network,
    );
    ip("-n", network, "link", "set", "wire", "up");
    // Flows are spread by their ports.
    ip("netns", "exec", network, "sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1");
  }
  ipBatch(specs.flatMap(gatewayLink), "-n", gateway);
  const routers = [
    await startRouter(edge, inner.edge, edgeConfig(specs)),
    await startRouter(gateway, inner.gateway, gatewayConfig(specs)),
  ] as const;
  // Packets without a better route leave beside the tunnels.
  ip("-n", edge, "route", "add", "default", "via", wire.gateway, "src", inner.edge);
  const charon = new Daemon(edge);
  await charon.start();
  return { edge: routers[0], gateway: routers[1], charon, specs };
}

export function leaveBgpSite({ edge, gateway, charon, far }: BgpSite<Disposable>): void {
  for (const daemon of [charon, far]) daemon[Symbol.dispose]();
  for (const router of [edge, gateway]) stopRouter(router);
}

export const farLink = ({ name }: TunnelSpec): string => name.replace("hub", "gw");

function gatewayLink(one: TunnelSpec): readonly string[] {
  const link = farLink(one);
  return [
    `link add ${link} type xfrm if_id ${one.ifId + 100}`,
    `link set ${link} mtu ${one.mtu} up`,
    `addr add ${one.bgp?.peer} peer ${one.bgp?.local}/32 dev ${link}`,
  ];
}

async function loadFar(far: Daemon, one: TunnelSpec): Promise<void> {
  const { name, localAddress: peer, remoteAddress: own, ifId } = one;
  await far.ask("load-shared", { id: name, type: "IKE", data: gatewayPsk, owners: [own, peer] });
  const ends = [
    { auth: "psk", id: own },
    { auth: "psk", id: peer },
  ] as const;
  await loadAzure(far, strong, ends, { name, own, peer, ifId: ifId + 100 });
}

function neighbours(addresses: readonly string[], as: number): readonly string[] {
  return addresses.flatMap((address) => [
    ` neighbor ${address} remote-as ${as}`,
    ` neighbor ${address} timers connect 1`,
  ]);
}

// Over the wire both ends announce only outer addresses, as Microsoft advises.
const outerOnly = [
  "frr defaults traditional",
  "ip prefix-list outer seq 5 permit 198.51.100.0/24 le 32",
  "route-map outer permit 10",
  " match ip address prefix-list outer",
];
const common = [" no bgp ebgp-requires-policy", " no bgp network import-check", " timers bgp 3 9"];

function edgeConfig(specs: readonly TunnelSpec[]): string {
  const inside = specs.map(({ bgp }) => bgp?.peer ?? "");
  return [
    ...outerOnly,
    `router bgp ${edgeAs}`,
    ...common,
    ...neighbours([wire.gateway], peeringAs),
    ...neighbours(inside, gatewayAs),
    " address-family ipv4 unicast",
    "  network 10.1.0.0/16",
    "  maximum-paths 8",
    `  neighbor ${wire.gateway} route-map outer out`,
    "",
  ].join("\n");
}

function gatewayConfig(specs: readonly TunnelSpec[]): string {
  const inside = specs.map(({ bgp }) => bgp?.local ?? "");
  return [
    ...outerOnly,
    `router bgp ${gatewayAs}`,
    ...common,
    ...neighbours([wire.edge], edgeAs),
    ` neighbor ${wire.edge} local-as ${peeringAs} no-prepend replace-as`,
    ...neighbours(inside, edgeAs),
    " address-family ipv4 unicast",
    "  network 10.100.0.0/16",
    "  maximum-paths 8",
    `  neighbor ${wire.edge} route-map outer out`,
    "",
  ].join("\n");
}
