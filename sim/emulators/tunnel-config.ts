// Relates the tunnels that an emulator reads from its own configuration to those of the simulated
// router.

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

/** Returns the vendor's word for a value; the value itself if the vendor has no other word. */
export const keyFor = (words: Readonly<Record<string, string>>, word: string): string =>
  Object.entries(words).find(([, one]) => one === word)?.[0] ?? word;

/** Returns the number of a group; undefined for `none` or a group without a number here. */
export const groupNumber = (word: string): string | undefined =>
  Object.keys(groups).find((number) => groups[number] === word);

export interface Bound {
  readonly interface: string;
  readonly tunnel: TunnelConfig;
  /** The vendor's configuration limits the life of an SA by time alone. */
  readonly isTimed?: true;
}

/**
 * Returns the tunnels by name; properties that a vendor's configuration cannot express stay as they
 * run.
 */
export function asTheyStand(
  read: readonly Pick<Bound, "tunnel" | "isTimed">[],
  router: Router,
): Map<string, TunnelConfig> {
  return new Map(
    read.map((one) => [one.tunnel.spec.name, unchanged(router, one) ?? one.tunnel] as const),
  );
}

/** Returns the tunnel as the router has it, if the configuration describes the same one. */
function unchanged(
  router: Router,
  { tunnel: read, isTimed }: Pick<Bound, "tunnel" | "isTimed">,
): TunnelConfig | undefined {
  const stands = router.running.tunnels.get(read.spec.name);
  if (stands === undefined) return undefined;
  const { localPrefixes, ifId } = read.spec;
  const remotePrefixes = stands.spec.remotePrefixes.toSorted();
  const { kilobytes } = isTimed === true ? read.spec.life : stands.spec.life;
  const life = { ...stands.spec.life, kilobytes };
  const reported = { ...stands.spec, localPrefixes, ifId, remotePrefixes, life };
  const isSame = sameSpec(reported, read.spec) && sameBytes(stands.psk, read.psk);
  return isSame ? stands : undefined;
}

/** Removes tunnels that were removed or changed otherwise, and adds those that were made so. */
export function followTunnels(
  router: Router,
  bound: readonly Bound[],
  takeOut: (one: Bound) => void,
  putIn: (tunnel: TunnelConfig) => void,
): void {
  const kept = new Set<string>();
  for (const one of bound) {
    if (unchanged(router, one) === undefined) takeOut(one);
    else kept.add(one.tunnel.spec.name);
  }
  for (const [name, tunnel] of router.running.tunnels) if (!kept.has(name)) putIn(tunnel);
}

/** Returns the running tunnels by the interface that each is bound to. */
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

/** True unless the hop is a tunnel that is down. */
export function isInUse(hop: string, running: ReadonlyMap<string, SimTunnel>): boolean {
  return !/^(?:Tunnel|st0\.)/.test(hop) || running.get(hop)?.established() === true;
}

/** Returns a free interface name for a tunnel that was not made through the emulator. */
export function freeInterface(root: readonly Block[]): string {
  const numbers = root.map(({ line }) => Number(/^interface Tunnel(\d+)$/.exec(line)?.[1] ?? 0));
  return `Tunnel${Math.max(1_000, ...numbers) + 1}`;
}

/** Returns the prefixes of the routes into an interface. */
export function prefixesInto(
  routes: readonly { readonly prefix: string; readonly hop: string }[],
  at: string,
): readonly string[] {
  return routes
    .filter(({ hop }) => hop === at)
    .map(({ prefix }) => prefix)
    .toSorted();
}
