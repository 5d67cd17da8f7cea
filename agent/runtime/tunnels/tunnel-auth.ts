// Changes of tunnel keys and certificates that begin in the vault. A newer pre-shared key waits
// until an operator has given it to the gateway, or the agent writes it there; a newer certificate
// needs no operator. Each is proven by SAs made with it, and is withdrawn if the far end refuses
// it. The two tunnels of an active-active gateway have one key and change together.

import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { Secret } from "#hal/secret.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { KeyVault } from "#hal/vault.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import { causeText } from "../../model/reason-text.ts";
import { sharersOf } from "../../model/tunnel-pair.ts";
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
import {
  type Changing,
  inOrder,
  isRefused,
  isSettled,
  type KeyUnit,
  recordOf,
  sameAuth,
  stateOf,
  unitsOf,
  versionsOf,
} from "./key-unit.ts";
import { type PskReport, pskReport } from "./psk-report.ts";
import type { TunnelDrains } from "./tunnel-drain.ts";
import { OurEnds, type OurEndsParts, unproven } from "./tunnel-end.ts";
import { type Asked, tunnelWindow, unmetTunnelPrecondition } from "./tunnel-preconditions.ts";
import { notGiven, refusal, refused } from "./tunnel-refusals.ts";

export interface TunnelAuthsParts extends OurEndsParts, GatewaysParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly deviceCache: Pick<
    DeviceCache,
    "observe" | "state" | "failure" | "capabilities" | "device" | "roundTrips"
  >;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
  /** Returns true if a campaign runs on a group of this device. */
  readonly inCampaign: (device: string) => boolean;
  readonly drains: Pick<
    TunnelDrains,
    "drainForChange" | "undrainAfterChange" | "undrainBetweenChanges"
  >;
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

