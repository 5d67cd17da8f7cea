// The loops that serve one accepted intent: one per device, one per group, one for health.

import type { PeerSecret } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import type { Plan } from "../compare/plan.ts";
import type { MadeTunnel } from "../compare/tunnel-change.ts";
import { type Campaign, type CampaignLink, entryOf } from "../model/campaign.ts";
import type { Cloud } from "../model/cloud.ts";
import type { OnDecision } from "../model/decision.ts";
import {
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  type DesiredTunnel,
  linkId,
  type RiskName,
} from "../model/desired.ts";
import type { ReportEvent } from "../model/events.ts";
import type { FarEnd } from "../model/reason.ts";
import { farEndOf, setTo, unseenFar } from "../rotation/facts.ts";
import type { Alarm } from "../rotation/sibling.ts";
import type { Intent } from "../store/intent/intent.ts";
import { type JournalRecord, type Memory, named, openCampaign } from "../store/journal/memory.ts";
import { Beginnings } from "./beginnings.ts";
import { type BeginParts, riskAccepted, type Waiting } from "./campaigns/begin.ts";
import { graceEnd } from "./campaigns/fact-collector.ts";
import { ManualDrains } from "./campaigns/manual-drain.ts";
import type { PermitCache } from "./campaigns/permit-cache.ts";
import { RotationRunner } from "./campaigns/rotation-runner.ts";
import { type Leave, leaveBeside } from "./leave.ts";
import { CompromisedKeys } from "./polling/compromised-keys.ts";
import { DeviceCache, type DeviceCacheParts } from "./polling/device-cache.ts";
import { FarEndPoller } from "./polling/far-end-poller.ts";
import { type KeySurvey, surveyKeys } from "./polling/key-check.ts";
import { KeyPoller, type UsedUntil } from "./polling/key-poller.ts";
import type { KeyedMutex } from "./polling/keyed-mutex.ts";
import { Loops, type NamedTurn } from "./polling/loops.ts";
import type { ReadBudget } from "./polling/read-budget.ts";
import { RightsReader } from "./polling/rights-reader.ts";
import { SharedAnswer } from "./polling/shared-answer.ts";
import { TunnelProbes } from "./polling/tunnel-probes.ts";
import { UnsavedCommits } from "./polling/unsaved-commits.ts";
import { keyResolver } from "./polling/vault.ts";
import type { Heartbeat } from "./polling/watchdog.ts";
import { Reconciler } from "./reconcile.ts";
import { TunnelChanges } from "./tunnels/tunnel-changes.ts";
import type { RetireParts } from "./tunnels/tunnel-retire.ts";
import { TunnelTraffic } from "./tunnels/tunnel-traffic.ts";

/** The parts from which the loops of one accepted intent are built. */
export interface SupervisorParts extends Omit<DeviceCacheParts, "desired" | "rights"> {
  readonly world: World;
  readonly intent: Intent;
  readonly vault: KeyVault;
  readonly memory: () => Memory;
  readonly write: (record: JournalRecord) => Promise<void>;
  readonly note: (campaign: Campaign) => void;
  readonly report: ReportEvent;
  readonly startedAt: Instant;
  /** Runs after every observation and every step, to evaluate health. */
  readonly evaluateHealth: () => void;
  /** Why health advises against relying on a link; undefined = no reason. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
  readonly onDecision: OnDecision | undefined;
  readonly permits: PermitCache;
  /** True while the journal is not whole: writes are refused. */
  readonly readOnly: () => boolean;
  readonly mutex: KeyedMutex;
  /** The requests to Azure that reports may cause. */
  readonly readBudget: ReadBudget;
  readonly made: MadeTunnel;
  readonly cloud: Cloud;
  readonly gatewayKey: (tunnel: DesiredTunnel) => PeerSecret | undefined;
}

/** The mutex key for all changes to tunnels: one tunnel is taken out of service at a time. */
export const tunnelsKey = "tunnels";

/** The name of the loop that observes a device. */
function watchLoop(device: string): string {
  return `device ${device}`;
}

/** The name of the loop that acts on what was observed of a device. */
function mendLoop(device: string): string {
  return `changes of ${device}`;
}

