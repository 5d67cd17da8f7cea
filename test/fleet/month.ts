// A month of a small site with faults, and its truth second by second on the host's wall clock.

import { madeReport } from "#agent/evidence/report/made.ts";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import { Prng } from "#sim/base/prng.ts";
import type { LinkTruth } from "#sim/base/truth.ts";
import { demoFaults, type FaultKind, stormFaults, strikeFault } from "#sim/faults/faults.ts";
import { effort } from "../effort.ts";
import { ProcessRestarts } from "../storm/process-restarts.ts";
import { StormRun } from "../storm/storm-run.ts";
import { settled } from "../unit/kit/site-bench.ts";

const second = 1_000;
const minute = 60 * second;
/** A day of a short run has few quiet hours. */
export const dayMs = effort(6, 24) * 60 * minute;

/**
 * Flags of one second; `dim`: near it was a fault that only counters, or IKE's liveness checks,
 * showed.
 */
export const bits = { good: 1, bad: 2, blind: 4, dim: 8 } as const;

/** Poll, settle and evidence times of a storm site's config. */
export const waits = { pollMs: 10_000, settleMs: 18_000, lookbackMs: 110_000, confirmMs: 60_000 };

/**
 * Faults of the links, and how each can be observed: by any observation, by counters alone, or not
 * at all.
 */
const linkFaults: readonly (readonly [string, "look" | "counters" | "blind"])[] = [
  ...(["fibre-cut", "mka-flap", "peer-silent", "port-shut"] as const).map(
    (name) => [name, "look"] as const,
  ),
  ...(["should-secure", "clear-path"] as const).map((name) => [name, "look"] as const),
  // Azure's document names, for a while, another key than the hardware has.
  ...(["far-off", "far-person"] as const).map((name) => [name, "blind"] as const),
  ["stale-sak", "counters"],
  ["mtu", "counters"],
  ...(["unreachable", "unparsed", "slow", "reply-late", "frozen-counters", "reboot"] as const).map(
    (name) => [name, "blind"] as const,
  ),
  ...(["session-cut", "counter-reset", "vault-down", "far-unreadable"] as const).map(
    (name) => [name, "blind"] as const,
  ),
];

function kindOf(name: string): FaultKind {
  const kind = [...demoFaults, ...stormFaults].find((each) => each.name === name);
  if (kind === undefined) throw new RangeError(`no fault ${name}`);
  return kind;
}

export class Month {
  readonly run: StormRun;
  readonly restarts: ProcessRestarts;
  readonly days: number;
  readonly struck: Record<string, number> = {};
  /** Flags of each second since the beginning, by link or tunnel. */
  readonly truth = new Map<string, Uint8Array>();
  readonly wallStart: number;
  readonly #prng: Prng;
  readonly #seconds: number;
  #sampledAt: number;
  readonly #states = new Map<string, boolean>();
  /** Links that carry traffic in the clear now, or would. */
  readonly #open = new Set<string>();
  /** Intervals of the wall clock whose records a disk has lost. */
  readonly lost: { readonly from: number; readonly to: number }[] = [];

  constructor(seed: string, days: number) {
    this.days = days;
    this.#prng = new Prng(`${seed}/month`);
    const size = { seed, routers: 2, tunnels: 2, start: "clear", models: "best" } as const;
    this.run = new StormRun({ ...size, writeLine: () => undefined });
    const { site, oracle } = this.run.stormSite;
    this.wallStart = site.clock.wall();
    this.#seconds = (days * dayMs) / second + 3_600;
    this.#sampledAt = site.clock.now();
    this.restarts = new ProcessRestarts({
      run: this.run,
      prng: this.#prng.fork("lives"),
      config: () => this.#config(),
    });
    oracle.onMoment(({ now }) => this.#sample(now.links));
    const tick = (): void => {
      this.#sample([]);
      site.clock.after(5 * second, tick);
    };
    site.clock.after(0, tick);
  }

  #config(): string {
    return this.run
      .config()
      .replaceAll("    drain: prepend", "    drain: prepend\n    rotate: { on: vaultVersion }");
  }

  /** Writes the state since the last sample to the seconds that have passed. */
  #sample(links: readonly LinkTruth[]): void {
    const { site } = this.run.stormSite;
    const now = site.clock.now();
    const wall = site.clock.wall();
    for (const [about, good] of this.#states) {
      const from = wall - (now - this.#sampledAt);
      this.#mark(about, from, wall, good ? bits.good : bits.bad);
    }
    this.#sampledAt = now;
    for (const link of links) {
      const good = link.secured && link.carries && link.policy === "mustSecure";
      this.#states.set(link.id, good);
      const isOpen = (link.carries && !link.secured) || link.policy === "shouldSecure";
      if (isOpen) this.#open.add(link.id);
      else this.#open.delete(link.id);
    }
    // Tunnels must run inside the MACsec of the only group.
    const inside = this.#open.size === 0;
    for (const { name, up, clearPath } of site.tunnelTruth()) {
      this.#states.set(name, up && !clearPath && inside);
    }
  }

