// Edits of tunnels: what is refused by what is configured beside them, whatever the vendor.

import type { DeviceChange } from "#hal/device.ts";
import type { Work } from "./define-dialect.ts";
import type { Edits } from "./edits.ts";
import { failed } from "./query.ts";
import {
  type ChangedTunnel,
  planTunnels,
  type TunnelLimits,
  type TunnelPlan,
  tunnelLines,
} from "./tunnel-change.ts";
import type { TunnelConfig } from "./tunnel-config.ts";

export type Wanted = NonNullable<ChangedTunnel["after"]>;

const isOfPorts = (change: DeviceChange): boolean => change.every((part) => "port" in part);

/** `read` is asked only where the change is one of tunnels. Throws `device.*`, effect "none". */
export async function tunnelEdits<C extends TunnelConfig, T>(
  work: Work,
  limits: TunnelLimits,
  read: () => Promise<C>,
  editsOf: (changed: readonly ChangedTunnel[], config: C, device: string) => readonly T[],
): Promise<Edits<T>> {
  if (isOfPorts(work.change)) return { sent: [], lines: [] };
  const config = await read();
  const standing = new Map([...config.tunnels].map(([name, { plan }]) => [name, plan]));
  const changed = planTunnels(work.change, { work, limits, standing });
  return { sent: editsOf(changed, config, work.device), lines: tunnelLines(changed) };
}

/** What is around the tunnels, as one change after the other leaves it. */
export interface Ground<C extends TunnelConfig> {
  readonly config: C;
  readonly device: string;
  /** Of interfaces. */
  readonly numbers: Set<number>;
  readonly routes: Map<string, readonly string[]>;
}

export function groundOf<C extends TunnelConfig>(config: C, device: string): Ground<C> {
  return { config, device, numbers: new Set(config.numbers), routes: new Map(config.routes) };
}

/** The lowest from `first` on; it is taken from now on. */
export function freeNumber({ numbers }: Ground<TunnelConfig>, first: number): number {
  let number = first;
  while (numbers.has(number)) number += 1;
  numbers.add(number);
  return number;
}

/** The interface that a tunnel begins at; `where`: of which interfaces it is one. */
export function homeOf(
  { localAddress }: Wanted,
  { config, device }: Ground<TunnelConfig>,
  where: string,
): string {
  const home = config.homes.get(localAddress);
  if (home !== undefined) return home;
  throw failed("device.rejected", `no interface${where} has the address ${localAddress}`, device);
}

/** `makings`: what a tunnel is made of there. */
export function refuseNamesake(
  { name }: Wanted,
  { config, device }: Ground<TunnelConfig>,
  makings: string,
): void {
  if (config.tunnels.has(name) || !config.names.has(name)) return;
  const text = `${makings} of somebody's is called ${name} already`;
  throw failed("device.rejected", text, device);
}

export function refuseSamePair(
  { localAddress, remoteAddress }: Wanted,
  { config, device }: Ground<TunnelConfig>,
): void {
  for (const other of config.tunnels.values()) {
    if (other.plan !== undefined || other.localAddress !== localAddress) continue;
    if (other.remoteAddress !== remoteAddress) continue;
    const text = `${other.interface} of the operator's joins the same two addresses`;
    throw failed("device.rejected", text, device);
  }
}

/** Where a prefix is led now. Throws where one of them is no tunnel. */
export function hopsOf(
  prefix: string,
  { routes, device }: Ground<TunnelConfig>,
  tunnel: RegExp,
): readonly string[] {
  const hops = routes.get(prefix) ?? [];
  const strange = hops.find((hop) => !tunnel.test(hop));
  if (strange === undefined) return hops;
  const text = `a static route of the operator's leads ${prefix} to ${strange}`;
  throw failed("device.rejected", text, device);
}

/** Prefixes that the tunnel no longer protects. */
export function stalePrefixes(before: TunnelPlan | undefined, after: Wanted): readonly string[] {
  return before?.remotePrefixes.filter((one) => !after.remotePrefixes.includes(one)) ?? [];
}
