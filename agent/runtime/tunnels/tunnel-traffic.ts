// The traffic of tunnels: BGP moves it to the siblings, for one tunnel of a bundle at a time. An
// operator asks for it, or the SAs of a tunnel are replaced; the traffic returns in the same way
// when no sibling carries any more.

import { withDeadline } from "#hal/deadline.ts";
import type { KeyResolver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, strongValue } from "#hal/model.ts";
import type { World } from "#hal/world.ts";
import { carriedOver, whyNot } from "../../health/tunnel-bundle.ts";
import { verify } from "../../health/verify.ts";
import type { Desired, DesiredTunnel } from "../../model/desired.ts";
import { bareCauseText } from "../../model/reason-text.ts";
import { bundledWith, drainObstacle, type Obstacle } from "../../rotation/tunnel-gates.ts";
import {
  type JournalRecord,
  type ManualDrain,
  type Memory,
  named,
} from "../../store/journal/memory.ts";
import { isThere, noteGivenBack, type Undrained } from "../campaigns/manual-drain.ts";
import type { DeviceCache } from "../polling/device-cache.ts";

export interface TunnelTrafficParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly desired: Desired;
  readonly deviceCache: Pick<
    DeviceCache,
    "observe" | "state" | "failure" | "capabilities" | "device" | "roundTrips"
  >;
  readonly keys: (signal: AbortSignal) => KeyResolver;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
}

/** Prepending lets a gateway keep the routes, so that traffic falls back if the siblings fail. */
const means = "prepend";
const effectMsMax = 60_000;
/** The longest wait in milliseconds until both ends have moved the traffic. */
const leavesMs = 20_000;
const pollMs = 1_000;
/**
 * A drained tunnel still carries BGP, BFD and pings of its ends: so many packets a second count as
 * idle.
 */
const idlePacketsPerSecond = 10;

/** Drains tunnels and returns their traffic. */
export class TunnelTraffic {
  readonly #parts: TunnelTrafficParts;

  constructor(parts: TunnelTrafficParts) {
    this.#parts = parts;
  }

  /** Drains a tunnel. @throws LinksealError `gate.*` if it must stay in service. */
  async drain(tunnel: DesiredTunnel, by: string, signal: AbortSignal): Promise<void> {
    const closed = this.#obstacle(tunnel, await this.#observe(tunnel, signal));
    if (closed !== undefined) throw refusal(tunnel, closed);
    await this.#drain(tunnel, { by, since: this.#parts.world.clock.wall() }, signal);
  }

  /**
   * Drains a tunnel before its SAs are replaced, because the far end uses the new ones before ours
   * exist. If no sibling can carry, the traffic stays and some packets are lost.
   */
  async drainForChange(tunnel: DesiredTunnel, by: string, signal: AbortSignal): Promise<void> {
    const { world } = this.#parts;
    try {
      const state = await this.#observe(tunnel, signal);
      if ((this.#obstacle(tunnel, state) ?? whyNot(tunnel, state)) !== undefined) return;
      await this.#drain(tunnel, { by, since: world.clock.wall(), until: "authenticated" }, signal);
      await this.#untilQuiet(tunnel, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const text = `${tunnel.name} gets new SAs under traffic: ${error.message}`;
      world.log.write("warn", error.code, text, { device: tunnel.device });
    }
  }

  async #drain(tunnel: DesiredTunnel, drain: ManualDrain, signal: AbortSignal): Promise<void> {
    await this.#parts.write({ kind: "handDrain", link: tunnel.name, drain });
    await this.#move("port.drain", tunnel, signal);
    await this.#untilLeft(tunnel, signal);
  }

  /**
   * Returns the traffic, whether linkseal or an operator moved it away. `nothing` = it is there,
   * and nothing was sent.
   */
  async undrain(tunnel: DesiredTunnel, signal: AbortSignal): Promise<Undrained> {
    const { memory, deviceCache, write } = this.#parts;
    const { name, device } = tunnel;
    if (named(memory().drains, name) === undefined) {
      if (isThere(await deviceCache.observe(device, signal), name)) return "nothing";
    }
    await this.#move("port.restore", tunnel, signal);
    await noteGivenBack(write, name);
    return "given back";
  }

  /** Returns the traffic once the change has ended for which the tunnel was drained. */
  async undrainAfterChange(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    if (this.#isChangeOver(tunnel)) await this.#giveBack(tunnel, signal);
  }

  /** Returns the traffic of a tunnel that was drained for a change, which may go on without it. */
  async undrainForChange(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const drain = named(this.#parts.memory().drains, tunnel.name);
    if (drain?.until === "authenticated") await this.#giveBack(tunnel, signal);
  }

  /**
   * Runs one turn: a manually drained tunnel gets its traffic back when no sibling carries any
   * more.
   */
  async turn(signal: AbortSignal): Promise<void> {
    const { desired, memory, deviceCache, world } = this.#parts;
    for (const tunnel of desired.tunnels) {
      if (named(memory().drains, tunnel.name) === undefined) continue;
      const state = deviceCache.state(tunnel.device);
      if (state === undefined || deviceCache.failure(tunnel.device) !== undefined) continue;
      if (this.#isChangeOver(tunnel)) {
        await this.#giveBack(tunnel, signal);
        continue;
      }
      const siblings = bundledWith(desired.tunnels, tunnel);
      // A sibling that the router does not report now is not lost, and its routes are kept, so this
      // can wait.
      if (siblings.some((sibling) => !isReported(sibling, state))) continue;
      const lost = siblings.flatMap((sibling) => whyNot(sibling, state) ?? []);
      if (lost.length < siblings.length) continue;
      const why = lost.map((cause) => bareCauseText(cause)).join(", ");
      const text = `${tunnel.name} gets its traffic back: ${why}`;
      world.log.write("warn", "hand-drain-over", text, { device: tunnel.device });
      await this.#giveBack(tunnel, signal);
    }
  }

  #isChangeOver({ name }: DesiredTunnel): boolean {
    const { drains, auths } = this.#parts.memory();
    if (named(drains, name)?.until !== "authenticated") return false;
    return named(auths, name)?.next?.state !== "switching";
  }

  /** Returns the traffic; a failure is left to a later turn, and delays no other tunnel. */
  async #giveBack(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    try {
      await this.undrain(tunnel, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const { log } = this.#parts.world;
      log.write("warn", error.code, error.message, { device: tunnel.device });
    }
  }

  /** Why the tunnel must stay in service; undefined = it may be drained. */
  #obstacle(tunnel: DesiredTunnel, state: DeviceState): Obstacle | undefined {
    const { deviceCache, memory, desired } = this.#parts;
    return drainObstacle({
      ...{ tunnels: desired.tunnels, tunnel, state, memory: memory() },
      canDrain: deviceCache.capabilities(tunnel.device)?.drain !== undefined,
      trips: (other) => deviceCache.roundTrips.of(other),
    });
  }

