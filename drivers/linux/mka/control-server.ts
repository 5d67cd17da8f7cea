// The control server of an MKA process. It reverts a change that is not confirmed in time by
// itself, for any client, connected or not.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { Ckn } from "#hal/model.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import { refusalBody } from "../../local/wire.ts";
import { Candidates } from "./candidates.ts";
import { MkaPort, type PortParts, type PortRefusal } from "./port.ts";
import { type MkaReply, type MkaRequest, readRequest, type Within } from "./protocol.ts";
import type { KaySnapshot } from "./snapshot.ts";
import type { OwnSettings } from "./staging.ts";
import { type Deed, lineOf, outcomeOf } from "./staging.ts";
import { changeText, nothingReceived, troubleText } from "./trouble-text.ts";

/**
 * Names keys by CKN and settings by their former value, so that the undo log never contains a key.
 */
export type Undo =
  | { readonly kind: "remove"; readonly ckn: Ckn }
  | { readonly kind: "configure"; readonly settings: OwnSettings };

export interface PendingMemory {
  readonly token: string;
  readonly preview: string;
  readonly leftMs: number;
  readonly undo: readonly Undo[];
}

/** The state that a successor of this process needs. */
export interface MkaMemory {
  /** The settings that do not belong to the SecY. */
  readonly settings: OwnSettings;
  /** The change that waits for its confirmation. */
  readonly pending: PendingMemory | undefined;
  /** The state of the KaY; undefined if it never had a SecY. */
  readonly snapshot: KaySnapshot | undefined;
}

export interface ControlServerParts extends Omit<PortParts, "remember" | "settings" | "snapshot"> {
  readonly memory: MkaMemory | undefined;
  /** Stores the state; takes over the keys of the snapshot, and wipes them. */
  readonly store?: (memory: MkaMemory) => void;
}

interface Pending {
  readonly token: string;
  readonly preview: string;
  readonly until: Instant;
  /** The order of the list is that of the rollback. */
  readonly undo: readonly Undo[];
  readonly over: AbortController;
}

const defaults: OwnSettings = {
  keyServerPriority: 16,
  sakRekeyMs: undefined,
  delayProtection: "off",
};
const settledMax = 64;

type Settled = "final" | "confirmed";

const refusals: Readonly<Record<PortRefusal, string>> = {
  cknInUse: "another CAK is here under this CKN",
  unknownCkn: "no CAK is here under this CKN",
  tooManyActors: "there are too many CAKs already",
  notKeyServer: "the other end makes the SAKs of this link",
  noSecy: "the port has no SecY yet",
};

/** Answers requests and runs the port; one for each process. */
export class MkaControlServer {
  readonly #parts: ControlServerParts;
  readonly #port: MkaPort;
  #pending: Pending | undefined;
  readonly #candidates: Candidates;
  readonly #settled = new Map<string, Settled>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: ControlServerParts) {
    const { memory, store, ...rest } = parts;
    this.#parts = parts;
    this.#candidates = new Candidates(parts.clock);
    const snapshot = memory?.snapshot;
    this.#port = new MkaPort({
      ...rest,
      settings: memory?.settings ?? defaults,
      ...(snapshot === undefined ? {} : { snapshot }),
      ...(store === undefined ? {} : { remember: () => store(this.#memory()) }),
    });
    if (memory?.pending !== undefined) {
      const { leftMs, ...pending } = memory.pending;
      this.#arm(pending, leftMs);
    }
  }

  /** Runs until the signal aborts; throws if the state of the SecY is not known any more. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#port.run(signal);
    } finally {
      this.#pending?.over.abort();
      this.#candidates.wipe();
    }
  }

  /** How many rounds the port has completed: at least one each second, while it runs. */
  get rounds(): number {
    return this.#port.rounds;
  }

  /** Records that a link of this host may have changed. */
  noteChange(): void {
    this.#port.noteChange();
  }

  /** Sends a last hello before a planned stop, so that the peer's life time begins anew. */
  async farewell(): Promise<void> {
    // An error here also ends `run`.
    await this.#port.command({ kind: "hello" }).catch(() => undefined);
  }

