// The per-device loop: look, and apply only what cannot interrupt a port. It may add; it never
// removes.

import { withDeadline } from "#hal/deadline.ts";
import type { Device, DeviceChange, KeyResolver, TransactionToken } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue, type TunnelAuth, type WantedSettings } from "#hal/model.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import { riskAccepted } from "./campaign/begin.ts";
import { withinOf } from "./campaign/effects.ts";
import { commitLost } from "./commit-lost.ts";
import {
  type Desired,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
  tunnelRisk,
} from "./desired.ts";
import { type JournalRecord, type Memory, named } from "./journal/memory.ts";
import { portOf } from "./link-view.ts";
import type { Lookout } from "./lookout.ts";
import { type Drift, standingOf, tunnelSpec } from "./plan.ts";
import { sameAuth } from "./tunnel-auth.ts";
import { chooseAuth } from "./vault.ts";
import { backingGaps, equalSettings, settingsGaps, verify } from "./verify.ts";

export interface ReconcilerParts {
  readonly world: World;
  readonly desired: Desired;
  readonly intent: number;
  readonly device: string;
  readonly lookout: Lookout;
  readonly vault: KeyVault;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  /** A campaign runs on a group of this device: look, and write nothing. */
  readonly paused: () => boolean;
  /** A campaign on a group of this device looks at it by itself. */
  readonly inCampaign: () => boolean;
}

/** A daemon that ended took it along: nobody wanted that, so it is no drift. */
function isForgotten({ ipsec }: DeviceState, name: string): boolean {
  const tunnel = ipsec.find((entry) => entry.name === name);
  return tunnel !== undefined && strongValue(tunnel.ike) === "forgotten";
}

/** Where a change is proven as it is made, each part stands or falls for itself. */
function commitsOf({ capabilities }: Device, change: DeviceChange): readonly DeviceChange[] {
  return capabilities.commit.kind === "armedRevert" ? change.map((part) => [part]) : [change];
}

const effectMsMax = 60_000;
/** A change that is still there after this long counts as kept. */
const keptMs = 60_000;
/** Packets of one proof on an idle link. */
const probePackets = 5;

const lookedMs = 4_000;

export class Reconciler {
  readonly #parts: ReconcilerParts;
  /** Tunnels that the router accepted and confirmed: since when, until they count as kept. */
  readonly #accepted = new Map<string, Instant>();
  #trouble: LinksealError | undefined;
  #lost: LinksealError | undefined;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** The last error of an effect or of a look; gone once a turn succeeds. */
  get trouble(): LinksealError | undefined {
    return this.#trouble ?? this.#lost;
  }

