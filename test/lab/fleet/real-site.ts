// A whole site: simulated routers, far ends and vault, and `linkseal agent` in a process of its own
// that follows the site's clock; and the same site in memory, with the same agent and no hub.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { WallTime } from "#hal/world.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import {
  type Leash,
  leashClock,
  type Pace,
  paceClock,
  type Served,
  serveSite,
} from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite, type Site, type SiteOptions } from "#sim/site/site.ts";
import { command, tried } from "../../peers/hub-process.ts";
import type { NatsStage } from "../../peers/nats-stage.ts";
import { Program } from "../../process/program.ts";
import { hasty } from "../../short-waits.ts";
import { type AgentRun, type LinkEffect, linkEffect } from "../../storm/permit-delay.ts";
import { AgentBench } from "../../unit/kit/agent-bench.ts";
import { never, settled } from "../../unit/kit/site-bench.ts";

const suite = "gcm-aes-xpn-256";
/** Virtual time that the agent may lag behind its site, in milliseconds. */
const leashMs = 2_000;
/** A busy computer gives an agent no processor for so long at most; a dead one is let go. */
const lonelyMs = 120_000;
const farEndDelayMs = { low: 2_000, high: 4_000 };

function optionsOf(name: string, wallStart: number): SiteOptions {
  const counts = { groups: 1, tunnels: 0 } as const;
  return { seed: name, name, ...counts, start: "protected", wallStart, farEndDelayMs };
}

/** The config of the site with a policy that rotates as soon as the vault has newer keys. */
function configOf(site: Site, address: string): string {
  const until = new Date(Date.now() + 400 * 86_400_000).toISOString().slice(0, 10);
  return hasty(site.config(address))
    .replace("drain: prepend", "drain: prepend\n    rotate: { on: vaultVersion }")
    .replaceAll("2027-11-24", until);
}

/** Puts a fresh pair of keys into the vault for each link: a rotation is due. */
function newKeys(site: Site): void {
  for (const { key } of site.links) site.vault.generatePair(key, suite);
}

export class RealSite implements AsyncDisposable {
  readonly name: string;
  readonly site: Site;
  readonly group: string;
  /** What the agent did to links, at times of the site. */
  readonly effects: LinkEffect[] = [];
  /** The vault has newer keys. */
  isDue = false;
  /** Called at the first effect of the agent on each link. */
  taken: ((link: string) => void) | undefined;
  readonly #wallStart: number;
  readonly #oracle: Oracle;
  readonly #home: string;
  readonly #leash: Leash;
  #agent: Program | undefined;
  #pace: Pace | undefined;
  #speed = 0;
  #served: Served | undefined;

