// One site, rotated by its policy: without a hub, or with one that does what a storm drew.

import { isFor, parseFreeze, parsePermit } from "#agent/fleet/records.ts";
import { fleetFreezeKey, groupKey, siteFreezeKey } from "#agent/fleet/subjects.ts";
import type { Campaign } from "#agent/model/campaign.ts";
import type { OnDecision } from "#agent/model/decision.ts";
import { followPermits } from "#agent/telemetry/fleet/permit-client.ts";
import type { World } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { type Overlap, routerWith } from "#sim/site/site-plan.ts";
import { AgentBench, group } from "../unit/kit/agent-bench.ts";
import { never, settled } from "../unit/kit/site-bench.ts";
import { CrashingWorld } from "./crashing-world.ts";
import { type AgentRun, type LinkEffect, linkEffect } from "./permit-delay.ts";
import { type Act, HostileHub, type Told } from "./permit-engine.ts";

/** The process dies at its n-th effect: once that is journaled, or once it is done. */
interface Kill {
  readonly effect: number;
  readonly when: "journaled" | "done";
}

/** What the hub does, after so many effects of the campaign and then this much later. */
export interface Deed {
  readonly effects: number;
  readonly afterMs: number;
  readonly act: Act;
}

export interface PermitRun {
  readonly overlap: Overlap;
  /** undefined = the config has no `fleet`. */
  readonly deeds: readonly Deed[] | undefined;
  readonly kill?: Kill | undefined;
  /** When the hub is honest at last, after the campaign began; undefined = never. */
  readonly healMs?: number | undefined;
  /** Changes the agent's decisions: a fault to be found. */
  readonly fault?: (stage: PermitStage) => OnDecision;
  /** Changes the config of both runs. */
  readonly edit?: (text: string) => string;
  readonly limitMs?: number;
}

export interface PermitEnded extends AgentRun {
  readonly complaints: readonly string[];
  readonly isDone: boolean;
}

/** The part of a config by which campaigns wait. */
export const permitsRequired =
  "fleet: { servers: [nats://127.0.0.1:4222], key: credential:k, permits: required }";
const suite = "gcm-aes-xpn-256";
/** The time from the agent's last look to the end of its commit. */
const commitMs = 30_000;
const readingMsMax = 60_000;
const siteName = "demo";

/** The site, its agents one after the other, and its hub. */
export class PermitStage extends AgentBench {
  readonly effects: LinkEffect[] = [];
  readonly complaints: string[] = [];
  readonly hub: HostileHub;
  readonly #run: PermitRun;
  #crashing: CrashingWorld | undefined;
  #client = new AbortController();
  #isDead = false;
  #isStarted = false;
  #action: string | undefined;
  #actions = 0;

  constructor(run: PermitRun) {
    const model = { capabilities: routerWith(run.overlap) };
    super("protected", `permits ${run.overlap}`, () => model);
    this.#run = run;
    const { clock } = this.site;
    const prng = new Prng(`hub ${JSON.stringify(run.deeds)}`);
    this.hub = new HostileHub({ clock, prng, site: siteName, group });
    this.site.onEffect((event) => {
      const effect = linkEffect(event);
      if (effect !== undefined) this.#noted(effect);
    });
  }

  /** Runs to the end of the campaign, or to the limit. */
  async play(): Promise<PermitEnded> {
    const { deeds, edit = (text) => text, limitMs = 1_800_000 } = this.#run;
    await this.#begin();
    const by = "drain: prepend\n    rotate: { on: vaultVersion }";
    const policy = (text: string): string => edit(text.replace("drain: prepend", by));
    const withFleet = (text: string): string => `${policy(text)}\n${permitsRequired}\n`;
    await this.apply(this.config(deeds === undefined ? policy : withFleet));
    await this.run(20_000);
    await settled(this.site.clock, this.agent.commands.adopt(group, [], never));
    this.effects.length = 0;
    for (const { key } of this.site.links) this.site.vault.generatePair(key, suite);
    const { clock } = this.site;
    const until = clock.now() + limitMs;
    const isOver = (): boolean => this.#isDead || this.#isDone();
    while (clock.now() < until && !this.#isDone()) {
      await this.run(until - clock.now(), isOver);
      if (!this.#isDead) continue;
      await this.run(3_000);
      await this.#begin();
    }
    await this.run(60_000);
    this.#client.abort();
    await this.end();
    return {
      effects: this.effects,
      endedAt: clock.now(),
      complaints: [...this.complaints, ...this.violations(), ...this.broken.map(String)],
      isDone: this.#isDone(),
    };
  }

  #isDone(): boolean {
    return this.#isDead ? false : this.agent.memory.campaigns[group]?.state === "done";
  }

