// Sessions to devices and far ends, and the last looks at each: the agent's only eyes.

import { withDeadline } from "#hal/deadline.ts";
import type { Capabilities, Device, Driver, PeerPort, PeerSight, PeerState } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, IpsecTunnel, MacsecPort } from "#hal/model.ts";
import type { Target } from "#hal/target.ts";
import { type Instant, instantAfter, type World } from "#hal/world.ts";
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
  type LinkView,
  type Observations,
  portOf,
} from "../../model/link-view.ts";

const lookMsMax = 10_000;
/** A name is asked for anew after this long. */
const nameMs = 60_000;
/** Looks kept per link: an evidence window of 90 s at the default poll, and no more. */
const historyMax = 24;

interface DeviceSlot {
  readonly wanted: DesiredDevice;
  device: Device | undefined;
  state: DeviceState | undefined;
  failure: Failure | undefined;
}

interface LinkSlot {
  readonly link: DesiredLink;
  readonly history: MacsecPort[];
  readonly peerPort: PeerPort;
  peer: { readonly state: PeerState; readonly at: Instant } | undefined;
  peerFailure: Failure | undefined;
  peerTriedAt: Instant | undefined;
  /** When the look began that `peer` is of. */
  peerSeenFrom: Instant | undefined;
  sight: Sighted | undefined;
  sightTriedAt: Instant | undefined;
  probe: LinkView["probe"];
}

/** What that side's own meters say, and when they were read. */
export interface Sighted {
  readonly sight: PeerSight;
  readonly at: Instant;
}

/** Asks the gateway's side of a tunnel for its word. */
export type GatewayLook = (signal: AbortSignal) => Promise<string>;

export interface LookoutParts {
  readonly world: World;
  readonly drivers: Readonly<Record<string, Driver>>;
  readonly peerPort: (link: DesiredLink) => PeerPort;
  readonly gateway?: (tunnel: DesiredTunnel) => GatewayLook | undefined;
  readonly desired: Desired;
  /** A device says that something of it is another than before: a look may come earlier. */
  readonly hint?: (device: string) => void;
}

export class Lookout implements Observations {
  readonly #parts: LookoutParts;
  #closed = false;
  readonly #devices = new Map<string, DeviceSlot>();
  readonly #links = new Map<string, LinkSlot>();
  readonly #tunnels = new Map<string, IpsecTunnel[]>();
  readonly #gateways = new Map<string, { readonly word: string; readonly at: Instant }>();
  readonly #names = new Map<string, { readonly found: readonly string[]; readonly at: Instant }>();

