// The verbs of the MKA process. What is not confirmed in time it takes back by itself, whoever
// asked for it and whether or not he is still there.

import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import type { Ckn } from "#hal/model.ts";
import { type Instant, instantAfter } from "#hal/world.ts";
import { Malformed } from "../../local/shape.ts";
import { MkaPort, type OwnSettings, type PortParts, type PortRefusal } from "./port.ts";
import { type MkaReply, type MkaRequest, readRequest, type Within } from "./protocol.ts";
import type { KaySnapshot } from "./snapshot.ts";
import { nothingReceived, troubleText } from "./trouble-text.ts";

/** By name and by former value: nothing here holds a key. */
export type Undo =
  | { readonly kind: "remove"; readonly ckn: Ckn }
  | { readonly kind: "configure"; readonly settings: OwnSettings };

export interface PendingMemory {
  readonly token: string;
  readonly leftMs: number;
  readonly undo: readonly Undo[];
}

/** What a successor of this process needs. */
export interface MkaMemory {
  readonly settings: OwnSettings;
  readonly pending: PendingMemory | undefined;
  readonly snapshot: KaySnapshot | undefined;
}

export interface DeskParts extends Omit<PortParts, "remember" | "settings" | "snapshot"> {
  readonly memory: MkaMemory | undefined;
  /** Takes over the keys of the snapshot, and wipes them. */
  readonly store?: (memory: MkaMemory) => void;
}

interface Pending {
  readonly token: string;
  readonly until: Instant;
  /** What is undone first stands first. */
  readonly undo: readonly Undo[];
  readonly over: AbortController;
}

const defaults: OwnSettings = {
  keyServerPriority: 16,
  sakRekeyMs: undefined,
  delayProtection: "off",
};
const confirmedMax = 32;

const refusals: Readonly<Record<PortRefusal, { code: ErrorCode; text: string }>> = {
  cknInUse: { code: "device.rejected", text: "another CAK is here under this CKN" },
  unknownCkn: { code: "device.rejected", text: "no CAK is here under this CKN" },
  tooManyActors: { code: "device.rejected", text: "there are four CAKs already" },
  cakLength: { code: "device.rejected", text: "a CAK has 16 or 32 octets" },
  notKeyServer: { code: "device.unsupported", text: "the other end makes the SAKs of this link" },
  noSecy: { code: "device.rejected", text: "the port has no SecY yet" },
};

export class MkaDesk {
  readonly #parts: DeskParts;
  readonly #port: MkaPort;
  #pending: Pending | undefined;
  #confirmed: readonly string[] = [];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: DeskParts) {
    const { memory, store, ...rest } = parts;
    this.#parts = parts;
    const snapshot = memory?.snapshot;
    this.#port = new MkaPort({
      ...rest,
      settings: memory?.settings ?? defaults,
      ...(snapshot === undefined ? {} : { snapshot }),
      ...(store === undefined ? {} : { remember: () => store(this.#memory()) }),
    });
    if (memory?.pending !== undefined) {
      const { token, leftMs, undo } = memory.pending;
      this.#arm(token, leftMs, undo);
    }
  }

  /** Ends by the signal, or throws what nobody can go on after. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#port.run(signal);
    } finally {
      this.#pending?.over.abort();
    }
  }

  /** Some link of this host is another than before. */
  hint(): void {
    this.#port.hint();
  }

  /** Before a planned end: the peer's patience begins anew. */
  async farewell(): Promise<void> {
    // What breaks here ends `run`.
    await this.#port.command({ kind: "hello" }).catch(() => undefined);
  }

  #memory(): MkaMemory {
    const pending = this.#pending;
    const { settings } = this.#port;
    const snapshot = this.#port.snapshot();
    if (pending === undefined) return { settings, snapshot, pending };
    const { token, until, undo } = pending;
    const leftMs = Math.max(0, until - this.#parts.clock.now());
    return { settings, snapshot, pending: { token, leftMs, undo } };
  }

