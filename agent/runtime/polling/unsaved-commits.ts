// Commits on devices that save apart from a commit. Each is in the journal until its device has
// saved it and was seen with it in force after that: a process that ends in between leaves a change
// that every observation shows, and that a reload takes back. What a reload took back stays in the
// journal until it is in force again.

import { withDeadline } from "#hal/deadline.ts";
import type { Device, DeviceChange, TrafficMove, Transaction } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { Instant, World } from "#hal/world.ts";
import { isInForce, lastingParts, partText, standing } from "../../health/in-force.ts";
import { type Desired, linkId } from "../../model/desired.ts";
import { isoTime } from "../../model/iso-time.ts";
import {
  type CommitPart,
  type JournalRecord,
  type Memory,
  named,
  openCampaign,
  type UnsavedCommit,
} from "../../store/journal/memory.ts";
import type { DeviceCache } from "./device-cache.ts";
import { Retries } from "./retries.ts";

interface UnsavedCommitsParts {
  readonly world: Pick<World, "clock" | "entropy" | "log">;
  readonly desired: Pick<Desired, "groups">;
  readonly deviceCache: () => Pick<DeviceCache, "device" | "failure" | "state">;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  /** True while the journal is not whole: observe, and write nothing. */
  readonly readOnly: () => boolean;
}

const completeMsMax = 60_000;
const preparedMax = 64;

/** Whether an observation shows all parts of a commit in force; `unknown` = it does not say. */
type Shown = "whole" | "other" | "unknown";

/** Records the commits on all devices, and completes those that are left. */
export class UnsavedCommits {
  readonly #parts: UnsavedCommitsParts;
  readonly #retries: Retries;
  /** Tokens of the commits that this process makes now. */
  readonly #running = new Set<string>();
  /** When the device answered that it has saved a commit, by token; a later look must show it. */
  readonly #answered = new Map<string, { readonly at: Instant; readonly by: "commit" | "turn" }>();
  /** What the last transactions do, by token: a session that recalls one does not know it. */
  readonly #prepared = new Map<string, readonly CommitPart[]>();
  /** An observation of before may be older than a commit of an earlier set of loops. */
  readonly #begun: Instant;

