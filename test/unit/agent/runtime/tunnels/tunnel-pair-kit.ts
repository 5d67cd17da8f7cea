// One router with the two tunnels of a connection to an active-active gateway: each instance has
// the key that Azure gave it, and the agent can be killed at each of its calls.

import type { Desired, DesiredTunnel } from "#agent/model/desired.ts";
import { RoundTripLog } from "#agent/runtime/polling/round-trips.ts";
import { TunnelChanges } from "#agent/runtime/tunnels/tunnel-changes.ts";
import { TunnelTraffic } from "#agent/runtime/tunnels/tunnel-traffic.ts";
import { emptyMemory, type Memory, remember } from "#agent/store/journal/memory.ts";
import type { Capabilities, Device, DeviceChange } from "#hal/device.ts";
import { type DeviceState, known, type Route } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import { SimClock } from "#sim/base/clock.ts";
import { noRights } from "../../../kit/rights-kit.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { desired as site, wall } from "../../../kit/snapshot-kit.ts";
import { routing, tunnelObservation } from "../../health-evidence.ts";
import { hub } from "../../tunnel-bundle-kit.ts";
import { id, psk, version } from "./tunnel-change-kit.ts";

const connection = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/connections/hub";
const auth = { kind: "psk", secret: "hub-1-psk", farEnd: "agent" } as const;

/** The tunnel to one instance; Azure writes one id in several cases. */
const instance = (number: 1 | 2): DesiredTunnel => ({
  ...hub(number),
  auth,
  remoteAddress: `203.0.113.${number}`,
  azureConnection: number === 1 ? connection : connection.toUpperCase(),
});

export const pair = [instance(1), instance(2)] as const;

const capabilities: Capabilities = {
  commit: { kind: "armedRevert" },
  drain: { means: ["prepend"], settleMs: 10_000 },
  ipsec: {
    ...{ keying: ["ike"], authentication: ["psk"], atomicReplace: false },
    rekeys: ["reauthenticate"],
  },
};

class Death extends Error {}

interface Doom {
  readonly call: number;
  readonly when: "before" | "after";
}

/** What is at one tunnel. */
interface End {
  /** The version on the router. */
  router: string;
  /** The version at the instance of the gateway. */
  gateway: string;
  ike: "established" | "down";
  trouble: string | undefined;
  spi: number;
}

export class PairPlace {
  readonly clock = new SimClock(wallStart);
  memory: Memory = {
    ...emptyMemory,
    auths: { "hub-1": { auth: psk(1) }, "hub-2": { auth: psk(1) } },
  };
  readonly ends: Readonly<Record<string, End>> = {
    "hub-1": { router: id(1), gateway: id(1), ike: "established", trouble: undefined, spi: 100 },
    "hub-2": { router: id(1), gateway: id(1), ike: "established", trouble: undefined, spi: 200 },
  };
  readonly drained = new Set<string>();
  /** Violations of the invariants. */
  readonly wrong: string[] = [];
  /** Effects in their order. */
  readonly acts: string[] = [];
  /** Tunnels whose instance keeps the key that it has. */
  readonly deaf = new Set<string>();
  versions = [version(1), version(2)];
  /** Calls of the present process so far. */
  calls = 0;
  doom: Doom | undefined;
  auths: TunnelChanges;
  #drains: TunnelTraffic;
  /** Versions before a change that was never confirmed, by tunnel. */
  readonly #before = new Map<string, string>();
  #isDead = false;