  /** Begins a process on the disk of the one before. */
  async #begin(): Promise<void> {
    const { fault, kill, deeds } = this.#run;
    this.#client.abort();
    this.#client = new AbortController();
    this.#isDead = false;
    const change = fault?.(this);
    this.onDecision = (decision) => {
      change?.(decision);
      if (decision.kind === "step") {
        this.#action = decision.step.action;
        this.#starts();
      }
      if (decision.kind !== "taken" || !isEffect(this.#action)) return;
      this.#actions += 1;
      if (kill?.when === "journaled" && kill.effect === this.#actions) this.#die();
    };
    let world: World | undefined;
    await this.live((real) => {
      this.#crashing = new CrashingWorld(real, undefined, () => this.disk.crash());
      world = this.#crashing.world;
      return world;
    });
    if (deeds === undefined || world === undefined) return;
    const { agent, hub: engine } = this;
    const parts = { agent, permits: agent.permits, world, engine, site: siteName };
    void followPermits(parts, this.#client.signal);
  }

  /** The campaign has begun: from here on all times count. */
  #starts(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { deeds = [], healMs } = this.#run;
    for (const deed of deeds) if (deed.effects === 0) this.#later(deed);
    if (healMs !== undefined) this.site.clock.alarm(healMs, () => this.hub.heal());
  }

  #die(): void {
    this.#crashing?.kill();
    this.#isDead = true;
  }

  #later({ act, afterMs }: Deed): void {
    this.site.clock.alarm(afterMs, () => this.hub.do(act));
  }

  #noted(effect: LinkEffect): void {
    const { deeds = [], kill } = this.#run;
    this.effects.push(effect);
    const count = this.effects.length;
    for (const deed of deeds) if (deed.effects === count) this.#later(deed);
    const isFirst = !this.effects.slice(0, -1).some(({ link }) => link === effect.link);
    if (isFirst && this.#run.deeds !== undefined) this.#judgeTaking(effect);
    if (kill?.when === "done" && kill.effect === count && !this.#isDead) this.#die();
  }

  /** The first effect on a link needs what the agent could have read a moment before. */
  #judgeTaking({ at, link, what }: LinkEffect): void {
    const campaign = this.agent.memory.campaigns[group];
    const why = campaign && whyNotPermitted(this, campaign, at);
    if (why !== undefined) this.complaints.push(`P8: ${link}: ${what} though ${why}`);
  }
}

const isEffect = (action: string | undefined): boolean =>
  action !== undefined && !["probe", "prepare", "prepareBack"].includes(action);

/**
 * Returns why nothing that was read lets the link be taken; undefined = something does. What was
 * read while the router carried the change out came too late to count.
 */
function whyNotPermitted(stage: PermitStage, campaign: Campaign, at: number): string | undefined {
  const recent = stage.hub.told.filter((told) => told.at <= at && told.at >= at - commitMs);
  const whys = [at - commitMs, ...recent.map((told) => told.at)].map((moment) =>
    whyNotAt(stage, campaign, moment),
  );
  return whys.includes(undefined) ? undefined : whys.at(-1);
}

function whyNotAt(stage: PermitStage, campaign: Campaign, moment: number): string | undefined {
  const asked = stage.agent.permits.askedBy(campaign);
  const newest = (bucket: Told["bucket"], key: string): Told | undefined =>
    stage.hub.told.findLast(
      (each) => each.at <= moment && each.bucket === bucket && each.key === key,
    );
  const permit = newest("linkseal-permits", groupKey(siteName, group));
  const freezes = [fleetFreezeKey, siteFreezeKey(siteName)].map((key) =>
    newest("linkseal-freeze", key),
  );
  for (const told of [permit, ...freezes]) {
    if (told === undefined || moment - told.at > readingMsMax) return "nothing was read";
  }
  for (const { read } of freezes.filter((each) => each !== undefined)) {
    if (read.kind === "absent") continue;
    const freeze = read.kind === "value" ? parseFreeze(read.octets) : undefined;
    if (freeze?.state !== "thawed") return "the site is frozen, or may be";
  }
  const read = permit?.read;
  const found = read?.kind === "value" ? parsePermit(read.octets) : undefined;
  if (found === undefined) return "there is no permit";
  if (asked === undefined || !isFor(found, asked)) return "the permit is for something else";
  const isBegun = campaign.at > 0;
  return isBegun || stage.site.clock.wall() - commitMs < found.notAfter
    ? undefined
    : "the permit has ended";
}
