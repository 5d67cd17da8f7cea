// A router whose gateway accepts one version of a key, and a vault with two; an operator or the
// agent gives the newer one to the gateway.

import type { DesiredTunnel } from "#agent/model/desired.ts";
import { tunnelChangeText } from "#agent/model/reason-text.ts";
import type { RightsReport } from "#agent/model/rights-report.ts";
import { RoundTripLog } from "#agent/runtime/polling/round-trips.ts";
import { TunnelChanges } from "#agent/runtime/tunnels/tunnel-changes.ts";
import {
  emptyMemory,
  type JournalRecord,
  type Memory,
  remember,
} from "#agent/store/journal/memory.ts";
import type { Capabilities, Device, DeviceChange, PeerSecret } from "#hal/device.ts";
import { type Effect, type ErrorCode, LinksealError } from "#hal/error.ts";
import { type DeviceState, known, unknown } from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { SecretVersion } from "#hal/vault.ts";
import { wallAfter } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { never, settled, wallStart } from "../../../kit/site-bench.ts";
import { desired as site, wall } from "../../../kit/snapshot-kit.ts";
import { tunnelObservation } from "../../health-evidence.ts";

export const id = (version: number): string => `https://v/secrets/hub-1-psk/${version}`;
export const rootsId = (version: number): string => `https://v/secrets/roots/${version}`;
export const psk = (version: number) => ({ kind: "psk", secretId: id(version) }) as const;
const sampleTunnel = site.tunnels[0] as DesiredTunnel;

export function version(number: number, over: Partial<SecretVersion> = {}): SecretVersion {
  const created = wallAfter(wall, number * 1_000 - 10_000);
  const free = { notBefore: undefined, expires: undefined, tags: {} };
  return { id: id(number), enabled: true, created, ...free, ...over };
}

export function failure(code: ErrorCode, effect: Effect = "none"): LinksealError {
  return new LinksealError(code, "as it was said", {
    ...{ effect, where: "edge-a", next: "look" },
  });
}

export class Scene {
  readonly tunnel: DesiredTunnel;
  readonly clock = new SimClock(wallStart);
  readonly roundTrips = new RoundTripLog(this.clock);
  readonly reported: string[] = [];
  /** Each drain and undrain, with the changes sent up to then. */
  readonly moved: string[] = [];
  readonly records: JournalRecord[] = [];
  versions: SecretVersion[] = [version(1), version(2)];
  roots: SecretVersion[] = [{ ...version(1), id: rootsId(1) }];
  memory: Memory = { ...emptyMemory, auths: { "hub-1": { auth: psk(1) } } };
  gateway = id(2);
  /** The version that the router authenticates with. */
  router = id(1);
  ike: "established" | "down" = "established";
  /** The failure of the fresh authentication; absent = the gateway decides. */
  trouble: LinksealError | undefined;
  capabilities: Capabilities | undefined = {
    commit: { kind: "armedRevert" },
    ipsec: {
      ...{ keying: ["ike"], authentication: ["psk"], atomicReplace: false },
      rekeys: ["reauthenticate"],
    },
  };
  pending = false;
  unreadable = false;
  asked = 0;
  /** The writer of the gateway's key, if the agent writes it. */
  readonly farEnd: PeerSecret | undefined;
  /** The gateway's error before it accepts a key; absent = none. */
  refusal: LinksealError | undefined;
  /** The rights as Azure reports them; undefined = nothing was asked. */
  rights: RightsReport | undefined;
  /** What is asked of the reader of rights. */
  readonly rightsCalls: string[] = [];
  /** Versions that the vault no longer returns. */
  readonly gone = new Set<string>();
  readonly siblings: DesiredTunnel[] = [];
  campaign: string | undefined;
  /** Other tunnels that this router reports as working. */
  readonly carries: string[] = [];
  /** True if the router does not report why the tunnel is down. */
  quiet = false;
  readonly #groups: typeof site.groups;
  #spi = 100;
  #open = 0;

  auths: TunnelChanges;

  constructor(auth: DesiredTunnel["auth"] = sampleTunnel.auth, groups = site.groups) {
    this.tunnel = { ...sampleTunnel, auth };
    const isAgents = auth.kind === "psk" && auth.farEnd === "agent";
    this.farEnd = isAgents ? { put: (secret) => this.#give(secret) } : undefined;
    this.#groups = groups;
    this.auths = this.#begin();
  }

  async #give(secret: Secret): Promise<void> {
    const given = secret.use((octets) => new TextDecoder().decode(octets));
    this.reported.push(`give ${given.at(-1)}`);
    if (this.refusal !== undefined) throw this.refusal;
    this.gateway = given;
  }

  /** Ends the process; another one starts with the same journal. */
  restart(): void {
    this.auths = this.#begin();
  }

