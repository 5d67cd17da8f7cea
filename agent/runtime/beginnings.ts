// Begins campaigns: what the accepted intent or a policy demands, and what an operator asks for,
// only so many at once.

import { LinksealError } from "#hal/error.ts";
import type { Plan } from "../compare/plan.ts";
import type { Campaign } from "../model/campaign.ts";
import { type DesiredGroup, type DesiredLink, linkId, type RiskName } from "../model/desired.ts";
import { jitterMs } from "../rotation/policy.ts";
import type { Alarm } from "../rotation/sibling.ts";
import { type JournalRecord, named, openCampaign } from "../store/journal/memory.ts";
import {
  type Asked,
  type Beginning,
  type BeginParts,
  cannotBegin,
  type Waiting,
} from "./campaigns/begin.ts";
import { declaredBy } from "./campaigns/declare.ts";
import { beginEnrolment } from "./campaigns/enrolment.ts";
import { previewRotation } from "./campaigns/preview.ts";
import { beginChange, beginRotation } from "./campaigns/rotation.ts";

/** The interval in milliseconds between two queries for newer keys; up to a fifth is added. */
const policyMs = 300_000;
/** Groups query for the first time within this many milliseconds times the number of groups. */
const firstPolicyMs = 1_000;
/** The interval in milliseconds at which one group after the other asks if the vault answers. */
const watchMs = 30_000;
/** The delay in milliseconds after a failed vault query; it doubles from `least` to `most`. */
const vaultWaitMs = { least: 30_000, most: 600_000 };

export interface BeginningsParts extends BeginParts {
  readonly write: (record: JournalRecord) => Promise<void>;
  readonly acceptsRisk: (risk: RiskName) => boolean;
  /** Why health advises against relying on a link; undefined = no reason. */
  readonly alarm: (link: DesiredLink) => Alarm | undefined;
  /** Addresses that the agent itself must reach. */
  readonly managementAddresses: readonly string[];
}

/** As if an open campaign had ended like this. */
const withoutOpen = (parts: BeginParts, ended: Campaign): BeginParts => ({
  ...parts,
  memory: () => {
    const memory = parts.memory();
    return { ...memory, campaigns: { ...memory.campaigns, [ended.group]: ended } };
  },
});

/** The beginnings of the campaigns of one accepted intent. */
export class Beginnings {
  readonly #parts: BeginningsParts;
  readonly #waiting = new Map<string, Waiting>();
  /** When the vault is queried again, and when a due rotation begins, by group. */
  readonly #policyAt = new Map<string, number>();
  readonly #beginAt = new Map<string, number>();
  readonly #vaultRetry = new Map<string, { at: number; waitMs: number }>();
  /** When a group asks if the vault answers, and the groups whose last question failed. */
  readonly #watchAt = new Map<string, number>();
  readonly #refused = new Set<string>();
  /** Groups whose first record is being written: they count as campaigns already. */
  readonly #beginning = new Set<string>();

  constructor(parts: BeginningsParts) {
    this.#parts = parts;
  }

  /** Why links of a group that need a key get none; undefined = nothing waits. */
  waiting(group: string): Waiting | undefined {
    return this.#waiting.get(group);
  }

  /** Level-triggered: begins whatever the accepted intent demands and no observation shows. */
  async startWanted(group: DesiredGroup, signal: AbortSignal): Promise<void> {
    const now = this.#parts.world.clock.now();
    const retry = this.#vaultRetry.get(group.name);
    if (retry !== undefined && now < retry.at) return;
    try {
      await this.#accept(group, await this.#wanted(group, signal));
      this.#vaultRetry.delete(group.name);
    } catch (error) {
      if (!(error instanceof LinksealError)) throw error;
      const waitMs = Math.min(vaultWaitMs.most, 2 * (retry?.waitMs ?? vaultWaitMs.least / 2));
      this.#vaultRetry.set(group.name, { at: now + waitMs + this.#jitter(waitMs / 5), waitMs });
      const { code, message, next } = error;
      this.#wait(group, { code, refusal: code, text: message, next });
    }
  }

