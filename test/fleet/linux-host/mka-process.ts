// The MKA process of a port, as its clients see it, over a simulated router: one change waits at a
// time, is reverted by the router's own timer, and a second apply of it changes nothing.

import {
  type MkaReply,
  type MkaRequest,
  type RequestedOperation,
  readRequest,
  type Within,
  writeReply,
} from "#drivers/linux/mka/protocol.ts";
import type { SecyWish } from "#drivers/linux/net/operation.ts";
import { refusalBody } from "#drivers/local/wire.ts";
import type { Device, KeyResolver, PortChange, Transaction } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { type Ckn, type MacsecPort, type PortName, strongValue } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { SimClock } from "#sim/base/clock.ts";
import { never } from "../../unit/kit/site-bench.ts";

/** A staged operation, with octets of its own in place of the secret. */
type Staged =
  | { readonly kind: "add" | "replace"; readonly ckn: Ckn; readonly cak: Uint8Array }
  | Exclude<RequestedOperation, { readonly key: Secret }>;

interface Pending {
  readonly token: string;
  readonly transaction: Transaction;
}

export class SimMkaProcess {
  /** Requests for an effect that arrived whole, in order. */
  readonly effects: string[] = [];
  readonly #device: Device;
  readonly #port: PortName;
  readonly #clock: SimClock;
  readonly #staged = new Map<string, Staged[]>();
  readonly #settled = new Map<string, "final" | "confirmed">();
  #pending: Pending | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  readonly #secy: () => SecyWish | undefined;

  /** `secy`: what linkseal-net was asked for; both parts of it arrive at the router together. */
  constructor(device: Device, port: PortName, clock: SimClock, secy: () => SecyWish | undefined) {
    this.#device = device;
    this.#port = port;
    this.#clock = clock;
    this.#secy = secy;
  }

  /** Answers one framed request. */
  async answer(octets: Uint8Array): Promise<Uint8Array> {
    return writeReply(await this.#reply(readRequest(octets)));
  }

  async #reply(request: MkaRequest): Promise<MkaReply> {
    try {
      if (request.kind === "changes") {
        await this.#clock.sleep(request.waitMs);
        return { kind: "done", body: encodeJson({ count: request.after }) };
      }
      const turn = this.#turn.then(() => this.#obey(request));
      this.#turn = turn.catch(() => undefined);
      return { kind: "done", body: encodeJson(await turn) };
    } catch (error) {
      return { kind: "refused", body: refusalBody(error, "linkseal-mka") };
    }
  }

  async #obey(request: Exclude<MkaRequest, { readonly kind: "changes" }>): Promise<object> {
    if (request.kind === "observe") return await this.#observe();
    const { token } = request;
    const pending = await this.#waiting();
    switch (request.kind) {
      case "stage":
        return this.#stage(token, request.place, request.operation);
      case "apply":
        return await this.#apply(token, request.within);
      case "recall":
        if (pending?.token !== token) return { kind: "absent" };
        return { kind: "pending", preview: pending.transaction.preview };
      case "confirm":
        if (pending?.token === token) {
          this.effects.push(`confirm ${token}`);
          await pending.transaction.confirm(never);
          this.#pending = undefined;
          this.#settled.set(token, "confirmed");
        } else if (this.#settled.get(token) !== "confirmed") {
          throw refused("device.commitExpired", "there is nothing to confirm: it was taken back");
        }
        return {};
      case "rollback":
        if (this.#settled.has(token)) throw refused("device.rejected", "it is final");
        this.#staged.delete(token);
        if (pending?.token === token) {
          await pending.transaction.rollback(never);
          this.#pending = undefined;
        }
        return {};
    }
  }

  /** The change that waits; the router may have reverted it by its timer. */
  async #waiting(): Promise<Pending | undefined> {
    if (this.#pending === undefined) return undefined;
    const recalled = await this.#device.recall(this.#pending.transaction.token, never);
    if (recalled.kind === "absent") this.#pending = undefined;
    return this.#pending;
  }

