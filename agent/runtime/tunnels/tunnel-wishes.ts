// Which tunnels of a device must be set up, changed or removed now, which blocks come first, and
// which tunnels have to wait.

import type { DeviceChange, PrefixBlock } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import {
  blocksOf,
  leavingTunnels,
  type MadeTunnel,
  type TunnelDifference,
  tunnelDifferences,
  unmakeable,
} from "../../compare/tunnel-change.ts";
import { blockGaps } from "../../health/verify.ts";
import { type Desired, type DesiredLink, type DesiredTunnel, linkId } from "../../model/desired.ts";
import { portOf } from "../../model/link-snapshot.ts";
import { lostKeyNext } from "../../model/lost-key.ts";
import { type Memory, named } from "../../store/journal/memory.ts";
import { riskAccepted } from "../campaigns/begin.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { Retries } from "../polling/retries.ts";

export interface TunnelWishesParts {
  readonly world: Pick<World, "clock" | "entropy">;
  readonly desired: Desired;
  readonly device: string;
  readonly deviceCache: Pick<DeviceCache, "snapshot" | "capabilities">;
  readonly memory: () => Memory;
  readonly made: MadeTunnel;
}

/**
 * A daemon that ended, or that others made unload its connections, lost the tunnel: neither an
 * operator nor the config changed it, so it is not drift.
 */
function isForgotten({ ipsec }: DeviceState, name: string): boolean {
  const tunnel = ipsec.find((entry) => entry.name === name);
  const ike = tunnel === undefined ? undefined : strongValue(tunnel.ike);
  return ike === "forgotten" || ike === "unloaded";
}

const isThere = ({ ipsec }: DeviceState, { name }: DesiredTunnel): boolean =>
  ipsec.some((entry) => entry.name === name);

/** Tunnels that must be put now. */
export interface PutWishes {
  /** The device does not have them, or its daemon lost them. */
  readonly fresh: readonly DesiredTunnel[];
  /** The device has them with other settings. */
  readonly changed: readonly DesiredTunnel[];
}

/** Compares a device's tunnels with the intent. */
export class TunnelWishes {
  readonly #parts: TunnelWishesParts;
  /** The tunnels of this device. */
  readonly #own: readonly DesiredTunnel[];
  /** The delays after a refusal, by tunnel, those that are removed included. */
  readonly retries: Retries;

  constructor(parts: TunnelWishesParts) {
    this.#parts = parts;
    this.#own = parts.desired.tunnels.filter((tunnel) => tunnel.device === parts.device);
    this.retries = new Retries(parts.world);
  }

  /**
   * The tunnels that must be set up or changed, in the order of the config, including those that
   * wait for a retry.
   */
  wanted(state: DeviceState): readonly DesiredTunnel[] {
    return this.#own.filter(
      (tunnel) =>
        (this.#isAbsent(state, tunnel) || this.#isOther(state, tunnel)) &&
        this.#refusal(tunnel) === undefined,
    );
  }

  /**
   * Returns true if one of these tunnels exists and must change; observations cannot tell a partly
   * from a fully applied one.
   */
  hasChange(state: DeviceState, isMeant: (tunnel: DesiredTunnel) => boolean): boolean {
    return this.#own.some((tunnel) => isMeant(tunnel) && this.#isOther(state, tunnel));
  }

  /** The wanted tunnels that need not wait for a retry, new ones and changed ones. */
  toPut(state: DeviceState): PutWishes {
    const wanted = this.wanted(state);
    for (const tunnel of this.#own) {
      if (!wanted.includes(tunnel)) this.retries.succeeded(tunnel.name);
    }
    const due = wanted.filter(({ name }) => !this.retries.isWaiting(name));
    const isNew = (tunnel: DesiredTunnel): boolean => this.#isAbsent(state, tunnel);
    return { fresh: due.filter(isNew), changed: due.filter((tunnel) => !isNew(tunnel)) };
  }

  /** The settings in which a tunnel differs from what was last applied. */
  differences(tunnel: DesiredTunnel): readonly TunnelDifference[] {
    const made = this.#parts.made(tunnel.name);
    return made === undefined ? [] : tunnelDifferences(made, tunnel);
  }

  /**
   * Returns true if the device may have a part of a tunnel that was never whole: the journal does
   * not have it as set up, and its IKE SA is not up or no config names it, so that nothing is lost
   * by removing it.
   */
  mayBePart({ ipsec }: DeviceState, name: string): boolean {
    const tunnel = ipsec.find((entry) => entry.name === name);
    const isUp = tunnel !== undefined && strongValue(tunnel.ike) === "established";
    const isWanted = this.#own.some((one) => one.name === name);
    return this.#since({ name }) === undefined && !(isUp && isWanted);
  }

