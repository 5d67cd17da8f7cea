// Makes a driver from a dialect: sessions, deadlines, locks, secrets and transactions are alike for
// all platforms that keep a candidate and can undo a commit by themselves.

import { missingCapability, missingTimer } from "#hal/capability.ts";
import type {
  Capabilities,
  Device,
  DeviceChange,
  Driver,
  KeyResolver,
  PortChange,
  Recalled,
  SecretRef,
  TrafficMove,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import { type DeviceState, unknown } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import { authSecrets } from "#hal/tunnel-auth.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import type { CommitRecord, Dialect, Session, Work } from "./define-dialect.ts";
import { answerMsMax, commitMsMax, Line } from "./define-line.ts";
import { ownState } from "./own-state.ts";
import { differencesOf } from "./port-lines.ts";
import { leaving } from "./query.ts";
import { unsaved } from "./stage.ts";

/** Prepared changes whose secrets are kept; a new one discards the oldest. */
const preparedMax = 8;

/** Makes the driver of a platform. */
export function defineDriver<S extends Session>(dialect: Dialect<S>): Driver {
  return {
    name: dialect.name,
    offers: dialect.offers,
    // Some thirty commands, one after another, to a router that may be busy.
    observeMsMax: answerMsMax,
    async open(target, world, onChange, signal) {
      const line = new Line(dialect, target, world, onChange);
      try {
        const capabilities = await line.ask(signal, (session, bounded) =>
          dialect.capabilities(session, bounded),
        );
        return deviceOf(new TransactionStore(line, capabilities), line, capabilities);
      } catch (error) {
        await line[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

function deviceOf<S extends Session>(
  store: TransactionStore<S>,
  line: Line<S>,
  capabilities: Capabilities,
): Device {
  const { dialect, device: id, clock } = line;
  const device: Device = {
    id,
    capabilities,
    observe: (signal) =>
      line.ask(signal, async (session, bounded) =>
        store.doubted(
          ownState(await dialect.observe(session, { device: id, clock, capabilities }, bounded)),
        ),
      ),
    prepare: (change, keys, signal) => store.prepare(change, keys, signal),
    preview: (change, keys, signal) => store.preview(change, keys, signal),
    compareLines: (wanted, signal) =>
      line.ask(signal, async (session, bounded) => {
        const all = (await dialect.lines(session, wanted, bounded)).map(differencesOf);
        return all.filter(({ foreign, missing }) => foreign.length + missing.length > 0);
      }),
    recall: (token, signal) => store.recall(token, signal),
    routesTo: (address, signal) =>
      line.ask(signal, (session, bounded) => dialect.routesTo(session, address, bounded)),
    async [Symbol.asyncDispose]() {
      store.forget();
      await line[Symbol.asyncDispose]();
    },
  };
  return {
    ...device,
    ...(dialect.complete !== undefined && {
      complete: (moves, signal) => store.complete(moves, signal),
    }),
    ...(capabilities.probe !== undefined && {
      probe: (port, count, signal) =>
        line.ask(signal, (session, bounded) => dialect.probe(session, port, count, bounded)),
    }),
  };
}

/** `unsure`: the commit was sent, and only the device knows what became of it. */
type EntryState = "prepared" | "unsure" | "pending" | "settled" | "undone";

interface Entry {
  readonly token: TransactionToken;
  readonly preview: string;
  /** undefined = it was applied or dropped, or another process prepared it. */
  work: Work | undefined;
  state: EntryState;
}

const verbs = { apply: "linkseal", confirm: "linkseal confirms", undo: "linkseal undoes" } as const;

const noteOf = (verb: keyof typeof verbs, token: TransactionToken): string =>
  `${verbs[verb]} ${token}`;

/** The store of transactions: prepared ones wait here, unconfirmed ones on the device. */
class TransactionStore<S extends Session> {
  readonly #line: Line<S>;
  readonly #capabilities: Capabilities;
  #prepared: Entry[] = [];
  /** The end of the timer of a commit that the device took and does not show; undefined = none. */
  #unseenUntil: Instant | undefined;

  constructor(line: Line<S>, capabilities: Capabilities) {
    this.#line = line;
    this.#capabilities = capabilities;
  }

  /** A device that does not show a commit that it took cannot tell that nothing waits. */
  doubted(state: DeviceState): DeviceState {
    return this.#isUnseen ? { ...state, control: unknown("unparsed", state.at) } : state;
  }

  get #isUnseen(): boolean {
    return this.#unseenUntil !== undefined && this.#line.clock.now() <= this.#unseenUntil;
  }

  async prepare(
    change: DeviceChange,
    keys: KeyResolver,
    signal: AbortSignal,
  ): Promise<Transaction> {
    signal.throwIfAborted();
    this.#refuse(missingCapability(change, this.#capabilities));
    const token = this.#line.newToken();
    const work = await this.#workOf(change, keys, noteOf("apply", token));
    try {
      const lines = await this.#line.edit(token, signal, (session) =>
        this.#line.bounded(commitMsMax, "none", signal, async (bounded) => {
          const { dialect } = this.#line;
          // A check confirms on some related platforms, so there is none while a commit waits for
          // its confirm.
          this.#refusePending(await dialect.commits(session, bounded));
          const staged = await dialect.stage(session, work, bounded);
          if (staged.length > 0) await dialect.check(session, bounded);
          return staged;
        }),
      );
      const entry: Entry = { token, preview: lines.join("\n"), work, state: "prepared" };
      this.#keep(entry);
      return this.#transactionOf(entry);
    } catch (error) {
      wipe(work);
      throw error;
    }
  }

  async preview(
    change: DeviceChange,
    keys: KeyResolver,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    this.#refuse(missingCapability(change, this.#capabilities));
    const work = await this.#workOf(change, keys, "linkseal previews");
    try {
      return await this.#line.ask(signal, (session, bounded) =>
        this.#line.dialect.preview(session, work, bounded),
      );
    } finally {
      wipe(work);
    }
  }

  async recall(token: TransactionToken, signal: AbortSignal): Promise<Recalled> {
    const [newest] = await this.#line.ask(signal, (session, bounded) =>
      this.#line.dialect.commits(session, bounded),
    );
    if (newest?.isPending !== true || newest.note !== noteOf("apply", token)) {
      return { kind: "absent" };
    }
    if (this.#isExpiring) return { kind: "expiring" };
    const known = this.#prepared.find((entry) => entry.token === token);
    const entry: Entry = known ?? { token, preview: "", work: undefined, state: "pending" };
    entry.state = "pending";
    return { kind: "pending", transaction: this.#transactionOf(entry) };
  }

  /** Completes what earlier commits, also those of a process that was killed, have left to do. */
  async complete(moves: readonly TrafficMove[], signal: AbortSignal): Promise<void> {
    await this.#editWhole(undefined, moves, signal, async (session) => {
      await this.#line.bounded(answerMsMax, "none", signal, async (bounded) => {
        const commits = await this.#line.dialect.commits(session, bounded);
        if (commits.every(({ isPending }) => !isPending)) return;
        const text = "a commit waits for its confirm, and a boot would keep it if it were saved";
        throw this.#error("device.locked", text);
      });
      return true;
    });
  }

  /** Drops every change that was not applied. */
  forget(): void {
    for (const entry of this.#prepared) drop(entry);
    this.#prepared = [];
  }

  #transactionOf(entry: Entry): Transaction {
    return {
      token: entry.token,
      preview: entry.preview,
      apply: (within, signal) => this.#apply(entry, within, signal),
      confirm: (signal) => this.#confirm(entry, signal),
      rollback: (signal) => this.#rollback(entry, signal),
    };
  }

  async #apply(entry: Entry, within: number | "final", signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#refuse(missingTimer(this.#capabilities.commit, within));
    if (entry.state === "pending" || entry.state === "settled") return;
    const { token } = entry;
    if (entry.state === "undone" || entry.work === undefined) throw this.#expired();
    const { dialect } = this.#line;
    // A copy, because closing the device meanwhile wipes the other one.
    const work = { ...entry.work, secrets: copyOf(entry.work.secrets) };
    const note = noteOf("apply", token);
    const after = within === "final" ? "settled" : "pending";
    const edited = this.#editWhole(token, work.change, signal, async (session) => {
      const staged = await this.#line.bounded(commitMsMax, "none", signal, async (bounded) => {
        const commits = await dialect.commits(session, bounded);
        // Its reply was lost the last time.
        const isThere = commits.some((one) => one.note === note);
        const [newest] = commits;
        const waits = newest?.note === note && newest.isPending;
        const isFinal = within === "final";
        if (isThere && !isFinal && !waits) throw this.#expired();
        if (isThere && !isFinal) return [];
        // A final commit that still waits has lost its confirm, and the device reverts it.
        this.#refusePending(commits);
        return isThere ? [] : await dialect.stage(session, work, bounded);
      });
      const withinMs = within === "final" ? undefined : within;
      if (staged.length === 0) return withinMs === undefined;
      entry.state = "unsure";
      await this.#line.bounded(commitMsMax, "unknown", signal, (bounded) =>
        dialect.commit(session, note, withinMs, bounded),
      );
      const { commit } = this.#capabilities;
      if (withinMs === undefined || commit.kind !== "confirmed") return withinMs === undefined;
      const isOwn = commit.confirmedBy === "ownSession";
      if (isOwn) this.#line.hold(token, session, withinMs + commit.stepMs);
      await this.#seen(session, note, withinMs + commit.stepMs, signal);
      return false;
    });
    await edited.finally(() => wipe(work));
    entry.state = after;
    drop(entry);
  }

  /** Its only session has ended, so no session can end its wait. */
  get #isExpiring(): boolean {
    const { commit } = this.#capabilities;
    const isOwn = commit.kind === "confirmed" && commit.confirmedBy === "ownSession";
    return isOwn && !this.#line.isHeld;
  }

  /** Reads back that the commit waits: what a device does not show, it never shows the end of. */
  async #seen(session: S, note: string, ms: number, signal: AbortSignal): Promise<void> {
    const newest = await this.#newest(session, "unknown", signal);
    if (newest?.note === note && newest.isPending) return;
    this.#unseenUntil = instantAfter(this.#line.clock.now(), ms);
    const text = "the device took the commit and does not show that it waits for its confirm";
    throw this.#error("device.rejected", `${text}: its timer takes it back`, "unknown");
  }

  async #newest(
    session: S,
    effect: Effect,
    signal: AbortSignal,
  ): Promise<CommitRecord | undefined> {
    return await this.#line.bounded(answerMsMax, effect, signal, async (bounded) => {
      const [newest] = await this.#line.dialect.commits(session, bounded);
      return newest;
    });
  }

  /**
   * Runs an edit, and completes the change if it returns true; a commit that is there may lack
   * that, so one that is repeated is completed too. If the session ends during it, another one does
   * so: no observation shows what is left.
   */
  async #editWhole(
    token: TransactionToken | undefined,
    change: DeviceChange,
    signal: AbortSignal,
    f: (session: S) => Promise<boolean>,
  ): Promise<void> {
    const { dialect } = this.#line;
    let isDue = false;
    const complete = (session: S): Promise<void> =>
      this.#line.bounded(commitMsMax, "applied", signal, async (bounded) => {
        await dialect.complete?.(session, change, bounded);
      });
    try {
      await this.#line.edit(token, signal, async (session) => {
        isDue = (await f(session)) && dialect.complete !== undefined;
        if (isDue) await complete(session);
      });
    } catch (error) {
      const isCut = error instanceof LinksealError && error.code.startsWith("transport.");
      if (!isDue || !isCut) throw error;
      await this.#line.edit(token, signal, complete).catch((again: unknown) => {
        if (!(again instanceof LinksealError)) throw again;
        throw leaving(again, "applied", unsaved, this.#line.device);
      });
    }
  }

  async #confirm(entry: Entry, signal: AbortSignal): Promise<void> {
    if (entry.state === "settled") return;
    await this.#settle(entry, "confirm", signal);
    entry.state = "settled";
  }

  async #rollback(entry: Entry, signal: AbortSignal): Promise<void> {
    switch (entry.state) {
      case "undone":
        return;
      case "settled":
        throw this.#error("device.rejected", "the commit is permanent and was left as it is");
      case "prepared":
        break;
      case "unsure":
      case "pending":
        await this.#settle(entry, "undo", signal);
    }
    entry.state = "undone";
    drop(entry);
  }

  /** Ends the wait of a commit of ours, and of no other; a later reading shows that it ended. */
  async #settle(entry: Entry, verb: "confirm" | "undo", signal: AbortSignal): Promise<void> {
    const { dialect } = this.#line;
    const { token } = entry;
    if (this.#isExpiring) throw await this.#unreachable(token, signal);
    // A change that waited has exchanged its routes before.
    await this.#editWhole(token, [], signal, async (session) => {
      const newest = await this.#newest(session, "none", signal);
      if (newest?.isPending !== true || newest.note !== noteOf("apply", token)) {
        this.#line.release(token);
        if (newest?.note === noteOf(verb, token)) return verb === "confirm";
        throw this.#expired();
      }
      await this.#line.bounded(commitMsMax, "unknown", signal, (bounded) =>
        verb === "undo"
          ? dialect.undo(session, noteOf(verb, token), bounded)
          : dialect.commit(session, noteOf(verb, token), undefined, bounded),
      );
      const after = await this.#newest(session, "unknown", signal);
      const isOurs = (["apply", verb] as const).some((one) => after?.note === noteOf(one, token));
      if (after?.isPending === true && isOurs) {
        const text = "the device took the command, and the commit still waits for its confirm";
        throw this.#error("device.rejected", text, "unknown");
      }
      this.#line.release(token);
      if (verb === "confirm" && !isOurs) {
        const text = "the device took the confirm, and does not list the commit any more";
        throw this.#error("device.commitExpired", text, "unknown");
      }
      return verb === "confirm";
    });
  }

  /** The error for a commit whose only session has ended. */
  async #unreachable(token: TransactionToken, signal: AbortSignal): Promise<LinksealError> {
    const { kind } = await this.recall(token, signal);
    if (kind !== "expiring") return this.#expired();
    const text = "only the session that committed could end the wait, and it is over";
    return this.#error("device.locked", `${text}: the device takes the change back by its timer`);
  }

  async #workOf(change: DeviceChange, keys: KeyResolver, note: string): Promise<Work> {
    const { device } = this.#line;
    const secrets = new Map<string, Secret>();
    try {
      for (const ref of change.flatMap(secretsOf)) {
        const id = ref.kind === "cak" ? ref.key.cakSecretId : ref.secretId;
        if (secrets.has(id)) continue;
        // Ours is wiped when the change is applied or dropped; the resolver's at once.
        using lent = await keys(ref);
        secrets.set(id, lent.copy());
      }
    } catch (error) {
      for (const secret of secrets.values()) secret[Symbol.dispose]();
      throw error;
    }
    return { device, note, capabilities: this.#capabilities, change, secrets };
  }

  #keep(entry: Entry): void {
    this.#prepared = this.#prepared.filter(({ state }) => /^(prepared|unsure)$/.test(state));
    if (this.#prepared.length >= preparedMax) {
      const oldest = this.#prepared.shift();
      if (oldest !== undefined) {
        oldest.state = "undone";
        drop(oldest);
      }
    }
    this.#prepared.push(entry);
  }

  #refuse(missing: string | undefined): void {
    if (missing === undefined) return;
    const { device } = this.#line;
    const text = `${device} does not offer ${missing}, so nothing was sent to it`;
    throw this.#error("device.unsupported", text);
  }

  #refusePending([newest]: readonly CommitRecord[]): void {
    if (newest?.isPending !== true && !this.#isUnseen) return;
    const text = "a commit waits for its confirm, and any other would confirm it";
    throw this.#error("device.locked", text);
  }

  #expired(): LinksealError {
    const text = "the transaction has ended: reverted, dropped, or another commit came after it";
    return this.#error("device.commitExpired", text);
  }

  #error(code: ErrorCode, text: string, effect: Effect = "none"): LinksealError {
    const next = code === "device.unsupported" ? "linkseal driver list" : "linkseal status";
    return new LinksealError(code, text, { effect, where: this.#line.device, next });
  }
}

function copyOf(secrets: ReadonlyMap<string, Secret>): ReadonlyMap<string, Secret> {
  return new Map([...secrets].map(([id, secret]) => [id, secret.copy()]));
}

function drop(entry: Entry): void {
  wipe(entry.work);
  entry.work = undefined;
}

function wipe(work: Work | undefined): void {
  for (const secret of work?.secrets.values() ?? []) secret[Symbol.dispose]();
}

function secretsOf(operation: PortChange): readonly SecretRef[] {
  if ("key" in operation) return [{ kind: "cak", key: operation.key }];
  if ("keys" in operation) return operation.keys.map((key) => ({ kind: "cak", key }));
  if ("tunnel" in operation) return authSecrets(operation.tunnel.auth);
  return [];
}
