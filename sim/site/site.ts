// A simulated site: routers, far ends, fibres and vault on one clock, built from one seed, with its
// full state readable.

import type { Device, DeviceChange, Transaction } from "#hal/device.ts";
import type { Ckn, DeviceState, PortName } from "#hal/model.ts";
import { SimClock } from "../base/clock.ts";
import { Prng } from "../base/prng.ts";
import type { EffectEvent, GroupTruth, LinkTruth, SiteTruth, TunnelTruth } from "../base/truth.ts";
import { Fibre } from "../mka/fibre.ts";
import { type EndpointQuirks, PortEndpoint } from "../mka/port-endpoint.ts";
import { Router, type RouterOptions } from "../router/router.ts";
import { openRouter } from "./device-hal.ts";
import { FarPort } from "./far-port.ts";
import { Msee } from "./msee.ts";
import type { SiteBackend } from "./protocol.ts";
import {
  configText,
  fullCapabilities,
  handMadeSettings,
  type PlannedLink,
  type PlannedTunnel,
  planSite,
  type RouterModel,
  type RoutersPerGroup,
  type SitePlan,
  tunnelSpec,
  withPortNames,
} from "./site-plan.ts";
import { type PairTraffic, Traffic, type TrafficLink } from "./traffic.ts";
import { SimVault } from "./vault.ts";

/** Everything that a site is built from. */
export interface SiteOptions {
  /** The seed of all randomness. */
  readonly seed: string;
  /** The site's name, from which other names are made. */
  readonly name: string;
  /** The number of groups; each has two links and a far end of its own. */
  readonly groups: number;
  readonly tunnels: number;
  /** The routers of each group; two if absent. */
  readonly routers?: RoutersPerGroup;
  /** `protected`: links and tunnels were set by hand long ago, and no agent has ever run. */
  readonly start: "clear" | "protected";
  /** Returns the model of each router; the best there is if absent. */
  readonly models?: (device: string) => RouterModel;
  /** Names and settings of another site; if absent, they are made from the name and the counts. */
  readonly plan?: SitePlan;
  /** The beginning of the ids of secrets; if absent, it is made from the name. */
  readonly vaultBase?: string;
  /** The Unix time at the beginning in ms; set if clients compare it with their own clock. */
  readonly wallStart?: number;
  /** Hellos and keep-alives of the routing at each end, in packets per second. */
  readonly routingPps?: number | undefined;
  /**
   * The time from the acceptance of a change at the far end until its hardware follows, in
   * milliseconds.
   */
  readonly farEndDelayMs?: { readonly low: number; readonly high: number } | undefined;
}

/** A link with all of its parts. */
export interface SiteLink extends PlannedLink, TrafficLink {
  /** The port endpoint of the edge router. */
  readonly edge: PortEndpoint;
  /** The port endpoint of the far end. */
  readonly far: PortEndpoint;
  /** The far end's hardware, for faults. */
  readonly farPort: FarPort;
  /** The management API of the far end. */
  readonly msee: Msee;
  /** The traffic of the link's group. */
  readonly traffic: Traffic;
}

interface BuiltEnds extends Required<Pick<RouterOptions, "latency" | "watch">> {
  readonly link: PlannedLink;
  readonly edge: PortEndpoint;
  readonly fibre: Fibre;
}

/** Receives all events of the site that a checker needs. */
export interface SiteObserver {
  /** The state of a link of the group may have changed. */
  changed?(group: string): void;
  /** A running configuration was changed. */
  effect?(effect: EffectEvent): void;
  /** A fault may change the state of the link from now on. */
  disturbed?(link: string): void;
  /** A fault struck or was healed. */
  fault?(text: string, link: string): void;
  /** The agent received this observation of a device. */
  observed?(state: DeviceState): void;
  /** The agent asked a device for a change, whether or not that is carried out. */
  asked?(device: string, change: DeviceChange): void;
  /** The agent sends a commit to the device; later knowledge cannot stop it any more. */
  sent?(device: string, token: string): void;
  /** The agent asks the device to revert a commit. */
  takesBack?(token: string): void;
}

