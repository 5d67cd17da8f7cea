// Transactions as the router keeps them: candidates by token, and one commit that may be pending.

import { missingTimer } from "#hal/capability.ts";
import type { Capabilities, CommitMode, DeviceChange, TransactionToken } from "#hal/device.ts";
import type { Ckn, PortName } from "#hal/model.ts";
import type { Cancel, SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Who } from "../base/truth.ts";
import {
  applyChange,
  deviceError,
  isOperation,
  type KeyMaterial,
  refuseUnsupported,
} from "./router-change.ts";
import {
  cloneConfig,
  diffConfig,
  type Effect,
  effectOf,
  losesSecret,
  type MutableConfig,
  previewOf,
  withoutAdditions,
} from "./router-config.ts";

/** One management session; candidates end with it, and a platform may tie a confirm to it. */
export interface Session {
  /** The router's name. */
  readonly device: string;
}

/** A validated candidate. */
export interface Prepared {
  /** The token by which later calls name the transaction. */
  readonly token: TransactionToken;
  /** The difference to the running configuration, as lines without secrets. */
  readonly preview: string;
}

/** The parts of the router that the commit engine needs. */
export interface CommitHost {
  readonly device: string;
  readonly clock: SimClock;
  readonly prng: Prng;
  readonly capabilities: Capabilities;
  running(): MutableConfig;
  principal(port: PortName): Ckn | undefined;
  install(next: MutableConfig, by: Who, effects: readonly Effect[], operations: DeviceChange): void;
  /** True while another client's session has the configuration lock. */
  locked(): boolean;
  /** True while a manual operator's commit waits for its confirm. */
  foreignCommit(): boolean;
  /** Returns the reason for which the router refuses this change; undefined if it accepts it. */
  refusal(change: DeviceChange): string | undefined;
  /** Returns the way in which a commit that looks accepted goes wrong; undefined if it does not. */
  commitFlaw(): "silentRevert" | "errorWithSuccess" | undefined;
}

/** A change as a function of the running configuration; it may be applied again later. */
export interface Draft {
  /**
   * Returns the new configuration and its effects.
   * @throws LinksealError `device.*` with effect "none"
   */
  readonly apply: (running: MutableConfig) => {
    readonly config: MutableConfig;
    readonly effects: readonly Effect[];
  };
  /** The operations that the router does once, besides the configuration. */
  readonly operations: DeviceChange;
}

interface Entry extends Prepared {
  session: Session;
  /** undefined once the transaction has ended, because a draft may contain keys. */
  draft: Draft | undefined;
  state: EntryState;
}

type EntryState =
  | { readonly kind: "prepared" | "settled" | "undone" }
  | { readonly kind: "pending"; readonly commit: Commit; readonly cancel: Cancel };

type Waiting = Entry & { state: Extract<EntryState, { readonly kind: "pending" }> };

const isWaiting = (entry: Entry): entry is Waiting => entry.state.kind === "pending";

interface Commit {
  readonly before: MutableConfig;
  readonly after: MutableConfig;
}

/**
 * The number of transactions that the router remembers; the oldest makes room, unless it is
 * pending.
 */
const rememberedMax = 64;
const silentRevertMs = 3_000;

/**
 * Returns the device's own revert time for a wanted one, in milliseconds; undefined if it has none.
 * @throws LinksealError `device.unsupported`
 */
export function revertMs(
  device: string,
  mode: CommitMode,
  within: number | "final",
): number | undefined {
  const missing = missingTimer(mode, within);
  if (missing !== undefined) {
    const text = `${device} does not offer ${missing}, so nothing was sent to it`;
    throw deviceError("device.unsupported", device, text);
  }
  if (within === "final" || mode.kind === "immediate") return undefined;
  return mode.kind === "confirmed" ? Math.ceil(within / mode.stepMs) * mode.stepMs : within;
}

