// One look at a router with IOS XE: one question after the other on one session, each answer known
// or not.

import { createHash } from "node:crypto";
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
import type { Asked, CommitRecord } from "../platform/define-dialect.ts";
import { noTunnels, notUnderstood, type TunnelsTold, withRoutes } from "../platform/tunnel-look.ts";
import type { Cli } from "../transport/cli.ts";
import { type ConfigTexts, portOf, readConfig, type XeConfig } from "./config.ts";
import { readFrames, readMkpdus, readNextPn } from "./macsec-answers.ts";
import { isPort } from "./names.ts";
import { drainsOf, isUnread, planOf } from "./plan.ts";
import { familiesOf, type Question, question, received } from "./questions.ts";
import {
  commitsOf,
  peerKey,
  readMark,
  readPeers,
  readSoftware,
  readTimer,
  type Software,
} from "./system-answers.ts";
import { readIkeSas, readIpsecSas, readTunnelRoutes, tunnelStates } from "./tunnel-answers.ts";
import { readTunnels, type XeTunnels } from "./tunnel-config.ts";

/** A configuration, and what is equal for equal ones. */
export interface Told {
  readonly config: XeConfig;
  readonly texts: ConfigTexts;
}

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
    return await this.command(question(name, argument), read);
  }

  async command<T>(asked: Command, read: (text: string) => T | undefined): Promise<Answer<T>> {
    return await answer(this.#cli.run([asked], "none", this.#signal), read);
  }

  async config(clock: Answer<WallTime>): Promise<Answer<Told>> {
    const macsec = await this.answer("macsecConfig", asIs);
    const bgp = await this.answer("bgpConfig", asIs);
    if ("why" in macsec) return macsec;
    if ("why" in bgp) return bgp;
    const texts = { macsec: macsec.value, bgp: bgp.value };
    const config = readConfig(texts, "value" in clock);
    return config === undefined ? { why: "unparsed" } : { value: { config, texts } };
  }

  async tunnels(): Promise<Answer<XeTunnels>> {
    const interfaces = await this.answer("tunnelInterfaces", asIs);
    if ("why" in interfaces) return interfaces;
    const ike = await this.answer("ikeConfig", asIs);
    if ("why" in ike) return ike;
    const ipsec = await this.answer("ipsecConfig", asIs);
    if ("why" in ipsec) return ipsec;
    const texts = { interfaces: interfaces.value, ike: ike.value, ipsec: ipsec.value };
    const config = readTunnels(texts);
    return config === undefined ? { why: "unparsed" } : { value: config };
  }

  async commits(): Promise<Answer<{ readonly records: CommitRecord[]; readonly mark: string }>> {
    const timer = await this.answer("rollbackTimer", readTimer);
    if ("why" in timer) return timer;
    return await this.answer("mark", (mark) => {
      return { records: commitsOf(timer.value, readMark(mark)), mark };
    });
  }
}

const asIs = (text: string): string => text;

export async function look(
  cli: Cli,
  { device, clock: world, capabilities }: Asked,
  signal: AbortSignal,
): Promise<DeviceState> {
  const at = world.now();
  const interview = new Interview(cli, signal);
  const clock = await interview.answer("clock", readClock);
  const software = await interview.answer("version", readSoftware);
  const commits = await interview.commits();
  const physical = await interview.answer("interfaces", (text) => readInterfaces(text, isPort));
  const told = await interview.config(clock);
  const pages = await interview.answer("mkaSessions", readSessions);
  const peers = await interview.answer("neighbours", readPeers);
  const config: Answer<XeConfig> = "why" in told ? told : { value: told.value.config };
  const ports = "value" in physical ? [...physical.value.keys()] : [];
  const macsec: MacsecPort[] = [];
  for (const port of ports) {
    const has = "value" in config && config.value.interfaces.get(port)?.macsec.isEnabled === true;
    const counted = has ? await countersOf(interview, port) : uncounted;
    const isRead = "value" in config;
    const plan = isRead ? { value: planOf(config.value, port) } : config;
    const isOdd = isRead && isUnread(config.value, port);
    const answers = { plan, isUnread: isOdd, physical, clock, pages };
    macsec.push(portState(port, ports, answers, counted, at));
  }
  const { ipsec, routes } =
    capabilities.ipsec === undefined ? noTunnels : await tunnels(interview, cli.where, at);
  const bgp = await routing(interview, config, peers, at);
  return {
    device,
    at,
    control: control({ clock, software, commits, told }, at),
    macsec,
    ipsec,
    routing: withRoutes(bgp, routes, at),
  };
}

