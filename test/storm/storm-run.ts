// A whole storm on virtual time: one real agent for all routers, its disk, and the oracle that
// checks the promises against everything that happens and everything that the agent reports.

import type { Campaign } from "#agent/model/campaign.ts";
import type { OnDecision } from "#agent/model/decision.ts";
import type { Reason, Verdict } from "#agent/model/health.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import type { World } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import type { RoutersPerGroup } from "#sim/site/site-plan.ts";
import { recordedLog, recordedWorld } from "./recorder.ts";
import { buildStormSite, type StormSite } from "./storm-site.ts";
import { surfacesOf } from "./surfaces.ts";

export interface StormRunOptions {
  readonly seed: string;
  /** The number of routers: even, since every group has two. */
  readonly routers: number;
  readonly perGroup?: RoutersPerGroup;
  readonly start: "clear" | "protected";
  /** `mixed`: each router differs by seed in how it commits and what it can hold. */
  readonly models: "best" | "mixed";
  readonly tunnels: number;
  /** Hellos and keep-alives of the routing at each end, in packets per second. */
  readonly routingPps?: number;
  /** The time from the acceptance of a change at a far end until its hardware follows. */
  readonly farEndDelayMs?: { readonly low: number; readonly high: number };
  /** Called with the decisions of every process of the agent, and with the rows that were taken. */
  readonly onDecision?: OnDecision;
  /** Takes the event log, one line per transition. */
  readonly writeLine: (line: string) => void;
}

/**
 * The state of a group or tunnel at the end; `held` and `waiting` need an operator, and say for
 * what.
 */
export interface Rest {
  readonly kind: "protected" | "held" | "waiting" | "moving";
  readonly about: string;
  readonly why: string;
}

/** Wraps the World of an agent; seeded defects and crashes are inserted here. */
export type Surround = (world: World) => World;

const address = "unix:/run/linkseal-sim/site.sock";
const pollMs = 10_000;
/**
 * The interval of reports to the oracle; less often the text of a report is searched for keys, and
 * all surfaces are compared.
 */
const reportMs = 60_000;
const textEvery = 10;
/** The bounds for a poll of 10 s, with the default `staleAfter` and `evidence` of the config. */
const bounds = { controlMs: 50_000, dataMs: 110_000, staleMs: 45_000, sweepMs: 5_000 };

const encoder = new TextEncoder();

export class StormRun {
  readonly stormSite: StormSite;
  readonly disk: SimDisk;
  observations = 0;
  readonly #onDecision: OnDecision | undefined;
  #starts = 0;
  #reports = 0;
  #stop = new AbortController();
  #agent: Agent | undefined;

  constructor(options: StormRunOptions) {
    const { writeLine, onDecision, ...size } = options;
    const heard = (line: string): void => {
      writeLine(line);
      this.stormSite?.oracle.emitted("event log", line);
    };
    this.#onDecision = onDecision;
    this.stormSite = buildStormSite({ ...size, bounds, writeLine: heard });
    const { site } = this.stormSite;
    site.attach({
      observed: () => {
        this.observations += 1;
      },
    });
    this.disk = new SimDisk({ clock: site.clock, prng: site.prng.fork("disk"), writeMs: 2 });
    site.clock.after(reportMs, () => this.#report());
  }

  /** The agent of the present process; undefined while it opens. */
  get agent(): Agent | undefined {
    return this.#agent;
  }

  /** Returns the config that an operator pushes for this site, with further lines at its end. */
  config(...lines: readonly string[]): string {
    const { site } = this.stormSite;
    return [
      site.config(address).trimEnd(),
      // Some of the mixed routers send no probes.
      "  - { risk: noProbe, until: 2027-11-24 }",
      `health: { poll: ${pollMs / 1000}s }`,
      ...lines,
      "",
    ].join("\n");
  }

  /**
   * Runs one process: it reads its state, loops, and pushes `config` unless one is in force.
   * Resolves when it was ended; rejects with the error that broke it.
   */
  async begin(config: string, surround: Surround = (world) => world): Promise<void> {
    this.#starts += 1;
    this.#stop = new AbortController();
    this.#agent = undefined;
    const { signal } = this.#stop;
    try {
      await this.#live(surround(this.#world()), config, signal);
    } catch (error) {
      // The loops end by the signal that stops them.
      if (!signal.aborted) throw error;
    }
  }

  /** Ends the process in good order, without waiting for its outstanding requests. */
  end(): void {
    this.#stop.abort();
    this.#agent = undefined;
  }

  #world(): World {
    const { site, oracle } = this.stormSite;
    const prng = site.prng.fork(`agent ${this.#starts}`);
    const log = recordedLog(oracle);
    return recordedWorld(simulatedWorld({ site, disk: this.disk, log, prng }), oracle);
  }

