// A Linux host with charon as its driver sees it: linkseal-net on a simulated kernel, and a
// simulated charon whose SAs are in that kernel.

import { fillCommand } from "#drivers/index.ts";
import { linux } from "#drivers/linux/driver/linux.ts";
import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import { answerNet } from "#drivers/linux/net/requests.ts";
import type { Device, DeviceChange, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, IpsecTunnel } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { Dialer, World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { PretendCharon, tunnelSpec } from "./charon-kit.ts";
import { PretendSocket } from "./netlink-kit.ts";
import { never, settled, wallStart } from "./site-bench.ts";
import { TunnelKernel } from "./tunnel-kernel.ts";

const unreachable = (): LinksealError =>
  new LinksealError("transport.unreachable", "it is not there", {
    ...{ effect: "none", where: "charon", next: "look" },
  });

export class TunnelBench {
  readonly clock = new SimClock(wallStart);
  readonly kernel = new TunnelKernel();
  readonly charon = new PretendCharon(this.kernel);
  readonly notifications: number[] = [];
  /** Secrets that were passed out so far, wiped or not. */
  readonly psks: Secret[] = [];
  /** The key in the vault. */
  psk = "Azure_PSK+0123456789";
  bootId = "boot-1";
  server: NetControlServer | undefined;
  device: Device | undefined;

  static async open(): Promise<TunnelBench> {
    const bench = new TunnelBench();
    await bench.restart();
    return bench;
  }

  /** Restarts agent and linkseal-net, on the same disk and kernel. */
  async restart(): Promise<void> {
    await this.device?.[Symbol.asyncDispose]();
    this.server?.close();
    const { clock, kernel } = this;
    const refusing = new PretendSocket();
    refusing.refusal = { name: "ENOENT", text: undefined };
    const sockets = {
      ...{ routes: kernel.socket("route"), xfrm: kernel.socket("xfrm"), generic: refusing },
    };
    const world = { clock, disk: this.disk, entropy: this.#prng, log: { write: () => undefined } };
    this.server = await settled(
      clock,
      NetControlServer.open({ world, bootId: this.bootId, sockets }),
    );
    const agent: World = { ...world, dial: this.#dialer() };
    const target = { device: "edge", address: "unix:/run/net.sock", charon: "/run/charon.vici" };
    const onChange = (): void => void this.notifications.push(clock.now());
    this.device = await settled(clock, linux.open(target, agent, onChange, never));
  }

  readonly #prng = new Prng("tunnels");
  readonly disk = new SimDisk({ clock: this.clock, prng: new Prng("disk"), writeMs: 0 });

  #dialer(): Dialer {
    return {
      http: async ({ method, path, body }, signal) => {
        const { server } = this;
        if (server === undefined) throw unreachable();
        const text = new TextDecoder().decode(fillCommand(body ?? []));
        const answer = await answerNet(server, { method, path, body: text }, signal);
        return { status: answer.status, headers: {}, body: Buffer.from(answer.body) };
      },
      routeTo: async () => undefined,
      resolve: async () => [],
      exec: () => Promise.reject(unreachable()),
      framed: () => Promise.reject(unreachable()),
      channel: () => Promise.reject(unreachable()),
      snmp: () => Promise.reject(unreachable()),
      stream: async (path, signal) => {
        if (this.charon.away) throw unreachable();
        return await this.charon.face(this.clock).stream(path, signal);
      },
    };
  }

  prepare(change: DeviceChange): Promise<Transaction> {
    const keys = async (): Promise<Secret> => {
      const psk = Secret.take("psk", new TextEncoder().encode(this.psk));
      this.psks.push(psk);
      return psk;
    };
    return settled(this.clock, this.#open().prepare(change, keys, never));
  }

  async commit(...change: DeviceChange): Promise<void> {
    const transaction = await this.prepare(change);
    await settled(this.clock, transaction.apply(120_000, never));
    await settled(this.clock, transaction.confirm(never));
  }

  put(spec = tunnelSpec): Promise<void> {
    return this.commit({ kind: "ipsec.putTunnel", tunnel: spec });
  }

  observe(): Promise<DeviceState> {
    return settled(this.clock, this.#open().observe(never));
  }

  async tunnel(): Promise<IpsecTunnel | undefined> {
    return (await this.observe()).ipsec.find(({ name }) => name === tunnelSpec.name);
  }

  #open(): Device {
    if (this.device === undefined) throw new Error("it is not open");
    return this.device;
  }
}
