// What the ends of tunnels show each other, as it changes in the vault. A newer pre-shared key
// waits until somebody has given it to the gateway; a newer certificate needs nobody. Either is
// proven by SAs made with it, and goes back where the gateway refuses it.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, type IpsecTunnel, strongValue, type TunnelAuth } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, WallTime, World } from "#hal/world.ts";
import { withinOf } from "./campaign/effects.ts";
import type { Desired, DesiredTunnel } from "./desired.ts";
import {
  type AuthInUse,
  type JournalRecord,
  type Memory,
  type NextAuth,
  named,
} from "./journal/memory.ts";
import type { Lookout } from "./lookout.ts";
import { tunnelSpec } from "./plan.ts";
import { newerAuth } from "./vault.ts";

export interface TunnelAuthsParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly desired: Desired;
  readonly lookout: Pick<Lookout, "look" | "state" | "failure" | "capabilities" | "device">;
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
  readonly next: {
    readonly secretId: string;
    readonly state: NextAuth["state"];
    readonly since: WallTime;
    readonly because: string;
  } | null;
}

/** The vault is asked for newer versions this often. */
const vaultMs = 300_000;
/** What was refused is tried again this often where that costs nothing. */
const retryMs = { psk: 60_000, certificate: 600_000 } as const;
const effectMsMax = 60_000;
/** A fresh authentication has shown new SAs by then, or was refused. */
const proofMs = 30_000;
const pollMs = 1_000;

const beginnings = {
  psk: "a person must give it to the gateway",
  certificate: "it is shown to the gateway soon",
} as const;

export class TunnelAuths {
  readonly #parts: TunnelAuthsParts;
  /** Devices on which one is being changed now. */
  readonly #busy = new Set<string>();
  readonly #askedAt = new Map<string, Instant>();
  readonly #triedAt = new Map<string, Instant>();

  constructor(parts: TunnelAuthsParts) {
    this.#parts = parts;
  }

  /** Nobody else may write there meanwhile. */
  isBusy(device: string): boolean {
    return this.#busy.has(device);
  }

  psks(): readonly PskReport[] {
    const { desired } = this.#parts;
    return desired.tunnels.filter(({ auth }) => auth.kind === "psk").map((one) => this.#psk(one));
  }

  /** Ends what a predecessor began, notices newer versions, and renews certificates. */
  async turn(signal: AbortSignal): Promise<void> {
    const { world, desired } = this.#parts;
    for (const tunnel of desired.tunnels) {
      try {
        await this.#tend(tunnel, signal);
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        world.log.write("warn", error.code, error.message, { device: tunnel.device });
      }
    }
  }

  /**
   * The gateway has the newer pre-shared key now: ours follows, with the SAs that stand until a
   * fresh authentication has made others. Throws `gate.*` before anything is sent,
   * `verify.mismatch` where the gateway refuses it and the old one is back.
   */
  async proceed(tunnel: DesiredTunnel, by: string, signal: AbortSignal): Promise<PskReport> {
    const inUse = this.#inUse(tunnel);
    if (inUse === undefined) {
      const why = "linkseal did not set it up, and does not know which version it runs on";
      throw refusal("gate.busy", tunnel.name, why, `linkseal tunnels ${tunnel.name}`);
    }
    await this.#notice(tunnel, inUse, signal);
    const known = this.#inUse(tunnel) ?? inUse;
    if (known.next === undefined) {
      const why = "the vault has no version that is newer than the one in use";
      throw refusal("gate.busy", tunnel.name, why, "linkseal psk show");
    }
    await this.#guard(tunnel, signal);
    await this.#switch(tunnel, known, { ...known.next, by }, signal);
    return this.#psk(tunnel);
  }

  #inUse({ name }: DesiredTunnel): AuthInUse | undefined {
    return named(this.#parts.memory().auths, name);
  }

  #psk(tunnel: DesiredTunnel): PskReport {
    const { auth, next } = this.#inUse(tunnel) ?? {};
    const coming =
      next === undefined
        ? null
        : {
            ...{ secretId: next.auth.secretId, state: next.state },
            ...{ since: next.since, because: next.because },
          };
    return { tunnel: tunnel.name, secretId: auth?.secretId ?? null, next: coming };
  }