  async #live(world: World, config: string, signal: AbortSignal): Promise<void> {
    const { oracle, log } = this.stormSite;
    const agent = await simulatedAgent(world, this.#onDecision);
    if (signal.aborted) return;
    this.#agent = agent;
    agent.events.listen((event) => {
      oracle.emitted("events", JSON.stringify(event));
      log.line("agent", event.about, `${event.code} ${event.text}`);
    });
    const pushed = agent.intent === undefined ? this.#push(agent, config, signal) : undefined;
    await Promise.all([agent.run(signal), pushed]);
  }

  async #push(agent: Agent, text: string, signal: AbortSignal): Promise<void> {
    const request = { text, file: "fleet.yaml", who: "fleet", queue: false };
    const answer = await agent.apply(request, signal);
    this.stormSite.oracle.emitted("answer", JSON.stringify(answer));
    if (answer.kind !== "accepted") throw new Error(`the config was ${answer.kind}`);
  }

  #report(): void {
    const { site, oracle } = this.stormSite;
    const agent = this.#agent;
    if (agent !== undefined) {
      const status = agent.status();
      oracle.reported(status);
      if (this.#reports % textEvery === 0) {
        oracle.emitted("status", encoder.encode(JSON.stringify(status)));
        oracle.shown(surfacesOf(() => agent));
      }
      this.#reports += 1;
    }
    site.clock.after(reportMs, () => this.#report());
  }

  /**
   * Returns the state of every group and tunnel; once the fault schedule has ended, none may be
   * `moving`.
   */
  rest(): readonly Rest[] {
    const agent = this.#agent;
    if (agent?.supervisor === undefined) {
      return [{ kind: "moving", about: "site", why: "no agent is running" }];
    }
    const { groups, tunnels } = agent.status();
    return [
      ...groups.map(({ name, verdict, links }): Rest => {
        const campaign = openCampaign(agent.memory, name);
        if (campaign === undefined) return restOf(name, verdict, links);
        const why = `${campaign.state}: ${reasonText(campaign.reason)}`;
        return { kind: parkedAs(campaign.state), about: name, why };
      }),
      ...tunnels.map((tunnel) => restOf(tunnel.name, tunnel.verdict, [tunnel])),
    ];
  }
}

function parkedAs(state: Campaign["state"]): Rest["kind"] {
  switch (state) {
    case "held":
      return "held";
    case "gated":
    case "awaitingPeer":
      return "waiting";
    case "queued":
    case "draining":
    case "staging":
    case "staged":
    case "switching":
    case "proving":
    case "promoting":
    case "retiring":
    case "restoring":
    case "reverting":
    case "done":
      return "moving";
  }
}

function restOf(
  about: string,
  verdict: Verdict,
  parts: readonly { readonly reasons: readonly Reason[] }[],
): Rest {
  if (verdict === "protected") return { kind: "protected", about, why: "every check passed" };
  const [reason] = parts.flatMap(({ reasons }) => reasons);
  if (reason === undefined) return { kind: "moving", about, why: `${verdict} for no reason` };
  return { kind: "waiting", about, why: `${verdict}: ${reason.text}` };
}
