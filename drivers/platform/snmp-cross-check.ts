// A router's SNMP agent beside the session that drives it: a value that one of them lacks is taken
// from the other, and a value on which they disagree is unknown.

import { withDeadline } from "#hal/deadline.ts";
import type { Device, Driver } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import {
  type DeviceState,
  known,
  type MacsecPort,
  type PortName,
  type Reading,
  unknown,
} from "#hal/model.ts";
import type { Target } from "#hal/target.ts";
import { type Clock, type Instant, instantAfter, type SnmpReply, type World } from "#hal/world.ts";
import {
  type IfMib,
  type IfMibPort,
  leavesOf,
  names,
  type PortIndices,
  readIndices,
  readPorts,
} from "./if-mib.ts";

/** Less than the limit of an observation, which must not fail because of the SNMP cross-check. */
const answerMsMax = 10_000;
/**
 * After an agent did not answer, it is not asked again for this long, in milliseconds; and its
 * table is not walked more often than that.
 */
const restMs = 60_000;
/** The longest wait before the table is walked again for a port that it lacks, in milliseconds. */
const walkMsMax = 3_600_000;
const portsMax = 64;
/** Two names for each of 20,000 interfaces. */
const namesMax = 40_000;
/** Names of ports in one line of the log. */
const listedMax = 4;
const columnsMax = 16;
/**
 * A link below the first rate counts as drained; one above the second differs by more than a slow
 * counter does.
 */
const idlePps = 100;
const busyPps = 200;
const second = 100;

/**
 * Adds the SNMP cross-check to a driver: its devices compare what the driver reads with their SNMP
 * agent, if the config names one.
 */
export function withSnmpCrossCheck(driver: Driver): Driver {
  return {
    ...driver,
    async open(target, world, onChange, signal) {
      const device = await driver.open(target, world, onChange, signal);
      if (target.snmp === undefined) return device;
      const crossCheck = new SnmpCrossCheck(target, world);
      const observe: Device["observe"] = async (bounded) =>
        await crossCheck.check(await device.observe(bounded), bounded);
      return { ...device, observe };
    },
  };
}

interface SnmpReading {
  readonly mib: IfMib;
  readonly evidence: SnmpReply["evidence"];
}

class SnmpCrossCheck {
  readonly #target: Target;
  readonly #world: World;
  readonly #table: IndexTable;
  #before: IfMib | undefined;
  #restsUntil: Instant | undefined;
  /** Ports without an interface in the agent, as they were logged last. */
  #unmatched: readonly PortName[] = [];

  constructor(target: Target, world: World) {
    this.#target = target;
    this.#world = world;
    this.#table = new IndexTable(world.clock);
  }

  async check(state: DeviceState, signal: AbortSignal): Promise<DeviceState> {
    const reading = await this.#ask(state, signal);
    if (reading === undefined) return state;
    const { mib, evidence } = reading;
    const before = this.#before;
    this.#before = mib;
    const at = this.#world.clock.now();
    const macsec = state.macsec.map((port) => {
      const reported = mib.ports.get(port.port);
      if (reported === undefined) return port;
      return evidence === "weak"
        ? weakly(port, reported, at)
        : judged(port, reported, { at, pps: ppsOf(port.port, before, mib) });
    });
    const isWhole = this.#unmatched.length === 0;
    return { ...state, macsec, ...(isWhole ? {} : { snmpUnmatched: this.#unmatched }) };
  }

  async #ask(state: DeviceState, signal: AbortSignal): Promise<SnmpReading | undefined> {
    const { clock } = this.#world;
    if (this.#restsUntil !== undefined && clock.now() < this.#restsUntil) return undefined;
    const where = this.#target.device;
    try {
      const limit = { ms: answerMsMax, where, effect: "none" } as const;
      const reading = await withDeadline(clock, limit, signal, (bounded) =>
        this.#exchange(state, bounded),
      );
      if (this.#restsUntil !== undefined) this.#log("info", "snmp-answers", "it answers again");
      this.#restsUntil = undefined;
      return reading;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof LinksealError)) throw error;
      if (this.#restsUntil === undefined) this.#log("warn", "snmp-silent", error.message);
      this.#restsUntil = instantAfter(clock.now(), restMs);
      this.#before = undefined;
      return undefined;
    }
  }

  async #exchange(state: DeviceState, signal: AbortSignal): Promise<SnmpReading> {
    const wanted = portsOf(state);
    if (this.#table.isDue(wanted)) {
      const query = { roots: names, leaves: [], valuesMax: namesMax };
      this.#table.walked(await this.#world.dial.snmp(this.#target, query, signal), wanted);
    }
    const indices = this.#table.indicesOf(wanted);
    const leaves = leavesOf(indices.values());
    const query = { roots: [], leaves, valuesMax: portsMax * columnsMax };
    const reply = await this.#world.dial.snmp(this.#target, query, signal);
    const mib = readPorts(reply, indices);
    this.#table.read(mib, indices);
    this.#report(wanted.filter((port) => !mib.ports.has(port)));
    return { mib, evidence: reply.evidence };
  }

  /** Logs once which ports the agent does not have, and once that it has all of them again. */
  #report(unmatched: readonly PortName[]): void {
    const before = this.#unmatched;
    this.#unmatched = unmatched;
    if (unmatched.join() === before.join()) return;
    if (unmatched.length === 0) {
      this.#log("info", "snmp-matched", "its SNMP agent has an interface for each port again");
      return;
    }
    const more = unmatched.length - listedMax;
    const ports = unmatched.slice(0, listedMax).join(", ") + (more > 0 ? ` and ${more} more` : "");
    const text = `its SNMP agent has no interface, or several, with the name of ${ports}`;
    this.#log("warn", "snmp-unmatched", `${text}: they are not compared with it`);
  }

  #log(level: "info" | "warn", code: string, text: string): void {
    this.#world.log.write(level, code, text, { device: this.#target.device });
  }
}

