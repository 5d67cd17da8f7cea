// Commits on devices that save apart from a commit. Each is in the journal until its device has
// saved it: a process that ends in between leaves a change that is in force, that every observation
// shows, and that a boot takes back.

import { withDeadline } from "#hal/deadline.ts";
import type { Device, DeviceChange, TrafficMove, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { World } from "#hal/world.ts";
import {
  type JournalRecord,
  type Memory,
  named,
  type UnsavedCommit,
} from "../../store/journal/memory.ts";
import type { DeviceCache } from "./device-cache.ts";
import { Retries } from "./retries.ts";

interface UnsavedCommitsParts {
  readonly world: Pick<World, "clock" | "entropy" | "log">;
  readonly deviceCache: () => Pick<DeviceCache, "device" | "failure" | "state">;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  /** True while the journal is not whole: observe, and write nothing. */
  readonly readOnly: () => boolean;
}

const completeMsMax = 60_000;

/** Records the commits on all devices, and completes those that are left. */
export class UnsavedCommits {
  readonly #parts: UnsavedCommitsParts;
  readonly #retries: Retries;
  /** Tokens of the commits that this process makes now. */
  readonly #running = new Set<string>();

  constructor(parts: UnsavedCommitsParts) {
    this.#parts = parts;
    this.#retries = new Retries(parts.world);
  }

  /** Returns the device with its commits recorded; one that saves by itself stays as it is. */
  readonly watch = (device: Device): Device => {
    if (device.complete === undefined) return device;
    return {
      ...device,
      prepare: async (change, keys, signal) =>
        this.#recorded(device.id, change, await device.prepare(change, keys, signal)),
      recall: async (token, signal) => {
        const recalled = await device.recall(token, signal);
        if (recalled.kind !== "pending") return recalled;
        // A change that waited has exchanged its routes before.
        const transaction = this.#recorded(device.id, [], recalled.transaction);
        return { ...recalled, transaction };
      },
    };
  };

  /** The commits on a device that are not known to be saved, but for those under way. */
  left(device: string): readonly UnsavedCommit[] {
    return this.#known(device).filter(({ token }) => !this.#running.has(token));
  }

  /** The error of the last try to save what a device has in force; undefined = none is known. */
  failure(device: string): LinksealError | undefined {
    return this.#retries.failure(device);
  }

  /**
   * Completes the commits on a device that are not known to be saved, once it was observed. A
   * failure is logged, and a later turn tries again.
   */
  async turn(device: string, signal: AbortSignal): Promise<void> {
    const deviceCache = this.#parts.deviceCache();
    const left = this.left(device);
    if (left.length === 0) this.#retries.succeeded(device);
    const isAnswering =
      deviceCache.state(device) !== undefined && deviceCache.failure(device) === undefined;
    if (left.length === 0 || !isAnswering || this.#parts.readOnly()) return;
    if (this.#retries.isWaiting(device)) return;
    const { world, write } = this.#parts;
    const limit = { ms: completeMsMax, where: device, effect: "unknown" } as const;
    try {
      await withDeadline(world.clock, limit, signal, async (bounded) => {
        const opened = await deviceCache.device(device, bounded);
        const moves = left.flatMap((commit) => commit.moves);
        await opened.complete?.(moves, bounded);
      });
      for (const { token } of left) await write({ kind: "saved", device, token });
      this.#retries.succeeded(device);
      world.log.write("info", "commit-saved", "a change in force was saved", { device });
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#retries.failed(device, error);
      world.log.write("warn", error.code, `a change is not saved: ${error.message}`, { device });
    }
  }

  #known(device: string): readonly UnsavedCommit[] {
    return named(this.#parts.memory().unsaved, device) ?? [];
  }

  #recorded(device: string, change: DeviceChange, transaction: Transaction): Transaction {
    const { token } = transaction;
    const recorded = (moves: readonly TrafficMove[], act: () => Promise<void>): Promise<void> =>
      this.#record(device, { token, since: this.#parts.world.clock.wall(), moves }, act);
    return {
      ...transaction,
      apply: (within, signal) =>
        within === "final"
          ? recorded(change.filter(isMove), () => transaction.apply(within, signal))
          : transaction.apply(within, signal),
      confirm: (signal) => recorded([], () => transaction.confirm(signal)),
    };
  }

  async #record(device: string, commit: UnsavedCommit, act: () => Promise<void>): Promise<void> {
    const { token } = commit;
    const isRepeated = this.#known(device).some((one) => one.token === token);
    this.#running.add(token);
    try {
      if (!isRepeated) await this.#note({ kind: "unsaved", device, commit });
      await act();
      await this.#note({ kind: "saved", device, token });
    } catch (error) {
      const isUndone = error instanceof LinksealError && error.effect === "none";
      if (isUndone && !isRepeated) await this.#note({ kind: "saved", device, token });
      throw error;
    } finally {
      this.#running.delete(token);
    }
  }

  /** A full disk keeps no traffic from being given back, where this record alone is needed. */
  async #note(record: JournalRecord): Promise<void> {
    try {
      await this.#parts.write(record);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const where = "device" in record ? { device: record.device } : {};
      this.#parts.world.log.write("warn", error.code, error.message, where);
    }
  }
}

function isMove(part: DeviceChange[number]): part is TrafficMove {
  return part.kind === "port.drain" || part.kind === "port.restore";
}