/** 2026-11-24T10:00:00Z. */
const wallStart = 1_795_514_400_000;
const lineBps = 100e9;
/** The approximate time of the far end's operations until the hardware follows, in milliseconds. */
const farEndDelayMs = { low: 15_000, high: 40_000 };

/** One simulated site. */
export class Site implements SiteBackend {
  readonly seed: string;
  readonly plan: SitePlan;
  readonly clock: SimClock;
  readonly prng: Prng;
  readonly vault: SimVault;
  readonly links: readonly SiteLink[];
  readonly routers: ReadonlyMap<string, Router>;
  readonly msees: ReadonlyMap<string, Msee>;
  readonly #devices: ReadonlyMap<string, Device>;
  readonly #byGroup = new Map<string, readonly SiteLink[]>();
  readonly #observers: SiteObserver[] = [];
  /** The PSKs of gateways, by the name of the tunnel. */
  readonly #gatewayPsks = new Map<string, Uint8Array>();
  /** The vault version with the PSK, by the first tunnel that has it. */
  readonly #pskIds = new Map<string, string>();
  /** The vault version that each port uses; cleared whenever a key may have changed. */
  readonly #caks = new Map<string, LinkTruth["edgeCaks"]>();
  readonly #farEndDelayMs: { readonly low: number; readonly high: number };
  readonly #routingPps: number | undefined;
  #speed = Number.POSITIVE_INFINITY;

