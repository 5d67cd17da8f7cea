// One change of tunnels of this host: blocks first, then the exchanges with the gateway, then the
// interface; and what becomes of it if a part fails.

import type { PortChange, Transaction } from "#hal/device.ts";
import { type Effect, LinksealError, withEffect } from "#hal/error.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { LocalSession } from "../../local/device.ts";
import type { TunnelOperation } from "../net/tunnel-operation.ts";
import {
  bringUp,
  type Charon,
  endOlder,
  forget,
  isUnloaded,
  isUp,
  load,
  loadSecret,
  observeCharon,
  rekey,
  renew,
  stands,
  withCharon,
} from "./charon.ts";
import type { CharonMonitor } from "./charon-monitor.ts";
import { type Credentials, sharedSecrets } from "./credentials.ts";
import { applyInTurn, prepareNet } from "./net-change.ts";

/** The parts of a host's IPsec driver. */
export interface IpsecParts {
  /** The session with linkseal-net. */
  readonly session: LocalSession;
  /** How charon is reached. */
  readonly charon: Charon;
  /** The listener for charon's events. */
  readonly monitor: CharonMonitor;
}

/** The changes of a device that concern tunnels. */
export type TunnelChange = Extract<PortChange, { readonly kind: `ipsec.${string}` }>;

/** Returns true if the change concerns a tunnel. */
export const isTunnelChange = (operation: PortChange): operation is TunnelChange =>
  operation.kind.startsWith("ipsec.");

/** The credentials of a tunnel while its change is applied. */
export interface Held {
  readonly spec: TunnelSpec;
  readonly credentials: Credentials;
}

interface Spi {
  readonly spi: number;
}

/** The parts of linkseal-net in a change. */
interface NetParts {
  /** The blocks, which are final; undefined = there are none. */
  readonly guard: Transaction | undefined;
  /** The interfaces. */
  readonly net: Transaction;
}

/** Applies, confirms and takes back one change. */
export class TunnelAct {
  readonly #parts: IpsecParts;
  readonly #change: readonly TunnelChange[];
  readonly #guard: Transaction | undefined;
  readonly #net: Transaction;
  /** Tunnels that charon did not know before, and that had no SA. */
  readonly #fresh = new Set<string>();
  /** Tunnels that had no SA to carry traffic. */
  readonly #dark = new Set<string>();
  readonly #stale = new Map<TunnelSpec, readonly Spi[]>();

  constructor(parts: IpsecParts, change: readonly TunnelChange[], { guard, net }: NetParts) {
    this.#parts = parts;
    this.#change = change;
    this.#guard = guard;
    this.#net = net;
  }