  #store(): void {
    this.#parts.store?.(this.#memory());
  }

  /** Never throws a LinksealError: a refusal is an answer. Wipes the octets. */
  async answer(octets: Uint8Array, gone: AbortSignal): Promise<MkaReply> {
    try {
      const request = readRequest(octets);
      try {
        const answer = await this.#answer(request, gone);
        return { kind: "done", body: encodeJson(answer) };
      } finally {
        if (request.kind === "add") request.cak[Symbol.dispose]();
      }
    } catch (error) {
      return refusalOf(error);
    } finally {
      octets.fill(0);
    }
  }

  #answer(request: MkaRequest, gone: AbortSignal): Promise<object> {
    if (request.kind === "observe") return this.#observe();
    if (request.kind !== "changes") return this.#alone(() => this.#obeyRequest(request));
    return this.#changes(request.after, request.waitMs, gone);
  }

  // Of two that come at once the second sees what the first left.
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
    switch (request.kind) {
      case "add":
        return await this.#add(request);
      case "configure":
        return await this.#configure(request);
      case "confirm":
        return this.#confirm(request.token);
      case "recall":
        return { kind: this.#pending?.token === request.token ? "pending" : "absent" };
      case "rollback":
        return await this.#rollback(request.token);
      case "remove":
        this.#mustBeFree(undefined);
        return await this.#obey({ kind: "removeActor", ckn: request.ckn });
      case "promote":
        this.#mustBeFree(undefined);
        return await this.#obey({ kind: "promoteActor", ckn: request.ckn });
      case "rekey":
        return await this.#obey({ kind: "rekeySak" });
    }
  }

  async #obey(command: Parameters<MkaPort["command"]>[0]): Promise<object> {
    const why = await this.#port.command(command);
    if (why === undefined) return {};
    throw refused(refusals[why].code, refusals[why].text);
  }

  async #add({ token, within, role, ckn, cak }: MkaRequest & { kind: "add" }): Promise<object> {
    this.#mustBeFree(token);
    const has = await this.#port.holds(ckn, cak);
    if (has === "other") throw refused(refusals.cknInUse.code, refusals.cknInUse.text);
    // Asked again after an answer that was lost.
    if (has === "same") return {};
    const done = await this.#obey({ kind: "addActor", ckn, cak, role });
    this.#note(token, within, { kind: "remove", ckn });
    return done;
  }

  async #configure(request: MkaRequest & { kind: "configure" }): Promise<object> {
    const { token, within, settings } = request;
    this.#mustBeFree(token);
    const former = this.#port.settings;
    await this.#port.configure(settings);
    if (encodeJson(former) !== encodeJson(settings)) {
      this.#note(token, within, { kind: "configure", settings: former });
    }
    return {};
  }

  #mustBeFree(token: string | undefined): void {
    if (this.#pending === undefined || this.#pending.token === token) return;
    throw refused("device.locked", "another change waits for its confirm");
  }

  #note(token: string, within: Within, undo: Undo): void {
    if (within === "final") return;
    const before = this.#pending?.undo ?? [];
    this.#pending?.over.abort();
    this.#arm(token, within, [undo, ...before]);
    this.#store();
  }

  #arm(token: string, leftMs: number, undo: readonly Undo[]): void {
    const { clock, log } = this.#parts;
    const over = new AbortController();
    this.#pending = { token, until: instantAfter(clock.now(), leftMs), undo, over };
    const isOver = (): boolean => over.signal.aborted;
    const late = async (): Promise<void> => {
      await clock.sleep(leftMs, over.signal).catch(() => undefined);
      await this.#alone(async () => {
        if (isOver()) return;
        log.write("warn", "commit-lost", "nobody confirmed it in time: it is taken back");
        await this.#undo();
      });
    };
    // What breaks here ends `run`.
    late().catch(() => undefined);
  }

  #confirm(token: string): object {
    if (this.#pending?.token === token) {
      this.#pending.over.abort();
      this.#pending = undefined;
      this.#confirmed = [...this.#confirmed.slice(-confirmedMax), token];
      this.#store();
    } else if (!this.#confirmed.includes(token)) {
      throw refused("device.commitExpired", "there is nothing to confirm: it was taken back");
    }
    return {};
  }

  async #rollback(token: string): Promise<object> {
    if (this.#pending?.token === token) await this.#undo();
    return {};
  }

  async #undo(): Promise<void> {
    const { over, undo } = this.#pending ?? { undo: [] };
    this.#pending = undefined;
    over?.abort();
    for (const one of undo) {
      if (one.kind === "configure") await this.#port.configure(one.settings);
      // Whether it was there any more or not, it is gone.
      else await this.#port.command({ kind: "removeActor", ckn: one.ckn });
    }
    this.#store();
  }

  async #observe(): Promise<object> {
    const seen = await this.#port.observe();
    const pending = this.#pending?.token;
    if (seen.kind === "waiting") return { ...seen, pending };
    const { secy, kay, silence } = seen;
    const { troubles: known, ...rest } = kay;
    const troubles = [...known.map(troubleText), ...(silence === "long" ? [nothingReceived] : [])];
    const { name: device, sci } = secy;
    return { kind: "bound", device, sci, ...rest, troubles, pending };
  }
}

function refused(code: ErrorCode, text: string): LinksealError {
  return new LinksealError(code, text, {
    effect: "none",
    where: "linkseal-mka",
    next: "linkseal links",
  });
}

function refusalOf(error: unknown): MkaReply {
  if (error instanceof LinksealError) {
    const { code, effect, message: text, where, next } = error;
    return { kind: "refused", body: encodeJson({ code, effect, text, where, next }) };
  }
  if (!(error instanceof Malformed)) throw error;
  const text = `linkseal-mka does not understand the request at: ${error.message}`;
  const next = "run linkseal and linkseal-mka in the same version";
  const told = { code: "device.rejected", effect: "none", text, where: "linkseal-mka", next };
  return { kind: "refused", body: encodeJson(told) };
}
