// The disk of a simulated host: it outlives the agent, tears the last write, fills up, and can lose
// writes that it has acknowledged.

import { LinksealError } from "#hal/error.ts";
import type { Disk } from "#hal/world.ts";
import type { SimClock } from "./clock.ts";
import type { Prng } from "./prng.ts";

/**
 * `full` and `readOnly`: a write fails and leaves nothing. `lies`: the next crash loses everything
 * written since. `slow`: a write takes seconds.
 */
export type DiskFault = "full" | "readOnly" | "lies" | "slow";

/** The errno(3) of a write, as the kernel's file systems return it. */
const refusals = { full: "ENOSPC", readOnly: "EROFS" } as const;

const slowMs = 4_000;

export interface SimDiskOptions {
  readonly clock: SimClock;
  readonly prng: Prng;
  /** The time until a write is durable, in milliseconds; a crash during it leaves any prefix. */
  readonly writeMs: number;
}

/** A file is the first `length` octets of `room`; the octets behind them have no meaning. */
interface File {
  readonly room: Uint8Array;
  readonly length: number;
}

const contentOf = ({ room, length }: File): Uint8Array => room.slice(0, length);

/** A disk in memory, on virtual time. */
export class SimDisk implements Disk {
  readonly #options: SimDiskOptions;
  #files = new Map<string, File>();
  #beforeLie: Map<string, File> | undefined;
  #refusal: (typeof refusals)[keyof typeof refusals] | undefined;
  #slow = false;
  #epoch = 0;
  readonly #appending = new Set<{ readonly name: string; readonly bytes: Uint8Array }>();

  constructor(options: SimDiskOptions) {
    this.#options = options;
  }

  /** Sets or clears a fault. */
  setFault(fault: DiskFault, on: boolean): void {
    switch (fault) {
      case "full":
      case "readOnly":
        this.#refusal = on ? refusals[fault] : undefined;
        return;
      case "slow":
        this.#slow = on;
        return;
      case "lies":
        this.#beforeLie = on ? new Map(this.#files) : undefined;
        return;
    }
  }

  /**
   * Crashes the host: writes under way are torn and never answer. True if acknowledged writes were
   * lost.
   */
  crash(): boolean {
    this.#epoch += 1;
    const lied = this.#beforeLie !== undefined;
    if (this.#beforeLie !== undefined) this.#files = new Map(this.#beforeLie);
    for (const { name, bytes } of this.#appending) {
      this.#extend(name, bytes.subarray(0, this.#options.prng.between(0, bytes.length)));
    }
    this.#appending.clear();
    return lied;
  }

  /** Returns the content of a file; undefined if there is none. */
  async read(name: string): Promise<Uint8Array | undefined> {
    const stored = this.#files.get(name);
    return stored === undefined ? undefined : contentOf(stored);
  }

  /** Returns the sorted names that begin with `prefix`. */
  async list(prefix: string): Promise<readonly string[]> {
    return [...this.#files.keys()].filter((name) => name.startsWith(prefix)).sort();
  }

  /**
   * Appends to a file; resolves once it is durable.
   * @throws LinksealError `journal.full` if the disk is full or read-only.
   */
  async append(name: string, bytes: Uint8Array): Promise<void> {
    const write = { name, bytes: Uint8Array.from(bytes) };
    this.#appending.add(write);
    await this.#durable(name);
    this.#appending.delete(write);
    this.#extend(name, write.bytes);
  }

  /**
   * Replaces a file as a whole; resolves once it is durable.
   * @throws LinksealError `journal.full` if the disk is full or read-only.
   */
  async replace(name: string, bytes: Uint8Array): Promise<void> {
    const own = Uint8Array.from(bytes);
    await this.#durable(name);
    this.#files.set(name, { room: own, length: own.length });
  }

  /** Returns everything on the disk, for the canary search. */
  contents(): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
    return [...this.#files].map(([name, stored]) => ({ name, bytes: contentOf(stored) }));
  }

  async #durable(name: string): Promise<void> {
    const epoch = this.#epoch;
    const { clock, writeMs } = this.#options;
    const ms = this.#slow ? slowMs : writeMs;
    if (ms > 0) await clock.sleep(ms);
    // The process that waits for this answer is dead; settling would run its code after its end.
    if (epoch !== this.#epoch) await new Promise<never>(() => {});
    const code = this.#refusal;
    if (code === undefined) return;
    for (const write of this.#appending) if (write.name === name) this.#appending.delete(write);
    throw new LinksealError("journal.full", `${name} cannot be written (${code})`, {
      effect: "none",
      where: name,
      next: "mend the simulated disk",
      cause: Object.assign(new Error(code), { code }),
    });
  }

  // The room doubles each time, or a long journal would be copied whole for every record.
  #extend(name: string, tail: Uint8Array): void {
    const head = this.#files.get(name) ?? { room: new Uint8Array(), length: 0 };
    const length = head.length + tail.length;
    const fits = length <= head.room.length;
    const room = fits ? head.room : new Uint8Array(2 * length);
    if (!fits) room.set(head.room.subarray(0, head.length));
    room.set(tail, head.length);
    this.#files.set(name, { room, length });
  }
}
