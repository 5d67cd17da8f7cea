// Changes of tunnel keys and certificates that begin in the vault. A newer pre-shared key waits
// until an operator has given it to the gateway, or the agent writes it there; a newer certificate
// needs no operator. Each is proven by SAs made with it, and is withdrawn if the far end refuses
// it.

import { LinksealError } from "#hal/error.ts";
import { encodeJson } from "#hal/json.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { KeyVault } from "#hal/vault.ts";
import { type Instant, instantAfter, type WallTime, type World } from "#hal/world.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import { causeText } from "../../model/reason-text.ts";
import { gatewayKeyCommand } from "../../rotation/far-end-command.ts";
import {
  type AuthInUse,
  isPending,
  type Memory,
  type NextAuth,
  named,
} from "../../store/journal/memory.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { newerAuth } from "../polling/vault.ts";
import { Gateways, type GatewaysParts } from "./gateways.ts";
import type { TunnelDrains } from "./tunnel-drain.ts";
import { OurEnds, type OurEndsParts } from "./tunnel-end.ts";
import { type Asked, tunnelWindow, unmetTunnelPrecondition } from "./tunnel-preconditions.ts";
import { notGiven, refusal, refused } from "./tunnel-refusals.ts";

export interface TunnelAuthsParts extends OurEndsParts, GatewaysParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly deviceCache: Pick<
    DeviceCache,
    "observe" | "state" | "failure" | "capabilities" | "device"
  >;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
  /** Returns true if a campaign runs on a group of this device. */
  readonly inCampaign: (device: string) => boolean;
  readonly drains: Pick<TunnelDrains, "drainForChange" | "undrainAfterChange">;
}

/** The state of a tunnel's pre-shared key: ids of secret versions, never a value. */
export interface PskReport {
  /** The tunnel's name. */
  readonly tunnel: string;
  /** Always `psk`: certificates have no report. */
  readonly kind: "psk";
  /** The one that gives a newer version to the gateway: an operator or the agent. */
  readonly farEnd: "manual" | "agent";
  /** The version in use; null = linkseal did not set this tunnel up. */
  readonly secretId: string | null;
  /** The newer version and its progress; null = none. */
  readonly next: {
    readonly secretId: string;
    readonly state: NextAuth["state"];
    readonly since: WallTime;
    readonly because: string;
    /** The operator's command that gives it to the gateway; null = none, or the agent does. */
    readonly command: string | null;
  } | null;
}

/** The interval between queries for newer versions, in milliseconds. */
const vaultMs = 300_000;
/**
 * The intervals in milliseconds after which a refused step is tried again; shorter while both ends
 * may differ.
 */
const retryMs = {
  ...{ psk: 60_000, certificate: 600_000 },
  ...{ waiting: 300_000, giving: 15_000, returning: 60_000 },
} as const;

const beginnings = {
  psk: "a person must give it to the gateway",
  agent: "it is given to the gateway soon",
  certificate: "it is shown to the gateway soon",
} as const;

const beingGiven = "it is given to the gateway, and ours follows";

function commandFor({ azureConnection }: DesiredTunnel, { state, auth }: NextAuth): string | null {
  if (state !== "waiting" || azureConnection === undefined) return null;
  return gatewayKeyCommand(azureConnection, auth.secretId) ?? null;
}

/** The next step towards a newer version. */
type Step = "nothing" | "give" | "switch" | "return" | "leave";

/** A newer version whose change has begun. */
type Changing = Required<AuthInUse>;

type Moved = Pick<NextAuth, "state" | "because" | "trouble">;

/** Changes the keys and certificates of tunnels. */
export class TunnelAuths {
  readonly #parts: TunnelAuthsParts;
  readonly #ours: OurEnds;
  readonly #gateways: Gateways;
  /** Devices on which one is being changed now. */
  readonly #busy = new Set<string>();
  readonly #askedAt = new Map<string, Instant>();
  /** The earliest time of the next try, by tunnel and state. */
  readonly #retryAt = new Map<string, Instant>();

