// New SAs for tunnels whose SAs do not carry as they should although IKE is up: first the child is
// rekeyed, then, if that does not help, the ends authenticate anew.

import type { KeyResolver, RekeyWhat } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import { isMended, type SaFault, saFaultOf } from "../../health/sa-fault.ts";
import type { Desired, DesiredTunnel } from "../../model/desired.ts";
import type { ReportEvent } from "../../model/events.ts";
import { isKeyChanging } from "../../rotation/tunnel-gates.ts";
import { isPending, type JournalRecord, type Memory, named } from "../../store/journal/memory.ts";
import { commitChange } from "../campaigns/commit-change.ts";
import type { DeviceCache } from "../polling/device-cache.ts";
import { retryDelayMs } from "../polling/retries.ts";
import { renewals } from "./tunnel-end.ts";
import type { TunnelTraffic } from "./tunnel-traffic.ts";

/** The parts that repairs need. */
export interface TunnelRepairsParts {
  /** Clock, randomness and log. */
  readonly world: Pick<World, "clock" | "entropy" | "log">;
  /** The accepted intent. */
  readonly desired: Desired;
  /** The device's name in the config. */
  readonly device: string;
  /** What was observed of it, and its session. */
  readonly deviceCache: Pick<
    DeviceCache,
    "tunnelHistory" | "capabilities" | "device" | "observe" | "failure"
  >;
  /** The secrets of changes, from the vault. */
  readonly keys: (signal: AbortSignal) => KeyResolver;
  /** The state that the journal's records add up to. */
  readonly memory: () => Memory;
  /** Appends to the journal. */
  readonly write: (record: JournalRecord) => Promise<void>;
  /** Leads the traffic of a tunnel away before its SAs are replaced, and back afterwards. */
  readonly drains: Pick<TunnelTraffic, "drainForChange" | "undrainAfterChange">;
  /** Adds an event. */
  readonly report: ReportEvent;
}

/**
 * The delays in milliseconds between the end of a repair and the next one of the same tunnel; it
 * begins anew with `least` after `most` without a fault.
 */
const waitMs = { least: 300_000, most: 3_600_000 } as const;

/** What is done at once: one or more renewals, and what they are called. */
interface Step {
  readonly whats: readonly RekeyWhat[];
  readonly text: string;
}

/** A repair whose last step has been taken, and is judged by what is observed since. */
interface UnderWay {
  readonly fault: SaFault;
  /** The steps taken. */
  readonly taken: number;
  readonly since: Instant;
  /** Why the last step was refused; undefined = it was not. */
  readonly trouble: string | undefined;
}

/** The repairs of one tunnel up to now. */
interface Repairs {
  /** Those that have ended, whether they helped or not. */
  readonly ended: number;
  readonly notBefore: Instant;
  readonly underWay: UnderWay | undefined;
}

/** What is to be done now. */
interface Next {
  readonly fault: SaFault;
  readonly step: Step;
  /** The steps taken before. */
  readonly taken: number;
}

const faultTexts = {
  oneWay: "its packets leave and none comes back",
  duplicates: "it has more than one pair of SAs",
} as const;
const mendedTexts = {
  oneWay: "got no packet back, and carries in both directions again",
  duplicates: "had more than one pair of SAs, and has one again",
} as const;

/** The repairs of the tunnels of one device. */
export class TunnelRepairs {
  readonly #parts: TunnelRepairsParts;
  readonly #repairs = new Map<string, Repairs>();

  constructor(parts: TunnelRepairsParts) {
    this.#parts = parts;
  }

