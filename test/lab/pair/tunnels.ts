// Two tunnels of a pair, each from one edge host with a charon of its own, to one gateway behind
// the far end of both links.

import type { PortName } from "#hal/model.ts";
import { Daemon } from "../../kernel/ipsec/daemon.ts";
import { ProtectedWatch } from "../../kernel/ipsec/protected-watch.ts";
import { loadAzure, pings, strong } from "../../kernel/ipsec/site.ts";
import { enterNetwork, ip, ipBatch, ipJson, until } from "../../kernel/lab.ts";
import { secyOn } from "../lab.ts";
import { farPort } from "../stand-in.ts";
import type { EdgeHost } from "./edge-host.ts";
import { type EdgePlan, edges, loopbacks, portsOf } from "./networks.ts";

/** The pre-shared key of each tunnel, as the vault has it. */
export const pskOf = ({ tunnel }: EdgePlan): string => `Pair_PSK+${tunnel.beyond}/0123456789.of`;
/** The secret that holds it. */
export const secretOf = ({ tunnel }: EdgePlan): string => `${tunnel.name}-psk`;

const prefixOf = (host: string): string => host.replace(/\.0\.1$/, ".0.0/16");

/** Starts the gateway, which waits for both tunnels, and makes the hosts behind all ends. */
export async function startGateway(
  far: string,
  networkOf: (edge: EdgePlan) => string,
): Promise<Daemon> {
  const gateway = new Daemon(far);
  await gateway.start();
  for (const [index, edge] of edges.entries()) {
    const { tunnel, routerId } = edge;
    ip("-n", networkOf(edge), "addr", "add", `${tunnel.inside}/32`, "dev", "lo");
    const ifId = index + 7;
    ipBatch(
      [
        `addr add ${tunnel.beyond}/32 dev lo`,
        `link add gw${ifId} type xfrm if_id ${ifId}`,
        `link set gw${ifId} mtu 1300 up`,
        `route add ${prefixOf(tunnel.inside)} dev gw${ifId} src ${tunnel.beyond}`,
      ],
      "-n",
      far,
    );
    const owners = [loopbacks.far, routerId];
    await gateway.ask("load-shared", { id: tunnel.name, type: "IKE", data: pskOf(edge), owners });
    const ends = [
      { auth: "psk", id: loopbacks.far },
      { auth: "psk", id: routerId },
    ] as const;
    await loadAzure(gateway, strong, ends, {
      ...{ name: tunnel.name, own: loopbacks.far, peer: routerId, ifId },
    });
  }
  return gateway;
}

/** The part of the config with both tunnels. */
export function tunnelLines(): readonly string[] {
  return [
    "tunnels:",
    ...edges.flatMap((edge) => [
      `  - name: ${edge.tunnel.name}`,
      `    device: ${edge.name}`,
      "    mtu: 1300",
      `    local: { address: ${edge.routerId} }`,
      `    remote: { address: ${loopbacks.far} }`,
      `    protects: { local: [${prefixOf(edge.tunnel.inside)}],`,
      `      remote: [${prefixOf(edge.tunnel.beyond)}] }`,
      `    auth: { psk: ${secretOf(edge)} }`,
    ]),
  ];
}

/** How the packets of the hosts behind both tunnels left the edge hosts, and came to them. */
export interface TunnelPackets {
  /** Packets of ESP, counted on the inner side of MACsec. */
  readonly esp: number;
  /** Packets outside of ESP, on any interface of both edges and of the far end. */
  readonly clear: readonly string[];
  /** Whether the same watch saw a packet in the clear once nothing kept it in its tunnel. */
  readonly seesClear: boolean;
}

const isInside = /^10\.(?:1|2|100|101)\./;

/** An end of a link. */
interface LinkEnd {
  readonly network: string;
  readonly port: PortName;
}

/**
 * Watches all ways by which a packet of a host behind a tunnel comes to an edge or to the far end:
 * each interface, and the SecY of each end of a link, which shows packets that MACsec has opened. A
 * socket sees no packet that its own host sends.
 */
export class TunnelWatch implements Disposable {
  readonly #hosts: readonly [EdgeHost, EdgeHost];
  readonly #ends: readonly LinkEnd[];
  readonly #secys: readonly string[];
  readonly #outside: readonly ProtectedWatch[];
  readonly #links: readonly ProtectedWatch[];

  /** Leaves this thread in the network `home`. */
  constructor(hosts: readonly [EdgeHost, EdgeHost], far: string, home: string) {
    this.#hosts = hosts;
    this.#ends = hosts.flatMap(({ network, plan: { port } }) => [
      { network, port },
      { network: far, port: farPort(port) },
    ]);
    this.#secys = this.#ends.map(secyOf);
    this.#links = this.#ends.map((end) => new ProtectedWatch(end.network, nameOf(end), isInside));
    const ports = hosts.flatMap(({ network, plan }) =>
      portsOf(plan.name).map((port) => ({ network, port })),
    );
    this.#outside = [...ports, ...this.#ends.filter(({ network }) => network === far)].map(
      ({ network, port }) => new ProtectedWatch(network, port, isInside),
    );
    enterNetwork(home);
  }

  /** Returns the packets of ESP so far. */
  esp(): number {
    return this.#links.reduce((sum, watch) => sum + watch.esp, 0);
  }

  #clear(): readonly string[] {
    return [...this.#links, ...this.#outside].flatMap(({ observed }) => observed);
  }

  /**
   * Gives the first tunnel's packets a route beside it, which its block has to stop, and then takes
   * the block away. The tunnel is broken afterwards.
   * @throws Error if a SecY is another one than at the beginning: nothing has watched it.
   */
  async conclude(): Promise<TunnelPackets> {
    if (this.#ends.map(secyOf).join() !== this.#secys.join()) throw new Error("another SecY");
    const [{ network, plan }] = this.#hosts;
    const beside = `${plan.tunnel.beyond}/32 via ${plan.peer}`;
    const esp = this.esp();
    ipBatch([`route add ${beside}`], "-n", network);
    const answered = await pings(network);
    const clear = this.#clear();
    if (answered > 0) throw new Error("a host beyond the tunnel answered beside it");
    const seesClear = await until(async () => {
      ip("-n", network, "xfrm", "policy", "flush");
      await pings(network, 1);
      return this.#clear().length > clear.length || undefined;
    });
    return { esp, clear, seesClear };
  }

  [Symbol.dispose](): void {
    for (const watch of [...this.#links, ...this.#outside]) watch[Symbol.dispose]();
  }
}

function nameOf({ network, port }: LinkEnd): string {
  const name = secyOn(network, port);
  if (name === undefined) throw new Error(`${port} in ${network} has no SecY`);
  return name;
}

/** Names a SecY by the number that no later one has. */
function secyOf(end: LinkEnd): string {
  const [link] = ipJson<readonly { readonly ifindex: number }[]>(
    ...["-n", end.network, "link", "show", nameOf(end)],
  );
  return `${end.port} ${link?.ifindex}`;
}
