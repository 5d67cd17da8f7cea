// The per-device loop: it observes, and applies only changes that cannot interrupt a port. It adds;
// it never removes.

import { withDeadline } from "#hal/deadline.ts";
import type { Device, DeviceChange, KeyResolver, TransactionToken } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue, type TunnelAuth, type WantedSettings } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import { type Drift, standingOf, tunnelSpec } from "../compare/plan.ts";
import type { MadeTunnel } from "../compare/tunnel-change.ts";
import { equalSettings, settingsGaps, verify } from "../health/verify.ts";
import type { Cloud } from "../model/cloud.ts";
import { commitLost } from "../model/commit-lost.ts";
import { type Desired, type DesiredLink, type DesiredTunnel, linkId } from "../model/desired.ts";
import { portOf } from "../model/link-snapshot.ts";
import { type JournalRecord, type Memory, named } from "../store/journal/memory.ts";
import { withinOf } from "./campaigns/effects.ts";
import type { DeviceCache } from "./polling/device-cache.ts";
import { chooseAuth } from "./polling/vault.ts";
import { sameAuth } from "./tunnels/tunnel-auth.ts";
import { putBlocks } from "./tunnels/tunnel-blocks.ts";
import { TunnelWishes } from "./tunnels/tunnel-wishes.ts";

export interface ReconcilerParts {
  readonly world: World;
  readonly desired: Desired;
  readonly intent: number;
  readonly device: string;
  readonly deviceCache: DeviceCache;
  readonly vault: KeyVault;
  readonly cloud: Pick<Cloud, "pace">;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  /** True while a campaign runs on a group of this device: observe, and write nothing. */
  readonly paused: () => boolean;
  /** True while the journal is not whole: observe, and write nothing. */
  readonly readOnly: () => boolean;
  /** A tunnel as it was last applied. */
  readonly made: MadeTunnel;
  /** True while a campaign on a group of this device observes it. */
  readonly inCampaign: () => boolean;
}

/** If a driver proves each change while it is applied, each operation is committed alone. */
function commitsOf({ capabilities }: Device, change: DeviceChange): readonly DeviceChange[] {
  return capabilities.commit.kind === "armedRevert" ? change.map((part) => [part]) : [change];
}

function putOf(tunnel: DesiredTunnel, auth: TunnelAuth) {
  return { kind: "ipsec.putTunnel", tunnel: tunnelSpec(tunnel, auth) } as const;
}

/** The longest duration of one effect, in milliseconds. */
const effectMsMax = 60_000;
/** A change that is still on the device after this many milliseconds counts as permanent. */
const keptMs = 60_000;
/** Packets of one probe of an idle link. */
const probePackets = 5;

/** How long, in milliseconds, a campaign's observation serves this loop too. */
const observedMs = 4_000;

