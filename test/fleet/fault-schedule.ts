// A fleet under a fault schedule: a storm over the site, an agent that is killed at any moment, a
// disk that tears, fills up and gives wrong data; then calm, in which everything must come to rest.

import type { OperatorVerb } from "#agent/rotation/verbs.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import { LinksealError } from "#hal/error.ts";
import type { Prng } from "#sim/base/prng.ts";
import { formatViolation } from "#sim/oracle/oracle.ts";
import { CrashingWorld } from "../storm/crashing-world.ts";
import { Storm } from "../storm/fault-storm.ts";
import { putRight } from "../storm/mending.ts";
import { type Rest, StormRun } from "../storm/storm-run.ts";

export interface FaultScheduleOptions {
  readonly seed: string;
  readonly routers: number;
  readonly stormMs: number;
  readonly calmMs: number;
  /** Mean time between two faults anywhere at the site. */
  readonly strikeMs: number;
  /** Mean time between two kills of the agent; undefined = it is not killed. */
  readonly deathMs: number | undefined;
}

export interface Outcome {
  readonly kinds: string;
  readonly lines: readonly string[];
  readonly deaths: number;
  readonly violations: readonly string[];
  /** The state in which every group and tunnel came to rest. */
  readonly rest: readonly Rest[];
  /** The same after an operator did what the reasons ask for. */
  readonly mended: readonly Rest[];
  readonly broken: readonly unknown[];
  readonly late: readonly string[];
}

const meddleMs = { low: 60_000, high: 900_000 };
const mendMs = 1_800_000;
const restartMs = { low: 1_000, high: 120_000 };

export class FaultSchedule {
  readonly run: StormRun;
  readonly #options: FaultScheduleOptions;
  readonly #prng: Prng;
  readonly #lines: string[] = [];
  readonly #broken: unknown[] = [];
  readonly #config: string;
  #crashing: CrashingWorld | undefined;
  #deaths = 0;
  #calm = false;

  constructor(options: FaultScheduleOptions) {
    const { seed, routers } = options;
    this.#options = options;
    const writeLine = (line: string): void => {
      this.#lines.push(line);
    };
    this.run = new StormRun({
      seed,
      routers,
      tunnels: routers,
      start: "clear",
      models: "mixed",
      writeLine,
    });
    this.#config = this.run.config();
    this.#prng = this.run.stormSite.site.prng.fork("weather");
  }

  async play(): Promise<Outcome> {
    const { stormMs, calmMs, strikeMs } = this.#options;
    const { site } = this.run.stormSite;
    this.#live();
    const storm = new Storm({ site, everyMs: strikeMs, kindChance: 0.4 });
    this.#dieLater();
    this.#meddleLater();
    await site.clock.runFor(stormMs);
    this.#calm = true;
    storm.calm();
    this.run.disk.setFault("full", false);
    this.run.disk.setFault("lies", false);
    await site.clock.runFor(calmMs);
    const rest = this.run.rest();
    for (let round = 0; round < 3; round += 1) {
      this.#mend();
      await site.clock.runFor(mendMs);
    }
    const { oracle } = this.run.stormSite;
    const outcome: Outcome = {
      kinds: storm.kinds.map(({ name }) => name).join(","),
      lines: this.#lines,
      deaths: this.#deaths,
      violations: oracle.violations.map(formatViolation),
      rest,
      mended: this.run.rest(),
      broken: this.#broken,
      late: oracle.late,
    };
    this.run.end();
    return outcome;
  }

  /** Corrects the far ends, resumes what is stopped, and restarts campaigns that ended. */
  #mend(): void {
    const { agent } = this.run;
    if (agent === undefined) return;
    const { site } = this.run.stormSite;
    for (const link of site.links) putRight(site, agent.memory, link);
    for (const group of site.groups) {
      // A refused request is not needed; the state at rest shows what is missing.
      void this.#goOn(agent, group).catch(() => undefined);
    }
  }

  async #goOn(agent: Agent, group: string): Promise<void> {
    const { signal } = new AbortController();
    if (openCampaign(agent.memory, group) === undefined) {
      // An abandoned campaign may leave links with their keys at both ends.
      for (const { id } of this.run.stormSite.site.links.filter((link) => link.group === group)) {
        await agent.commands.adopt(id, ["asFound"], signal).catch(() => undefined);
      }
      await agent.commands.enrol(group, { by: "person", risks: [] }, signal);
    } else {
      await this.#say(agent, group, "resume");
    }
  }

  async #say(agent: Agent, group: string, verb: OperatorVerb): Promise<void> {
    await agent.commands.rotation({ verb, farEndDone: false }, group, "person");
  }

  /** An operator resumes or abandons a campaign in the middle of the storm. */
  #meddleLater(): void {
    const { clock, groups } = this.run.stormSite.site;
    clock.after(this.#prng.between(meddleMs.low, meddleMs.high), () => {
      if (this.#calm) return;
      const { agent } = this.run;
      const group = this.#prng.pick(groups);
      const givesUp = this.#prng.chance(0.2);
      if (agent !== undefined) {
        const act = givesUp ? this.#say(agent, group, "abandon") : this.#goOn(agent, group);
        void act.catch(() => undefined);
      }
      this.#meddleLater();
      clock.wake();
    });
  }

  #live(): void {
    const crashing: { world?: CrashingWorld } = {};
    const ended = this.run.begin(this.#config, (world) => {
      crashing.world = new CrashingWorld(world, undefined, () => this.run.disk.crash());
      return crashing.world.world;
    });
    this.#crashing = crashing.world;
    ended.catch((error: unknown) => {
      if (crashing.world?.dead === true) return;
      // A process that cannot start ends; systemd starts it again.
      if (!(error instanceof LinksealError)) this.#broken.push(error);
      this.#die();
    });
  }

  #dieLater(): void {
    const { deathMs } = this.#options;
    if (deathMs === undefined) return;
    const { clock } = this.run.stormSite.site;
    const gapMs = -Math.log(1 - this.#prng.real()) * deathMs;
    clock.after(Math.ceil(gapMs), () => {
      if (this.#calm) return;
      if (this.#prng.chance(0.2)) this.#spoilDisk();
      else this.#die();
      this.#dieLater();
      clock.wake();
    });
  }

  #spoilDisk(): void {
    const { clock } = this.run.stormSite.site;
    const fault = this.#prng.pick(["full", "lies"] as const);
    this.run.disk.setFault(fault, true);
    clock.after(this.#prng.between(10_000, 600_000), () => this.run.disk.setFault(fault, false));
  }

  #die(): void {
    const dead = this.#crashing;
    if (dead === undefined || dead.dead) return;
    this.#deaths += 1;
    dead.kill();
    this.run.end();
    const { clock } = this.run.stormSite.site;
    clock.after(this.#prng.between(restartMs.low, restartMs.high), () => {
      this.#live();
      clock.wake();
    });
  }
}