  constructor(parts: TunnelAuthsParts) {
    this.#parts = parts;
    this.#gateways = new Gateways(parts);
    this.#ours = new OurEnds(parts);
  }

  /** Returns true while a key of this device is changed: no other loop may write to it. */
  isBusy(device: string): boolean {
    return this.#busy.has(device);
  }

  /** Reports the pre-shared key of every tunnel that has one. */
  psks(): readonly PskReport[] {
    const { desired } = this.#parts;
    return desired.tunnels
      .filter(({ auth }) => auth.kind !== "certificate")
      .map((one) => this.#psk(one));
  }

  /**
   * Completes what a predecessor began, notices newer versions, and changes those that need no
   * operator.
   */
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
   * Changes our end to a newer pre-shared key that the gateway has, or writes it to the gateway
   * first. The present SAs stay until a fresh authentication has made others.
   * @throws LinksealError `gate.*` before anything is sent, the gateway's refusal, or
   * `verify.mismatch` if it refuses to authenticate with it and the old key is back.
   */
  async proceed(tunnel: DesiredTunnel, by: string, signal: AbortSignal): Promise<PskReport> {
    const inUse = this.#inUse(tunnel);
    if (inUse === undefined) {
      const why = "linkseal did not set it up, and does not know which version it runs on";
      throw refusal("gate.busy", tunnel.name, why, `linkseal tunnels ${tunnel.name}`);
    }
    if (isSettled(inUse)) await this.#notice(tunnel, inUse, signal);
    const { auth, next } = this.#inUse(tunnel) ?? inUse;
    if (next === undefined) {
      const why = "the vault has no version that is newer than the one in use";
      throw refusal("gate.busy", tunnel.name, why, "linkseal psk show");
    }
    await this.#guard(tunnel, "person", signal);
    const step = this.#parts.gatewayKey(tunnel) === undefined ? "switch" : "give";
    await this.#do(step, tunnel, { auth, next: { ...next, by } }, "person", signal);
    return this.#psk(tunnel);
  }

  #inUse({ name }: DesiredTunnel): AuthInUse | undefined {
    return named(this.#parts.memory().auths, name);
  }

  #psk(tunnel: DesiredTunnel): PskReport {
    const { auth, next } = this.#inUse(tunnel) ?? {};
    const farEnd = this.#parts.gatewayKey(tunnel) === undefined ? "manual" : "agent";
    const coming =
      next === undefined
        ? null
        : {
            ...{ secretId: next.auth.secretId, state: next.state },
            ...{ since: next.since, because: next.because },
            command: farEnd === "manual" ? commandFor(tunnel, next) : null,
          };
    return {
      tunnel: tunnel.name,
      kind: "psk",
      farEnd,
      secretId: auth?.secretId ?? null,
      next: coming,
    };
  }

