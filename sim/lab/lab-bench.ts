// Runs the conformance cases on a lab router. A second session to the router replaces the
// simulator's knowledge, and cases that need a far end, traffic or manual work on the hardware are
// left out by name.

import type { Device, Driver, KeyResolver, Transaction } from "#hal/device.ts";
import {
  type DeviceState,
  type KeyRef,
  type PortName,
  parseCkn,
  type Reading,
  strongValue,
} from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { Target } from "#hal/target.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";
import type { World } from "#hal/world.ts";
import type { DeviceBench, DeviceTruth, PortTruth } from "../conformance/bench.ts";
import { deviceCases, runDeviceCase, Untried, type Verdict } from "../conformance/suite.ts";

export interface LabOptions {
  readonly driver: Driver;
  readonly target: Target;
  readonly world: World;
  /** Ports of the lab alone: the cases write to both. */
  readonly ports: readonly [PortName, PortName];
  /** Addresses of a tunnel that the cases may set up; absent = they set up none. */
  readonly tunnel?: LabTunnel;
  /** Called after each case. */
  readonly report: (name: string, verdict: Verdict) => void;
}

export interface LabTunnel {
  /** The router's own address. */
  readonly local: string;
  /** An address at which no gateway needs to answer. */
  readonly remote: string;
}

const never = new AbortController().signal;
const vault = "https://lab.invalid/secrets";
const pskId = `${vault}/psk`;
const pskOctets = 24;

/**
 * Waits while a case's own revert is pending, in milliseconds each; together twice the longest
 * revert.
 */
const pendingMs = 10_000;
const pendingWaits = 120;

/** A key server priority that no case uses. */
const priorityApart = 99;

/** Cases whose result only traffic, or an operator who knows the network, can decide. */
const outsiders = /^(drain|routing|probe|counters|route):/;

/** Prefixes for labs (RFC 2544, RFC 5180), which are routed nowhere else. */
const prefixes = {
  v4: { local: "198.18.0.0/16", remote: "198.19.0.0/16" },
  v6: { local: "2001:2::/49", remote: "2001:2:0:8000::/49" },
} as const;

function tunnelOf({ local, remote }: LabTunnel): TunnelSpec {
  const apart = prefixes[local.includes(":") ? "v6" : "v4"];
  return {
    name: "linkseal-lab",
    localAddress: local,
    remoteAddress: remote,
    localPrefixes: [apart.local],
    remotePrefixes: [apart.remote],
    // Every platform with tunnels supports this proposal.
    ike: { encryption: "aes-256-cbc", integrity: "sha384", prf: "sha384", dhGroup: "ecp-384" },
    transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
    life: { seconds: 3600, kilobytes: 102_400_000 },
    mtu: 1400,
    ifId: 1,
    auth: { kind: "psk", secretId: pskId },
  };
}

export async function checkDriver(options: LabOptions): Promise<ReadonlyMap<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  for (const one of deviceCases) {
    const lab = new LabBench(options);
    const verdict: Verdict = outsiders.test(one.name)
      ? { kind: "untried", lacks: "traffic" }
      : await lab.run(one);
    verdicts.set(one.name, verdict);
    options.report(one.name, verdict);
  }
  return verdicts;
}

class LabBench {
  readonly #options: LabOptions;
  readonly #caks = new Map<string, Uint8Array>();
  readonly #output: string[] = [];
  readonly #configs: string[] = [];
  readonly #opened: Device[] = [];
  #exchanges = 0;
  #isKeyed = false;
  #state: DeviceState | undefined;
  /**
   * A second session beside the driver under test, so that the cases neither count nor trust the
   * driver's own observations.
   */
  #secondSession: Device | undefined;

  constructor(options: LabOptions) {
    this.#options = options;
  }

