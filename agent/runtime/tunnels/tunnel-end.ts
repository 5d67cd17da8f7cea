// Our end of a tunnel: sets another key or certificate, and proves it by SAs made with it.

import { withDeadline } from "#hal/deadline.ts";
import type { DeviceChange, KeyResolver, RekeyWhat } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import type { World } from "#hal/world.ts";
import { tunnelSpec } from "../../compare/tunnel-spec.ts";
import type { Desired, DesiredTunnel } from "../../model/desired.ts";
import { isKeyed } from "../../model/link-snapshot.ts";
import type { JournalRecord } from "../../store/journal/memory.ts";
import { withinOf } from "../campaigns/effects.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { isRefused, type KeyUnit } from "./key-unit.ts";

export interface OurEndsParts {
  readonly world: Pick<World, "clock">;
  readonly desired: Desired;
  readonly deviceCache: Pick<DeviceCache, "observe" | "device" | "capabilities">;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly write: (record: JournalRecord) => Promise<void>;
}

const effectMsMax = 60_000;
/** The longest wait for new SAs after a fresh authentication, in milliseconds. */
const proofMs = 30_000;
const pollMs = 1_000;

interface Taken {
  readonly auth: TunnelAuth;
  /** The tunnels on which it is not set yet. */
  readonly puts: readonly DesiredTunnel[];
}

export class OurEnds {
  readonly #parts: OurEndsParts;

  constructor(parts: OurEndsParts) {
    this.#parts = parts;
  }

  /** Sets what the router authenticates these tunnels with from the next authentication on. */
  async put([first, ...others]: KeyUnit, auth: TunnelAuth, signal: AbortSignal): Promise<void> {
    const change = [first, ...others].map((tunnel) => putOf(tunnel, auth));
    // If a driver proves each change while it is applied, each operation is committed alone.
    const { commit } = this.#parts.deviceCache.capabilities(first.device) ?? {};
    const commits = commit?.kind === "armedRevert" ? change.map((one) => [one]) : [change];
    for (const each of commits) await this.#commit(first, each, signal);
  }

  /**
   * Sets it on `puts`, if there are any, and proves it on one tunnel: resolves to `proven` once SAs
   * exist that no earlier observation showed; `silent` = it was down before, comes not up, and no
   * gateway refuses it.
   * @throws LinksealError `verify.timeout` if no SA comes.
   */
  async take(
    tunnel: DesiredTunnel,
    { auth, puts }: Taken,
    signal: AbortSignal,
  ): Promise<"proven" | "silent"> {
    const before = sasOf(tunnel, await this.#observe(tunnel, signal));
    const [first, ...others] = puts;
    if (first !== undefined) await this.put([first, ...others], auth, signal);
    const isRenewed = (state: DeviceState): boolean =>
      sasOf(tunnel, state).some((spi) => !before.includes(spi));
    // After a new certificate the device makes new SAs by itself, unless it had that one already:
    // from a predecessor that was killed before it recorded its proof.
    const isMade = auth.kind === "certificate" && isRenewed(await this.#observe(tunnel, signal));
    if (before.length > 0 && !isMade) {
      for (const what of renewals(tunnel)) {
        await this.#commit(tunnel, [{ kind: "ipsec.rekey", name: tunnel.name, what }], signal);
      }
    }
    const { clock } = this.#parts.world;
    let state: DeviceState | undefined;
    for (let over = 0; over < proofMs; over += pollMs) {
      state = await this.#observe(tunnel, signal);
      if (isRenewed(state)) return "proven";
      await clock.sleep(pollMs, signal);
    }
    const isSilent = before.length === 0 && state !== undefined && !isRefused(tunnel, state);
    if (isSilent) return "silent";
    throw unproven(tunnel);
  }

  async #observe({ name, device }: DesiredTunnel, signal: AbortSignal): Promise<DeviceState> {
    const state = await this.#parts.deviceCache.observe(device, signal);
    if (state !== undefined) return state;
    const details = { effect: "unknown", where: name, next: "linkseal status" } as const;
    throw new LinksealError("transport.unreachable", `${device} cannot be read`, details);
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

/** SPIs of the inbound SAs; none while IKE is not up. */
function sasOf(tunnel: DesiredTunnel, { ipsec }: DeviceState): readonly number[] {
  const observed = ipsec.find(({ name }) => name === tunnel.name);
  if (observed === undefined || !isKeyed(observed)) return [];
  const inward = (strongValue(observed.sas) ?? []).filter(({ direction }) => direction === "in");
  return inward.map(({ spi }) => spi);
}

/** The error of a tunnel that got no new SA. */
export function unproven({ name: where }: DesiredTunnel): LinksealError {
  const text = `no new SA of ${where} came up within ${proofMs / 1_000} s`;
  const next = `linkseal tunnels ${where}`;
  return new LinksealError("verify.timeout", text, { effect: "applied", where, next });
}