  async #tend(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { memory, deviceCache, world } = this.#parts;
    const before = this.#inUse(tunnel);
    if (before === undefined || isPending(memory(), tunnel.device, tunnel.name)) return;
    const state = deviceCache.state(tunnel.device);
    if (state === undefined || deviceCache.failure(tunnel.device) !== undefined) return;
    const asked = this.#askedAt.get(tunnel.name);
    const now = world.clock.now();
    const isDue = asked === undefined || now - asked >= vaultMs;
    if (isDue && isSettled(before)) await this.#notice(tunnel, before, signal);
    const { auth, next } = this.#inUse(tunnel) ?? before;
    if (next === undefined) return;
    const step = this.#stepOf(tunnel, next, state);
    const key = `${tunnel.name} ${next.state}`;
    if (step === "nothing" || now < (this.#retryAt.get(key) ?? now)) return;
    const changing = { auth, next };
    if (step === "give" && !(await this.#mayGive(tunnel, changing, signal))) return;
    this.#retryAt.set(key, instantAfter(now, retryOf(step, next)));
    await this.#do(step, tunnel, changing, "policy", signal);
  }

  #stepOf(tunnel: DesiredTunnel, { auth, state }: NextAuth, observed: DeviceState): Step {
    const isAgents = this.#parts.gatewayKey(tunnel) !== undefined;
    switch (state) {
      case "waiting":
        if (auth.kind === "certificate" || isRefused(tunnel, observed)) return "switch";
        return isAgents ? "give" : "nothing";
      case "giving":
        if (!isAgents) return "leave";
        // If no SA is left, the router itself finds out which of the two keys the gateway has.
        return isRefused(tunnel, observed) ? "switch" : "give";
      case "switching":
        return "switch";
      case "returning":
        return "return";
      case "held":
        return isRefused(tunnel, observed) ? "switch" : "nothing";
    }
  }

  async #do(
    step: Exclude<Step, "nothing">,
    tunnel: DesiredTunnel,
    changing: Changing,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<void> {
    this.#busy.add(tunnel.device);
    try {
      switch (step) {
        case "give":
          await this.#switch(tunnel, await this.#give(tunnel, changing, asked, signal), signal);
          break;
        case "switch":
          await this.#switch(tunnel, changing, signal);
          break;
        case "return":
          await this.#return(tunnel, changing, signal);
          break;
        case "leave": {
          const because =
            "the gateway may have it already: a person must decide which one it keeps";
          await this.#move(tunnel, changing, { state: "waiting", because });
        }
      }
    } finally {
      await this.#parts.drains.undrainAfterChange(tunnel, signal);
      this.#busy.delete(tunnel.device);
    }
  }

  async #notice(tunnel: DesiredTunnel, inUse: AuthInUse, signal: AbortSignal): Promise<void> {
    const { vault, world, gatewayKey } = this.#parts;
    this.#askedAt.set(tunnel.name, world.clock.now());
    const now = world.clock.wall();
    const { auth, next } = inUse;
    const newest = await newerAuth(vault, tunnel.auth, { now, inUse: auth }, signal);
    if (newest === undefined) {
      if (next !== undefined) await this.#write(tunnel, { auth });
      return;
    }
    if (next !== undefined && sameAuth(newest, next.auth)) return;
    // A version that was not tried yet waits for no retry.
    this.#retryAt.delete(`${tunnel.name} waiting`);
    const isAgents = newest.kind === "psk" && gatewayKey(tunnel) !== undefined;
    const because = beginnings[isAgents ? "agent" : newest.kind];
    await this.#write(tunnel, {
      auth,
      next: { auth: newest, state: "waiting", since: now, because },
    });
  }

  async #guard(tunnel: DesiredTunnel, asked: Asked, signal: AbortSignal): Promise<void> {
    const { deviceCache, memory, gatewayKey, world, desired, inCampaign } = this.#parts;
    const { name, device } = tunnel;
    const state = await deviceCache.observe(device, signal);
    if (state === undefined) {
      throw refusal("gate.stale", name, `${device} cannot be read`, "linkseal status");
    }
    const offered = deviceCache.capabilities(device)?.ipsec?.rekeys;
    if (offered?.includes("reauthenticate") !== true) {
      const why = `${device} offers no fresh authentication that would prove it`;
      throw refusal("device.unsupported", name, why, "linkseal driver list");
    }
    const isBusy =
      isPending(memory(), device, name) || strongValue(state.control)?.commitPending !== false;
    if (isBusy) {
      const why = `a change of ${device} is not confirmed yet`;
      throw refusal("gate.busy", name, why, `linkseal psk proceed ${name}`);
    }
    if (gatewayKey(tunnel) === undefined) return;
    const closed = unmetTunnelPrecondition({
      ...{ desired, tunnel, asked, state, inCampaign },
      ...{ wall: world.clock.wall(), memory: memory() },
      lastState: (other) => this.#lastState(other),
    });
    if (closed !== undefined) throw refusal(closed.code, name, closed.why, closed.next);
    await this.#gateways.checkRights(tunnel, signal);
  }

  #lastState(device: string): DeviceState | undefined {
    const { deviceCache, world, desired } = this.#parts;
    const state = deviceCache.state(device);
    if (state === undefined || deviceCache.failure(device) !== undefined) return undefined;
    const ageMs = world.clock.now() - state.at;
    return ageMs <= desired.health.staleAfterMs ? state : undefined;
  }

  /** A change that has not begun waits for its checks, and reports which one fails. */
  async #mayGive(tunnel: DesiredTunnel, changing: Changing, signal: AbortSignal): Promise<boolean> {
    if (!isSettled(changing)) return true;
    const { desired, world } = this.#parts;
    const window = tunnelWindow(desired, tunnel, world.clock.wall());
    if (window.kind === "closed") {
      await this.#move(tunnel, changing, { state: "waiting", because: causeText(window.why) });
      return false;
    }
    try {
      await this.#guard(tunnel, "policy", signal);
      return true;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      await this.#move(tunnel, changing, { state: "waiting", because: error.message });
      return false;
    }
  }

  /** Writes to the gateway first: resolves once Azure reports that it has the newer version. */
  async #give(
    tunnel: DesiredTunnel,
    changing: Changing,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<Changing> {
    const { auth, next } = changing;
    let begun = changing;
    try {
      // The agent needs the old key as the way back; an operator may decide that it must not be
      // used again.
      if (isSettled(changing) && asked === "policy") {
        (await this.#key(auth, signal))[Symbol.dispose]();
      }
      using key = await this.#key(next.auth, signal);
      if (next.state !== "giving") {
        begun = await this.#move(tunnel, changing, { state: "giving", because: beingGiven });
      }
      await this.#gateways.put(tunnel, key, signal);
      return begun;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const trouble = error.message;
      if (isSettled(changing) && error.effect === "none") {
        await this.#move(tunnel, begun, { state: "waiting", because: trouble, trouble });
        throw notGiven(tunnel, error, "keeps its old key at both ends");
      }
      // The newer version was withdrawn in the vault, and the gateway may have it.
      if (error.code.startsWith("vault.") && (await this.#isTakenBack(tunnel, begun, signal))) {
        const back = { state: "returning", because: trouble, trouble } as const;
        await this.#return(tunnel, await this.#move(tunnel, begun, back), signal);
        throw notGiven(tunnel, error, "keeps its old key at both ends");
      }
      const because = `the gateway may have either key: ${trouble}`;
      await this.#move(tunnel, begun, { state: begun.next.state, because, trouble });
      throw notGiven(tunnel, error, "keeps its SAs, and its gateway may have either key");
    }
  }

  async #isTakenBack(
    tunnel: DesiredTunnel,
    { auth, next }: Changing,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { vault, world } = this.#parts;
    const at = { now: world.clock.wall(), inUse: auth };
    const newest = await newerAuth(vault, tunnel.auth, at, signal);
    return newest === undefined || !sameAuth(newest, next.auth);
  }

  async #key({ secretId }: TunnelAuth, signal: AbortSignal): Promise<Secret> {
    return await this.#parts.keys(signal)({ kind: "psk", secretId });
  }

  async #switch(tunnel: DesiredTunnel, changing: Changing, signal: AbortSignal): Promise<void> {
    const { auth, next } = changing;
    const isGiven =
      this.#parts.gatewayKey(tunnel) !== undefined &&
      (next.state === "giving" || next.state === "switching");
    const because = "it is set on the router, and not proven yet";
    const begun = await this.#move(tunnel, changing, { state: "switching", because });
    await this.#parts.drains.drainForChange(tunnel, next.by ?? "policy", signal);
    try {
      await this.#ours.take(tunnel, next, signal);
    } catch (error) {
      // After the agent ends, or if a router does not answer, the next turn continues.
      if (!(error instanceof LinksealError) || error.code.startsWith("transport.")) throw error;
      const isRefusal = refusals.has(error.code);
      const text = isRefusal ? `the gateway refuses it: ${error.message}` : error.message;
      if (isGiven) {
        const back = { state: "returning", because: text, trouble: text } as const;
        await this.#return(tunnel, await this.#move(tunnel, begun, back), signal);
      } else {
        // A key that the vault did not return reached no end.
        if (!error.code.startsWith("vault.")) await this.#ours.put(tunnel, auth, signal);
        await this.#move(tunnel, begun, { state: "waiting", because: text });
      }
      throw refused(tunnel, text, error);
    }
    await this.#write(tunnel, { auth: next.auth });
  }

  /**
   * Puts the version in use back at both ends; if that fails, the reason is reported and a later
   * turn tries again.
   */
  async #return(tunnel: DesiredTunnel, changing: Changing, signal: AbortSignal): Promise<void> {
    const { auth, next } = changing;
    const trouble = next.trouble ?? next.because;
    try {
      await this.#ours.put(tunnel, auth, signal);
      if (this.#gateways.mayLand(tunnel)) {
        const because = `${trouble}; the gateway gets it back once nothing else can land there`;
        await this.#move(tunnel, changing, { state: "returning", because, trouble });
        return;
      }
      using key = await this.#key(auth, signal);
      await this.#gateways.put(tunnel, key, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const because = `${trouble}; the version in use is not back at both ends: ${error.message}`;
      await this.#move(tunnel, changing, { state: "returning", because, trouble });
      throw error;
    }
    const whose =
      this.#parts.gatewayKey(tunnel) === undefined ? "the router has" : "both ends have";
    const because = `${trouble}; ${whose} the version in use again`;
    await this.#move(tunnel, changing, { state: "held", because, trouble });
  }

  /** Changes the state; an unchanged state is not written again. */
  async #move(tunnel: DesiredTunnel, { auth, next }: Changing, to: Moved): Promise<Changing> {
    const { state, because, trouble } = to;
    const isSame = next.state === state && next.because === because && next.trouble === trouble;
    if (isSame) return { auth, next };
    const since = next.state === state ? next.since : this.#parts.world.clock.wall();
    const by = next.by === undefined ? {} : { by: next.by };
    const moved = { auth, next: { auth: next.auth, ...to, since, ...by } };
    await this.#write(tunnel, moved);
    return moved;
  }

  #write({ name }: DesiredTunnel, inUse: AuthInUse): Promise<void> {
    return this.#parts.write({ kind: "auth", name, inUse });
  }
}

