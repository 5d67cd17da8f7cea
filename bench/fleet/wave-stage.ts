// Waves over many recorded sites: Debian's nats-server, two hubs as they are installed, and what is
// true of the sites, whatever hubs and engine have of it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as rest } from "node:timers/promises";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { parseAsk, parsePermit } from "#agent/fleet/records.ts";
import { groupKey } from "#agent/fleet/subjects.ts";
import { parseWave } from "#agent/fleet/wave.ts";
import { hostClock } from "#agent/host/clock.ts";
import { openerOf } from "#agent/host/engine-stream.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import { withEngine } from "#agent/hub/host/hub-session.ts";
import { hubInbox } from "#agent/hub/server-accounts.ts";
import { makeStores } from "#agent/hub/setup.ts";
import { Hub, hubRun } from "../../test/peers/hub-process.ts";
import { NatsStage } from "../../test/peers/nats-stage.ts";
import { never } from "../../test/unit/kit/site-bench.ts";
import { type CampaignLine, group } from "./campaign.ts";
import { cpuMs, megabytes } from "./process.ts";
import { record } from "./recording.ts";

const sitesProgram = join(import.meta.dirname, "sites.ts");
/** Groups of one wave, as many as it may have. */
const groupsMax = 1_000;
/** Time in which the sites of a stage are watched. */
export const bakeMs = 5_000;

let recording: Promise<string> | undefined;

/** Statuses of a site that is protected: what was recorded has a cut fibre, too. */
async function wellRecorded(): Promise<string> {
  const { statuses, events } = await record();
  const isWell = (text: string): boolean =>
    (JSON.parse(text) as { readonly verdict: string }).verdict === "protected";
  return JSON.stringify({ statuses: statuses.filter(isWell), events });
}

/** A process that is killed in the middle of the waves. */
export type Killed = "hub" | "engine";

/** What a run of waves has cost; durations are in seconds. */
export interface WaveCost {
  readonly seconds: number;
  readonly stages: number;
  /** Processor time of the hub that led, in milliseconds a second, until the first kill. */
  readonly hubMs: number;
  readonly engineMs: number;
  /** The most of the hub's resident memory that was seen until then, and the engine's. */
  readonly hubMegabytes: number;
  readonly engineMegabytes: number;
  /** Messages a second that hubs have sent to the engine until then. */
  readonly calls: number;
  /** Sites whose links were out of service at once, at most, in one wave. */
  readonly openMost: number;
  /** From each kill until the next campaign began. */
  readonly gaps: Readonly<Partial<Record<Killed, number>>>;
}

/** Sites that ask for a campaign each, and two hubs. */
export class WaveStage implements AsyncDisposable {
  readonly #nats: NatsStage;
  readonly #sites: readonly string[];
  readonly #engine: NatsEngine;
  readonly #end = new AbortController();
  readonly #lines: CampaignLine[] = [];
  readonly #hubs: Hub[];
  #child: ChildProcess | undefined;