async function tunnels(interview: Interview, where: string, at: Instant): Promise<TunnelsTold> {
  const config = await interview.tunnels();
  // A list without them would say that there are none.
  if ("why" in config) throw notUnderstood("which tunnels are configured", where);
  if (config.value.tunnels.size === 0) return noTunnels;
  const names = new Map(
    [...config.value.tunnels.values()].map(({ name, interface: own }) => [own, name]),
  );
  const ikeSas = await interview.answer("ikeSas", readIkeSas);
  const ipsecSas = await interview.answer("ipsecSas", readIpsecSas);
  const routes = await interview.answer("staticRoutes", (text) => readTunnelRoutes(text, names));
  return { ipsec: tunnelStates(config.value, { ikeSas, ipsecSas }, at), routes };
}

async function countersOf(interview: Interview, port: PortName): Promise<Counted> {
  const mkpdus = await interview.answer("mkaStatistics", readMkpdus, port);
  const told = "value" in mkpdus ? mkpdus.value : undefined;
  const status = await interview.answer("secyStatus", readNextPn, port);
  const nextPn = "value" in status ? status.value.nextPn : undefined;
  const frames = await interview.answer(
    "secyStatistics",
    (text) => readFrames(text, nextPn, told),
    port,
  );
  return { mkpdus, frames };
}

interface ControlAnswers {
  readonly clock: Answer<WallTime>;
  readonly software: Answer<Software>;
  readonly commits: Awaited<ReturnType<Interview["commits"]>>;
  readonly told: Answer<Told>;
}

function control(
  { clock, software, commits, told }: ControlAnswers,
  at: Instant,
): DeviceState["control"] {
  if ("why" in clock) return unknown(clock.why, at);
  if ("why" in software) return unknown(software.why, at);
  if ("why" in commits) return unknown(commits.why, at);
  if ("why" in told) return unknown(told.why, at);
  const { boot } = software.value;
  if (boot === undefined) return unknown("unparsed", at);
  // Somebody's last change has a time of its own, which a boot takes away.
  const id = createHash("sha256").update(commits.value.mark);
  for (const text of Object.values(told.value.texts)) id.update(`\n${text}`);
  return known(
    {
      wall: clock.value,
      bootId: boot,
      configId: id.digest("hex").slice(0, 24),
      commitPending: commits.value.records[0]?.isPending === true,
    },
    at,
  );
}

async function routing(
  interview: Interview,
  config: Answer<XeConfig>,
  peers: Answer<ReadonlyMap<string, Peer>>,
  at: Instant,
): Promise<Reading<Routing>> {
  if ("why" in config) return unknown(config.why, at);
  if ("why" in peers) return unknown(peers.why, at);
  const ours = config.value.neighbours.flatMap((one) => {
    const port = portOf(config.value, one);
    return port === undefined ? [] : [{ ...one, port }];
  });
  const routes: Route[] = [];
  for (const { port, ...one } of ours) {
    for (const family of familiesOf(one)) {
      const asked = received(family, one.address, one.vrf);
      const told = await interview.command(asked, (text) => readRoutes(text, port));
      if ("why" in told) return unknown(told.why, at);
      routes.push(...told.value);
    }
  }
  const ports = [...new Set(ours.map(({ port }) => port))];
  return known(
    {
      sessions: ours.map(({ address, vrf, port }) =>
        bgpSession(port, address, peers.value.get(peerKey(vrf, address))),
      ),
      routes,
      drains: ports.flatMap((port) =>
        drainsOf(config.value, port).map((means) => ({ port, means })),
      ),
    },
    at,
  );
}