  /** `behindMs`: how far the site's wall clock is behind this host's at first. */
  constructor(name: string, stage: NatsStage, behindMs: number) {
    this.name = name;
    this.#wallStart = Date.now() - behindMs;
    this.site = buildSite(optionsOf(name, this.#wallStart));
    this.group = this.site.groups[0] ?? "";
    this.#oracle = watchSite(this.site);
    this.#home = join(stage.folder, name);
    this.#leash = leashClock(siteHandler(this.site), this.site.clock, leashMs, lonelyMs);
    this.site.onEffect((event) => {
      const effect = linkEffect(event);
      if (effect === undefined) return;
      const isFirst = !this.effects.some(({ link }) => link === effect.link);
      this.effects.push(effect);
      if (isFirst) this.taken?.(effect.link);
    });
  }

  /** Begins to live, until a rotation is due that waits for its permit. */
  async begin(stage: NatsStage, speed: number): Promise<void> {
    mkdirSync(this.#home, { mode: 0o700 });
    const socket = join(this.#home, "site.sock");
    this.#served = await serveSite(this.#leash.handler, socket);
    await this.runAt(speed);
    const env = { ...process.env, LINKSEAL_HOME: this.#home, NO_COLOR: "1" };
    const words = [command, "agent", "--site", `unix:${socket}`];
    const child = spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#agent = await new Program(child).ready();
    const file = join(this.#home, "site.yaml");
    const fleet = [
      `  servers: [${stage.server}]`,
      `  ca: ${stage.ca}`,
      `  key: file:${stage.key(this.name)}`,
      "  permits: required",
    ];
    const text = configOf(this.site, `unix:${socket}`);
    writeFileSync(file, `${text}\nfleet:\n${fleet.join("\n")}\n`);
    const applied = await this.type("apply", file, "--yes");
    if (applied.status !== 0) throw new Error(`${this.name}: ${applied.err}${applied.out}`);
    // A router is adopted once it was observed.
    while ((await this.type("adopt", this.group)).status !== 0) await rest(200);
    this.effects.length = 0;
    newKeys(this.site);
    this.isDue = true;
  }

  /** Runs a command of the agent's operator. */
  type(...words: readonly string[]) {
    return tried(words, { LINKSEAL_HOME: this.#home });
  }

  /** Lets the site's time pass at this speed; 0 = it stands still. */
  async runAt(speed: number): Promise<void> {
    if (speed === this.#speed) return;
    this.#speed = speed;
    await this.#pace?.stop();
    this.#pace = undefined;
    if (speed === 0) return;
    const { site } = this;
    site.setSpeed(speed);
    this.#pace = paceClock(site.clock, { speed, hold: this.#leash.hold });
    // A broken simulator ends the lab.
    void this.#pace.done;
  }

  /** How far the site's wall clock is ahead of this host's; below 0: behind. */
  get aheadMs(): number {
    return this.site.clock.wall() - Date.now();
  }

  /** Links that the agent has taken, in their order. */
  get links(): readonly string[] {
    return [...new Set(this.effects.map(({ link }) => link))];
  }

  /** True once the agent has given that link back. */
  hasRestored(link: string): boolean {
    return this.effects.some((each) => each.link === link && each.what.startsWith("port.restore"));
  }

  /** What the agent did since its campaign began, which is when it asked. */
  since(asked: WallTime): AgentRun {
    const { clock } = this.site;
    return runSince(this.effects, asked - this.#wallStart, clock.now());
  }

  /** Broken promises, as the truth of the site shows them. */
  get violations(): readonly string[] {
    return this.#oracle.violations.map(formatViolation);
  }

  /** The end of what the agent has logged. */
  get log(): string {
    return this.#agent?.output.split("\n").slice(-15).join("\n") ?? "";
  }

  /** The same site, and the same agent in memory, without a hub. */
  async alone(): Promise<AgentRun> {
    const options = optionsOf(this.name, this.#wallStart);
    const bench = new AgentBench("protected", this.name, undefined, "two", 0, options);
    const { site } = bench;
    const effects: LinkEffect[] = [];
    site.onEffect((event) => {
      const effect = linkEffect(event);
      if (effect !== undefined) effects.push(effect);
    });
    await bench.live();
    await bench.apply(configOf(site, "unix:/run/linkseal-sim/site.sock"));
    await bench.run(5_000);
    await settled(site.clock, bench.agent.commands.adopt(this.group, [], never));
    effects.length = 0;
    newKeys(site);
    const campaign = () => bench.agent.memory.campaigns[this.group];
    const begins = await bench.run(1_800_000, () => campaign() !== undefined);
    const begunAt = site.clock.now();
    const ends = await bench.run(3_600_000, () => campaign()?.state === "done");
    if (!begins || !ends) throw new Error(`${this.name} does not rotate without a hub`);
    await bench.run(60_000);
    await bench.end();
    return runSince(effects, begunAt, site.clock.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leash.letGo();
    const agent = this.#agent;
    if (agent !== undefined && !agent.dead) {
      agent.child.kill("SIGKILL");
      await agent.ended;
    }
    await this.#pace?.stop();
    await this.#served?.close();
  }
}

function runSince(effects: readonly LinkEffect[], from: number, now: number): AgentRun {
  return { effects: effects.map((each) => ({ ...each, at: each.at - from })), endedAt: now - from };
}
