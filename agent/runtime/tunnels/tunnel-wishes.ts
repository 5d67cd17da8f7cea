// Which tunnels of a device are to be set up or changed now, what is blocked around them before,
// and what keeps one from its turn.

import type { DeviceChange, PrefixBlock } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import {
  blocksOf,
  type MadeTunnel,
  tunnelDifferences,
  unmakeable,
} from "../../compare/tunnel-change.ts";
import { blockGaps } from "../../health/verify.ts";
import { type Desired, type DesiredLink, type DesiredTunnel, linkId } from "../../model/desired.ts";
import { portOf } from "../../model/link-view.ts";
import { type Memory, named } from "../../store/journal/memory.ts";
import { riskAccepted } from "../campaigns/begin.ts";
import type { Lookout } from "../polling/lookout.ts";
import { Retries } from "../polling/retries.ts";

export interface TunnelWishesParts {
  readonly world: Pick<World, "clock" | "entropy">;
  readonly desired: Desired;
  readonly device: string;
  readonly lookout: Pick<Lookout, "view" | "capabilities">;
  readonly memory: () => Memory;
  readonly made: MadeTunnel;
}

/** A daemon that ended took it along: it was no change of anyone's, so it is no drift. */
function isForgotten({ ipsec }: DeviceState, name: string): boolean {
  const tunnel = ipsec.find((entry) => entry.name === name);
  return tunnel !== undefined && strongValue(tunnel.ike) === "forgotten";
}

const isThere = ({ ipsec }: DeviceState, { name }: DesiredTunnel): boolean =>
  ipsec.some((entry) => entry.name === name);

export class TunnelWishes {
  readonly #parts: TunnelWishesParts;
  /** By tunnel: a gateway that refuses is not asked without a pause. */
  readonly retries: Retries;

  constructor(parts: TunnelWishesParts) {
    this.#parts = parts;
    this.retries = new Retries(parts.world);
  }

  /** What the intent wants of tunnels now, in the order of the config, whenever it is tried. */
  wanted(state: DeviceState): readonly DesiredTunnel[] {
    return this.#own.filter(
      (tunnel) =>
        (this.#isAbsent(state, tunnel) || this.#isOther(state, tunnel)) &&
        this.#refusal(tunnel) === undefined,
    );
  }

  /** A tunnel that is there is wanted otherwise, which no look tells half made from made. */
  hasChange(state: DeviceState): boolean {
    return this.#own.some((tunnel) => this.#isOther(state, tunnel));
  }

  /** Of these the ones that have their turn. */
  toPut(state: DeviceState): readonly DesiredTunnel[] {
    const wanted = this.wanted(state);
    for (const tunnel of this.#own) {
      if (!wanted.includes(tunnel)) this.retries.succeeded(tunnel.name);
    }
    return wanted.filter(({ name }) => !this.retries.isWaiting(name));
  }

  /** Throws why a tunnel that is absent is not set up. */
  refuse(state: DeviceState): void {
    for (const tunnel of this.#own) {
      const refusal = this.#isAbsent(state, tunnel) ? this.#refusal(tunnel) : undefined;
      if (refusal !== undefined) throw refusal;
    }
  }

  /**
   * What every tunnel of the intent protects and the device lets pass in the clear, whatever
   * becomes of its set-up; empty where the device has no block policies. Without a look it is all
   * that is new, but for backups: whether their links carry in the clear a look alone tells.
   */
  toBlock(state: DeviceState | undefined): DeviceChange {
    const { lookout, device, desired } = this.#parts;
    if (lookout.capabilities(device)?.ipsec?.blocks !== true) return [];
    const isOpen = ({ prefix }: PrefixBlock): boolean =>
      state === undefined || blockGaps(state, [prefix]).length > 0;
    const missing = this.#own
      .filter(({ backs }) => state !== undefined || backs === undefined)
      .filter((tunnel) => this.#clearLink(tunnel) === undefined)
      .flatMap((tunnel) => (desired.repair === "on" ? blocksOf(tunnel) : this.#newBlocks(tunnel)))
      .filter(isOpen);
    return missing.length === 0 ? [] : [{ kind: "ipsec.block", blocks: missing }];
  }

  get #own(): readonly DesiredTunnel[] {
    const { desired, device } = this.#parts;
    return desired.tunnels.filter((tunnel) => tunnel.device === device);
  }

  /** What was blocked when the tunnel was made, and is not now, was opened by hand: drift (P4). */
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
    // Once reached, its absence is drift, and that is mended under `repair: on` only (P4).
    return this.#parts.desired.repair === "on" || this.#since(tunnel) === undefined;
  }

  /** A newer intent wants it otherwise than it was made. */
  #isOther(state: DeviceState, tunnel: DesiredTunnel): boolean {
    const made = this.#parts.made(tunnel.name);
    if (made === undefined || !isThere(state, tunnel)) return false;
    if (unmakeable(made, tunnel) !== undefined) return false;
    return tunnelDifferences(made, tunnel).length > 0;
  }

  #since({ name }: DesiredTunnel): number | undefined {
    return named(this.#parts.memory().tunnels, name);
  }

  /** Why a tunnel is not set up; undefined = nothing is against it. */
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
    const next = `linkseal enrol ${backs?.group}`;
    return refused("gate.busy", `${name} is not set up yet: ${why}`, next);
  }

  /** A link that carries in the clear what the block of a backup would take. */
  #clearLink(tunnel: DesiredTunnel): DesiredLink | undefined {
    if (tunnel.backs === undefined || this.#since(tunnel) !== undefined) return undefined;
    return tunnel.backs.links.find((link) => {
      const port = portOf(this.#parts.lookout.view(link).state, link.port);
      return port?.settings.kind === "known" && port.settings.value === undefined;
    });
  }
}