  constructor() {
    [this.#drains, this.auths] = this.#begin();
  }

  end(name: string): End {
    const found = this.ends[name];
    if (found === undefined) throw new RangeError(`no tunnel ${name}`);
    return found;
  }

  /** Runs one effect of the agent; after its death there are no more. */
  async #call(effect: () => void): Promise<void> {
    if (this.#isDead) throw new Death();
    this.calls += 1;
    const isLast = this.doom?.call === this.calls;
    if (!isLast || this.doom?.when === "after") effect();
    if (!isLast) return;
    this.#isDead = true;
    throw new Death();
  }

  /** Starts another process: the router reverts what the predecessor left unconfirmed. */
  restart(): void {
    this.#isDead = false;
    this.calls = 0;
    this.doom = undefined;
    for (const [name, before] of this.#before) this.end(name).router = before;
    this.#before.clear();
    this.memory = { ...this.memory, pending: {} };
    [this.#drains, this.auths] = this.#begin();
  }

  #begin(): [TunnelTraffic, TunnelChanges] {
    const parts = {
      world: { clock: this.clock, log: { write: () => undefined } },
      desired: { ...site, tunnels: pair } satisfies Desired,
      deviceCache: {
        observe: async () => this.#state(),
        state: () => this.#state(),
        failure: () => undefined,
        capabilities: () => capabilities,
        roundTrips: new RoundTripLog(this.clock),
        device: async () => this.#device(),
      },
      vault: {
        versions: async (name: string) => (name === "hub-1-psk" ? this.versions : []),
        read: () => Promise.reject(new Error("no value is asked for here")),
      },
      gatewayKey: () => ({ put: (secret: Secret) => this.#give(secret) }),
      rights: noRights,
      inCampaign: () => false,
      keys: () => async (ref: { readonly kind: string; readonly secretId?: string }) =>
        Secret.take("psk", new TextEncoder().encode(ref.secretId ?? "")),
      memory: () => this.memory,
      write: (record: Parameters<typeof remember>[1]) =>
        this.#call(() => {
          this.memory = remember(this.memory, record);
        }),
    };
    const traffic = new TunnelTraffic(parts);
    return [traffic, new TunnelChanges({ ...parts, traffic })];
  }

  async #give(secret: Secret): Promise<void> {
    const given = secret.use((octets) => new TextDecoder().decode(octets));
    await this.#call(() => {
      this.acts.push(`give ${given.at(-1)}`);
      for (const { name } of pair) if (!this.deaf.has(name)) this.end(name).gateway = given;
    });
  }

  #state(): DeviceState {
    const at = this.clock.now();
    const ipsec = pair.map(({ name }) => {
      const { spi, ike, trouble } = this.end(name);
      const rate = this.drained.has(name) ? 1_000 : 1;
      const seen = tunnelObservation(at, Math.floor(at / rate));
      if (seen.sas.kind !== "known") throw new Error("the kit knows its SAs");
      const all = seen.sas.value.map((sa) => ({
        ...sa,
        spi: spi + (sa.direction === "in" ? 0 : 1),
      }));
      const own = ike === "established" ? all : [];
      const reported = trouble === undefined ? {} : { trouble };
      return { ...seen, name, ike: known(ike, at), sas: known(own, at), ...reported };
    });
    const routes = pair.map(({ name }): Route => {
      const via = { kind: "tunnel", name } as const;
      return { prefix: "10.100.0.0/16", via, best: !this.drained.has(name) };
    });
    const reported = {
      ...{ ...routing, routes },
      drains: [...this.drained].map((port) => ({ port, means: "prepend" as const })),
      tunnelSessions: pair.map(({ name, bgp }) => ({
        ...{ tunnel: name, peer: bgp?.peer ?? "", asn: 65_515 },
        up: this.end(name).ike === "established",
      })),
    };
    const control = { wall, bootId: "1", configId: "1", commitPending: false };
    const both = { control: known(control, at), routing: known(reported, at) };
    return { ...{ device: "edge-a", at, macsec: [], ipsec }, ...both };
  }

  #device(): Device {
    return {
      capabilities,
      prepare: async (change: DeviceChange) => ({
        token: `t-${this.calls}`,
        apply: () =>
          this.#call(() => {
            for (const part of change) this.#apply(part);
          }),
        confirm: () => this.#call(() => this.#before.clear()),
      }),
    } as unknown as Device;
  }

  #apply(part: DeviceChange[number]): void {
    if (part.kind === "port.drain") {
      this.drained.add(part.port);
      this.acts.push(`drain ${part.port}`);
    }
    if (part.kind === "port.restore") {
      this.drained.delete(part.port);
      this.acts.push(`undrain ${part.port}`);
    }
    if (part.kind === "ipsec.putTunnel") {
      const { name, auth: put } = part.tunnel;
      const end = this.end(name);
      this.#before.set(name, end.router);
      end.router = put.secretId;
      this.acts.push(`put ${name} ${put.secretId.at(-1)}`);
      if (end.ike === "down" && end.trouble !== undefined) this.#authenticate(name);
    }
    if (part.kind === "ipsec.rekey") {
      this.acts.push(`authenticate ${part.name}`);
      if (!this.drained.has(part.name)) this.wrong.push(`${part.name} authenticates in traffic`);
      this.#authenticate(part.name);
    }
    if (this.drained.size > 1) this.wrong.push("both are drained");
  }

  #authenticate(name: string): void {
    const end = this.end(name);
    if (end.router !== end.gateway) return;
    end.ike = "established";
    end.trouble = undefined;
    end.spi += 2;
  }

  /** Ends the SAs of a tunnel whose keys differ: they do not come back. */
  refuse(name: string): void {
    Object.assign(this.end(name), { ike: "down", trouble: "different pre-shared keys" });
  }

  /** Runs turns until all is done, or the process dies. */
  async run(isOver: () => boolean = () => this.isDone(), turns = 80): Promise<void> {
    for (let count = 0; count < turns; count += 1) {
      try {
        await settled(this.clock, this.#turn());
      } catch (error) {
        if (error instanceof Death) return;
        throw error;
      }
      if (isOver()) return;
      await this.clock.runFor(5_000);
    }
  }

  async #turn(): Promise<void> {
    await this.#drains.turn(never);
    await this.auths.turn(never);
  }

  proceed(tunnel: DesiredTunnel = pair[0]) {
    return settled(this.clock, this.auths.proceed(tunnel, "ann", never));
  }

  /** Both ends of both tunnels have this version, and nothing is left to do. */
  isDone(number = 2): boolean {
    const isTaken = pair.every(({ name }) => {
      const { auth: now, next } = this.memory.auths[name] ?? {};
      const { router, gateway } = this.end(name);
      const isInUse = now?.secretId === id(number) && next === undefined;
      return isInUse && router === id(number) && gateway === id(number);
    });
    return isTaken && this.isOpen();
  }

  /** No traffic is moved away. */
  isOpen(): boolean {
    return this.drained.size === 0 && Object.keys(this.memory.drains).length === 0;
  }
}
