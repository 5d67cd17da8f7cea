// A pair of scripted devices and far ends, a journal in memory and a rotation runner's parts; all
// requests to them are in one log.

import type { Campaign, Facts, Step } from "#agent/model/campaign.ts";
import type { Desired, DesiredGroup, DesiredLink } from "#agent/model/desired.ts";
import type { CauseOf } from "#agent/model/reason.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import type { RightsReport } from "#agent/model/rights-report.ts";
import type { Alarm } from "#agent/rotation/sibling.ts";
import type { FactCollectorParts } from "#agent/runtime/campaigns/fact-collector.ts";
import { RotationRunner } from "#agent/runtime/campaigns/rotation-runner.ts";
import { DeviceCache } from "#agent/runtime/polling/device-cache.ts";
import {
  emptyMemory,
  type JournalRecord,
  type Memory,
  remember,
} from "#agent/store/journal/memory.ts";
import type {
  Capabilities,
  Device,
  Driver,
  PeerPort,
  PeerState,
  PeerWant,
  PortChange,
  Transaction,
  TransactionToken,
} from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import {
  type DeviceState,
  type DrainMeans,
  type KeyRef,
  known,
  type MacsecPort,
} from "#hal/model.ts";
import { Secret } from "#hal/secret.ts";
import type { KeyVault } from "#hal/vault.ts";
import { instantAfter, type World } from "#hal/world.ts";
import { SimClock } from "#sim/base/clock.ts";
import { campaignOf, keyOne, keyTwo } from "./campaign-kit.ts";
import { clockWorld } from "./clock-world.ts";
import { capabilities, never, settled } from "./site-bench.ts";
import {
  at,
  bindingOf,
  desired,
  linkNamed,
  peerOn,
  securedPort,
  session,
  stateOf,
  wall,
} from "./snapshot-kit.ts";

/**
 * The keys of `campaignOf`: the one that it finds on the primary link, and the one that it puts
 * there.
 */
export const newKey: KeyRef = keyOne;
const begun = campaignOf("gated", { kind: "rotate" }).links[0]?.old?.key;
if (begun === undefined) throw new Error("a rotation has an old key");
export const oldKey: KeyRef = begun;

const ports = { primary: "et-0/0/0", secondary: "et-0/0/1" } as const;
type Name = keyof typeof ports;

/** Returns a port that passes frames under one key. */
export function underKey(key: KeyRef, held: readonly KeyRef[] = [key]): Partial<MacsecPort> {
  return {
    keys: known(
      held.map((each) => ({ ckn: each.ckn, role: "primary" })),
      at(0),
    ),
    session: known({ ...session, principalCkn: key.ckn }, at(0)),
  };
}

export const byHand = (wanted: Desired): Desired => ({
  ...wanted,
  azure: { ...wanted.azure, farEnd: "manual" },
});

/** Moves both links to the router of the first one. */
export const oneRouter = (wanted: Desired): Desired => ({
  ...wanted,
  groups: wanted.groups.map((group) => ({
    ...group,
    links: group.links.map((link) => ({ ...link, device: "edge-a" })),
  })),
});

/** The sibling of the primary link ends on the agent's own host. */
export const siblingHere = (wanted: Desired): Desired => ({
  ...wanted,
  devices: wanted.devices.map((each) =>
    each.name === "edge-b"
      ? { ...each, driver: "linux", address: "unix:/run/linkseal-net/net.sock" }
      : each,
  ),
});

export const shutsFirst = (wanted: Desired): Desired => ({
  ...wanted,
  devices: wanted.devices.map((each) => ({ ...each, quirks: ["shutBeforeKeyChange"] })),
});

export function failing(code: ErrorCode, text = "as the test wants it"): LinksealError {
  return new LinksealError(code, text, { effect: "unknown", where: "x", next: "wait" });
}

export const rotation = (
  over: Partial<Campaign> = {},
  overlap: Campaign["links"][number]["overlap"] = "keychain",
): Campaign => campaignOf("gated", { kind: "rotate", ...over }, overlap);

export const stepTo = (next: Step["next"], over: Partial<Step> = {}): Step => ({
  row: "test.row",
  next,
  action: undefined,
  reason: { code: "recorded", text: "so" },
  mark: {},
  ...over,
});

type Call =
  | "observe"
  | "observePeer"
  | "prepare"
  | "apply"
  | "recall"
  | "rollback"
  | "routesTo"
  | "write"
  | "probe"
  | "put";

export interface BenchOptions {
  readonly edit?: (wanted: Desired) => Desired;
  readonly capabilities?: Partial<Capabilities>;
  /** Overrides for one device. */
  readonly capabilitiesOf?: (device: string) => Partial<Capabilities>;
}

