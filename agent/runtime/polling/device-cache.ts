// The device cache: the sessions to devices and far ends, and the newest observations of each. The
// agent observes through it alone.

import { withDeadline } from "#hal/deadline.ts";
import type {
  Capabilities,
  Device,
  Driver,
  PeerPort,
  PeerState,
  PeerTelemetry,
  ProbeResult,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, IpsecTunnel, MacsecPort } from "#hal/model.ts";
import type { Target } from "#hal/target.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
import { farEndPlace, isSameFarEnd } from "../../compare/far-end-drift.ts";
import { equalSettings } from "../../health/verify.ts";
import {
  type Desired,
  type DesiredDevice,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
} from "../../model/desired.ts";
import {
  type Failure,
  fresh,
  isWhole,
  type LinkSnapshot,
  type Observations,
  portOf,
} from "../../model/link-snapshot.ts";
import type { RightsReport } from "../../model/rights-report.ts";
import { AskedSaks } from "./asked-saks.ts";
import {
  type DeviceSlot,
  type LinkSlot,
  type PeerReading,
  slotOf,
  type TimedTelemetry,
} from "./cache-slots.ts";
import type { FarEndWrites } from "./far-end-writes.ts";
import { type GatewayQuery, type GatewayReport, gatewayReport } from "./gateway-report.ts";
import type { LoginLimiter } from "./login-limiter.ts";
import { linkWay, type Path, RoundTripLog, tunnelProbeMsMax, tunnelWay } from "./round-trips.ts";

const observeMsMax = 10_000;
/** Three reads of a far end at rest. */
const farEndStaleMs = 180_000;
/** How long a resolved host name is cached, in milliseconds. */
const nameMs = 60_000;
/** The most observations kept per link: an evidence window of 90 s at the default poll interval. */
const historyMax = 24;

/** The parts from which the device cache is built. */
export interface DeviceCacheParts {
  /** Clock, dialer and log. */
  readonly world: World;
  /** The router drivers, by name. */
  readonly drivers: Readonly<Record<string, Driver>>;
  /** Returns the reader and writer of a link's far end. */
  readonly peerPort: (link: DesiredLink) => PeerPort;
  /** Our own writes of far ends; absent = there are none. */
  readonly farEndWrites?: Pick<FarEndWrites, "precede">;
  /** Returns the reader of a tunnel's gateway; undefined = it cannot be queried. */
  readonly gateway?: (tunnel: DesiredTunnel) => GatewayQuery | undefined;
  /** Returns the rights that a change of a far end needs; undefined = it needs none, or unasked. */
  readonly rights?: (link: DesiredLink) => RightsReport | undefined;
  /** Limits the logins that begin together; absent = a command of an operator, for few devices. */
  readonly logins?: LoginLimiter;
  /** True for a device that a campaign works on: it waits for no other login. Absent = never. */
  readonly isUrgent?: (device: string) => boolean;
  /** Observes the commits on a device that was opened. Absent = there are none. */
  readonly watch?: (device: Device) => Device;
  /** The config whose devices, links and tunnels are observed. */
  readonly desired: Desired;
  /** Called when a device notifies of a change, so that it may be observed sooner. */
  readonly hint?: (device: string) => void;
}

export class DeviceCache implements Observations {
  /** The SAKs that campaigns asked for. */
  readonly askedSaks = new AskedSaks();
  /** The round trips over links, by `group/link`, and through tunnels. */
  readonly roundTrips: RoundTripLog;
  readonly #parts: DeviceCacheParts;
  #closed = false;
  readonly #devices = new Map<string, DeviceSlot>();
  readonly #links = new Map<string, LinkSlot>();
  readonly #linksOn = new Map<string, LinkSlot[]>();
  readonly #tunnels = new Map<string, IpsecTunnel[]>();
  readonly #tunnelNames: ReadonlySet<string>;
  readonly #gateways = new Map<string, GatewayReport>();
  readonly #names = new Map<string, { readonly found: readonly string[]; readonly at: Instant }>();