  #mark(about: string, from: number, to: number, bit: number): void {
    const seconds = this.truth.get(about) ?? new Uint8Array(this.#seconds);
    this.truth.set(about, seconds);
    const first = Math.floor((from - this.wallStart) / second);
    const end = Math.max(first + 1, Math.ceil((to - this.wallStart) / second));
    for (let at = Math.max(0, first); at < Math.min(end, this.#seconds); at += 1) {
      seconds[at] = (seconds[at] ?? 0) | bit;
    }
  }

  /** Marks an interval in which the agent cannot have observed, or recorded, any state. */
  #blind(fromMs: number, toMs: number, bit: number = bits.blind): void {
    for (const about of this.truth.keys()) this.#mark(about, fromMs, toMs, bit);
  }

  /**
   * Plays days with faults of every kind, kills of the agent, disks that lose data, and clock
   * jumps.
   */
  async play(): Promise<void> {
    const { clock } = this.run.stormSite.site;
    this.restarts.start();
    await clock.runFor(3_600_000);
    for (let day = 0; day < this.days; day += 1) {
      const end = (day + 1) * dayMs;
      for (const kind of this.#plan(day)) {
        const restMs = end - 2 * 3_600_000 - clock.now();
        if (restMs <= 0) break;
        await clock.runFor(this.#prng.between(20 * minute, Math.max(25 * minute, restMs / 3)));
        await this.#befall(kind);
      }
      await clock.runFor(Math.max(0, end - clock.now()));
    }
    // The last minutes of a period are confirmed after it.
    await clock.runFor(10 * minute);
    // The agent had made no observation when the period began.
    this.#blind(this.wallStart, this.wallStart + waits.pollMs);
  }

  #plan(day: number): readonly string[] {
    const own = ["kill", "lost tail", "full disk", "clock jump", "new keys", "restart"];
    const mine = own[day % own.length] ?? "kill";
    const [first, secondOne] = [this.#prng.pick(linkFaults), this.#prng.pick(linkFaults)];
    return [first[0], mine, secondOne[0]];
  }

  async #befall(name: string): Promise<void> {
    this.struck[name] = (this.struck[name] ?? 0) + 1;
    const { site } = this.run.stormSite;
    const { clock } = site;
    const { lookbackMs, confirmMs } = waits;
    const edgeMs = lookbackMs + confirmMs + 2 * waits.pollMs;
    const from = clock.wall() - edgeMs;
    switch (name) {
      case "kill":
        this.restarts.kill();
        await clock.runFor(5 * minute);
        break;
      case "lost tail": {
        this.run.disk.setFault("lies", true);
        const begun = clock.wall();
        await this.#faulty(this.#prng.pick(["fibre-cut", "peer-silent"]), 3 * minute);
        this.restarts.kill();
        this.lost.push({ from: begun, to: clock.wall() });
        this.run.disk.setFault("lies", false);
        await clock.runFor(5 * minute);
        break;
      }
      case "full disk":
        this.run.disk.setFault("full", true);
        await this.#faulty("fibre-cut", 3 * minute);
        await clock.runFor(5 * minute);
        this.run.disk.setFault("full", false);
        // Records that wait in memory are written once there is room again.
        await clock.runFor(5 * minute);
        return;
      case "clock jump": {
        const ms = this.#prng.between(-600_000, 600_000);
        const before = clock.wall();
        clock.jumpWall(ms);
        await clock.runFor(20 * minute);
        this.#blind(Math.min(before, before + ms) - edgeMs, Math.max(before, before + ms) + edgeMs);
        const after = clock.wall();
        clock.jumpWall(-ms);
        await clock.runFor(20 * minute);
        this.#blind(Math.min(after, after - ms) - edgeMs, Math.max(after, after - ms) + edgeMs);
        return;
      }
      case "new keys":
        for (const { key } of site.links) site.vault.generatePair(key, "gcm-aes-xpn-256");
        await clock.runFor(60 * minute);
        this.#blind(clock.wall() - 60 * minute, clock.wall(), bits.dim);
        return;
      case "restart":
        this.restarts.restart();
        await clock.runFor(5 * minute);
        break;
      default: {
        const shows = linkFaults.find(([each]) => each === name)?.[1] ?? "look";
        await this.#faulty(name, this.#prng.between(2 * minute, 12 * minute));
        await clock.runFor(15 * minute);
        if (shows === "blind") break;
        const bit = shows === "counters" ? bits.dim : 0;
        this.#blind(from, clock.wall() - 10 * minute, bit);
        return;
      }
    }
    this.#blind(from, clock.wall() + edgeMs);
  }

  async #faulty(name: string, ms: number): Promise<void> {
    const { site } = this.run.stormSite;
    const heal = strikeFault(site, kindOf(name), this.#prng.pick(site.links));
    await site.clock.runFor(ms);
    heal();
    await site.clock.runFor(minute);
  }

  async report(from: number, to: number): Promise<SignedReport> {
    const { agent, stormSite } = this.run;
    if (agent === undefined) throw new Error("no agent lives");
    const [start, end] = [from, to].map((ms) => new Date(this.wallStart + ms).toISOString());
    return await settled(stormSite.site.clock, madeReport(agent, { from: start, to: end }));
  }
}
