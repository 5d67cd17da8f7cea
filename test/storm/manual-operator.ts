// The manual operator of a simulated site: begins rotations, changes the far end when asked,
// repairs what a reason complains about; careless while faults strike, careful afterwards.

import { type Campaign, entryOf } from "#agent/model/campaign.ts";
import type { RiskName } from "#agent/model/desired.ts";
import type { OperatorVerb } from "#agent/rotation/verbs.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import type { Prng } from "#sim/base/prng.ts";
import { pointAtForeignPair } from "#sim/faults/manual-operators.ts";
import type { SiteLink } from "#sim/site/site.ts";
import { holds, matchFarEnd, pointFarEnd, putAgain, putRight } from "./mending.ts";
import { causeOf } from "./reason-checker.ts";
import type { StormRun } from "./storm-run.ts";

export type Wanted = "nothing" | "rotation" | "emergency";

export interface PersonParts {
  readonly run: StormRun;
  readonly prng: Prng;
  /** The risks that are accepted by name with every rotation. */
  readonly risks: readonly RiskName[];
}

/** The operator's tasks for one group. */
interface GroupNotes {
  wanted: Wanted;
  /**
   * The state of the campaign that was seen last, and the time by which the operator reacts to it.
   */
  lastState: string;
  dueAt: number;
  /** The number of repairs of a stopped campaign since the operator became careful. */
  tries: number;
}

/** The operator resumes this often, then reverts to the old key, and in the end gives up. */
const tries = { resume: 3, revert: 8 };

type Temper = "careless" | "careful";

const who = "person";
const tickMs = { careless: { low: 5_000, high: 30_000 }, careful: { low: 5_000, high: 15_000 } };
/**
 * Delays in milliseconds: most operators answer in minutes, some after lunch; one who is asked to
 * act "now" is already there.
 */
const answerMs = { low: 5_000, high: 90_000 };
const promptMs = { low: 3_000, high: 12_000 };
const lunchMs = { low: 1_200_000, high: 5_400_000 };

/** What asks the person to change the far end at once. */
const asksNow: readonly string[] = [
  "draining.validated",
  "staged.tellPerson",
  "switching.personWaits",
];

export class ManualOperator {
  readonly #parts: PersonParts;
  readonly #allNotes = new Map<string, GroupNotes>();
  /**
   * A signal of this operator alone: a call that still waits at the end of a run keeps only this
   * one alive.
   */
  readonly #never = new AbortController().signal;
  #temper: Temper = "careless";
  #away = true;

  constructor(parts: PersonParts) {
    this.#parts = parts;
    this.#later();
  }

  want(group: string, wanted: Wanted): void {
    this.#notes(group).wanted = wanted;
  }

  wants(group: string): Wanted {
    return this.#notes(group).wanted;
  }

  /** Changes the operator's manner; `away` means that the agent's requests get no answer. */
  become(temper: Temper | "away"): void {
    this.#away = temper === "away";
    if (temper === "away") return;
    this.#temper = temper;
    for (const notes of this.#allNotes.values()) Object.assign(notes, { lastState: "", tries: 0 });
  }

  #notes(group: string): GroupNotes {
    const known = this.#allNotes.get(group);
    if (known !== undefined) return known;
    const notes: GroupNotes = { wanted: "nothing", lastState: "", dueAt: 0, tries: 0 };
    this.#allNotes.set(group, notes);
    return notes;
  }

  #later(): void {
    const { run, prng } = this.#parts;
    const { clock } = run.stormSite.site;
    const { low, high } = tickMs[this.#temper];
    clock.after(prng.between(low, high), () => {
      this.#tick();
      this.#later();
    });
  }

  #tick(): void {
    const { agent, stormSite } = this.#parts.run;
    if (this.#away || agent?.supervisor === undefined) return;
    stormSite.site.clock.wake();
    for (const group of stormSite.site.groups) {
      // A refused request is not possible now; the operator will see that, and try again.
      this.#attend(agent, group).catch(unlessRefused);
    }
  }