  /**
   * What an earlier lookout saw of the same devices and links is kept, so that a new intent starts
   * with evidence.
   */
  constructor(parts: LookoutParts, before: Lookout | undefined) {
    this.#parts = parts;
    for (const wanted of parts.desired.devices) {
      this.#devices.set(wanted.name, {
        wanted,
        device: undefined,
        state: undefined,
        failure: undefined,
      });
    }
    for (const group of parts.desired.groups) {
      for (const link of group.links) {
        this.#links.set(linkId(link), {
          link,
          history: [],
          peerPort: parts.peerPort(link),
          peer: undefined,
          peerFailure: undefined,
          peerTriedAt: undefined,
          peerSeenFrom: undefined,
          sight: undefined,
          sightTriedAt: undefined,
          probe: undefined,
        });
      }
    }
    if (before !== undefined) this.#inherit(before);
  }

  #inherit(before: Lookout): void {
    for (const [name, slot] of this.#devices) {
      const old = before.#devices.get(name);
      if (old === undefined || !isSameDevice(old.wanted, slot.wanted)) continue;
      slot.state = old.state;
      slot.failure = old.failure;
    }
    for (const [name, history] of before.#tunnels) this.#tunnels.set(name, [...history]);
    for (const [id, slot] of this.#links) {
      const old = before.#links.get(id);
      if (old?.link.device !== slot.link.device || old.link.port !== slot.link.port) continue;
      slot.history.push(...old.history);
      slot.peer = old.peer;
      slot.sight = old.sight;
      slot.probe = old.probe;
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

  /** The open session; opened again after any failure. */
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
    const opened = await driver.open(target, this.#parts.world, hint, signal);
    // Two loops may open at once, and one session is enough; after the end none is wanted.
    if (!this.#closed) slot.device ??= opened;
    if (slot.device !== opened) await opened[Symbol.asyncDispose]();
    if (slot.device === undefined) throw ended(name);
    return slot.device;
  }

  /** One look; a failure keeps the last state, which ages, and is told by `failure`. */
  async look(name: string, signal: AbortSignal): Promise<DeviceState | undefined> {
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
      // Two loops look at one device, and their answers may cross.
      if (slot.state !== undefined && state.at < slot.state.at) return state;
      slot.state = state;
      this.#keep(name, state);
      return state;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      slot.failure = failureOf(error, slot.failure, clock.now());
      const { device } = slot;
      slot.device = undefined;
      // It is opened anew, and what it leaves running must not pile up.
      if (device !== undefined) void this.#end(name, device);
      return undefined;
    }
  }

  #patienceMs(name: string): number {
    return this.#parts.drivers[this.#slot(name).wanted.driver]?.lookMsMax ?? lookMsMax;
  }

  #keep(name: string, state: DeviceState): void {
    const { health, tunnels } = this.#parts.desired;
    const { evidenceMs } = health;
    for (const tunnel of state.ipsec) {
      if (!tunnels.some((wanted) => wanted.name === tunnel.name)) continue;
      const history = this.#tunnels.get(tunnel.name) ?? [];
      this.#tunnels.set(tunnel.name, history);
      history.push(tunnel);
      while ((history[1]?.ike.at ?? state.at) < instantAfter(state.at, -evidenceMs))
        history.shift();
      if (history.length > historyMax) thin(history);
    }
    for (const slot of this.#links.values()) {
      if (slot.link.device !== name) continue;
      const port = portOf(state, slot.link.port);
      if (port === undefined) continue;
      const oldest = instantAfter(state.at, -evidenceMs);
      slot.history.push(port);
      // One look older than the window stays, so that the window is always spanned.
      while ((slot.history[1]?.linkUp.at ?? state.at) < oldest) slot.history.shift();
      if (slot.history.length > historyMax) thin(slot.history);
    }
  }

  async lookPeer(link: DesiredLink, signal: AbortSignal): Promise<PeerState | undefined> {
    const slot = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    const begun = clock.now();
    slot.peerTriedAt = begun;
    try {
      const state = await withDeadline(
        clock,
        { ms: lookMsMax, where: `${linkId(link)} far end`, effect: "none" },
        signal,
        (bounded) => slot.peerPort.observe(bounded),
      );
      slot.peerFailure = undefined;
      // Two loops look at one far end, and their answers may cross.
      if (slot.peerSeenFrom !== undefined && begun < slot.peerSeenFrom) return state;
      slot.peerSeenFrom = begun;
      slot.peer = { state, at: clock.now() };
      return state;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      slot.peerFailure = failureOf(error, slot.peerFailure, clock.now());
      return undefined;
    }
  }

  /** Nobody needs it: where it cannot be read, there is none. */
  async lookSight(link: DesiredLink, signal: AbortSignal): Promise<void> {
    const slot = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    slot.sightTriedAt = clock.now();
    const { peerPort } = slot;
    const look = (bounded: AbortSignal): Promise<PeerSight | undefined> =>
      peerPort.sight?.(bounded) ?? Promise.resolve(undefined);
    const sight = await this.#weak(`${linkId(link)} far end`, signal, look);
    if (sight !== undefined) slot.sight = { sight, at: clock.now() };
  }

  async lookGateway(tunnel: DesiredTunnel, signal: AbortSignal): Promise<void> {
    const { world, gateway } = this.#parts;
    const word = await this.#weak(tunnel.name, signal, gateway?.(tunnel));
    if (word !== undefined) this.#gateways.set(tunnel.name, { word, at: world.clock.now() });
  }

  async #weak<T>(
    where: string,
    signal: AbortSignal,
    look: ((signal: AbortSignal) => Promise<T>) | undefined,
  ): Promise<T | undefined> {
    const { clock, log } = this.#parts.world;
    if (look === undefined) return undefined;
    try {
      const limit = { ms: lookMsMax, where, effect: "none" } as const;
      return await withDeadline(clock, limit, signal, look);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      log.write("debug", error.code, error.message, { where });
      return undefined;
    }
  }

  /** Sends packets out of the port where the device can; its result counts as evidence. */
  async probe(link: DesiredLink, count: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.world;
    const begunAt = clock.now();
    const ms = this.#patienceMs(link.device);
    const limit = { ms, where: linkId(link), effect: "none" } as const;
    const result = await withDeadline(clock, limit, signal, async (bounded) => {
      const device = await this.device(link.device, bounded);
      return await device.probe?.(link.port, count, bounded);
    });
    if (result === undefined) return;
    this.#linkSlot(link).probe = { begunAt, at: clock.now(), ...result };
  }

  /** Every address that a name stands for; none = not to be told now. */
  async addresses(host: string, signal: AbortSignal): Promise<readonly string[]> {
    const { clock, dial } = this.#parts.world;
    const known = this.#names.get(host);
    if (known !== undefined && clock.now() - known.at < nameMs) return known.found;
    try {
      const limit = { ms: lookMsMax, where: host, effect: "none" } as const;
      const found = await withDeadline(clock, limit, signal, (s) => dial.resolve(host, s));
      this.#names.set(host, { found, at: clock.now() });
      return found;
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      return [];
    }
  }

  /** The link as last seen; a state older than `staleAfter` is not seen at all. */
  view(link: DesiredLink): LinkView {
    const { health } = this.#parts.desired;
    const now = this.#parts.world.clock.now();
    const slot = this.#linkSlot(link);
    return {
      link,
      state: fresh(this.#slot(link.device).state, health, now),
      peer: slot.peer?.state,
      probe: slot.probe,
    };
  }

  state(name: string): DeviceState | undefined {
    return this.#slot(name).state;
  }

  /** What the open session offers; undefined before the first contact. */
  capabilities(name: string): Capabilities | undefined {
    return this.#slot(name).device?.capabilities;
  }

  failure(name: string): Failure | undefined {
    return this.#slot(name).failure;
  }

  history(link: DesiredLink): readonly MacsecPort[] {
    return this.#linkSlot(link).history;
  }

  tunnelHistory(name: string): readonly IpsecTunnel[] {
    return this.#tunnels.get(name) ?? [];
  }

  peer(link: DesiredLink): { readonly state: PeerState; readonly at: Instant } | undefined {
    return this.#linkSlot(link).peer;
  }

  peerFailure(link: DesiredLink): Failure | undefined {
    return this.#linkSlot(link).peerFailure;
  }

  /** Nobody has looked at the far end, or tried to, for this long. */
  isPeerDue(link: DesiredLink, everyMs: number): boolean {
    const { peerTriedAt } = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    return peerTriedAt === undefined || clock.now() - peerTriedAt >= everyMs;
  }

  isSightDue(link: DesiredLink, everyMs: number): boolean {
    const { sightTriedAt, peerPort } = this.#linkSlot(link);
    const { clock } = this.#parts.world;
    if (peerPort.sight === undefined) return false;
    return sightTriedAt === undefined || clock.now() - sightTriedAt >= everyMs;
  }

  sight(link: DesiredLink): Sighted | undefined {
    return this.#linkSlot(link).sight;
  }

  gateway(tunnel: string): { readonly word: string; readonly at: Instant } | undefined {
    return this.#gateways.get(tunnel);
  }

  peerPort(link: DesiredLink): PeerPort {
    return this.#linkSlot(link).peerPort;
  }

  /** Ends every session; one that does not end in time is left to its device. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#devices.values()];
    await Promise.all(open.map(({ wanted, device }) => this.#end(wanted.name, device)));
    for (const slot of open) slot.device = undefined;
  }

  async #end(name: string, device: Device | undefined): Promise<void> {
    if (device === undefined) return;
    const { clock, log } = this.#parts.world;
    const limit = { ms: lookMsMax, where: name, effect: "none" } as const;
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
  const text = "the session was opened too late: whoever asked for it has ended";
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

// Dropping every second look keeps both ends of the window, which is all that health compares.
function thin(history: unknown[]): void {
  for (let index = history.length - 2; index > 0; index -= 2) history.splice(index, 1);
}