export class CommitEngine {
  readonly #host: CommitHost;
  readonly #entries = new Map<TransactionToken, Entry>();
  /** The commit that waits for its confirm; at most one does. */
  #pending: Entry | undefined;

  constructor(host: CommitHost) {
    this.#host = host;
  }

  /**
   * Validates a change on a candidate; the running configuration stays as it is.
   * @throws LinksealError `device.*` with effect "none"
   */
  prepare(session: Session, change: DeviceChange, material: KeyMaterial): Prepared {
    refuseUnsupported(this.#host.device, this.#host.capabilities, change);
    return this.prepareDraft(session, {
      apply: () => this.#candidate(change, material),
      operations: change.filter(isOperation),
    });
  }

  /** Validates a change that is not a list of operations, such as one from a dialect's own text. */
  prepareDraft(session: Session, draft: Draft): Prepared {
    this.#refuseLocked();
    const running = this.#host.running();
    const lines = previewOf(diffConfig(running, draft.apply(running).config));
    const token = `${this.#host.device}-${this.#host.prng.hex(8)}` as TransactionToken;
    const preview = [...lines, ...draft.operations.map(describeOperation)].join("\n");
    const state: EntryState = { kind: "prepared" };
    this.#makeRoom();
    this.#entries.set(token, { token, preview, session, draft, state });
    return { token, preview };
  }

  /**
   * Commits a candidate; idempotent. It is validated again, because the running configuration may
   * have changed since `prepare`.
   * @throws LinksealError `device.*`, with effect "none"
   */
  commit(token: TransactionToken, within: number | "final"): void {
    const { capabilities, device } = this.#host;
    const revertAfterMs = revertMs(device, capabilities.commit, within);
    const entry = this.#entry(token);
    if (entry.state.kind === "pending" || entry.state.kind === "settled") return;
    if (entry.state.kind === "undone") throw this.#expired();
    this.#refuseLocked();
    if (this.pending()) {
      const text = `another commit on ${device} waits for its confirm, nothing was changed`;
      throw deviceError("device.locked", device, text);
    }
    const flaw = this.#host.commitFlaw();
    if (flaw === "errorWithSuccess") {
      const text = `${device} printed an error although it reported success; nothing was changed`;
      throw deviceError("device.rejected", device, text);
    }
    const { draft } = entry;
    if (draft === undefined) throw this.#expired();
    const before = this.#host.running();
    const { config: after, effects } = draft.apply(before);
    const commit = { before, after };
    if (revertAfterMs !== undefined) this.#refuseUnrevertable(commit);
    const named = effects.map((effect): Effect => ({ ...effect, token }));
    this.#host.install(after, "agent", named, draft.operations);
    if (revertAfterMs === undefined) this.#end(entry, "settled");
    else this.#wait(entry, commit, revertAfterMs);
    if (flaw === "silentRevert") this.#revertSilently(entry, commit);
  }

  /**
   * Adds to a change that is in force and waits: all of it is confirmed, or all is reverted.
   * @throws LinksealError `device.commitExpired` if it does not wait any more
   */
  amend(token: TransactionToken, draft: Draft): void {
    const entry = this.#waiting(token);
    const running = this.#host.running();
    const { config: after, effects } = draft.apply(running);
    const named = effects.map((effect): Effect => ({ ...effect, token }));
    this.#host.install(after, "agent", named, draft.operations);
    entry.state = { ...entry.state, commit: { before: entry.state.commit.before, after } };
  }

  /**
   * Restarts the wait for the confirm.
   * @throws LinksealError `device.commitExpired` if the commit does not wait any more
   */
  rearm(token: TransactionToken, ms: number): void {
    const entry = this.#waiting(token);
    entry.state.cancel();
    this.#wait(entry, entry.state.commit, ms);
  }

  /**
   * Confirms a pending commit; idempotent.
   * @throws LinksealError `device.commitExpired` once the router has reverted
   */
  confirm(session: Session, token: TransactionToken): void {
    const { capabilities, device } = this.#host;
    const entry = this.#entry(token);
    switch (entry.state.kind) {
      case "settled":
        return;
      case "undone":
        throw this.#expired();
      case "prepared":
        throw deviceError("device.rejected", device, "the transaction was never applied");
      case "pending":
        if (!mayEnd(capabilities.commit, entry.session, session)) {
          const text = `only the session that committed can confirm on ${device}`;
          throw deviceError("device.rejected", device, text);
        }
        entry.state.cancel();
        this.#end(entry, "settled");
    }
  }

  /**
   * Drops a candidate or reverts a pending commit; idempotent. `session`: absent = the router
   * itself does so.
   * @throws LinksealError `device.rejected` for a commit that is permanent, or of another session
   */
  rollback(token: TransactionToken, session?: Session): void {
    const entry = this.#entry(token);
    const { capabilities, device } = this.#host;
    const isPending = entry.state.kind === "pending";
    if (isPending && session && !mayEnd(capabilities.commit, entry.session, session)) {
      const text = `only the session that committed can take it back on ${device}`;
      throw deviceError("device.rejected", device, text);
    }
    switch (entry.state.kind) {
      case "undone":
        return;
      case "prepared":
        this.#end(entry, "undone");
        return;
      case "settled": {
        const text = `the commit on ${this.#host.device} is permanent and was left as it is`;
        throw deviceError("device.rejected", this.#host.device, text);
      }
      case "pending":
        this.#undo(entry, entry.state.commit, "agent");
    }
  }

  /** Returns the transaction while it waits for its confirm; undefined otherwise. */
  recall(token: TransactionToken): Prepared | undefined {
    return this.#pending?.token === token ? this.#pending : undefined;
  }

  /** Returns whether this session may end the wait of a pending commit. */
  isBy(session: Session): boolean {
    const entry = this.#pending;
    return entry !== undefined && mayEnd(this.#host.capabilities.commit, entry.session, session);
  }

  pending(): boolean {
    return this.armed() || this.#host.foreignCommit();
  }

  /** True while a commit of the agent waits for its confirm. */
  armed(): boolean {
    return this.#pending !== undefined;
  }

  /** Returns the keys of a port that disappear with that commit if it is never confirmed. */
  revertTakes(port: PortName): readonly Ckn[] {
    const state = this.#pending?.state;
    if (state?.kind !== "pending") return [];
    const kept = this.#revertTarget(state.commit).ports.get(port)?.keys ?? [];
    const held = this.#host.running().ports.get(port)?.keys ?? [];
    return held.flatMap(({ ckn }) => (kept.some((key) => key.ckn === ckn) ? [] : [ckn]));
  }

  /** Ends a session; its candidates end with it. */
  closeSession(session: Session): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.session === session) this.#drop(entry);
    }
  }

