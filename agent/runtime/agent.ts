// The agent as one value: the accepted intent, its loops, and its answers to operators.

import type { PeerPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import { keySizeComplaints } from "../compare/key-size.ts";
import { type ConfigPart, changedSince, type SitePlan } from "../compare/site-plan.ts";
import { tunnelComplaints } from "../compare/tunnel-change.ts";
import { type Complaint, parseConfig } from "../config/index.ts";
import type { ReadDocument } from "../model/azure-document.ts";
import { type Client, clientText } from "../model/client.ts";
import type { Desired, DesiredLink, DesiredTunnel } from "../model/desired.ts";
import { EventRing, type LinksealEvent } from "../model/events.ts";
import { reasonText } from "../model/reason-text.ts";
import { severityOf } from "../model/severity.ts";
import { isWarningCode } from "../model/warning-rows.ts";
import type { RollOver } from "../store/audit/log.ts";
import type { Intent, IntentStore } from "../store/intent/intent.ts";
import { Queued } from "../store/intent/queued.ts";
import type { Journal } from "../store/journal/journal.ts";
import { type JournalRecord, type Memory, named, openCampaign } from "../store/journal/memory.ts";
import { StateWatch, type Unwritten } from "../store/journal/state-watch.ts";
import type { AgentParts, ApplyAnswer, ApplyRequest, Evidence, PageLogin } from "./agent-shapes.ts";
import { PermitCache } from "./campaigns/permit-cache.ts";
import { farEndPort, gatewayKey, gatewayQuery } from "./far-ends.ts";
import { HealthEvaluator } from "./health/health-evaluator.ts";
import { Recorder } from "./health/recorder.ts";
import type { SiteSnapshot } from "./health/site-snapshot.ts";
import type { Status } from "./health/status.ts";
import { MemoryKeeper } from "./memory-keeper.ts";
import { dropOldTexts } from "./old-texts.ts";
import { OperatorCommands } from "./operator-commands.ts";
import { answeredAlready, configPart, planSite, touchedGroups } from "./planner.ts";
import { DeviceCache } from "./polling/device-cache.ts";
import { FarEndWrites } from "./polling/far-end-writes.ts";
import { KeyedMutex } from "./polling/keyed-mutex.ts";
import { LoginLimiter } from "./polling/login-limiter.ts";
import { LoopLag } from "./polling/loop-lag.ts";
import { ReadBudget } from "./polling/read-budget.ts";
import { boundedVault } from "./polling/vault.ts";
import type { Heartbeat } from "./polling/watchdog.ts";
import { Proposals } from "./proposals.ts";
import { acceptQueued } from "./queued-config.ts";
import { Supervisor } from "./supervisor.ts";
import { blockAccepted } from "./tunnels/tunnel-blocks.ts";

/** Logins at once before the first config is accepted, for its plan. */
const firstLogins = 16;

/** The agent: it serves the accepted intent and answers operators. */
export class Agent {
  /** The events since the start. */
  readonly events = new EventRing();
  /** The config file on the host as the process last read it; only ever compared. */
  fileText: string | undefined;
  /** The way in to the status page, set by the page's server; undefined = none runs. */
  pageLogin: PageLogin | undefined;
  readonly #parts: AgentParts;
  readonly #startedAt: Instant;
  readonly #farEndWrites: FarEndWrites;
  readonly #mutex = new KeyedMutex();
  readonly #logins: LoginLimiter;
  readonly #readBudget: ReadBudget;
  readonly #healthEvaluator: HealthEvaluator;
  readonly #recorder: Recorder;
  readonly #watch: StateWatch;
  /** The operator's commands. */
  readonly commands: OperatorCommands;
  /** The signed proposal that the engine has for this site. */
  readonly proposals: Proposals;
  readonly #keeper: MemoryKeeper;
  /** The permits of a hub, for the campaigns that wait for them. */
  readonly permits: PermitCache;
  /** How late the timers of this process ring, measured by the process itself. */
  readonly loopLag = new LoopLag();
  #supervisor: Supervisor | undefined;
  #stopSupervisor = new AbortController();
  readonly #queued: Queued;
  #applying = false;
  #wakeRun: () => void = () => undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#startedAt = parts.world.clock.now();
    this.#queued = new Queued(parts.world.disk);
    const { clock } = parts.world;
    this.#farEndWrites = new FarEndWrites(clock);
    this.#readBudget = new ReadBudget(clock);
    const loginsMax = (): number => this.intent?.desired.limits.loginsAtOnce ?? firstLogins;
    this.#logins = new LoginLimiter(clock, loginsMax);
    this.#keeper = new MemoryKeeper({
      ...{ journal: parts.journal, log: parts.world.log },
      written: (record, seq, before) => {
        this.#recorder.journaled(record, seq);
        this.#announce(record, before);
      },
    });
    this.#recorder = new Recorder({
      ...{ world: parts.world, log: parts.audit, keyId: parts.signer.keyId },
      journal: parts.journal.records(),
    });
    this.#watch = new StateWatch(parts.journal, () => this.auditTrouble);
    this.events.listen((event) => this.#recordWarning(event));
    this.#healthEvaluator = new HealthEvaluator({
      ...{ world: parts.world, events: this.events, agent: this },
      judged: (observed, settings) => {
        this.#recorder.turn(observed, settings);
        void this.#watch.probe();
      },
    });
    this.proposals = new Proposals(this, parts.world);
    this.permits = new PermitCache({ clock, intents: parts.intents });
    this.commands = new OperatorCommands({
      world: parts.world,
      mutex: this.#mutex,
      memory: () => this.memory,
      supervisor: (target) => this.#supervisorFor(target),
      write: this.write,
      refuseDamaged: () => this.#refuseDamaged(),
    });
  }

  /** The state that the journal's records add up to. */
  get memory(): Memory {
    return this.#keeper.memory;
  }

  /** The supervisor's loops; undefined = no intent is in force. */
  get supervisor(): Supervisor | undefined {
    return this.#supervisor;
  }

  /** Heartbeats of the loops, for the watchdog; none without an intent. */
  get heartbeats(): readonly Heartbeat[] {
    return this.#supervisor?.heartbeats ?? [];
  }

  /** How the journal ended when it was last read, such as `whole` or `corrupt`. */
  get journalState(): Journal["state"] {
    return this.#parts.journal.state;
  }

  /** The intent in force; undefined = none was accepted, or `intentDamage` is the reason. */
  get intent(): Intent | undefined {
    const current = this.#intentOrDamage();
    return current instanceof LinksealError ? undefined : current;
  }

  /** Why the newest accepted config is not in force: meanwhile nothing is observed or changed. */
  get intentDamage(): LinksealError | undefined {
    const current = this.#intentOrDamage();
    return current instanceof LinksealError ? current : undefined;
  }

  #intentOrDamage(): Intent | LinksealError | undefined {
    try {
      return this.#parts.intents.current();
    } catch (error) {
      if (error instanceof LinksealError) return error;
      throw error;
    }
  }

  /** The accepted configs. */
  get intents(): IntentStore {
    return this.#parts.intents;
  }

  /** The durable record of effects. */
  get journal(): Journal {
    return this.#parts.journal;
  }

  /** The audit records and the signer of the reports that are made of them. */
  get evidence(): Evidence {
    const { signer, host, audit } = this.#parts;
    const recorder = this.#recorder;
    return { signer, host, audit, read: () => recorder.read(), head: () => recorder.head() };
  }

  /**
   * Returns a reader of Azure documents for reports, which waits for their budget; undefined = the
   * config's cloud has none.
   */
  azureReader(desired: Desired): ReadDocument | undefined {
    const { document } = this.#parts.clouds(desired.azure);
    return document === undefined ? undefined : this.#readBudget.document(document);
  }

  /** Returns a reader of the vault that a config names. */
  vaultReader(desired: Desired): KeyVault {
    return this.#parts.clouds(desired.azure).vault;
  }

  /** Why the audit log takes no records now; undefined = it takes them. */
  get auditTrouble(): LinksealError | undefined {
    return this.#recorder.trouble;
  }

  /** The last compaction of the journal. */
  get compaction(): Pick<MemoryKeeper, "trouble"> {
    return this.#keeper;
  }

  /** What of the audit log is overwritten next. */
  rollOver(wall: WallTime): RollOver | undefined {
    return this.#parts.audit.rollOver(wall);
  }

  /** True while a config waits for the end of campaigns. */
  get isQueued(): boolean {
    return this.#queued.config !== undefined;
  }

  /** The files of the state folder that cannot be written now. */
  get unwritten(): readonly Unwritten[] {
    return this.#watch.unwritten;
  }

  /**
   * Records a request over a socket that changed something, or may have. Resolves once the record
   * is durable in the audit log; or to the reason why not, while it waits for room.
   */
  async asked(
    ...[client, request, about, outcome]: readonly [Client, string, string, string]
  ): Promise<LinksealError | undefined> {
    const text = `${request}: ${outcome}`;
    const who = clientText(client);
    return await this.#recorder.recorded({ what: "asked", about, who, client, text });
  }

  /** Counts a request over a socket that had no effect; its record is not awaited. */
  refused(client: Client, request: string, about: string, why: string): void {
    this.#recorder.refused({ about, client, text: `${request}: ${why}` });
  }

  #recordWarning({ code, about, text, over }: LinksealEvent): void {
    if (!isWarningCode(code) || severityOf(code) === "info") return;
    const what = over === true ? "over" : "warning";
    this.#recorder.changed({ what, about, who: null, text: `${code}: ${text}` });
  }

  /** Writes the last audit record of a process that ends in good order. */
  async close(): Promise<void> {
    await this.#recorder.end();
  }

  /** Runs until the signal aborts; rejects if an invariant is broken, which ends the process. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#open();
    this.#recorder.begin();
    const ended = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    while (!signal.aborted) {
      const intent = this.intent;
      if (intent === undefined) {
        const woken = new Promise<void>((resolve) => {
          this.#wakeRun = resolve;
        });
        await Promise.race([woken, ended]);
        continue;
      }
      this.#stopSupervisor = new AbortController();
      this.#supervisor = this.#newSupervisor(intent);
      await this.#supervisor.run(AbortSignal.any([signal, this.#stopSupervisor.signal]), signal);
    }
  }

  async #open(): Promise<void> {
    const { log } = this.#parts.world;
    if ((await this.#queued.load()) === "damaged") {
      log.write("warn", "queue-damaged", "the config that waited for its turn cannot be read");
    }
    const damage = this.intentDamage;
    if (damage !== undefined) log.write("error", damage.code, damage.message);
  }

  #newSupervisor(intent: Intent): Supervisor {
    const { groups, tunnels } = intent.desired;
    this.events.keepFor(groups.flatMap(({ links }) => links).length + tunnels.length);
    const { world, drivers, clouds } = this.#parts;
    const cloud = clouds(intent.desired.azure);
    return new Supervisor(
      {
        ...{ world, drivers, intent, cloud },
        vault: boundedVault(cloud.vault, world.clock),
        peerPort: (link) => this.#peerPort(intent.desired, link),
        gateway: (tunnel) => gatewayQuery(cloud, tunnel),
        memory: () => this.memory,
        write: this.write,
        note: (campaign) => this.#keeper.note({ kind: "campaign", campaign }),
        report: (code, about, text, severity) =>
          this.events.add(world.clock.wall(), code, about, text, { severity }),
        startedAt: this.#startedAt,
        farEndWrites: this.#farEndWrites,
        evaluateHealth: () => this.#afterTurn(),
        alarm: (link) => this.#healthEvaluator.alarm(link),
        onDecision: this.#parts.onDecision,
        permits: this.permits,
        readOnly: () => this.#parts.journal.state === "corrupt",
        ...{ mutex: this.#mutex, logins: this.#logins, readBudget: this.#readBudget },
        made: this.made,
        gatewayKey: (tunnel) => gatewayKey(cloud, tunnel),
      },
      this.#supervisor,
    );
  }

  /** A tunnel as it was last applied, by the config in force at that time. */
  readonly made = (name: string): DesiredTunnel | undefined => {
    const number = named(this.memory.tunnels, name);
    if (number === undefined) return undefined;
    const desired = this.#parts.intents.desired(number);
    return desired?.tunnels.find((tunnel) => tunnel.name === name);
  };

  #peerPort(desired: Desired, link: DesiredLink): PeerPort {
    const { azure } = desired;
    const [cloud, writes] = [this.#parts.clouds(azure), this.#farEndWrites];
    return farEndPort({ desired, cloud, memory: () => this.memory, writes }, link);
  }

  /** Appends to the journal, then updates the memory; one record at a time. */
  readonly write = (record: JournalRecord): Promise<void> => this.#keeper.write(record);

  /**
   * Until the loss of a damaged journal is accepted, or a damaged index of configs restored, the
   * agent only observes.
   */
  #refuseDamaged(): void {
    const { damage } = this.#parts.intents;
    if (damage !== undefined) throw damage;
    if (this.#parts.journal.state !== "corrupt") return;
    throw new LinksealError("journal.corrupt", "the journal is damaged: nothing is changed", {
      effect: "none",
      where: "journal",
      next: "linkseal journal accept-loss",
    });
  }

  #announce(record: JournalRecord, before: Memory): void {
    if (record.kind !== "campaign") return;
    const { campaign } = record;
    const last = named(before.campaigns, campaign.group);
    if (last?.state === campaign.state && last.at === campaign.at) return;
    const about = `${campaign.group}/${campaign.links[campaign.at]?.name ?? ""}`;
    const at = this.#parts.world.clock.wall();
    this.events.add(at, `campaign-${campaign.state}`, about, reasonText(campaign.reason));
  }

  #supervisorFor(target: string): Supervisor {
    if (this.#supervisor !== undefined) return this.#supervisor;
    if (this.intentDamage !== undefined) throw this.intentDamage;
    const [code, text, next] =
      this.intent === undefined
        ? (["usage", "no config has been accepted yet", "linkseal apply FILE"] as const)
        : (["gate.busy", "the agent has only just begun", "linkseal status"] as const);
    throw new LinksealError(code, text, { effect: "none", where: target, next });
  }

  #afterTurn(): void {
    this.#healthEvaluator.turn();
    if (this.#queued.config === undefined || this.#applying || this.#busyGroups().length > 0)
      return;
    if (this.#parts.journal.state === "corrupt") return;
    this.#applying = true;
    void acceptQueued({
      ...{ queued: this.#queued, log: this.#parts.world.log, inForce: this.intent?.text },
      isValid: (text) => !("complaints" in this.#read({ text, file: "queued" })),
      accept: (text, who) => this.#accept(text, who),
    }).finally(() => {
      this.#applying = false;
    });
  }

  /** Takes a snapshot of the site from the newest observations. */
  snapshot(): SiteSnapshot {
    return this.#healthEvaluator.snapshot();
  }

  /** Returns the status of a snapshot. */
  status(): Status {
    return this.snapshot().status;
  }

  // ---- intent

  /** Returns the complaints, or the plan of a config from fresh observations. */
  async plan(
    text: string,
    file: string,
    signal: AbortSignal,
  ): Promise<{ readonly complaints: readonly Complaint[] } | { readonly plan: SitePlan }> {
    const read = this.#read({ text, file });
    if ("complaints" in read) return read;
    return { plan: await this.#planFor(text, read.desired, signal) };
  }

  /** Returns the complaints, or the settings in which a config differs from the one in force. */
  compare(
    text: string,
    file: string,
  ): { readonly complaints: readonly Complaint[] } | { readonly config: ConfigPart } {
    // What is in force stays valid, also under rules that came after it.
    if (text === this.intent?.text) return { config: configPart(this.intent, text) };
    const read = this.#read({ text, file });
    return "complaints" in read ? read : { config: configPart(this.intent, text) };
  }

  #read(
    config: Pick<ApplyRequest, "text" | "file">,
  ): { readonly complaints: readonly Complaint[] } | { readonly desired: Desired } {
    const parsed = parseConfig(config.text, config.file, this.#parts.world.clock.wall());
    if (parsed.kind === "refused") return { complaints: parsed.complaints };
    const keys = keySizeComplaints(parsed.desired, this.memory.bindings, config);
    const complaints = [...keys, ...tunnelComplaints(parsed.desired, this.made, config)];
    return complaints.length > 0 ? { complaints } : { desired: parsed.desired };
  }

  async #planFor(text: string, desired: Desired, signal: AbortSignal): Promise<SitePlan> {
    const { world } = this.#parts;
    const deviceCache = this.#freshDeviceCache(desired);
    const { intent, made } = this;
    const accepted = (number: number): Desired | undefined => this.intents.desired(number);
    const parts = { world, memory: () => this.memory, made, intent, accepted, deviceCache };
    return await planSite(parts, { text, desired }, signal);
  }

  /**
   * Accepts a config, or refuses all of it and keeps the intent in force.
   * @throws LinksealError `journal.corrupt`, or an error of the state folder.
   */
  async apply(request: ApplyRequest, signal: AbortSignal): Promise<ApplyAnswer> {
    const read = this.#read(request);
    if ("complaints" in read) return { kind: "refused", complaints: read.complaints };
    this.#refuseDamaged();
    const already = answeredAlready(request, this.intent, this.#queued.config);
    if (already !== undefined && request.shown === undefined) return already;
    const fresh = await this.#planFor(request.text, read.desired, signal);
    const since = request.shown === undefined ? [] : changedSince(request.shown, fresh);
    if (since.length > 0) return { kind: "changed", since, plan: fresh };
    if (already !== undefined) return already;
    const groups = touchedGroups(this.#busyGroups(), this.intent?.desired, read.desired);
    if (groups.length > 0) {
      if (!request.queue) return { kind: "busy", groups };
      await this.#queued.put({ text: request.text, who: request.who });
      return { kind: "queued" };
    }
    await request.instead?.begin();
    // A config that was queued earlier is older than the one just agreed to.
    await this.#queued.drop();
    const number = await this.#accept(request.text, request.who, request.instead?.of);
    return { kind: "accepted", number, plan: fresh };
  }

  async #accept(text: string, who: string, after?: number): Promise<number> {
    const at = this.#parts.world.clock.wall();
    const { intents } = this.#parts;
    const intent = await this.#watch.storing(() => intents.accept(text, who, at, after));
    await dropOldTexts(intents, this.memory, this.#parts.world.log);
    const acceptedText = `config ${intent.number} accepted, SHA-256 ${intent.sha256}`;
    this.#recorder.changed({
      what: "intent",
      about: `intent ${intent.number}`,
      who,
      text: acceptedText,
    });
    this.events.add(at, "intent-accepted", `intent ${intent.number}`, `accepted from ${who}`);
    const { world, drivers } = this.#parts;
    const { desired } = intent;
    const deviceCache = this.#freshDeviceCache(desired);
    const parts = { world, drivers, desired, deviceCache, made: this.made };
    await blockAccepted({ ...parts, memory: () => this.memory }, new AbortController().signal);
    this.#stopSupervisor.abort();
    this.#wakeRun();
    return intent.number;
  }

  #freshDeviceCache(desired: Desired): DeviceCache {
    const { world, drivers } = this.#parts;
    const peerPort = (link: DesiredLink): PeerPort => this.#peerPort(desired, link);
    const logins = this.#logins;
    const farEndWrites = this.#farEndWrites;
    return new DeviceCache({ world, drivers, desired, peerPort, farEndWrites, logins }, undefined);
  }

  #busyGroups(): readonly string[] {
    const names = (this.intent?.desired.groups ?? []).map((group) => group.name);
    return names.filter((name) => openCampaign(this.memory, name) !== undefined);
  }
}
