// An agent in its own process on a simulated site, for benchmarks of an agent that only observes.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { leashClock, type Pace, paceClock, type Served, serveSite } from "#sim/serve/site.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { Program } from "../../test/process/program.ts";

const command = join(import.meta.dirname, "../..", "agent", "bin.js");
const pollMs = 5_000;
/** Virtual time runs ahead of the agent by less than any of its deadlines. */
const leashMs = 500;
const patienceMs = 120_000;

export interface WatcherOptions {
  readonly links: number;
  /** Virtual seconds per real second. */
  readonly speed: number;
  /** Number of polls after which the agent counts as settled. */
  readonly warm: number;
  /** Further lines of the agent's config. */
  readonly config?: string;
}

/** An agent that watches protected links with keys of its own. */
export class Watcher implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #site: Site;
  readonly #folder: string;
  readonly #served: Served;
  readonly #pace: Pace;

  private constructor(site: Site, folder: string, served: Served, pace: Pace) {
    this.#site = site;
    this.#folder = folder;
    this.#served = served;
    this.#pace = pace;
    this.child = spawn(process.execPath, [command, "agent"], {
      env: { ...process.env, LINKSEAL_HOME: folder, LINKSEAL_SITE: this.#address },
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  static async open({ links, speed, warm, config = "" }: WatcherOptions): Promise<Watcher> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-idle-"));
    mkdirSync(join(folder, "state"), { mode: 0o700 });
    const groups = links / 2;
    const site = buildSite({ seed: "idle", name: "idle", groups, tunnels: 2, start: "protected" });
    site.setSpeed(speed);
    const leash = leashClock(siteHandler(site), site.clock, leashMs);
    const served = await serveSite(leash.handler, join(folder, "site.sock"));
    const pace = paceClock(site.clock, { speed, hold: leash.hold });
    const watcher = new Watcher(site, folder, served, pace);
    await watcher.#settle(warm, config);
    return watcher;
  }

  get #address(): string {
    return `unix:${join(this.#folder, "site.sock")}`;
  }

  async #settle(polls: number, config: string): Promise<void> {
    await new Program(this.child).ready();
    const text = this.#site.config(this.#address) + config;
    await this.#admin("/v1/apply", { text, file: "idle.yaml", queue: false });
    await this.watch(10);
    for (const group of this.#site.groups) await this.#admin("/v1/adopt", { target: group });
    const end = performance.now() + patienceMs;
    while ((await this.#status()).verdict !== "protected") {
      if (performance.now() > end) throw new Error("the links were never all seen protected");
      await rest(500);
    }
    await this.watch(polls);
  }

  async #admin(path: string, body: object): Promise<void> {
    const socket = join(this.#folder, "run/admin.sock");
    await ask({ role: "admin", method: "POST", path, body, socket });
  }

  async #status(): Promise<Status> {
    const socket = join(this.#folder, "run/view.sock");
    return (await ask({ role: "view", method: "GET", path: "/v1/status", socket })) as Status;
  }

  /**
   * Returns the address of the status page with a login code. Throws while the page is not served.
   */
  async pageLogin(): Promise<string> {
    const socket = join(this.#folder, "run/view.sock");
    const asked = { role: "view", method: "POST", path: "/v1/page/code", socket } as const;
    const { url, code } = (await ask(asked)) as { readonly url: string; readonly code: string };
    return `${url}#${code}`;
  }

  /**
   * Waits until the agent has polled each device `polls` times; resolves to the virtual minutes
   * that this took.
   */
  async watch(polls: number): Promise<number> {
    const { clock } = this.#site;
    const begun = clock.now();
    while (clock.now() - begun < polls * pollMs) await rest(20);
    return (clock.now() - begun) / 60_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await Promise.all([ended, this.#pace.stop()]);
    await this.#served.close();
    rmSync(this.#folder, { recursive: true });
  }
}