export class RotationRunnerBench {
  readonly clock = new SimClock(wall);
  readonly log: string[] = [];
  /** The records that a journal would hold. */
  readonly records: JournalRecord[] = [];
  readonly logged: string[] = [];
  readonly notes: string[] = [];
  readonly facts: Facts[] = [];
  readonly desired: Desired;
  /** The rights as Azure reports them; undefined = nothing was asked. */
  rights: RightsReport | undefined;
  /** What the runner asks of the reader of rights. */
  readonly rightsCalls: string[] = [];
  readonly deviceCache: DeviceCache;
  readonly parts: FactCollectorParts;
  memory: Memory = emptyMemory;
  /** Differences of each link's port from one that is secured by its key. */
  readonly port: Partial<Record<Name, Partial<MacsecPort>>> = {};
  readonly drained = new Set<Name>();
  /** The means of all drains. */
  means: DrainMeans = "prepend";
  readonly routeless = new Set<Name>();
  readonly peers: Record<Name, PeerState>;
  /** Whether the device of the primary link has a pending commit. */
  commitPending = false;
  recalls: "pending" | "absent" | "expiring" = "pending";
  /** Tokens that the devices do not know, whatever `recalls` is. */
  readonly forgotten = new Set<string>();
  ownRoute: string | undefined = "mgmt0";
  alarm: Alarm | undefined;
  /** Why the hub's permit withholds every link. */
  withheld: CauseOf<"gate.permit"> | undefined;
  /** Whether probes come back. */
  answers = true;
  readonly accepted: string[] = [];
  readonly failures: Partial<Record<Call, Error>> = {};
  readonly delays: Partial<Record<Call, number>> = {};
  /** Run at the end of a call. */
  readonly hooks: Partial<Record<Call, () => Promise<void>>> = {};
  readonly puts: PeerWant[] = [];
  readonly changes: (readonly PortChange[])[] = [];
  readonly #capabilitiesOf: (device: string) => Capabilities;
  #tokens = 0;

  constructor(options: BenchOptions = {}) {
    this.desired = options.edit?.(desired) ?? desired;
    const common = { ...capabilities, ...options.capabilities };
    this.#capabilitiesOf = (id) => ({ ...common, ...options.capabilitiesOf?.(id) });
    this.peers = { primary: peerOn(oldKey), secondary: peerOn(newKey) };
    this.port.primary = underKey(oldKey);
    this.memory = {
      ...emptyMemory,
      bindings: { "erd-demo/primary": bindingOf(), "erd-demo/secondary": bindingOf() },
    };
    const world = this.#world();
    const peerPort = (link: DesiredLink): PeerPort => this.#peerPort(link);
    const driver: Driver = {
      name: "sim",
      offers: capabilities,
      open: async ({ device }) => this.#device(device),
    };
    const drivers = { sim: driver, linux: driver };
    this.deviceCache = new DeviceCache(
      { world, drivers, desired: this.desired, peerPort, rights: () => this.rights },
      undefined,
    );
    this.parts = this.#partsOf(world);
  }

  get group(): DesiredGroup {
    const [group] = this.desired.groups;
    if (group === undefined) throw new Error("the config has a group");
    return group;
  }

  get link(): DesiredLink {
    return linkNamed("primary", this.desired);
  }

  /** It has the new pair of every link, unless a test takes its words away. */
  vault: KeyVault = {
    versions: async () => [],
    read: async (id) => {
      const isCkn = [keyOne, keyTwo].find(({ cknSecretId }) => cknSecretId === id);
      return Secret.take("value", new TextEncoder().encode(isCkn?.ckn ?? "AB".repeat(32)));
    },
  };

