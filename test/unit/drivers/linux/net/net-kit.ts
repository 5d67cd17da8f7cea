// The changes of linkseal-net on a simulated kernel and a disk that outlives it.

import { Commits } from "#drivers/linux/net/commits.ts";
import type { NetChange, NetOperation } from "#drivers/linux/net/operation.ts";
import { stateName } from "#drivers/linux/net/stored-state.ts";
import type { TransactionToken } from "#hal/device.ts";
import type { PortName } from "#hal/model.ts";
import { SimClock } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { PretendKernel } from "./net-kernel.ts";

export const hour = 3_600_000;

export class NetBench {
  readonly clock = new SimClock(wallStart);
  readonly disk = new SimDisk({ clock: this.clock, prng: new Prng("net"), writeMs: 0 });
  readonly kernel: PretendKernel;
  readonly log: string[] = [];
  #lives = 0;

  constructor(ports: readonly PortName[] = ["p1", "p2"]) {
    this.kernel = new PretendKernel(this.clock, ports);
  }

  /** Starts a process on the same disk and kernel. */
  life(bootId = "boot-1"): Promise<Commits> {
    this.#lives += 1;
    const log = {
      write: (level: string, code: string, text: string): void => {
        this.log.push(`${level} ${code}: ${text}`);
      },
    };
    const { clock, disk, kernel } = this;
    const entropy = new Prng(`life ${this.#lives}`);
    return Commits.open({
      world: { clock, disk, entropy, log },
      bootId,
      applier: kernel.applier(),
    });
  }

  settled<T>(promise: Promise<T>): Promise<T> {
    return settled(this.clock, promise);
  }

  /** Prepares and applies a change. */
  async applied(
    commits: Commits,
    change: NetChange,
    within: number | "final",
  ): Promise<TransactionToken> {
    const token = commits.prepare(change, "preview");
    await this.settled(commits.apply(token, within, never));
    return token;
  }

  async write(content: string | Uint8Array): Promise<void> {
    const octets = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await this.disk.replace(stateName, octets);
  }

  /** Reads the state that a successor would read. */
  async stored(): Promise<{ readonly pending?: { readonly undo: readonly NetOperation[] } }> {
    const octets = await this.disk.read(stateName);
    return octets === undefined ? {} : JSON.parse(new TextDecoder().decode(octets));
  }
}
