// The facts that the answers of every vendor are made of, from the state of the simulated router.

import type { IpsecSa, MacsecPort, PortName, Reading } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import type { SimTunnel } from "../router/tunnel.ts";

export type Json = Readonly<Record<string, unknown>>;

export const localAs = "64512";

/** The addresses at which the router's tunnels end, whatever links are up. */
export const outerAddresses = ["198.51.100.1", "198.51.100.2"];

export const known = <T>(reading: Reading<T> | undefined): T | undefined =>
  reading?.kind === "known" ? reading.value : undefined;

export const hasIpsec = ({ options }: Router): boolean => options.capabilities.ipsec !== undefined;

/** Returns the far end's address on each port, as the router peers with it. */
export function peersOf(router: Router): ReadonlyMap<PortName, string> {
  const sessions = known(router.state().routing)?.sessions ?? [];
  return new Map(sessions.map(({ port, peer }) => [port, peer]));
}

export function portWith(router: Router, peer: string): PortName | undefined {
  return [...peersOf(router)].find(([, address]) => address === peer)?.[0];
}

export const portsOf = (router: Router): readonly MacsecPort[] => router.state().macsec;

/** Returns the ports with MACsec; the others have nothing to report about it. */
export const protectedPorts = (router: Router): readonly MacsecPort[] =>
  portsOf(router).filter(({ settings }) => known(settings) !== undefined);

export const protectedPort = (router: Router, name: PortName): MacsecPort | undefined =>
  protectedPorts(router).find(({ port }) => port === name);

/** Returns the port towards an address that is not on a link; undefined if there is no route. */
export function portTowards(
  { managementRoutes: ways }: Router,
  address: string,
  management: PortName,
): PortName | undefined {
  return ways.has(address) ? ways.get(address) : management;
}

const probeBytes = 100;

/** Returns the number of echo requests out of a port that are answered. */
export function answeredProbes(router: Router, name: PortName | undefined, count: number): number {
  const fibre = name === undefined ? undefined : router.port(name)?.fibre;
  const arrived = fibre?.inject("a", count, probeBytes).delivered ?? 0;
  return arrived > 0 ? (fibre?.inject("b", arrived, probeBytes).delivered ?? 0) : 0;
}

/** Returns the loss in percent, rounded as most routers do. */
export const lossOf = (count: number, answered: number): number =>
  count === 0 ? 0 : Math.round(((count - answered) / count) * 100);

/**
 * Returns the form in which a router prints something that devices print in several. A router keeps
 * its form, and the seed of the site decides which one that is.
 */
export const formOf = <T>({ options }: Router, what: string, forms: readonly T[]): T =>
  options.prng.fork(`form-${what}`).pick(forms);

/** Returns member identifiers in the form of a peer's: letters, and a number at the end. */
export const memberIds = (count: number, letter: string): readonly string[] =>
  Array.from({ length: count }, (_, index) => String(index + 1).padStart(24, letter));

export const tunnelOf = (router: Router, name: string): SimTunnel | undefined =>
  router.tunnels().find(({ spec }) => spec.name === name);

/** Returns the SAs that a router still reports. */
export const sasOf = (tunnel: SimTunnel): readonly IpsecSa[] =>
  (known(tunnel.read().sas) ?? []).filter(({ phase }) => phase !== "deleting");