  #memory(): MkaMemory {
    const pending = this.#pending;
    const { settings } = this.#port;
    const snapshot = this.#port.snapshot();
    if (pending === undefined) return { settings, snapshot, pending };
    const { token, preview, until, undo } = pending;
    const leftMs = Math.max(0, until - this.#parts.clock.now());
    return { settings, snapshot, pending: { token, preview, leftMs, undo } };
  }

  #store(): void {
    this.#parts.store?.(this.#memory());
  }

  /**
   * Answers a request and wipes its octets. It never throws a LinksealError: a refusal is a reply.
   */
  async answer(octets: Uint8Array, gone: AbortSignal): Promise<MkaReply> {
    try {
      const request = readRequest(octets);
      try {
        const answer = await this.#answer(request, gone);
        return { kind: "done", body: encodeJson(answer) };
      } finally {
        wipeCak(request);
      }
    } catch (error) {
      return { kind: "refused", body: refusalBody(error, "linkseal-mka") };
    } finally {
      octets.fill(0);
    }
  }

  #answer(request: MkaRequest, gone: AbortSignal): Promise<object> {
    // An observation in the middle of a rollback would show the change as final.
    if (request.kind === "observe") return this.#alone(() => this.#observe());
    if (request.kind !== "changes") return this.#alone(() => this.#obeyRequest(request));
    return this.#changes(request.after, request.waitMs, gone);
  }

  // Requests are carried out one after the other, so that each observes the effects of those
  // before.
  #alone<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #changes(after: number, waitMs: number, gone: AbortSignal): Promise<object> {
    return { count: await this.#port.changes(after, waitMs, gone) };
  }

  async #obeyRequest(
    request: Exclude<MkaRequest, { kind: "observe" | "changes" }>,
  ): Promise<object> {
    const { token } = request;
    switch (request.kind) {
      case "stage":
        this.#candidates.put(token, request.place, request.operation);
        try {
          return { lines: (await this.#deeds(token)).map(lineOf) };
        } catch (error) {
          this.#candidates.drop(token);
          throw error;
        }
      case "apply":
        return await this.#apply(token, request.within);
      case "confirm":
        return this.#confirm(token);
      case "recall": {
        const pending = this.#pending;
        if (pending?.token !== token) return { kind: "absent" };
        return { kind: "pending", preview: pending.preview };
      }
      case "rollback":
        return await this.#rollback(token);
    }
  }

  /**
   * Returns what the staged change would do with the present state; the keys in it belong to the
   * staged change.
   */
  async #deeds(token: string): Promise<readonly Deed[]> {
    const parts = this.#candidates.get(token);
    if (parts === undefined) {
      throw refused("device.rejected", "that change is not prepared here any more");
    }
    const outcome = await this.#port.weigh((state) => outcomeOf(parts, state));
    if (outcome.kind === "deeds") return outcome.deeds;
    throw refused(outcome.refusal.code, outcome.refusal.text);
  }

  async #apply(token: string, within: Within): Promise<object> {
    if (this.#pending?.token === token || this.#settled.has(token)) return {};
    if (this.#pending !== undefined) {
      throw refused("device.locked", "another change waits for its confirm");
    }
    const deeds = await this.#deeds(token);
    if (within !== "final" && deeds.some(({ kind }) => kind === "remove")) {
      const text = "a key that is removed is gone: its removal does not wait for a confirm";
      throw refused("device.unsupported", text);
    }
    const undo = deeds.flatMap(undoOf).toReversed();
    const change = { token, preview: deeds.map(lineOf).join("\n"), undo };
    // Until the change is whole, its time is over: a successor of this process reverts it at once.
    if (within !== "final") this.#wait(change, 0);
    try {
      for (const deed of deeds) await this.#do(deed);
    } catch (error) {
      this.#pending = undefined;
      await this.#takeBack(undo);
      throw error;
    }
    this.#candidates.drop(token);
    if (within === "final") this.#settle(token, "final");
    else this.#arm(change, within);
    this.#store();
    return {};
  }

  async #do(deed: Deed): Promise<void> {
    switch (deed.kind) {
      case "add": {
        const { ckn, key: keys } = deed;
        return await this.#obey({ kind: "addActor", ckn, keys, role: "fallback" });
      }
      case "remove":
        return await this.#obey({ kind: "removeActor", ckn: deed.ckn });
      case "rekey":
        return await this.#obey({ kind: "rekeySak" });
      case "configure":
        return await this.#port.configure(deed.settings);
    }
  }

  async #obey(command: Parameters<MkaPort["command"]>[0]): Promise<void> {
    const why = await this.#port.command(command);
    if (why !== undefined) throw refused("device.rejected", refusals[why]);
  }

  #wait(change: Omit<PendingMemory, "leftMs">, leftMs: number): AbortController {
    const over = new AbortController();
    this.#pending = { ...change, until: instantAfter(this.#parts.clock.now(), leftMs), over };
    return over;
  }

  #arm(change: Omit<PendingMemory, "leftMs">, leftMs: number): void {
    const { clock, log } = this.#parts;
    const over = this.#wait(change, leftMs);
    const isOver = (): boolean => over.signal.aborted;
    const late = async (): Promise<void> => {
      // A change whose time is over is reverted before any request is answered.
      if (leftMs > 0) await clock.sleep(leftMs, over.signal).catch(() => undefined);
      await this.#alone(async () => {
        if (isOver()) return;
        log.write("warn", "commit-lost", "it was not confirmed in time and is reverted");
        await this.#revert();
      });
    };
    // An error here also ends `run`.
    late().catch(() => undefined);
  }

  #settle(token: string, how: Settled): void {
    this.#settled.set(token, how);
    const [oldest] = this.#settled.keys();
    if (this.#settled.size > settledMax && oldest !== undefined) this.#settled.delete(oldest);
  }

  #confirm(token: string): object {
    if (this.#pending?.token === token) {
      this.#pending.over.abort();
      this.#pending = undefined;
      this.#settle(token, "confirmed");
      this.#store();
    } else if (this.#settled.get(token) !== "confirmed") {
      throw refused("device.commitExpired", "there is nothing to confirm: it was taken back");
    }
    return {};
  }

  async #rollback(token: string): Promise<object> {
    if (this.#settled.has(token)) {
      throw refused("device.rejected", "a final change is not rolled back");
    }
    this.#candidates.drop(token);
    if (this.#pending?.token === token) await this.#revert();
    return {};
  }

  async #revert(): Promise<void> {
    const { over, undo } = this.#pending ?? { undo: [] };
    this.#pending = undefined;
    over?.abort();
    await this.#takeBack(undo);
    this.#store();
  }

  async #takeBack(undo: readonly Undo[]): Promise<void> {
    for (const one of undo) {
      if (one.kind === "configure") await this.#port.configure(one.settings);
      // The outcome is ignored: the key is gone in any case.
      else await this.#port.command({ kind: "removeActor", ckn: one.ckn });
    }
  }

  async #observe(): Promise<object> {
    const observed = await this.#port.observe();
    const pending = this.#pending?.token;
    if (observed.kind === "waiting") return { ...observed, pending };
    const { secy, kay, silence, clear } = observed;
    const { troubles: known, secyChanges: changes, ...rest } = kay;
    const troubles = [...known.map(troubleText), ...(silence === "long" ? [nothingReceived] : [])];
    const { name: device, sci } = secy;
    // The last key is never removed: if there is none, none was given since the process started.
    const keyLoss = rest.keys.length === 0 ? "restart" : undefined;
    const secyChanges = changes && { count: changes.count, last: changeText(changes.last) };
    return { kind: "bound", device, sci, ...rest, keyLoss, clear, troubles, secyChanges, pending };
  }
}

function undoOf(deed: Deed): readonly Undo[] {
  switch (deed.kind) {
    case "add":
      return [{ kind: "remove", ckn: deed.ckn }];
    case "configure":
      return [{ kind: "configure", settings: deed.former }];
    case "remove":
    case "rekey":
      return [];
  }
}

function wipeCak(request: MkaRequest): void {
  if (request.kind === "stage" && "key" in request.operation)
    request.operation.key[Symbol.dispose]();
}

function refused(code: ErrorCode, text: string): LinksealError {
  return new LinksealError(code, text, {
    effect: "none",
    where: "linkseal-mka",
    next: "linkseal links",
  });
}