function groupsOn({ groups }: Desired): ReadonlyMap<string, readonly DesiredGroup[]> {
  const found = new Map<string, DesiredGroup[]>();
  for (const group of groups) {
    for (const device of new Set(group.links.map((link) => link.device))) {
      const known = found.get(device) ?? [];
      found.set(device, known);
      known.push(group);
    }
  }
  return found;
}

/** The supervisor: it runs the loops of one accepted intent. */
export class Supervisor {
  readonly intent: Intent;
  readonly deviceCache: DeviceCache;
  readonly rights: RightsReader;
  readonly unsavedCommits: UnsavedCommits;
  readonly #parts: SupervisorParts;
  readonly #reconcilers: ReadonlyMap<string, Reconciler>;
  readonly #rotationRunners: ReadonlyMap<string, RotationRunner>;
  readonly #beginnings: Beginnings;
  /** The groups that have a link on a device, by device. */
  readonly #groupsOn: ReadonlyMap<string, readonly DesiredGroup[]>;
  readonly #manualDrains: ReadonlyMap<string, ManualDrains>;
  readonly tunnelTraffic: TunnelTraffic;
  readonly tunnelChanges: TunnelChanges;
  readonly tunnelProbes: TunnelProbes;
  readonly compromisedKeys: CompromisedKeys;
  readonly #farEndPoller: FarEndPoller;
  readonly #keyPoller: KeyPoller;
  readonly #keySurvey: SharedAnswer<KeySurvey>;
  readonly #loops: Loops;

