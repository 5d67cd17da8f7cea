// Changes of this host that wait: prepared ones, and the one that is reverted unless it is
// confirmed, also by a successor of the process that made it.

import type { TransactionToken } from "#hal/device.ts";
import { LinksealError, withEffect } from "#hal/error.ts";
import { type Clock, type World, wallAfter } from "#hal/world.ts";
import type { KernelApplier } from "./kernel-applier.ts";
import type { Memory } from "./memory.ts";
import type { NetChange, NetOperation } from "./operation.ts";
import { writeStored } from "./stored.ts";
import {
  afterBoot,
  type Pending,
  readStoredState,
  type StoredState,
  stateName,
} from "./stored-state.ts";

export interface CommitParts {
  readonly world: Pick<World, "clock" | "entropy" | "disk" | "log">;
  readonly bootId: string;
  readonly applier: KernelApplier;
}

/** The longest time that a commit may wait for its confirmation. */
const withinMsMax = 86_400_000;
const candidatesMax = 64;
const settledMax = 256;
const retryMs = 1_000;

interface Candidate {
  readonly change: NetChange;
  readonly preview: string;
}

/** `empty`: the change was in effect already, so there was nothing to confirm or to revert. */
type Settled = "final" | "confirmed" | "reverted" | "dropped" | "empty";

/** True if a second apply changes nothing. */
const isDone: Readonly<Record<Settled, boolean>> = {
  ...{ final: true, confirmed: true, empty: true },
  ...{ reverted: false, dropped: false },
};

export class Commits implements Memory {
  readonly #parts: CommitParts;
  readonly #candidates = new Map<TransactionToken, Candidate>();
  readonly #settled = new Map<TransactionToken, Settled>();
  #state: StoredState;
  /** `suspect` = a write failed, so the file has the state before it or the one that failed. */
  #file: "as in memory" | "suspect" = "as in memory";
  #turn: Promise<unknown> = Promise.resolve();
  #disarm = new AbortController();
  #raising: Promise<number | undefined> | undefined;

  private constructor(parts: CommitParts, state: StoredState) {
    this.#parts = parts;
    this.#state = state;
  }

  /**
   * Opens the undo log; a change that a predecessor left pending since the same boot goes on
   * waiting.
   */
  static async open(parts: CommitParts): Promise<Commits> {
    const { disk, log } = parts.world;
    const state = readStoredState(await disk.read(stateName), log);
    const { bootId } = parts;
    const commits = new Commits(parts, state.bootId === bootId ? state : afterBoot(state, bootId));
    // This runs before any timer can revert what is still half done.
    await parts.applier.resume(commits, new AbortController().signal);
    commits.#arm();
    await commits.raise();
    return commits;
  }

