// Reads the far ends in a real cloud, apart from the loops of devices and campaigns: a management
// API that hangs must not delay the observation of a router.

import type { Instant, World } from "#hal/world.ts";
import type { Desired, DesiredLink } from "../../model/desired.ts";
import { type Memory, openCampaign } from "../../store/journal/memory.ts";
import type { DeviceCache } from "./device-cache.ts";
import { type RightsReader, rightsMs } from "./rights-reader.ts";

export interface FarEndPollerParts {
  readonly world: Pick<World, "clock">;
  readonly desired: Desired;
  readonly deviceCache: DeviceCache;
  readonly memory: () => Memory;
  readonly rights: Pick<RightsReader, "refresh">;
}

/**
 * The read intervals in milliseconds; longer than those of a router, because a management API
 * limits its callers.
 */
const documentMs = { urgent: 15_000, atRest: 60_000 };
/** The interval for Azure's meters in milliseconds: Azure publishes them minutes late anyway. */
const telemetryMs = 120_000;

/** The far-end poller: reads far ends, rights, meters and the gateways when they are due. */
export class FarEndPoller {
  readonly #parts: FarEndPollerParts;
  #gatewaysAt: Instant | undefined;

  constructor(parts: FarEndPollerParts) {
    this.#parts = parts;
  }

  /**
   * Reads everything that is due, one group at a time, because one document contains both its
   * links.
   */
  async turn(signal: AbortSignal): Promise<void> {
    const { desired, rights } = this.#parts;
    for (const { name, links } of desired.groups) {
      await Promise.all(links.map((link) => this.#observe(link, signal)));
      // After the ports: their documents name the identities that are scopes as well.
      await rights.refresh({ kind: "campaign", group: name }, this.#rightsMs(name), signal);
    }
    for (const { name } of desired.tunnels) {
      await rights.refresh({ kind: "preSharedKey", tunnel: name }, rightsMs.atRest, signal);
    }
    await this.#observeGateways(signal);
  }

  #rightsMs(group: string): number {
    const isUrgent = openCampaign(this.#parts.memory(), group) !== undefined;
    return isUrgent ? rightsMs.urgent : rightsMs.atRest;
  }

  async #observe(link: DesiredLink, signal: AbortSignal): Promise<void> {
    const { deviceCache } = this.#parts;
    if (deviceCache.isPeerDue(link, this.#documentMs(link)))
      await deviceCache.observePeer(link, signal);
    if (deviceCache.isTelemetryDue(link, telemetryMs))
      await deviceCache.observeTelemetry(link, signal);
  }

  /** The read interval of a far end; a campaign reads its current link by itself, besides. */
  #documentMs(link: DesiredLink): number {
    const { deviceCache, memory } = this.#parts;
    const isUrgent =
      deviceCache.peerFailure(link) !== undefined ||
      deviceCache.peer(link)?.state.provisioning === "updating" ||
      openCampaign(memory(), link.group) !== undefined;
    return isUrgent ? documentMs.urgent : documentMs.atRest;
  }

  async #observeGateways(signal: AbortSignal): Promise<void> {
    const { world, deviceCache, desired } = this.#parts;
    const now = world.clock.now();
    if (this.#gatewaysAt !== undefined && now - this.#gatewaysAt < telemetryMs) return;
    this.#gatewaysAt = now;
    for (const tunnel of desired.tunnels) await deviceCache.observeGateway(tunnel, signal);
  }
}