  /**
   * Begins what an operator asks for; undefined = nothing to begin, or it waits. `ended`: an open
   * campaign of the group as it ends if this one begins; else it stays as it is.
   * @throws LinksealError `vault.*`, or why nothing takes the place of `ended`
   */
  async begin(
    group: DesiredGroup,
    kind: "enrol" | "rotate",
    asked: Asked,
    signal: AbortSignal,
    ended?: Campaign,
  ): Promise<Campaign | undefined> {
    const { acceptsRisk } = this.#parts;
    if (kind === "rotate") {
      const parts = ended === undefined ? this.#parts : withoutOpen(this.#parts, ended);
      const rotation = await beginRotation(parts, group, { asked, acceptsRisk }, signal);
      if (rotation.kind === "waiting" && ended !== undefined) {
        const { refusal, text, next } = rotation.waiting;
        throw cannotBegin(refusal, group.name, text, next);
      }
      if (rotation.kind === "begin" && ended !== undefined) {
        await this.#parts.write({ kind: "campaign", campaign: ended });
      }
      // Declared first: what ends the process in between leaves an error and no key in doubt.
      if (rotation.kind === "begin") await this.#declare(group, rotation.campaign, asked);
      return await this.#accept(group, rotation);
    }
    const enrolment = await beginEnrolment(this.#parts, group, asked, acceptsRisk, signal);
    if (enrolment.kind !== "nothing") return await this.#accept(group, enrolment);
    return await this.#accept(group, beginChange(this.#parts, group, { asked, acceptsRisk }));
  }

  async #declare(group: DesiredGroup, campaign: Campaign, asked: Asked): Promise<void> {
    const { memory, world, write } = this.#parts;
    const declared = declaredBy(memory(), group, campaign, asked, world.clock.wall());
    for (const key of declared) await write({ kind: "compromised", key });
  }

