// One look at a router with IOS XR: one question after the other on one session, each answer known
// or not.

import {
  type DeviceState,
  known,
  type MacsecPort,
  type PortName,
  type Reading,
  type Route,
  type Routing,
  unknown,
} from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import type { Instant, WallTime } from "#hal/world.ts";
import { type Answer, answer } from "../platform/answer.ts";
import { type Counted, portState, uncounted } from "../platform/cisco-look.ts";
import { readSessions } from "../platform/cisco-mka.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import { bgpSession, type Peer, readClock, readInterfaces } from "../platform/cisco-system.ts";
import type { Asked } from "../platform/define-dialect.ts";
import type { Cli } from "../transport/cli.ts";
import { type Family, portOf, readConfig, type XrConfig } from "./config.ts";
import { readFrames, readMkpdus } from "./macsec-answers.ts";
import { isPort } from "./names.ts";
import { drainsOf, isUnread, planOf } from "./plan.ts";
import { type Question, question, received } from "./questions.ts";
import { type Commit, readBoot, readCommits, readPeers } from "./system-answers.ts";

/** What is asked once and read as a whole. */
export class Interview {
  readonly #cli: Cli;
  readonly #signal: AbortSignal;

  constructor(cli: Cli, signal: AbortSignal) {
    this.#cli = cli;
    this.#signal = signal;
  }

  async answer<T>(
    name: Question,
    read: (text: string) => T | undefined,
    argument?: string,
  ): Promise<Answer<T>> {
    return readOf(await this.#text(name, argument), read);
  }

  async received(family: Family, peer: string, port: PortName): Promise<Answer<readonly Route[]>> {
    const text = await this.#say(received(family, peer, this.#cli.mode));
    return readOf(text, (table) => readRoutes(table, port));
  }

  async config(clock: Answer<WallTime>): Promise<Answer<XrConfig>> {
    const interfaces = await this.#text("interfaceConfig");
    const policies = await this.#text("policies");
    const chains = await this.#text("chains");
    const bgp = await this.#text("bgpConfig");
    if ("why" in interfaces) return interfaces;
    if ("why" in policies) return policies;
    if ("why" in chains) return chains;
    if ("why" in bgp) return bgp;
    const texts = {
      interfaces: interfaces.value,
      policies: policies.value,
      chains: chains.value,
      bgp: bgp.value,
    };
    const value = readConfig(texts, "value" in clock);
    return value === undefined ? { why: "unparsed" } : { value };
  }

  async commits(): Promise<Answer<readonly Commit[]>> {
    const editors = await this.#text("editors");
    if ("why" in editors) return editors;
    return await this.answer("commits", (list) => readCommits(list, editors.value));
  }

  boot(): Promise<Answer<string>> {
    // The prompt begins with the node that the history is of.
    const [node = ""] = this.#cli.host.replace(/^RP\//, "").split(":");
    return this.answer("reboots", readBoot, node);
  }

  #text(name: Question, argument?: string): Promise<Answer<string>> {
    return this.#say(question(name, this.#cli.mode, argument));
  }

  #say(said: Command): Promise<Answer<string>> {
    return answer(this.#cli.run([said], "none", this.#signal), (text) => text);
  }
}

function readOf<T>(text: Answer<string>, read: (text: string) => T | undefined): Answer<T> {
  if ("why" in text) return text;
  const value = read(text.value);
  return value === undefined ? { why: "unparsed" } : { value };
}

export async function look(
  cli: Cli,
  { device, clock: world }: Asked,
  signal: AbortSignal,
): Promise<DeviceState> {
  const at = world.now();
  const interview = new Interview(cli, signal);
  const clock = await interview.answer("clock", readClock);
  const boot = await interview.boot();
  const commits = await interview.commits();
  const physical = await interview.answer("interfaces", (text) => readInterfaces(text, isPort));
  const config = await interview.config(clock);
  const pages = await interview.answer("mkaSessions", readSessions);
  const peers = await interview.answer("neighbours", readPeers);
  const ports = "value" in physical ? [...physical.value.keys()] : [];
  const macsec: MacsecPort[] = [];
  for (const port of ports) {
    const has = "value" in config && config.value.interfaces.get(port)?.macsec !== undefined;
    const counted = has ? await countersOf(interview, port) : uncounted;
    const isRead = "value" in config;
    const plan = isRead ? { value: planOf(config.value, port) } : config;
    const isOdd = isRead && isUnread(config.value, port);
    const answers = { plan, isUnread: isOdd, physical, clock, pages };
    macsec.push(portState(port, ports, answers, counted, at));
  }
  return {
    device,
    at,
    control: control(clock, boot, commits, at),
    macsec,
    ipsec: [],
    routing: await routing(interview, config, peers, at),
  };
}

async function countersOf(interview: Interview, port: PortName): Promise<Counted> {
  const mkpdus = await interview.answer("mkaStatistics", readMkpdus, port);
  const told = "value" in mkpdus ? mkpdus.value : undefined;
  const frames = await interview.answer("secyStatistics", (text) => readFrames(text, told), port);
  return { mkpdus, frames };
}

function control(
  clock: Answer<WallTime>,
  boot: Answer<string>,
  commits: Answer<readonly Commit[]>,
  at: Instant,
): DeviceState["control"] {
  if ("why" in clock) return unknown(clock.why, at);
  if ("why" in boot) return unknown(boot.why, at);
  if ("why" in commits) return unknown(commits.why, at);
  const [newest] = commits.value;
  return known(
    {
      wall: clock.value,
      bootId: boot.value,
      configId: newest?.id ?? "none",
      commitPending: newest?.isPending === true,
    },
    at,
  );
}

async function routing(
  interview: Interview,
  config: Answer<XrConfig>,
  peers: Answer<ReadonlyMap<string, Peer>>,
  at: Instant,
): Promise<Reading<Routing>> {
  if ("why" in config) return unknown(config.why, at);
  if ("why" in peers) return unknown(peers.why, at);
  const ours = config.value.neighbours.flatMap(({ address, families }) => {
    const port = portOf(config.value, address);
    return port === undefined ? [] : [{ address, families, port }];
  });
  const routes: Route[] = [];
  for (const { address, families, port } of ours) {
    for (const family of families) {
      const one = await interview.received(family, address, port);
      if ("why" in one) return unknown(one.why, at);
      routes.push(...one.value);
    }
  }
  const ports = [...new Set(ours.map(({ port }) => port))];
  return known(
    {
      sessions: ours.map(({ address, port }) =>
        bgpSession(port, address, peers.value.get(address)),
      ),
      routes,
      drains: ports.flatMap((port) =>
        drainsOf(config.value, port).map((means) => ({ port, means })),
      ),
    },
    at,
  );
}
