// The loop of one device with a fake router that has tunnels.

import type { Leave } from "#agent/runtime/leave.ts";
import { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import { KeyedMutex } from "#agent/runtime/polling/keyed-mutex.ts";
import { Reconciler } from "#agent/runtime/reconcile.ts";
import { blockAccepted } from "#agent/runtime/tunnels/tunnel-blocks.ts";
import {
  emptyMemory,
  type JournalRecord,
  type Memory,
  remember,
} from "#agent/store/journal/memory.ts";
import type {
  Capabilities,
  Device,
  DeviceChange,
  Driver,
  RekeyWhat,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { DeviceState, IpsecTunnel } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { TunnelAuth, TunnelSpec } from "#hal/tunnel-spec.ts";
import type { KeyVault, SecretVersion } from "#hal/vault.ts";
import { SimClock } from "#sim/base/clock.ts";
import { clockWorld } from "../../kit/clock-world.ts";
import { capabilities, never, sampleState, settled, wallStart } from "../../kit/site-bench.ts";
import { clearPort, desired, desiredOf, link, stateOf, wall } from "../../kit/snapshot-kit.ts";

export const pair = desiredOf((text) =>
  text
    .replace("repair: off", "$&")
    .replace(
      "tunnels:\n",
      [
        "tunnels:",
        "  - name: hub-2",
        "    device: edge-a",
        "    local: { address: 198.51.100.2 }",
        "    remote: { address: 203.0.113.2 }",
        "    protects: { local: [10.1.0.0/16], remote: [10.101.0.0/16] }",
        "    auth: { psk: hub-2-psk }",
        "",
      ].join("\n"),
    ),
);

/** The longest delay, in milliseconds, before a tunnel is tried again after its first failure. */
export const longestFirstWaitMs = 12_500;

const backs = { group: "erd-demo", links: [link], proveMs: 300_000 };
export const backing = {
  ...desired,
  tunnels: desired.tunnels.map((tunnel) => ({ ...tunnel, insideMacsec: undefined, backs })),
};
export const backupSpec = { remotePrefixes: ["10.100.0.0/16"] } as unknown as TunnelSpec;

/** A router with tunnels only, whose commits wait for their confirmation. */
export class Scene {
  readonly clock = new SimClock(wallStart);
  readonly log: string[] = [];
  /** Events: code, what it is about, text and severity. */
  readonly events: string[] = [];
  /** Ids of the pre-shared keys that the router was given. */
  readonly secrets: string[] = [];
  memory: Memory = emptyMemory;
  running: string[] = [];
  /** The tunnels to which a pending commit would be rolled back. */
  before: string[] | undefined;
  reachable = true;
  leave: Leave = "all";
  observations = 0;
  vault: KeyVault["versions"] = async (name) => [version(name)];
  readonly reconciler: Reconciler;
  readonly #accept: () => Promise<void>;
  /** The config that was in force before. */
  earlier = desired;
  /** The value of every random octet. */
  chance = 0;
  /** The prefixes that the device blocks outside of tunnels; undefined = it has no such blocks. */
  blocked: string[] | undefined;
  readonly #change = new Map<string, DeviceChange>();

  /** A tunnel that is refused when it is applied. */
  refused: string | undefined;
  /** Returns true if that tunnel is refused. */
  refuses: (name: string) => boolean = (name) => name === this.refused;
  /** True if half of a refused change is applied, and waits for its confirmation. */
  breaks = false;
  /** What the device shows of a tunnel, beside its name. */
  shows: (name: string) => Partial<IpsecTunnel> = () => ({});
  /** What the device authenticates each tunnel with. */
  readonly inForce = new Map<string, TunnelAuth>();
  /** Calls of the process to device and journal that change something, so far. */
  calls = 0;
  /** The call before or after which the process is killed. */
  doom: { readonly call: number; readonly when: "before" | "after" } | undefined;
  /** Called for each renewal that the device carries out. */
  renews: (name: string, what: RekeyWhat) => void = () => undefined;
  /** True once the daemon has lost all tunnels. */
  forgotten = false;
  /** How long the device takes to apply a change of these tunnels, in milliseconds. */
  applyMs: (tunnels: readonly string[]) => number = () => 0;
  /** Changes that are applied now, and the most that were at the same time. */
  applying = { now: 0, most: 0 };
  /** Times of the observations. */
  readonly observedAt: number[] = [];
  /** The router's port. */
  port = clearPort();
  /** The exempt prefixes, as last written. */
  backed: DeviceState["backed"];
  readonly #capabilities: Capabilities;

  constructor(wanted = desired, offers: Capabilities = capabilities) {
    this.#capabilities = offers;
    const unused = (): Promise<never> => Promise.reject(new Error("not used"));
    const entropy = { bytes: (length: number) => new Uint8Array(length).fill(this.chance) };
    const world = clockWorld({ clock: this.clock, entropy });
    const driver: Driver = { name: "sim", offers, open: async () => this.#device() };
    const peer = { observe: async () => Promise.reject(gone()), put: async () => undefined };
    const deviceCache = new DeviceCache(
      { world, drivers: { sim: driver }, desired: wanted, peerPort: () => peer },
      undefined,
    );
    const drivers = { sim: driver };
    const memory = (): Memory => this.memory;
    const made = (name: string) => {
      const since = this.memory.tunnels[name];
      const config = since === 0 ? this.earlier : wanted;
      return since === undefined ? undefined : config.tunnels.find((one) => one.name === name);
    };
    this.#accept = () =>
      blockAccepted({ world, drivers, desired: wanted, deviceCache, memory, made }, never);
    this.reconciler = new Reconciler({
      world,
      desired: wanted,
      intent: 1,
      device: "edge-a",
      deviceCache,
      cloud: { pace: wanted.azure.cloud === "sim" ? "withRouter" : "polled" },
      vault: { versions: (name, signal) => this.vault(name, signal), read: unused },
      keys: () => async () => Secret.take("psk", new Uint8Array(8)),
      memory: () => this.memory,
      write: (record: JournalRecord) =>
        this.#call(async () => {
          this.memory = remember(this.memory, record);
        }),
      leave: () => this.leave,
      readOnly: () => false,
      made,
      inCampaign: () => this.leave !== "all",
      drains: {
        drainForChange: async ({ name }, by) => void this.log.push(`drain ${name} for ${by}`),
        undrainAfterChange: async ({ name }) => void this.log.push(`undrain ${name}`),
      },
      report: (...words) => void this.events.push(words.join(" ")),
      alone: (work) => this.#mutex.run("tunnels", work),
    });
  }

  readonly #mutex = new KeyedMutex();
  #isDead = false;

  /** Runs an effect of the process; after its death there are no more. */
  async #call(effect: () => Promise<void>): Promise<void> {
    if (this.#isDead) throw new Error("killed");
    this.calls += 1;
    const isLast = this.doom?.call === this.calls;
    if (!isLast || this.doom?.when === "after") await effect();
    if (!isLast) return;
    this.#isDead = true;
    throw new Error("killed");
  }

  /** Takes another tunnel out of service for so long, in milliseconds. */
  alone(ms: number): Promise<void> {
    return this.#mutex.run("tunnels", () => this.clock.sleep(ms, never));
  }

  async later(ms: number): Promise<this> {
    await this.clock.runFor(ms);
    return this;
  }

  /** Runs the agent's steps between storing a config and reporting it as accepted. */
  async accept(): Promise<this> {
    await settled(this.clock, this.#accept());
    return this;
  }

  /** Observes, and waits for everything that is begun after that. */
  async turn(): Promise<this> {
    await this.begin();
    await settled(this.clock, this.reconciler.rested());
    return this;
  }

  /** Observes, and waits for nothing that takes long. */
  async begin(): Promise<this> {
    await settled(this.clock, this.reconciler.observe(never));
    await settled(this.clock, this.reconciler.mend(never));
    return this;
  }

  #device(): Device {
    return {
      id: "edge-a",
      capabilities: this.#capabilities,
      observe: async () => {
        this.observations += 1;
        this.observedAt.push(this.clock.now());
        if (!this.reachable) throw gone();
        const pending = this.before !== undefined;
        const ipsec = this.running.map((name) => {
          const tunnel = { ...tunnelNamed(name), ...this.shows(name) };
          const ike = { kind: "known", value: "forgotten", at: this.clock.now() } as const;
          return this.forgotten ? { ...tunnel, ike } : tunnel;
        });
        const state = stateOf(this.port, { ipsec }, { commitPending: pending });
        const { backed, blocked: value } = this;
        const at = this.clock.now();
        return {
          ...{ ...state, at },
          ...(backed === undefined ? {} : { backed }),
          ...(value === undefined ? {} : { blocked: { kind: "known", value, at } as const }),
        };
      },
      prepare: async (change) => {
        const token = `t-${this.#change.size + 1}`;
        this.#change.set(token, change);
        const [first] = change;
        if (first?.kind === "ipsec.block") {
          this.log.push(`block ${first.blocks.map(({ prefix }) => prefix).join(" ")}`);
        } else if (first?.kind === "ipsec.removeTunnel") this.log.push(`remove ${first.name}`);
        else if (first?.kind === "ipsec.rekey") this.log.push(`${first.what} of ${first.name}`);
        else this.log.push(`prepare ${names(change).join(" ")}`);
        for (const part of change) {
          const auth = part.kind === "ipsec.putTunnel" ? part.tunnel.auth : undefined;
          if (auth?.kind === "psk") this.secrets.push(auth.secretId);
        }
        return this.#transaction(token);
      },
      recall: async (token) =>
        this.before === undefined
          ? { kind: "absent" }
          : { kind: "pending", transaction: this.#transaction(token) },
      routesTo: async () => undefined,
      async [Symbol.asyncDispose]() {},
    };
  }

  #transaction(token: string): Transaction {
    return {
      token: token as TransactionToken,
      preview: "",
      apply: (within, signal) => this.#call(() => this.#apply(token, within, signal)),
      confirm: () =>
        this.#call(async () => {
          this.log.push("confirm");
          this.before = undefined;
        }),
      rollback: () =>
        this.#call(async () => {
          this.log.push("roll back");
          this.revert();
        }),
    };
  }

  /** Undoes the commit that waits for its confirmation, as the device's own timer does. */
  revert(): void {
    this.running = this.before ?? this.running;
    this.before = undefined;
  }

  async #apply(token: string, within: number | "final", signal: AbortSignal): Promise<void> {
    const put = names(this.#change.get(token) ?? []);
    this.applying.now += 1;
    this.applying.most = Math.max(this.applying.most, this.applying.now);
    const ms = this.applyMs(put);
    if (ms > 0) await this.clock.sleep(ms, signal);
    this.applying.now -= 1;
    const refused = put.find((name) => this.refuses(name));
    if (refused !== undefined) {
      if (this.breaks) this.before = this.running;
      const effect = this.breaks ? "unknown" : "none";
      const details = { effect, where: "edge-a", next: "look" } as const;
      throw new LinksealError("device.rejected", `${refused} is refused`, details);
    }
    if (within !== "final") this.before = this.running;
    this.running = [...new Set([...this.running, ...put])];
    for (const part of this.#change.get(token) ?? []) {
      if (part.kind === "ipsec.block") {
        this.blocked?.push(...part.blocks.map(({ prefix }) => prefix));
      }
      if (part.kind === "ipsec.putTunnel") {
        this.backed = backedBy(part.tunnel);
        this.inForce.set(part.tunnel.name, part.tunnel.auth);
      }
      if (part.kind === "ipsec.rekey") this.renews(part.name, part.what);
      if (part.kind === "ipsec.removeTunnel") {
        this.running = this.running.filter((name) => name !== part.name);
      }
    }
  }
}

export function backedBy({ backs, remotePrefixes }: TunnelSpec): DeviceState["backed"] {
  if (backs === undefined) return undefined;
  const value = remotePrefixes.map((prefix) => ({ prefix, ports: backs, open: backs }));
  return { kind: "known", value, at: 0 as never };
}

function gone(): LinksealError {
  const details = { effect: "none", where: "edge-a", next: "linkseal status" } as const;
  return new LinksealError("transport.unreachable", "it does not answer", details);
}

function names(change: DeviceChange): string[] {
  return change.flatMap((part) => (part.kind === "ipsec.putTunnel" ? [part.tunnel.name] : []));
}

function tunnelNamed(name: string): IpsecTunnel {
  const [tunnel] = sampleState("edge-a", 0 as never).ipsec;
  if (tunnel === undefined) throw new Error("no sample");
  return { ...tunnel, name, sas: { kind: "known", value: [], at: 0 as never } };
}

export function version(name: string): SecretVersion {
  const id = `https://v/secrets/${name}/1`;
  const dates = { notBefore: undefined, expires: undefined };
  return { id, enabled: true, created: wall, ...dates, tags: {} };
}
