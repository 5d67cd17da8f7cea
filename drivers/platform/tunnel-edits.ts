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
export class Ground<C extends TunnelConfig> {
  readonly config: C;
  readonly device: string;
  /** Of interfaces. */
  readonly numbers: Set<number>;
  readonly routes: Map<string, readonly string[]>;

  constructor(config: C, device: string) {
    this.config = config;
    this.device = device;
    this.numbers = new Set(config.numbers);
    this.routes = new Map(config.routes);
  }

  /** The lowest from `first` on; it is taken from now on. */
  freeNumber(first: number): number {
    let number = first;
    while (this.numbers.has(number)) number += 1;
    this.numbers.add(number);
    return number;
  }

  /** The interface that a tunnel begins at; `where`: of which interfaces it is one. */
  homeOf({ localAddress }: Wanted, where: string): string {
    const home = this.config.homes.get(localAddress);
    if (home !== undefined) return home;
    throw this.refusal(`no interface${where} has the address ${localAddress}`);
  }

  /** `makings`: what a tunnel is made of there. */
  refuseNamesake({ name }: Wanted, makings: string): void {
    const { tunnels, names } = this.config;
    if (tunnels.has(name) || !names.has(name)) return;
    throw this.refusal(`${makings} of somebody's is called ${name} already`);
  }

  refuseSamePair({ localAddress, remoteAddress }: Wanted): void {
    for (const other of this.config.tunnels.values()) {
      if (other.plan !== undefined || other.localAddress !== localAddress) continue;
      if (other.remoteAddress !== remoteAddress) continue;
      throw this.refusal(`${other.interface} of the operator's joins the same two addresses`);
    }
  }

  /** Where a prefix is led now. Throws where one of them is no tunnel. */
  hopsOf(prefix: string, tunnel: RegExp): readonly string[] {
    const hops = this.routes.get(prefix) ?? [];
    const strange = hops.find((hop) => !tunnel.test(hop));
    if (strange === undefined) return hops;
    throw this.refusal(`a static route of the operator's leads ${prefix} to ${strange}`);
  }

  refusal(text: string, code: "device.rejected" | "vault.malformedKey" = "device.rejected") {
    return failed(code, text, this.device);
  }
}

/** Prefixes that the tunnel no longer protects. */
export function stalePrefixes(before: TunnelPlan | undefined, after: Wanted): readonly string[] {
  return before?.remotePrefixes.filter((one) => !after.remotePrefixes.includes(one)) ?? [];
}