  /** One turn: look at the device and its far ends, then mend what is missing. */
  async turn(signal: AbortSignal): Promise<void> {
    const { lookout, device, inCampaign } = this.#parts;
    const state = this.#seenByCampaign() ?? (await lookout.look(device, signal));
    // That of a real cloud has a watch of its own.
    const isSimulated = this.#parts.desired.azure.cloud === "sim";
    for (const link of isSimulated ? this.#links() : []) {
      // What a campaign under way has just asked need not be asked again.
      const everyMs = inCampaign() ? lookedMs : 0;
      if (lookout.isPeerDue(link, everyMs)) await lookout.lookPeer(link, signal);
    }
    if (state === undefined) return;
    this.#judge(state);
    if (this.#parts.paused()) return;
    const idle = await this.#attempt(() => this.#probeIdle(signal));
    const mended = await this.#attempt(async () => {
      // What was settled changed the device: the next look decides what is left to mend.
      if (!(await this.#settle(state, signal))) await this.#mend(state, signal);
    });
    this.#trouble = mended ?? idle;
  }

  /** A campaign under way looks at its devices every few seconds: twice as often tells no more. */
  #seenByCampaign(): DeviceState | undefined {
    const { lookout, device, inCampaign, world } = this.#parts;
    const state = lookout.state(device);
    const isBlind = state === undefined || lookout.failure(device) !== undefined;
    if (isBlind || !inCampaign()) return undefined;
    return world.clock.now() - state.at < lookedMs ? state : undefined;
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

  /** A reply is no fact: an accepted commit that a look does not show was lost. */
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

  #links(): readonly DesiredLink[] {
    return this.#parts.desired.groups
      .flatMap((group) => group.links)
      .filter((link) => link.device === this.#parts.device);
  }

  /**
   * A transaction that a predecessor left pending: confirmed if it is as wanted, else rolled back.
   * False = there was none.
   */
  async #settle(state: DeviceState, signal: AbortSignal): Promise<boolean> {
    const { device, lookout, memory, write } = this.#parts;
    const token = named(memory().pending, device);
    if (token === undefined) return false;
    const recalled = await this.#bounded("none", signal, async (bounded) =>
      (await lookout.device(device, bounded)).recall(token as TransactionToken, bounded),
    );
    if (recalled.kind === "pending") {
      const gaps = verify(
        // What is compared with a device names no secret.
        this.#wanted(state, () => ({ kind: "psk", secretId: "" })),
        state,
      );
      await this.#bounded("unknown", signal, (bounded) =>
        gaps.length === 0
          ? recalled.transaction.confirm(bounded)
          : recalled.transaction.rollback(bounded),
      );
    }
    await write({ kind: "pending", device, token: null });
    return true;
  }

  /** Idle links are proven by a few packets within each evidence window. */
  async #probeIdle(signal: AbortSignal): Promise<void> {
    const { lookout, memory, desired, world } = this.#parts;
    for (const link of this.#links()) {
      if (memory().bindings[linkId(link)] === undefined) continue;
      const history = lookout.history(link);
      const last = history.at(-1);
      const before = history.at(-2);
      const moved = (pick: (frames: { rxOk: bigint; txProtected: bigint }) => bigint): boolean => {
        const now = last === undefined ? undefined : strongValue(last.frames);
        const then = before === undefined ? undefined : strongValue(before.frames);
        return now !== undefined && then !== undefined && pick(now) > pick(then);
      };
      if (moved((frames) => frames.rxOk) && moved((frames) => frames.txProtected)) continue;
      const probedAt = lookout.view(link).probe?.at;
      const due =
        probedAt === undefined || world.clock.now() - probedAt > desired.health.evidenceMs / 3;
      if (due) await lookout.probe(link, probePackets, signal);
    }
  }

  /** Tunnels that the intent adds, and drift that the driver mends hitless under `repair: on`. */
  #wanted(state: DeviceState, authOf: (tunnel: DesiredTunnel) => TunnelAuth): DeviceChange {
    return [
      ...this.#tunnelsToPut(state).map(
        (tunnel) =>
          ({ kind: "ipsec.putTunnel", tunnel: tunnelSpec(tunnel, authOf(tunnel)) }) as const,
      ),
      ...this.#repairs(),
    ];
  }

  #tunnelsToPut(state: DeviceState): readonly DesiredTunnel[] {
    const { desired } = this.#parts;
    const wanted = new Set([...this.#absentTunnels(state), ...this.#tunnelsToBack(state)]);
    return desired.tunnels.filter((one) => wanted.has(one) && this.#refusal(one) === undefined);
  }

  /** Those that a newer intent makes the backup of other ports than they are now, or of none. */
  #tunnelsToBack(state: DeviceState): readonly DesiredTunnel[] {
    const { desired, device, memory, intent } = this.#parts;
    return desired.tunnels.filter(({ name, backs, ...tunnel }) => {
      const since = named(memory().tunnels, name);
      if (tunnel.device !== device || since === undefined || since >= intent) return false;
      const ports = backs?.links.map(({ port }) => port) ?? [];
      return (
        state.ipsec.some((entry) => entry.name === name) &&
        backingGaps(state, tunnel.remotePrefixes, ports).length > 0
      );
    });
  }

  #absentTunnels(state: DeviceState): readonly DesiredTunnel[] {
    const { desired, device, memory } = this.#parts;
    return desired.tunnels.filter(
      (tunnel) =>
        tunnel.device === device &&
        (isForgotten(state, tunnel.name) ||
          (!state.ipsec.some((entry) => entry.name === tunnel.name) &&
            // Once reached, its absence is drift, and that is mended under `repair: on` only (P4).
            (desired.repair === "on" || named(memory().tunnels, tunnel.name) === undefined))),
    );
  }

  /** What the driver mends without interrupting the port: drift, or what a newer intent wants. */
  #repairs(): DeviceChange {
    const { lookout, memory, device } = this.#parts;
    // Where nothing reverts by itself, a port that carries is left alone.
    if (lookout.capabilities(device)?.commit.kind === "immediate") return [];
    return this.#links().flatMap((link) => {
      const standing = standingOf(lookout.view(link), memory(), lookout.capabilities(link.device));
      if (standing.kind !== "managed") return [];
      return standing.drift.find((drift) => this.#mayRepair(link, drift))?.repair ?? [];
    });
  }

  /** P4: what somebody changed by hand is mended under `repair: on` only. */
  #mayRepair(link: DesiredLink, { repair, by }: Drift): boolean {
    const { desired, intent, memory } = this.#parts;
    if (repair === undefined) return false;
    if (desired.repair === "on" || by === "restart") return true;
    // A newer intent wants other settings, and no key that somebody took off.
    if (repair.some(({ kind }) => kind !== "macsec.protect")) return false;
    const binding = named(memory().bindings, linkId(link));
    if (binding === undefined || binding.intent >= intent) return false;
    return !equalSettings(link.settings, binding.settings) && this.#isSetTo(link, binding.settings);
  }

  #isSetTo(link: DesiredLink, settings: WantedSettings): boolean {
    const port = portOf(this.#parts.lookout.view(link).state, link.port);
    const seen = port === undefined ? undefined : strongValue(port.settings);
    return seen !== undefined && settingsGaps(settings, seen).length === 0;
  }

  /** Both ends are as the newer intent wants them: that is what was accepted from here on. */
  async #markSettings(): Promise<void> {
    const { lookout, memory, write, intent } = this.#parts;
    for (const link of this.#links()) {
      const binding = named(memory().bindings, linkId(link));
      if (binding === undefined || equalSettings(link.settings, binding.settings)) continue;
      const { peer } = lookout.view(link);
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
    const { vault, world, lookout, device } = this.#parts;
    const auths = new Map<DesiredTunnel, TunnelAuth>();
    for (const tunnel of this.#tunnelsToPut(state)) {
      const inUse = named(this.#parts.memory().auths, tunnel.name)?.auth.secretId;
      const auth = await chooseAuth(vault, tunnel.auth, { now: world.clock.wall(), inUse }, signal);
      auths.set(tunnel, auth);
    }
    const change = this.#wanted(state, (tunnel) => {
      const auth = auths.get(tunnel);
      if (auth === undefined) throw new Error(`${tunnel.name} went missing meanwhile`);
      return auth;
    });
    if (change.length === 0) return this.#refuse(state);
    if (strongValue(state.control)?.commitPending !== false) return;
    const session = await this.#bounded("none", signal, (bounded) =>
      lookout.device(device, bounded),
    );
    // The vault took its time, and a campaign may have begun meanwhile.
    if (this.#parts.paused()) return;
    let failed: LinksealError | undefined;
    for (const one of commitsOf(session, change)) {
      try {
        await this.#transact(session, one, signal);
      } catch (error) {
        // A gateway that does not agree keeps no other tunnel down.
        if (!(error instanceof LinksealError)) throw error;
        failed ??= error;
      }
    }
    if (failed !== undefined) throw failed;
  }

  /** Why a tunnel is not set up; undefined = nothing is against it. */
  #refusal(tunnel: DesiredTunnel): LinksealError | undefined {
    const { name, weaknesses, backs } = tunnel;
    const { desired, world, memory, lookout } = this.#parts;
    const refused = (code: "gate.riskNotAccepted" | "gate.busy", text: string, next: string) =>
      new LinksealError(code, text, { effect: "none", where: name, next });
    const risk = tunnelRisk(tunnel);
    if (weaknesses.length > 0 && !riskAccepted(desired, risk, world.clock.wall())) {
      const text = `${name} is not set up under a weak policy: its risk is not accepted`;
      const instead = tunnel.auth.kind === "static" ? "use IKE" : "set policy: strong";
      const next = `accept ${risk} with a later date, or ${instead}`;
      return refused("gate.riskNotAccepted", `${text} (${weaknesses.join(", ")})`, next);
    }
    if (backs === undefined || named(memory().tunnels, name) !== undefined) return undefined;
    // Its block would take what these links carry in the clear until they are enrolled.
    const clear = backs.links.find((link) => {
      const port = portOf(lookout.view(link).state, link.port);
      return port?.settings.kind === "known" && port.settings.value === undefined;
    });
    if (clear === undefined) return undefined;
    const why = `it would block what ${linkId(clear)} carries in the clear`;
    const next = `linkseal enrol ${backs.group}`;
    return refused("gate.busy", `${name} is not set up yet: ${why}`, next);
  }

  // Only after the others have their turn.
  #refuse(state: DeviceState): void {
    for (const tunnel of this.#absentTunnels(state)) {
      const refusal = this.#refusal(tunnel);
      if (refusal !== undefined) throw refusal;
    }
  }

  async #transact(session: Device, change: DeviceChange, signal: AbortSignal): Promise<void> {
    const { device, write, lookout, keys, desired } = this.#parts;
    const transaction = await this.#bounded("none", signal, (bounded) =>
      session.prepare(change, keys(bounded), bounded),
    );
    await write({ kind: "pending", device, token: transaction.token });
    const within = withinOf(session.capabilities.commit, desired.rotation.confirmMs);
    try {
      await this.#bounded("unknown", signal, (bounded) => transaction.apply(within, bounded));
    } catch (error) {
      // What took itself back waits for nothing; all else is looked at first.
      const undone = error instanceof LinksealError && error.effect === "none";
      if (undone) await write({ kind: "pending", device, token: null });
      throw error;
    }
    const after = await lookout.look(device, signal);
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
      await write({ kind: "tunnel", name, intent: this.#parts.intent });
      const before = named(this.#parts.memory().auths, name)?.auth;
      if (before !== undefined && sameAuth(before, auth)) continue;
      await write({ kind: "auth", name, inUse: { auth } });
    }
  }

  async #markReached(state: DeviceState): Promise<void> {
    const { desired, device, memory, write, intent } = this.#parts;
    if (named(memory().pending, device) !== undefined) return;
    // What still waits for a confirm may be gone in a moment.
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