/** The newer version was sent to no end, or was removed from both. */
function isSettled({ next }: AuthInUse): boolean {
  return next === undefined || next.state === "waiting" || next.state === "held";
}

const refusals: ReadonlySet<string> = new Set(["device.rejected", "verify.timeout"]);

/** No SA is left that another key could cost. */
function isRefused(tunnel: DesiredTunnel, observed: DeviceState): boolean {
  const now = observed.ipsec.find(({ name }) => name === tunnel.name);
  return now?.trouble !== undefined && strongValue(now.ike) !== "established";
}

function retryOf(step: Exclude<Step, "nothing">, { auth, state }: NextAuth): number {
  switch (step) {
    case "give":
      return state === "giving" ? retryMs.giving : retryMs.waiting;
    case "switch":
      return retryMs[auth.kind];
    case "return":
    case "leave":
      return retryMs.returning;
  }
}

/** Returns true if both use the same secret versions and the same peer. */
export function sameAuth(one: TunnelAuth, other: TunnelAuth): boolean {
  if (encodeJson(one.ppk ?? null) !== encodeJson(other.ppk ?? null)) return false;
  if (one.kind !== "certificate" || other.kind !== "certificate") {
    return one.kind === other.kind && one.secretId === other.secretId;
  }
  const { secretId, authoritiesId, peer } = other;
  return one.secretId === secretId && one.authoritiesId === authoritiesId && one.peer === peer;
}