  /**
   * Plans the rotation that an operator asks for, with the checks that would stop it; writes
   * nothing.
   */
  async preview(group: DesiredGroup, asked: Asked, signal: AbortSignal): Promise<Plan> {
    const full = asked.urgency === "emergency" ? undefined : this.#full(group);
    return await previewRotation({ ...this.#parts, full }, group, asked, signal);
  }

  /** Why no campaign may begin on the group besides those that are open; undefined = one may. */
  #full({ name }: DesiredGroup): Waiting | undefined {
    const { desired, memory } = this.#parts;
    const { campaignsAtOnce } = desired.limits;
    const open = desired.groups.filter(
      (group) =>
        group.name !== name &&
        (this.#beginning.has(group.name) || openCampaign(memory(), group.name) !== undefined),
    );
    if (open.length < campaignsAtOnce) return undefined;
    return {
      code: "campaign-waiting",
      refusal: "gate.busy",
      text: `as many campaigns are open as rotation.atOnce allows (${campaignsAtOnce})`,
      next: "linkseal rotation show",
    };
  }

  #wait(group: DesiredGroup, waiting: Waiting): void {
    if (this.#waiting.get(group.name)?.text !== waiting.text) {
      this.#parts.world.log.write("warn", waiting.code, waiting.text, { group: group.name });
    }
    this.#waiting.set(group.name, waiting);
  }

  /**
   * The campaign that the intent or a policy begins now, in this order: first keys, settings, new
   * keys. While none may begin, the vault is not asked for it.
   */
  async #wanted(group: DesiredGroup, signal: AbortSignal): Promise<Beginning> {
    const { acceptsRisk, memory } = this.#parts;
    const { bindings } = memory();
    const isNew = group.links.some((link) => named(bindings, linkId(link)) === undefined);
    const full = isNew ? this.#full(group) : undefined;
    if (full !== undefined) return { kind: "waiting", waiting: full };
    const enrolment = await beginEnrolment(this.#parts, group, undefined, acceptsRisk, signal);
    if (enrolment.kind !== "nothing") return enrolment;
    const change = beginChange(this.#parts, group, { asked: undefined, acceptsRisk });
    if (change.kind !== "nothing") return change;
    await this.#watchVault(group, signal);
    return await this.#rotationDue(group, signal);
  }

  /**
   * Asks whether the vault still answers, because rotations are months apart and an operator wants
   * to know at once. The groups take turns, so that a site sends one such request each half minute,
   * however many groups it has. No value is read.
   * @throws LinksealError `vault.*` if it does not
   */
  async #watchVault({ name, links }: DesiredGroup, signal: AbortSignal): Promise<void> {
    const { world, vault, desired } = this.#parts;
    const now = world.clock.now();
    if (now < (this.#watchAt.get(name) ?? this.#firstWatchAt(name, now))) return;
    // A retry after the growing delay asks again, and what waited before is looked up anew.
    const wasRefused = this.#refused.delete(name);
    try {
      for (const { key } of links.slice(0, 1)) await vault.versions(key.cak, signal);
    } catch (error) {
      this.#refused.add(name);
      throw error;
    }
    this.#watchAt.set(name, now + watchMs * desired.groups.length);
    if (!wasRefused) return;
    this.#waiting.delete(name);
    this.#policyAt.delete(name);
  }

  #firstWatchAt(name: string, now: number): number {
    const index = this.#parts.desired.groups.findIndex((group) => group.name === name);
    const at = now + watchMs * (index + 1);
    this.#watchAt.set(name, at);
    return at;
  }

  #jitter(mostMs: number): number {
    return jitterMs(this.#parts.world.entropy.bytes(4), mostMs);
  }

  /** Groups that query together at the start would query together for ever. */
  #firstPolicyAt(name: string, now: number): number {
    const at = now + this.#jitter(firstPolicyMs * this.#parts.desired.groups.length);
    this.#policyAt.set(name, at);
    return at;
  }

  /**
   * Begins at random within some minutes, so that one new key in the vault does not start every
   * group.
   */
  async #rotationDue(group: DesiredGroup, signal: AbortSignal): Promise<Beginning> {
    const { clock, entropy } = this.#parts.world;
    const now = clock.now();
    const { name } = group;
    const beginAt = this.#beginAt.get(name);
    if (group.rotate.on === "hand") return { kind: "nothing" };
    if (now < (beginAt ?? this.#policyAt.get(name) ?? this.#firstPolicyAt(name, now))) {
      const waiting = this.#waiting.get(name);
      return waiting === undefined ? { kind: "nothing" } : { kind: "waiting", waiting };
    }
    const full = beginAt === undefined ? undefined : this.#full(group);
    if (full !== undefined) return { kind: "waiting", waiting: full };
    const accepting = { asked: undefined, acceptsRisk: this.#parts.acceptsRisk };
    const due = await beginRotation(this.#parts, group, accepting, signal);
    this.#policyAt.set(name, now + policyMs + this.#jitter(policyMs / 5));
    if (due.kind !== "begin") {
      this.#beginAt.delete(name);
      return due;
    }
    if (beginAt !== undefined) {
      this.#beginAt.delete(name);
      return due;
    }
    this.#beginAt.set(name, now + jitterMs(entropy.bytes(4)));
    return { kind: "nothing" };
  }

  /** Writes the beginning to the journal before anything else happens. */
  async #accept(group: DesiredGroup, beginning: Beginning): Promise<Campaign | undefined> {
    switch (beginning.kind) {
      case "nothing":
        this.#waiting.delete(group.name);
        return undefined;
      case "waiting":
        this.#wait(group, beginning.waiting);
        return undefined;
      case "begin":
        return await this.#open(group, beginning.campaign);
    }
  }

  async #open(group: DesiredGroup, campaign: Campaign): Promise<Campaign | undefined> {
    const full = campaign.urgency === "emergency" ? undefined : this.#full(group);
    if (full !== undefined) {
      this.#wait(group, full);
      return undefined;
    }
    this.#waiting.delete(group.name);
    this.#beginning.add(group.name);
    try {
      await this.#parts.write({ kind: "campaign", campaign });
    } finally {
      this.#beginning.delete(group.name);
    }
    return campaign;
  }
}
