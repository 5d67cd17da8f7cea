// A Linux host on a simulated kernel and a disk that outlives linkseal-net and the boots.

import { NetControlServer } from "#drivers/linux/net/control-server.ts";
import type { NetOperation } from "#drivers/linux/net/operation.ts";
import { readStoredLinks } from "#drivers/linux/net/tunnel-links.ts";
import type { TunnelLink } from "#drivers/linux/net/tunnel-operation.ts";
import type { TransactionToken } from "#hal/device.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { PretendSocket } from "../../../kit/netlink-kit.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { TunnelKernel } from "../../../kit/tunnel-kernel.ts";

export const carry = (
  name: string,
  ifId: number,
  prefixes: readonly string[],
  over: Partial<TunnelLink> = {},
): NetOperation => ({ kind: "ipsec.carry", link: { name, ifId, mtu: 1400, prefixes, ...over } });

export class NetHost {
  readonly clock = new SimClock(wallStart);
  readonly kernel = new TunnelKernel();
  readonly disk = new SimDisk({ clock: this.clock, prng: new Prng("host"), writeMs: 0 });
  readonly log: string[] = [];
  #boot = 1;
  #server: NetControlServer | undefined;
  #entropy = new Prng("net");

  get server(): NetControlServer {
    if (this.#server === undefined) throw new Error("linkseal-net does not run");
    return this.#server;
  }

  /** Starts linkseal-net in place of the one before; one that dies in the start does not end it. */
  async start(): Promise<void> {
    this.#server?.close();
    this.#server = undefined;
    const { clock, disk, kernel } = this;
    const generic = new PretendSocket();
    generic.refusal = { name: "ENOENT", text: undefined };
    const log = {
      write: (level: string, code: string, text: string): void => {
        this.log.push(`${level} ${code}: ${text}`);
      },
    };
    void NetControlServer.open({
      world: { clock, disk, entropy: this.#entropy, log },
      bootId: `boot-${this.#boot}`,
      sockets: { routes: kernel.socket("route"), xfrm: kernel.socket("xfrm"), generic },
    }).then((server) => {
      this.#server = server;
    });
    await clock.runFor(100, () => this.#server !== undefined);
  }

  /** Boots the host: the kernel comes up with these links alone, and `setUp` comes before us. */
  async boot(
    links: TunnelKernel["links"] = [],
    setUp?: (host: NetHost) => Promise<void>,
  ): Promise<void> {
    this.#boot += 1;
    const { kernel } = this;
    Object.assign(kernel, { links: [...links], routes: [], addresses: [], policies: [], sas: [] });
    await setUp?.(this);
    await this.start();
  }

  /** Applies a change that waits for its confirmation for a minute. */
  async apply(...change: readonly NetOperation[]): Promise<TransactionToken> {
    const { token } = await settled(this.clock, this.server.prepare(change, never));
    await settled(this.clock, this.server.apply(token, 60_000, never));
    return token;
  }

  async commit(...change: readonly NetOperation[]): Promise<void> {
    await settled(this.clock, this.server.confirm(await this.apply(...change)));
  }

  async storedLinks(): Promise<readonly TunnelLink[]> {
    const read = readStoredLinks(this.disk, { write: () => undefined });
    return (await settled(this.clock, read)).links;
  }

  /** The links of the kernel, in the order of their names. */
  get names(): readonly string[] {
    return this.kernel.links.map(({ name = "" }) => name).toSorted();
  }
}