  async #tend(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { memory, lookout, world } = this.#parts;
    const before = this.#inUse(tunnel);
    if (before === undefined || named(memory().pending, tunnel.device) !== undefined) return;
    const state = lookout.state(tunnel.device);
    if (state === undefined || lookout.failure(tunnel.device) !== undefined) return;
    const asked = this.#askedAt.get(tunnel.name);
    const isDue = asked === undefined || world.clock.now() - asked >= vaultMs;
    if (isDue && before.next?.state !== "switching") await this.#notice(tunnel, before, signal);
    const inUse = this.#inUse(tunnel);
    if (inUse?.next === undefined || !mayTry(tunnel, inUse.next, state)) return;
    const tried = this.#triedAt.get(tunnel.name);
    const now = world.clock.now();
    if (tried !== undefined && now - tried < retryMs[inUse.next.auth.kind]) return;
    this.#triedAt.set(tunnel.name, now);
    await this.#switch(tunnel, inUse, inUse.next, signal);
  }

  async #notice(tunnel: DesiredTunnel, inUse: AuthInUse, signal: AbortSignal): Promise<void> {
    const { vault, world } = this.#parts;
    this.#askedAt.set(tunnel.name, world.clock.now());
    const now = world.clock.wall();
    const { auth, next } = inUse;
    const newest = await newerAuth(vault, tunnel.auth, { now, inUse: auth }, signal);
    if (newest === undefined) {
      if (next !== undefined) await this.#write(tunnel, { auth });
      return;
    }
    if (next !== undefined && sameAuth(newest, next.auth)) return;
    // One that nobody has tried yet waits for no retry.
    this.#triedAt.delete(tunnel.name);
    const because = beginnings[newest.kind];
    await this.#write(tunnel, {
      auth,
      next: { auth: newest, state: "waiting", since: now, because },
    });
  }

  async #guard({ name, device }: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { lookout, memory } = this.#parts;
    const state = await lookout.look(device, signal);
    if (state === undefined) {
      throw refusal("gate.stale", name, `${device} cannot be read`, "linkseal status");
    }
    const offered = lookout.capabilities(device)?.ipsec?.rekeys;
    if (offered?.includes("reauthenticate") !== true) {
      const why = `${device} offers no fresh authentication that would prove it`;
      throw refusal("device.unsupported", name, why, "linkseal driver list");
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
    { auth }: AuthInUse,
    next: NextAuth,
    signal: AbortSignal,
  ): Promise<void> {
    const { device } = tunnel;
    const since = this.#parts.world.clock.wall();
    const because = "it is told to the router, and not proven yet";
    const begun = { ...next, state: "switching", since, because } as const;
    await this.#write(tunnel, { auth, next: begun });
    this.#busy.add(device);
    try {
      await this.#take(tunnel, next.auth, signal);
    } catch (error) {
      // An agent that ends, or a router that does not answer, leaves it to the next turn.
      if (!(error instanceof LinksealError) || error.code.startsWith("transport.")) throw error;
      // What the vault did not give was not told to anybody.
      const isTold = !error.code.startsWith("vault.");
      if (isTold) await this.#commit(tunnel, [putOf(tunnel, auth)], signal);
      const isRefused = error.code === "device.rejected" || error.code === "verify.timeout";
      const text = isRefused ? `the gateway refuses it: ${error.message}` : error.message;
      await this.#write(tunnel, { auth, next: { ...begun, state: "waiting", because: text } });
      throw refused(tunnel, text, error);
    } finally {
      this.#busy.delete(device);
    }
    await this.#write(tunnel, { auth: next.auth });
  }

  /** Resolves once SAs stand that no look has shown before. */
  async #take(tunnel: DesiredTunnel, auth: TunnelAuth, signal: AbortSignal): Promise<void> {
    const before = await this.#sasOf(tunnel, signal);
    await this.#commit(tunnel, [putOf(tunnel, auth)], signal);
    // Of a certificate the device makes new SAs right away.
    if (before.size > 0 && auth.kind === "psk") {
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

  #write({ name }: DesiredTunnel, inUse: AuthInUse): Promise<void> {
    return this.#parts.write({ kind: "auth", name, inUse });
  }
}

/** A certificate needs nobody; a pre-shared key only where no SA is left that it could cost. */
function mayTry(tunnel: DesiredTunnel, { auth, state }: NextAuth, seen: DeviceState): boolean {
  if (state === "switching" || auth.kind === "certificate") return true;
  const now = tunnelIn(seen, tunnel);
  return now?.trouble !== undefined && strongValue(now.ike) !== "established";
}

export function sameAuth(one: TunnelAuth, other: TunnelAuth): boolean {
  if (one.kind === "psk" || other.kind === "psk") {
    return one.kind === other.kind && one.secretId === other.secretId;
  }
  const { secretId, authoritiesId, peer } = other;
  return one.secretId === secretId && one.authoritiesId === authoritiesId && one.peer === peer;
}

function putOf(tunnel: DesiredTunnel, auth: TunnelAuth) {
  return { kind: "ipsec.putTunnel", tunnel: tunnelSpec(tunnel, auth) } as const;
}

function tunnelIn({ ipsec }: DeviceState, { name }: DesiredTunnel): IpsecTunnel | undefined {
  return ipsec.find((one) => one.name === name);
}

function refused({ name, auth }: DesiredTunnel, why: string, cause: LinksealError): LinksealError {
  const [what, next] =
    auth.kind === "psk"
      ? ["key", `give the gateway the newer version, then linkseal psk proceed ${name}`]
      : ["certificate", "put a version into the vault that the gateway takes"];
  const text = `${name} keeps its old ${what}, and its SAs: ${why}`;
  return new LinksealError("verify.mismatch", text, { effect: "none", where: name, next, cause });
}

function refusal(
  code: "gate.busy" | "gate.stale" | "device.unsupported",
  where: string,
  why: string,
  next: string,
): LinksealError {
  const text = `the pre-shared key of ${where} is not changed: ${why}`;
  return new LinksealError(code, text, { effect: "none", where, next });
}
