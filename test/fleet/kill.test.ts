// The agent is killed at any call that it makes to the disk or the World: the site must end as in a
// clean run.

import { describe, expect, it } from "vitest";
import type { Agent } from "#agent/runtime/agent.ts";
import type { Log } from "#hal/world.ts";
import { twiceASecond } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { Prng } from "#sim/base/prng.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { hasty } from "../short-waits.ts";
import { CrashingWorld, type CrashPoint } from "../storm/crashing-world.ts";
import { deadly, deaths } from "./deaths.ts";

const address = "unix:/run/linkseal-sim/site.sock";

const quiet: Log = { write: () => undefined };

interface Ended {
  /** Calls of its first process. */
  readonly calls: readonly string[];
  readonly lastCall: string;
  readonly verdict: string;
  readonly campaign: string;
  readonly ends: string;
  readonly complaints: readonly string[];
  readonly deaths: number;
}

class Stage {
  readonly site: Site;
  readonly disk: SimDisk;
  readonly oracle: Oracle;
  readonly #calls: string[] = [];
  #starts = 0;
  #crashing: CrashingWorld | undefined;
  #agent: Agent | undefined;

  constructor(seed: string) {
    this.site = buildSite({ seed, name: "demo", groups: 1, tunnels: 2, start: "clear" });
    const { clock, prng } = this.site;
    this.disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    this.oracle = watchSite(this.site);
  }

  /**
   * Runs one process: it opens its state, runs its loops, and applies the config if none is in
   * force.
   */
  async live(crashPoint: CrashPoint | undefined): Promise<CrashingWorld> {
    this.#starts += 1;
    const prng = this.site.prng.fork(`agent ${this.#starts}`);
    const real = simulatedWorld({ site: this.site, disk: this.disk, log: quiet, prng });
    const note = (what: string): void => {
      if (this.#starts === 1) this.#calls.push(what);
    };
    const crashing = new CrashingWorld(real, crashPoint, () => this.disk.crash(), note);
    this.#crashing = crashing;
    this.#agent = undefined;
    void this.#process(crashing);
    return crashing;
  }

  async #process(crashing: CrashingWorld): Promise<void> {
    const agent = await simulatedAgent(crashing.world);
    this.#agent = agent;
    const { signal } = new AbortController();
    void agent.run(signal);
    if (agent.intent !== undefined) return;
    await this.site.clock.sleep(1_000);
    const text = hasty(this.site.config(address));
    await agent.apply({ text, file: "demo.yaml", who: "test", queue: false }, signal);
  }

  #finished(): boolean {
    const campaign = this.#agent?.memory.campaigns["erd-demo"];
    const over = campaign?.state === "done" || campaign?.state === "held";
    return over && this.#agent?.status().verdict === "protected";
  }

  async run(crashPoint: CrashPoint | undefined): Promise<Ended> {
    const first = await this.live(crashPoint);
    // A drain whose end the agent did not see may still come for twenty minutes, and the second
    // link waits for it.
    const limit = 2_400_000;
    const { clock } = this.site;
    const finished = twiceASecond(clock, () => this.#finished());
    await clock.runFor(limit, () => first.dead || (crashPoint === undefined && finished()));
    if (first.dead) {
      await clock.runFor(3_000);
      await this.live(undefined);
      await clock.runFor(limit, finished);
    }
    const links = this.site.truth().groups[0]?.links ?? [];
    const ends = links.map(
      (link) => `${link.id} ${link.edgeKeys.join()} ${link.farKey} ${link.policy}`,
    );
    this.#crashing?.kill();
    return {
      calls: this.#calls,
      lastCall: first.lastCall,
      verdict: this.#agent?.status().verdict ?? "none",
      campaign: this.#agent?.memory.campaigns["erd-demo"]?.state ?? "none",
      ends: ends.join("; "),
      complaints: this.oracle.violations.map(formatViolation),
      deaths: this.#starts - 1,
    };
  }
}

const seed = "kill-1";

describe("killed at Disk and Dialer calls of an apply and an enrolment", async () => {
  const clean = await new Stage(seed).run(undefined);

  it("an agent that is not killed ends protected", () => {
    expect(clean).toMatchObject({ verdict: "protected", campaign: "done", complaints: [] });
  });

  it.each(deaths)("an agent killed %s any call ends as in the clean run", async (when) => {
    const chosen = deadly(clean.calls, when, new Prng(`${seed} ${when}`));
    const count = `${chosen.length} of ${clean.calls.length} calls`;
    console.log(`seed ${seed}: ${count}, each killed ${when}`);
    const wrong: string[] = [];
    for (const index of chosen) {
      const call = index + 1;
      const ended = await new Stage(seed).run({ call, when });
      const same =
        ended.deaths === 1 &&
        ended.verdict === "protected" &&
        ended.campaign === "done" &&
        ended.ends === clean.ends &&
        ended.complaints.length === 0;
      if (!same) wrong.push(`call ${call} (${ended.lastCall}): ${JSON.stringify(ended)}`);
    }
    expect(wrong).toEqual([]);
  });
});
