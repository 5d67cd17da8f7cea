// Every surface of the agent against the truth and against the others, after every event that
// changes a simulated site. An agent that says something else to one surface alone is caught.

import { describe, expect, it } from "vitest";
import type { AgentView } from "#agent/runtime/agent-view.ts";
import type { SiteSnapshot } from "#agent/runtime/health/site-snapshot.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { demoFaults, stormFaults, strikeFault } from "#sim/faults/faults.ts";
import { formatViolation } from "#sim/oracle/oracle.ts";
import { effort } from "../effort.ts";
import { StormRun } from "../storm/storm-run.ts";
import { type AgentFor, protectedSpans, surfacesOf } from "../storm/surfaces.ts";
import { settled } from "../unit/kit/site-bench.ts";

const minute = 60_000;
const enrolMsMax = 60 * minute;
/** Counters and clocks move without an event. */
const lookMs = 10_000;
const struckMs = 4 * minute;
const healedMs = 6 * minute;

const quick = ["fibre-cut", "far-off", "unreachable", "should-secure", "stale-sak"];
const all = [...demoFaults, ...stormFaults].map(({ name }) => name);
const faults = effort(quick, [...new Set(all)]);

class Scene {
  readonly run: StormRun;
  /** How often the surfaces were compared. */
  looks = 0;
  #agentFor: AgentFor | undefined;

  constructor(seed: string) {
    const size = { seed, routers: 2, tunnels: 2, start: "clear", models: "best" } as const;
    this.run = new StormRun({ ...size, writeLine: () => undefined });
    const { site, oracle } = this.run.stormSite;
    let before = "";
    oracle.onMoment(({ now, effects, disturbed }) => {
      const truth = JSON.stringify(
        now.links.map(({ id, secured, carries, linkUp, drained, policy, principalCkn }) => {
          return [id, secured, carries, linkUp, drained, policy, principalCkn];
        }),
      );
      const isSame = truth === before && effects.length === 0 && disturbed.size === 0;
      before = truth;
      if (!isSame) this.look();
    });
    const tick = (): void => {
      this.look();
      site.clock.after(lookMs, tick);
    };
    site.clock.after(lookMs, tick);
  }

  /** Lets the agent say something else to one surface from now on. */
  plant(agentFor: AgentFor): void {
    this.#agentFor = agentFor;
  }

  get agentFor(): AgentFor | undefined {
    const { agent } = this.run;
    if (agent === undefined) return undefined;
    return this.#agentFor ?? (() => agent);
  }

  look(): void {
    const { agentFor } = this;
    if (agentFor === undefined) return;
    const { oracle } = this.run.stormSite;
    oracle.shown(surfacesOf(agentFor));
    this.looks += 1;
  }

  async begin(): Promise<this> {
    void this.run.begin(this.run.config());
    const { clock } = this.run.stormSite.site;
    const isWell = (): boolean => this.run.rest().every(({ kind }) => kind === "protected");
    while (!isWell() && clock.now() < enrolMsMax) await clock.runFor(minute);
    if (!isWell()) throw new Error("the links were not enrolled in time");
    return this;
  }

  /** Strikes a fault at the primary link, and heals it. */
  async strike(name: string): Promise<void> {
    const { site } = this.run.stormSite;
    const kind = [...demoFaults, ...stormFaults].find((each) => each.name === name);
    const [link] = site.links;
    if (kind === undefined || link === undefined) throw new RangeError(`no fault ${name}`);
    const heal = strikeFault(site, kind, link);
    await site.clock.runFor(struckMs);
    heal();
    await site.clock.runFor(healedMs);
  }

  /** Compares the report of all records so far with the truth of that time. */
  async report(): Promise<void> {
    const { agentFor } = this;
    if (agentFor === undefined) throw new Error("no agent lives");
    const { site, oracle } = this.run.stormSite;
    oracle.reportedPast(await settled(site.clock, protectedSpans(agentFor("report"), site.clock)));
  }

  get violations(): readonly string[] {
    return this.run.stormSite.oracle.violations.map(formatViolation);
  }
}

describe("status, links, page, metrics and report", () => {
  it.each(faults)(
    "all surfaces say the same and what is true, after every event, while %s strikes",
    async (name) => {
      const scene = await new Scene(`surfaces ${name}`).begin();
      await scene.strike(name);
      await scene.report();
      expect(scene.violations).toEqual([]);
      expect(scene.looks).toBeGreaterThan(100);
    },
  );
});

/** The agent with another snapshot, and with records of which each verdict is another. */
function lying(agent: AgentView): AgentView {
  const better = <T>(value: T): T =>
    JSON.parse(JSON.stringify(value).replaceAll('"verdict":"down"', '"verdict":"protected"')) as T;
  const betterPart = <T extends { readonly status: object }>(part: T): T => ({
    ...part,
    status: better(part.status),
  });
  const snapshot = (): SiteSnapshot => {
    const site = betterPart(agent.snapshot());
    const links = site.links.map(betterPart);
    const groups = site.groups.map((group) => ({
      ...betterPart(group),
      links: group.links.map(betterPart),
    }));
    return { ...site, groups, links, tunnels: site.tunnels.map(betterPart) };
  };
  const { memory, intent, intentDamage, journalState, supervisor, loopLag, events } = agent;
  const honest = { memory, intent, intentDamage, journalState, supervisor, loopLag, events };
  const { evidence } = agent;
  return {
    ...honest,
    snapshot,
    status: (): Status => snapshot().status,
    evidence: { ...evidence, read: async () => better(await evidence.read()) },
  };
}

describe("an agent that says protected to one surface alone", () => {
  it.each(["status", "links", "page", "metrics"] as const)(
    "an agent that calls a link that is down protected in %s alone is caught",
    async (liar) => {
      const scene = await new Scene(`liar ${liar}`).begin();
      const { agent } = scene.run;
      if (agent === undefined) throw new Error("no agent lives");
      scene.plant((surface) => (surface === liar ? lying(agent) : agent));
      expect(scene.violations).toEqual([]);
      await scene.strike("fibre-cut");
      const { violations } = scene;
      expect(violations[0]).toMatch(/^seed liar \w+ promise P7\n/);
      const text = violations.join("\n");
      const first =
        liar === "status" ? "links says verdict down, and status" : `${liar} says verdict`;
      expect(text).toContain(`: ${first} protected`);
      // The truth names the liar, also where nothing contradicts it.
      expect(text).toMatch(
        new RegExp(`after: ${liar} says \\S+ protected\n\\S+ is reported protected and has been`),
      );
    },
  );

  it("a report that calls a link that was down protected is caught", async () => {
    const scene = await new Scene("liar report").begin();
    await scene.strike("fibre-cut");
    await scene.report();
    expect(scene.violations).toEqual([]);
    const { agent } = scene.run;
    if (agent === undefined) throw new Error("no agent lives");
    scene.plant((surface) => (surface === "report" ? lying(agent) : agent));
    await scene.report();
    expect(scene.violations.join("\n")).toMatch(
      /report says \S+ protected\n.* in which it was not/,
    );
  });
});