  /** Takes over what the predecessor observed of the same devices. */
  constructor(parts: SupervisorParts, before: Supervisor | undefined) {
    this.#parts = parts;
    this.intent = parts.intent;
    this.#loops = new Loops(parts.world.clock);
    const { desired } = parts.intent;
    this.#groupsOn = groupsOn(desired);
    const hint = (device: string): void => this.#loops.wake(watchLoop(device));
    const { world, cloud } = parts;
    const peer = (link: DesiredLink) => this.deviceCache.peer(link)?.state;
    this.rights = new RightsReader({ world, desired, document: cloud.document, peer });
    const { rights } = this;
    const rightsFor = ({ group }: DesiredLink) => rights.report({ kind: "campaign", group });
    const isUrgent = (device: string): boolean => this.#busy(device);
    this.unsavedCommits = new UnsavedCommits({
      ...{ ...parts, desired },
      deviceCache: () => this.deviceCache,
    });
    const { watch } = this.unsavedCommits;
    const cached = { ...parts, desired, hint, rights: rightsFor, isUrgent, watch };
    this.deviceCache = new DeviceCache(cached, before?.deviceCache);
    const keys = (signal: AbortSignal) => keyResolver(parts.vault, signal);
    this.#keySurvey = new SharedAnswer(parts.world.clock, (signal) => this.#survey(signal));
    const { managementAddresses, deviceCache } = this;
    const acceptsRisk = this.#acceptsRisk;
    const begin = { ...parts, ...this.beginParts(), acceptsRisk, managementAddresses };
    this.#beginnings = new Beginnings(begin);
    const common = { ...parts, desired, keys, deviceCache, rights };
    this.tunnelTraffic = new TunnelTraffic(common);
    const inCampaign = (device: string): boolean => this.#busy(device);
    const traffic = this.tunnelTraffic;
    this.#reconcilers = new Map(
      desired.devices.map(({ name }) => [
        name,
        new Reconciler({
          ...{ ...common, drains: traffic, intent: parts.intent.number, device: name },
          leave: () => this.#leave(name),
          inCampaign: () => this.#busy(name),
          alone: (work) => parts.mutex.run(tunnelsKey, work),
        }),
      ]),
    );
    this.tunnelChanges = new TunnelChanges({ ...common, inCampaign, traffic });
    this.tunnelProbes = new TunnelProbes(common, before?.tunnelProbes);
    this.compromisedKeys = new CompromisedKeys({ ...common, marker: cloud.marker });
    this.#farEndPoller = new FarEndPoller(common);
    this.#keyPoller = new KeyPoller({ ...parts, desired, identityEnd: parts.cloud.identityEnd });
    const forGroup = (group: DesiredGroup) => ({ ...common, group });
    this.#rotationRunners = new Map(
      desired.groups.map((group) => [
        group.name,
        new RotationRunner({
          ...forGroup(group),
          acceptsRisk: this.#acceptsRisk,
          managementAddresses,
        }),
      ]),
    );
    this.#manualDrains = new Map(
      desired.groups.map((group) => [group.name, new ManualDrains(forGroup(group))]),
    );
  }

  /** Addresses that the agent itself must reach. */
  get managementAddresses(): readonly string[] {
    const { devices } = this.intent.desired;
    return [...this.#parts.cloud.addresses, ...devices.map(({ address }) => address)];
  }

  readonly #acceptsRisk = (risk: RiskName): boolean =>
    riskAccepted(this.intent.desired, risk, this.#parts.world.clock.wall());

  /** Returns what the loops of a device may write now. */
  #leave(device: string): Leave {
    if (this.#parts.readOnly() || this.tunnelChanges.isBusy(device)) return "none";
    return leaveBeside(this.#campaignsOn(device).map(({ state }) => state));
  }

  /** The open campaigns on groups that have a link on this device. */
  #campaignsOn(device: string): readonly Campaign[] {
    const groups = this.#groupsOn.get(device) ?? [];
    const memory = this.#parts.memory();
    return groups.flatMap(({ name }) => openCampaign(memory, name) ?? []);
  }

  /** Returns true if a campaign runs on a group that has a link on this device. */
  #busy(device: string): boolean {
    return this.#campaignsOn(device).length > 0;
  }

  /** The settings of the far end of a campaign's link, whether or not its last change succeeded. */
  farSetTo(campaign: Campaign, entry: CampaignLink, link: DesiredLink): FarEnd {
    const { world, startedAt } = this.#parts;
    const { desired } = this.intent;
    const snapshot = this.deviceCache.snapshot(link);
    const peer = this.deviceCache.peerFailure(link) === undefined ? snapshot.peer : undefined;
    const risk = "farEndUnseen";
    const isAccepted = campaign.risks.includes(risk) || this.#acceptsRisk(risk);
    if (peer === undefined && desired.azure.farEnd === "manual" && isAccepted) {
      return unseenFar(campaign, snapshot, entry);
    }
    const far = farEndOf(peer, entry, world.clock.now(), graceEnd({ startedAt, desired }));
    return far === "failed" && peer !== undefined ? setTo(peer, entry) : far;
  }

  /** The parts that the beginning of a campaign needs. */
  beginParts(): BeginParts {
    const { world, vault, memory, intent } = this.#parts;
    const { desired, number } = intent;
    return { world, desired, intent: number, deviceCache: this.deviceCache, vault, memory };
  }

  /** Reads the keys of all links from the vault; concurrent callers share one read. */
  keySurvey(signal: AbortSignal): Promise<KeySurvey> {
    return this.#keySurvey.get(signal);
  }

  /**
   * Resolves once a report may send so many requests to Azure: campaigns and polls come first. A
   * simulated cloud has no such limit.
   */
  async mayRead(requests: number, signal: AbortSignal): Promise<void> {
    const { cloud, readBudget } = this.#parts;
    if (cloud.pace === "polled") await readBudget.take(requests, signal);
  }

  /** The parts that the retirement of a tunnel needs. */
  get retireParts(): RetireParts {
    const { world, memory, made, write, intent } = this.#parts;
    const inCampaign = (device: string): boolean => this.#busy(device);
    const { deviceCache } = this;
    return { world, memory, made, write, desired: intent.desired, deviceCache, inCampaign };
  }

  /** Keys, certificates and identities in use that expire, as far as a real vault reported it. */
  get ends(): readonly UsedUntil[] {
    return this.#keyPoller.ends;
  }

  /** Why links of a group that need a key get none; undefined = nothing waits. */
  waiting(group: string): Waiting | undefined {
    return this.#beginnings.waiting(group);
  }

  /** The last failures of effects on this link, and of those on its device as a whole. */
  troubles(link: DesiredLink): readonly LinksealError[] {
    const { group, device, port } = link;
    const runs = openCampaign(this.#parts.memory(), group) !== undefined;
    const rotationRunner = runs ? this.#rotationRunners.get(group) : undefined;
    return [
      rotationRunner?.troubledLink === linkId(link) ? rotationRunner.trouble : undefined,
      this.#reconcilers.get(device)?.portTrouble(port),
      this.trouble(device),
    ].filter((error) => error !== undefined);
  }

  /** The last failure of an effect on the device as a whole; with a name, on that tunnel alone. */
  trouble(device: string, tunnel?: string): LinksealError | undefined {
    const reconciler = this.#reconcilers.get(device);
    return tunnel === undefined ? reconciler?.trouble : reconciler?.tunnelTrouble(tunnel);
  }

  /**
   * Runs until `stop` (between turns) or `kill` (anywhere). Rejects if an invariant is broken: the
   * process ends, which is safe because stopping changes nothing (P4).
   */
  async run(stop: AbortSignal, kill: AbortSignal): Promise<void> {
    const loops = this.#loops;
    const watched = new AbortController();
    stop.addEventListener("abort", () => loops.wakeAll(), { once: true });
    const act = async (): Promise<void> => {
      try {
        await Promise.all(this.#actingLoops(kill).map((each) => loops.run(each, stop)));
        await Promise.all([...this.#reconcilers.values()].map((each) => each.end()));
      } finally {
        watched.abort();
        loops.wakeAll();
      }
    };
    try {
      // The devices are observed until the last effect has ended.
      const watching = this.#watchLoops(kill).map((each) => loops.run(each, watched.signal));
      await Promise.all([act(), ...watching]);
    } finally {
      // After a turn that `kill` cut off, open sessions would keep the process alive.
      await this.deviceCache.close();
    }
  }

  /** The loops that observe the devices; none of them waits for an effect. */
  #watchLoops(kill: AbortSignal): readonly NamedTurn[] {
    return this.#deviceLoops(watchLoop, async (reconciler, device) => {
      await reconciler.observe(kill);
      this.#loops.wake(mendLoop(device));
    });
  }

  #deviceLoops(
    nameOf: (device: string) => string,
    act: (reconciler: Reconciler, device: string) => Promise<void>,
  ): readonly NamedTurn[] {
    return [...this.#reconcilers].map(([device, reconciler]): NamedTurn => {
      const turn = async (): Promise<number> => {
        await act(reconciler, device);
        this.#parts.evaluateHealth();
        return this.intent.desired.health.pollMs;
      };
      return { name: nameOf(device), turn, wakes: true };
    });
  }

  #actingLoops(kill: AbortSignal): readonly NamedTurn[] {
    const { mutex, cloud } = this.#parts;
    const { health, groups, tunnels } = this.intent.desired;
    const campaigns = groups.map((group): NamedTurn => {
      const turn = () => mutex.run(group.name, () => this.#groupTurn(group, kill));
      return { name: `group ${group.name}`, turn };
    });
    const pollers: readonly NamedTurn[] = [
      { name: "far end", turn: () => this.#farEndTurn(kill) },
      { name: "vault", turn: () => this.#keyPoller.turn(kill) },
    ];
    const compromised: NamedTurn = {
      name: "compromised keys",
      turn: () => this.compromisedKeys.turn(kill),
    };
    const tended: NamedTurn = {
      name: "tunnels",
      turn: () => mutex.run(tunnelsKey, () => this.#tunnelTurn(kill)),
    };
    const probes: NamedTurn = {
      name: "round trips",
      turn: async () => {
        await this.tunnelProbes.turn(kill);
        this.#parts.evaluateHealth();
        return health.pollMs;
      },
    };
    return [
      ...this.#deviceLoops(mendLoop, async (reconciler, device) => {
        await this.unsavedCommits.turn(device, kill);
        await reconciler.mend(kill);
      }),
      ...campaigns,
      compromised,
      ...(cloud.pace === "polled" ? pollers : []),
      ...(tunnels.length > 0 ? [tended] : []),
      ...(tunnels.some(({ bgp, backs }) => (bgp ?? backs) !== undefined) ? [probes] : []),
    ];
  }

  async #tunnelTurn(signal: AbortSignal): Promise<number> {
    const { pollMs } = this.intent.desired.health;
    if (this.#parts.readOnly()) return pollMs;
    try {
      // A tunnel can be drained only if BGP runs inside it.
      if (this.intent.desired.tunnels.some(({ bgp }) => bgp !== undefined)) {
        await this.tunnelTraffic.turn(signal);
      }
      await this.tunnelChanges.turn(signal);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      this.#parts.world.log.write("warn", error.code, error.message);
    }
    return pollMs;
  }

  async #farEndTurn(signal: AbortSignal): Promise<number> {
    await this.#farEndPoller.turn(signal);
    this.#parts.evaluateHealth();
    return this.intent.desired.health.pollMs;
  }

  /** The heartbeat of every loop. */
  get heartbeats(): readonly Heartbeat[] {
    return this.#loops.heartbeats;
  }

  async #groupTurn(group: DesiredGroup, signal: AbortSignal): Promise<number> {
    const { memory, readOnly, evaluateHealth } = this.#parts;
    const { pollMs } = this.intent.desired.health;
    if (readOnly()) return pollMs;
    const campaign = openCampaign(memory(), group.name);
    const rotationRunner = this.#rotationRunners.get(group.name);
    if (campaign !== undefined && rotationRunner !== undefined) {
      const turn = (): Promise<number> => rotationRunner.turn(campaign, signal);
      // One that waits gives traffic back in its turn: no set-up beside it may hold that up.
      const isAlone = leaveBeside([campaign.state]) === "none";
      const waitMs = await (isAlone ? this.#withoutEffects(group, turn) : turn());
      const next = openCampaign(memory(), group.name);
      await this.manualDrains(group).turn(signal, next && entryOf(next).name);
      evaluateHealth();
      return waitMs;
    }
    await this.#tend(group, signal);
    return pollMs;
  }

  /** Runs a turn while no effect of the device loops is under way on a device of the group. */
  async #withoutEffects<T>({ links }: DesiredGroup, turn: () => Promise<T>): Promise<T> {
    const own = new Set(links.flatMap(({ device }) => this.#reconcilers.get(device) ?? []));
    let quiet = turn;
    for (const reconciler of own) {
      const inner = quiet;
      quiet = () => reconciler.withoutEffects(inner);
    }
    return await quiet();
  }

  /** No campaign runs: watches the manual drains, and begins what is wanted. */
  async #tend(group: DesiredGroup, signal: AbortSignal): Promise<void> {
    await this.manualDrains(group).turn(signal);
    await this.#beginnings.startWanted(group, signal);
  }

  /** The manual drains of a group. Throws Error if the intent has no such group. */
  manualDrains(group: DesiredGroup): ManualDrains {
    const found = this.#manualDrains.get(group.name);
    if (found === undefined) throw new Error(`no group ${group.name} in the accepted intent`);
    return found;
  }

  #survey(signal: AbortSignal): Promise<KeySurvey> {
    const { memory, world, intent, cloud, readBudget } = this.#parts;
    const vault = cloud.pace === "polled" ? readBudget.vault(this.#parts.vault) : this.#parts.vault;
    const { bindings } = memory();
    const bound = (link: DesiredLink) => named(bindings, linkId(link));
    const asked = { vault, bound, entropy: world.entropy, now: world.clock.wall() };
    return surveyKeys(
      asked,
      intent.desired.groups.flatMap(({ links }) => links),
      signal,
    );
  }

  /** Begins what an operator asks for; undefined = nothing to begin, or it waits. */
  async begin(...asked: Parameters<Beginnings["begin"]>): Promise<Campaign | undefined> {
    return await this.#beginnings.begin(...asked);
  }

  /**
   * Plans the rotation that an operator asks for, with the checks that would stop it; writes
   * nothing.
   */
  async preview(...asked: Parameters<Beginnings["preview"]>): Promise<Plan> {
    return await this.#beginnings.preview(...asked);
  }

  /** The link with this id; undefined = not in the accepted intent. */
  link(id: string): DesiredLink | undefined {
    const links = this.intent.desired.groups.flatMap((group) => group.links);
    return links.find((link) => linkId(link) === id);
  }
}