/** The next step towards a newer version. */
type Step = "nothing" | "give" | "switch" | "return" | "leave";

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
    for (const unit of unitsOf(desired.tunnels)) {
      try {
        await this.#tend(unit, signal);
      } catch (error) {
        if (!(error instanceof LinksealError)) throw error;
        world.log.write("warn", error.code, error.message, { device: unit[0].device });
      }
    }
  }

  /**
   * Changes our end to a newer pre-shared key that the gateway has, or writes it to the gateway
   * first; also that of the tunnel with the same key. The present SAs stay until a fresh
   * authentication has made others.
   * @throws LinksealError `gate.*` before anything is sent, the gateway's refusal, or
   * `verify.mismatch` if it refuses to authenticate with it and the old key is back.
   */
  async proceed(tunnel: DesiredTunnel, by: string, signal: AbortSignal): Promise<PskReport> {
    const { desired, memory, gatewayKey } = this.#parts;
    const unit = sharersOf(desired.tunnels, tunnel);
    const inUse = stateOf(unit, memory());
    if (inUse === undefined) {
      const missing = unit.find(({ name }) => named(memory().auths, name) === undefined) ?? tunnel;
      const which =
        missing.name === tunnel.name ? "it" : `${missing.name}, which has the same key,`;
      const why = `linkseal did not set ${which} up, and does not know which version it runs on`;
      throw refusal("gate.busy", tunnel.name, why, `linkseal tunnels ${missing.name}`);
    }
    if (isSettled(inUse)) await this.#notice(unit, inUse, signal);
    const { auth, next } = stateOf(unit, memory()) ?? inUse;
    if (next === undefined) {
      const why = "the vault has no version that is newer than the one in use";
      throw refusal("gate.busy", tunnel.name, why, "linkseal psk show");
    }
    await this.#guard(unit, "person", signal);
    const step = gatewayKey(tunnel) === undefined ? "switch" : "give";
    await this.#do(step, unit, { auth, next: { ...next, by } }, "person", signal);
    return this.#psk(tunnel);
  }

  #psk(tunnel: DesiredTunnel): PskReport {
    const { desired, memory, gatewayKey, deviceCache } = this.#parts;
    const farEnd = gatewayKey(tunnel) === undefined ? "manual" : "agent";
    const canDrain = deviceCache.capabilities(tunnel.device)?.drain !== undefined;
    return pskReport(desired, tunnel, { farEnd, canDrain, memory: memory() });
  }

  async #tend(unit: KeyUnit, signal: AbortSignal): Promise<void> {
    const { memory, deviceCache, world } = this.#parts;
    const [{ name, device }] = unit;
    const before = stateOf(unit, memory());
    if (before === undefined || this.#isPending(unit)) return;
    const state = deviceCache.state(device);
    if (state === undefined || deviceCache.failure(device) !== undefined) return;
    const asked = this.#askedAt.get(name);
    const now = world.clock.now();
    const isDue = asked === undefined || now - asked >= vaultMs;
    if (isDue && isSettled(before)) await this.#notice(unit, before, signal);
    const { auth, next } = stateOf(unit, memory()) ?? before;
    if (next === undefined) return;
    const step = this.#stepOf(unit, next, state);
    const key = `${name} ${next.state}`;
    if (step === "nothing" || now < (this.#retryAt.get(key) ?? now)) return;
    const changing = { auth, next };
    if (step === "give" && !(await this.#mayGive(unit, changing, signal))) return;
    this.#retryAt.set(key, instantAfter(now, retryOf(step, next)));
    await this.#do(step, unit, changing, "policy", signal);
  }

  #isPending(unit: KeyUnit): boolean {
    const memory = this.#parts.memory();
    return unit.some(({ name, device }) => isPending(memory, device, name));
  }

  #stepOf(unit: KeyUnit, { auth, state }: NextAuth, observed: DeviceState): Step {
    const isAgents = this.#parts.gatewayKey(unit[0]) !== undefined;
    const isAnyRefused = unit.some((tunnel) => isRefused(tunnel, observed));
    switch (state) {
      case "waiting":
        if (auth.kind === "certificate" || isAnyRefused) return "switch";
        return isAgents ? "give" : "nothing";
      case "giving":
        if (!isAgents) return "leave";
        // If no SA is left, the router itself finds out which of the two keys the gateway has.
        return unit.every((tunnel) => isRefused(tunnel, observed)) ? "switch" : "give";
      case "switching":
        return "switch";
      case "returning":
        return "return";
      case "held":
        return isAnyRefused ? "switch" : "nothing";
    }
  }

  async #do(
    step: Exclude<Step, "nothing">,
    unit: KeyUnit,
    changing: Changing,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<void> {
    const [{ device }] = unit;
    this.#busy.add(device);
    try {
      switch (step) {
        case "give":
          await this.#switch(unit, await this.#give(unit, changing, asked, signal), signal);
          break;
        case "switch":
          await this.#switch(unit, changing, signal);
          break;
        case "return":
          await this.#return(unit, changing, signal);
          break;
        case "leave": {
          const because =
            "the gateway may have it already: a person must decide which one it keeps";
          await this.#move(unit, changing, { state: "waiting", because });
        }
      }
    } finally {
      for (const tunnel of unit) await this.#parts.drains.undrainAfterChange(tunnel, signal);
      this.#busy.delete(device);
    }
  }

  async #notice(unit: KeyUnit, inUse: AuthInUse, signal: AbortSignal): Promise<void> {
    const { world, gatewayKey, memory } = this.#parts;
    const [{ name }] = unit;
    this.#askedAt.set(name, world.clock.now());
    const { next } = inUse;
    const newest = await this.#newest(unit, versionsOf(unit, memory()), signal);
    if (newest === undefined) {
      if (next !== undefined) await this.#write(unit, { auth: inUse.auth });
      return;
    }
    if (next !== undefined && sameAuth(newest.found, next.auth)) return;
    // A version that was not tried yet waits for no retry.
    this.#retryAt.delete(`${name} waiting`);
    const { auth, found } = newest;
    const isAgents = found.kind === "psk" && gatewayKey(unit[0]) !== undefined;
    const because = beginnings[isAgents ? "agent" : found.kind];
    const since = world.clock.wall();
    await this.#write(unit, { auth, next: { auth: found, state: "waiting", since, because } });
  }

  /** Asks for a version that is newer than one of these; undefined = there is none. */
  async #newest(
    unit: KeyUnit,
    inUse: readonly TunnelAuth[],
    signal: AbortSignal,
  ): Promise<{ readonly auth: TunnelAuth; readonly found: TunnelAuth } | undefined> {
    const { vault, world } = this.#parts;
    const now = world.clock.wall();
    for (const auth of inUse) {
      const found = await newerAuth(vault, unit[0].auth, { now, inUse: auth }, signal);
      if (found !== undefined) return { auth, found };
    }
    return undefined;
  }

  async #guard(unit: KeyUnit, asked: Asked, signal: AbortSignal): Promise<void> {
    const { deviceCache, memory, gatewayKey, world, desired, inCampaign } = this.#parts;
    const [first] = unit;
    const { name, device } = first;
    const state = await deviceCache.observe(device, signal);
    if (state === undefined) {
      throw refusal("gate.stale", name, `${device} cannot be read`, "linkseal status");
    }
    const offered = deviceCache.capabilities(device)?.ipsec?.rekeys;
    if (offered?.includes("reauthenticate") !== true) {
      const why = `${device} offers no fresh authentication that would prove it`;
      throw refusal("device.unsupported", name, why, "linkseal driver list");
    }
    if (this.#isPending(unit) || strongValue(state.control)?.commitPending !== false) {
      const why = `a change of ${device} is not confirmed yet`;
      throw refusal("gate.busy", name, why, `linkseal psk proceed ${name}`);
    }
    if (gatewayKey(first) === undefined) return;
    for (const tunnel of unit) {
      const closed = unmetTunnelPrecondition({
        ...{ desired, tunnel, asked, state, inCampaign },
        ...{ wall: world.clock.wall(), memory: memory() },
        lastState: (other) => this.#lastState(other),
        trips: (other) => deviceCache.roundTrips.of(other),
      });
      if (closed !== undefined) throw refusal(closed.code, tunnel.name, closed.why, closed.next);
    }
    await this.#gateways.checkRights(first, signal);
  }

  #lastState(device: string): DeviceState | undefined {
    const { deviceCache, world, desired } = this.#parts;
    const state = deviceCache.state(device);
    if (state === undefined || deviceCache.failure(device) !== undefined) return undefined;
    const ageMs = world.clock.now() - state.at;
    return ageMs <= desired.health.staleAfterMs ? state : undefined;
  }

  /** A change that has not begun waits for its checks, and reports which one fails. */
  async #mayGive(unit: KeyUnit, changing: Changing, signal: AbortSignal): Promise<boolean> {
    if (!isSettled(changing)) return true;
    const { desired, world } = this.#parts;
    const wall = world.clock.wall();
    const windows = unit.map((tunnel) => tunnelWindow(desired, tunnel, wall));
    const window = windows.find(({ kind }) => kind === "closed");
    if (window?.kind === "closed") {
      await this.#move(unit, changing, { state: "waiting", because: causeText(window.why) });
      return false;
    }
    try {
      await this.#guard(unit, "policy", signal);
      return true;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      await this.#move(unit, changing, { state: "waiting", because: error.message });
      return false;
    }
  }

  /** Writes to the gateway first: resolves once Azure reports that it has the newer version. */
  async #give(
    unit: KeyUnit,
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
        begun = await this.#move(unit, changing, { state: "giving", because: beingGiven });
      }
      await this.#gateways.put(unit[0], key, signal);
      return begun;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const trouble = error.message;
      if (isSettled(changing) && error.effect === "none") {
        await this.#move(unit, begun, { state: "waiting", because: trouble, trouble });
        throw notGiven(unit, error, "old");
      }
      // The newer version was withdrawn in the vault, and the gateway may have it.
      if (error.code.startsWith("vault.") && (await this.#isTakenBack(unit, begun, signal))) {
        const back = { state: "returning", because: trouble, trouble } as const;
        await this.#return(unit, await this.#move(unit, begun, back), signal);
        throw notGiven(unit, error, "old");
      }
      const because = `the gateway may have either key: ${trouble}`;
      await this.#move(unit, begun, { state: begun.next.state, because, trouble });
      throw notGiven(unit, error, "either");
    }
  }

  async #isTakenBack(
    unit: KeyUnit,
    { auth, next }: Changing,
    signal: AbortSignal,
  ): Promise<boolean> {
    const newest = await this.#newest(unit, [auth], signal);
    return newest === undefined || !sameAuth(newest.found, next.auth);
  }

  async #key({ secretId }: TunnelAuth, signal: AbortSignal): Promise<Secret> {
    return await this.#parts.keys(signal)({ kind: "psk", secretId });
  }

  async #switch(unit: KeyUnit, changing: Changing, signal: AbortSignal): Promise<void> {
    const { auth, next } = changing;
    const isGiven =
      this.#parts.gatewayKey(unit[0]) !== undefined &&
      (next.state === "giving" || next.state === "switching");
    const because = "it is set on the router, and not proven yet";
    const begun = await this.#move(unit, changing, { state: "switching", because });
    try {
      await this.#take(unit, next, signal);
    } catch (error) {
      // After the agent ends, or if a router does not answer, the next turn continues.
      if (!(error instanceof LinksealError) || error.code.startsWith("transport.")) throw error;
      const isRefusal = refusals.has(error.code);
      const text = isRefusal ? `the gateway refuses it: ${error.message}` : error.message;
      if (isGiven) {
        const back = { state: "returning", because: text, trouble: text } as const;
        await this.#return(unit, await this.#move(unit, begun, back), signal);
      } else {
        // A key that the vault did not return reached no end.
        if (!error.code.startsWith("vault.")) await this.#ours.put(unit, auth, signal);
        await this.#move(unit, begun, { state: "waiting", because: text });
      }
      throw refused(unit, text, error);
    }
    await this.#write(unit, { auth: next.auth });
  }

  /**
   * Sets the newer version on all tunnels of the unit, then proves it on one after the other, so
   * that each can carry for the other. A tunnel that was down before, and that no gateway refuses,
   * needs no proof if the other has one: the gateway has one key for both.
   */
  async #take(unit: KeyUnit, { auth, by }: NextAuth, signal: AbortSignal): Promise<void> {
    const { drains, deviceCache, memory } = this.#parts;
    const order = inOrder(unit, deviceCache.state(unit[0].device), memory());
    const proofs = [];
    for (const [at, tunnel] of order.entries()) {
      await drains.drainForChange(tunnel, by ?? "policy", signal);
      const puts = at === 0 ? order : [];
      proofs.push(await this.#ours.take(tunnel, { auth, puts }, signal));
      if (at < order.length - 1) await drains.undrainBetweenChanges(tunnel, signal);
    }
    if (!proofs.includes("proven")) throw unproven(order[0]);
  }

  /**
   * Puts the version in use back at both ends; if that fails, the reason is reported and a later
   * turn tries again.
   */
  async #return(unit: KeyUnit, changing: Changing, signal: AbortSignal): Promise<void> {
    const { auth, next } = changing;
    const [first] = unit;
    const trouble = next.trouble ?? next.because;
    try {
      await this.#ours.put(unit, auth, signal);
      if (this.#gateways.mayLand(first)) {
        const because = `${trouble}; the gateway gets it back once nothing else can land there`;
        await this.#move(unit, changing, { state: "returning", because, trouble });
        return;
      }
      using key = await this.#key(auth, signal);
      await this.#gateways.put(first, key, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const because = `${trouble}; the version in use is not back at both ends: ${error.message}`;
      await this.#move(unit, changing, { state: "returning", because, trouble });
      throw error;
    }
    const whose = this.#parts.gatewayKey(first) === undefined ? "the router has" : "both ends have";
    const because = `${trouble}; ${whose} the version in use again`;
    await this.#move(unit, changing, { state: "held", because, trouble });
  }

  /** Changes the state; an unchanged state is not written again. */
  async #move(unit: KeyUnit, { auth, next }: Changing, to: Moved): Promise<Changing> {
    const { state, because, trouble } = to;
    const isSame = next.state === state && next.because === because && next.trouble === trouble;
    if (isSame) return { auth, next };
    const since = next.state === state ? next.since : this.#parts.world.clock.wall();
    const by = next.by === undefined ? {} : { by: next.by };
    const moved = { auth, next: { auth: next.auth, ...to, since, ...by } };
    await this.#write(unit, moved);
    return moved;
  }

  #write(unit: KeyUnit, inUse: AuthInUse): Promise<void> {
    return this.#parts.write(recordOf(unit, inUse));
  }
}

const refusals: ReadonlySet<string> = new Set(["device.rejected", "verify.timeout"]);

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