/** The indices of ports in the agent's table, which is walked only if a port is not in it. */
class IndexTable {
  readonly #clock: Clock;
  #indices = new Map<PortName, string>();
  #walkedAt: Instant | undefined;
  /** Walks without success, one after another. */
  #misses = 0;
  /** The agent restarted, or its table changed, since it was walked. */
  #isStale = false;
  #before: Pick<IfMib, "upTime" | "lastChange"> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether to walk now for these ports. */
  isDue(wanted: readonly PortName[]): boolean {
    if (wanted.every((port) => this.#indices.has(port))) return false;
    if (this.#walkedAt === undefined) return true;
    const waitMs = this.#isStale ? restMs : Math.min(restMs * 2 ** this.#misses, walkMsMax);
    return this.#clock.now() >= instantAfter(this.#walkedAt, waitMs);
  }

  walked(reply: SnmpReply, wanted: readonly PortName[]): void {
    this.#indices = new Map(readIndices(reply, wanted));
    this.#walkedAt = this.#clock.now();
    this.#isStale = false;
    this.#misses = this.#indices.size < wanted.length ? this.#misses + 1 : 0;
  }

  indicesOf(wanted: readonly PortName[]): PortIndices {
    return new Map([...this.#indices].filter(([port]) => wanted.includes(port)));
  }

  /** Takes note of a reading: an agent may number its ports anew when it restarts. */
  read({ ports, upTime, lastChange }: IfMib, asked: PortIndices): void {
    for (const port of asked.keys()) if (!ports.has(port)) this.#indices.delete(port);
    const before = this.#before;
    this.#before = { upTime, lastChange };
    if (before === undefined) return;
    const hasRestarted = (upTime ?? 0n) < (before.upTime ?? 0n);
    if (hasRestarted || lastChange !== before.lastChange) this.#isStale = true;
  }
}

/** Ports with MACsec come first. */
function portsOf({ macsec }: DeviceState): readonly PortName[] {
  const isProtected = ({ settings }: MacsecPort): boolean =>
    settings.kind === "known" && settings.value !== undefined;
  const [first, rest] = [true, false].map((wanted) =>
    macsec.filter((port) => isProtected(port) === wanted),
  );
  return [...(first ?? []), ...(rest ?? [])].map(({ port }) => port).slice(0, portsMax);
}

/** Values that any host could have forged fill a gap and contradict nothing. */
function weakly(port: MacsecPort, reported: IfMibPort, at: Instant): MacsecPort {
  const fill = <T>(reading: Reading<T>, value: T | undefined): Reading<T> => {
    if (reading.kind === "known" || value === undefined) return reading;
    return { kind: "known", value, at, weak: true };
  };
  return {
    ...port,
    admin: fill(port.admin, reported.admin),
    linkUp: fill(port.linkUp, reported.linkUp),
  };
}

interface Moment {
  readonly at: Instant;
  /**
   * Frames per second since the previous observation, in the busier direction; undefined = not
   * known.
   */
  readonly pps: number | undefined;
}

function judged(port: MacsecPort, reported: IfMibPort, { at, pps }: Moment): MacsecPort {
  const agree = <T>(reading: Reading<T>, value: T | undefined): Reading<T> => {
    if (value === undefined) return reading;
    if (reading.kind === "unknown") return known(value, at);
    return reading.value === value ? reading : unknown("contradicted", at);
  };
  return {
    ...port,
    admin: agree(port.admin, reported.admin),
    linkUp: agree(port.linkUp, reported.linkUp),
    rate: isIdle(port) && (pps ?? 0) > busyPps ? unknown("contradicted", at) : port.rate,
  };
}

function isIdle({ rate }: MacsecPort): boolean {
  return rate.kind === "known" && Math.max(rate.value.rxPps, rate.value.txPps) < idlePps;
}

function ppsOf(port: PortName, before: IfMib | undefined, now: IfMib): number | undefined {
  const [first, last] = [before?.ports.get(port)?.frames, now.ports.get(port)?.frames];
  if (first === undefined || last === undefined || first.since !== last.since) return undefined;
  if (before?.upTime === undefined || now.upTime === undefined) return undefined;
  const ticks = now.upTime - before.upTime;
  const counted = [last.rx - first.rx, last.tx - first.tx];
  // A clock or a counter that went back has restarted.
  if (ticks <= 0n || counted.some((frames) => frames < 0n)) return undefined;
  return (Math.max(...counted.map(Number)) * second) / Number(ticks);
}