  #stage(token: string, place: number, operation: RequestedOperation): object {
    const all = this.#staged.get(token) ?? [];
    this.#staged.set(token, all);
    if ("key" in operation) {
      const { kind, ckn } = operation;
      all[place] = { kind, ckn, cak: operation.key.use((octets) => Uint8Array.from(octets)) };
      operation.key[Symbol.dispose]();
    } else all[place] = operation;
    return { lines: all.map((one) => ("ckn" in one ? `${one.kind} ${one.ckn}` : one.kind)) };
  }

  async #apply(token: string, within: Within): Promise<object> {
    if (this.#pending?.token === token || this.#settled.has(token)) return {};
    if (this.#pending !== undefined) throw refused("device.locked", "another change waits");
    const staged = this.#staged.get(token);
    if (staged === undefined) throw refused("device.rejected", "it is not prepared here any more");
    this.effects.push(`apply ${token}`);
    const { keys = [] } = await this.#read();
    const change = staged.flatMap((one) => this.#operation(one, keys));
    const caks = staged.flatMap((one) => ("cak" in one ? [[one.ckn, one.cak] as const] : []));
    const held = new Map(caks);
    const resolver: KeyResolver = async (ref) => {
      const cak = ref.kind === "cak" ? held.get(ref.key.ckn) : undefined;
      if (cak === undefined) throw new Error("no such key was staged");
      return Secret.take("cak", cak.slice());
    };
    const transaction = await this.#device.prepare(change, resolver, never);
    await transaction.apply(within, never);
    this.#staged.delete(token);
    if (within === "final") this.#settled.set(token, "final");
    else this.#pending = { token, transaction };
    return {};
  }

  #operation(staged: Staged, keys: readonly Ckn[]): readonly PortChange[] {
    const port = this.#port;
    switch (staged.kind) {
      case "add":
      case "replace": {
        const { ckn } = staged;
        // Only octets of the request count: the simulated router resolves the key by this name.
        const key = { ckn, cakSecretId: `staged/${ckn}`, cknSecretId: `staged/${ckn}` };
        if (keys.includes(ckn)) return [];
        if (staged.kind === "replace") return [{ kind: "macsec.replaceKey", port, key }];
        const role = keys.length === 0 ? "primary" : "fallback";
        return [{ kind: "macsec.addKey", port, key, role }];
      }
      case "remove":
        return keys.includes(staged.ckn)
          ? [{ kind: "macsec.removeKey", port, ckn: staged.ckn }]
          : [];
      case "rekey":
        return [{ kind: "macsec.rekeySak", port }];
      case "configure": {
        const secy = this.#secy();
        if (secy === undefined) return [];
        const { keyServerPriority, sakRekeyMs } = staged.settings;
        const own = { policy: "mustSecure", confidentialityOffset: 0 } as const;
        const settings = { ...secy, ...own, keyServerPriority, sakRekeyMs };
        return [{ kind: "macsec.protect", port, settings }];
      }
    }
  }

  async #read(): Promise<{ readonly port?: MacsecPort; readonly keys?: readonly Ckn[] }> {
    const { macsec } = await this.#device.observe(never);
    const port = macsec.find(({ port: name }) => name === this.#port);
    if (port === undefined) return {};
    return { port, keys: (strongValue(port.keys) ?? []).map(({ ckn }) => ckn) };
  }

  async #observe(): Promise<object> {
    const pending = (await this.#waiting())?.token;
    const { port } = await this.#read();
    const settings = port && strongValue(port.settings);
    if (port === undefined || settings === undefined) {
      return { kind: "waiting", because: "noSecy", pending };
    }
    return {
      ...{ kind: "bound", device: "ms-port", sci: "0200000000010001", settings, pending },
      ...{ liveSuite: strongValue(port.liveSuite), keys: strongValue(port.keys), troubles: [] },
      ...{ session: strongValue(port.session), mkpdus: strongValue(port.mkpdus) },
      clear: strongValue(port.frames)?.rxClear,
    };
  }
}

function refused(code: ErrorCode, text: string): LinksealError {
  const details = { effect: "none", where: "linkseal-mka", next: "linkseal links" } as const;
  return new LinksealError(code, text, details);
}
