// The gateways that get their pre-shared keys from the agent, and the writes that may still take
// effect there.

import { withDeadline } from "#hal/deadline.ts";
import type { PeerSecret } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Secret } from "#hal/secret.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { Desired, DesiredTunnel } from "../../model/desired.ts";
import { bareCauseText, nextForRight } from "../../model/reason-text.ts";
import { missingRight } from "../../rotation/preconditions.ts";
import type { Obstacle } from "../../rotation/tunnel-gates.ts";
import { type RightsReader, rightsMs } from "../polling/rights-reader.ts";

export interface GatewaysParts {
  readonly world: Pick<World, "clock">;
  readonly desired: Desired;
  /** The writer of a gateway's key if the agent may change it; undefined = an operator does. */
  readonly gatewayKey: (tunnel: DesiredTunnel) => PeerSecret | undefined;
  /** The rights of the agent's identity in Azure. */
  readonly rights: Pick<RightsReader, "refresh" | "report" | "forget">;
}

/** Both tunnels of a pair are one gateway. */
const gatewayOf = ({ name, azureConnection }: DesiredTunnel): string =>
  azureConnection?.toLowerCase() ?? name;

const keyOf = ({ name }: DesiredTunnel) => ({ kind: "preSharedKey", tunnel: name }) as const;

/**
 * The longest wait for Azure's operation, in milliseconds; other tunnels wait meanwhile, and it is
 * tried again.
 */
const giveMsMax = 120_000;

export class Gateways {
  readonly #parts: GatewaysParts;
  readonly #startedAt: Instant;
  /** Until when a key whose answer was lost may reach the gateway, by connection. */
  readonly #landsUntil = new Map<string, Instant>();

  constructor(parts: GatewaysParts) {
    this.#parts = parts;
    this.#startedAt = parts.world.clock.now();
  }

  /** Reads the rights that giving a key needs: the one that is known to be missing. */
  async missingRight(tunnel: DesiredTunnel, signal: AbortSignal): Promise<Obstacle | undefined> {
    const of = keyOf(tunnel);
    await this.#parts.rights.refresh(of, rightsMs.urgent, signal);
    const cause = missingRight(this.#parts.rights.report(of));
    return cause && { code: cause.code, cause, next: nextForRight(cause) };
  }

  /**
   * Writes a key to the gateway; does nothing if an operator maintains it. Throws as `PeerSecret`
   * describes; a refusal names the right that is missing, where Azure reports it.
   */
  async put(tunnel: DesiredTunnel, key: Secret, signal: AbortSignal): Promise<void> {
    const gateway = this.#parts.gatewayKey(tunnel);
    if (gateway === undefined) return;
    const { world, desired } = this.#parts;
    const { clock } = world;
    const deadline = { ms: giveMsMax, where: tunnel.name, effect: "unknown" } as const;
    try {
      // An earlier write may still land after this one, so success ends no wait for it.
      await withDeadline(clock, deadline, signal, (limit) => gateway.put(key, limit));
    } catch (error) {
      const isRefused = error instanceof LinksealError && error.effect === "none";
      const late = instantAfter(clock.now(), desired.rotation.putGraceMs);
      if (!isRefused) this.#landsUntil.set(gatewayOf(tunnel), late);
      throw await this.#explained(tunnel, error, signal);
    }
  }

  async #explained(tunnel: DesiredTunnel, error: unknown, signal: AbortSignal): Promise<unknown> {
    if (!(error instanceof LinksealError) || error.code !== "peer.denied") return error;
    const { rights } = this.#parts;
    const of = keyOf(tunnel);
    rights.forget(of);
    await rights.refresh(of, rightsMs.urgent, signal);
    const lacking = missingRight(rights.report(of));
    if (lacking === undefined) return error;
    const { code, message, effect, where } = error;
    const text = `${message}: ${bareCauseText(lacking)}`;
    return new LinksealError(code, text, {
      effect,
      where,
      next: nextForRight(lacking),
      cause: error,
    });
  }

  /**
   * Returns true while an earlier write, by this agent or its predecessor, may take effect after a
   * new one.
   */
  mayLand(tunnel: DesiredTunnel): boolean {
    const { world, desired, gatewayKey } = this.#parts;
    if (gatewayKey(tunnel) === undefined) return false;
    const begun = instantAfter(this.#startedAt, desired.rotation.putGraceMs);
    return world.clock.now() < (this.#landsUntil.get(gatewayOf(tunnel)) ?? begun);
  }
}
