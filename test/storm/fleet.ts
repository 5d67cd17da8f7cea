// A whole fleet on virtual time: one real agent for all routers, its disk, and the oracle that
// holds the promises against everything that happens and everything that is said.

import type { Campaign } from "#agent/model/campaign.ts";
import type { Reason, Verdict } from "#agent/model/health.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import type { OnDecision } from "#agent/runtime/campaigns/conductor.ts";
import { simulatedAgent, simulatedWorld } from "#agent/simulation/simulate.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import type { World } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { buildFleet, type Fleet } from "#sim/oracle/fleet.ts";
import type { RoutersPerGroup } from "#sim/site/site-plan.ts";
import { tapped, tappedLog } from "./tap.ts";

export interface FleetOptions {
  readonly seed: string;
  /** Even: every group has two. */
  readonly routers: number;
  readonly perGroup?: RoutersPerGroup;
  readonly start: "clear" | "protected";
  /** `mixed`: each router differs by seed in how it commits and what it can hold. */
  readonly models: "best" | "mixed";
  readonly tunnels: number;
  /** Hellos and keep-alives of the routing at each end, in packets per second. */
  readonly routingPps?: number;
  /** From the acceptance of a change at a far end until its hardware follows. */
  readonly farEndDelayMs?: { readonly low: number; readonly high: number };
  /** What decides in every life of the agent, and who hears which rows were taken. */
  readonly onDecision?: OnDecision;
  /** Takes the event log, one line per transition. */
  readonly writeLine: (line: string) => void;
}

/** `held` and `waiting` are for a person, and say for what. */
export interface Rest {
  readonly kind: "protected" | "held" | "waiting" | "moving";
  readonly about: string;
  readonly why: string;
}

/** What an agent finds around it; a planted offender or a death is put in between here. */
export type Surround = (world: World) => World;

const address = "unix:/run/linkseal-sim/site.sock";
const pollMs = 10_000;
/** A report goes to the oracle this often; its text is searched for keys less often. */
const reportMs = 60_000;
const textEvery = 10;
/** For a poll of 10 s, with `staleAfter` and `evidence` as the config leaves them. */
const bounds = { controlMs: 50_000, dataMs: 110_000, staleMs: 45_000, sweepMs: 5_000 };

const encoder = new TextEncoder();

export class FleetRun {
  readonly fleet: Fleet;
  readonly disk: SimDisk;
  looks = 0;
  readonly #onDecision: OnDecision | undefined;
  #lives = 0;
  #reports = 0;
  #stop = new AbortController();
  #agent: Agent | undefined;

  constructor(options: FleetOptions) {
    const { writeLine, onDecision, ...size } = options;
    const heard = (line: string): void => {
      writeLine(line);
      this.fleet?.oracle.emitted("event log", line);
    };
    this.#onDecision = onDecision;
    this.fleet = buildFleet({ ...size, bounds, writeLine: heard });
    const { site } = this.fleet;
    site.attach({
      looked: () => {
        this.looks += 1;
      },
    });
    this.disk = new SimDisk({ clock: site.clock, prng: site.prng.fork("disk"), writeMs: 2 });
    site.clock.after(reportMs, () => this.#report());
  }

  /** The agent of the present life; undefined while it opens. */
  get agent(): Agent | undefined {
    return this.#agent;
  }

  /** The config that an operator pushes for this fleet, with more lines of theirs at its end. */
  config(...lines: readonly string[]): string {
    const { site } = this.fleet;
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
   * One process: reads its state, loops, and pushes `config` unless one is in force. Resolves when
   * it was ended; rejects with what broke it.
   */
  async begin(config: string, surround: Surround = (world) => world): Promise<void> {
    this.#lives += 1;
    this.#stop = new AbortController();
    this.#agent = undefined;
    const { signal } = this.#stop;
    try {
      await this.#live(surround(this.#world()), config, signal);
    } catch (error) {
      // Loops end by the signal that stops them.
      if (!signal.aborted) throw error;
    }
  }

  /** Ends the process in good order; what it has asked for is not waited for. */
  end(): void {
    this.#stop.abort();
    this.#agent = undefined;
  }

  #world(): World {
    const { site, oracle } = this.fleet;
    const prng = site.prng.fork(`agent ${this.#lives}`);
    const log = tappedLog(oracle);
    return tapped(simulatedWorld({ site, disk: this.disk, log, prng }), oracle);
  }

  async #live(world: World, config: string, signal: AbortSignal): Promise<void> {
    const { oracle, log } = this.fleet;
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
    this.fleet.oracle.emitted("answer", JSON.stringify(answer));
    if (answer.kind !== "accepted") throw new Error(`the config was ${answer.kind}`);
  }

  #report(): void {
    const { site, oracle } = this.fleet;
    const agent = this.#agent;
    if (agent !== undefined) {
      const status = agent.status();
      oracle.reported(status);
      if (this.#reports % textEvery === 0) {
        oracle.emitted("status", encoder.encode(JSON.stringify(status)));
      }
      this.#reports += 1;
    }
    site.clock.after(reportMs, () => this.#report());
  }

  /** How every group and tunnel stands; once the weather is calm none may be `moving`. */
  rest(): readonly Rest[] {
    const agent = this.#agent;
    if (agent?.crew === undefined) {
      return [{ kind: "moving", about: "site", why: "no agent looks after it" }];
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
  if (verdict === "protected") return { kind: "protected", about, why: "every check holds" };
  const [reason] = parts.flatMap(({ reasons }) => reasons);
  if (reason === undefined) return { kind: "moving", about, why: `${verdict} for no reason` };
  return { kind: "waiting", about, why: `${verdict}: ${reason.text}` };
}
