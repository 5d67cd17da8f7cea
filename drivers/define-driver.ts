// A driver out of a dialect: sessions, deadlines, locks, secrets and transactions are alike for all
// platforms that keep a candidate and can undo a commit by themselves.

import { missingCapability, missingTimer } from "#hal/capability.ts";
import { withDeadline } from "#hal/deadline.ts";
import type {
  Capabilities,
  Device,
  DeviceChange,
  Driver,
  KeyResolver,
  PortChange,
  ProbeResult,
  Recalled,
  SecretRef,
  Target,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import type { DeviceId, DeviceState, PortName } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import { authSecrets } from "#hal/tunnel-auth.ts";
import type { Clock, World } from "#hal/world.ts";
import { type FailureMark, Netconf } from "./transport/netconf.ts";

/** What is asked of the running device, and what of a candidate under a lock of ours. */
export interface Dialect {
  readonly name: string;
  readonly offers: Capabilities;
  readonly marks: readonly FailureMark[];
  capabilities(session: Netconf, signal: AbortSignal): Promise<Capabilities>;
  look(session: Netconf, asked: Asked, signal: AbortSignal): Promise<DeviceState>;
  routeTo(session: Netconf, address: string, signal: AbortSignal): Promise<PortName | undefined>;
  probe(session: Netconf, port: PortName, count: number, signal: AbortSignal): Promise<ProbeResult>;
  /** Commits of late, the newest first. */
  commits(session: Netconf, signal: AbortSignal): Promise<readonly CommitRecord[]>;
  /** Takes the candidate for us alone; the end of the session gives it back as it was. */
  lock(session: Netconf, signal: AbortSignal): Promise<void>;
  /** Loads the change and returns what differs; nothing = the goal is reached. */
  stage(session: Netconf, work: Work, signal: AbortSignal): Promise<readonly string[]>;
  /** Has the device judge the candidate. */
  check(session: Netconf, signal: AbortSignal): Promise<void>;
  /** `withinMs`: the device takes it back by itself unless another commit comes in time. */
  commit(
    session: Netconf,
    note: string,
    withinMs: number | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Loads what was in force before the newest commit. */
  loadPrevious(session: Netconf, signal: AbortSignal): Promise<void>;
}

export interface Asked {
  readonly device: DeviceId;
  readonly clock: Clock;
}

export interface CommitRecord {
  readonly note: string;
  readonly isPending: boolean;
}

/** A change and the secrets that it needs, by their ids. */
export interface Work {
  readonly device: DeviceId;
  readonly capabilities: Capabilities;
  readonly change: DeviceChange;
  readonly secrets: ReadonlyMap<string, Secret>;
}

const answerMsMax = 30_000;
/** A commit on a large configuration takes a minute and more. */
const commitMsMax = 150_000;
/** Prepared changes whose secrets are kept; the oldest makes room. */
const preparedMax = 8;

export function defineDriver(dialect: Dialect): Driver {
  return {
    name: dialect.name,
    offers: dialect.offers,
    async open(target, world, hint, signal) {
      const line = new Line(dialect, target, world, hint);
      try {
        const capabilities = await line.ask(signal, (session, bounded) =>
          dialect.capabilities(session, bounded),
        );
        return deviceOf(new CandidateDesk(line, capabilities), line, capabilities);
      } catch (error) {
        await line[Symbol.asyncDispose]();
        throw error;
      }
    },
  };
}

function deviceOf(desk: CandidateDesk, line: Line, capabilities: Capabilities): Device {
  const { dialect, device: id, clock } = line;
  const device: Device = {
    id,
    capabilities,
    observe: (signal) =>
      line.ask(signal, (session, bounded) => dialect.look(session, { device: id, clock }, bounded)),
    prepare: (change, keys, signal) => desk.prepare(change, keys, signal),
    recall: (token, signal) => desk.recall(token, signal),
    routeTo: (address, signal) =>
      line.ask(signal, (session, bounded) => dialect.routeTo(session, address, bounded)),
    async [Symbol.asyncDispose]() {
      desk.forget();
      await line[Symbol.asyncDispose]();
    },
  };
  if (capabilities.probe === undefined) return device;
  return {
    ...device,
    probe: (port, count, signal) =>
      line.ask(signal, (session, bounded) => dialect.probe(session, port, count, bounded)),
  };
}

/** The sessions with one device: one that looks and stays, one for each edit. */
class Line implements AsyncDisposable {
  readonly dialect: Dialect;
  readonly device: DeviceId;
  readonly clock: Clock;
  readonly #target: Target;
  readonly #world: World;
  readonly #hint: () => void;
  readonly #end = new AbortController();
  #looking: Promise<Netconf> | undefined;
  #editing: Promise<void> = Promise.resolve();

  constructor(dialect: Dialect, target: Target, world: World, hint: () => void) {
    this.dialect = dialect;
    this.device = target.device;
    this.clock = world.clock;
    this.#target = target;
    this.#world = world;
    this.#hint = hint;
  }

  /** Asks without an effect; a session that failed is opened anew by the next who asks. */
  async ask<T>(
    signal: AbortSignal,
    f: (session: Netconf, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await this.bounded(answerMsMax, "none", signal, async (bounded) => {
      this.#looking ??= this.#openAlone();
      const looking = this.#looking;
      try {
        return await f(await looking, bounded);
      } catch (error) {
        // Whoever only stops asking leaves the session to the others.
        const code = error instanceof LinksealError ? error.code : "";
        if (code.startsWith("transport.") || code === "device.unparsed") {
          await this.#hangUp(looking);
        }
        throw error;
      }
    });
  }

  /** One edit at a time, on a session of its own: whatever happens, its end gives the lock back. */
  async edit<T>(signal: AbortSignal, f: (session: Netconf) => Promise<T>): Promise<T> {
    const before = this.#editing;
    const { promise, resolve } = Promise.withResolvers<void>();
    // Also where this one gives up: the next must not begin beside the one before.
    this.#editing = before.then(() => promise);
    try {
      await this.bounded(commitMsMax, "none", signal, () => before);
      const session = await this.bounded(answerMsMax, "none", signal, async (bounded) => {
        const opened = await this.#open(bounded);
        try {
          await this.dialect.lock(opened, bounded);
          return opened;
        } catch (error) {
          await opened[Symbol.asyncDispose]();
          throw error;
        }
      });
      try {
        return await f(session);
      } finally {
        await session[Symbol.asyncDispose]();
      }
    } finally {
      resolve();
    }
  }

  async bounded<T>(
    ms: number,
    effect: Effect,
    signal: AbortSignal,
    f: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await withDeadline(this.clock, { ms, where: this.device, effect }, signal, f);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error("the device is not looked at any more"));
    await this.#hangUp(this.#looking);
  }

  newToken(): TransactionToken {
    const octets = this.#world.entropy.bytes(8);
    return Buffer.from(octets).toString("hex") as TransactionToken;
  }

  /** Several wait for it: none of them may end it for the others by going away. */
  async #openAlone(): Promise<Netconf> {
    return await this.bounded(answerMsMax, "none", this.#end.signal, (bounded) =>
      this.#open(bounded),
    );
  }

  async #open(signal: AbortSignal): Promise<Netconf> {
    const channel = await this.#world.dial.channel(this.#target, "netconf", signal);
    const { marks } = this.dialect;
    return await Netconf.open(channel, { where: this.device, hint: this.#hint, marks }, signal);
  }

  async #hangUp(looking: Promise<Netconf> | undefined): Promise<void> {
    if (looking === undefined) return;
    if (this.#looking === looking) this.#looking = undefined;
    const session = await looking.catch(() => undefined);
    await session?.[Symbol.asyncDispose]();
  }
}

/** `unsure`: it was sent, and what became of it only the device knows. */
type EntryState = "prepared" | "unsure" | "pending" | "settled" | "undone";

interface Entry {
  readonly token: TransactionToken;
  readonly preview: string;
  /** undefined = applied, dropped, or another process prepared it. */
  work: Work | undefined;
  state: EntryState;
}

const verbs = { apply: "linkseal", confirm: "linkseal confirms", undo: "linkseal undoes" } as const;

const noteOf = (verb: keyof typeof verbs, token: TransactionToken): string =>
  `${verbs[verb]} ${token}`;

/** Transactions: what is only prepared waits here, what waits for its confirm on the device. */
class CandidateDesk {
  readonly #line: Line;
  readonly #capabilities: Capabilities;
  #prepared: Entry[] = [];

  constructor(line: Line, capabilities: Capabilities) {
    this.#line = line;
    this.#capabilities = capabilities;
  }

  async prepare(
    change: DeviceChange,
    keys: KeyResolver,
    signal: AbortSignal,
  ): Promise<Transaction> {
    signal.throwIfAborted();
    this.#refuse(missingCapability(change, this.#capabilities));
    const work = await this.#workOf(change, keys);
    try {
      const lines = await this.#line.edit(signal, (session) =>
        this.#line.bounded(commitMsMax, "none", signal, async (bounded) => {
          const { dialect } = this.#line;
          // A check confirms on this platform's kin: not while something waits for its confirm.
          this.#refusePending(await dialect.commits(session, bounded));
          const staged = await dialect.stage(session, work, bounded);
          if (staged.length > 0) await dialect.check(session, bounded);
          return staged;
        }),
      );
      const token = this.#line.newToken();
      const entry: Entry = { token, preview: lines.join("\n"), work, state: "prepared" };
      this.#keep(entry);
      return this.#transactionOf(entry);
    } catch (error) {
      wipe(work);
      throw error;
    }
  }

  async recall(token: TransactionToken, signal: AbortSignal): Promise<Recalled> {
    const [newest] = await this.#line.ask(signal, (session, bounded) =>
      this.#line.dialect.commits(session, bounded),
    );
    if (newest?.isPending !== true || newest.note !== noteOf("apply", token)) {
      return { kind: "absent" };
    }
    const known = this.#prepared.find((entry) => entry.token === token);
    const entry: Entry = known ?? { token, preview: "", work: undefined, state: "pending" };
    entry.state = "pending";
    return { kind: "pending", transaction: this.#transactionOf(entry) };
  }

  /** What was not applied is not remembered. */
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
    // Its own copy: whoever closes the device meanwhile wipes the other one.
    const work = { ...entry.work, secrets: copyOf(entry.work.secrets) };
    const note = noteOf("apply", token);
    const after = within === "final" ? "settled" : "pending";
    const edited = this.#line.edit(signal, async (session) => {
      const staged = await this.#line.bounded(commitMsMax, "none", signal, async (bounded) => {
        const commits = await dialect.commits(session, bounded);
        // Its reply was lost the last time.
        const isThere = commits.some((one) => one.note === note);
        const [newest] = commits;
        const stands = within === "final" || (newest?.note === note && newest.isPending);
        if (isThere && !stands) throw this.#expired();
        if (isThere) return [];
        this.#refusePending(commits);
        return await dialect.stage(session, work, bounded);
      });
      if (staged.length === 0) return;
      const withinMs = within === "final" ? undefined : within;
      entry.state = "unsure";
      await this.#line.bounded(commitMsMax, "unknown", signal, (bounded) =>
        dialect.commit(session, note, withinMs, bounded),
      );
    });
    await edited.finally(() => wipe(work));
    entry.state = after;
    drop(entry);
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

  /** Ends the wait of a commit of ours, and of no other. */
  async #settle(entry: Entry, verb: "confirm" | "undo", signal: AbortSignal): Promise<void> {
    const { dialect } = this.#line;
    const { token } = entry;
    await this.#line.edit(signal, async (session) => {
      const isPending = await this.#line.bounded(answerMsMax, "none", signal, async (bounded) => {
        const [newest] = await dialect.commits(session, bounded);
        if (newest?.note === noteOf(verb, token)) return false;
        if (newest?.isPending !== true || newest.note !== noteOf("apply", token)) {
          throw this.#expired();
        }
        if (verb === "undo") await dialect.loadPrevious(session, bounded);
        return true;
      });
      if (!isPending) return;
      await this.#line.bounded(commitMsMax, "unknown", signal, (bounded) =>
        dialect.commit(session, noteOf(verb, token), undefined, bounded),
      );
    });
  }

  async #workOf(change: DeviceChange, keys: KeyResolver): Promise<Work> {
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
    return { device, capabilities: this.#capabilities, change, secrets };
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
    if (newest?.isPending !== true) return;
    const text = "a commit waits for its confirm, and any other would confirm it";
    throw this.#error("device.locked", text);
  }

  #expired(): LinksealError {
    const text = "the transaction is over: reverted, dropped, or another commit came after it";
    return this.#error("device.commitExpired", text);
  }

  #error(code: ErrorCode, text: string): LinksealError {
    const next = code === "device.unsupported" ? "linkseal driver list" : "linkseal status";
    return new LinksealError(code, text, { effect: "none", where: this.#line.device, next });
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

function secretsOf(part: PortChange): readonly SecretRef[] {
  if ("key" in part) return [{ kind: "cak", key: part.key }];
  if ("tunnel" in part) return authSecrets(part.tunnel.auth);
  return [];
}
