// The disk of a simulated host: it outlives the agent, tears the last write, fills up, and can lie
// about durability.

import { LinksealError } from "#hal/error.ts";
import type { Disk } from "#hal/world.ts";
import type { SimClock } from "./clock.ts";
import type { Prng } from "./prng.ts";

/** `full`: a write fails and leaves nothing. `lies`: what is written is lost by the next crash. */
export type DiskFault = "full" | "lies";

export interface SimDiskOptions {
  readonly clock: SimClock;
  readonly prng: Prng;
  /** Time until a write is durable; a crash inside it leaves any prefix. */
  readonly writeMs: number;
}

export class SimDisk implements Disk {
  readonly #options: SimDiskOptions;
  #files = new Map<string, Uint8Array>();
  #beforeLie: Map<string, Uint8Array> | undefined;
  #full = false;
  #epoch = 0;
  readonly #appending = new Set<{ readonly name: string; readonly bytes: Uint8Array }>();

  constructor(options: SimDiskOptions) {
    this.#options = options;
  }

  setFault(fault: DiskFault, on: boolean): void {
    switch (fault) {
      case "full":
        this.#full = on;
        return;
      case "lies":
        this.#beforeLie = on ? new Map(this.#files) : undefined;
        return;
    }
  }

  /** The host dies now: writes under way are torn and never answer, lies come out. */
  crash(): void {
    this.#epoch += 1;
    if (this.#beforeLie !== undefined) this.#files = new Map(this.#beforeLie);
    for (const { name, bytes } of this.#appending) {
      this.#extend(name, bytes.subarray(0, this.#options.prng.between(0, bytes.length)));
    }
    this.#appending.clear();
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const bytes = this.#files.get(name);
    return bytes === undefined ? undefined : Uint8Array.from(bytes);
  }

  async list(prefix: string): Promise<readonly string[]> {
    return [...this.#files.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    const write = { name, bytes: Uint8Array.from(bytes) };
    this.#appending.add(write);
    await this.#durable(name);
    this.#appending.delete(write);
    this.#extend(name, write.bytes);
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    const own = Uint8Array.from(bytes);
    await this.#durable(name);
    this.#files.set(name, own);
  }

  /** Everything on the disk, for the canary search. */
  contents(): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
    return [...this.#files].map(([name, bytes]) => ({ name, bytes: Uint8Array.from(bytes) }));
  }

  async #durable(name: string): Promise<void> {
    const epoch = this.#epoch;
    if (this.#options.writeMs > 0) await this.#options.clock.sleep(this.#options.writeMs);
    // The process that waits for this answer is dead; settling would run its code after its end.
    if (epoch !== this.#epoch) await new Promise<never>(() => {});
    if (!this.#full) return;
    for (const write of this.#appending) if (write.name === name) this.#appending.delete(write);
    throw new LinksealError("journal.full", "no space left on the disk; nothing was written", {
      effect: "none",
      where: name,
      next: "free space in the state folder",
    });
  }

  #extend(name: string, tail: Uint8Array): void {
    const head = this.#files.get(name) ?? new Uint8Array();
    const whole = new Uint8Array(head.length + tail.length);
    whole.set(head);
    whole.set(tail, head.length);
    this.#files.set(name, whole);
  }
}
