// One edge router: configuration, MACsec ports, BGP, tunnels and the observations of them.

import type { Capabilities, DeviceChange } from "#hal/device.ts";
import { type Ckn, type DeviceState, known, type PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import type { Cancel, SimClock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { EffectEvent, Who } from "../base/truth.ts";
import type { Fibre } from "../mka/fibre.ts";
import type { EndpointKey, PortEndpoint } from "../mka/port-endpoint.ts";
import { BgpPeering } from "./router-bgp.ts";
import { CommitEngine, type Session } from "./router-commit.ts";
import {
  cloneConfig,
  type Difference,
  diffConfig,
  type Effect,
  effectOf,
  type MutableConfig,
  type PortConfig,
} from "./router-config.ts";
import { type LateSpan, outerLossOf, type RouterFault } from "./router-faults.ts";
import {
  type ObservedPort,
  type PortCounters,
  readCounters,
  readPort,
  readRouting,
  unparsedState,
} from "./router-observation.ts";
import { inHardwareOrder, pushKey, settlePrimary } from "./router-push.ts";
import { SimTunnel } from "./tunnel.ts";

/** Everything that a router is built from. */
export interface RouterOptions {
  /** The router's name. */
  readonly name: string;
  /** The clock of the site. */
  readonly clock: SimClock;
  /** The seeded randomness of tokens and timers. */
  readonly prng: Prng;
  /** The capabilities of the platform. */
  readonly capabilities: Capabilities;
  /** The MACsec ports. */
  readonly ports: readonly RouterPort[];
  /** The time that each kind of call takes, in milliseconds. */
  readonly latency: {
    readonly observeMs: number;
    readonly prepareMs: number;
    readonly commitMs: number;
  };
  /** The difference of this router's own wall clock to the site's. */
  readonly watch?: { readonly offsetMs: number; readonly ppm: number };
}

/** One MACsec port with its fibre. */
export interface RouterPort {
  /** The port's name in the configuration. */
  readonly name: PortName;
  /** The MACsec and MKA state of the port. */
  readonly endpoint: PortEndpoint;
  /** The fibre that is plugged into the port. */
  readonly fibre: Fibre;
}

interface Port extends RouterPort, ObservedPort {
  /** Set once the drain of the running configuration has taken effect; cleared likewise. */
  drained: boolean;
  settling: Cancel | undefined;
  yields: boolean;
  frozen: PortCounters | undefined;
}

type Kind = DeviceChange[number]["kind"];
/** The change operations that ask a router to take something new. */
const bringing = new Set<Kind>(["macsec.addKey", "macsec.replaceKey", "macsec.protect"]);
const bootMs = 90_000;
const settleMsDefault = 3_000;
/** The largest lag of a router's standby supervisor, in milliseconds. */
const behindMsMax = 45_000;
const commitsKept = 3;

/** One simulated edge router. */
export class Router {
  readonly name: string;
  readonly options: RouterOptions;
  readonly commits: CommitEngine;
  /** The delay of a final change after its request, under the fault `finalsLate`. */
  lateFinalMs: LateSpan = { low: 20_000, high: 420_000 };
  /** The routes to addresses outside the links; an address that is not here goes out of `mgmt0`. */
  readonly managementRoutes = new Map<string, PortName | undefined>();
  /** The configuration that a boot starts from; absent = the one in force. */
  bootsFrom: (() => MutableConfig) | undefined;
  readonly #ports = new Map<PortName, Port>();
  readonly #tunnels = new Map<string, SimTunnel>();
  readonly #gatewayPsks = new Map<string, Uint8Array>();
  readonly #learned = new Set<string>();
  readonly #announced = new Set<string>();
  readonly #faults = new Set<RouterFault>();
  readonly #effectListeners: ((effect: EffectEvent) => void)[] = [];
  readonly #routingListeners: (() => void)[] = [];
  #wallStart: number;
  #running: MutableConfig;
  /**
   * The configurations before the newest commits of the agent, the newest last, with the end of
   * each.
   */
  #earlier: readonly { readonly config: MutableConfig; readonly until: number }[] = [];
  #boot = 1;
  #revision = 1;
  #booting = false;
  #tunnelPath: () => boolean;

  constructor(options: RouterOptions) {
    this.name = options.name;
    this.options = options;
    const { clock } = options;
    this.#wallStart = clock.wall() - clock.now() + (options.watch?.offsetMs ?? 0);
    this.#tunnelPath = () =>
      this.#ports.values().some((port) => port.bgp.up() && port.fibre.carries());
    this.#running = { ports: new Map(), tunnels: new Map() };
    for (const [index, port] of options.ports.entries()) this.#addPort(port, index);
    this.commits = new CommitEngine({
      device: this.name,
      clock,
      prng: options.prng.fork("commits"),
      capabilities: options.capabilities,
      running: () => this.#running,
      principal: (port) => this.principal(port),
      install: (next, by, effects, operations) => this.#install(next, by, effects, operations),
      locked: () => this.hasFault("locked"),
      foreignCommit: () => this.hasFault("foreignCommit"),
      refusal: (change) => this.#refusal(change),
      commitFlaw: () => {
        if (this.hasFault("errorWithSuccess")) return "errorWithSuccess";
        return this.hasFault("silentRevert") ? "silentRevert" : undefined;
      },
    });
  }

  /** Returns an observation as the device reports it; a fault may blind or freeze parts of it. */
  state(): DeviceState {
    const at = this.options.clock.now();
    const { capabilities } = this.options;
    const ports = [...this.#ports.values()];
    const macsecPorts = capabilities.macsec === undefined ? [] : ports;
    const tunnels = capabilities.ipsec === undefined ? [] : this.tunnels();
    if (this.hasFault("unparsed")) {
      const portNames = macsecPorts.map(({ name }) => name);
      return unparsedState(
        this.name,
        portNames,
        tunnels.map(({ spec }) => spec.name),
        at,
      );
    }
    const control = {
      wall: this.wall(),
      bootId: `${this.name}-boot-${this.#boot}`,
      configId: String(this.#revision),
      commitPending: this.commits.pending(),
    };
    return {
      device: this.name,
      at,
      control: known(control, at),
      macsec: macsecPorts.map((port) => readPort(port, this.#running, capabilities, at)),
      ipsec: tunnels.map((tunnel) => tunnel.read()),
      routing: known(
        readRouting(ports, this.tunnels(), this.#running, {
          learned: this.#learned,
          announced: this.#announced,
        }),
        at,
      ),
    };
  }

  /** Returns the router's own wall clock, which drifts. */
  wall(): WallTime {
    const now = this.options.clock.now();
    const pace = 1 + (this.options.watch?.ppm ?? 0) / 1e6;
    return Math.round(this.#wallStart + now * pace) as WallTime;
  }

  /** Sets the router's own wall clock right, as an operator or its time server does. */
  setWall(): void {
    this.#wallStart += this.options.clock.wall() - this.wall();
  }

  /** Returns the CKN of the principal actor; undefined if there is none or the port is unknown. */
  principal(port: PortName): Ckn | undefined {
    return this.#ports.get(port)?.endpoint.session().principalCkn;
  }

  /** Returns a port; undefined if the router has none of that name. */
  port(name: PortName): RouterPort | undefined {
    return this.#ports.get(name);
  }

  /** True if the BGP session over the port is established. */
  bgpUp(port: PortName): boolean {
    return this.#ports.get(port)?.bgp.up() ?? false;
  }

  /** Returns BFD of the BGP session over the port, whether that is established or not. */
  bfdOf(port: PortName): "up" | "off" {
    return this.#ports.get(port)?.bgp.bfd ?? "off";
  }

  /** Configures BFD for the BGP session over the port, or removes it. */
  setBfd(port: PortName, bfd: "up" | "off"): void {
    const found = this.#ports.get(port);
    if (found !== undefined) found.bgp.bfd = bfd;
  }

  /** Returns the port in the running configuration, for reading. */
  configured(port: PortName): Readonly<PortConfig> | undefined {
    return this.#running.ports.get(port);
  }

  /** The running configuration itself; every change replaces it by a new object. */
  get running(): MutableConfig {
    return this.#running;
  }

  /** True if the running configuration asks for a drain, whether or not it has settled. */
  drained(port: PortName): boolean {
    return this.#running.ports.get(port)?.drain !== undefined;
  }

  /** True once traffic has followed the drain. */
  drainSettled(port: PortName): boolean {
    return this.#ports.get(port)?.drained ?? false;
  }

  /** Returns the tunnels that the router runs. */
  tunnels(): readonly SimTunnel[] {
    return [...this.#tunnels.values()];
  }

  /** True if a prefix of the tunnel is also learned or advertised over a port in the clear. */
  clearPath(tunnel: string): boolean {
    const spec = this.#running.tunnels.get(tunnel)?.spec;
    if (spec === undefined) return false;
    return (
      spec.remotePrefixes.some((prefix) => this.#learned.has(prefix)) ||
      spec.localPrefixes.some((prefix) => this.#announced.has(prefix))
    );
  }

  /** Opens a management session. */
  openSession(): Session {
    return { device: this.name };
  }

  /** Ends every management session. */
  disconnectSessions(): void {
    this.commits.closeAllSessions();
  }

  /** Changes the running configuration as a manual operator does; nothing is refused. */
  manualEdit(change: (config: MutableConfig) => void): void {
    const next = cloneConfig(this.#running);
    change(next);
    this.#install(next, "person", diffConfig(this.#running, next).map(effectOf), []);
  }

  /** Reboots: links are down and nothing answers for 90 s; then the saved configuration runs. */
  reboot(): void {
    this.commits.reboot();
    this.#boot += 1;
    this.#booting = true;
    this.#install(this.bootsFrom?.() ?? this.#running, "device", [], []);
    for (const port of this.#ports.values()) port.endpoint.setAdmin(false);
    for (const tunnel of this.#tunnels.values()) tunnel.close();
    this.#tunnels.clear();
    this.#emit("device", [{ what: "reboot", port: undefined }]);
    const boot = this.#boot;
    // A router that reboots during its boot comes up once.
    this.options.clock.after(bootMs, () => {
      if (boot === this.#boot) this.#endBoot();
    });
  }

  /** Switches to the standby supervisor, which lacks up to `behind` of the newest commits. */
  takeOver(behind: number): void {
    const since = this.options.clock.now() - behindMsMax;
    const lost = this.#earlier.filter(({ until }) => until >= since).slice(-behind);
    const next = lost[0]?.config;
    if (next === undefined) return;
    this.commits.forget();
    const effects = diffConfig(this.#running, next).map(effectOf);
    this.#install(
      next,
      "device",
      effects.map((effect): Effect => ({ ...effect, what: "takeover" })),
      [],
    );
    this.#earlier = [];
  }

  /** True if the router's management answers. */
  reachable(): boolean {
    return !this.#booting && !this.hasFault("unreachable");
  }

  /** Sets or clears a fault. */
  setFault(fault: RouterFault, on: boolean): void {
    if (on) this.#faults.add(fault);
    else this.#faults.delete(fault);
    if (fault.startsWith("outer")) this.pathChanged();
    if (fault !== "frozenCounters") return;
    const { capabilities, clock } = this.options;
    for (const port of this.#ports.values()) {
      port.frozen = on ? readCounters(port.endpoint, capabilities, clock.now()) : undefined;
    }
  }

  /** True if the fault is set. */
  hasFault(fault: RouterFault): boolean {
    return this.#faults.has(fault);
  }

  /** Calls `listener` with every effect on the running configuration. */
  onEffect(listener: (effect: EffectEvent) => void): void {
    this.#effectListeners.push(listener);
  }

  /** Calls `listener` when BGP, a drain or the ability of a link to carry changed. */
  onRouting(listener: () => void): void {
    this.#routingListeners.push(listener);
  }

  /** Sets whether the best paths leave by the sibling on another router instead of by this port. */
  setYields(port: PortName, yields: boolean): void {
    const found = this.#ports.get(port);
    if (found !== undefined) found.yields = yields;
  }

  /** Sets the path of the tunnels' packets; by default any port of this router that carries. */
  setTunnelPath(path: () => boolean): void {
    this.#tunnelPath = path;
    this.pathChanged();
  }

  /** Makes every tunnel check its path again. */
  pathChanged(): void {
    for (const tunnel of this.#tunnels.values()) tunnel.pathChanged();
  }

  /** Sets the PSK of a gateway; a gateway without one accepts any. */
  setGatewayPsk(address: string, psk: Uint8Array): void {
    this.#gatewayPsks.set(address, psk);
  }

  /** Advertises the prefix to the far end over BGP on every port, or withdraws it. */
  advertiseOwn(prefix: string, kind: "announce" | "withdraw"): void {
    if (kind === "announce") this.#announced.add(prefix);
    else this.#announced.delete(prefix);
  }

  /** Makes the far end advertise the prefix over BGP on every port, or withdraw it. */
  advertise(prefix: string, kind: "announce" | "withdraw"): void {
    if (kind === "announce") this.#learned.add(prefix);
    else this.#learned.delete(prefix);
  }

  #addPort(port: RouterPort, index: number): void {
    const { clock } = this.options;
    const changed = (): void => this.#routingChanged();
    const bgp = new BgpPeering({ clock, endpoint: port.endpoint, fibre: port.fibre, changed });
    const runtime = { drained: false, settling: undefined, yields: false, frozen: undefined };
    const peer = `169.254.${index}.2`;
    this.#ports.set(port.name, { ...port, peer, bgp, ...runtime });
    const admin = port.endpoint.adminUp() ? "up" : "down";
    const keys: EndpointKey[] = [];
    this.#running.ports.set(port.name, { admin, macsec: undefined, keys, drain: undefined });
    port.fibre.onChange(() => {
      bgp.check();
      this.#routingChanged();
    });
  }

  #install(
    next: MutableConfig,
    by: Who,
    effects: readonly Effect[],
    operations: DeviceChange,
  ): void {
    const differences = diffConfig(this.#running, next);
    const until = this.options.clock.now();
    const before = { config: this.#running, until };
    if (by === "agent") this.#earlier = [...this.#earlier, before].slice(-commitsKept);
    this.#running = next;
    if (differences.length > 0) this.#revision += 1;
    for (const difference of inHardwareOrder(differences)) this.#push(difference);
    for (const difference of differences) {
      if (difference.kind === "key") this.#settlePrimary(difference.port);
    }
    for (const operation of operations) this.#operate(operation);
    this.#emit(by, effects);
  }

  #push(difference: Difference): void {
    if (difference.kind === "tunnel") {
      this.#pushTunnel(difference.name);
      return;
    }
    const port = this.#ports.get(difference.port);
    if (port === undefined) return;
    switch (difference.kind) {
      case "settings":
        port.endpoint.configure(difference.after);
        return;
      case "key":
        pushKey(port.endpoint, difference);
        return;
      case "admin":
        if (!this.#booting) port.endpoint.setAdmin(difference.after === "up");
        return;
      case "drain":
        port.settling?.();
        port.settling = this.options.clock.after(this.#settleMs(), () => {
          port.settling = undefined;
          port.drained = this.drained(port.name);
          this.#routingChanged();
        });
        port.bgp.setShutDown(difference.after === "peeringShutdown");
    }
  }

  #settlePrimary(name: PortName): void {
    const endpoint = this.#ports.get(name)?.endpoint;
    const keys = this.#running.ports.get(name)?.keys;
    if (endpoint !== undefined && keys !== undefined) settlePrimary(endpoint, keys);
  }

  #pushTunnel(name: string): void {
    const config = this.#running.tunnels.get(name);
    const tunnel = this.#tunnels.get(name);
    if (config === undefined) {
      tunnel?.close();
      this.#tunnels.delete(name);
    } else if (tunnel !== undefined) tunnel.change(config);
    else if (!this.#booting) {
      const { clock, prng, capabilities } = this.options;
      const isBeside = capabilities.ipsec?.rekeys.includes("reauthenticate") === true;
      const made = new SimTunnel({
        clock,
        prng: prng.fork(`tunnel-${name}-${this.#boot}-${this.#revision}`),
        config,
        renews: isBeside ? "beside" : "inPlace",
        gatewayPsk: () => this.#gatewayPsks.get(made.spec.remoteAddress),
        carries: () => this.#tunnelPath(),
        outerLoss: (spec) => outerLossOf(spec, this.#faults),
      });
      this.#tunnels.set(name, made);
    }
  }

  #operate(part: DeviceChange[number]): void {
    if (part.kind === "macsec.rekeySak") this.#ports.get(part.port)?.endpoint.rekeySak();
    if (part.kind === "ipsec.rekey") this.#tunnels.get(part.name)?.rekey(part.what);
  }

  #endBoot(): void {
    this.#booting = false;
    for (const port of this.#ports.values()) {
      port.endpoint.reboot(true);
      port.endpoint.setAdmin(this.#running.ports.get(port.name)?.admin === "up");
    }
    for (const name of this.#running.tunnels.keys()) this.#pushTunnel(name);
  }

  #refusal(change: DeviceChange): string | undefined {
    const takes = change.some(({ kind }) => bringing.has(kind));
    if (takes && this.hasFault("refusesKeys")) return "its table of keys is full";
    const drops = change.some(({ kind }) => kind === "macsec.removeKey");
    return drops && this.hasFault("keepsKeys") ? "the key is held by a process" : undefined;
  }

  #settleMs(): number {
    return this.options.capabilities.drain?.settleMs ?? settleMsDefault;
  }

  #routingChanged(): void {
    for (const listener of this.#routingListeners) listener();
    this.pathChanged();
  }

  #emit(by: Who, effects: readonly Effect[]): void {
    const at = this.options.clock.now();
    for (const effect of effects) {
      const event: EffectEvent = { at, by, place: this.name, link: undefined, ...effect };
      for (const listener of this.#effectListeners) listener(event);
    }
  }
}