  /**
   * Recreates the SecYs that a boot removed, as far as their ports exist by now, and what belongs
   * to them. Returns in how many ms it is to be called again; undefined = after the next change.
   */
  raise(): Promise<number | undefined> {
    // A run that has not begun yet observes all that this one would.
    this.#raising ??= this.#alone(async () => {
      this.#raising = undefined;
      return await this.#parts.applier.raise(this, new AbortController().signal);
    });
    return this.#raising;
  }

  get state(): StoredState {
    return this.#state;
  }

  /** Ends the timers; a pending change is left to the successor. */
  close(): void {
    this.#disarm.abort();
  }

  async remember(change: Partial<StoredState>): Promise<void> {
    const state = { ...this.#state, ...change };
    this.#file = "suspect";
    await writeStored(this.#parts.world.disk, stateName, state);
    this.#file = "as in memory";
    this.#state = state;
  }

  prepare(change: NetChange, preview: string): TransactionToken {
    const bytes = this.#parts.world.entropy.bytes(12);
    const token = `net-${Buffer.from(bytes).toString("hex")}` as TransactionToken;
    keepNewest(this.#candidates, token, { change, preview }, candidatesMax);
    return token;
  }

  /** Returns the change that waits for its confirmation under this token. */
  recall(token: TransactionToken): Pending | undefined {
    const { pending } = this.#state;
    return pending?.token === token ? pending : undefined;
  }

  apply(token: TransactionToken, within: number | "final", signal: AbortSignal): Promise<void> {
    return this.#alone(async () => {
      const { pending } = this.#state;
      const settled = this.#settled.get(token);
      if (pending?.token === token) refuseHalf(pending);
      if (pending?.token === token || (settled !== undefined && isDone[settled])) return;
      // A successor would carry out an undo that a failed write left in the file.
      if (this.#file === "suspect") await this.remember({});
      const candidate = this.#candidates.get(token);
      if (candidate !== undefined && within === "final" && isForGood(candidate.change)) {
        await this.#commitForGood(token, candidate, signal);
        return;
      }
      if (pending !== undefined) {
        throw failed("device.locked", `${pending.token} still waits for its confirm`);
      }
      if (candidate === undefined) {
        throw failed("device.rejected", "that change is not prepared here any more");
      }
      if (within !== "final" && !(within > 0 && within <= withinMsMax)) {
        throw failed("device.rejected", `no commit waits ${within} ms for its confirm`);
      }
      await this.#commit(token, candidate, within, signal);
    });
  }

  /**
   * Such a change also goes through while another one waits for its confirmation: neither is
   * reverted with the other.
   */
  async #commitForGood(
    token: TransactionToken,
    { change }: Candidate,
    signal: AbortSignal,
  ): Promise<void> {
    const { applier } = this.#parts;
    let isTouched = false;
    try {
      for (const operation of change) {
        if ((await applier.undoOf(operation, this, signal)) === undefined) continue;
        await applier.apply(operation, this, signal);
        isTouched = true;
      }
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const isNone = error.effect === "none" && !isTouched;
      if (isNone || error.effect === "unknown") throw error;
      throw withEffect(error, "applied", "the blocks that were put before stay");
    }
    this.#candidates.delete(token);
    this.#settle(token, "final");
  }

  async #commit(
    token: TransactionToken,
    { change, preview }: Candidate,
    within: number | "final",
    signal: AbortSignal,
  ): Promise<void> {
    const { applier, world } = this.#parts;
    const { clock } = world;
    const undo: NetOperation[] = [];
    const begun: NetOperation[] = [];
    try {
      for (const operation of change) {
        const back = await applier.undoOf(operation, this, signal);
        if (back === undefined) continue;
        undo.unshift(back);
        begun.push(operation);
        if (within !== "final") {
          // The undo log is written before the operation: after a crash the successor undoes it, or
          // finds nothing to undo.
          const revertsAt = wallAfter(clock.wall(), within);
          const pending = { token, preview, undo: [...undo], revertsAt, within } as const;
          await this.remember({ pending: { ...pending, extent: "half" } });
        }
        await applier.apply(operation, this, signal);
      }
      const { pending } = this.#state;
      if (pending !== undefined) await this.remember({ pending: { ...pending, extent: "whole" } });
    } catch (error) {
      await this.#takeBack(undo);
      throw takenBack(error, begun);
    }
    this.#candidates.delete(token);
    if (within === "final") this.#settle(token, "final");
    else if (undo.length === 0) this.#settle(token, "empty");
    else this.#arm();
  }

  // A change that fails halfway is rolled back, also if its client is gone.
  async #takeBack(undo: readonly NetOperation[]): Promise<void> {
    const { signal } = new AbortController();
    try {
      for (const operation of undo) await this.#parts.applier.apply(operation, this, signal);
      if (this.#state.pending !== undefined) await this.remember({ pending: undefined });
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      // A change with a deadline is rolled back again at the deadline.
      this.#arm();
      const text = `a change failed in the middle and could not be undone: ${error.message}`;
      const { code, where, next } = error;
      throw new LinksealError(code, text, { effect: "unknown", where, next, cause: error });
    }
  }

  confirm(token: TransactionToken): Promise<void> {
    return this.#alone(async () => {
      const { pending } = this.#state;
      if (pending?.token === token) {
        refuseHalf(pending);
        await this.remember({ pending: undefined });
        this.#disarm.abort();
        this.#settle(token, "confirmed");
        return;
      }
      const settled = this.#settled.get(token);
      if (settled === "confirmed" || settled === "empty") return;
      throw failed("device.commitExpired", "nothing waits for that confirm any more");
    });
  }

  rollback(token: TransactionToken, signal: AbortSignal): Promise<void> {
    return this.#alone(async () => {
      const settled = this.#settled.get(token);
      if (settled === "final" || settled === "confirmed") {
        throw failed("device.rejected", "a final change is not rolled back");
      }
      if (this.#state.pending?.token === token) await this.#revert(signal);
      else if (this.#candidates.delete(token)) this.#settle(token, "dropped");
    });
  }

  async #revert(signal: AbortSignal): Promise<void> {
    const { pending } = this.#state;
    if (pending === undefined) return;
    for (const operation of pending.undo) await this.#parts.applier.apply(operation, this, signal);
    await this.remember({ pending: undefined });
    // The timer ends only now: what could not be undone is tried again at the deadline.
    this.#disarm.abort();
    this.#settle(pending.token, "reverted");
  }

  // The deadline is on the wall clock, which a successor shares; a jump of that clock never makes
  // the wait longer.
  #arm(): void {
    const { pending } = this.#state;
    if (pending === undefined) return;
    this.#disarm.abort();
    const disarm = new AbortController();
    this.#disarm = disarm;
    const { clock, log } = this.#parts.world;
    const leftMs = Math.min(pending.within, Math.max(0, pending.revertsAt - clock.wall()));
    void (async () => {
      for (let waitMs = leftMs; await slept(clock, waitMs, disarm.signal); waitMs = retryMs) {
        try {
          await this.#alone(async () => {
            // Another call has confirmed or rolled back the change in the meantime.
            if (disarm.signal.aborted) return;
            await this.#revert(new AbortController().signal);
            log.write("warn", "commit-reverted", `${pending.token} was not confirmed in time`);
          });
          return;
        } catch (error) {
          if (!(error instanceof LinksealError)) throw error;
          log.write("error", error.code, `not undone yet: ${error.message}`);
        }
      }
    })();
  }

  #settle(token: TransactionToken, how: Settled): void {
    keepNewest(this.#settled, token, how, settledMax);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

/**
 * Returns true if the change has only block policies, which stay whatever becomes of the change
 * that they came with.
 */
function isForGood(change: NetChange): boolean {
  return change.length > 0 && change.every(isBlock);
}

function isBlock({ kind }: NetOperation): boolean {
  return kind === "ipsec.block" || kind === "ipsec.back";
}

/**
 * Returns the error of a change that was taken back. A block is not taken back, nor can SAs be that
 * were ended.
 */
function takenBack(error: unknown, begun: readonly NetOperation[]): unknown {
  if (!(error instanceof LinksealError) || error.effect === "unknown") return error;
  const [failing, ...done] = begun.toReversed();
  const isLeft = (one: NetOperation): boolean => isBlock(one) || one.kind === "ipsec.sweep";
  const isTouched = error.effect === "applied" && failing !== undefined && isLeft(failing);
  if (!isTouched && !done.some(isLeft)) return withEffect(error, "none");
  return withEffect(error, "applied", "blocks that were put and SAs that were ended stay so");
}

// A half-done change must never be confirmed.
function refuseHalf({ extent }: Pending): void {
  if (extent === "whole") return;
  throw failed("device.rejected", "that change was interrupted, and what was done is undone");
}

async function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (!signal.aborted) throw error;
    return false;
  }
}

function keepNewest<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= max) return;
    map.delete(oldest);
  }
}

function failed(
  code: "device.locked" | "device.rejected" | "device.commitExpired",
  text: string,
): LinksealError {
  return new LinksealError(code, `${text}; nothing was changed by this`, {
    effect: "none",
    where: "linkseal-net",
    next: "linkseal plan --accepted",
  });
}