  async #attend(agent: Agent, group: string): Promise<void> {
    const notes = this.#notes(group);
    const campaign = openCampaign(agent.memory, group);
    if (campaign === undefined) return await this.#begin(agent, group, notes);
    if (!this.#isDue(campaign, notes)) return;
    switch (campaign.state) {
      case "awaitingPeer":
        return await this.#answer(agent, group, campaign);
      case "switching":
        if (asksNow.includes(campaign.reason.code)) this.#moveFarEnd(group, campaign);
        return;
      case "held":
        return await this.#unhold(agent, group, campaign);
      case "gated":
        return await this.#ungate(agent, group, campaign);
      case "queued":
      case "draining":
      case "staging":
      case "staged":
      case "proving":
      case "promoting":
      case "retiring":
      case "restoring":
      case "reverting":
      case "done":
        return;
    }
  }

  #isDue({ at, state, since }: Campaign, notes: GroupNotes): boolean {
    const { run, prng } = this.#parts;
    const now = run.stormSite.site.clock.now();
    const lastState = `${at} ${state} ${since}`;
    if (notes.lastState !== lastState) {
      notes.lastState = lastState;
      notes.dueAt = now + this.#delayMs(prng, state);
    }
    if (now < notes.dueAt) return false;
    notes.dueAt = now + this.#delayMs(prng, state);
    return true;
  }

  #delayMs(prng: Prng, state: Campaign["state"]): number {
    if (this.#temper === "careful") return prng.between(2_000, 20_000);
    if (state === "gated") return prng.between(20_000, 600_000);
    const usualMs = state === "switching" ? promptMs : answerMs;
    const { low, high } = prng.chance(0.02) ? lunchMs : usualMs;
    return prng.between(low, high);
  }

  #isCareless(chance: number): boolean {
    return this.#temper === "careless" && this.#parts.prng.chance(chance);
  }

  async #begin(agent: Agent, group: string, notes: GroupNotes): Promise<void> {
    if (this.#temper === "careful") await this.#tidyUp(agent, group).catch(unlessRefused);
    if (notes.wanted === "nothing") return;
    const urgency = notes.wanted === "emergency" ? "emergency" : "planned";
    const asked = { by: who, risks: this.#parts.risks, urgency } as const;
    await agent.commands.rotate(group, asked, this.#never);
    notes.wanted = "nothing";
  }

  async #answer(agent: Agent, group: string, campaign: Campaign): Promise<void> {
    if (this.#isCareless(0.08)) return await this.#say(agent, group, "revert");
    if (this.#isCareless(0.04)) return await this.#say(agent, group, "abandon");
    if (this.#isCareless(0.15)) return this.#moveFarEnd(group, campaign);
    await this.#say(agent, group, "proceed");
  }

  /**
   * Sets the far end of the link under way as the campaign wants it, and sometimes with a wrong
   * key.
   */
  #moveFarEnd(group: string, campaign: Campaign): void {
    const link = this.#link(group, campaign);
    if (link === undefined) return;
    if (this.#isCareless(0.1)) {
      pointAtForeignPair(this.#parts.run.stormSite.site, link);
      return;
    }
    const entry = entryOf(campaign);
    pointFarEnd(link, campaign.goal === "revert" ? (entry.old ?? entry.new) : entry.new);
  }

  #link(group: string, campaign: Campaign): SiteLink | undefined {
    return this.#parts.run.stormSite.site.link(`${group}/${entryOf(campaign).name}`);
  }

  async #unhold(agent: Agent, group: string, campaign: Campaign): Promise<void> {
    const { site } = this.#parts.run.stormSite;
    const link = this.#link(group, campaign);
    // Some operators resume without any repair.
    if (this.#isCareless(0.2)) return await this.#say(agent, group, "resume");
    const notes = this.#notes(group);
    if (link !== undefined && notes.tries >= tries.revert) matchFarEnd(site, link);
    if (link !== undefined && campaign.reason.code === "switching.half") putAgain(link);
    for (const link of site.links) if (link.group === group) putRight(site, agent.memory, link);
    if (this.#isCareless(0.3)) return;
    if (this.#isCareless(0.15)) return await this.#say(agent, group, "revert");
    if (this.#isCareless(0.05)) return await this.#say(agent, group, "abandon");
    notes.tries += 1;
    if (notes.tries <= tries.resume) return await this.#say(agent, group, "resume");
    const old = entryOf(campaign).old;
    if (link !== undefined && old !== undefined && holds(link, old)) pointFarEnd(link, old);
    const verb = notes.tries <= tries.revert ? "revert" : "abandon";
    await this.#say(agent, group, verb).catch(async () => this.#say(agent, group, "resume"));
  }

  async #ungate(agent: Agent, group: string, campaign: Campaign): Promise<void> {
    const { site } = this.#parts.run.stormSite;
    if (this.#temper === "careless") {
      if (this.#isCareless(0.1)) return await this.#say(agent, group, "revert");
      if (this.#isCareless(0.05)) return await this.#say(agent, group, "abandon");
      return;
    }
    for (const link of site.links) if (link.group === group) putRight(site, agent.memory, link);
    const gate = causeOf(campaign);
    const sibling = gate?.code === "gate.siblingUnhealthy" ? gate : undefined;
    const drained = sibling?.cause.code === "sibling.drained" ? sibling.sibling : undefined;
    if (drained !== undefined) await agent.commands.undrain(`${group}/${drained}`, this.#never);
    // A campaign that forgot its own change of the sibling waits for ever; both links are adopted.
    const forgot = sibling?.cause.code === "sibling.foreignMacsec";
    const strange =
      campaign.reason.code === "gated.leftoverKey" ||
      ["gate.leftoverKey", "farEnd.foreign", "farEnd.off"].includes(gate?.code ?? "");
    if (forgot || strange) return await this.#say(agent, group, "abandon");
    // A campaign that waits only for its window is abandoned if the links are well.
    if (gate?.code === "gate.window") await this.#say(agent, group, "abandon");
  }

  async #say(agent: Agent, group: string, verb: OperatorVerb): Promise<void> {
    await agent.commands.rotation({ verb, farEndDone: false }, group, who);
  }

  /** Looks after the links of a campaign that ended without success. */
  async #tidyUp(agent: Agent, group: string): Promise<void> {
    const { site } = this.#parts.run.stormSite;
    const links = site.links.filter((link) => link.group === group);
    const last = agent.memory.campaigns[group];
    const left = last?.links.some(({ outcome }) => outcome === "abandoned") === true;
    if (isDeclared(agent, group)) return await this.#beginAgain(agent, group, links);
    if (left && links.some((link) => link.edge.keys().length > 1)) {
      return await this.#say(agent, group, "revert");
    }
    for (const link of links) {
      putRight(site, agent.memory, link);
      if (agent.memory.drains[link.id] !== undefined)
        await agent.commands.undrain(link.id, this.#never);
      if (agent.memory.bindings[link.id] !== undefined) continue;
      await agent.commands.adopt(link.id, ["asFound"], this.#never).catch(() => undefined);
    }
    const status = agent.status().groups.find(({ name }) => name === group);
    if (status?.verdict === "protected") return;
    await agent.commands.enrol(group, { by: who, risks: this.#parts.risks }, this.#never);
  }

  /** An emergency that was given up leaves its key in use: it is begun again, as status says. */
  async #beginAgain(agent: Agent, group: string, links: readonly SiteLink[]): Promise<void> {
    const { site } = this.#parts.run.stormSite;
    for (const link of links) {
      putRight(site, agent.memory, link);
      if (agent.memory.drains[link.id] !== undefined)
        await agent.commands.undrain(link.id, this.#never);
    }
    const asked = { by: who, risks: this.#parts.risks, urgency: "emergency" } as const;
    await agent.commands.rotate(group, asked, this.#never).catch((error: unknown) => {
      unlessRefused(error);
      // It asks for a newer pair where the vault has none.
      for (const { key } of links) site.vault.generatePair(key, "gcm-aes-xpn-256");
    });
  }
}

function isDeclared(agent: Agent, group: string): boolean {
  const status = agent.status().groups.find(({ name }) => name === group);
  const reasons = status?.links.flatMap((link) => link.reasons) ?? [];
  return reasons.some(({ code }) => code === "compromised-key-in-use");
}

function unlessRefused(error: unknown): void {
  if (!(error instanceof LinksealError)) throw error;
}
