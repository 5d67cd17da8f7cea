// Everything of the lab of many sites: an engine, two hubs and their page, whole sites, and
// recorded ones.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import { NatsEngine } from "#agent/fleet/nats-engine.ts";
import { type Ask, isFor, parseAsk, parsePermit } from "#agent/fleet/records.ts";
import { groupKey } from "#agent/fleet/subjects.ts";
import { type Member, parseWave, type Wave } from "#agent/fleet/wave.ts";
import { hostClock } from "#agent/host/clock.ts";
import { openerOf } from "#agent/host/engine-stream.ts";
import { hostEntropy } from "#agent/host/entropy.ts";
import type { FleetView } from "#agent/hub/fleet-shape.ts";
import { hubInbox } from "#agent/hub/server-accounts.ts";
import { record } from "../../../bench/fleet/recording.ts";
import { firstLine } from "../../first-line.ts";
import { command, Hub, hubLogin, hubRun, hubTried } from "../../peers/hub-process.ts";
import { NatsStage } from "../../peers/nats-stage.ts";
import { PermitSites } from "../../peers/permit-sites.ts";
import { never } from "../../unit/kit/site-bench.ts";
import { RealSite } from "./real-site.ts";

/**
 * Permits and statuses are judged by wall clocks, and a hub believes no status that is more than
 * five minutes from its own. So the clocks of whole sites begin far behind: a policy looks every
 * six minutes at most, and begins within ten more, which pass as fast as they can. Then they run
 * this much faster than this host's, from behind it to ahead of it, and at its speed from there on.
 */
const beginsBehindMs = 1_560_000;
/** The speed until a rotation is due, so that it is due before the policy looks again. */
const firstSpeed = 5;
const spans = [
  { untilAheadMs: -270_000, speed: 100 },
  { untilAheadMs: 240_000, speed: 8 },
] as const;
const pollMs = 100;
/** Statuses of a recorded site come this often. */
const turnMs = 1_000;

export const wave = "lab";

/** Names of sites, in the order of the wave. */
export interface Names {
  /** The first is the canary, the last is in the last stage. */
  readonly real: readonly string[];
  readonly recorded: readonly string[];
  /** SITE.GROUP in the order of the wave; each stage after the canary has `share` of them. */
  readonly groups: readonly string[];
  readonly share: number;
}

