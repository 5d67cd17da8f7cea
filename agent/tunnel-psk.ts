// The pre-shared keys of tunnels: a newer version in the vault waits until somebody has given it to
// the gateway, is proven by a fresh authentication, and goes back where the gateway refuses it.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, type IpsecTunnel, strongValue } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import { withinOf } from "./campaign/effects.ts";
import type { Desired, DesiredTunnel } from "./desired.ts";
import {
  type JournalRecord,
  type Memory,
  type NextPsk,
  named,
  type TunnelPsk,
} from "./journal/memory.ts";
import type { Lookout } from "./lookout.ts";
import { tunnelSpec } from "./plan.ts";
import { newerPsk } from "./vault.ts";

export interface TunnelPsksParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly desired: Desired;
  readonly lookout: Pick<Lookout, "look" | "state" | "failure" | "device">;
  readonly vault: KeyVault;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** How a tunnel's pre-shared key stands: ids of versions, never a value. */
export interface PskReport {
  readonly tunnel: string;
  /** null = linkseal did not set this tunnel up. */
  readonly secretId: string | null;
  readonly next: NextPsk | null;
}

/** The vault is asked for newer versions this often. */
const vaultMs = 300_000;
/** A gateway that takes the key in use no more is tried with the next one this often. */
const retryMs = 60_000;
const effectMsMax = 60_000;
/** A fresh authentication has shown new SAs by then, or was refused. */
const proofMs = 30_000;
const pollMs = 1_000;

const waits = "a person must give it to the gateway";

export class TunnelPsks {
  readonly #parts: TunnelPsksParts;
  /** Devices on which a key is being changed now. */
  readonly #busy = new Set<string>();
  readonly #askedAt = new Map<string, Instant>();
  readonly #triedAt = new Map<string, Instant>();

  constructor(parts: TunnelPsksParts) {
    this.#parts = parts;
  }

  /** Nobody else may write there meanwhile. */
  isBusy(device: string): boolean {
    return this.#busy.has(device);
  }

  reports(): readonly PskReport[] {
    return this.#tunnels().map((tunnel) => this.#report(tunnel));
  }

  /** Ends what a predecessor began, and notices newer versions. */
  async turn(signal: AbortSignal): Promise<void> {
    for (const tunnel of this.#tunnels()) {
      try {
        await this.#tend(tunnel, signal);
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        const { world } = this.#parts;
        world.log.write("warn", error.code, error.message, { device: tunnel.device });
      }
    }
  }