  #begin(): TunnelChanges {
    return new TunnelChanges({
      world: { clock: this.clock, log: { write: (_level, code) => void this.reported.push(code) } },
      desired: { ...site, groups: this.#groups, tunnels: [this.tunnel, ...this.siblings] },
      deviceCache: {
        observe: async () => (this.unreadable ? undefined : this.#state()),
        state: (device) =>
          this.unreadable || device !== this.tunnel.device ? undefined : this.#state(),
        failure: () => undefined,
        capabilities: () => this.capabilities,
        roundTrips: this.roundTrips,
        device: async () => this.#device(),
      },
      vault: {
        versions: async (name) => {
          this.asked += 1;
          return name === "roots" ? this.roots : this.versions;
        },
        read: () => Promise.reject(new Error("no value is asked for here")),
      },
      gatewayKey: (tunnel) => (tunnel.name === this.tunnel.name ? this.farEnd : undefined),
      inCampaign: (device) => device === this.campaign,
      rights: {
        refresh: async ({ kind }, everyMs) => void this.rightsCalls.push(`${kind} ${everyMs}`),
        report: () => this.rights,
        forget: () => void this.rightsCalls.push("forget"),
      },
      traffic: {
        drainForChange: async (_tunnel, by) => {
          this.#moves(`away for ${by}`);
          const drain = { by, since: wall, until: "authenticated" } as const;
          this.memory = remember(this.memory, { kind: "handDrain", link: "hub-1", drain });
        },
        undrainForChange: async () => {
          this.#moves("back");
          this.memory = remember(this.memory, { kind: "handDrain", link: "hub-1", drain: null });
        },
      },
      keys: () => async (ref) => {
        if (ref.kind !== "psk" || this.farEnd === undefined) {
          throw new Error("no value is asked for here");
        }
        if (this.gone.has(ref.secretId)) throw failure("vault.denied");
        return Secret.take("psk", new TextEncoder().encode(ref.secretId));
      },
      memory: () => this.memory,
      write: async (record) => {
        this.records.push(record);
        this.memory = remember(this.memory, record);
      },
    });
  }

  #moves(where: string): void {
    const at = this.reported.length === 0 ? "first" : `after ${this.reported.join(", ")}`;
    this.moved.push(`${where} ${at}`);
  }

  #state(): DeviceState {
    const at = this.clock.now();
    const seen = tunnelObservation(at, 5);
    const sas = this.ike === "established" && seen.sas.kind === "known" ? seen.sas.value : [];
    const isTold = this.ike !== "established" && !this.quiet;
    const trouble = isTold ? { trouble: "different pre-shared keys" } : {};
    const own = sas.map((sa) => ({ ...sa, spi: this.#spi + (sa.direction === "in" ? 0 : 1) }));
    const others = this.carries.map((name) => ({ ...seen, name }));
    const mine = { ...seen, ike: known(this.ike, at), sas: known(own, at), ...trouble };
    const ipsec = [mine, ...others];
    const control = { wall, bootId: "1", configId: "1", commitPending: this.pending };
    return {
      ...{ device: "edge-a", at, control: known(control, at), macsec: [], ipsec },
      routing: unknown("notSupported", at),
    };
  }

  #device(): Device {
    return {
      capabilities: { commit: { kind: "armedRevert" } },
      prepare: async (change: DeviceChange) => {
        if (this.trouble?.code.startsWith("vault.") === true) throw this.trouble;
        this.#open += 1;
        return {
          token: `t-${this.#open}`,
          apply: async () => {
            for (const part of change) this.#apply(part);
          },
          confirm: async () => undefined,
        };
      },
    } as unknown as Device;
  }

  #apply(part: DeviceChange[number]): void {
    if (part.kind === "ipsec.putTunnel") {
      const { auth } = part.tunnel;
      const isNew = this.router !== auth.secretId;
      this.router = auth.secretId;
      this.reported.push(`put ${this.router.at(-1)}`);
      const isRefused = isNew && auth.kind === "certificate" && auth.secretId !== this.gateway;
      if (isRefused && this.trouble !== undefined) throw this.trouble;
      const isShown = this.ike === "down" || (isNew && auth.kind === "certificate");
      if (isShown && this.router === this.gateway) this.#rise();
    } else if (part.kind === "ipsec.rekey") {
      this.reported.push(part.what);
      if (this.trouble !== undefined) throw this.trouble;
      if (this.router === this.gateway) this.#rise();
    }
  }

  #rise(): void {
    this.ike = "established";
    this.#spi += 2;
  }

  turn(): Promise<void> {
    return settled(this.clock, this.auths.turn(never));
  }

  proceed() {
    return settled(this.clock, this.auths.proceed(this.tunnel, "ann", never));
  }

  async pass(ms: number): Promise<void> {
    await settled(this.clock, this.clock.sleep(ms, never));
  }

  next() {
    return this.memory.auths["hub-1"]?.next;
  }

  /** The states of the change, in their order. */
  states(): readonly string[] {
    const all = this.records.flatMap((record) =>
      record.kind === "auth" ? [record.inUse.next?.state ?? "none"] : [],
    );
    return all.filter((state, at) => state !== all[at - 1]);
  }

  /** What the operator is told of the newer version. */
  because(): string {
    const next = this.next();
    return next === undefined ? "" : tunnelChangeText(next);
  }
}