  constructor(parts: UnsavedCommitsParts) {
    this.#parts = parts;
    this.#retries = new Retries(parts.world);
    this.#begun = parts.world.clock.now();
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
        const transaction = this.#recorded(device.id, undefined, recalled.transaction);
        return { ...recalled, transaction };
      },
    };
  };

  /** The commits on a device that it is not known to have saved, but for those under way. */
  left(device: string): readonly UnsavedCommit[] {
    return this.#known(device).filter(
      ({ token, gone }) =>
        gone === undefined && !this.#running.has(token) && !this.#answered.has(token),
    );
  }

  /** The error of the last try to save what a device has in force; undefined = none is known. */
  failure(device: string): LinksealError | undefined {
    return this.#retries.failure(device);
  }

  /**
   * Compares the commits on a device that are not known to be saved with what was observed last:
   * notes which of them a reload took back, and completes the others. A failure is logged, and a
   * later turn tries again.
   */
  async turn(device: string, signal: AbortSignal): Promise<void> {
    const deviceCache = this.#parts.deviceCache();
    const state = deviceCache.state(device);
    if (this.left(device).length === 0) this.#retries.succeeded(device);
    const isAnswering = state !== undefined && deviceCache.failure(device) === undefined;
    if (!isAnswering || state.at < this.#begun || this.#parts.readOnly()) return;
    if (this.#known(device).length === 0) return;
    try {
      const isSettled = await this.#judge(device, state);
      if (isSettled) await this.#complete(device, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#retries.failed(device, error);
      const { log } = this.#parts.world;
      log.write("warn", error.code, `a change is not saved: ${error.message}`, { device });
    }
  }

  /** Returns false while it is not known what a reload took back: nothing is saved before that. */
  async #judge(device: string, state: DeviceState): Promise<boolean> {
    const boot = strongValue(state.control)?.bootId;
    const judged = standing(this.#known(device)).filter(({ token }) => {
      const answered = this.#answered.get(token);
      return !this.#running.has(token) && (answered === undefined || answered.at < state.at);
    });
    let isSettled = true;
    for (const commit of judged) {
      if (commit.gone !== undefined) await this.#keepMissing(device, commit, state);
      else if (commit.boot === undefined || commit.boot === boot) {
        await this.#endAnswered(device, commit, state);
      } else if (boot === undefined) isSettled = false;
      else isSettled = (await this.#afterReload(device, commit, state)) && isSettled;
    }
    return isSettled;
  }

  async #endAnswered(device: string, commit: UnsavedCommit, state: DeviceState): Promise<void> {
    const { token } = commit;
    const answered = this.#answered.get(token);
    if (answered === undefined) return;
    await this.#end(device, token);
    if (answered.by === "commit" || shownOf(commit, state) !== "whole") return;
    this.#parts.world.log.write("info", "commit-saved", "a change in force was saved", { device });
  }

  async #afterReload(device: string, commit: UnsavedCommit, state: DeviceState): Promise<boolean> {
    // Later commits of ours decide what it did, or no port shows it: there is nothing to save.
    if ((commit.parts ?? []).length === 0) {
      await this.#end(device, commit.token);
      return true;
    }
    switch (shownOf(commit, state)) {
      case "whole":
        await this.#endAnswered(device, commit, state);
        return true;
      case "unknown":
        return false;
      case "other": {
        const { clock, log } = this.#parts.world;
        const taken = { ...commit, parts: missing(commit, state), gone: clock.wall() };
        const text = `what linkseal did at ${isoTime(commit.since)} is not in force`;
        const what = taken.parts.map((part) => `${part.port}: ${partText(part)}`).join("; ");
        const after = `since ${device} was reloaded, ${text}${what === "" ? "" : `: ${what}`}`;
        log.write("warn", "reload-took-back", after, { device });
        await this.#parts.write({ kind: "unsaved", device, commit: taken });
        this.#answered.delete(commit.token);
        await this.#keepMissing(device, taken, state);
        return true;
      }
    }
  }

  /** Keeps what a reload took back, and what is still to be put back, by us or by a campaign. */
  async #keepMissing(device: string, commit: UnsavedCommit, state: DeviceState): Promise<void> {
    // With parts that a later commit of ours has replaced, which are not wanted again after it.
    const noted = this.#known(device).find(({ token }) => token === commit.token)?.parts ?? [];
    const kept = missing(commit, state).filter((part) => this.#isWanted(device, part));
    if (kept.length === 0) await this.#end(device, commit.token);
    else if (kept.length < noted.length) {
      await this.#parts.write({ kind: "unsaved", device, commit: { ...commit, parts: kept } });
    }
  }

  /** A running campaign does again what it needs, and its end decides what is still wanted. */
  #isWanted(device: string, part: CommitPart): boolean {
    const { desired, memory } = this.#parts;
    const link = desired.groups
      .flatMap(({ links }) => links)
      .find((one) => one.device === device && one.port === part.port);
    if (link === undefined) return false;
    if (openCampaign(memory(), link.group) !== undefined) return true;
    const key = named(memory().bindings, linkId(link))?.key;
    switch (part.kind) {
      case "macsec.addKey":
      case "macsec.replaceKey":
        return key?.ckn === part.key.ckn;
      case "macsec.promoteKey":
        return key?.ckn === part.ckn;
      case "macsec.removeKey":
        return key !== undefined && key.ckn !== part.ckn;
      case "port.restore":
        return true;
      // Drift and the verdict show these; a drain that is over is what every campaign ends with.
      case "port.drain":
      case "port.shut":
      case "port.open":
      case "macsec.protect":
        return false;
    }
  }

  async #complete(device: string, signal: AbortSignal): Promise<void> {
    const left = this.left(device);
    if (left.length === 0 || this.#retries.isWaiting(device)) return;
    const { world, deviceCache } = this.#parts;
    const limit = { ms: completeMsMax, where: device, effect: "unknown" } as const;
    await withDeadline(world.clock, limit, signal, async (bounded) => {
      const opened = await deviceCache().device(device, bounded);
      const moves = left.flatMap((commit) => commit.moves);
      await opened.complete?.(moves, bounded);
    });
    for (const { token } of left) this.#answer(token, "turn");
    this.#retries.succeeded(device);
  }

  #answer(token: string, by: "commit" | "turn"): void {
    this.#answered.set(token, { at: this.#parts.world.clock.now(), by });
  }

  async #end(device: string, token: string): Promise<void> {
    await this.#parts.write({ kind: "saved", device, token });
    this.#answered.delete(token);
  }

  #known(device: string): readonly UnsavedCommit[] {
    return named(this.#parts.memory().unsaved, device) ?? [];
  }

  /** `change`: undefined = it is not known what the transaction does. */
  #recorded(
    device: string,
    change: DeviceChange | undefined,
    transaction: Transaction,
  ): Transaction {
    const { token } = transaction;
    if (change !== undefined) this.#prepared.set(token, lastingParts(change));
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size > preparedMax && oldest !== undefined) this.#prepared.delete(oldest);
    const recorded = (moves: readonly TrafficMove[], act: () => Promise<void>): Promise<void> => {
      const { clock } = this.#parts.world;
      const state = this.#parts.deviceCache().state(device);
      const boot = state && strongValue(state.control)?.bootId;
      const parts = this.#prepared.get(token);
      const commit = { token, since: clock.wall(), moves };
      const known = { ...(parts && { parts }), ...(boot === undefined ? {} : { boot }) };
      return this.#record(device, { ...commit, ...known }, act);
    };
    return {
      ...transaction,
      apply: (within, signal) =>
        within === "final"
          ? recorded((change ?? []).filter(isMove), () => transaction.apply(within, signal))
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
      // A save saves all that is in force, so the commits before this one are saved with it.
      const isOwn = ({ token: one }: UnsavedCommit): boolean => one === token;
      for (const one of [...this.left(device), ...this.#known(device).filter(isOwn)]) {
        this.#answer(one.token, "commit");
      }
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

function missing({ parts = [] }: UnsavedCommit, state: DeviceState): readonly CommitPart[] {
  return parts.filter((part) => isInForce(part, state) !== true);
}

/** What it does besides changing ports is not compared, nor is what a successor found waiting. */
function shownOf({ parts = [] }: UnsavedCommit, state: DeviceState): Shown {
  const shown = parts.map((part) => isInForce(part, state));
  if (shown.includes(false)) return "other";
  return shown.includes(undefined) ? "unknown" : "whole";
}

function isMove(part: DeviceChange[number]): part is TrafficMove {
  return part.kind === "port.drain" || part.kind === "port.restore";
}
