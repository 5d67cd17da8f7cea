// Runs the changes of tunnel keys and certificates that begin in the vault: it observes, asks the
// table, journals the step, and then runs its effect. A newer pre-shared key waits until an
// operator has given it to the gateway, or the agent writes it there; a newer certificate needs no
// operator.

import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { KeyVault } from "#hal/vault.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { OnDecision } from "../../model/decision.ts";
import type { DesiredTunnel } from "../../model/desired.ts";
import { bareCauseText } from "../../model/reason-text.ts";
import type {
  AuthInUse,
  TunnelChange,
  TunnelFacts,
  TunnelStep,
} from "../../model/tunnel-change.ts";
import { sharersOf } from "../../model/tunnel-pair.ts";
import { advanceTunnel, decideTunnel, isAtRest } from "../../rotation/tunnel-change.ts";
import { keyObstacle, type Obstacle } from "../../rotation/tunnel-gates.ts";
import { isPending, named } from "../../store/journal/memory.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { newerAuth } from "../polling/vault.ts";
import { Gateways, type GatewaysParts } from "./gateways.ts";
import {
  isSettled,
  type KeyUnit,
  recordOf,
  sameAuth,
  stateOf,
  unitsOf,
  versionsOf,
} from "./key-unit.ts";
import { type PskReport, pskReport } from "./psk-report.ts";
import { TunnelEffects, type TunnelEffectsParts } from "./tunnel-effects.ts";
import { OurEnds } from "./tunnel-end.ts";
import { refusal } from "./tunnel-refusals.ts";

export interface TunnelChangesParts extends TunnelEffectsParts, GatewaysParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly deviceCache: Pick<
    DeviceCache,
    "observe" | "state" | "failure" | "capabilities" | "device" | "roundTrips"
  >;
  readonly vault: KeyVault;
  /** Returns true if a campaign runs on a group of this device. */
  readonly inCampaign: (device: string) => boolean;
  /** Absent = no storm runs. */
  readonly onDecision?: OnDecision | undefined;
}

/** The interval between queries for newer versions, in milliseconds. */
const vaultMs = 300_000;
/**
 * The intervals in milliseconds after which a step is tried again; shorter while both ends may
 * differ.
 */
const retryMs = {
  ...{ psk: 60_000, certificate: 600_000 },
  ...{ waiting: 300_000, giving: 15_000, returning: 60_000 },
} as const;

/** Changes the keys and certificates of tunnels. */
export class TunnelChanges {
  readonly #parts: TunnelChangesParts;
  readonly #ours: OurEnds;
  readonly #gateways: Gateways;
  /** Devices on which one is being changed now. */
  readonly #busy = new Set<string>();
  readonly #askedAt = new Map<string, Instant>();
  /** The earliest time of the next try, by tunnel and state. */
  readonly #retryAt = new Map<string, Instant>();

  constructor(parts: TunnelChangesParts) {
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
    const { desired, memory } = this.#parts;
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
    const mayLand = next.state === "returning" && this.#gateways.mayLand(unit[0]);
    const closed = mayLand ? landing(tunnel) : await this.#obstacle(unit, "person", signal);
    if (closed !== undefined) {
      throw refusal(closed.code, tunnel.name, bareCauseText(closed.cause), closed.next);
    }
    const asked = { asked: "person", unmet: undefined } as const;
    await this.#run(unit, { auth, next: { ...next, by } }, asked, signal);
    return this.#psk(tunnel);
  }

  #psk(tunnel: DesiredTunnel): PskReport {
    const { desired, memory, deviceCache } = this.#parts;
    const canDrain = deviceCache.capabilities(tunnel.device)?.drain !== undefined;
    return pskReport(desired, tunnel, { farEnd: this.#farEnd(tunnel), canDrain, memory: memory() });
  }

  #farEnd(tunnel: DesiredTunnel): TunnelFacts["farEnd"] {
    return this.#parts.gatewayKey(tunnel) === undefined ? "manual" : "agent";
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
    const key = `${name} ${next.state}`;
    if (now < (this.#retryAt.get(key) ?? now)) return;
    const isChecked = next.state === "waiting" && this.#farEnd(unit[0]) === "agent";
    const closed = isChecked ? await this.#obstacle(unit, "policy", signal) : undefined;
    const policy = { asked: "policy", unmet: closed?.cause } as const;
    const begins = (step: TunnelStep): void =>
      void this.#retryAt.set(key, instantAfter(now, retryOf(next, step)));
    await this.#run(unit, { auth, next }, { ...policy, begins }, signal);
  }

  #isPending(unit: KeyUnit): boolean {
    const memory = this.#parts.memory();
    return unit.some(({ name, device }) => isPending(memory, device, name));
  }

  /** Takes steps until nothing more is done before another observation. */
  async #run(
    unit: KeyUnit,
    { auth, next }: Required<AuthInUse>,
    how: Pick<TunnelFacts, "asked" | "unmet"> & { readonly begins?: (step: TunnelStep) => void },
    signal: AbortSignal,
  ): Promise<void> {
    const { world } = this.#parts;
    const [first] = unit;
    const effects = new TunnelEffects(this.#parts, unit, {
      ...{ auth, change: next, asked: how.asked, farEnd: this.#farEnd(first) },
      ...{ ours: this.#ours, gateways: this.#gateways },
      isTakenBack: (limit) => this.#isTakenBack(unit, { auth, next }, limit),
    });
    let change: TunnelChange = next;
    let { asked, unmet, begins } = how;
    this.#busy.add(first.device);
    try {
      for (;;) {
        const step = this.#decide(change, { ...effects.facts(), asked, unmet });
        const to = step.next;
        if (step.action !== undefined || to !== change.state) begins?.(step);
        begins = undefined;
        if (to === "done") {
          await this.#write(unit, { auth: next.auth });
          return;
        }
        const moved = advanceTunnel(change, { ...step, next: to }, world.clock.wall());
        if (moved !== change) await this.#write(unit, { auth, next: moved });
        if (isAtRest(change, step)) break;
        change = moved;
        [asked, unmet] = ["policy", undefined];
        await effects.run(step, signal);
      }
    } finally {
      this.#busy.delete(first.device);
    }
    effects.throwFailure();
  }

  #decide(change: TunnelChange, facts: TunnelFacts): TunnelStep {
    const step = decideTunnel(change, facts);
    const decision = { kind: "tunnelStep" as const, change, facts, step };
    this.#parts.onDecision?.(decision);
    return decision.step;
  }

