// Edits of tunnels, and what the configuration beside them forbids, whatever the vendor.

import type { DeviceChange } from "#hal/device.ts";
import type { Work } from "./define-dialect.ts";
import { failed } from "./query.ts";
import type { RenderedChange } from "./renderer.ts";
import {
  type ChangedTunnel,
  planTunnels,
  type TunnelLimits,
  type TunnelPlan,
  tunnelLines,
} from "./tunnel-change.ts";
import type { TunnelConfig } from "./tunnel-config.ts";

/** A tunnel as it is to be, with its PSK. */
export type Wanted = NonNullable<ChangedTunnel["after"]>;

const isOfPorts = (change: DeviceChange): boolean =>
  change.every((operation) => "port" in operation);

/**
 * Returns the edits of tunnels; `read` is called only if the change concerns tunnels.
 * @throws LinksealError `device.*`, with effect "none".
 */
export async function renderTunnels<C extends TunnelConfig, T>(
  work: Work,
  limits: TunnelLimits,
  read: () => Promise<C>,
  render: (changed: readonly ChangedTunnel[], config: C, device: string) => readonly T[],
): Promise<RenderedChange<T>> {
  if (isOfPorts(work.change)) return { sent: [], lines: [] };
  const config = await read();
  const standing = new Map([...config.tunnels].map(([name, { plan }]) => [name, plan]));
  const changed = planTunnels(work.change, { work, limits, standing });
  const left = work.change.flatMap((operation) =>
    operation.kind === "ipsec.removeTunnel" && config.remains?.has(operation.name) === true
      ? [{ name: operation.name, before: undefined, after: undefined }]
      : [],
  );
  const sent = render([...changed, ...left], config, work.device);
  return { sent, lines: tunnelLines(changed) };
}

/** The configuration around the tunnels, as each change in turn leaves it. */
export class Ground<C extends TunnelConfig> {
  readonly config: C;
  readonly device: string;
  /** Numbers of tunnel interfaces in use. */
  readonly numbers: Set<number>;
  readonly routes: Map<string, readonly string[]>;

  constructor(config: C, device: string) {
    this.config = config;
    this.device = device;
    this.numbers = new Set(config.numbers);
    this.routes = new Map(config.routes);
  }

  /** Returns the lowest free number from `first` on, and marks it as used. */
  freeNumber(first: number): number {
    let number = first;
    while (this.numbers.has(number)) number += 1;
    this.numbers.add(number);
    return number;
  }

  /**
   * Returns the interface with the tunnel's outer address; `where` says among which interfaces.
   * @throws LinksealError `device.rejected`, with effect "none".
   */
  homeOf({ localAddress }: Wanted, where: string): string {
    const home = this.config.homes.get(localAddress);
    if (home !== undefined) return home;
    throw this.refusal(`no interface${where} has the address ${localAddress}`);
  }

  /**
   * Refuses a name that objects of the operator have; `makings` names the kind of object.
   * @throws LinksealError `device.rejected`, with effect "none".
   */
  refuseNamesake({ name }: Wanted, makings: string): void {
    const { tunnels, names } = this.config;
    if (tunnels.has(name) || !names.has(name)) return;
    throw this.refusal(`${makings} of the operator's is called ${name} already`);
  }

  /**
   * Refuses addresses that a tunnel of the operator already joins.
   * @throws LinksealError `device.rejected`, with effect "none".
   */
  refuseSamePair({ localAddress, remoteAddress }: Wanted): void {
    for (const other of this.config.tunnels.values()) {
      if (other.plan !== undefined || other.localAddress !== localAddress) continue;
      if (other.remoteAddress !== remoteAddress) continue;
      throw this.refusal(`${other.interface} of the operator's joins the same two addresses`);
    }
  }

  /**
   * Returns the next hops of a prefix.
   * @throws LinksealError `device.rejected`, with effect "none", if one of them is not a tunnel.
   */
  hopsOf(prefix: string, tunnel: RegExp): readonly string[] {
    const hops = this.routes.get(prefix) ?? [];
    const strange = hops.find((hop) => !tunnel.test(hop));
    if (strange === undefined) return hops;
    throw this.refusal(`a static route of the operator's leads ${prefix} to ${strange}`);
  }

  /** Returns an error for this device, with effect "none". */
  refusal(text: string, code: "device.rejected" | "vault.malformedKey" = "device.rejected") {
    return failed(code, text, this.device);
  }
}

/** Returns prefixes that the tunnel no longer protects. */
export function stalePrefixes(before: TunnelPlan | undefined, after: Wanted): readonly string[] {
  return before?.remotePrefixes.filter((one) => !after.remotePrefixes.includes(one)) ?? [];
}