  /**
   * The gateway has the newer version now: ours follows, with the SAs that stand until a fresh
   * authentication has made others. Throws `gate.*` before anything is sent, `verify.mismatch` where
   * the gateway refuses it and the old one is back.
   */
  async proceed(tunnel: DesiredTunnel, by: string, signal: AbortSignal): Promise<PskReport> {
    const psk = named(this.#parts.memory().psks, tunnel.name);
    if (psk === undefined) {
      const why = "linkseal did not set it up, and does not know which version it runs on";
      throw refusal("gate.busy", tunnel.name, why, `linkseal tunnels ${tunnel.name}`);
    }
    await this.#notice(tunnel, psk, signal);
    const known = named(this.#parts.memory().psks, tunnel.name) ?? psk;
    if (known.next === undefined) {
      const why = "the vault has no version that is newer than the one in use";
      throw refusal("gate.busy", tunnel.name, why, "linkseal psk show");
    }
    await this.#guard(tunnel, signal);
    await this.#switch(tunnel, known, { ...known.next, by }, signal);
    return this.#report(tunnel);
  }

  #tunnels(): readonly DesiredTunnel[] {
    return this.#parts.desired.tunnels.filter(({ auth }) => auth.kind === "psk");
  }

  #report({ name }: DesiredTunnel): PskReport {
    const psk = named(this.#parts.memory().psks, name);
    return { tunnel: name, secretId: psk?.secretId ?? null, next: psk?.next ?? null };
  }

  async #tend(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { memory, lookout, world } = this.#parts;
    const psk = named(memory().psks, tunnel.name);
    if (psk === undefined || named(memory().pending, tunnel.device) !== undefined) return;
    const state = lookout.state(tunnel.device);
    if (state === undefined || lookout.failure(tunnel.device) !== undefined) return;
    const now = world.clock.now();
    const { next } = psk;
    if (next?.state === "switching") return await this.#retry(tunnel, psk, next, now, signal);
    if (now - (this.#askedAt.get(tunnel.name) ?? Number.NEGATIVE_INFINITY) >= vaultMs) {
      await this.#notice(tunnel, psk, signal);
    }
    // With no SA left there is nothing to lose: the gateway may have the new one already.
    const seen = tunnelIn(state, tunnel);
    const isRefused = seen?.trouble !== undefined && strongValue(seen.ike) !== "established";
    if (next !== undefined && isRefused) await this.#retry(tunnel, psk, next, now, signal);
  }

  async #retry(
    tunnel: DesiredTunnel,
    psk: TunnelPsk,
    next: NextPsk,
    now: Instant,
    signal: AbortSignal,
  ): Promise<void> {
    if (now - (this.#triedAt.get(tunnel.name) ?? Number.NEGATIVE_INFINITY) < retryMs) return;
    this.#triedAt.set(tunnel.name, now);
    await this.#switch(tunnel, psk, next, signal);
  }

  async #notice(tunnel: DesiredTunnel, psk: TunnelPsk, signal: AbortSignal): Promise<void> {
    const { vault, world } = this.#parts;
    this.#askedAt.set(tunnel.name, world.clock.now());
    const now = world.clock.wall();
    const inUse = psk.secretId;
    const newest = await newerPsk(vault, tunnel.auth.secret, { now, inUse }, signal);
    if (newest === psk.next?.secretId) return;
    if (newest === undefined) return await this.#write(tunnel, { secretId: inUse });
    const next = { secretId: newest, state: "waiting", since: now, because: waits } as const;
    await this.#write(tunnel, { secretId: inUse, next });
  }

  async #guard({ name, device }: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { lookout, memory } = this.#parts;
    const state = await lookout.look(device, signal);
    if (state === undefined) {
      throw refusal("gate.stale", name, `${device} cannot be read`, "linkseal status");
    }
    const isPending =
      named(memory().pending, device) !== undefined ||
      strongValue(state.control)?.commitPending !== false;
    if (!isPending) return;
    const why = `a change of ${device} is not confirmed yet`;
    throw refusal("gate.busy", name, why, `linkseal psk proceed ${name}`);
  }