  async #observe({ device, name }: DesiredTunnel, signal: AbortSignal): Promise<DeviceState> {
    const state = await this.#parts.deviceCache.observe(device, signal);
    if (state !== undefined) return state;
    const cause = { code: "device.unread", device } as const;
    throw refusal({ name }, { code: "gate.stale", cause, next: "linkseal status" });
  }

  async #move(
    kind: "port.drain" | "port.restore",
    tunnel: DesiredTunnel,
    signal: AbortSignal,
  ): Promise<void> {
    const { deviceCache, world, keys } = this.#parts;
    const { name, device: where } = tunnel;
    const change = [{ kind, port: name, means }] as const;
    const bounded = <T>(effect: "none" | "unknown", act: (signal: AbortSignal) => Promise<T>) =>
      withDeadline(world.clock, { ms: effectMsMax, where, effect }, signal, act);
    const transaction = await bounded("none", async (limit) => {
      const device = await deviceCache.device(where, limit);
      return await device.prepare(change, keys(limit), limit);
    });
    await bounded("unknown", (limit) => transaction.apply("final", limit));
    const gaps = verify(change, await this.#observe(tunnel, signal));
    if (gaps.length === 0) return;
    throw new LinksealError("verify.mismatch", gaps.join("; "), {
      effect: "applied",
      where: name,
      next: `linkseal tunnels ${name}`,
    });
  }

  /**
   * Waits until no best route leads into the tunnel; the return direction is the gateway's to move.
   */
  async #untilLeft(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { world } = this.#parts;
    for (let over = 0; over < leavesMs; over += pollMs) {
      if (isLeft(tunnel, await this.#observe(tunnel, signal))) return;
      await world.clock.sleep(pollMs, signal);
    }
    throw stays(tunnel, "a best route still leads into it");
  }

  /** Waits until the far end sends almost nothing into the tunnel. */
  async #untilQuiet(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.world;
    let before = await this.#observe(tunnel, signal);
    for (let over = 0; over < leavesMs; over += pollMs) {
      await clock.sleep(pollMs, signal);
      const now = await this.#observe(tunnel, signal);
      const observations = [before, now].flatMap(({ ipsec }) =>
        ipsec.filter(({ name }) => name === tunnel.name),
      );
      const received = carriedOver(observations, "in");
      const most = (idlePacketsPerSecond * (now.at - before.at)) / 1_000;
      if (received !== undefined && Number(received) <= most) return;
      before = now;
    }
    throw stays(tunnel, "its gateway still sends into it");
  }
}

function isReported({ name }: DesiredTunnel, { ipsec, routing }: DeviceState): boolean {
  const observed = ipsec.find((each) => each.name === name);
  const readings = observed === undefined ? [routing] : [routing, observed.ike, observed.sas];
  return readings.every((reading) => strongValue<unknown>(reading) !== undefined);
}

function stays({ name }: DesiredTunnel, why: string): LinksealError {
  const details = { effect: "applied", where: name, next: `linkseal tunnels ${name}` } as const;
  return new LinksealError("verify.timeout", `${name} is drained, and ${why}`, details);
}

/** Returns true if no best route but the one to its own BGP neighbour leads into the tunnel. */
function isLeft({ name, bgp }: DesiredTunnel, { routing }: DeviceState): boolean {
  const routes = strongValue(routing)?.routes;
  return (
    routes !== undefined &&
    !routes.some(
      ({ via, best, prefix }) =>
        best && via.kind === "tunnel" && via.name === name && prefix.split("/")[0] !== bgp?.peer,
    )
  );
}

function refusal(
  { name: where }: Pick<DesiredTunnel, "name">,
  { code, cause, next }: Obstacle,
): LinksealError {
  const text = `${where} is not drained: ${bareCauseText(cause)}`;
  return new LinksealError(code, text, { effect: "none", where, next });
}