  /**
   * The blocks come first and stay. What takes long, the exchanges with the gateway, comes before
   * the interface, so that linkseal-net has its only lock for a moment.
   */
  async apply(held: readonly Held[], within: number | "final", signal: AbortSignal): Promise<void> {
    await this.#refuseRekey(signal);
    await this.#guard?.apply("final", signal);
    try {
      for (const operation of this.#change) await this.#carry(operation, held, within, signal);
    } catch (error) {
      throw await this.#undone(error, signal);
    }
    try {
      await applyInTurn(this.#parts.charon.clock, this.#net, within, signal);
    } catch (error) {
      throw await this.#undone(error, signal);
    }
    try {
      for (const spec of this.#specs) this.#stale.set(spec, await this.#staleSas(spec, signal));
      if (within === "final") await this.#endStale(signal);
    } catch (error) {
      // The interface of a final change is there.
      throw within === "final" ? error : await this.#undone(error, signal);
    }
  }

  get #specs(): readonly TunnelSpec[] {
    return this.#change.flatMap((operation) =>
      operation.kind === "ipsec.putTunnel" ? [operation.tunnel] : [],
    );
  }

  /**
   * Takes back what a failed change did, because the caller may not do it, and returns the error
   * with the effect that is left: blocks stay, and a tunnel that existed before keeps its SAs.
   */
  async #undone(error: unknown, signal: AbortSignal): Promise<unknown> {
    if (signal.aborted || !(error instanceof LinksealError)) return error;
    const isFresh = this.#specs.every(({ name }) => this.#fresh.has(name));
    try {
      await this.rollback(signal);
    } catch (cause) {
      if (!(cause instanceof LinksealError)) throw cause;
      return withEffect(error, "unknown", `it could not be taken back: ${cause.message}`);
    }
    if (this.#specs.length === 0) return error;
    if (isFresh) {
      const isBlocked = this.#guard !== undefined && this.#guard.preview !== "";
      return isBlocked
        ? withEffect(error, "applied", "the block of what it protects was left in place")
        : withEffect(error, "none");
    }
    if (error.effect !== "applied") return error;
    const isDark = this.#specs.every(({ name }) => this.#dark.has(name));
    const sas = isDark ? "it had no SAs" : "its present SAs go on";
    const left = `${sas}, and charon has the new settings for the next ones`;
    return withEffect(error, "applied", left);
  }

  /** A rekey of a tunnel that does not exist must not look done. */
  async #refuseRekey(signal: AbortSignal): Promise<void> {
    const rekeys = this.#change.flatMap((operation) =>
      operation.kind === "ipsec.rekey" ? operation : [],
    );
    if (rekeys.length === 0) return;
    const { sas } = await this.#charon(signal, (client) => observeCharon(client, signal));
    for (const { name, what } of rekeys) {
      const own = sas.filter((sa) => sa.name === name);
      if (own.length === 0) {
        const text = `there is no tunnel ${name} that could be rekeyed; nothing was changed`;
        throw rejected(text, name, "none");
      }
      if (what !== "reauthenticate" || own.every(({ version }) => version === "v2")) continue;
      // charon moves the child SAs into the new IKE SA before that has authenticated.
      const why = `a refused new authentication of IKEv1 would end the SAs of ${name}`;
      throw rejected(`${why}; nothing was changed`, name, "none");
    }
  }

  async #carry(
    operation: TunnelChange,
    held: readonly Held[],
    within: number | "final",
    signal: AbortSignal,
  ): Promise<void> {
    switch (operation.kind) {
      case "ipsec.block":
        return;
      case "ipsec.putTunnel":
        await this.#put(operation.tunnel, held, signal);
        return;
      case "ipsec.removeTunnel":
        // Before the change is confirmed, the tunnel's SAs are all that could bring it back.
        if (within === "final") await this.#forget(operation.name, signal);
        return;
      case "ipsec.rekey":
        await this.#charon(signal, (client) =>
          rekey(this.#parts.charon, client, operation.name, operation.what, signal),
        );
    }
  }

  async #put(spec: TunnelSpec, held: readonly Held[], signal: AbortSignal): Promise<void> {
    const credentials = held.find((one) => one.spec === spec)?.credentials;
    await this.#charon(signal, async (client) => {
      const before = await observeCharon(client, signal, spec.name);
      if (!before.connections.has(spec.name) && !isUp(spec, before)) this.#fresh.add(spec.name);
      if (!isUp(spec, before)) this.#dark.add(spec.name);
      if (stands(spec, before)) {
        await endOlder(this.#parts.charon, client, spec, before, signal);
        // Charon does not report which version of the secret it has, and loading the same one twice
        // has no effect.
        if (credentials === undefined) return;
        if (credentials.certificates === undefined) {
          for (const message of sharedSecrets(spec, credentials)) {
            await loadSecret(client, spec, message, signal);
          }
          return;
        }
        return await renew(this.#parts.charon, client, spec, credentials, signal);
      }
      if (isUnloaded(spec, before) && credentials !== undefined) {
        // Its SAs are as wanted: only what would make their successors is missing.
        return await load(client, spec, credentials, signal);
      }
      if (credentials === undefined) {
        // A second apply: the work of the first one is there, or has failed in a way that a key
        // does not mend.
        const text = `the tunnel ${spec.name}: its key is no longer kept: prepare it again`;
        throw rejected(text, spec.name, "none");
      }
      // The SAs that carry traffic go on until the new ones do, or as long as the gateway refuses
      // those.
      const make = isUp(spec, before) ? renew : bringUp;
      await make(this.#parts.charon, client, spec, credentials, signal);
    });
  }

  /**
   * Finds what a charon that died left in the kernel: SAs that no IKE SA owns and nothing rekeys.
   * The kernel is asked first, because charon knows by its later answer all SAs that the kernel has
   * by then.
   */
  async #staleSas({ name }: TunnelSpec, signal: AbortSignal): Promise<readonly Spi[]> {
    const { ipsec } = await this.#parts.session.observe(signal);
    const { sas } = await this.#charon(signal, (client) => observeCharon(client, signal));
    const children = sas.flatMap((sa) => sa.children);
    const owned = new Set(children.flatMap(({ spiIn, spiOut }) => [spiIn, spiOut]));
    // While no IKE SA is up, the stale SAs are all that carries the traffic.
    if (!sas.some((sa) => sa.name === name && sa.children.length > 0)) return [];
    const tunnel = ipsec.find((one) => one.name === name);
    const there = tunnel?.sas.kind === "known" ? tunnel.sas.value : [];
    return there.flatMap(({ spi }) => (owned.has(spi) ? [] : [{ spi }]));
  }

  async confirm(signal: AbortSignal): Promise<void> {
    await this.#net.confirm(signal);
    for (const operation of this.#change) {
      if (operation.kind === "ipsec.removeTunnel") await this.#forget(operation.name, signal);
    }
    await this.#endStale(signal);
  }

  /**
   * Ends only SAs that had no owner in two observations, because an observation may fall into the
   * middle of a rekey.
   */
  async #endStale(signal: AbortSignal): Promise<void> {
    const parts: TunnelOperation[] = [];
    for (const [spec, before] of this.#stale) {
      if (before.length === 0) continue;
      const now = await this.#staleSas(spec, signal);
      const sas = before.filter(({ spi }) => now.some((one) => one.spi === spi));
      parts.push({ kind: "ipsec.sweep", name: spec.name, ifId: spec.ifId, sas });
    }
    this.#stale.clear();
    if (parts.length === 0) return;
    const { session } = this.#parts;
    const net = await prepareNet(session, parts, signal);
    await applyInTurn(this.#parts.charon.clock, net, "final", signal);
  }

  async rollback(signal: AbortSignal): Promise<void> {
    // The connection goes before the interface; otherwise it would come back without one.
    for (const name of this.#fresh) await this.#forget(name, signal);
    await this.#net.rollback(signal);
  }

  async #forget(name: string, signal: AbortSignal): Promise<void> {
    await this.#charon(signal, (client) => forget(client, name, signal));
  }

  #charon<T>(signal: AbortSignal, use: Parameters<typeof withCharon<T>>[2]): Promise<T> {
    return withCharon(this.#parts.charon, signal, use);
  }
}

function rejected(text: string, where: string, effect: Effect): LinksealError {
  const details = { effect, where, next: "linkseal tunnels" } as const;
  return new LinksealError("device.rejected", text, details);
}
