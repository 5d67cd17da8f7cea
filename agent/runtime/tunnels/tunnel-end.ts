// Our end of a tunnel: sets another key or certificate, and proves it by SAs made with it.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver, RekeyWhat } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { strongValue } from "#hal/model.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { World } from "#hal/world.ts";
import { tunnelSpec } from "../../compare/tunnel-spec.ts";
import type { Desired, DesiredTunnel } from "../../model/desired.ts";
import { isKeyed } from "../../model/link-snapshot.ts";
import type { JournalRecord, NextAuth } from "../../store/journal/memory.ts";
import { withinOf } from "../campaigns/effects.ts";
import type { DeviceCache } from "../polling/device-cache.ts";

export interface OurEndsParts {
  readonly world: Pick<World, "clock">;
  readonly desired: Desired;
  readonly deviceCache: Pick<DeviceCache, "observe" | "device">;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly write: (record: JournalRecord) => Promise<void>;
}

const effectMsMax = 60_000;
/** The longest wait for new SAs after a fresh authentication, in milliseconds. */
const proofMs = 30_000;
const pollMs = 1_000;

export class OurEnds {
  readonly #parts: OurEndsParts;

  constructor(parts: OurEndsParts) {
    this.#parts = parts;
  }

  /** Sets what the router authenticates with from the next authentication on. */
  async put(tunnel: DesiredTunnel, auth: TunnelAuth, signal: AbortSignal): Promise<void> {
    await this.#commit(tunnel, [putOf(tunnel, auth)], signal);
  }

  /**
   * Sets it and proves it: resolves once SAs exist that no earlier observation showed.
   * @throws LinksealError `verify.timeout` if none comes.
   */
  async take(
    tunnel: DesiredTunnel,
    { auth }: Pick<NextAuth, "auth">,
    signal: AbortSignal,
  ): Promise<void> {
    const before = await this.#sasOf(tunnel, signal);
    await this.put(tunnel, auth, signal);
    // After a new certificate the device makes new SAs by itself.
    if (before.length > 0 && auth.kind === "psk") {
      for (const what of renewals(tunnel)) {
        await this.#commit(tunnel, [{ kind: "ipsec.rekey", name: tunnel.name, what }], signal);
      }
    }
    const { clock } = this.#parts.world;
    for (let over = 0; over < proofMs; over += pollMs) {
      const now = await this.#sasOf(tunnel, signal);
      if (now.some((spi) => !before.includes(spi))) return;
      await clock.sleep(pollMs, signal);
    }
    throw unproven(tunnel, `no new SA of ${tunnel.name} came up within ${proofMs / 1_000} s`);
  }

  /** SPIs of the inbound SAs; none while IKE is not up. */
  async #sasOf(tunnel: DesiredTunnel, signal: AbortSignal): Promise<readonly number[]> {
    const state = await this.#parts.deviceCache.observe(tunnel.device, signal);
    if (state === undefined) {
      const text = `${tunnel.device} cannot be read`;
      const details = { effect: "unknown", where: tunnel.name, next: "linkseal status" } as const;
      throw new LinksealError("transport.unreachable", text, details);
    }
    const observed = state.ipsec.find(({ name }) => name === tunnel.name);
    if (observed === undefined || !isKeyed(observed)) return [];
    const inward = (strongValue(observed.sas) ?? []).filter(({ direction }) => direction === "in");
    return inward.map(({ spi }) => spi);
  }

  async #commit(
    { device: where }: DesiredTunnel,
    change: DeviceChange,
    signal: AbortSignal,
  ): Promise<void> {
    const { deviceCache, world, keys, desired, write } = this.#parts;
    const bounded = <T>(effect: "none" | "unknown", act: (signal: AbortSignal) => Promise<T>) =>
      withDeadline(world.clock, { ms: effectMsMax, where, effect }, signal, act);
    const device = await bounded("none", (limit) => deviceCache.device(where, limit));
    const transaction = await bounded("none", (limit) =>
      device.prepare(change, keys(limit), limit),
    );
    await write({ kind: "pending", device: where, token: transaction.token });
    const within = withinOf(device.capabilities.commit, desired.rotation.confirmMs);
    try {
      await bounded("unknown", (limit) => transaction.apply(within, limit));
    } catch (error) {
      // A change that reverted itself is no longer pending; any other failure is observed first.
      const isUndone = error instanceof LinksealError && error.effect === "none";
      if (isUndone) await write({ kind: "pending", device: where, token: null });
      throw error;
    }
    if (within !== "final") await bounded("unknown", (limit) => transaction.confirm(limit));
    await write({ kind: "pending", device: where, token: null });
  }
}

/**
 * What makes new SAs by a new authentication, and so proves a new key. IKEv1 authenticates at each
 * rekey of IKE, and keeps the child SAs, so those are renewed as well.
 */
export function renewals({ ikeVersion }: DesiredTunnel): readonly RekeyWhat[] {
  return ikeVersion === undefined ? ["reauthenticate"] : ["ike", "child"];
}

function putOf(tunnel: DesiredTunnel, auth: TunnelAuth) {
  return { kind: "ipsec.putTunnel", tunnel: tunnelSpec(tunnel, auth) } as const;
}

function unproven({ name: where }: DesiredTunnel, text: string): LinksealError {
  const next = `linkseal tunnels ${where}`;
  return new LinksealError("verify.timeout", text, { effect: "applied", where, next });
}