  async #notice(unit: KeyUnit, inUse: AuthInUse, signal: AbortSignal): Promise<void> {
    const { world, memory } = this.#parts;
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
    const isAgents = found.kind === "psk" && this.#farEnd(unit[0]) === "agent";
    const kind = isAgents ? "agent" : found.kind === "psk" ? "person" : "certificate";
    const reason = { code: `tunnel.newer.${kind}` } as const;
    const since = world.clock.wall();
    await this.#write(unit, { auth, next: { auth: found, state: "waiting", since, reason } });
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

  async #isTakenBack(
    unit: KeyUnit,
    { auth, next }: Required<AuthInUse>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const newest = await this.#newest(unit, [auth], signal);
    return newest === undefined || !sameAuth(newest.found, next.auth);
  }

  /** Why nothing may be sent now; undefined = every gate is open. */
  async #obstacle(
    unit: KeyUnit,
    asked: TunnelFacts["asked"],
    signal: AbortSignal,
  ): Promise<Obstacle | undefined> {
    const { deviceCache, memory, world, desired, inCampaign } = this.#parts;
    const [first] = unit;
    const { name, device } = first;
    const state = await deviceCache.observe(device, signal);
    if (state === undefined) {
      const cause = { code: "device.unread", device } as const;
      return { code: "gate.stale", cause, next: "linkseal status" };
    }
    const offered = deviceCache.capabilities(device)?.ipsec?.rekeys;
    if (offered?.includes("reauthenticate") !== true) {
      const cause = { code: "device.noFreshAuthentication", device } as const;
      return { code: "device.unsupported", cause, next: "linkseal driver list" };
    }
    if (this.#isPending(unit) || strongValue(state.control)?.commitPending !== false) {
      const cause = { code: "device.unconfirmed", device } as const;
      return { code: "gate.busy", cause, next: `linkseal psk proceed ${name}` };
    }
    if (this.#farEnd(first) === "manual") return undefined;
    for (const tunnel of unit) {
      const closed = keyObstacle({
        ...{ desired, tunnel, asked, state, inCampaign },
        ...{ wall: world.clock.wall(), memory: memory() },
        lastState: (other) => this.#lastState(other),
        trips: (other) => deviceCache.roundTrips.of(other),
      });
      if (closed !== undefined) return closed;
    }
    return await this.#gateways.missingRight(first, signal);
  }

  #lastState(device: string): DeviceState | undefined {
    const { deviceCache, world, desired } = this.#parts;
    const state = deviceCache.state(device);
    if (state === undefined || deviceCache.failure(device) !== undefined) return undefined;
    const ageMs = world.clock.now() - state.at;
    return ageMs <= desired.health.staleAfterMs ? state : undefined;
  }

  #write(unit: KeyUnit, inUse: AuthInUse): Promise<void> {
    return this.#parts.write(recordOf(unit, inUse));
  }
}

/** The version in use may be on its way to the gateway, and would end the newer one. */
function landing({ name: tunnel }: DesiredTunnel): Obstacle {
  const next = `linkseal psk proceed ${tunnel}`;
  return { code: "gate.busy", cause: { code: "tunnel.mayLand", tunnel }, next };
}

/** How long after the begin of a run its first step is not tried again. */
function retryOf({ auth, state }: TunnelChange, { action, next }: TunnelStep): number {
  if (action === "give") return state === "giving" ? retryMs.giving : retryMs.waiting;
  const takes = state === "switching" || next === "switching";
  return takes ? retryMs[auth.kind] : retryMs.returning;
}
