// What an agent costs that only watches: memory against a bare Node, processor time, and growth.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { ask } from "#agent/cli/client.ts";
import type { Status } from "#agent/health/status.ts";
import { siteHandler } from "#sim/faces/site.ts";
import { leashClock, type Pace, paceClock, type Served, serveSite } from "#sim/serve.ts";
import { buildSite, type Site } from "#sim/site.ts";
import type { Bench, Figure } from "./bench.ts";

const command = join(import.meta.dirname, "..", "agent", "bin.js");
const pollMs = 5_000;
/** Virtual time may run ahead of the agent by less than any of its deadlines. */
const leashMs = 500;
/** Until the heap has its size. */
const warmPolls = 1_500;
const patienceMs = 120_000;
/** The unit of /proc/PID/stat. */
const tickMs = 10;

function procFile(child: ChildProcess, name: string): string {
  return readFileSync(`/proc/${child.pid}/${name}`, "utf8");
}

function megabytes(child: ChildProcess): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(procFile(child, "status"))?.[1];
  return Number(kilobytes) / 1024;
}

function cpuMs(child: ChildProcess): number {
  const fields = procFile(child, "stat").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

async function bareNode(): Promise<number> {
  const code = "setInterval(() => {}, 1e6); console.log()";
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const size = megabytes(child);
  child.kill();
  return size;
}

/** An agent in a process of its own that watches links which are protected and its own. */
class Watcher implements AsyncDisposable {
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

  static async open(links: number, speed: number, warm: number): Promise<Watcher> {
    const folder = mkdtempSync(join(tmpdir(), "linkseal-idle-"));
    mkdirSync(join(folder, "state"), { mode: 0o700 });
    const groups = links / 2;
    const site = buildSite({ seed: "idle", name: "idle", groups, tunnels: 2, start: "protected" });
    site.setSpeed(speed);
    const leash = leashClock(siteHandler(site), site.clock, leashMs);
    const served = await serveSite(leash.handler, join(folder, "site.sock"));
    const pace = paceClock(site.clock, { speed, hold: leash.hold });
    const watcher = new Watcher(site, folder, served, pace);
    await watcher.#settle(warm);
    return watcher;
  }

  get #address(): string {
    return `unix:${join(this.#folder, "site.sock")}`;
  }

  async #settle(polls: number): Promise<void> {
    await once(this.child.stdout as NodeJS.ReadableStream, "data");
    this.child.stdout?.resume();
    const text = this.#site.config(this.#address);
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
    await ask({ role: "admin", method: "POST", path, body: { risks: [], ...body }, socket });
  }

  async #status(): Promise<Status> {
    const socket = join(this.#folder, "run/view.sock");
    return (await ask({ role: "view", method: "GET", path: "/v1/status", socket })) as Status;
  }

  /** Lets it look so many times at each device; resolves to the virtual minutes that took. */
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

interface Cost {
  readonly megabytes: number;
  readonly cpuMsPerMinute: number;
  readonly growthMegabytes: number;
}

async function measureCost(links: number, speed: number, polls: number): Promise<Cost> {
  await using watcher = await Watcher.open(links, speed, links === 2 ? warmPolls : 40);
  const { child } = watcher;
  const before = { size: megabytes(child), cpu: cpuMs(child) };
  const minutes = await watcher.watch(polls);
  const size = megabytes(child);
  return {
    megabytes: size,
    cpuMsPerMinute: (cpuMs(child) - before.cpu) / minutes,
    growthMegabytes: ((size - before.size) * 1_000) / polls,
  };
}

const costs = new Map<number, Promise<Cost>>();

/** One run tells all three figures of a size. */
function costOf(links: 2 | 200): Promise<Cost> {
  const [speed, polls] = links === 2 ? [200, 1_000] : [10, 20];
  const cost = costs.get(links) ?? measureCost(links, speed, polls);
  costs.set(links, cost);
  return cost;
}

const peer = { name: "bare node", sample: bareNode };

function memory(links: 2 | 200): Figure {
  const ours = async (): Promise<number> => (await costOf(links)).megabytes;
  return { name: `memory (RSS), ${links} links`, unit: "MB", ours, peer };
}

function processor(links: 2 | 200): Figure {
  const ours = async (): Promise<number> => (await costOf(links)).cpuMsPerMinute;
  return { name: `processor, ${links} links`, unit: "ms a virtual minute", ours };
}

export const bench: Bench = {
  title: "an agent that only watches, looking every 5 s",
  runs: 1,
  figures: [
    memory(2),
    processor(2),
    {
      name: "growth, 2 links",
      unit: "MB in 1,000 polls",
      ours: async () => (await costOf(2)).growthMegabytes,
    },
    memory(200),
    processor(200),
  ],
};
