// About ten rotations of a small site under a fault schedule. After each round the faults are
// healed, everything must come to rest with a true reason, and an operator who does what it asks
// for must succeed.

import { type Campaign, type CampaignState, entryOf } from "#agent/model/campaign.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import type { Instant } from "#hal/world.ts";
import { twiceASecond } from "#sim/base/clock.ts";
import type { Prng } from "#sim/base/prng.ts";
import { Prng as Random } from "#sim/base/prng.ts";
import type { EffectEvent } from "#sim/base/truth.ts";
import { formatViolation } from "#sim/oracle/oracle.ts";
import type { SiteLink } from "#sim/site/site.ts";
import { type Counts, count, type RunCounters } from "./counters.ts";
import { Storm } from "./fault-storm.ts";
import { ManualOperator } from "./manual-operator.ts";
import { ProcessRestarts } from "./process-restarts.ts";
import { ReasonChecker } from "./reason-checker.ts";
import { drawScene, type Scene, sceneText } from "./scene.ts";
import { hookOf, noDefect, type SeededDefect } from "./seeded-defect.ts";
import { StormRun } from "./storm-run.ts";
import { TargetedFaults } from "./targeted-faults.ts";

export interface RotationsOptions {
  readonly seed: string;
  /** The number of rotations that must end before the run does. */
  readonly rotations: number;
  /** The seeded defect of the agent; undefined for the agent as it is. */
  readonly defect?: SeededDefect;
  /** Takes the event log, one line per transition. */
  readonly writeLine?: (line: string) => void;
}

const address = "unix:/run/linkseal-sim/site.sock";
const minuteMs = 60_000;
/** The length of a fault schedule, in milliseconds; a fault combination needs more time. */
const stormMs = {
  plain: { low: minuteMs, high: 5 * minuteMs },
  combined: { low: 3.5 * minuteMs, high: 5 * minuteMs },
};
/** The longest time until everything rests once the faults have ended, in milliseconds. */
const restMs = 30 * minuteMs;
/** The longest time until an operator who does what the reasons ask has everything protected. */
const mendMs = 40 * minuteMs;
/** A campaign that has not moved for this long is at rest, in milliseconds. */
const stillMs = 40_000;
const roundsMax = 60;
/** Waiting times are short here, and so are faults. */
const lasting = 0.25;
/** The duration of an operation at the far end, a fifth of the usual one. */
const farEndDelayMs = { low: 3_000, high: 8_000 };
/** The settings of the links; the last one differs in nothing that the far end sets. */
const settings = [
  "suite: gcm-aes-xpn-256",
  "suite: gcm-aes-xpn-256, includeSci: false",
  "suite: gcm-aes-xpn-256, keyServerPriority: 24",
] as const;

/** Plays a run, which ends early at the first broken promise. */
export async function playRotations(options: RotationsOptions): Promise<RunCounters> {
  return await new Rotations(options).play();
}

class Rotations {
  readonly #options: RotationsOptions;
  readonly #scene: Scene;
  readonly #prng: Prng;
  readonly #run: StormRun;
  readonly #restarts: ProcessRestarts;
  readonly #operator: ManualOperator;
  readonly #reasonChecker: ReasonChecker;
  readonly #marks: Counts = {};
  readonly #faults: Counts = {};
  readonly #ended: Counts = {};
  readonly #failures: string[] = [];
  /** The last party that shut each link's port, and when. */
  readonly #shut = new Map<string, { readonly by: EffectEvent["by"]; readonly at: Instant }>();
  /** The campaign that was begun last in each group, as its first record names it. */
  readonly #begun = new Map<string, string>();
  /** The present state and reason of each group, and the time since when. */
  readonly #still = new Map<string, { readonly seen: string; readonly since: number }>();
  #rotations = 0;
  #digest = 0;
  #macsec: string = settings[0];
  #isEnrolled = false;
  /**
   * A signal of this run alone: a call that still waits at its end keeps this alive, and a whole
   * site with it.
   */
  readonly #never = new AbortController().signal;
  #targetedFaults: TargetedFaults | undefined;

