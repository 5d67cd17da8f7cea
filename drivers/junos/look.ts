// One look at a Junos router: all questions at once on one session, each answer known or not.

import {
  type BgpSession,
  type DeviceState,
  known,
  type MacsecPort,
  type PortName,
  type Reading,
  type Route,
  type Routing,
  unknown,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import { type Answer, answer, reading } from "../platform/answer.ts";
import type { Asked } from "../platform/define-dialect.ts";
import { noTunnels, notUnderstood, type TunnelsTold, withRoutes } from "../platform/tunnel-look.ts";
import type { Netconf } from "../transport/netconf.ts";
import type { XmlElement } from "../transport/xml.ts";
import { getConfig, type JunosConfig, portOf, readConfig } from "./config.ts";
import {
  byInterface,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
  type Told,
} from "./macsec-answers.ts";
import { operation } from "./operations.ts";
import { drainsOf, planOf, slotsOf } from "./plan.ts";
import {
  bgpSession,
  type Commit,
  type Peers,
  type Physical,
  peerOf,
  readCommits,
  readInterfaces,
  readPeers,
  readRoutes,
  readUptime,
  type Uptime,
} from "./system-answers.ts";
import {
  readIkeSas,
  readIpsecSas,
  readPassed,
  readTunnelRoutes,
  tunnelStates,
} from "./tunnel-answers.ts";
import { getTunnels, readTunnels } from "./tunnel-config.ts";

export async function look(
  session: Netconf,
  { device, clock, capabilities }: Asked,
  signal: AbortSignal,
): Promise<DeviceState> {
  const at = clock.now();
  const ask = (name: Parameters<typeof operation>[0]): Promise<XmlElement> =>
    session.call(operation(name), "none", signal);
  const [config, physical, uptime, commits, sessions, counters, connections, statistics, peers] =
    await Promise.all([
      answer(session.call(getConfig(), "none", signal), readConfig),
      answer(ask("interfaces"), readInterfaces),
      answer(ask("uptime"), readUptime),
      answer(ask("commits"), readCommits),
      answer(ask("mkaSessions"), (reply) => byInterface(reply, "mka-session-information")),
      answer(ask("mkaStatistics"), (reply) => byInterface(reply, "mka-statistics")),
      answer(ask("connections"), (reply) => byInterface(reply, "macsec-connection-information")),
      answer(ask("statistics"), (reply) => byInterface(reply, "macsec-statistics")),
      answer(ask("neighbours"), readPeers),
    ]);
  const answers = { config, physical, uptime, sessions, counters, connections, statistics };
  const ports = "value" in physical ? [...physical.value.keys()] : [];
  // Elsewhere the words of its questions are not known.
  const { ipsec, routes } =
    capabilities.ipsec === undefined ? noTunnels : await tunnels(session, at, signal);
  const told = await routing(session, config, peers, at, signal);
  return {
    device,
    at,
    control: control(uptime, commits, at),
    macsec: ports.map((port) => portState(port, answers, at)),
    ipsec,
    routing: withRoutes(told, routes, at),
  };
}

async function tunnels(session: Netconf, at: Instant, signal: AbortSignal): Promise<TunnelsTold> {
  const config = await answer(session.call(getTunnels(), "none", signal), readTunnels);
  // A list without them would say that there are none.
  if ("why" in config) throw notUnderstood("which tunnels are configured", session.where);
  if (config.value.vpns.size === 0) return noTunnels;
  const ask = (name: Parameters<typeof operation>[0]): Promise<XmlElement> =>
    session.call(operation(name), "none", signal);
  const names = new Map(
    [...config.value.vpns.values()].map(({ name, unit }) => [`st0.${unit ?? "none"}`, name]),
  );
  const [ikeSas, ipsecSas, passed, routes] = await Promise.all([
    answer(ask("ikeSas"), readIkeSas),
    answer(ask("ipsecSas"), readIpsecSas),
    answer(ask("tunnelInterfaces"), readPassed),
    answer(ask("staticRoutes"), (reply) => readTunnelRoutes(reply, names)),
  ]);
  return { ipsec: tunnelStates(config.value, { ikeSas, ipsecSas, passed }, at), routes };
}

function control(
  uptime: Answer<Uptime>,
  commits: Answer<readonly Commit[]>,
  at: Instant,
): DeviceState["control"] {
  if ("why" in uptime) return unknown(uptime.why, at);
  if ("why" in commits) return unknown(commits.why, at);
  const [newest] = commits.value;
  return known(
    {
      ...uptime.value,
      configId: newest?.id ?? "none",
      commitPending: newest?.isPending === true,
    },
    at,
  );
}

interface Answers {
  readonly config: Answer<JunosConfig>;
  readonly physical: Answer<ReadonlyMap<PortName, Physical>>;
  readonly uptime: Answer<Uptime>;
  readonly sessions: Answer<ReadonlyMap<PortName, Told>>;
  readonly counters: Answer<ReadonlyMap<PortName, Told>>;
  readonly connections: Answer<ReadonlyMap<PortName, Told>>;
  readonly statistics: Answer<ReadonlyMap<PortName, Told>>;
}

function portState(port: PortName, answers: Answers, at: Instant): MacsecPort {
  const { config, physical, uptime, sessions, counters, connections, statistics } = answers;
  const plan = "value" in config ? planOf(config.value, port) : undefined;
  const channels =
    "value" in connections ? readChannels(connections.value.get(port) ?? []) : undefined;
  // Without MACsec nobody counts, and a zero would say that somebody did.
  const isIdle = plan !== undefined && plan.association === undefined;
  const counted = <R>(
    from: Answer<ReadonlyMap<PortName, Told>>,
    read: (told: Told) => R | undefined,
  ): Reading<R> =>
    isIdle ? unknown("notSupported", at) : reading(from, at, (told) => read(told.get(port) ?? []));
  return {
    port,
    admin: reading(config, at, () => plan?.admin),
    linkUp: reading(physical, at, (all) => all.get(port)?.linkUp),
    settings: settingsOf(port, config, at),
    liveSuite: "why" in connections ? unknown(connections.why, at) : known(channels?.suite, at),
    keys: keysOf(port, config, uptime, at),
    session: reading(sessions, at, (told) =>
      plan === undefined ? undefined : readSession(told.get(port), plan.settings, channels),
    ),
    mkpdus: counted(counters, readMkpdus),
    frames: counted(statistics, (told) => readFrames(told, channels)),
    rate: reading(physical, at, (all) => all.get(port)?.rate),
  };
}

function settingsOf(
  port: PortName,
  config: Answer<JunosConfig>,
  at: Instant,
): MacsecPort["settings"] {
  if ("why" in config) return unknown(config.why, at);
  const { association, settings } = planOf(config.value, port);
  const isUnread = association !== undefined && settings === undefined;
  return isUnread ? unknown("unparsed", at) : known(settings, at);
}

function keysOf(
  port: PortName,
  config: Answer<JunosConfig>,
  uptime: Answer<Uptime>,
  at: Instant,
): MacsecPort["keys"] {
  if ("why" in config) return unknown(config.why, at);
  if ("why" in uptime) return unknown(uptime.why, at);
  const plan = planOf(config.value, port);
  const isUnread =
    (plan.association !== undefined && plan.settings === undefined) ||
    (plan.chain !== undefined && config.value.chains.get(plan.chain) === undefined);
  return isUnread ? unknown("unparsed", at) : known(slotsOf(plan, uptime.value.wall), at);
}

async function routing(
  session: Netconf,
  config: Answer<JunosConfig>,
  peers: Answer<Peers>,
  at: Instant,
  signal: AbortSignal,
): Promise<Reading<Routing>> {
  if ("why" in config) return unknown(config.why, at);
  if ("why" in peers) return unknown(peers.why, at);
  const ours = config.value.neighbours.flatMap((one) => {
    const port = portOf(config.value, one.address)?.port;
    return port === undefined
      ? []
      : [{ address: one.address, port, peer: peerOf(peers.value, one) }];
  });
  const routes: Route[] = [];
  const answers = await Promise.all(
    ours.map(({ address, port }) =>
      answer(session.call(operation("received", address), "none", signal), (reply) =>
        readRoutes(reply, port),
      ),
    ),
  );
  for (const one of answers) {
    if ("why" in one) return unknown(one.why, at);
    routes.push(...one.value);
  }
  const sessions: BgpSession[] = [];
  for (const { address, port, peer } of ours) {
    if (peer === "ambiguous") return unknown("unparsed", at);
    sessions.push(bgpSession(port, address, peer));
  }
  const ports = [...new Set(ours.map(({ port }) => port))];
  return known(
    {
      sessions,
      routes,
      drains: ports.flatMap((port) =>
        drainsOf(config.value, port).map((means) => ({ port, means })),
      ),
    },
    at,
  );
}
