// An agent whose far ends are in a simulated Azure, and whose routers and vault are in one
// simulated site.

import type { Campaign } from "#agent/model/campaign.ts";
import type { Reason } from "#agent/model/reason.ts";
import { openRecords } from "#agent/operate/open.ts";
import type { OperatorVerb } from "#agent/rotation/verbs.ts";
import { Agent } from "#agent/runtime/agent.ts";
import type { Status } from "#agent/runtime/health/status.ts";
import { drivers, simVault } from "#drivers/index.ts";
import {
  type Dialer,
  type Disk,
  type HttpReply,
  type HttpRequest,
  noChannels,
  noFrames,
  noPrograms,
  noSnmp,
  noStreams,
  type World,
} from "#hal/world.ts";
import type { SimAzure } from "#sim/azure/azure.ts";
import { twiceASecond } from "#sim/base/clock.ts";
import { SimDisk } from "#sim/base/disk.ts";
import { simulatedDialer, simulatedIdentity } from "#sim/lab/simulate.ts";
import { formatViolation, type Oracle, watchSite } from "#sim/oracle/oracle.ts";
import type { Msee } from "#sim/site/msee.ts";
import { siteHandler } from "#sim/site/protocol.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { type Overlap, routerWith } from "#sim/site/site-plan.ts";
import { hasty } from "../short-waits.ts";
import { CrashingWorld, type CrashPoint } from "../storm/crashing-world.ts";
import { armDialer, farEnds, simulatedAzure } from "../unit/kit/arm-bench.ts";
import { cloudWith } from "../unit/kit/cloud-kit.ts";
import { never, settled } from "../unit/kit/site-bench.ts";

const address = "unix:/run/linkseal-sim/site.sock";
const vaultBase = "https://kv-demo.vault.azure.net";
const group = "erd-demo";
const seed = "arm-1";

type Edit = (config: string) => string;

export interface ArmSetting {
  /** `late`: documents show a change only once its operation has ended. */
  readonly documents?: "prompt" | "late";
  /** Overlap of both routers; absent = the best one that exists. */
  readonly overlap?: Overlap;
  /** Changes the config before it is applied. */
  readonly edit?: Edit;
  /** `asked`: the agent reads which rights its identity has. */
  readonly rights?: "asked";
}

export interface Ended {
  readonly calls: readonly string[];
  readonly lastCall: string;
  readonly verdict: string;
  readonly campaign: string;
  readonly ends: string;
  readonly puts: readonly string[];
  readonly complaints: readonly string[];
}

export class ArmStage {
  readonly site: Site;
  readonly cloud: SimAzure;
  readonly oracle: Oracle;
  /** Every call of the first process, as the fault that kills it counts them. */
  readonly calls: string[] = [];
  readonly #disk: SimDisk;
  readonly #documents: "prompt" | "late";
  readonly #edit: Edit;
  readonly #rights: ArmSetting["rights"];
  #shown: HttpReply | undefined;
  /** Spoils replies of the management API. */
  alter: (reply: HttpReply, request: HttpRequest) => HttpReply | Promise<HttpReply> = (reply) =>
    reply;
  #starts = 0;
  #agent: Agent | undefined;

  constructor({ documents = "prompt", overlap, edit = (text) => text, rights }: ArmSetting = {}) {
    this.#documents = documents;
    this.#rights = rights;
    this.#edit = edit;
    const names = { seed, name: "demo", groups: 1, tunnels: 0 } as const;
    const model = overlap === undefined ? undefined : { capabilities: routerWith(overlap) };
    const models = model === undefined ? {} : { models: () => model };
    this.site = buildSite({ ...names, start: "clear", vaultBase, ...models });
    this.cloud = simulatedAzure(this.site);
    const { clock, prng } = this.site;
    this.#disk = new SimDisk({ clock, prng: prng.fork("disk"), writeMs: 2 });
    this.oracle = watchSite(this.site);
  }

  #world(): World {
    const note = <T>(what: string, run: () => Promise<T>): Promise<T> => {
      if (this.#starts === 1) this.calls.push(what);
      return run();
    };
    const disk = this.#disk;
    const noted: Disk = {
      read: (name) => note(`read ${name}`, () => disk.read(name)),
      list: (prefix) => note(`list ${prefix}`, () => disk.list(prefix)),
      append: (name, bytes) => note(`append ${name}`, () => disk.append(name, bytes)),
      replace: (name, bytes) => note(`replace ${name}`, () => disk.replace(name, bytes)),
    };
    const near = simulatedDialer(siteHandler(this.site));
    const dial: Dialer = {
      http: (request, signal) =>
        note(`${request.method} ${request.path}`, () =>
          request.to === address ? near.http(request, signal) : this.#far(request, signal),
        ),
      routeTo: async () => undefined,
      // Names of this host itself are resolved without a link.
      resolve: (host) => note(`resolve ${host}`, async () => ["127.0.0.1"]),
      exec: noPrograms,
      framed: noFrames,
      stream: noStreams,
      channel: noChannels,
      snmp: noSnmp,
    };
    const entropy = this.site.prng.fork(`agent ${this.#starts}`);
    return { clock: this.site.clock, entropy, disk: noted, dial, log: { write: () => undefined } };
  }

