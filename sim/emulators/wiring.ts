// Where the peerings of a router's ports are: on the ports themselves or on aggregates, and in
// which routing instance. The same addresses occur once more in another instance, on an interface
// that is no port.

import type { PortName } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import { peersOf, portTowards } from "./router-facts.ts";

/** The place of the peerings of a router. */
export interface Wiring {
  /** The routing instance of the peerings; absent = the default one. */
  readonly vrf?: string;
  /** Present = each port is the only member of an aggregate, which has its address. */
  readonly aggregates?: "oneMember";
}

/** The instance in which the same addresses are once more; undefined = the default one. */
export const otherInstance = ({ vrf }: Wiring): string | undefined =>
  vrf === undefined ? "OTHER" : undefined;

/** A peering of the first configuration; `number` distinguishes its aggregate and its double. */
export interface Peering {
  readonly port: PortName;
  readonly peer: string;
  /** Our address. */
  readonly own: string;
  readonly number: number;
}

export const peeringsOf = (router: Router): readonly Peering[] =>
  [...peersOf(router)].map(([port, peer], index) => {
    return { port, peer, own: peer.replace(/\d+$/, "1"), number: index + 1 };
  });

/** Returns the interface that has the address of a port; `prefix` begins names of aggregates. */
export function addressedInterface(
  router: Router,
  port: PortName,
  { aggregates }: Wiring,
  prefix: string,
): string {
  if (aggregates === undefined) return port;
  const number = peeringsOf(router).find((one) => one.port === port)?.number;
  return number === undefined ? port : `${prefix}${number}`;
}

/**
 * Returns the interface towards an address that is not on a link, in one routing instance;
 * undefined = the instance has no route. The management port is in `managed`.
 */
export function interfaceTowards(
  router: Router,
  address: string,
  instance: string | undefined,
  {
    wiring,
    management,
    managed,
    prefix,
  }: {
    readonly wiring: Wiring;
    readonly management: PortName;
    readonly managed: string | undefined;
    readonly prefix: string;
  },
): string | undefined {
  const port = portTowards(router, address, management);
  if (port === undefined) return undefined;
  const home = port === management ? managed : wiring.vrf;
  return instance === home ? addressedInterface(router, port, wiring, prefix) : undefined;
}
