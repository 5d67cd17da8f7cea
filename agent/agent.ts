// The agent as one value: the accepted intent, its crew of loops, and what an operator may ask of
// it.

import type { Driver, PeerPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { KeyVault } from "#hal/vault.ts";
import type { Instant, World } from "#hal/world.ts";
import { type Campaign, command, type OperatorVerb } from "./campaign.ts";
import { type Complaint, parseConfig } from "./config/index.ts";
import { Crew } from "./crew.ts";
import {
  type Desired,
  type DesiredGroup,
  type DesiredLink,
  linkId,
  type RiskName,
} from "./desired.ts";
import { adoptionDrift, matchExisting } from "./enrolment.ts";
import { EventRing } from "./events.ts";
import { portFacts } from "./facts.ts";
import type { Intent, IntentStore } from "./intent.ts";
import type { Journal } from "./journal.ts";
import { Judge } from "./judge.ts";
import { Lookout } from "./lookout.ts";
import {
  type Binding,
  emptyMemory,
  type JournalRecord,
  type Memory,
  openCampaign,
  remember,
} from "./memory.ts";
import { type Plan, plan } from "./plan.ts";
import type { Status } from "./status.ts";
import { assertDistinct, boundedVault } from "./vault.ts";

export interface AgentParts {
  readonly world: World;
  readonly drivers: Readonly<Record<string, Driver>>;
  readonly vault: (desired: Desired) => KeyVault;
  readonly peerPort: (desired: Desired, link: DesiredLink) => PeerPort;
  readonly intents: IntentStore;
  readonly journal: Journal;
}

export type ApplyAnswer =
  | { readonly kind: "refused"; readonly complaints: readonly Complaint[] }
  /** The world is not as it was when the plan was shown: look at this one. */
  | { readonly kind: "changed"; readonly plan: Plan }
  | { readonly kind: "busy"; readonly groups: readonly string[] }
  | { readonly kind: "queued" }
  | { readonly kind: "accepted"; readonly number: number; readonly plan: Plan };

export interface ApplyRequest {
  readonly text: string;
  readonly file: string;
  readonly who: string;
  /** The plan that the person agreed to; absent = agreed to whatever it is. */
  readonly shown?: Plan;
  readonly queue: boolean;
}

const queueFile = "queued.yaml";
const recordsMax = 2_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Agent {
  readonly events = new EventRing();
  readonly #parts: AgentParts;
  readonly #startedAt: Instant;
  readonly #graces = new Map<string, Instant>();
  readonly #judge: Judge;
  #memory: Memory;
  #crew: Crew | undefined;
  #stopCrew = new AbortController();
  #queued: { readonly text: string; readonly who: string } | undefined;
  #wakeRun: () => void = () => undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#startedAt = parts.world.clock.now();
    this.#memory = parts.journal.records().reduce(
      // The MAC of each record was checked on opening, so its shape is ours.
      (memory, entry) => remember(memory, entry as unknown as JournalRecord),
      emptyMemory,
    );
    this.#judge = new Judge({ world: parts.world, events: this.events, agent: this });
  }

  get memory(): Memory {
    return this.#memory;
  }

  get crew(): Crew | undefined {
    return this.#crew;
  }

  get journalState(): Journal["state"] {
    return this.#parts.journal.state;
  }

  get intent(): Intent | undefined {
    return this.#parts.intents.current();
  }

  get intents(): IntentStore {
    return this.#parts.intents;
  }

  get journal(): Journal {
    return this.#parts.journal;
  }

  /** Runs until the signal aborts; a broken invariant rejects and ends the process. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#loadQueue();
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
      this.#stopCrew = new AbortController();
      this.#crew = this.#newCrew(intent);
      await this.#crew.run(AbortSignal.any([signal, this.#stopCrew.signal]), signal);
    }
  }

  #newCrew(intent: Intent): Crew {
    const { world, drivers, vault, peerPort } = this.#parts;
    return new Crew(
      {
        world,
        drivers,
        intent,
        vault: boundedVault(vault(intent.desired), world.clock),
        peerPort: (link) => peerPort(intent.desired, link),
        memory: () => this.#memory,
        write: this.write,
        note: this.#note,
        startedAt: this.#startedAt,
        graces: this.#graces,
        judge: () => this.#afterTurn(),
        readOnly: () => this.#parts.journal.state === "corrupt",
      },
      this.#crew?.lookout,
    );
  }

  /** Appends to the journal, then remembers; one record at a time. */
  readonly write = async (record: JournalRecord): Promise<void> => {
    const turn = this.#writing.then(async () => {
      const { journal } = this.#parts;
      await journal.append({ ...record });
      this.#memory = remember(this.#memory, record);
      this.#announce(record);
      if (journal.records().length > recordsMax) {
        await journal.compact({ kind: "snapshot", memory: this.#memory });
      }
    });
    this.#writing = turn.catch(() => undefined);
    await turn;
  };

  #announce(record: JournalRecord): void {
    if (record.kind !== "campaign") return;
    const { campaign } = record;
    const about = `${campaign.group}/${campaign.links[campaign.at]?.name ?? ""}`;
    const at = this.#parts.world.clock.wall();
    this.events.add(at, `campaign-${campaign.state}`, about, campaign.because);
  }

  readonly #note = (campaign: Campaign): void => {
    this.#memory = remember(this.#memory, { kind: "campaign", campaign });
  };

  #afterTurn(): void {
    this.#judge.turn();
    if (this.#queued !== undefined && this.#busyGroups().length === 0) void this.#applyQueued();
  }

  status(): Status {
    return this.#judge.status();
  }

  // ---- intent

  /** The complaints, or the plan of both ends from a fresh look at the devices of that config. */
  async plan(
    text: string,
    file: string,
    signal: AbortSignal,
  ): Promise<{ readonly complaints: readonly Complaint[] } | { readonly plan: Plan }> {
    const parsed = parseConfig(text, file, this.#parts.world.clock.wall());
    if (parsed.kind === "refused") return { complaints: parsed.complaints };
    return { plan: await this.#planFor(parsed.desired, signal) };
  }

  async #planFor(desired: Desired, signal: AbortSignal): Promise<Plan> {
    const { world, drivers, peerPort } = this.#parts;
    const lookout = new Lookout(
      { world, drivers, desired, peerPort: (link) => peerPort(desired, link) },
      undefined,
    );
    const links = desired.groups.flatMap((group) => group.links);
    await Promise.all([
      ...desired.devices.map(({ name }) => lookout.look(name, signal)),
      ...links.map((link) => lookout.lookPeer(link, signal)),
    ]);
    const made = plan({
      desired,
      memory: this.#memory,
      view: (link) => lookout.view(link),
      state: (device) => lookout.state(device),
      capabilities: (device) => lookout.capabilities(device),
    });
    await lookout.close();
    return made;
  }

  /** Refused as a whole if any part is invalid; the intent in force is never lost to a bad one. */
  async apply(request: ApplyRequest, signal: AbortSignal): Promise<ApplyAnswer> {
    const parsed = parseConfig(request.text, request.file, this.#parts.world.clock.wall());
    if (parsed.kind === "refused") return { kind: "refused", complaints: parsed.complaints };
    const fresh = await this.#planFor(parsed.desired, signal);
    if (request.shown !== undefined && !samePlan(request.shown, fresh)) {
      return { kind: "changed", plan: fresh };
    }
    const groups = this.#touchedBusy(parsed.desired);
    if (groups.length > 0) {
      if (!request.queue) return { kind: "busy", groups };
      await this.#queue(request.text, request.who);
      return { kind: "queued" };
    }
    const number = await this.#accept(request.text, request.who);
    return { kind: "accepted", number, plan: fresh };
  }

  async #accept(text: string, who: string): Promise<number> {
    const at = this.#parts.world.clock.wall();
    const intent = await this.#parts.intents.accept(text, who, at);
    this.events.add(at, "intent-accepted", `intent ${intent.number}`, `accepted from ${who}`);
    this.#stopCrew.abort();
    this.#wakeRun();
    return intent.number;
  }

  #busyGroups(): readonly string[] {
    const names = (this.intent?.desired.groups ?? []).map((group) => group.name);
    return names.filter((name) => openCampaign(this.#memory, name) !== undefined);
  }

  /** Groups with a running campaign that the new config would change in any way. */
  #touchedBusy(wanted: Desired): readonly string[] {
    const present = this.intent?.desired;
    return this.#busyGroups().filter(
      (name) =>
        JSON.stringify(groupPart(present, name)) !== JSON.stringify(groupPart(wanted, name)),
    );
  }

  async #queue(text: string, who: string): Promise<void> {
    await this.#parts.world.disk.replace(queueFile, encoder.encode(JSON.stringify({ text, who })));
    this.#queued = { text, who };
  }

  async #loadQueue(): Promise<void> {
    const bytes = await this.#parts.world.disk.read(queueFile);
    if (bytes === undefined || bytes.length === 0) return;
    const value: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof value !== "object" || value === null) return;
    const { text, who } = value as { text?: unknown; who?: unknown };
    if (typeof text === "string" && typeof who === "string") this.#queued = { text, who };
  }

  async #applyQueued(): Promise<void> {
    const queued = this.#queued;
    this.#queued = undefined;
    if (queued === undefined) return;
    const parsed = parseConfig(queued.text, "queued", this.#parts.world.clock.wall());
    if (parsed.kind === "ok") await this.#accept(queued.text, queued.who);
    await this.#parts.world.disk.replace(queueFile, new Uint8Array());
  }

  // ---- campaigns

  /**
   * Begins the enrolment that an operator asks for. Throws with the reason where there is none to
   * begin.
   */
  async enrol(
    target: string,
    who: string,
    risks: readonly RiskName[],
    signal: AbortSignal,
  ): Promise<Campaign> {
    const { crew, group, links } = this.#target(target);
    if (openCampaign(this.#memory, group.name) !== undefined) throw busy(group.name);
    const names = links.map((link) => link.name);
    const begun = await crew.begin(group, { by: who, risks, links: names }, signal);
    if (begun !== undefined) return begun;
    const waiting = crew.waiting(group.name);
    if (waiting !== undefined)
      throw new LinksealError("gate.riskNotAccepted", waiting.text, {
        effect: "none",
        where: group.name,
        next: waiting.next,
      });
    throw refusal(
      "gate.leftoverKey",
      target,
      "no link of it is without a key on both ends",
      `linkseal adopt ${target}`,
    );
  }

  /** Takes links that were protected by hand into the intent; writes to no device. */
  async adopt(
    target: string,
    risks: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly { readonly link: string; readonly binding: Binding }[]> {
    const { crew, links, group } = this.#target(target);
    if (openCampaign(this.#memory, group.name) !== undefined) throw busy(group.name);
    const parts = crew.enrolment();
    const found: { link: string; binding: Binding }[] = [];
    for (const link of links) {
      await crew.lookout.look(link.device, signal);
      await crew.lookout.lookPeer(link, signal);
      if (this.#memory.bindings[linkId(link)] !== undefined) continue;
      const binding = await matchExisting(parts, link, signal);
      const drift = adoptionDrift(parts, link, binding);
      if (drift.length > 0 && !risks.includes("asFound")) {
        throw refusal(
          "gate.riskNotAccepted",
          linkId(link),
          `its settings differ from the config: ${drift.join("; ")} (risk asFound)`,
          `linkseal adopt ${target} --accept-risk=asFound`,
        );
      }
      found.push({ link: linkId(link), binding });
    }
    const others = Object.entries(this.#memory.bindings)
      .filter(([id]) => id.startsWith(`${group.name}/`))
      .map(([, binding]) => binding.key);
    await assertDistinct(
      parts.vault,
      [...others, ...found.map((each) => each.binding.key)],
      signal,
    );
    for (const { link, binding } of found) await this.write({ kind: "binding", link, binding });
    return found;
  }

  /** What an operator says to a campaign. */
  async rotation(verb: OperatorVerb, name: string, who: string): Promise<Campaign> {
    const campaign = openCampaign(this.#memory, name);
    if (campaign === undefined)
      throw refusal("gate.busy", name, "no campaign runs there", "linkseal rotation show");
    const entry = campaign.links[campaign.at];
    const link = this.#crew?.link(`${name}/${entry?.name ?? ""}`);
    const port =
      link === undefined || entry === undefined || this.#crew === undefined
        ? undefined
        : portFacts(this.#crew.lookout.view(link), entry.key, undefined);
    const verdict = command(campaign, verb, port, this.#parts.world.clock.wall());
    if (verdict.kind === "refused")
      throw refusal("gate.busy", name, verdict.why, `linkseal rotation show ${name}`);
    const next = { ...verdict.campaign, because: `${verdict.campaign.because} (${who})` };
    await this.write({ kind: "campaign", campaign: next });
    return next;
  }

  /** Forgets a link: both ends stay as they are, and must-secure is never loosened. */
  async retireLink(id: string): Promise<void> {
    if (this.#memory.bindings[id] === undefined)
      throw refusal("usage", id, "no such link is managed", "linkseal links");
    await this.write({ kind: "forget", link: id });
  }

  #target(target: string): {
    readonly crew: Crew;
    readonly group: DesiredGroup;
    readonly links: readonly DesiredLink[];
  } {
    const crew = this.#crew;
    if (crew === undefined)
      throw refusal("usage", target, "no config has been accepted yet", "linkseal apply FILE");
    const [groupName, linkName] = target.split("/");
    const group = crew.intent.desired.groups.find((each) => each.name === groupName);
    const links =
      group?.links.filter((link) => linkName === undefined || link.name === linkName) ?? [];
    if (group === undefined || links.length === 0) {
      throw refusal(
        "usage",
        target,
        "the accepted intent names no such group or link",
        "linkseal links",
      );
    }
    return { crew, group, links };
  }
}

function samePlan(a: Plan, b: Plan): boolean {
  return JSON.stringify(a.steps) === JSON.stringify(b.steps);
}

/** All that a campaign of this group depends on. */
function groupPart(desired: Desired | undefined, name: string): unknown {
  const group = desired?.groups.find((each) => each.name === name);
  const devices = desired?.devices.filter((device) =>
    group?.links.some((link) => link.device === device.name),
  );
  return { group, devices, azure: desired?.azure, rotation: desired?.rotation };
}

function refusal(
  code: "usage" | "gate.busy" | "gate.leftoverKey" | "gate.riskNotAccepted",
  where: string,
  text: string,
  next: string,
): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next });
}

function busy(group: string): LinksealError {
  return refusal(
    "gate.busy",
    group,
    "a campaign runs on this group",
    `linkseal rotation show ${group}`,
  );
}