  closeAllSessions(): void {
    for (const entry of [...this.#entries.values()]) this.#drop(entry);
  }

  /**
   * Reverts to the configuration before the unconfirmed commit, from which a boot starts (RFC 6241
   * 8.4.1).
   */
  reboot(): void {
    for (const entry of [...this.#entries.values()]) {
      this.#drop(entry);
      if (entry.state.kind === "pending") this.#undo(entry, entry.state.commit, "device");
    }
  }

  /**
   * Makes the unconfirmed commit permanent, as a boot does on a router that does not keep its
   * timer.
   */
  forgetTimer(): void {
    const entry = this.#pending;
    if (entry?.state.kind !== "pending") return;
    entry.state.cancel();
    this.#end(entry, "settled");
    this.#entries.delete(entry.token);
  }

  /** Drops the pending commit and every candidate without undoing anything. */
  forget(): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.state.kind === "pending") entry.state.cancel();
      if (["pending", "prepared"].includes(entry.state.kind)) this.#end(entry, "undone");
    }
  }

  #wait(entry: Entry, commit: Commit, ms: number): void {
    const cancel = this.#host.clock.after(ms, () => {
      if (entry.state.kind === "pending") this.#undo(entry, entry.state.commit, "device");
    });
    entry.state = { kind: "pending", commit, cancel };
    this.#pending = entry;
  }

  #waiting(token: TransactionToken): Waiting {
    const entry = this.#entry(token);
    if (isWaiting(entry)) return entry;
    throw this.#expired();
  }

  #drop(entry: Entry): void {
    if (entry.state.kind === "prepared") this.#end(entry, "undone");
    // What is pending goes on without a session.
    entry.session = { device: this.#host.device };
  }

  #candidate(
    change: DeviceChange,
    material: KeyMaterial,
  ): { config: MutableConfig; effects: Effect[] } {
    const { device, capabilities } = this.#host;
    const refusal = this.#host.refusal(change);
    if (refusal !== undefined) {
      const text = `${device} refused the change, nothing was changed: ${refusal}`;
      throw deviceError("device.rejected", device, text);
    }
    const principal = (port: PortName): Ckn | undefined => this.#host.principal(port);
    const config = cloneConfig(this.#host.running());
    const context = { device, capabilities, material, principal };
    return { config, effects: applyChange(config, change, context) };
  }

  #refuseLocked(): void {
    if (!this.#host.locked()) return;
    const text = `another session holds the configuration of ${this.#host.device}`;
    throw deviceError("device.locked", this.#host.device, text);
  }

  #refuseUnrevertable(commit: Commit): void {
    const { capabilities, device } = this.#host;
    if (capabilities.commit.kind !== "armedRevert") return;
    if (!diffConfig(commit.before, commit.after).some(losesSecret)) return;
    const text = `the timer of ${device} stores no key, so it could not undo this change`;
    throw deviceError("device.unsupported", device, text);
  }

  #revertSilently(entry: Entry, commit: Commit): void {
    this.#host.clock.after(silentRevertMs, () => {
      // A later commit replaced this one; only the newest can vanish.
      if (this.#host.running() === commit.after) this.#undo(entry, commit, "device");
    });
  }

  #undo(entry: Entry, commit: Commit, by: Who): void {
    if (entry.state.kind === "pending") entry.state.cancel();
    const running = this.#host.running();
    const target = this.#revertTarget(commit);
    this.#end(entry, "undone");
    const effects = diffConfig(running, target).map((difference): Effect => {
      return { ...effectOf(difference), what: "rollback", token: entry.token };
    });
    this.#host.install(target, by, effects, []);
  }

  #revertTarget({ before, after }: Commit): MutableConfig {
    return this.#host.capabilities.commit.kind === "armedRevert"
      ? withoutAdditions(this.#host.running(), before, after)
      : before;
  }

  #end(entry: Entry, kind: "settled" | "undone"): void {
    if (this.#pending === entry) this.#pending = undefined;
    entry.state = { kind };
    entry.draft = undefined;
  }

  #makeRoom(): void {
    if (this.#entries.size < rememberedMax) return;
    const oldest = this.#entries.values().find((entry) => entry !== this.#pending);
    if (oldest !== undefined) this.#entries.delete(oldest.token);
  }

  #entry(token: TransactionToken): Entry {
    const entry = this.#entries.get(token);
    if (entry !== undefined) return entry;
    throw this.#expired();
  }

  #expired(): Error {
    const { device } = this.#host;
    const text = `the transaction on ${device} is over: reverted, discarded or lost in a boot`;
    return deviceError("device.commitExpired", device, text);
  }
}

function mayEnd(mode: CommitMode, own: Session, session: Session): boolean {
  return own === session || mode.kind !== "confirmed" || mode.confirmedBy === "anySession";
}

function describeOperation(part: DeviceChange[number]): string {
  const where = "port" in part ? part.port : "name" in part ? part.name : "";
  return `! ${where} ${part.kind}`;
}
