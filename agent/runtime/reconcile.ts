// The loops of one device: one observes, the other applies what cannot interrupt a port and keeps
// its tunnels as the intent wants them. What takes long runs beside both.

import type { DeviceChange, TransactionToken } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, type PortName, strongValue } from "#hal/model.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import { changeWay, type MadeTunnel } from "../compare/tunnel-change.ts";
import { tunnelSpec } from "../compare/tunnel-spec.ts";
import { verify } from "../health/verify.ts";
import type { Cloud } from "../model/cloud.ts";
import { commitLost } from "../model/commit-lost.ts";
import type { DesiredTunnel } from "../model/desired.ts";
import { named, type PendingChange, pendingOn } from "../store/journal/memory.ts";
import { bounded, commitChange, putsOf } from "./campaigns/commit-change.ts";
import type { Leave } from "./leave.ts";
import type { DeviceCache } from "./polling/device-cache.ts";
import { Slots } from "./polling/slots.ts";
import { Tasks } from "./polling/tasks.ts";
import { chooseAuth } from "./polling/vault.ts";
import { Ports } from "./ports.ts";
import { authInUse } from "./tunnels/key-unit.ts";
import { putBlocks } from "./tunnels/tunnel-blocks.ts";
import { isConfirmed, markAuths, markReached } from "./tunnels/tunnel-reached.ts";
import { TunnelRepairs, type TunnelRepairsParts } from "./tunnels/tunnel-repairs.ts";
import { removeTunnel } from "./tunnels/tunnel-retire.ts";
import { type PutWishes, TunnelWishes } from "./tunnels/tunnel-wishes.ts";

export interface ReconcilerParts extends TunnelRepairsParts {
  readonly world: World;
  readonly intent: number;
  readonly deviceCache: DeviceCache;
  readonly vault: KeyVault;
  readonly cloud: Pick<Cloud, "pace">;
  /** What may be written now, beside the campaigns on groups of this device. */
  readonly leave: () => Leave;
  /** True while the journal is not whole: observe, and write nothing. */
  readonly readOnly: () => boolean;
  /** A tunnel as it was last applied. */
  readonly made: MadeTunnel;
  /** True while a campaign on a group of this device observes it. */
  readonly inCampaign: () => boolean;
  /** Runs work while no other tunnel is taken out of service. */
  readonly alone: (work: () => Promise<void>) => Promise<void>;
}

function putOf(tunnel: DesiredTunnel, auth: TunnelAuth) {
  return { kind: "ipsec.putTunnel", tunnel: tunnelSpec(tunnel, auth) } as const;
}

/** A change that is still on the device after this many milliseconds counts as permanent. */
const keptMs = 60_000;
/** The most tunnels that are set up at the same time on a device that can. */
const setUpsMax = 16;
/** The name of the task that changes tunnels one after the other; no tunnel has it. */
const changesTask = "changes of tunnels";
/** The name of the task that repairs ports. */
const repairsTask = "repairs of ports";

/** How long, in milliseconds, a campaign's observation serves this loop too. */
const observedMs = 4_000;