export class Reconciler {
  readonly #parts: ReconcilerParts;
  /**
   * Tunnels that the router accepted and confirmed, with the time, until they count as permanent.
   */
  readonly #accepted = new Map<string, Instant>();
  readonly #wishes: TunnelWishes;
  /** The links on this device. */
  readonly #links: readonly DesiredLink[];
  #trouble: LinksealError | undefined;
  #lost: LinksealError | undefined;
  /** The error of the last commit that failed, whatever it changed. */
  #failed: LinksealError | undefined;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#wishes = new TunnelWishes(parts);
    this.#links = parts.desired.groups
      .flatMap((group) => group.links)
      .filter((link) => link.device === parts.device);
  }

  /** The last error of an effect or an observation; undefined once a turn succeeds. */
  get trouble(): LinksealError | undefined {
    return this.#trouble ?? this.#lost;
  }

  /** Runs one turn: observes the device and its far ends, then mends what is missing. */
  async turn(signal: AbortSignal): Promise<void> {
    const { deviceCache, device, inCampaign } = this.#parts;
    const state = this.#observedByCampaign() ?? (await deviceCache.observe(device, signal));
    const isAsked = this.#parts.cloud.pace === "withRouter";
    for (const link of isAsked ? this.#links : []) {
      // A far end that a running campaign has just read need not be read again.
      const everyMs = inCampaign() ? observedMs : 0;
      if (deviceCache.isPeerDue(link, everyMs)) await deviceCache.observePeer(link, signal);
    }
    if (state === undefined) return;
    this.#judge(state);
    const blocked = await this.#attempt(() => this.#block(state, signal));
    if (this.#parts.paused()) return;
    const idle = await this.#attempt(() => this.#probeIdle(signal));
    this.#failed = undefined;
    const mended = await this.#attempt(async () => {
      // A settled transaction changed the device: the next observation decides what is left to
      // mend.
      if (!(await this.#settle(state, signal))) await this.#mend(state, signal);
    });
    this.#trouble = blocked ?? mended ?? idle ?? this.#wishes.retries.trouble ?? this.#failed;
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

  /** A reply is not proof: an accepted commit that an observation does not show was lost. */
  #judge({ ipsec, at }: DeviceState): void {
    for (const [name, since] of this.#accepted) {
      const lost = !ipsec.some((entry) => entry.name === name);
      if (lost || at - since > keptMs) this.#accepted.delete(name);
      if (!lost) continue;
      const { device, world } = this.#parts;
      this.#lost = commitLost(device, `the tunnel ${name}`, at - since, undefined);
      world.log.write("warn", this.#lost.code, this.#lost.message, { device });
    }
  }

  /**
   * Settles a transaction that a predecessor left pending: confirms it if it is as wanted, else
   * rolls it back. Returns false if there was none.
   */
  async #settle(state: DeviceState, signal: AbortSignal): Promise<boolean> {
    const { device, deviceCache, memory, write } = this.#parts;
    const token = named(memory().pending, device);
    if (token === undefined) return false;
    const recalled = await this.#bounded("none", signal, async (bounded) =>
      (await deviceCache.device(device, bounded)).recall(token as TransactionToken, bounded),
    );
    if (recalled.kind === "pending") {
      const isWhole =
        !this.#wishes.hasChange(state) && verify(this.#wanted(state), state).length === 0;
      await this.#bounded("unknown", signal, (bounded) =>
        isWhole ? recalled.transaction.confirm(bounded) : recalled.transaction.rollback(bounded),
      );
    }
    await write({ kind: "pending", device, token: null });
    return true;
  }

  /** Sends a few packets over idle links within each evidence window, to prove that they carry. */
  async #probeIdle(signal: AbortSignal): Promise<void> {
    const { deviceCache, memory, desired, world } = this.#parts;
    for (const link of this.#links) {
      if (memory().bindings[linkId(link)] === undefined) continue;
      const history = deviceCache.history(link);
      const last = history.at(-1);
      const before = history.at(-2);
      const moved = (pick: (frames: { rxOk: bigint; txProtected: bigint }) => bigint): boolean => {
        const now = last === undefined ? undefined : strongValue(last.frames);
        const then = before === undefined ? undefined : strongValue(before.frames);
        return now !== undefined && then !== undefined && pick(now) > pick(then);
      };
      if (moved((frames) => frames.rxOk) && moved((frames) => frames.txProtected)) continue;
      const probedAt = deviceCache.snapshot(link).probe?.at;
      const due =
        probedAt === undefined || world.clock.now() - probedAt > desired.health.evidenceMs / 3;
      if (due) await deviceCache.probe(link, probePackets, signal);
    }
  }

  /** Tunnels that the intent adds, and drift that the driver mends hitless under `repair: on`. */
  #wanted(state: DeviceState): DeviceChange {
    // The comparison with a device uses no secret.
    const auth = { kind: "psk", secretId: "" } as const;
    return [...this.#wishes.wanted(state).map((tunnel) => putOf(tunnel, auth)), ...this.#repairs()];
  }

  /**
   * Changes that the driver makes without interrupting the port: drift, or settings of a newer
   * intent.
   */
  #repairs(): DeviceChange {
    const { deviceCache, memory, device } = this.#parts;
    // If the device cannot revert by itself, a port that carries traffic is left alone.
    if (deviceCache.capabilities(device)?.commit.kind === "immediate") return [];
    return this.#links.flatMap((link) => {
      const standing = standingOf(
        deviceCache.snapshot(link),
        memory(),
        deviceCache.capabilities(link.device),
      );
      if (standing.kind !== "managed") return [];
      return standing.drift.find((drift) => this.#mayRepair(link, drift))?.repair ?? [];
    });
  }

  /** P4: a change that an operator made manually is mended only under `repair: on`. */
  #mayRepair(link: DesiredLink, { repair, by }: Drift): boolean {
    const { desired, intent, memory } = this.#parts;
    if (repair === undefined) return false;
    if (desired.repair === "on" || by === "restart") return true;
    // A newer intent may change settings, but does not restore a key that an operator removed.
    if (repair.some(({ kind }) => kind !== "macsec.protect")) return false;
    const binding = named(memory().bindings, linkId(link));
    if (binding === undefined || binding.intent >= intent) return false;
    return !equalSettings(link.settings, binding.settings) && this.#isSetTo(link, binding.settings);
  }

  #isSetTo(link: DesiredLink, settings: WantedSettings): boolean {
    const port = portOf(this.#parts.deviceCache.snapshot(link).state, link.port);
    const observed = port === undefined ? undefined : strongValue(port.settings);
    return observed !== undefined && settingsGaps(settings, observed).length === 0;
  }

  /** Once both ends are as the newer intent wants them, its settings become the accepted ones. */
  async #markSettings(): Promise<void> {
    const { deviceCache, memory, write, intent } = this.#parts;
    for (const link of this.#links) {
      const binding = named(memory().bindings, linkId(link));
      if (binding === undefined || equalSettings(link.settings, binding.settings)) continue;
      const { peer } = deviceCache.snapshot(link);
      const sci = link.settings.includeSci ? "on" : "off";
      const far = peer?.suite === link.settings.suite && peer.sci === sci;
      if (!far || !this.#isSetTo(link, link.settings)) continue;
      const changed = { ...binding, settings: link.settings, intent, how: "changed" } as const;
      await write({ kind: "binding", link: linkId(link), binding: changed });
    }
  }

  async #mend(state: DeviceState, signal: AbortSignal): Promise<void> {
    await this.#markReached(state);
    await this.#markSettings();
    const { deviceCache, device } = this.#parts;
    const puts: { readonly tunnel: DesiredTunnel; readonly auth: TunnelAuth }[] = [];
    for (const tunnel of this.#wishes.toPut(state)) {
      await this.#tried([tunnel.name], async () => {
        puts.push({ tunnel, auth: await this.#authOf(tunnel, signal) });
      });
    }
    const change = [...puts.map(({ tunnel, auth }) => putOf(tunnel, auth)), ...this.#repairs()];
    if (change.length === 0) return this.#wishes.refuse(state);
    if (strongValue(state.control)?.commitPending !== false) return;
    const session = await this.#bounded("none", signal, (bounded) =>
      deviceCache.device(device, bounded),
    );
    // The vault took time, and a campaign may have begun meanwhile.
    if (this.#parts.paused()) return;
    for (const one of commitsOf(session, change)) {
      const names = one.flatMap((part) =>
        part.kind === "ipsec.putTunnel" ? part.tunnel.name : [],
      );
      const error = await this.#tried(names, () => this.#transact(session, one, signal));
      this.#failed ??= error;
    }
  }

  async #authOf({ name, auth }: DesiredTunnel, signal: AbortSignal): Promise<TunnelAuth> {
    const { vault, world, memory } = this.#parts;
    const inUse = named(memory().auths, name)?.auth.secretId;
    return await chooseAuth(vault, auth, { now: world.clock.wall(), inUse }, signal);
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

  async #transact(session: Device, change: DeviceChange, signal: AbortSignal): Promise<void> {
    const { device, write, deviceCache, keys, desired } = this.#parts;
    const transaction = await this.#bounded("none", signal, (bounded) =>
      session.prepare(change, keys(bounded), bounded),
    );
    await write({ kind: "pending", device, token: transaction.token });
    const within = withinOf(session.capabilities.commit, desired.rotation.confirmMs);
    try {
      await this.#bounded("unknown", signal, (bounded) => transaction.apply(within, bounded));
    } catch (error) {
      // A change that reverted itself is no longer pending; any other failure is observed first.
      const undone = error instanceof LinksealError && error.effect === "none";
      if (undone) await write({ kind: "pending", device, token: null });
      throw error;
    }
    const after = await deviceCache.observe(device, signal);
    if (after === undefined) return;
    const gaps = verify(change, after);
    if (gaps.length > 0) {
      if (within !== "final")
        await this.#bounded("unknown", signal, (s) => transaction.rollback(s));
      await write({ kind: "pending", device, token: null });
      throw new LinksealError("verify.mismatch", gaps.join("; "), {
        effect: within === "final" ? "applied" : "none",
        where: device,
        next: "linkseal plan",
      });
    }
    if (within !== "final") await this.#bounded("unknown", signal, (s) => transaction.confirm(s));
    await write({ kind: "pending", device, token: null });
    this.#lost = undefined;
    for (const part of change) {
      if (part.kind !== "ipsec.putTunnel") continue;
      const { name, auth } = part.tunnel;
      this.#accepted.set(name, after.at);
      this.#wishes.retries.succeeded(name);
      await write({ kind: "tunnel", name, intent: this.#parts.intent });
      const before = named(this.#parts.memory().auths, name)?.auth;
      if (before !== undefined && sameAuth(before, auth)) continue;
      await write({ kind: "auth", name, inUse: { auth } });
    }
  }

  async #markReached(state: DeviceState): Promise<void> {
    const { desired, device, memory, write, intent } = this.#parts;
    if (named(memory().pending, device) !== undefined) return;
    // A change that still waits for its confirmation may disappear at any moment.
    if (strongValue(state.control)?.commitPending !== false) return;
    for (const tunnel of desired.tunnels) {
      if (tunnel.device !== device || named(memory().tunnels, tunnel.name) !== undefined) continue;
      if (!state.ipsec.some((entry) => entry.name === tunnel.name)) continue;
      await write({ kind: "tunnel", name: tunnel.name, intent });
    }
  }

  async #bounded<T>(
    effect: "none" | "unknown",
    signal: AbortSignal,
    f: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { world, device } = this.#parts;
    return await withDeadline(world.clock, { ms: effectMsMax, where: device, effect }, signal, f);
  }
}
