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
import { type Instant, instantAfter, type SnmpReply, type World } from "#hal/world.ts";
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
/** After an agent did not answer, it is not asked again for this long, in milliseconds. */
const restMs = 60_000;
const portsMax = 64;
const namesMax = 20_000;
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
  #indices: PortIndices = new Map();
  #before: IfMib | undefined;
  #restsUntil: Instant | undefined;

  constructor(target: Target, world: World) {
    this.#target = target;
    this.#world = world;
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
    return { ...state, macsec };
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
    if (wanted.some((port) => !this.#indices.has(port))) {
      const query = { roots: [names], leaves: [], valuesMax: namesMax };
      this.#indices = readIndices(await this.#world.dial.snmp(this.#target, query, signal));
    }
    const indices = new Map([...this.#indices].filter(([port]) => wanted.includes(port)));
    const leaves = leavesOf(indices.values());
    const query = { roots: [], leaves, valuesMax: portsMax * columnsMax };
    const reply = await this.#world.dial.snmp(this.#target, query, signal);
    const mib = readPorts(reply, indices);
    // An agent may number its ports anew when it boots.
    if (mib.ports.size < indices.size) this.#indices = new Map();
    return { mib, evidence: reply.evidence };
  }

  #log(level: "info" | "warn", code: string, text: string): void {
    this.#world.log.write(level, code, text, { device: this.#target.device });
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