  /** The names of tunnels that the config does not name any more and that must be removed now. */
  toRemove(): readonly string[] {
    const { desired, memory, made, deviceCache, device, world } = this.#parts;
    const leaving = leavingTunnels({
      ...{ desired, memory: memory(), made },
      capabilities: (name) => deviceCache.capabilities(name),
      acceptsClear: riskAccepted(desired, "clearAfterRetire", world.clock.wall()),
    });
    const names = leaving.flatMap((one) =>
      one.kind === "removed" && one.device === device ? [one.name] : [],
    );
    this.retries.keepOnly(new Set([...this.#own.map(({ name }) => name), ...names]));
    return names.filter((name) => !this.retries.isWaiting(name));
  }

  /** @throws LinksealError with the reason why an absent tunnel is not set up. */
  refuse(state: DeviceState): void {
    for (const tunnel of this.#own) {
      const refusal = this.#isAbsent(state, tunnel) ? this.#refusal(tunnel) : undefined;
      if (refusal !== undefined) throw refusal;
    }
  }

  /**
   * Blocks for every prefix that the tunnels of the intent protect and the device lets pass in the
   * clear, whether or not the tunnels can be set up; empty if the device has no block policies. If
   * `state` is undefined, all new blocks except those of backups: only an observation shows whether
   * their links carry in the clear.
   */
  toBlock(state: DeviceState | undefined): DeviceChange {
    const { deviceCache, device, desired } = this.#parts;
    if (deviceCache.capabilities(device)?.ipsec?.blocks !== true) return [];
    const isOpen = ({ prefix }: PrefixBlock): boolean =>
      state === undefined || blockGaps(state, [prefix]).length > 0;
    const missing = this.#own
      .filter(({ backs }) => state !== undefined || backs === undefined)
      .filter((tunnel) => this.#clearLink(tunnel) === undefined)
      .flatMap((tunnel) => (desired.repair === "on" ? blocksOf(tunnel) : this.#newBlocks(tunnel)))
      .filter(isOpen);
    return missing.length === 0 ? [] : [{ kind: "ipsec.block", blocks: missing }];
  }

  /**
   * A block that existed when the tunnel was applied and is missing now was removed manually: drift
   * (P4).
   */
  #newBlocks(tunnel: DesiredTunnel): readonly PrefixBlock[] {
    const blocks = blocksOf(tunnel);
    if (this.#since(tunnel) === undefined) return blocks;
    const made = this.#parts.made(tunnel.name);
    const before = made === undefined ? blocks : blocksOf(made);
    return blocks.filter(({ prefix }) => before.every((block) => block.prefix !== prefix));
  }

  #isAbsent(state: DeviceState, tunnel: DesiredTunnel): boolean {
    if (isForgotten(state, tunnel.name)) return true;
    if (isThere(state, tunnel)) return false;
    // Once it was set up, its absence is drift, which is mended only under `repair: on` (P4).
    return this.#parts.desired.repair === "on" || this.#since(tunnel) === undefined;
  }

  /** A newer intent wants other settings than the tunnel was applied with. */
  #isOther(state: DeviceState, tunnel: DesiredTunnel): boolean {
    const made = this.#parts.made(tunnel.name);
    if (made === undefined || !isThere(state, tunnel)) return false;
    if (unmakeable(made, tunnel) !== undefined) return false;
    return tunnelDifferences(made, tunnel).length > 0;
  }

  #since({ name }: Pick<DesiredTunnel, "name">): number | undefined {
    return named(this.#parts.memory().tunnels, name);
  }

  /** Why a tunnel is not set up; undefined = no reason. */
  #refusal(tunnel: DesiredTunnel): LinksealError | undefined {
    const { name, weaknesses, backs } = tunnel;
    const { desired, world } = this.#parts;
    const refused = (code: "gate.riskNotAccepted" | "gate.busy", text: string, next: string) =>
      new LinksealError(code, text, { effect: "none", where: name, next });
    if (weaknesses.length > 0 && !riskAccepted(desired, "weakTunnel", world.clock.wall())) {
      const text = `${name} is not set up under a weak policy: its risk is not accepted`;
      const next = "accept weakTunnel with a later date, or set policy: strong";
      return refused("gate.riskNotAccepted", `${text} (${weaknesses.join(", ")})`, next);
    }
    const clear = this.#clearLink(tunnel);
    if (clear === undefined) return undefined;
    const why = `it would block what ${linkId(clear)} carries in the clear`;
    const { peer } = this.#parts.deviceCache.snapshot(clear);
    const isKnown = named(this.#parts.memory().bindings, linkId(clear)) !== undefined;
    const next = isKnown ? lostKeyNext(clear, peer) : `linkseal enrol ${backs?.group}`;
    return refused("gate.busy", `${name} is not set up yet: ${why}`, next);
  }

  /** A link whose traffic is in the clear and would be stopped by the block of its backup. */
  #clearLink(tunnel: DesiredTunnel): DesiredLink | undefined {
    if (tunnel.backs === undefined || this.#since(tunnel) !== undefined) return undefined;
    return tunnel.backs.links.find((link) => {
      const port = portOf(this.#parts.deviceCache.snapshot(link).state, link.port);
      return port?.settings.kind === "known" && port.settings.value === undefined;
    });
  }
}