  #partsOf(world: World): FactCollectorParts {
    const { desired: wanted, group, deviceCache, clock } = this;
    return {
      ...{ world, desired: wanted, group, deviceCache },
      keys: () => async () => Secret.take("cak", new Uint8Array(32)),
      write: (record) => this.#write(record),
      memory: () => this.memory,
      acceptsRisk: (risk) => this.accepted.includes(risk),
      // Long enough ago that no put of a predecessor may still arrive.
      startedAt: instantAfter(clock.now(), -3_600_000),
      managementAddresses: ["192.0.2.9"],
      alarm: () => this.alarm,
      rights: {
        refresh: async (_of, everyMs) => void this.rightsCalls.push(`refresh ${everyMs}`),
        forget: () => void this.rightsCalls.push("forget"),
      },
      permits: { withheld: () => this.withheld },
      vault: this.vault,
    };
  }

  /** Returns a rotation runner that takes the test's steps, one each turn. */
  rotationRunner(...steps: readonly Step[]): RotationRunner {
    const left = [...steps];
    return new RotationRunner({
      ...this.parts,
      note: ({ reason }) => this.notes.push(reasonText(reason)),
      onDecision: (decision) => {
        if (decision.kind === "step") {
          const { campaign, facts } = decision;
          this.facts.push(facts);
          this.log.push("decide");
          decision.step = left.shift() ?? stepTo(campaign.state, { reason: campaign.reason });
        }
        if (decision.kind === "taken") this.log.push(`took ${decision.row}`);
      },
    });
  }

  /** Runs one turn; resolves to the wait after it, in ms. */
  async turn(rotationRunner: RotationRunner, campaign: Campaign): Promise<number> {
    return await settled(this.clock, rotationRunner.turn(campaign, never));
  }

  /** Returns the campaign that the journal holds now. */
  written(): Campaign | undefined {
    const found = this.records.findLast((record) => record.kind === "campaign");
    return found?.kind === "campaign" ? found.campaign : undefined;
  }

  /** Returns the log of the last turn after its observations. */
  done(): readonly string[] {
    return this.log.slice(this.log.lastIndexOf("decide") + 1);
  }

  async #call(name: Call): Promise<void> {
    await this.clock.sleep(this.delays[name] ?? 0);
    const failure = this.failures[name];
    if (failure !== undefined) throw failure;
    await this.hooks[name]?.();
  }

  async #write(record: JournalRecord): Promise<void> {
    this.log.push(`write ${wordsOf(record)}`);
    await this.#call("write");
    this.records.push(record);
    this.memory = remember(this.memory, record);
  }

  #world(): World {
    return clockWorld({
      clock: this.clock,
      log: {
        write: (level, code, text, fields) =>
          void this.logged.push(`${level} ${code} ${text} ${JSON.stringify(fields)}`),
      },
      refusal: () => failing("transport.unreachable"),
    });
  }

  #device(id: string): Device {
    const offered = this.#capabilitiesOf(id);
    return {
      id,
      capabilities: offered,
      observe: async () => {
        this.log.push(`look ${id}`);
        await this.#call("observe");
        return this.#state(id);
      },
      prepare: async (change) => {
        this.changes.push(change);
        this.log.push(`prepare ${id} ${change.map(({ kind }) => kind).join(" ")}`);
        await this.#call("prepare");
        this.#tokens += 1;
        return this.#transaction(`t-${this.#tokens}`);
      },
      recall: async (token) => {
        this.log.push(`recall ${token}`);
        await this.#call("recall");
        const kind = this.forgotten.has(token) ? "absent" : this.recalls;
        return kind === "pending" ? { kind, transaction: this.#transaction(token) } : { kind };
      },
      ...(offered.probe === undefined ? {} : { probe: this.#probe }),
      routesTo: async () => {
        await this.#call("routesTo");
        return this.ownRoute === undefined ? undefined : [this.ownRoute];
      },
      async [Symbol.asyncDispose]() {},
    };
  }

  readonly #probe = async (port: string, count: number) => {
    this.log.push(`probe ${port} ${count}`);
    await this.#call("probe");
    return { sent: count, answered: this.answers ? count : 0 };
  };

  #transaction(token: string): Transaction {
    return {
      token: token as TransactionToken,
      preview: "",
      apply: async (within) => {
        this.log.push(`apply ${token} ${within}`);
        await this.#call("apply");
      },
      confirm: async () => void this.log.push(`confirm ${token}`),
      rollback: async () => {
        this.log.push(`rollback ${token}`);
        await this.#call("rollback");
      },
    };
  }

  #state(device: string): DeviceState {
    const now = this.clock.now();
    const names = this.group.links.filter((link) => link.device === device).map(({ name }) => name);
    const here = (Object.keys(ports) as Name[]).filter((name) => names.includes(name));
    const seen = here.map((name) => securedPort({ port: ports[name], ...this.port[name] }, now));
    const routing = {
      sessions: here.map((name) => ({
        ...{ port: ports[name], peer: "169.254.0.1", up: !this.routeless.has(name) },
      })),
      routes: [],
      drains: here
        .filter((name) => this.drained.has(name))
        .map((name) => ({ port: ports[name], means: this.means })),
    };
    const [first = securedPort({}, now)] = seen;
    return stateOf(
      first,
      { device, at: now, routing: known(routing, now), macsec: seen },
      { wall: this.clock.wall(), commitPending: this.commitPending && here.includes("primary") },
    );
  }

  #peerPort({ name }: DesiredLink): PeerPort {
    return {
      observe: async () => {
        if (name === "primary") this.log.push("look far end");
        await this.#call("observePeer");
        return name === "primary" ? this.peers.primary : this.peers.secondary;
      },
      put: async (want, accepted) => {
        this.log.push("put");
        this.puts.push(want);
        await this.#call("put");
        await accepted("operation-1");
      },
    };
  }
}

function wordsOf(record: JournalRecord): string {
  if (record.kind === "campaign") return `campaign ${record.campaign.state}`;
  if (record.kind === "effect") return `effect ${record.place}: ${record.what} ${record.token}`;
  if (record.kind === "measured") return `measured ${record.what} ${record.ms}`;
  return record.kind === "binding" ? `binding ${record.link}` : record.kind;
}