  /** The tunnels that get new SAs now; none unless the config allows repairs. */
  due(): readonly DesiredTunnel[] {
    const { desired, device, deviceCache } = this.#parts;
    if (desired.repair === "off" || deviceCache.failure(device) !== undefined) return [];
    const own = desired.tunnels.filter((tunnel) => tunnel.device === device);
    return own.filter((tunnel) => this.#next(tunnel) !== undefined);
  }

  /**
   * Takes the next step, if it is still due. Its effect is judged by later observations, also if
   * this fails.
   * @throws LinksealError why the device refused.
   */
  async run(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const next = this.#next(tunnel);
    if (next === undefined) return;
    const { fault, step, taken } = next;
    const { world, device, drains } = this.#parts;
    const { name } = tunnel;
    const text = `${name}: ${faultTexts[fault]}, so it gets ${step.text}`;
    world.log.write("info", "tunnel-repair", text, { device });
    const note = (trouble?: string): void =>
      this.#note(name, { fault, taken: taken + 1, since: world.clock.now(), trouble });
    try {
      await drains.drainForChange(tunnel, "repair", signal);
      note();
      for (const what of step.whats) {
        const change = [{ kind: "ipsec.rekey", name, what }] as const;
        await commitChange(this.#parts, { device, tunnel: name, change }, signal);
      }
    } catch (error) {
      if (error instanceof LinksealError) note(error.message);
      throw error;
    } finally {
      await drains.undrainAfterChange(tunnel, signal);
    }
  }

  /** Judges the last step of a tunnel's repair, and returns the step that is due now. */
  #next(tunnel: DesiredTunnel): Next | undefined {
    const { deviceCache, world, desired, report } = this.#parts;
    const { name } = tunnel;
    const { underWay, notBefore } = this.#repairs.get(name) ?? {};
    const observations = deviceCache.tunnelHistory(name);
    const now = world.clock.now();
    if (underWay === undefined) {
      const fault = saFaultOf(observations, desired.health);
      const isHealed = notBefore !== undefined && now - notBefore > waitMs.most;
      if (fault === undefined && isHealed) this.#repairs.delete(name);
      if (fault === undefined || now < (notBefore ?? now)) return undefined;
      return this.#step(tunnel, fault, 0);
    }
    const { fault, taken, since } = underWay;
    const later = observations.filter(({ sas }) => sas.at >= since);
    if (isMended(fault, later)) {
      const text = `${name} ${mendedTexts[fault]} after ${this.#doneText(tunnel, underWay)}`;
      this.#end(name);
      report("tunnel-repaired", name, text, "info");
      return undefined;
    }
    const lasting = saFaultOf(later, desired.health);
    if (lasting === undefined) return undefined;
    if (lasting !== fault) return this.#step(tunnel, lasting, 0);
    if (taken < this.#steps(tunnel, fault).length) return this.#step(tunnel, fault, taken);
    const minutes = Math.ceil(this.#end(name) / 60_000);
    const refused = underWay.trouble === undefined ? "" : ` (${underWay.trouble})`;
    const still = `${faultTexts[fault]}, also after ${this.#doneText(tunnel, underWay)}${refused}`;
    const then = `the agent tries again after ${minutes} min at the earliest`;
    const text = `${name}: ${still}; ${then}. Next: linkseal explain tunnel-one-way ${name}`;
    report("tunnel-repair-failed", name, text, "warning");
    return undefined;
  }

  /** The step of this number, unless the tunnel is to be left alone now. */
  #step(tunnel: DesiredTunnel, fault: SaFault, taken: number): Next | undefined {
    const { memory, device } = this.#parts;
    const { name } = tunnel;
    const step = this.#steps(tunnel, fault)[taken];
    const isDrained = named(memory().drains, name) !== undefined;
    const isLeft = isDrained || isKeyChanging(memory(), name) || isPending(memory(), device, name);
    return step === undefined || isLeft ? undefined : { fault, step, taken };
  }

  #steps(tunnel: DesiredTunnel, fault: SaFault): readonly Step[] {
    const { deviceCache, device } = this.#parts;
    const offered = deviceCache.capabilities(device)?.ipsec?.rekeys ?? [];
    const anew = tunnel.ikeVersion === undefined ? "a new authentication" : "a new main mode";
    const steps: readonly Step[] = [
      { whats: ["child"], text: "a rekey of its child" },
      ...(fault === "oneWay" ? [{ whats: renewals(tunnel), text: anew }] : []),
    ];
    return steps.filter(({ whats }) => whats.every((what) => offered.includes(what)));
  }

  #doneText(tunnel: DesiredTunnel, { fault, taken }: UnderWay): string {
    const done = this.#steps(tunnel, fault).slice(0, taken);
    return done.map(({ text }) => text).join(" and ");
  }

  #note(name: string, underWay: UnderWay): void {
    const { ended = 0, notBefore = underWay.since } = this.#repairs.get(name) ?? {};
    this.#repairs.set(name, { ended, notBefore, underWay });
  }

  /** Ends a repair, and returns the milliseconds until the next one may begin. */
  #end(name: string): number {
    const { clock, entropy } = this.#parts.world;
    const ended = (this.#repairs.get(name)?.ended ?? 0) + 1;
    const ms = retryDelayMs(entropy, ended, waitMs);
    const notBefore = instantAfter(clock.now(), ms);
    this.#repairs.set(name, { ended, notBefore, underWay: undefined });
    return ms;
  }
}