  constructor(options: RotationsOptions) {
    this.#options = options;
    const { seed } = options;
    this.#prng = new Random(`${seed}/rotations`);
    const scene = drawScene(this.#prng.fork("scene"));
    const { routers, perGroup, start, routingPps } = scene;
    const active = options.defect?.activate() ?? noDefect;
    const onDecision = hookOf(active, (campaign, row, next) => this.#took(campaign, row, next));
    const writeLine = (line: string): void => this.#heard(line);
    const size = { seed, routers, perGroup, tunnels: 0, start, models: "mixed" } as const;
    const paces = { farEndDelayMs, routingPps };
    this.#run = new StormRun({ ...size, ...paces, onDecision, writeLine });
    // Without a probe, frames are missing in the routing only, and hardly any prove a key.
    const devices = [...this.#run.stormSite.site.routers.values()];
    const probes = devices.every(
      ({ options: { capabilities } }) => capabilities.probe !== undefined,
    );
    this.#scene = probes ? scene : { ...scene, deadlines: "patient" };
    const prng = this.#prng.fork("lives");
    const { links: edges } = this.#run.stormSite.site;
    this.#restarts = new ProcessRestarts({
      run: this.#run,
      prng,
      config: () => this.#config(),
      surround: (world, processNumber) => active.surround({ world, edges, processNumber }),
    });
    const risks = this.#scene.closed === "freeze" ? (["outsideWindow"] as const) : [];
    this.#operator = new ManualOperator({ run: this.#run, prng: this.#prng.fork("person"), risks });
    this.#reasonChecker = new ReasonChecker(this.#run);
    const { oracle } = this.#run.stormSite;
    if (this.#scene.drain !== "none") oracle.expectDrained();
    if (this.#scene.farEnd === "manual") oracle.expectNoPuts("an operator changes the far ends");
    this.#run.stormSite.site.attach({
      fault: (text) => {
        const [name = "", what] = text.split(" ");
        if (what === "strikes") count(this.#faults, name);
      },
      effect: ({ by, what, link }) => {
        const isBrought = what === "takeover" && this.#isShut(link);
        if (link === undefined || !(what === "port.shut" || isBrought)) return;
        this.#shut.set(link, { by, at: this.#run.stormSite.site.clock.now() });
        if (by === "agent") this.#targetedFaults?.shut(link);
      },
    });
  }

  async play(): Promise<RunCounters> {
    await this.#settle();
    for (let round = 0; round < roundsMax && !this.#over(); round += 1) await this.#round();
    const { oracle, site } = this.#run.stormSite;
    const { seed } = this.#options;
    const broken = this.#restarts.broken.map(
      (error) => `seed ${seed} the agent broke: ${errorText(error)}`,
    );
    const counters: RunCounters = {
      seeds: 1,
      rotations: this.#rotations,
      ended: this.#ended,
      deaths: this.#restarts.deaths,
      processes: this.#restarts.count,
      faults: this.#faults,
      marks: this.#marks,
      unchecked: Object.fromEntries(this.#reasonChecker.unchecked),
      events: site.clock.events,
      virtualMs: site.clock.now(),
      observations: this.#run.observations,
      violations: [...oracle.violations.map(formatViolation), ...broken, ...this.#failures],
      digest: this.#digest >>> 0,
    };
    this.#run.end();
    return counters;
  }

  #over(): boolean {
    return this.#isBroken() || this.#rotations >= this.#options.rotations;
  }

  #isBroken(): boolean {
    const { violations } = this.#run.stormSite.oracle;
    return violations.length + this.#failures.length + this.#restarts.broken.length > 0;
  }

  #config(): string {
    return sceneText(this.#scene, this.#run.stormSite.site.config(address), this.#macsec);
  }

  #heard(line: string): void {
    let digest = this.#digest;
    for (let at = 0; at < line.length; at += 1) {
      digest = Math.imul(digest ^ line.charCodeAt(at), 0x01000193);
    }
    this.#digest = digest;
    this.#options.writeLine?.(line);
  }

  #took(campaign: Campaign, row: string, next: CampaignState): void {
    count(this.#marks, row);
    this.#targetedFaults?.entered(campaign, row, next);
    if (row === "queued.free" && campaign.at === 0) {
      this.#begun.set(campaign.group, `${campaign.kind} ${campaign.since}`);
    }
  }

  /** Adopts or enrols the links; what follows begins with everything protected. */
  async #settle(): Promise<void> {
    const { site } = this.#run.stormSite;
    this.#restarts.start();
    await site.clock.runFor(25_000);
    // A first enrolment gets faults too.
    if (this.#scene.start === "clear") await this.#faultPhase();
    this.#isEnrolled = true;
    this.#operator.become("careful");
    await this.#until(mendMs, () => this.#isWell(), "was never protected at first");
    this.#operator.become("careless");
  }

  async #round(): Promise<void> {
    const { site } = this.#run.stormSite;
    this.#begun.clear();
    this.#askForIt();
    await this.#faultPhase();
    for (const group of site.groups) this.#countParked(group);
    this.#operator.become("careful");
    await this.#until(
      mendMs,
      () => this.#isWell(),
      "was repaired by an operator and is not protected",
    );
    for (const group of site.groups) this.#countEnded(group);
  }

  /** Runs a fault schedule, and then waits until everything rests for a true reason. */
  async #faultPhase(): Promise<void> {
    const { clock } = this.#run.stormSite.site;
    const storm = this.#storm();
    this.#operator.become(this.#prng.chance(0.1) ? "away" : "careless");
    const { low, high } = stormMs[this.#targetedFaults?.kind ?? "plain"];
    await clock.runFor(this.#prng.between(low, high), () => this.#isBroken() || this.#isDone());
    storm?.calm();
    this.#targetedFaults = undefined;
    this.#restarts.spare();
    this.#operator.become("away");
    await this.#until(restMs, () => this.#isAtRest(), "never at rest");
    this.#judgeReasons();
  }

  /** Puts new keys into the vault, or other settings into the config. */
  #askForIt(): void {
    const { site } = this.#run.stormSite;
    if (this.#prng.chance(0.1)) {
      this.#macsec = this.#prng.pick(settings.filter((each) => each !== this.#macsec));
      const request = { text: this.#config(), file: "fleet.yaml", who: "person", queue: true };
      // A full disk refuses the request: the next round asks for something else.
      void this.#run.agent?.apply(request, this.#never).catch(() => undefined);
      return;
    }
    for (const { key } of site.links) site.vault.generatePair(key, "gcm-aes-xpn-256");
    if (this.#scene.begins !== "byHand" && this.#prng.chance(0.7)) return;
    const urgency = this.#prng.chance(0.25) ? "emergency" : "rotation";
    for (const group of site.groups) this.#operator.want(group, urgency);
  }

  #storm(): Storm | undefined {
    const { strikeMs, kindChance, deathCalls, disk, targeted } = this.#scene;
    if (strikeMs === undefined || this.#prng.chance(0.1)) return undefined;
    // A fault combination is often the only fault: among many others few combinations succeed.
    const alone = targeted > 0 && this.#prng.chance(0.5);
    if (!alone && deathCalls !== undefined) this.#restarts.dieAfter(deathCalls);
    if (!alone && disk === "spoilt") this.#restarts.spoilDisk();
    const { site } = this.#run.stormSite;
    const everyMs = alone ? stormMs.combined.high : strikeMs;
    const storm = new Storm({ site, everyMs, kindChance, lasting });
    const prng = this.#prng.fork(`traps ${site.clock.now()}`);
    const about = this.#isEnrolled ? "rotation" : "enrolment";
    const company = alone ? "none" : "storm";
    this.#targetedFaults = new TargetedFaults({
      site,
      storm,
      prng,
      scene: this.#scene,
      targeted,
      about,
      company,
    });
    return storm;
  }

  async #until(limitMs: number, reached: () => boolean, otherwise: string): Promise<void> {
    const { clock } = this.#run.stormSite.site;
    const is = twiceASecond(clock, reached);
    await clock.runFor(limitMs, () => is() || this.#isBroken());
    if (is() || this.#isBroken()) return;
    const rest = this.#run.rest().map(({ about, why }) => `${about}: ${why}`);
    this.#fail(`${otherwise}: ${rest.join("; ")}`);
  }

  #fail(text: string): void {
    const { seed } = this.#options;
    const seconds = (this.#run.stormSite.site.clock.now() / 1000).toFixed(3);
    this.#failures.push(`seed ${seed} liveness\nat ${seconds} s\n${text}`);
  }

  /** True if every rotation that was wanted in this round has begun, and no campaign runs. */
  #isDone(): boolean {
    const { agent, stormSite } = this.#run;
    if (agent?.supervisor === undefined) return false;
    return stormSite.site.groups.every(
      (group) =>
        this.#begun.has(group) &&
        this.#operator.wants(group) === "nothing" &&
        openCampaign(agent.memory, group) === undefined,
    );
  }

  /**
   * True if nothing moves: there is no campaign, or one that has waited for a while with one
   * reason.
   */
  #isAtRest(): boolean {
    const { agent, stormSite } = this.#run;
    const now = stormSite.site.clock.now();
    // A router that still boots may have its port shut; the agent opens it once it has read it.
    const routers = [...stormSite.site.routers.values()];
    if (agent?.supervisor === undefined || !routers.every((router) => router.reachable()))
      return false;
    return stormSite.site.groups.every((group) => {
      const campaign = openCampaign(agent.memory, group);
      const text = campaign === undefined ? "" : this.#standing(campaign);
      const seen = `${this.#restarts.count} ${text.replaceAll(/\d+/g, "N")}`;
      const still = this.#still.get(group);
      if (still?.seen !== seen) this.#still.set(group, { seen, since: now });
      if (campaign === undefined) return true;
      const parked = ["held", "gated", "awaitingPeer"].includes(campaign.state);
      return parked && still?.seen === seen && now - still.since > stillMs;
    });
  }

  /**
   * Returns the state with that of the port: a port that has just been shut may be about to open.
   */
  #standing(campaign: Campaign): string {
    const link = this.#run.stormSite.site.link(`${campaign.group}/${entryOf(campaign).name}`);
    const admin = link?.router.configured(link.port)?.admin;
    return `${campaign.state} ${JSON.stringify(campaign.reason)} ${admin}`;
  }

  #isWell(): boolean {
    const { agent, stormSite } = this.#run;
    if (agent?.supervisor === undefined) return false;
    const { memory } = agent;
    return (
      stormSite.site.groups.every((group) => openCampaign(memory, group) === undefined) &&
      stormSite.site.links.every((link) => isBound(memory.bindings[link.id], link)) &&
      agent.status().groups.every(({ verdict }) => verdict === "protected")
    );
  }

  #judgeReasons(): void {
    const { agent, stormSite } = this.#run;
    if (agent === undefined || this.#isBroken()) return;
    for (const group of stormSite.site.groups) {
      const campaign = openCampaign(agent.memory, group);
      if (campaign === undefined) continue;
      const lie = this.#reasonChecker.lie(campaign);
      if (lie !== undefined) this.#fail(lie);
      // A port that an operator shut is open again once the faults have ended.
      const link = stormSite.site.link(`${group}/${entryOf(campaign).name}`);
      if (link === undefined || !this.#isShut(link.id)) continue;
      // A router takes nothing while another client's commit waits on it, and the campaign reports
      // that.
      const isForeign = /\.foreignCommit(Stays)?$/.test(campaign.reason.code);
      if (isForeign && link.router.commits.pending()) continue;
      const shut = this.#shut.get(link.id);
      // A revert may shut again what was opened; the operator who sees that opens it.
      if (shut !== undefined && shut.by !== "agent") continue;
      // A commit that the agent has forgotten may be reverted later: the agent reports that the
      // port is shut.
      if (shut !== undefined && shut.at < (this.#restarts.forgotAt ?? shut.at)) continue;
      this.#fail(`${link.id} was left shut: ${campaign.state}, ${reasonText(campaign.reason)}`);
    }
  }

  #isShut(id: string | undefined): boolean {
    const link = id === undefined ? undefined : this.#run.stormSite.site.link(id);
    return link?.router.configured(link.port)?.admin === "down";
  }

  #countParked(group: string): void {
    const { agent } = this.#run;
    const campaign = agent === undefined ? undefined : openCampaign(agent.memory, group);
    if (campaign !== undefined) count(this.#ended, `at rest ${campaign.state}`);
  }

  #countEnded(group: string): void {
    const campaign = this.#run.agent?.memory.campaigns[group];
    const begun = this.#begun.get(group);
    if (campaign === undefined || begun === undefined) return;
    const outcomes = campaign.links.map(({ outcome }) => outcome ?? "not reached");
    count(this.#ended, worst(outcomes));
    this.#rotations += 1;
  }
}

function worst(outcomes: readonly string[]): string {
  const order = ["abandoned", "reverted", "not reached"];
  return order.find((outcome) => outcomes.includes(outcome)) ?? outcomes[0] ?? "none";
}

/** True if the agent knows the key that both ends use. */
function isBound(
  binding: { readonly key: { readonly ckn: string } } | undefined,
  link: SiteLink,
): boolean {
  const keys = link.edge.keys();
  return binding !== undefined && keys.length === 1 && keys[0]?.ckn === binding.key.ckn;
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