  async #far(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    const real = await armDialer(this.cloud).http(request, signal);
    const reply = await this.alter(real, request);
    const { method, path } = request;
    if (this.#documents === "prompt" || method !== "GET" || path.includes("/operations/")) {
      return reply;
    }
    const isBusy = [...this.site.msees.values()].some(
      (msee) => msee.resource("link1").operation ?? msee.resource("link2").operation,
    );
    this.#shown = isBusy ? (this.#shown ?? reply) : reply;
    return this.#shown;
  }

  async live(crashPoint: CrashPoint | undefined): Promise<CrashingWorld> {
    this.#starts += 1;
    const crashing = new CrashingWorld(this.#world(), crashPoint, () => this.#disk.crash());
    this.#agent = undefined;
    void this.#process(crashing.world);
    return crashing;
  }

  async #process(world: World): Promise<void> {
    const records = await openRecords(world, simulatedIdentity());
    const far = farEnds(world.clock, this.cloud, world.dial);
    const agent = new Agent({
      ...{ world, drivers, ...records },
      clouds: () =>
        cloudWith({
          vault: simVault(world.dial, address),
          pace: "polled",
          farEnd: (place) => far.peer(place),
          ...(this.#rights === undefined
            ? {}
            : { document: (path, query, signal) => far.document(path, query, signal) }),
        }),
    });
    this.#agent = agent;
    const { signal } = new AbortController();
    void agent.run(signal);
    if (agent.intent !== undefined) return;
    await this.site.clock.sleep(1_000);
    await this.apply(this.#edit);
  }

  async apply(edit: Edit): Promise<void> {
    const text = edit(
      hasty(this.site.config(address)).replace(
        `  cloud: sim\n  vault: ${address}`,
        `  cloud: public\n  vault: ${vaultBase}\n  identity: { kind: arc }`,
      ),
    );
    await this.agent.apply({ text, file: "demo", who: "test", queue: false }, never);
  }

  /** Makes a fresh pair of secrets for every link, and asks the agent to use them. */
  async rotate(urgency: Campaign["urgency"] = "planned"): Promise<void> {
    for (const { key } of this.site.links) this.site.vault.generatePair(key, "gcm-aes-xpn-256");
    const asked = { by: "test", risks: [], urgency };
    await settled(this.site.clock, this.agent.commands.rotate(group, asked, never));
  }

  /** Sends an operator's verb. Throws the agent's refusal. */
  async say(verb: OperatorVerb): Promise<void> {
    const input = { verb, farEndDone: false };
    await settled(this.site.clock, this.agent.commands.rotation(input, group, "test"));
  }

  outcomes(): readonly (string | undefined)[] {
    return this.agent.memory.campaigns[group]?.links.map(({ outcome }) => outcome) ?? [];
  }

  /** Returns the keys of each link's two ends. */
  ends(): readonly { readonly edge: readonly string[]; readonly far: string | undefined }[] {
    const links = this.site.truth().groups[0]?.links ?? [];
    return links.map(({ edgeKeys, farKey }) => ({ edge: edgeKeys, far: farKey }));
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new RangeError("no agent lives");
    return this.#agent;
  }

  get msee(): Msee {
    const [only] = this.site.msees.values();
    if (only === undefined) throw new RangeError("no far end");
    return only;
  }

  status(): Status {
    return this.agent.status();
  }

  complaints(): readonly string[] {
    return this.oracle.violations.map(formatViolation);
  }

  get campaign(): string {
    return this.#agent?.memory.campaigns[group]?.state ?? "none";
  }

  /** Why the campaign is where it is; undefined = there is none. */
  get reason(): Reason | undefined {
    return this.#agent?.memory.campaigns[group]?.reason;
  }

  async until(what: () => boolean, limitMs = 1_200_000): Promise<void> {
    await this.site.clock.runFor(limitMs, what);
  }

  isOver(): boolean {
    return this.campaign === "done" && this.#agent?.status().verdict === "protected";
  }

  /** Returns the status codes of all writes that reached the management API. */
  puts(): readonly string[] {
    return this.cloud.answered
      .filter(({ method, service }) => method === "PUT" && service === "arm")
      .map(({ status }) => String(status));
  }

  async run(crashPoint: CrashPoint | undefined): Promise<Ended> {
    const first = await this.live(crashPoint);
    const isOver = twiceASecond(this.site.clock, () => this.isOver());
    await this.until(() => first.dead || (crashPoint === undefined && isOver()));
    if (first.dead) {
      await this.site.clock.runFor(3_000);
      await this.live(undefined);
      await this.until(isOver);
    }
    const links = this.site.truth().groups[0]?.links ?? [];
    return {
      calls: this.calls,
      lastCall: first.lastCall,
      verdict: this.#agent?.status().verdict ?? "none",
      campaign: this.campaign,
      ends: links.map((link) => `${link.id} ${link.edgeKeys.join()} ${link.farKey}`).join("; "),
      puts: this.puts(),
      complaints: this.complaints(),
    };
  }
}
