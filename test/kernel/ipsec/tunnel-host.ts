// The Linux driver at an edge with charon: every change is applied, proven and confirmed.

import type { Device, DeviceChange, KeyResolver } from "#hal/device.ts";
import type { IpsecTunnel } from "#hal/model.ts";
import { PacedClock } from "../host/clock.ts";
import { Host } from "../host/host.ts";
import { leaveNetworks, soon } from "../lab.ts";
import type { Daemon } from "./daemon.ts";
import { gatewayPsk, keyOf, spec } from "./site.ts";

/** The part of a site that the driver is at. */
interface Edge {
  readonly edge: string;
  readonly charon: Daemon;
  readonly far: Disposable;
}

export class TunnelHost implements AsyncDisposable {
  readonly device: Device;
  readonly #host: Host;
  readonly #site: Edge;

  private constructor(site: Edge, host: Host, device: Device) {
    this.#site = site;
    this.#host = host;
    this.device = device;
  }

  static async at(site: Edge): Promise<TunnelHost> {
    const { edge: network, charon } = site;
    const clock = new PacedClock(1);
    const host = await Host.open({ ports: [], network, clock, charon: charon.socket });
    return new TunnelHost(site, host, await host.device());
  }

  async commit(change: DeviceChange, keys: KeyResolver = keyOf(gatewayPsk)): Promise<void> {
    const transaction = await this.device.prepare(change, keys, soon());
    await transaction.apply(120_000, soon());
    await transaction.confirm(soon());
  }

  /** Returns the tunnel of the tests as it is observed now. */
  async tunnel(): Promise<IpsecTunnel | undefined> {
    const { ipsec } = await this.device.observe(soon());
    return ipsec.find(({ name }) => name === spec.name);
  }

  /** Ends the driver, both daemons and the networks. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.device[Symbol.asyncDispose]();
    await this.#host[Symbol.asyncDispose]();
    for (const daemon of [this.#site.charon, this.#site.far]) daemon[Symbol.dispose]();
    leaveNetworks();
  }
}