  constructor(options: SiteOptions) {
    this.seed = options.seed;
    this.clock = new SimClock(options.wallStart ?? wallStart);
    const models = options.models ?? (() => ({ capabilities: fullCapabilities }));
    const plan =
      options.plan ?? planSite(options.name, options.groups, options.tunnels, options.routers);
    this.plan = withPortNames(plan, models);
    this.#farEndDelayMs = options.farEndDelayMs ?? farEndDelayMs;
    this.#routingPps = options.routingPps;
    this.prng = new Prng(options.seed);
    const { clock } = this;
    const base = options.vaultBase ?? `https://${options.name}.vault.sim`;
    this.vault = new SimVault({ clock, prng: this.prng.fork("vault"), base });
    this.links = this.plan.groups.flatMap((group) => this.#buildGroup(group.links, models));
    this.routers = new Map(this.links.map((link) => [link.device, link.router]));
    this.msees = new Map(this.links.map((link) => [link.msee.name, link.msee]));
    this.#devices = new Map([...this.routers].map(([name, router]) => [name, this.#open(router)]));
    for (const link of this.links) this.#watch(link);
    for (const link of this.links) this.#giveKey(link, options.start);
    for (const tunnel of this.plan.tunnels) this.#giveTunnel(tunnel, options.start);
  }

  /** The names of the groups. */
  get groups(): readonly string[] {
    return [...this.#byGroup.keys()];
  }

  /** Returns a device; all clients share one management session per device. */
  device(name: string): Device | undefined {
    return this.#devices.get(name);
  }

  /** Returns the far end by the id of its port. */
  msee(port: string): Msee | undefined {
    return this.msees.get(port);
  }

  /** Returns the virtual ms per real ms. */
  speed(): number {
    return this.#speed;
  }

  /** Sets the speed that clients read; the owner of the clock keeps the pace. */
  setSpeed(speed: number): void {
    this.#speed = speed;
  }

  /** Returns a link by `group/link`. */
  link(id: string): SiteLink | undefined {
    return this.links.find((link) => link.id === id);
  }

  /** Returns the id of the link at a port. */
  linkAt(device: string, port: PortName): string | undefined {
    return this.links.find((link) => link.device === device && link.port === port)?.id;
  }

  /** Returns every secret value of the vault with its id. */
  canaries(): readonly { readonly id: string; readonly bytes: Uint8Array }[] {
    return this.vault.secretsForOracle();
  }

  /** Adds an observer. */
  attach(observer: SiteObserver): void {
    this.#observers.push(observer);
  }

  /** Calls `listener` with every change of a running configuration. */
  onEffect(listener: (effect: EffectEvent) => void): void {
    this.attach({ effect: listener });
  }

  /** Reports that a fault strikes: what follows on the link is not the agent's doing. */
  disturb(link: string): void {
    for (const observer of this.#observers) observer.disturbed?.(link);
  }

  /** Reports to observers that a fault strikes or is healed. */
  reportFault(text: string, link: string): void {
    for (const observer of this.#observers) observer.fault?.(text, link);
  }

  /** Returns the state of the whole site. */
  truth(): SiteTruth {
    const groups = this.groups.map((name) => this.groupTruth(name));
    return { at: this.clock.now(), groups, tunnels: this.tunnelTruth() };
  }

  /** Returns the state of one group. */
  groupTruth(name: string): GroupTruth {
    const links = this.#byGroup.get(name) ?? [];
    return { name, links: links.map((link) => this.#linkTruth(link)) };
  }

  /**
   * Returns the losses of an application whose frames took the best path of the group all the time.
   */
  pairTraffic(group: string): PairTraffic {
    const traffic = this.#byGroup.get(group)?.[0]?.traffic;
    if (traffic === undefined) throw new RangeError(`no group ${group}`);
    return traffic.pair();
  }

  /** Returns the state of all tunnels. */
  tunnelTruth(): readonly TunnelTruth[] {
    return this.plan.tunnels.map(({ name, device }) => {
      const router = this.routers.get(device);
      const tunnel = router?.tunnels().find(({ spec }) => spec.name === name);
      return { name, up: tunnel?.up() ?? false, clearPath: router?.clearPath(name) ?? false };
    });
  }

  /** Sets the PSK that the gateway of a tunnel accepts from the next authentication on. */
  setGatewayPsk(tunnel: string, psk: Uint8Array): void {
    const planned = this.plan.tunnels.find(({ name }) => name === tunnel);
    if (planned === undefined) throw new RangeError(`no tunnel ${tunnel}`);
    this.#gatewayPsks.set(tunnel, psk);
    this.routers.get(planned.device)?.setGatewayPsk(planned.remoteAddress, psk);
  }

  /** Returns the PSK that the gateway of a tunnel accepts; undefined if it has none. */
  gatewayPsk(tunnel: string): Uint8Array | undefined {
    return this.#gatewayPsks.get(tunnel);
  }

  /** Returns the site's config as YAML; `address` is where the site answers. */
  config(address: string): string {
    return configText(this.plan, address);
  }

  #buildGroup(
    planned: readonly PlannedLink[],
    models: (device: string) => RouterModel,
  ): readonly SiteLink[] {
    const ends = planned.map((link) => ({ link, ...this.#buildEnds(link, models(link.device)) }));
    const routers = new Map<string, Router>();
    for (const { link } of ends) {
      if (routers.has(link.device)) continue;
      const own = ends.filter((each) => each.link.device === link.device);
      routers.set(link.device, this.#buildRouter(own, models(link.device)));
    }
    const parts = ends.map(({ link, edge, far, farPort, fibre }) => {
      const router = routers.get(link.device);
      if (router === undefined) throw new RangeError(`no router ${link.device}`);
      return { ...link, edge, far, farPort, fibre, router };
    });
    const [first, second] = parts;
    if (first === undefined || second === undefined) throw new RangeError("a group has two links");
    const group = this.plan.groups.find(({ name }) => name === first.group);
    const msee = new Msee({
      clock: this.clock,
      prng: this.prng.fork(`msee ${first.group}`),
      vault: this.vault,
      name: group?.expressRoutePort ?? first.group,
      links: { link1: first.farPort, link2: second.farPort },
      delayMs: this.#farEndDelayMs,
    });
    const traffic = new Traffic({ links: parts, routingPps: this.#routingPps });
    const links = parts.map((part) => Object.assign(part, { msee, traffic }));
    this.#byGroup.set(first.group, links);
    return links;
  }

  #buildEnds(link: PlannedLink, { capabilities, commitMs }: RouterModel) {
    const { clock } = this;
    const edge = this.#endpoint(`${link.device} ${link.port}`, {
      perPortCounters: capabilities.macsec?.counters === "perPort",
    });
    const far = this.#endpoint(`${link.group} ${link.azureLink}`);
    const prng = this.prng.fork(`link ${link.id}`);
    const farPort = new FarPort(far, prng.fork("far port"), () => this.#changed(link));
    const fibre = new Fibre({ clock, a: edge, b: far, delayMs: prng.between(1, 8) });
    const latency = {
      observeMs: prng.between(80, 300),
      prepareMs: prng.between(200, 800),
      commitMs: prng.between(500, 2_500),
    };
    const watch = { offsetMs: prng.between(-800, 800), ppm: prng.between(-20, 20) };
    const paces = { ...latency, ...(commitMs === undefined ? {} : { commitMs }) };
    return { edge, far, farPort, fibre, latency: paces, watch };
  }

  /** Builds a router with the latencies and the clock error that were drawn with its first link. */
  #buildRouter(ends: readonly BuiltEnds[], { capabilities }: RouterModel): Router {
    const [first] = ends;
    if (first === undefined) throw new RangeError("a router has a link");
    const name = first.link.device;
    return new Router({
      name,
      clock: this.clock,
      prng: this.prng.fork(`router ${name}`),
      capabilities,
      ports: ends.map(({ link, edge, fibre }) => ({ name: link.port, endpoint: edge, fibre })),
      latency: first.latency,
      watch: first.watch,
    });
  }

  #endpoint(name: string, quirks: EndpointQuirks = {}): PortEndpoint {
    const prng = this.prng.fork(`station ${name}`);
    const mac = `02${prng.hex(5)}`;
    return new PortEndpoint({ name, clock: this.clock, prng, mac, lineBps, quirks });
  }

  #open(router: Router): Device {
    const device = openRouter(router);
    const reported = (transaction: Transaction): Transaction => ({
      ...transaction,
      apply: (within, signal) => {
        for (const observer of this.#observers) observer.sent?.(router.name, transaction.token);
        return transaction.apply(within, signal);
      },
      rollback: (signal) => {
        for (const observer of this.#observers) observer.takesBack?.(transaction.token);
        return transaction.rollback(signal);
      },
    });
    return {
      ...device,
      observe: async (signal) => {
        const state = await device.observe(signal);
        for (const observer of this.#observers) observer.observed?.(state);
        return state;
      },
      prepare: async (change, keys, signal) => {
        for (const observer of this.#observers) observer.asked?.(router.name, change);
        return reported(await device.prepare(change, keys, signal));
      },
      recall: async (token, signal) => {
        const recalled = await device.recall(token, signal);
        if (recalled.kind !== "pending") return recalled;
        return { kind: "pending", transaction: reported(recalled.transaction) };
      },
    };
  }

  #watch(link: SiteLink): void {
    const { router, fibre, msee } = link;
    // An effect on the whole router is reported once.
    const isFirst = this.links.find((each) => each.router === router) === link;
    fibre.onChange(() => this.#changed(link));
    router.onRouting(() => this.#changed(link));
    router.onEffect((effect) => {
      if (effect.port === link.port) this.#effect(link, effect);
      else if (effect.port === undefined && isFirst) this.#notify(effect);
    });
    msee.onEffect((effect) => {
      if (effect.port === link.azureLink) this.#effect(link, effect);
    });
  }

  #effect(link: PlannedLink, effect: EffectEvent): void {
    this.#changed(link);
    this.#notify({ ...effect, link: link.id, port: link.port });
  }

  #notify(effect: EffectEvent): void {
    for (const observer of this.#observers) observer.effect?.(effect);
  }

  #changed(link: PlannedLink): void {
    this.#caks.delete(link.id);
    for (const observer of this.#observers) observer.changed?.(link.group);
  }

  #giveKey(link: SiteLink, start: SiteOptions["start"]): void {
    const settings = link.settings ?? handMadeSettings;
    const { suite } = settings;
    const key = this.vault.generatePair(link.key, suite);
    if (start === "clear") return;
    const sci = settings.includeSci ? "on" : "off";
    link.msee.preset(link.azureLink, { key, suite, sci, admin: "up" });
    const cak = Uint8Array.from(Buffer.from(this.vault.valueForFarEnd(key.cakSecretId), "hex"));
    link.router.manualEdit((config) => {
      const port = config.ports.get(link.port);
      if (port === undefined) throw new RangeError(`no port ${link.port}`);
      port.macsec = settings;
      port.keys = [{ ckn: key.ckn, cak, role: "primary" }];
    });
  }

  #giveTunnel(tunnel: PlannedTunnel, start: SiteOptions["start"]): void {
    const router = this.routers.get(tunnel.device);
    // Tunnels with one secret are of one connection, and have one key.
    const sharers = this.plan.tunnels.filter((each) => each.pskSecret === tunnel.pskSecret);
    const first = sharers[0] ?? tunnel;
    const psk = this.prng.fork(`psk ${first.name}`).hex(24);
    const id = this.#pskIds.get(first.name) ?? this.vault.put(tunnel.pskSecret, psk);
    this.#pskIds.set(first.name, id);
    this.setGatewayPsk(tunnel.name, new TextEncoder().encode(psk));
    if (start === "clear") return;
    router?.manualEdit((config) => {
      const spec = tunnelSpec(tunnel, id);
      config.tunnels.set(tunnel.name, { spec, psk: new TextEncoder().encode(psk) });
    });
  }

  #linkTruth(link: SiteLink): LinkTruth {
    const { edge, far, fibre, router, port } = link;
    const { a2b, b2a } = fibre.truth();
    const session = edge.session();
    const edgeKeys = edge.keys().map(({ ckn }) => ckn);
    const farKey = far.keys()[0]?.ckn;
    return {
      id: link.id,
      device: link.device,
      port,
      fibreUp: fibre.up(),
      admin: router.configured(port)?.admin ?? "down",
      linkUp: edge.linkUp(),
      carries: fibre.carries(),
      bgpUp: router.bgpUp(port),
      drained: router.drained(port),
      policy: edge.settings()?.policy,
      edgeKeys,
      farKey,
      edgeCaks: this.#caksOf(link, edgeKeys),
      commitPending: router.commits.pending(),
      commitArmed: router.commits.armed(),
      revertTakes: router.commits.revertTakes(port),
      secured: session.controlledPort === "secured" && far.session().controlledPort === "secured",
      principalCkn: session.principalCkn,
      clearFrames: a2b.clearOnWire + b2a.clearOnWire,
      readableFrames: a2b.readableOnWire + b2a.readableOnWire,
      protectedFrames: a2b.protectedOnWire + b2a.protectedOnWire,
      transmitting: [...transmittingAt("edge", edge), ...transmittingAt("far", far)],
      lostFrames: a2b.lost + b2a.lost,
      deliveredOut: a2b.delivered,
      deliveredIn: b2a.delivered,
      session,
      offered: link.traffic.isOffered(link),
    };
  }

  #caksOf(link: SiteLink, edgeKeys: readonly Ckn[]): LinkTruth["edgeCaks"] {
    const cached = this.#caks.get(link.id);
    if (cached !== undefined) return cached;
    const all = edgeKeys.length === 0 ? [] : this.canaries();
    const versions = all.filter(({ id }) => !this.vault.misserved.has(id));
    const caks = edgeKeys.map(
      (ckn) => versions.find(({ bytes }) => link.edge.holdsCak(ckn, bytes))?.id,
    );
    this.#caks.set(link.id, caks);
    return caks;
  }
}

/** Builds the site at time 0; BGP needs a few seconds, and hand-made MKA sessions as well. */
export function buildSite(options: SiteOptions): Site {
  return new Site(options);
}

// A fault gives new SAs the key of former ones; then the hardware repeats numbers, not MKA.
function transmittingAt(end: "edge" | "far", { secy }: PortEndpoint): LinkTruth["transmitting"] {
  const sa = secy.staleKeys || secy.staleAn ? undefined : secy.encodingSa();
  return sa === undefined ? [] : [{ end, keyId: sa.key.keyId, nextPn: sa.nextPn }];
}
