// Two tunnels of a pair, each from one edge host with a charon of its own, to one gateway behind
// the far end of both links.

import { Daemon } from "../../kernel/ipsec/daemon.ts";
import { loadAzure, strong } from "../../kernel/ipsec/site.ts";
import { ip, ipBatch } from "../../kernel/lab.ts";
import { type EdgePlan, edges, loopbacks } from "./networks.ts";

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
