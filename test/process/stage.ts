// A simulated site and the agents that are started and killed beside it, each in its own process.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import type { Campaign } from "#agent/model/campaign.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { compiled } from "./compiled.ts";
import type { Account, News, Order, Ready, SiteSetting } from "./deadly-site.ts";
import { socketIn } from "./deadly-site.ts";
import { Program, readyMark } from "./program.ts";

const command = join(import.meta.dirname, "../../agent/bin.js");
const pollMs = 40;

export class Stage implements AsyncDisposable {
  readonly folder: string;
  readonly config: string;
  readonly programs: Program[] = [];
  /** Variables that every program beside the site needs. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #site: ChildProcess;

  private constructor(folder: string, site: ChildProcess, { config, environment }: Ready) {
    this.folder = folder;
    this.#site = site;
    this.config = config;
    this.environment = environment ?? {};
  }

  /** `site`: the file beside this one that runs the site. */
  static async open(setting: Omit<SiteSetting, "folder">, site = "deadly-site.ts"): Promise<Stage> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-stage-")));
    mkdirSync(join(folder, "state"), { mode: 0o700 });
    const player = fork(join(import.meta.dirname, site), [JSON.stringify({ ...setting, folder })], {
      ...{ serialization: "advanced", execArgv: [], env: { ...process.env, ...compiled } },
    });
    const news = await heard(player);
    if (news.kind !== "ready") throw new Error(`the site began with ${news.kind}`);
    return new Stage(folder, player, news);
  }

  get state(): string {
    return join(this.folder, "state");
  }

  send(order: Order): void {
    this.#site.send(order);
  }

  async account(): Promise<Account> {
    this.send({ kind: "account" });
    const news = await heard(this.#site);
    if (news.kind !== "account") throw new Error(`the site answered with ${news.kind}`);
    return news;
  }

  /** Starts `linkseal ...` on this stage. */
  start(...argv: readonly string[]): Program {
    return this.#startIn({}, argv, command);
  }

  #startIn(own: NodeJS.ProcessEnv, argv: readonly string[], path: string): Program {
    const env = {
      ...process.env,
      ...own,
      LINKSEAL_HOME: this.folder,
      LINKSEAL_SITE: `unix:${socketIn(this.folder)}`,
      ...this.environment,
    };
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const program = new Program(
      spawn(process.execPath, [path, ...argv], { env, stdio: [...stdio] }),
    );
    this.programs.push(program);
    return program;
  }

  /**
   * Starts a new agent on the same state folder, with more variables in its environment; resolves
   * once it is ready for requests. `path`: the command of another version.
   */
  async live(own: NodeJS.ProcessEnv = {}, path = command): Promise<Program> {
    const program = this.#startIn(own, ["agent"], path);
    this.send({ kind: "victim", pid: program.pid });
    await program.until(readyMark);
    return program;
  }

  /** Kills the agent as soon as its journal holds `count` records. */
  killAtRecord(program: Program, count: number): void {
    const watcher = watch(this.state, () => {
      if (this.records() < count || program.dead) return;
      watcher.close();
      this.kill(program);
    });
    program.child.once("close", () => watcher.close());
  }

  kill(program: Program): void {
    program.child.kill("SIGKILL");
    this.send({ kind: "dead" });
  }

  records(): number {
    try {
      return readFileSync(join(this.state, "journal"), "latin1").split("\n").length - 1;
    } catch {
      return 0;
    }
  }

  async view<T>(path: string): Promise<T> {
    const socket = join(this.folder, "run/view.sock");
    return (await ask({ role: "view", method: "GET", path, socket })) as T;
  }

  async admin<T>(path: string, body: unknown): Promise<T> {
    const socket = join(this.folder, "run/admin.sock");
    return (await ask({ role: "admin", method: "POST", path, body, socket })) as T;
  }

  async apply(): Promise<void> {
    await this.admin("/v1/apply", { text: this.config, file: "site.yaml", queue: false });
  }

  /** Returns how many configs were ever accepted. */
  async intents(): Promise<number> {
    const { history } = await this.view<{ history: readonly unknown[] }>("/v1/config/history");
    return history.length;
  }

  /**
   * Resolves once everything is protected and the campaign has ended, the agent has ended, or the
   * time is up.
   */
  async settled(program: Program, patienceMs: number): Promise<Outcome | undefined> {
    const end = performance.now() + patienceMs;
    while (!program.dead) {
      const outcome = await this.outcome().catch(() => undefined);
      if (outcome?.over === true || performance.now() > end) return outcome;
      await rest(pollMs);
    }
    return undefined;
  }

  /**
   * Returns the agent's status; the site compares it with the time at which the agent was asked.
   */
  async status(): Promise<Status> {
    this.send({ kind: "now" });
    const asked = await heard(this.#site);
    if (asked.kind !== "now") throw new Error(`the site answered with ${asked.kind}`);
    const status = await this.view<Status>("/v1/status");
    this.send({ kind: "reported", status, askedAt: asked.now });
    return status;
  }

  async outcome(): Promise<Outcome> {
    const status = await this.status();
    const { campaigns } = await this.view<{ campaigns: readonly Campaign[] }>("/v1/rotation");
    const campaign = campaigns[0]?.state ?? "none";
    const over = status.verdict === "protected" && campaign === "done";
    return { verdict: status.verdict, campaign, over };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.programs) program.child.kill("SIGKILL");
    const ended = once(this.#site, "exit");
    this.#site.disconnect();
    await Promise.all([ended, ...this.programs.map((program) => program.ended)]);
    rmSync(this.folder, { recursive: true });
  }
}

/** Resolves to the next message of a site. Rejects if the site ends instead. */
async function heard(site: ChildProcess): Promise<News> {
  const heardIt = new AbortController();
  const { signal } = heardIt;
  const ended = once(site, "exit", { signal }).then(() => undefined);
  try {
    const news = await Promise.race([once(site, "message", { signal }), ended]);
    if (news === undefined) throw new Error("the site has ended");
    return news[0] as News;
  } finally {
    heardIt.abort();
  }
}

export interface Outcome {
  readonly verdict: string;
  readonly campaign: string;
  readonly over: boolean;
}
