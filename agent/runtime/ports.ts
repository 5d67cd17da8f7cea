// The ports of one device beside campaigns: round trips over its links, and repairs that cannot
// interrupt a port.

import type { DeviceChange } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { strongValue, type WantedSettings } from "#hal/model.ts";
import type { Instant, World } from "#hal/world.ts";
import type { Drift } from "../compare/drift.ts";
import { standingOf } from "../compare/plan.ts";
import { equalSettings, settingsGaps } from "../health/verify.ts";
import { type Desired, type DesiredLink, linkId } from "../model/desired.ts";
import { portOf } from "../model/link-snapshot.ts";
import { type JournalRecord, type Memory, named } from "../store/journal/memory.ts";
import type { DeviceCache } from "./polling/device-cache.ts";

interface PortsParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly desired: Desired;
  readonly intent: number;
  readonly device: string;
  readonly deviceCache: Pick<DeviceCache, "capabilities" | "probe" | "snapshot">;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** Packets of one round trip over a link. */
const probePackets = 5;

export class Ports {
  readonly #parts: PortsParts;
  /** The links of the intent that end on the device. */
  readonly links: readonly DesiredLink[];
  /** When a round trip was begun, by `group/link`. */
  readonly #triedAt = new Map<string, Instant>();

  constructor(parts: PortsParts) {
    this.#parts = parts;
    this.links = parts.desired.groups
      .flatMap((group) => group.links)
      .filter((link) => link.device === parts.device);
  }

  /**
   * Sends a few packets over each link several times within an evidence window: on an idle link
   * they prove that it carries, and on any link that what we send arrives.
   */
  async probe(signal: AbortSignal): Promise<void> {
    const { deviceCache, memory, desired, world } = this.#parts;
    const { evidenceMs, pollMs } = desired.health;
    for (const link of this.links) {
      const id = linkId(link);
      if (memory().bindings[id] === undefined) continue;
      const now = world.clock.now();
      const triedAt = [this.#triedAt.get(id), deviceCache.snapshot(link).probe?.at];
      const everyMs = evidenceMs / 3 - pollMs / 2;
      if (triedAt.some((at) => at !== undefined && now - at <= everyMs)) continue;
      this.#triedAt.set(id, now);
      try {
        await deviceCache.probe(link, probePackets, signal);
      } catch (error) {
        // A port without a peering has nothing that could answer; its verdict says what that means.
        if (!(error instanceof LinksealError) || error.code !== "device.rejected") throw error;
        world.log.write("debug", error.code, error.message, { device: link.device });
      }
    }
  }

  /**
   * Changes that the driver makes without interrupting the port: drift, or settings of a newer
   * intent.
   */
  repairs(): DeviceChange {
    const { deviceCache, memory, device } = this.#parts;
    // If the device cannot revert by itself, a port is left alone unless a reload took its key.
    const isFinal = deviceCache.capabilities(device)?.commit.kind === "immediate";
    return this.links.flatMap((link) => {
      const standing = standingOf(
        deviceCache.snapshot(link),
        memory(),
        deviceCache.capabilities(link.device),
      );
      if (standing.kind !== "managed") return [];
      const drift = standing.drift.filter(({ by }) => !isFinal || by === "reload");
      return drift.find((one) => this.#mayRepair(link, one))?.repair ?? [];
    });
  }

  /** P4: a change that an operator made manually is mended only under `repair: on`. */
  #mayRepair(link: DesiredLink, { repair, by }: Drift): boolean {
    const { desired, intent, memory } = this.#parts;
    if (repair === undefined) return false;
    if (desired.repair === "on" || by !== undefined) return true;
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
