// The ports of one device beside campaigns: probes of idle links, and repairs that cannot interrupt
// a port.

import type { DeviceChange } from "#hal/device.ts";
import { strongValue, type WantedSettings } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import type { Drift } from "../compare/drift.ts";
import { standingOf } from "../compare/plan.ts";
import { equalSettings, settingsGaps } from "../health/verify.ts";
import { type Desired, type DesiredLink, linkId } from "../model/desired.ts";
import { portOf } from "../model/link-snapshot.ts";
import { type JournalRecord, type Memory, named } from "../store/journal/memory.ts";
import type { DeviceCache } from "./polling/device-cache.ts";

interface PortsParts {
  readonly world: Pick<World, "clock">;
  readonly desired: Desired;
  readonly intent: number;
  readonly device: string;
  readonly deviceCache: Pick<DeviceCache, "capabilities" | "history" | "probe" | "snapshot">;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** Packets of one probe of an idle link. */
const probePackets = 5;

export class Ports {
  readonly #parts: PortsParts;
  /** The links of the intent that end on the device. */
  readonly links: readonly DesiredLink[];

  constructor(parts: PortsParts) {
    this.#parts = parts;
    this.links = parts.desired.groups
      .flatMap((group) => group.links)
      .filter((link) => link.device === parts.device);
  }

  /** Sends a few packets over idle links within each evidence window, to prove that they carry. */
  async probeIdle(signal: AbortSignal): Promise<void> {
    const { deviceCache, memory, desired, world } = this.#parts;
    for (const link of this.links) {
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

  /**
   * Changes that the driver makes without interrupting the port: drift, or settings of a newer
   * intent.
   */
  repairs(): DeviceChange {
    const { deviceCache, memory, device } = this.#parts;
    // If the device cannot revert by itself, a port that carries traffic is left alone.
    if (deviceCache.capabilities(device)?.commit.kind === "immediate") return [];
    return this.links.flatMap((link) => {
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
  async markSettings(): Promise<void> {
    const { deviceCache, memory, write, intent } = this.#parts;
    for (const link of this.links) {
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
}
