// One agent on a simulated site under virtual time, and the actions of an operator beside it.

import { type ApiReply, answer } from "#agent/api/api.ts";
import type { SocketRole } from "#agent/api/route.ts";
import { type Client, clientText } from "#agent/model/client.ts";
import type { OnDecision } from "#agent/model/decision.ts";
import type { Agent } from "#agent/runtime/agent.ts";
import type { ApplyAnswer } from "#agent/runtime/agent-shapes.ts";
import type { World } from "#hal/world.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedAgent, simulatedWorld } from "#sim/lab/simulate.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite, type Site, type SiteLink, type SiteOptions } from "#sim/site/site.ts";
import { hasty } from "../../short-waits.ts";
import { apiWorld } from "./api-world.ts";
import { never, settled } from "./site-bench.ts";

const address = "unix:/run/linkseal-sim/site.sock";
export const group = "erd-demo";

/** The process that sends the requests of a bench, unless a test sets another. */
const operator: Omit<Client, "socket"> = { uid: 1000, gid: 1001, pid: 4242, loginUid: 1002 };
/** The same as records name it. */
export const operatorText = clientText({ ...operator, socket: "admin" });

interface Line {
  readonly level: string;
  readonly code: string;
  readonly text: string;
}

export class AgentBench {
  readonly site: Site;
  disk: SimDisk;
  readonly oracle: Oracle;
  readonly log: Line[] = [];
  /** Errors that ended the agent's loops unasked; a test expects none. */
  readonly broken: unknown[] = [];
  /** The hook of the processes that begin from now on. */
  onDecision: OnDecision | undefined;
  /** The process that sends the next requests. */
  client = operator;
  #agent: Agent | undefined;
  #stop = new AbortController();
  #starts = 0;

  constructor(
    start: "clear" | "protected",
    seed = "bench",
    models?: SiteOptions["models"],
    routers: SiteOptions["routers"] & string = "two",
    tunnels = 1,
    more: Partial<SiteOptions> = {},
  ) {
    const options = { seed, name: "demo", groups: 1, tunnels, start, routers, ...more };
    this.site = buildSite(models === undefined ? options : { ...options, models });
    const { clock, prng } = this.site;
    this.disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    this.oracle = watchSite(this.site);
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new Error("no agent lives here");
    return this.#agent;
  }

  /** Starts a process on the disk of the one before; `around` may wrap its World. */
  async live(around: (world: World) => World = (world) => world): Promise<this> {
    this.#starts += 1;
    this.#stop = new AbortController();
    const { site, disk } = this;
    const log = {
      write: (level: string, code: string, text: string): void => {
        this.log.push({ level, code, text });
      },
    };
    const prng = site.prng.fork(`agent ${this.#starts}`);
    const world = around(simulatedWorld({ site, disk, log, prng }));
    const agent = await settled(site.clock, simulatedAgent(world, this.onDecision));
    const { signal } = this.#stop;
    agent.run(signal).catch((error: unknown) => {
      if (!signal.aborted) this.broken.push(error);
    });
    this.#agent = agent;
    return this;
  }

  /** Ends the process between two of its steps. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.run(1_000);
  }

  /** Puts a backup of the state folder in its place, while no process lives. */
  async restore(backup: ReturnType<SimDisk["contents"]>): Promise<void> {
    const { clock, prng } = this.site;
    const disk = new SimDisk({ clock, prng: prng.fork("restored disk"), writeMs: 2 });
    for (const { name, bytes } of backup) await settled(clock, disk.replace(name, bytes));
    this.disk = disk;
  }

  /** True if `until` came within `ms`. */
  async run(ms: number, until: () => boolean = () => false): Promise<boolean> {
    await this.site.clock.runFor(ms, until);
    return until();
  }

  config(edit: (text: string) => string = (text) => text): string {
    return edit(hasty(this.site.config(address)));
  }

  async apply(text = this.config(), queue = false): Promise<ApplyAnswer> {
    const request = { text, file: "demo.yaml", who: "test", queue };
    return await settled(this.site.clock, this.agent.apply(request, never));
  }

  /** Sends one request to a socket; resolves to the body of its reply. */
  async ask(path: string, body: unknown = "", role: SocketRole = "admin"): Promise<unknown> {
    return JSON.parse((await this.reply(path, body, role)).body);
  }

  async reply(path: string, body: unknown = "", role: SocketRole = "admin"): Promise<ApiReply> {
    const { clock } = this.site;
    const [method = "", target = ""] = path.split(" ", 2);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const client = { ...this.client, socket: role };
    const request = { method, path: target, body: text, client };
    const world = apiWorld(this.agent, clock);
    return await settled(clock, answer(this.agent, request, world, never));
  }

  link(name: "primary" | "secondary"): SiteLink {
    const link = this.site.link(`${group}/${name}`);
    if (link === undefined) throw new Error(`no link ${name}`);
    return link;
  }

  state(): string | undefined {
    const campaign = this.agent.memory.campaigns[group];
    return campaign === undefined
      ? undefined
      : `${campaign.links[campaign.at]?.name} ${campaign.state}`;
  }

  /** Runs until the campaign is at that link and state. */
  async reach(state: string, ms = 1_800_000): Promise<void> {
    if (await this.run(ms, () => this.state() === state)) return;
    const reason = this.agent.memory.campaigns[group]?.reason;
    throw new Error(`${state} was not reached: ${this.state()}, ${JSON.stringify(reason)}`);
  }

  carrying(): readonly boolean[] {
    return (this.site.truth().groups[0]?.links ?? []).map((link) => link.carries && link.bgpUp);
  }

  drained(): readonly boolean[] {
    return (this.site.truth().groups[0]?.links ?? []).map((link) => link.drained);
  }

  violations(): readonly string[] {
    return this.oracle.violations.map(formatViolation);
  }
}