  private constructor(nats: NatsStage, sites: readonly string[]) {
    this.#nats = nats;
    this.#sites = sites;
    const login = { servers: [nats.server], ca: nats.ca, key: `file:${nats.keys.hub}` };
    this.#engine = new NatsEngine({
      world: { clock: hostClock, entropy: hostEntropy },
      ...{ inbox: hubInbox, name: "bench", isHub: true, open: openerOf(login) },
    });
    this.#hubs = [new Hub(nats), new Hub(nats)];
  }

  static async open(count: number): Promise<WaveStage> {
    const sites = Array.from({ length: count }, (_, n) => `s${String(n).padStart(5, "0")}`);
    const nats = await NatsStage.start(undefined, sites);
    const login = { servers: [nats.server], ca: nats.ca, key: `file:${nats.keys.hub}` };
    await withEngine({ ...login, inbox: hubInbox }, makeStores);
    const stage = new WaveStage(nats, sites);
    void stage.#engine.run(stage.#end.signal);
    await until(() => stage.#leader !== undefined);
    await stage.#begin();
    return stage;
  }

  get #leader(): Hub | undefined {
    return this.#hubs.find((hub) => hub.child.signalCode === null && hub.leads);
  }

  get #ended(): number {
    return this.#lines.filter(({ what }) => what === "ended").length;
  }

  async #begin(): Promise<void> {
    const { server, ca, folder } = this.#nats;
    const file = join(folder, "recording.json");
    recording ??= wellRecorded();
    writeFileSync(file, await recording);
    const words = [sitesProgram, server, ca, folder, file, "campaign", ...this.#sites];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    let isReady = false;
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line === "connected") isReady = true;
      else this.#lines.push(JSON.parse(line) as CampaignLine);
    });
    await until(() => isReady);
    // All have asked, so that what is measured is the hub's time and no connecting.
    await rest(5_000);
  }

  /** Runs waves over all sites to their end, with deaths after a third and two thirds of them. */
  async run(killed: readonly Killed[]): Promise<WaveCost> {
    const leader = this.#leader;
    if (leader?.child.pid === undefined) throw new Error("no hub leads");
    const pids = { hub: leader.child.pid, engine: this.#nats.pid };
    const spent = async (): Promise<readonly number[]> => [
      ...[Date.now(), cpuMs(pids.hub), cpuMs(pids.engine), await this.#calls()],
    ];
    const before = await spent();
    let after: readonly number[] | undefined;
    const begunAt = Date.now();
    const waves = await this.#beginWaves();
    const most = { hub: 0, engine: 0 };
    const gaps: Partial<Record<Killed, number>> = {};
    const left = [...killed];
    const isOver = async (): Promise<boolean> => {
      const next = left[0];
      const part = (killed.length - left.length + 1) / (killed.length + 1);
      if (next !== undefined && this.#ended > part * this.#sites.length) {
        after ??= await spent();
        left.shift();
        gaps[next] = await this.#kill(next);
      } else if (after === undefined) {
        most.hub = Math.max(most.hub, megabytes(pids.hub));
        most.engine = Math.max(most.engine, megabytes(pids.engine));
      }
      return await this.#areDone(waves);
    };
    await until(isOver, 250);
    const seconds = (Date.now() - begunAt) / 1_000;
    after ??= await spent();
    const [ms = 0, ...sums] = after.map((value, at) => value - (before[at] ?? 0));
    const [hubMs = 0, engineMs = 0, calls = 0] = sums.map((value) => (value * 1_000) / ms);
    return {
      ...{ seconds, stages: await this.#check(waves), openMost: this.#openMost(), gaps },
      ...{ hubMs, engineMs, calls, hubMegabytes: most.hub, engineMegabytes: most.engine },
    };
  }

  async #beginWaves(): Promise<readonly string[]> {
    const names: string[] = [];
    for (let from = 0; from < this.#sites.length; from += groupsMax) {
      const keys = this.#sites.slice(from, from + groupsMax).map((site) => groupKey(site, group));
      const name = `w${names.length}`;
      const words = ["--groups", keys.join(","), "--canary", keys[0] ?? "", "--share", "10%"];
      const times = ["--bake", `${bakeMs / 1_000}s`, "--yes"];
      await hubRun(this.#nats, ["fleet", "begin", name, ...words, ...times]);
      names.push(name);
    }
    return names;
  }

  async #areDone(waves: readonly string[]): Promise<boolean> {
    for (const name of waves) {
      const read = await this.#engine.get("linkseal-waves", name, never);
      const wave = read.kind === "value" ? parseWave(read.octets) : undefined;
      if (wave?.state.kind === "stopped") throw new Error(`${name} stopped: ${wave.state.why}`);
      if (wave?.state.kind !== "done") return false;
    }
    return true;
  }

  /** Resolves to the seconds until the next campaign began. */
  async #kill(what: Killed): Promise<number> {
    const killedAt = Date.now();
    if (what === "hub") await this.#leader?.end("SIGKILL");
    else {
      await this.#nats.kill();
      await this.#nats.run();
    }
    // Permits that were there before are taken still; what comes after is from the new one.
    const isBack = (): boolean =>
      what === "hub" ? this.#leader !== undefined : this.#engine.state.kind === "connected";
    await until(isBack);
    const { length } = this.#lines;
    await until(() => this.#lines.slice(length).some((line) => line.what === "begun"));
    return (Date.now() - killedAt) / 1_000;
  }

  /** Throws unless each site began once, by the permit that is there; resolves to the stages. */
  async #check(waves: readonly string[]): Promise<number> {
    const nonces = new Map<string, string>();
    for (const { site, nonce, what } of this.#lines) {
      if (what !== "begun") continue;
      if (nonces.has(site)) throw new Error(`${site} began twice`);
      nonces.set(site, nonce);
    }
    for (const site of this.#sites) {
      const key = groupKey(site, group);
      const ask = await this.#engine.get("linkseal-asks", key, never);
      const permit = await this.#engine.get("linkseal-permits", key, never);
      const asked = ask.kind === "value" ? parseAsk(ask.octets) : undefined;
      const given = permit.kind === "value" ? parsePermit(permit.octets) : undefined;
      const isOne = asked?.nonce === nonces.get(site) && asked?.nonce === given?.nonce;
      if (!isOne || asked?.state.kind !== "ended")
        throw new Error(`${site} is not as it was asked`);
    }
    let stages = 0;
    for (const name of waves) {
      const read = await this.#engine.get("linkseal-waves", name, never);
      const wave = read.kind === "value" ? parseWave(read.octets) : undefined;
      if (wave === undefined) throw new Error(`the record of ${name} cannot be read`);
      const open = this.#openMost();
      if (open > wave.shareMax) throw new Error(`${open} were open of ${wave.shareMax}`);
      stages = Math.max(stages, wave.stages.length);
    }
    return stages;
  }

  /** In one wave. */
  #openMost(): number {
    const open = new Map<number, number>();
    let most = 0;
    for (const { site, what } of this.#lines) {
      const wave = Math.floor(this.#sites.indexOf(site) / groupsMax);
      const now = (open.get(wave) ?? 0) + (what === "begun" ? 1 : -1);
      open.set(wave, now);
      most = Math.max(most, now);
    }
    return most;
  }

  /** Messages that hubs have sent; the bench's own few are not counted. */
  async #calls(): Promise<number> {
    const reply = await fetch(`${this.#nats.monitor}/connz?limit=10000`);
    const { connections } = (await reply.json()) as {
      readonly connections: readonly { readonly name?: string; readonly in_msgs: number }[];
    };
    const hubs = connections.filter(({ name }) => name === "linkseal hub run");
    return hubs.reduce((sum, { in_msgs: count }) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const hub of this.#hubs) await hub.end("SIGTERM");
    const child = this.#child;
    if (child !== undefined && child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    this.#end.abort();
    await this.#nats[Symbol.asyncDispose]();
  }
}

async function until(seen: () => boolean | Promise<boolean>, ms = 50): Promise<void> {
  while (!(await seen())) await rest(ms);
}