const numbered = (word: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${word}-${String(at + 1).padStart(2, "0")}`);

/** Returns the names of so many sites, at least 6, of which an eighth is whole: 2 to 5. */
export function namesOf(sites: number): Names {
  const real = numbered("real", Math.min(5, Math.max(2, Math.floor(sites / 8))));
  const recorded = numbered("site", sites - real.length);
  const share = Math.ceil((sites - 1) / 3);
  const [canary = "", ...more] = real;
  const stages: string[][] = [[], [], []];
  // The last stage has a whole site in any case.
  for (const [at, name] of more.toReversed().entries()) {
    stages[at < more.length / 2 ? 2 : 0]?.push(name);
  }
  const left = [...recorded];
  for (const [at, stage] of stages.entries()) {
    const room = (at === 2 ? sites - 1 - 2 * share : share) - stage.length;
    stage.unshift(...left.splice(0, room));
  }
  const groups = [canary, ...stages.flat()].map((name) => groupKey(name, groupOf(name)));
  return { real, recorded, groups, share };
}

const groupOf = (site: string): string => (site.startsWith("real") ? `erd-${site}` : "g");

export class Hall implements AsyncDisposable {
  readonly names: Names;
  readonly nats: NatsStage;
  readonly real: readonly RealSite[];
  /** Asks as they were before any permit, by site. */
  readonly asked = new Map<string, Ask>();
  /** What a whole site did without what it needs. */
  readonly complaints: string[] = [];
  hubs: Hub[] = [];
  #recorded: PermitSites | undefined;
  #page: ChildProcess | undefined;
  #isSlow = false;
  readonly #engine: NatsEngine;
  readonly #end = new AbortController();

  private constructor(names: Names, nats: NatsStage) {
    this.names = names;
    this.nats = nats;
    this.real = names.real.map((name) => new RealSite(name, nats, beginsBehindMs));
    const login = { servers: [nats.server], ca: nats.ca, key: `file:${nats.keys.hub}` };
    this.#engine = new NatsEngine({
      world: { clock: hostClock, entropy: hostEntropy },
      ...{ inbox: hubInbox, name: "lab", open: openerOf(login) },
    });
    for (const site of this.real) site.taken = (link) => void this.#checkTaken(site, link);
  }

  static async open(names: Names): Promise<Hall> {
    const nats = await NatsStage.start(undefined, [...names.real, ...names.recorded]);
    const hall = new Hall(names, nats);
    try {
      await hubRun(nats, ["hub", "setup"]);
      void hall.#engine.run(hall.#end.signal);
      return hall;
    } catch (error) {
      await hall[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts two hubs, and the hub's page. */
  async startHubs(): Promise<void> {
    this.hubs = [new Hub(this.nats), new Hub(this.nats)];
    const place = ["--listen", "127.0.0.1:0", "--socket", this.#socket];
    const words = [command, "hub", "page", ...hubLogin(this.nats), ...place];
    this.#page = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    if (this.#page.stdout !== null) await firstLine(this.#page.stdout);
    this.#page.stdout?.resume();
    await this.until(() => this.leader !== undefined);
  }

  /** Starts all sites; `broken`: recorded ones whose campaign does not reach its end. */
  async startSites(broken: readonly string[]): Promise<void> {
    const { statuses, events } = await record();
    const isWell = (text: string): boolean =>
      (JSON.parse(text) as { readonly verdict: string }).verdict === "protected";
    const recording = { statuses: statuses.filter(isWell), events };
    this.#recorded = new PermitSites(this.nats, this.names.recorded, { recording, turnMs });
    for (const name of broken) this.#recorded.broken.add(name);
    await Promise.all(this.real.map((site) => site.begin(this.nats, firstSpeed)));
  }

  get recorded(): PermitSites {
    if (this.#recorded === undefined) throw new Error("no site was started");
    return this.#recorded;
  }

  get leader(): Hub | undefined {
    return this.hubs.find((hub) => hub.child.signalCode === null && hub.leads);
  }

  /** Runs whole sites at this host's speed while something else is waited for. */
  async slowly(act: () => Promise<void>): Promise<void> {
    this.#isSlow = true;
    await act();
    this.#isSlow = false;
  }

  #speedOf(site: RealSite): number {
    return this.#isSlow ? 1 : speedOf(site);
  }

  /** Whole sites stand still while a person types, who is slower here than at a real site. */
  async type(...words: readonly string[]) {
    for (const site of this.real) await site.runAt(0);
    const ended = await hubTried(this.nats, words);
    for (const site of this.real) await site.runAt(this.#speedOf(site));
    return ended;
  }

  /** Waits for a state, and keeps the clocks of whole sites near this host's meanwhile. */
  async until(isSeen: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await isSeen())) {
      for (const site of this.real) await site.runAt(this.#speedOf(site));
      await rest(pollMs, undefined, { signal: this.#end.signal });
    }
  }

  /** Waits for so much time of each whole site, in milliseconds. */
  async pass(ms: number): Promise<void> {
    const ends = this.real.map(({ site }) => site.clock.now() + ms);
    await this.until(() =>
      this.real.every(({ site }, index) => site.clock.now() >= (ends[index] ?? 0)),
    );
  }

  async wave(): Promise<Wave | undefined> {
    const read = await this.#engine.get("linkseal-waves", wave, never);
    return read.kind === "value" ? parseWave(read.octets) : undefined;
  }

  /** Waits for a state of the wave, which is not known while the engine is down. */
  async untilWave(isSeen: (found: Wave) => boolean): Promise<Wave> {
    let found: Wave | undefined;
    await this.until(async () => {
      found = await this.wave();
      return found !== undefined && isSeen(found);
    });
    if (found === undefined) throw new Error("there is no wave");
    return found;
  }

  /** Reads the asks that are not known yet; true once all sites ask. */
  async allAsk(): Promise<boolean> {
    for (const name of [...this.names.real, ...this.names.recorded]) {
      if (this.asked.has(name)) continue;
      const read = await this.#engine.get("linkseal-asks", groupKey(name, groupOf(name)), never);
      const found = read.kind === "value" ? parseAsk(read.octets) : undefined;
      if (found?.state.kind !== "asking") return false;
      this.asked.set(name, found);
    }
    return true;
  }

  /** A whole site that takes a link needs a permit for what it asked; the engine has it. */
  async #checkTaken({ name, group }: RealSite, link: string): Promise<void> {
    for (;;) {
      const read = await this.#engine.get("linkseal-permits", groupKey(name, group), never);
      const asked = this.asked.get(name);
      if (read.kind === "value" || read.kind === "absent") {
        const permit = read.kind === "value" ? parsePermit(read.octets) : undefined;
        const isPermitted = permit !== undefined && asked !== undefined && isFor(permit, asked);
        if (!isPermitted) this.complaints.push(`${link} of ${name} was taken without a permit`);
        return;
      }
      if (this.#end.signal.aborted) return;
      await rest(pollMs);
    }
  }

  /** What a person reads at the hub. */
  async status(): Promise<FleetView> {
    const { out } = await this.type("fleet", "status", "--json");
    return JSON.parse(out) as FleetView;
  }

  get #socket(): string {
    return join(this.nats.folder, "hub.sock");
  }

  /** The address of the hub's page, and a login code. */
  async pageLogin(): Promise<{ readonly url: string; readonly code: string }> {
    const asked = { role: "view", method: "POST", path: "/v1/page/code" } as const;
    return (await ask({ ...asked, socket: this.#socket })) as Awaited<
      ReturnType<Hall["pageLogin"]>
    >;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    for (const hub of this.hubs) await hub.end("SIGKILL");
    const page = this.#page;
    if (page !== undefined && page.exitCode === null) {
      const ended = once(page, "exit");
      page.kill("SIGKILL");
      await ended;
    }
    for (const site of this.real) await site[Symbol.asyncDispose]();
    await this.#recorded?.[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
  }
}

/** Returns the speed at which a site runs now. */
const speedOf = ({ aheadMs, isDue }: RealSite): number =>
  !isDue ? firstSpeed : (spans.find(({ untilAheadMs }) => aheadMs < untilAheadMs)?.speed ?? 1);

/** Returns the members of a wave that are in such a state. */
export const membersIn = (found: Wave, kind: Member["state"]["kind"]): readonly Member[] =>
  found.stages.flat().filter(({ state }) => state.kind === kind);
