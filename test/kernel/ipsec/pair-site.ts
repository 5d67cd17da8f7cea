// An edge with two wires, each to one instance of an active-active gateway: a charon and a host
// behind it in a network of its own. Both tunnels begin at one address of the edge.

import { addNetwork, ip } from "../lab.ts";
import { Daemon } from "./daemon.ts";
import { gatewayPsk, inner, loadAzure, strong } from "./site.ts";

export const edgeAddress = "198.51.100.1";

/** One instance of the gateway. */
export interface Instance {
  /** The tunnel that ends there. */
  readonly name: string;
  readonly network: string;
  /** Its outer address. */
  readonly address: string;
  /** What is behind it, and one host of that. */
  readonly prefix: string;
  readonly host: string;
  readonly far: Daemon;
  /** Sets the key that it authenticates with from now on. */
  readonly load: (psk: string) => Promise<void>;
}

export interface PairSite {
  readonly edge: string;
  readonly charon: Daemon;
  readonly instances: readonly [Instance, Instance];
}

/** Builds the networks, and starts all daemons; both instances have the first key. */
export async function buildPairSite(): Promise<PairSite> {
  const edge = addNetwork();
  ip("-n", edge, "address", "add", `${edgeAddress}/32`, "dev", "lo");
  ip("-n", edge, "address", "add", `${inner.edge}/32`, "dev", "lo");
  const charon = new Daemon(edge);
  await charon.start();
  return { edge, charon, instances: [await instanceAt(edge, 0), await instanceAt(edge, 1)] };
}

async function instanceAt(edge: string, at: 0 | 1): Promise<Instance> {
  const network = addNetwork();
  const wire = `wire${at}`;
  const address = `203.0.113.${4 * at + 2}`;
  const [prefix, host] = [`10.${100 + at}.0.0/16`, `10.${100 + at}.0.1`];
  ip("-n", edge, "link", "add", wire, "type", "veth", "peer", "name", "wire", "netns", network);
  ip("-n", edge, "address", "add", `203.0.113.${4 * at + 1}/30`, "dev", wire);
  ip("-n", edge, "link", "set", wire, "up");
  ip("-n", network, "address", "add", `${address}/30`, "dev", "wire");
  ip("-n", network, "address", "add", `${host}/32`, "dev", "lo");
  ip("-n", network, "link", "set", "wire", "up");
  ip("-n", network, "route", "add", edgeAddress, "via", `203.0.113.${4 * at + 1}`);
  ip("-n", network, "link", "add", "gw", "type", "xfrm", "if_id", "7");
  ip("-n", network, "link", "set", "gw", "mtu", "1400", "up");
  ip("-n", network, "route", "add", "10.1.0.0/16", "dev", "gw", "src", host);
  const far = new Daemon(network);
  await far.start();
  const load = async (data: string): Promise<void> => {
    const owners = [edgeAddress, address];
    await far.ask("load-shared", { id: "azure", type: "IKE", data, owners });
  };
  await load(gatewayPsk);
  const ends = [
    { auth: "psk", id: address },
    { auth: "psk", id: edgeAddress },
  ] as const;
  await loadAzure(far, strong, ends, { name: "azure", own: address, peer: edgeAddress, ifId: 7 });
  return { name: `hub-${at + 1}`, network, address, prefix, host, far, load };
}