  async run(one: (typeof deviceCases)[number]): Promise<Verdict> {
    const { driver, target, world, tunnel } = this.#options;
    try {
      this.#secondSession = await driver.open(target, world, () => undefined, never);
      await this.#see();
      for (let wait = 0; wait < pendingWaits && this.#truth().pending; wait += 1) {
        await world.clock.sleep(pendingMs);
        await this.#see();
      }
      if (one.name.startsWith("tunnel:") && this.#secondSession.capabilities.ipsec && !tunnel) {
        throw new Untried("addresses of a tunnel");
      }
      await this.#setApart();
      return await runDeviceCase(one, await this.#bench());
    } catch (error) {
      if (error instanceof Untried) return { kind: "untried", lacks: error.lacks };
      throw error;
    } finally {
      for (const device of this.#opened) await device[Symbol.asyncDispose]();
      await this.#secondSession?.[Symbol.asyncDispose]();
      for (const octets of this.#caks.values()) octets.fill(0);
    }
  }

  /** Removes the tunnel of earlier cases, the only thing that a case must not find there. */
  async #unsetTunnel(): Promise<void> {
    const { name } = this.#tunnel;
    if (this.#state?.ipsec.some((one) => one.name === name) !== true) return;
    const change = [{ kind: "ipsec.removeTunnel", name }] as const;
    const transaction = await this.#secondSession?.prepare(change, this.#keys, never);
    await transaction?.apply("final", never);
    await this.#see();
  }

  get #tunnel(): TunnelSpec {
    return tunnelOf(this.#options.tunnel ?? { local: "192.0.2.1", remote: "192.0.2.2" });
  }

  /**
   * Changes what the case before has left: if it were what this case wants, nothing would change.
   */
  async #setApart(): Promise<void> {
    await this.#unsetTunnel();
    const [port] = this.#options.ports;
    const { settings, admin } = this.#port(port);
    this.#isKeyed = this.#port(port).keys.length > 0;
    const open = admin === "up" ? [] : [{ kind: "port.open", port } as const];
    const apart =
      settings === undefined
        ? []
        : [
            {
              kind: "macsec.protect",
              port,
              settings: { ...settings, keyServerPriority: priorityApart },
            } as const,
          ];
    const change = [...open, ...apart];
    if (change.length === 0) return;
    const transaction = await this.#secondSession?.prepare(change, this.#keys, never);
    await transaction?.apply("final", never);
    await this.#see();
  }

  async #see(): Promise<void> {
    const state = await this.#secondSession?.observe(never);
    if (state === undefined) return;
    this.#state = state;
    const id = strongValue(state.control)?.configId ?? "";
    if (this.#configs.at(-1) !== id) this.#configs.push(id);
  }

  async #bench(): Promise<DeviceBench> {
    const { driver, ports, world } = this.#options;
    return {
      device: await this.#open(),
      offers: driver.offers,
      ports,
      ...{ tunnel: this.#tunnel, gateway: false },
      routes: { known: { address: "192.0.2.1", port: ports[0] }, unknown: "192.0.2.2" },
      troubles: new Set(),
      strike: () => undefined,
      heal: () => undefined,
      probePackets: 100,
      second: () => this.#open(),
      newKey: ({ cakOctets, cknOctets }) => this.#newKey(cakOctets, cknOctets),
      keys: this.#keys,
      canaries: () => [...this.#caks.values()].filter(({ length }) => length >= 16),
      // Which octets the router stores only a far end could find out.
      holds: (port, { ckn }) => this.#port(port).keys.some((slot) => slot.ckn === ckn),
      giveFarEnd: () => {
        throw new Untried("a far end");
      },
      say: (text) => void this.#output.push(text),
      transcript: () => this.#output,
      now: () => world.clock.now(),
      wait: async (ms) => {
        await world.clock.sleep(ms);
        await this.#see();
      },
      exchanges: () => this.#exchanges,
      truth: () => this.#truth(),
    };
  }

  async #open(): Promise<Device> {
    const { driver, target, world } = this.#options;
    const counting: World = {
      ...world,
      dial: {
        ...world.dial,
        channel: async (to, kind, signal) => {
          this.#exchanges += 1;
          const channel = await world.dial.channel(to, kind, signal);
          return {
            read: (bounded) => channel.read(bounded),
            write: async (text, bounded) => {
              this.#exchanges += 1;
              await channel.write(text, bounded);
            },
            [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
          };
        },
      },
    };
    const device = await driver.open(target, counting, () => undefined, never);
    this.#opened.push(device);
    return this.#seen(device);
  }

  /** The same device, but the second session observes the router after each of its operations. */
  #seen(device: Device): Device {
    const after = async <T>(answer: Promise<T>): Promise<T> => {
      try {
        return await answer;
      } finally {
        await this.#see();
      }
    };
    const transaction = (inner: Transaction): Transaction => ({
      ...inner,
      apply: (within, signal) => after(inner.apply(within, signal)),
      confirm: (signal) => after(inner.confirm(signal)),
      rollback: (signal) => after(inner.rollback(signal)),
    });
    return {
      ...device,
      prepare: async (change, keys, signal) =>
        transaction(await after(device.prepare(change, keys, signal))),
      recall: async (token, signal) => {
        const recalled = await device.recall(token, signal);
        if (recalled.kind !== "pending") return recalled;
        return { kind: "pending", transaction: transaction(recalled.transaction) };
      },
      [Symbol.asyncDispose]: () => after(Promise.resolve(device[Symbol.asyncDispose]())),
    };
  }

  #newKey(cakOctets: number, cknOctets: number): KeyRef {
    // A driver never removes the last key of a port, so the cases cannot share one port.
    if (this.#isKeyed) throw new Untried("a port without a key");
    const { entropy } = this.#options.world;
    const ckn = parseCkn(Buffer.from(entropy.bytes(cknOctets)).toString("hex"));
    if (ckn === undefined) throw new RangeError(`no CKN of ${cknOctets} octets`);
    const cakSecretId = `${vault}/cak/${this.#caks.size}`;
    this.#caks.set(cakSecretId, entropy.bytes(cakOctets));
    return { ckn, cakSecretId, cknSecretId: `${vault}/ckn/${this.#caks.size}` };
  }

  readonly #keys: KeyResolver = async (ref) => {
    if (ref.kind === "psk") return this.#psk(ref.secretId);
    const octets = ref.kind === "cak" ? this.#caks.get(ref.key.cakSecretId) : undefined;
    if (octets === undefined) throw new Untried("a gateway");
    return Secret.take(ref.kind, Uint8Array.from(octets));
  };

  #psk(id: string): Secret {
    if (this.#options.tunnel === undefined) throw new Untried("addresses of a tunnel");
    const { entropy } = this.#options.world;
    const text = Buffer.from(entropy.bytes(pskOctets)).toString("hex");
    const octets = this.#caks.get(id) ?? new TextEncoder().encode(text);
    this.#caks.set(id, octets);
    return Secret.take("psk", Uint8Array.from(octets));
  }

  #truth(): DeviceTruth {
    const control = this.#state === undefined ? undefined : strongValue(this.#state.control);
    return {
      ports: this.#options.ports.map((port) => this.#port(port)),
      tunnels: (this.#state?.ipsec ?? []).map(({ name, ike, sas }) => ({
        name,
        up: strongValue(ike) === "established",
        spis: (strongValue(sas) ?? [])
          .filter(({ phase }) => phase === "installed")
          .map(({ spi }) => spi),
      })),
      pending: control?.commitPending ?? false,
      effects: this.#configs.length,
    };
  }

  #port(name: PortName): PortTruth {
    const port = this.#state?.macsec.find((one) => one.port === name);
    if (port === undefined) throw new Untried(`port ${name}`);
    const value = <T>(reading: Reading<T>): T => {
      if (reading.kind === "known") return reading.value;
      throw new Untried(`a reading of ${name} (${reading.why})`);
    };
    const routing = this.#state === undefined ? undefined : strongValue(this.#state.routing);
    const session = value(port.session);
    return {
      port: name,
      keys: value(port.keys).map(({ ckn, role }) => ({ ckn, role })),
      settings: value(port.settings),
      principal: session.principalCkn,
      sak: session.latestSak?.keyId,
      admin: value(port.admin),
      linkUp: value(port.linkUp),
      drain: routing?.drains.find((one) => one.port === name)?.means,
      bgpUp: routing?.sessions.some((one) => one.port === name && one.up) ?? false,
      carries: value(port.linkUp) && session.controlledPort !== "blocked",
      offeredPps: 0,
      clearFrames: 0n,
      protectedFrames: 0n,
      lostFrames: 0n,
    };
  }
}