  /**
   * Takes over what an earlier device cache observed of the same devices and links, so that a new
   * intent starts with evidence.
   */
  constructor(parts: DeviceCacheParts, before: DeviceCache | undefined) {
    this.#parts = parts;
    this.roundTrips = new RoundTripLog(parts.world.clock);
    this.#tunnelNames = new Set(parts.desired.tunnels.map(({ name }) => name));
    for (const wanted of parts.desired.devices) {
      this.#devices.set(wanted.name, {
        wanted,
        device: undefined,
        state: undefined,
        failure: undefined,
        failures: 0,
      });
    }
    for (const group of parts.desired.groups) {
      for (const link of group.links) {
        const slot = slotOf(link, parts.peerPort(link), group.expressRoutePort);
        this.#links.set(linkId(link), slot);
        this.#linksOn.set(link.device, [...(this.#linksOn.get(link.device) ?? []), slot]);
      }
    }
    if (before !== undefined) this.#inherit(before);
  }

  #inherit(before: DeviceCache): void {
    for (const [name, slot] of this.#devices) {
      const old = before.#devices.get(name);
      if (old === undefined || !isSameDevice(old.wanted, slot.wanted)) continue;
      slot.state = old.state;
      slot.failure = old.failure;
      slot.failures = old.failures;
    }
    for (const [name, history] of before.#tunnels) this.#tunnels.set(name, [...history]);
    for (const tunnel of this.#parts.desired.tunnels) {
      this.roundTrips.inherit(before.roundTrips, tunnel.name, tunnelWay(tunnel, undefined).under);
    }
    for (const [id, slot] of this.#links) {
      const old = before.#links.get(id);
      if (old?.link.device !== slot.link.device || old.link.port !== slot.link.port) continue;
      slot.history.push(...old.history);
      slot.whole = old.whole;
      slot.probe = old.probe;
      // What was read of one far end says nothing about another one.
      const place = farEndPlace(this.#parts.desired, slot.link);
      if (!isSameFarEnd(farEndPlace(before.#parts.desired, old.link), place)) continue;
      slot.peer = old.peer;
      slot.telemetry = old.telemetry;
      if (!equalSettings(old.link.settings, slot.link.settings)) continue;
      this.roundTrips.inherit(before.roundTrips, id);
    }
  }

  #slot(name: string): DeviceSlot {
    const slot = this.#devices.get(name);
    if (slot === undefined) throw new Error(`no device ${name} in the accepted intent`);
    return slot;
  }

  #linkSlot(link: DesiredLink): LinkSlot {
    const slot = this.#links.get(linkId(link));
    if (slot === undefined) throw new Error(`no link ${linkId(link)} in the accepted intent`);
    return slot;
  }

  /**
   * Returns the open session, or opens one. Throws LinksealError if that fails, or after `close`.
   */
  async device(name: string, signal: AbortSignal): Promise<Device> {
    const slot = this.#slot(name);
    if (slot.device !== undefined) return slot.device;
    const driver = this.#parts.drivers[slot.wanted.driver];
    if (driver === undefined) throw new Error(`no driver ${slot.wanted.driver}`);
    const { address, pathspace, charon, ssh, snmp } = slot.wanted;
    const target: Target = {
      ...{ device: name, address },
      ...(pathspace === undefined ? {} : { pathspace }),
      ...(charon === undefined ? {} : { charon }),
      ...(ssh === undefined ? {} : { ssh }),
      ...(snmp === undefined ? {} : { snmp }),
    };
    const hint = (): void => this.#parts.hint?.(name);
    const { world, watch = (device) => device } = this.#parts;
    const opened = watch(await driver.open(target, world, hint, signal));
    // Two loops may open at once, and one session is enough; after the end none is wanted.
    if (!this.#closed) slot.device ??= opened;
    if (slot.device !== opened) await opened[Symbol.asyncDispose]();
    if (slot.device === undefined) throw ended(name);
    return slot.device;
  }

  /**
   * Observes a device; undefined = it failed, and `failure` has the reason, or its login has to
   * wait for others. The last state is kept, and ages. An abort leaves the last state unchanged.
   */
  async observe(name: string, signal: AbortSignal): Promise<DeviceState | undefined> {
    const { logins, isUrgent } = this.#parts;
    const needsNoLogin = this.#slot(name).device !== undefined;
    if (needsNoLogin || logins === undefined || isUrgent?.(name) === true) {
      return await this.#observe(name, signal);
    }
    const { failures } = this.#slot(name);
    return await logins.run(signal, failures, () => this.#observe(name, signal));
  }

  async #observe(name: string, signal: AbortSignal): Promise<DeviceState | undefined> {
    const slot = this.#slot(name);
    const { clock } = this.#parts.world;
    try {
      const state = await withDeadline(
        clock,
        { ms: this.#patienceMs(name), where: name, effect: "none" },
        signal,
        async (bounded) => (await this.device(name, bounded)).observe(bounded),
      );
      slot.failure = undefined;
      slot.failures = 0;
      // Two loops observe one device, and their answers may cross.
      if (slot.state !== undefined && state.at < slot.state.at) return state;
      slot.state = state;
      this.#keep(name, state);
      return state;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      slot.failure = failureOf(error, slot.failure, clock.now());
      slot.failures += 1;
      const { device } = slot;
      slot.device = undefined;
      // The session is opened anew, and remains of the old one must not pile up.
      if (device !== undefined) void this.#end(name, device);
      return undefined;
    }
  }

  #patienceMs(name: string): number {
    return this.#parts.drivers[this.#slot(name).wanted.driver]?.observeMsMax ?? observeMsMax;
  }

  #keep(name: string, state: DeviceState): void {
    const { evidenceMs } = this.#parts.desired.health;
    for (const tunnel of state.ipsec) {
      if (!this.#tunnelNames.has(tunnel.name)) continue;
      const history = this.#tunnels.get(tunnel.name) ?? [];
      this.#tunnels.set(tunnel.name, history);
      history.push(tunnel);
      while ((history[1]?.ike.at ?? state.at) < instantAfter(state.at, -evidenceMs))
        history.shift();
      if (history.length > historyMax) thin(history);
    }
    for (const slot of this.#linksOn.get(name) ?? []) {
      if (isWhole(state, slot.link.port)) slot.whole = state;
      const port = portOf(state, slot.link.port);
      if (port === undefined) continue;
      const oldest = instantAfter(state.at, -evidenceMs);
      slot.history.push(port);
      // One observation older than the evidence window stays, so that the window is always spanned.
      while ((slot.history[1]?.linkUp.at ?? state.at) < oldest) slot.history.shift();
      if (slot.history.length > historyMax) thin(slot.history);
    }
  }

  /** Reads a far end; undefined = it failed, and `peerFailure` has the reason. */
  async observePeer(link: DesiredLink, signal: AbortSignal): Promise<PeerState | undefined> {
    const slot = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    const begun = clock.now();
    slot.peerTriedAt = begun;
    try {
      const state = await withDeadline(
        clock,
        { ms: observeMsMax, where: `${linkId(link)} far end`, effect: "none" },
        signal,
        (bounded) => slot.peerPort.observe(bounded),
      );
      slot.peerFailure = undefined;
      const peer = { state, begunAt: begun, at: clock.now() };
      // Two loops read one far end, and their answers may cross.
      if (slot.peer === undefined || begun >= slot.peer.begunAt) slot.peer = peer;
      return this.#claimed(slot, peer).state;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      slot.peerFailure = failureOf(error, slot.peerFailure, clock.now());
      return undefined;
    }
  }

  /** Reads the far end's meters. They are optional: a failure is only logged. */
  async observeTelemetry(link: DesiredLink, signal: AbortSignal): Promise<void> {
    const slot = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    slot.telemetryTriedAt = clock.now();
    const { peerPort } = slot;
    const observe = (bounded: AbortSignal): Promise<PeerTelemetry | undefined> =>
      peerPort.telemetry?.(bounded) ?? Promise.resolve(undefined);
    const telemetry = await this.#weak(`${linkId(link)} far end`, signal, observe);
    if (telemetry !== undefined) slot.telemetry = { telemetry, at: clock.now() };
  }

  /** Reads the gateway's report about a tunnel; a failure is only logged. */
  async observeGateway(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { world, gateway } = this.#parts;
    const report = await this.#weak(tunnel.name, signal, gateway?.(tunnel));
    if (report === undefined) return;
    this.#gateways.set(tunnel.name, gatewayReport(tunnel, report, world.clock.now()));
  }

  async #weak<T>(
    where: string,
    signal: AbortSignal,
    observe: ((signal: AbortSignal) => Promise<T>) | undefined,
  ): Promise<T | undefined> {
    const { clock, log } = this.#parts.world;
    if (observe === undefined) return undefined;
    try {
      const limit = { ms: observeMsMax, where, effect: "none" } as const;
      return await withDeadline(clock, limit, signal, observe);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      log.write("debug", error.code, error.message, { where });
      return undefined;
    }
  }

  /** Sends packets out of the port if the device can; the result counts as evidence. */
  async probe(link: DesiredLink, count: number, signal: AbortSignal): Promise<void> {
    const begunAt = this.#parts.world.clock.now();
    const path = { device: link.device, port: link.port, about: linkId(link) };
    const result = await this.#sendProbe(path, this.#patienceMs(link.device), count, signal);
    if (result === undefined) return;
    this.#linkSlot(link).probe = { begunAt, at: this.#parts.world.clock.now(), ...result };
    this.roundTrips.add(path.about, linkWay(link, this.state(link.device)), result);
  }

  /** The same through a tunnel; undefined = its device sends no probes. */
  async probeTunnel(
    tunnel: DesiredTunnel,
    count: number,
    signal: AbortSignal,
  ): Promise<ProbeResult | undefined> {
    const { name, device } = tunnel;
    const path = { device, port: name, about: name };
    const result = await this.#sendProbe(path, tunnelProbeMsMax, count, signal);
    if (result !== undefined) {
      this.roundTrips.add(name, tunnelWay(tunnel, this.state(device)), result);
    }
    return result;
  }

  async #sendProbe(path: Path, ms: number, count: number, signal: AbortSignal) {
    const limit = { ms, where: path.about, effect: "none" } as const;
    return await withDeadline(this.#parts.world.clock, limit, signal, async (bounded) => {
      const device = await this.device(path.device, bounded);
      return await device.probe?.(path.port, count, bounded);
    });
  }

  /** Every address of a host name; empty = it cannot be resolved now. */
  async addresses(host: string, signal: AbortSignal): Promise<readonly string[]> {
    const { clock, dial } = this.#parts.world;
    const known = this.#names.get(host);
    if (known !== undefined && clock.now() - known.at < nameMs) return known.found;
    try {
      const limit = { ms: observeMsMax, where: host, effect: "none" } as const;
      const found = await withDeadline(clock, limit, signal, (s) => dial.resolve(host, s));
      this.#names.set(host, { found, at: clock.now() });
      return found;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return [];
    }
  }

  /** Returns the link as last observed; a state older than `staleAfter` is left out. */
  snapshot(link: DesiredLink): LinkSnapshot {
    const { health } = this.#parts.desired;
    const now = this.#parts.world.clock.now();
    const slot = this.#linkSlot(link);
    const rights = this.#parts.rights?.(link);
    return {
      link,
      state: fresh(this.#slot(link.device).state, health, now),
      peer: this.peer(link)?.state,
      probe: slot.probe,
      ...(rights === undefined ? {} : { rights }),
    };
  }

  /** Returns the newest whole reading of a link's router, unless it is too old. */
  lastWhole(link: DesiredLink): DeviceState | undefined {
    const { health } = this.#parts.desired;
    return fresh(this.#linkSlot(link).whole, health, this.#parts.world.clock.now());
  }

  /** The newest state of a device, however old; undefined = never observed. */
  state(name: string): DeviceState | undefined {
    return this.#slot(name).state;
  }

  /** The capabilities of the open session; undefined before the first contact. */
  capabilities(name: string): Capabilities | undefined {
    return this.#slot(name).device?.capabilities;
  }

  /** Why the last observation of a device failed; undefined = it succeeded. */
  failure(name: string): Failure | undefined {
    return this.#slot(name).failure;
  }

  /** The observations of a link's port, the oldest first. */
  history(link: DesiredLink): readonly MacsecPort[] {
    return this.#linkSlot(link).history;
  }

  /** The observations of a tunnel, the oldest first. */
  tunnelHistory(name: string): readonly IpsecTunnel[] {
    return this.#tunnels.get(name) ?? [];
  }

  /**
   * The newest state of a link's far end, with its time; undefined = never read, or so long ago
   * that it shows nothing of the far end of now.
   */
  peer(link: DesiredLink): PeerReading | undefined {
    const slot = this.#linkSlot(link);
    const { peer } = slot;
    const isFresh = peer !== undefined && this.#parts.world.clock.now() - peer.at <= farEndStaleMs;
    return isFresh ? this.#claimed(slot, peer) : undefined;
  }

  /** When a link's far end was last read, however long ago; undefined = never. */
  farEndAt(link: DesiredLink): Instant | undefined {
    return this.#linkSlot(link).peer?.at;
  }

  /** A write of ours to either link of the document ends what an earlier reading showed. */
  #claimed({ resource }: LinkSlot, peer: PeerReading): PeerReading {
    const { farEndWrites } = this.#parts;
    if (farEndWrites === undefined || farEndWrites.precede(resource, peer.begunAt)) return peer;
    return { ...peer, state: { ...peer.state, provisioning: "updating" } };
  }

  /** Why the last read of a far end failed; undefined = it succeeded. */
  peerFailure(link: DesiredLink): Failure | undefined {
    return this.#linkSlot(link).peerFailure;
  }

  /** Returns true if the far end was not read, nor a read tried, for this long. */
  isPeerDue(link: DesiredLink, everyMs: number): boolean {
    const { peerTriedAt } = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    return peerTriedAt === undefined || clock.now() - peerTriedAt >= everyMs;
  }

  /** Returns true if the far end has meters and they were not read for this long. */
  isTelemetryDue(link: DesiredLink, everyMs: number): boolean {
    const { telemetryTriedAt, peerPort } = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    if (peerPort.telemetry === undefined) return false;
    return telemetryTriedAt === undefined || clock.now() - telemetryTriedAt >= everyMs;
  }

  /** The newest readings of a far end's meters; undefined = never read. */
  telemetry(link: DesiredLink): TimedTelemetry | undefined {
    return this.#linkSlot(link).telemetry;
  }

  /** The gateway's last report about a tunnel; undefined = never read. */
  gateway(tunnel: string): GatewayReport | undefined {
    return this.#gateways.get(tunnel);
  }

  /** The reader and writer of a link's far end. */
  peerPort(link: DesiredLink): PeerPort {
    return this.#linkSlot(link).peerPort;
  }

  /** Ends every session; one that does not end in time is abandoned. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#devices.values()];
    await Promise.all(open.map(({ wanted, device }) => this.#end(wanted.name, device)));
    for (const slot of open) slot.device = undefined;
  }

  async #end(name: string, device: Device | undefined): Promise<void> {
    if (device === undefined) return;
    const { clock, log } = this.#parts.world;
    const limit = { ms: observeMsMax, where: name, effect: "none" } as const;
    try {
      await withDeadline(clock, limit, new AbortController().signal, () =>
        Promise.resolve(device[Symbol.asyncDispose]()),
      );
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      log.write("warn", error.code, error.message, { device: name });
    }
  }
}

function ended(where: string): LinksealError {
  const text = "the session was opened too late: its caller has ended";
  return new LinksealError("transport.unreachable", text, {
    effect: "none",
    where,
    next: "linkseal status",
  });
}

function isSameDevice(a: DesiredDevice, b: DesiredDevice): boolean {
  const login = ({ ssh, snmp }: DesiredDevice): string => JSON.stringify([ssh, snmp]);
  const sameParts = a.pathspace === b.pathspace && a.charon === b.charon && login(a) === login(b);
  return a.driver === b.driver && a.address === b.address && sameParts;
}

function failureOf(error: LinksealError, before: Failure | undefined, now: Instant): Failure {
  const since = before?.code === error.code ? before.since : now;
  return { code: error.code, text: error.message, next: error.next, since };
}

// Dropping every second observation keeps both ends of the window, and health compares only those.
function thin(history: unknown[]): void {
  for (let index = history.length - 2; index > 0; index -= 2) history.splice(index, 1);
}