  async #switch(
    tunnel: DesiredTunnel,
    { secretId: old }: TunnelPsk,
    next: NextPsk,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, device } = tunnel;
    const { secretId } = next;
    const since = this.#parts.world.clock.wall();
    const because = "it is told to the router, and not proven yet";
    const begun = { ...next, state: "switching", since, because } as const;
    await this.#write(tunnel, { secretId: old, next: begun });
    this.#busy.add(device);
    try {
      await this.#take(tunnel, secretId, signal);
    } catch (error) {
      // An agent that ends, or a router that does not answer, leaves it to the next turn.
      if (!(error instanceof LinksealError) || error.code.startsWith("transport.")) throw error;
      await this.#commit(tunnel, [putOf(tunnel, old)], signal);
      const isRefused = error.code === "device.rejected" || error.code === "verify.timeout";
      const text = isRefused ? `the gateway refuses it: ${error.message}` : error.message;
      const back = { ...begun, state: "waiting", because: text } as const;
      await this.#write(tunnel, { secretId: old, next: back });
      const said = `${name} keeps its old key, and its SAs: ${text}`;
      const todo = `give the gateway the newer version, then linkseal psk proceed ${name}`;
      const details = { effect: "none", where: name, next: todo, cause: error } as const;
      throw new LinksealError("verify.mismatch", said, details);
    } finally {
      this.#busy.delete(device);
    }
    await this.#write(tunnel, { secretId });
  }

  /** Resolves once SAs stand that no look has shown before. */
  async #take(tunnel: DesiredTunnel, secretId: string, signal: AbortSignal): Promise<void> {
    const before = await this.#sasOf(tunnel, signal);
    await this.#commit(tunnel, [putOf(tunnel, secretId)], signal);
    if (before.size > 0) {
      const rekey = { kind: "ipsec.rekey", name: tunnel.name, what: "reauthenticate" } as const;
      await this.#commit(tunnel, [rekey], signal);
    }
    const { clock } = this.#parts.world;
    for (let over = 0; over < proofMs; over += pollMs) {
      const now = await this.#sasOf(tunnel, signal);
      if ([...now].some((spi) => !before.has(spi))) return;
      await clock.sleep(pollMs, signal);
    }
    const text = `no new SA of ${tunnel.name} came up within ${proofMs / 1_000} s`;
    throw new LinksealError("verify.timeout", text, {
      effect: "applied",
      where: tunnel.name,
      next: `linkseal tunnels ${tunnel.name}`,
    });
  }

  /** SPIs of what an established IKE SA receives by. */
  async #sasOf(tunnel: DesiredTunnel, signal: AbortSignal): Promise<ReadonlySet<number>> {
    const state = await this.#parts.lookout.look(tunnel.device, signal);
    if (state === undefined) {
      const text = `${tunnel.device} cannot be read`;
      const details = { effect: "unknown", where: tunnel.name, next: "linkseal status" } as const;
      throw new LinksealError("transport.unreachable", text, details);
    }
    const seen = tunnelIn(state, tunnel);
    if (seen === undefined || strongValue(seen.ike) !== "established") return new Set();
    const sas = strongValue(seen.sas) ?? [];
    return new Set(sas.flatMap(({ direction, spi }) => (direction === "in" ? [spi] : [])));
  }

  async #commit(
    { device: where }: DesiredTunnel,
    change: DeviceChange,
    signal: AbortSignal,
  ): Promise<void> {
    const { lookout, world, keys, desired, write } = this.#parts;
    const bounded = <T>(effect: "none" | "unknown", act: (signal: AbortSignal) => Promise<T>) =>
      withDeadline(world.clock, { ms: effectMsMax, where, effect }, signal, act);
    const device = await bounded("none", (limit) => lookout.device(where, limit));
    const transaction = await bounded("none", (limit) =>
      device.prepare(change, keys(limit), limit),
    );
    await write({ kind: "pending", device: where, token: transaction.token });
    const within = withinOf(device.capabilities.commit, desired.rotation.confirmMs);
    try {
      await bounded("unknown", (limit) => transaction.apply(within, limit));
    } catch (error) {
      // What took itself back waits for nothing; all else is looked at first.
      const isUndone = error instanceof LinksealError && error.effect === "none";
      if (isUndone) await write({ kind: "pending", device: where, token: null });
      throw error;
    }
    if (within !== "final") await bounded("unknown", (limit) => transaction.confirm(limit));
    await write({ kind: "pending", device: where, token: null });
  }

  #write({ name }: DesiredTunnel, psk: TunnelPsk): Promise<void> {
    return this.#parts.write({ kind: "psk", name, psk });
  }
}

function putOf(tunnel: DesiredTunnel, secretId: string) {
  return {
    kind: "ipsec.putTunnel",
    tunnel: tunnelSpec(tunnel, { kind: "psk", secretId }),
  } as const;
}

function tunnelIn({ ipsec }: DeviceState, { name }: DesiredTunnel): IpsecTunnel | undefined {
  return ipsec.find((one) => one.name === name);
}

function refusal(
  code: "gate.busy" | "gate.stale",
  where: string,
  why: string,
  next: string,
): LinksealError {
  const text = `the pre-shared key of ${where} is not changed: ${why}`;
  return new LinksealError(code, text, { effect: "none", where, next });
}
