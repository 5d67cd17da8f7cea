// Round trips through tunnels: echo requests to the BGP neighbour, which show that what we send
// arrives. Those that prove a backup must be counted by the SAs of both directions as well.

import type { ProbeResult } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type DeviceState, type IpsecSa, strongValue } from "#hal/model.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import type { BackedLinks, Desired, DesiredTunnel } from "../../model/desired.ts";
import type { ProofLog } from "../../model/health.ts";
import type { DeviceCache } from "./device-cache.ts";
import { Slots } from "./slots.ts";

export interface TunnelProbesParts {
  readonly world: Pick<World, "clock" | "log">;
  readonly desired: Desired;
  readonly deviceCache: Pick<DeviceCache, "observe" | "state" | "capabilities" | "probeTunnel">;
}

const packets = 5;
/** Round trips that run side by side: each is a program on Linux. */
const atOnceMax = 8;
/** A failed proof is repeated after this part of the interval: it may have been one lost packet. */
const soonerShare = 5;

type Backup = DesiredTunnel & { readonly backs: BackedLinks };

interface Slot {
  log: ProofLog;
  dueAt: Instant;
}

/** The round trips through all tunnels, and the proofs of those that back up links. */
export class TunnelProbes {
  readonly #parts: TunnelProbesParts;
  readonly #slots = new Map<string, Slot>();
  /** When a round trip was begun, by tunnel. */
  readonly #triedAt = new Map<string, Instant>();
  readonly #running = new Slots(atOnceMax);

  /** Takes over what a predecessor proved of the same backups. */
  constructor(parts: TunnelProbesParts, before: TunnelProbes | undefined) {
    this.#parts = parts;
    for (const { name } of this.#backups()) {
      const slot = before === undefined ? undefined : before.#slots.get(name);
      if (slot !== undefined) this.#slots.set(name, slot);
    }
  }

  /** The proofs of a tunnel; undefined = it backs up no group, or has had no turn yet. */
  log(tunnel: string): ProofLog | undefined {
    return this.#slots.get(tunnel)?.log;
  }

  #backups(): readonly Backup[] {
    return this.#parts.desired.tunnels.filter((tunnel): tunnel is Backup => "backs" in tunnel);
  }

  /** Runs one turn: proves every backup that is due, and tries every other tunnel. */
  async turn(signal: AbortSignal): Promise<void> {
    await this.#prove(signal);
    const due = this.#parts.desired.tunnels.filter((tunnel) => this.#isDue(tunnel));
    await Promise.all(due.map((tunnel) => this.#running.run(() => this.#tryOne(tunnel, signal))));
  }

  #isDue(tunnel: DesiredTunnel): boolean {
    const { world, desired, deviceCache } = this.#parts;
    const { evidenceMs, pollMs } = desired.health;
    const triedAt = this.#triedAt.get(tunnel.name);
    const isLate =
      triedAt === undefined || world.clock.now() - triedAt > evidenceMs / 3 - pollMs / 2;
    const isPossible = deviceCache.capabilities(tunnel.device)?.probe === true;
    // Only a BGP neighbour may be asked to answer: every other address is a protected host's.
    return isLate && isPossible && tunnel.bgp !== undefined && !this.#isAbsent(tunnel);
  }

  /** A round trip that could not be tried is no silence. */
  async #tryOne(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    try {
      await this.#probe(tunnel, signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const { device, name: where } = tunnel;
      this.#parts.world.log.write("debug", error.code, error.message, { device, where });
    }
  }

  async #probe(tunnel: DesiredTunnel, signal: AbortSignal): Promise<ProbeResult | undefined> {
    this.#triedAt.set(tunnel.name, this.#parts.world.clock.now());
    return await this.#parts.deviceCache.probeTunnel(tunnel, packets, signal);
  }

  async #prove(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.world;
    for (const tunnel of this.#backups()) {
      const now = clock.now();
      const slot = this.#slots.get(tunnel.name) ?? {
        log: { since: now, proven: undefined, failures: 0, cause: undefined },
        dueAt: now,
      };
      this.#slots.set(tunnel.name, slot);
      if (now < slot.dueAt) continue;
      // An absent tunnel cannot be tested; its absence is reported by its own warning.
      if (this.#isAbsent(tunnel)) {
        slot.log = { ...slot.log, since: now };
        continue;
      }
      const cause = await this.#failure(tunnel, signal);
      const { proveMs } = tunnel.backs;
      const isProven = cause === undefined;
      slot.dueAt = instantAfter(clock.now(), isProven ? proveMs : proveMs / soonerShare);
      const { log } = slot;
      slot.log = isProven
        ? { ...log, proven: { at: clock.now(), wall: clock.wall() }, failures: 0, cause }
        : { ...log, failures: log.failures + 1, cause };
    }
  }

  #isAbsent({ name, device }: DesiredTunnel): boolean {
    const state = this.#parts.deviceCache.state(device);
    return state === undefined || !state.ipsec.some((one) => one.name === name);
  }

  /** Tests one backup; returns why it is not proven, or undefined if it is. */
  async #failure(tunnel: Backup, signal: AbortSignal): Promise<string | undefined> {
    const { name, device } = tunnel;
    try {
      const before = await this.#sas(tunnel, signal);
      if (before === undefined) return `${device} does not show its SAs`;
      const result = await this.#probe(tunnel, signal);
      if (result === undefined) return `${device} sends no probes (it lacks FRR or ping)`;
      const { sent, answered } = result;
      const to = `${tunnel.bgp?.peer ?? "its neighbour"} through ${name}`;
      if (sent === 0) return `no packet could be sent to ${to}`;
      if (answered === 0) return `none of ${sent} packets to ${to} was answered`;
      const after = await this.#sas(tunnel, signal);
      if (after === undefined) return `${device} does not show its SAs`;
      const [out, back] = (["out", "in"] as const).map((way) => counted(before, after, way));
      const least = BigInt(answered);
      if (out !== undefined && back !== undefined && out >= least && back >= least) {
        return undefined;
      }
      const counts = `its SAs counted ${out} out, ${back} in`;
      return `${answered} packets to ${to} were answered, and ${counts}`;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return error.message;
    }
  }

  async #sas(
    { device, name }: Backup,
    signal: AbortSignal,
  ): Promise<readonly IpsecSa[] | undefined> {
    const state: DeviceState | undefined = await this.#parts.deviceCache.observe(device, signal);
    const tunnel = state?.ipsec.find((one) => one.name === name);
    return tunnel === undefined ? undefined : strongValue(tunnel.sas);
  }
}

/** Counts by SPI, because a rekey in between starts another counter. */
function counted(
  before: readonly IpsecSa[],
  after: readonly IpsecSa[],
  way: IpsecSa["direction"],
): bigint {
  return after
    .filter(({ direction }) => direction === way)
    .reduce((sum, { spi, packets }) => {
      const earlier = before.find((one) => one.spi === spi && one.direction === way);
      const rise = packets - (earlier?.packets ?? 0n);
      return rise > 0n ? sum + rise : sum;
    }, 0n);
}
