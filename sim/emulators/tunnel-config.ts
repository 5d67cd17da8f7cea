// What a face reads as tunnels in its own configuration, beside those of the simulated router.

import type { Router } from "../router/router.ts";
import { sameBytes, sameSpec, type TunnelConfig } from "../router/router-config.ts";
import type { SimTunnel } from "../router/tunnel.ts";
import type { Block } from "./line-tree.ts";
import { tunnelOf } from "./router-facts.ts";

/** The groups of IKE by their numbers. */
export const groups: Readonly<Record<string, string>> = {
  "2": "modp-1024",
  "14": "modp-2048",
  "19": "ecp-256",
  "20": "ecp-384",
  "24": "modp-2048-256",
};

/** What a vendor calls it; the word itself where the vendor has none of its own. */
export const keyFor = (words: Readonly<Record<string, string>>, word: string): string =>
  Object.entries(words).find(([, one]) => one === word)?.[0] ?? word;

/** undefined = no group, or none that has a number here. */
export const groupNumber = (word: string): string | undefined =>
  Object.keys(groups).find((number) => groups[number] === word);

export interface Bound {
  readonly interface: string;
  readonly tunnel: TunnelConfig;
}

/** By name; what a configuration has no words for stays as it was made by another way. */
export function asTheyStand(
  read: readonly Pick<Bound, "tunnel">[],
  router: Router,
): Map<string, TunnelConfig> {
  return new Map(
    read.map(({ tunnel }) => [tunnel.spec.name, unchanged(router, tunnel) ?? tunnel] as const),
  );
}

/** The tunnel as the router has it, where the configuration describes the same one. */
function unchanged(router: Router, read: TunnelConfig): TunnelConfig | undefined {
  const stands = router.running.tunnels.get(read.spec.name);
  if (stands === undefined) return undefined;
  const { localPrefixes, ifId } = read.spec;
  const remotePrefixes = stands.spec.remotePrefixes.toSorted();
  const told = { ...stands.spec, localPrefixes, ifId, remotePrefixes };
  const isSame = sameSpec(told, read.spec) && sameBytes(stands.psk, read.psk);
  return isSame ? stands : undefined;
}

/** Takes out what another way removed or changed, and puts in what it made. */
export function followTunnels(
  router: Router,
  bound: readonly Bound[],
  takeOut: (one: Bound) => void,
  putIn: (tunnel: TunnelConfig) => void,
): void {
  const kept = new Set<string>();
  for (const one of bound) {
    if (unchanged(router, one.tunnel) === undefined) takeOut(one);
    else kept.add(one.tunnel.spec.name);
  }
  for (const [name, tunnel] of router.running.tunnels) if (!kept.has(name)) putIn(tunnel);
}

/** The tunnels that run, by the interface that each is bound to. */
export function runningTunnels(
  bound: readonly Bound[],
  router: Router,
): ReadonlyMap<string, SimTunnel> {
  return new Map(
    bound.flatMap(({ interface: at, tunnel }) => {
      const runs = tunnelOf(router, tunnel.spec.name);
      return runs === undefined ? [] : [[at, runs] as const];
    }),
  );
}

/** A route into a tunnel is in use while the tunnel is up. */
export function isInUse(hop: string, running: ReadonlyMap<string, SimTunnel>): boolean {
  return !/^(?:Tunnel|st0\.)/.test(hop) || running.get(hop)?.established() === true;
}

/** The name of an interface for a tunnel that was not made by way of the face. */
export function freeInterface(root: readonly Block[]): string {
  const numbers = root.map(({ line }) => Number(/^interface Tunnel(\d+)$/.exec(line)?.[1] ?? 0));
  return `Tunnel${Math.max(1_000, ...numbers) + 1}`;
}

/** The prefixes of the routes into an interface. */
export function prefixesInto(
  routes: readonly { readonly prefix: string; readonly hop: string }[],
  at: string,
): readonly string[] {
  return routes
    .filter(({ hop }) => hop === at)
    .map(({ prefix }) => prefix)
    .toSorted();
}