export class Reconciler {
  readonly #parts: ReconcilerParts;
  /**
   * Tunnels that the router accepted and confirmed, with the time, until they count as permanent.
   */
  readonly #accepted = new Map<string, Instant>();
  readonly #wishes: TunnelWishes;
  readonly #ports: Ports;
  readonly #tunnelRepairs: TunnelRepairs;
  readonly #tasks = new Tasks();
  readonly #slots = new Slots(setUpsMax);
  #isEnding = false;
  /** The effects under way; the turn of a campaign waits for their end. */
  readonly #acting = new Set<Promise<void>>();
  /** The turns of campaigns that run, or wait for that: no effect begins meanwhile. */
  #turns = 0;
  /** The observation that was acted on last. */
  #handled: DeviceState | undefined;
  #blocked: LinksealError | undefined;
  /** The errors of settling what a predecessor left pending, by task. */
  readonly #unsettled = new Map<string, LinksealError>();
  #mended: LinksealError | undefined;
  #unprobed: LinksealError | undefined;
  /** The set-ups that the router accepted and lost, by tunnel. */
  readonly #lost = new Map<string, LinksealError>();
  /** The error of the last repair, and the ports that it was for. */
  #failed: { readonly error: LinksealError; readonly ports: readonly PortName[] } | undefined;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#wishes = new TunnelWishes(parts);
    this.#ports = new Ports(parts);
    this.#tunnelRepairs = new TunnelRepairs(parts);
    // What a predecessor observed may be older than its last effect.
    this.#handled = parts.deviceCache.state(parts.device);
  }

  /**
   * The last error of what belongs to no single port or tunnel; undefined once it succeeds.
   */
  get trouble(): LinksealError | undefined {
    return this.#blocked ?? this.#unsettled.get(changesTask) ?? this.#mended ?? this.#unprobed;
  }

  /** The error of the last set-up or change of a tunnel; undefined once it succeeds. */
  tunnelTrouble(name: string): LinksealError | undefined {
    const failed = this.#wishes.retries.failure(name) ?? this.#unsettled.get(name);
    return failed ?? this.#lost.get(name);
  }

  /** The error of the last repair of a port; undefined once it succeeds. */
  portTrouble(port: PortName): LinksealError | undefined {
    return this.#failed?.ports.includes(port) === true ? this.#failed.error : undefined;
  }

  /** Observes the device and its far ends, and probes its links. It waits for no effect. */
  async observe(signal: AbortSignal): Promise<void> {
    const { deviceCache, device, inCampaign } = this.#parts;
    const state = this.#observedByCampaign() ?? (await deviceCache.observe(device, signal));
    const isAsked = this.#parts.cloud.pace === "withRouter";
    for (const link of isAsked ? this.#ports.links : []) {
      // A far end that a running campaign has just read need not be read again.
      const everyMs = inCampaign() ? observedMs : 0;
      if (deviceCache.isPeerDue(link, everyMs)) await deviceCache.observePeer(link, signal);
    }
    if (state === undefined) return;
    this.#judge(state);
    // A campaign that waits may wait for an answer.
    if (this.#parts.leave() === "none") return;
    this.#unprobed = await this.#attempt(() => this.#ports.probe(signal));
  }

  /**
   * Acts on the newest observation, once: blocks what must not leave in the clear, settles what a
   * predecessor left, and begins what is missing. It waits for nothing that takes long.
   */
  async mend(signal: AbortSignal): Promise<void> {
    this.#tasks.check();
    const { deviceCache, device } = this.#parts;
    const state = deviceCache.state(device);
    const isUsed = state === this.#handled || deviceCache.failure(device) !== undefined;
    if (state === undefined || isUsed) return;
    this.#handled = state;
    this.#blocked = await this.#attempt(() => this.#block(state, signal));
    switch (this.#parts.leave()) {
      case "none":
        return;
      case "setUps":
        return this.#setUpLost(state, signal);
      case "all":
        if (this.#settle(signal)) return;
        this.#mended = await this.#attempt(() => this.#mend(state, signal));
    }
  }

  /** Runs the turn of a campaign once no effect is under way; none begins before it has ended. */
  async withoutEffects<T>(turn: () => Promise<T>): Promise<T> {
    this.#turns += 1;
    try {
      while (this.#acting.size > 0) await Promise.allSettled(this.#acting);
      return await turn();
    } finally {
      this.#turns -= 1;
    }
  }

  /** Resolves once everything that was begun has ended. Rejects if an invariant is broken. */
  async rested(): Promise<void> {
    await this.#tasks.ended();
  }

  /** Begins no further effect, and resolves as `rested` does. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.rested();
  }

  /**
   * A running campaign observes its devices every few seconds; observing twice as often adds
   * nothing.
   */
  #observedByCampaign(): DeviceState | undefined {
    const { deviceCache, device, inCampaign, world } = this.#parts;
    const state = deviceCache.state(device);
    const isBlind = state === undefined || deviceCache.failure(device) !== undefined;
    if (isBlind || !inCampaign()) return undefined;
    return world.clock.now() - state.at < observedMs ? state : undefined;
  }

  async #attempt(work: () => Promise<void>): Promise<LinksealError | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const { world, device } = this.#parts;
      world.log.write("warn", error.code, error.message, { device });
      return error;
    }
  }

  /**
   * Runs an effect if it may begin now. A campaign that begins from now on waits for its end,
   * because nothing lies between the check and the note.
   */
  async #act(kind: "setUp" | "change", work: () => Promise<void>): Promise<void> {
    const leave = this.#parts.leave();
    const isAllowed = leave === "all" || (leave === "setUps" && kind === "setUp");
    if (!isAllowed || this.#turns > 0 || this.#isEnding) return;
    const act = work();
    this.#acting.add(act);
    try {
      await act;
    } finally {
      this.#acting.delete(act);
    }
  }

  /** A reply is not proof: an accepted commit that an observation does not show was lost. */
  #judge({ ipsec, at }: DeviceState): void {
    for (const [name, since] of this.#accepted) {
      // An observation that began before the commit does not show it.
      if (at < since) continue;
      const lost = !ipsec.some((entry) => entry.name === name);
      if (lost || at - since > keptMs) this.#accepted.delete(name);
      if (!lost) continue;
      const { device, world } = this.#parts;
      const error = commitLost(device, `the tunnel ${name}`, at - since, undefined);
      this.#lost.set(name, error);
      world.log.write("warn", error.code, error.message, { device });
    }
  }

  /**
   * Begins to settle the transactions that a predecessor left pending: confirms one if the device
   * is as wanted, else rolls it back. Returns true if one of them may change anything, so that the
   * next observation decides what is left to mend.
   */
  #settle(signal: AbortSignal): boolean {
    const { device, memory, alone } = this.#parts;
    const left = pendingOn(memory(), device).filter(({ tunnel }) => !this.#isOwn(tunnel));
    for (const pending of left) {
      // An operator's command may have begun it, and ends it before this goes on.
      const settle = () => alone(() => this.#act("change", () => this.#settleOne(pending, signal)));
      const task = pending.tunnel ?? changesTask;
      this.#tasks.begin([task], async () => {
        const error = await this.#attempt(settle);
        if (error === undefined) this.#unsettled.delete(task);
        else this.#unsettled.set(task, error);
      });
    }
    return left.some(({ tunnel }) => tunnel === undefined);
  }

  /** Returns true if a task of this process has that transaction. */
  #isOwn(tunnel: string | undefined): boolean {
    if (tunnel === undefined) return this.#tasks.size > 0;
    return this.#tasks.has(tunnel) || this.#tasks.has(changesTask);
  }

  async #settleOne(pending: PendingChange, signal: AbortSignal): Promise<void> {
    const { device, deviceCache, memory, write } = this.#parts;
    const { place, token, tunnel } = pending;
    const state = deviceCache.state(device);
    if (named(memory().pending, place) !== token || state === undefined) return;
    const asks = { where: device, effect: "none" } as const;
    const recalled = await bounded(this.#parts, asks, signal, async (limit) =>
      (await deviceCache.device(device, limit)).recall(token as TransactionToken, limit),
    );
    if (recalled.kind === "expiring") {
      const text = "a commit of an ended session waits, and the device reverts it by its timer";
      const details = { effect: "none", where: device, next: "linkseal status" } as const;
      throw new LinksealError("device.locked", text, details);
    }
    // That it waits no longer tells nothing of a look at which it still did.
    if (recalled.kind === "absent" && strongValue(state.control)?.commitPending !== false) return;
    const isWhole = this.#isWhole(tunnel, state);
    if (recalled.kind === "pending") {
      const acts = { where: device, effect: "unknown" } as const;
      await bounded(this.#parts, acts, signal, (limit) =>
        isWhole ? recalled.transaction.confirm(limit) : recalled.transaction.rollback(limit),
      );
    }
    // A set-up that was cut short may have left connection and key with its daemon. The next one
    // would take them for a tunnel of before, which a refusal by the gateway leaves in place.
    if (tunnel !== undefined && this.#wishes.mayBePart(state, tunnel)) {
      await removeTunnel(this.#parts, { name: tunnel, device }, signal);
    } else if (isWhole || recalled.kind === "absent") {
      const isAnswered = recalled.kind === "pending";
      const isReached = (name: string): boolean =>
        isConfirmed(name, state, isAnswered) && this.#isWhole(name, state);
      await markAuths(this.#parts, named(memory().puts, place), isReached);
    }
    await write({ kind: "pending", device: place, token: null });
  }

  /** Returns true if a pending transaction has led to what is wanted. */
  #isWhole(tunnel: string | undefined, state: DeviceState): boolean {
    if (tunnel !== undefined && !this.#parts.desired.tunnels.some(({ name }) => name === tunnel)) {
      return !state.ipsec.some(({ name }) => name === tunnel);
    }
    const isMeant = ({ name }: DesiredTunnel): boolean => tunnel === undefined || name === tunnel;
    if (this.#wishes.hasChange(state, isMeant)) return false;
    // The comparison with a device uses no secret.
    const auth = { kind: "psk", secretId: "" } as const;
    const puts = this.#wishes.wanted(state).filter(isMeant);
    const repairs = tunnel === undefined ? this.#ports.repairs() : [];
    return verify([...puts.map((one) => putOf(one, auth)), ...repairs], state).length === 0;
  }

  /**
   * Begins the set-ups that wait for no campaign: each is negotiated before the device's lock is
   * taken, and takes nothing out of service.
   */
  #setUpLost(state: DeviceState, signal: AbortSignal): void {
    const { deviceCache, device, memory } = this.#parts;
    const isParallel = deviceCache.capabilities(device)?.ipsec?.parallel === true;
    const left = pendingOn(memory(), device).some(({ tunnel }) => !this.#isOwn(tunnel));
    if (!isParallel || left || !this.#isFree(state)) return;
    const { fresh } = this.#wishes.toPut(state);
    const nothing = { changed: [], gone: [], faulty: [], repairs: [] } as const;
    this.#beginEach({ ...nothing, fresh }, signal);
  }

  /** While tunnels are set up, a commit of our own is pending most of the time. */
  #isFree(state: DeviceState): boolean {
    return this.#tasks.size > 0 || strongValue(state.control)?.commitPending === false;
  }

  /** Begins what is missing, as far as it does not run already. */
  async #mend(state: DeviceState, signal: AbortSignal): Promise<void> {
    await markReached(this.#parts, state);
    await this.#ports.markSettings();
    const { deviceCache, device } = this.#parts;
    const wanted = this.#wishes.wanted(state);
    const work: Work = {
      ...this.#wishes.toPut(state),
      gone: this.#wishes.toRemove(),
      faulty: this.#tunnelRepairs.due().filter((tunnel) => !wanted.includes(tunnel)),
      repairs: this.#ports.repairs(),
    };
    if (work.repairs.length === 0) this.#failed = undefined;
    if (Object.values(work).every(({ length }) => length === 0)) return this.#wishes.refuse(state);
    if (!this.#isFree(state)) return;
    const isParallel = deviceCache.capabilities(device)?.ipsec?.parallel === true;
    if (isParallel) this.#beginEach(work, signal);
    else this.#beginAll(work, signal);
  }

  /** Sets up tunnels side by side, beside one task that changes and removes others. */
  #beginEach(work: Work, signal: AbortSignal): void {
    const { fresh, changed, gone, faulty, repairs } = work;
    const tasks = this.#tasks;
    if (repairs.length > 0 && tasks.size === 0) {
      tasks.begin([repairsTask], () => this.#repair(repairs, signal));
      return;
    }
    for (const tunnel of fresh) {
      if (tasks.has(tunnel.name)) continue;
      const setUp = () => this.#setUp([tunnel], signal);
      tasks.begin([tunnel.name], () => this.#slots.run(setUp));
    }
    if (changed.length + gone.length + faulty.length === 0 || tasks.has(changesTask)) return;
    tasks.begin([changesTask], () => this.#changeAll(work, signal));
  }

  /** A device with one lock does one thing after the other, and sets up all tunnels at once. */
  #beginAll(work: Work, signal: AbortSignal): void {
    if (this.#tasks.size > 0) return;
    const { fresh, repairs } = work;
    const { deviceCache, device } = this.#parts;
    // If a driver proves each change while it is applied, each operation is committed alone.
    const isEach = deviceCache.capabilities(device)?.commit.kind === "armedRevert";
    const together = isEach ? fresh.map((tunnel) => [tunnel]) : [fresh];
    this.#tasks.begin([changesTask], async () => {
      for (const tunnels of together) await this.#setUp(tunnels, signal);
      await this.#repair(repairs, signal);
      await this.#changeAll(work, signal);
    });
  }

  async #setUp(tunnels: readonly DesiredTunnel[], signal: AbortSignal): Promise<void> {
    const puts: { readonly tunnel: DesiredTunnel; readonly auth: TunnelAuth }[] = [];
    for (const tunnel of tunnels) {
      await this.#tried([tunnel.name], async () => {
        puts.push({ tunnel, auth: await this.#authOf(tunnel, signal) });
      });
    }
    if (puts.length === 0) return;
    const change = puts.map(({ tunnel, auth }) => putOf(tunnel, auth));
    const names = puts.map(({ tunnel }) => tunnel.name);
    await this.#tried(names, () => this.#act("setUp", () => this.#commit(change, signal)));
  }

  async #repair(repairs: DeviceChange, signal: AbortSignal): Promise<void> {
    if (repairs.length === 0) return;
    const ports = repairs.flatMap((part) => ("port" in part ? [part.port] : []));
    const error = await this.#tried([], () =>
      this.#act("change", () => this.#commit(repairs, signal)),
    );
    this.#failed = error === undefined ? undefined : { error, ports };
  }

  /** Changes, removes and repairs tunnels one after the other. */
  async #changeAll({ changed, gone, faulty }: Work, signal: AbortSignal): Promise<void> {
    for (const tunnel of changed) {
      await this.#tried([tunnel.name], async () => {
        const auth = await this.#authOf(tunnel, signal);
        await this.#parts.alone(() =>
          this.#act("change", () => this.#change(tunnel, auth, signal)),
        );
      });
    }
    for (const name of gone) {
      await this.#tried([name], () =>
        this.#parts.alone(() => this.#act("change", () => this.#remove(name, signal))),
      );
    }
    for (const tunnel of faulty) {
      const repair = () => this.#act("change", () => this.#tunnelRepairs.run(tunnel, signal));
      await this.#attempt(() => this.#parts.alone(repair));
    }
  }

  /** Its siblings take the traffic of a tunnel whose SAs are replaced, if they can. */
  async #change(tunnel: DesiredTunnel, auth: TunnelAuth, signal: AbortSignal): Promise<void> {
    const { deviceCache, device, drains, made, intent } = this.#parts;
    const offers = deviceCache.capabilities(device);
    const way = changeWay(this.#wishes.differences(tunnel), offers);
    const change = [putOf(tunnel, auth)];
    if (way === "nothing" || way === "paths") return await this.#commit(change, signal);
    const before = made(tunnel.name) ?? tunnel;
    try {
      await drains.drainForChange(before, `config ${intent}`, signal);
      await this.#commit(change, signal);
    } finally {
      await drains.undrainAfterChange(before, signal);
    }
  }

  async #remove(name: string, signal: AbortSignal): Promise<void> {
    const { device, world } = this.#parts;
    // An operator's command may have removed it meanwhile.
    if (!this.#wishes.toRemove().includes(name)) return;
    const blocked = await removeTunnel(this.#parts, { name, device }, signal);
    this.#accepted.delete(name);
    this.#lost.delete(name);
    this.#wishes.retries.succeeded(name);
    const stays = blocked.length === 0 ? "" : `; ${blocked.join(", ")} stays blocked`;
    const text = `${name} was removed from ${device}: no config names it${stays}`;
    world.log.write("info", "tunnel-removed", text, { device });
  }

  async #authOf(tunnel: DesiredTunnel, signal: AbortSignal): Promise<TunnelAuth> {
    const { vault, world, memory, desired } = this.#parts;
    const inUse = authInUse(desired.tunnels, tunnel, memory());
    return await chooseAuth(vault, tunnel.auth, { now: world.clock.wall(), inUse }, signal);
  }

  /** A tunnel that fails is tried again later, and does not delay the others. */
  async #tried(
    tunnels: readonly string[],
    work: () => Promise<void>,
  ): Promise<LinksealError | undefined> {
    const { retries } = this.#wishes;
    const error = await this.#attempt(work);
    for (const name of tunnels) {
      if (error !== undefined) retries.failed(name, error);
    }
    return error;
  }

  /** Blocks run even during a campaign: they are final, and take no link out of service. */
  async #block(state: DeviceState, signal: AbortSignal): Promise<void> {
    const change = this.#wishes.toBlock(state);
    if (change.length > 0 && !this.#parts.readOnly()) await putBlocks(this.#parts, change, signal);
  }

  async #commit(change: DeviceChange, signal: AbortSignal): Promise<void> {
    const { device, write, intent } = this.#parts;
    const puts = putsOf(change);
    const names = Object.keys(puts ?? {});
    const tunnel = change.length === 1 ? names[0] : undefined;
    const record = () => markAuths(this.#parts, puts);
    const after = await commitChange(this.#parts, { device, tunnel, change, record }, signal);
    if (after === undefined) return;
    for (const name of names) {
      this.#accepted.set(name, after.at);
      this.#lost.delete(name);
      this.#wishes.retries.succeeded(name);
      await write({ kind: "tunnel", name, intent });
    }
  }
}

/** What a device needs now; each part may be empty. */
interface Work extends PutWishes {
  /** Names of tunnels to be removed. */
  readonly gone: readonly string[];
  /** Tunnels whose SAs do not carry as they should. */
  readonly faulty: readonly DesiredTunnel[];
  readonly repairs: DeviceChange;
}
