// One observation of a Junos router: all queries at once in one session, each reply known or
// unknown.

import {
  type DeviceState,
  known,
  type MacsecPort,
  type PortName,
  type Reading,
  unknown,
} from "#hal/model.ts";
import type { Obstacle } from "#hal/obstacle.ts";
import type { Instant } from "#hal/world.ts";
import type { Asked } from "../platform/define-dialect.ts";
import { aggregateReading } from "../platform/egress.ts";
import { Query } from "../platform/query.ts";
import { type QueryResult, reading, together } from "../platform/query-result.ts";
import { placeOf, portsIn, stateOf, tunnelsOf } from "../platform/router-observation.ts";
import type { Netconf } from "../transport/netconf.ts";
import { getConfig, portOf, readConfig } from "./config.ts";
import {
  byInterface,
  type Channels,
  type ReportedElements,
  readChannels,
  readFrames,
  readMkpdus,
  readSession,
} from "./macsec-parsers.ts";
import { operation } from "./operations.ts";
import { drainsOf, planOf, slotsOf } from "./plan.ts";
import {
  bgpSession,
  commitsAt,
  peerOf,
  readCommits,
  readEngines,
  readInterfaces,
  readPeers,
  readRoutes,
  readUptime,
} from "./system-parsers.ts";
import { getTunnels, ikeObstacles, readTunnels } from "./tunnel-config.ts";
import {
  readIkeSas,
  readIpsecSas,
  readPassed,
  readTunnelRoutes,
  tunnelStates,
} from "./tunnel-parsers.ts";

export function queryOf(session: Netconf, signal: AbortSignal) {
  return new Query({
    where: session.where,
    request: operation,
    ask: (asked) => session.call(asked, "none", signal),
    subject: ({ name }) => name,
  });
}

/** Sends all queries at once. */
async function askAll(query: ReturnType<typeof queryOf>) {
  const [config, physical, uptime, commits, engines, sessions, ...others] = await Promise.all([
    query.result(getConfig(), readConfig),
    query.result("interfaces", readInterfaces),
    query.result("uptime", readUptime),
    query.result("commits", readCommits),
    query.result("engines", readEngines),
    query.result("mkaSessions", (reply) => byInterface(reply, "mka-session-information")),
    query.result("mkaStatistics", (reply) => byInterface(reply, "mka-statistics")),
    query.result("connections", (reply) => byInterface(reply, "macsec-connection-information")),
    query.result("statistics", (reply) => byInterface(reply, "macsec-statistics")),
    query.result("neighbours", readPeers),
  ]);
  const [counters, connections, statistics, peers] = others;
  const ofPorts = { sessions, counters, connections, statistics };
  return { config, physical, uptime, commits, engines, peers, ...ofPorts };
}

type QueryResults = Awaited<ReturnType<typeof askAll>>;

export async function observe(
  session: Netconf,
  about: Asked,
  signal: AbortSignal,
): Promise<DeviceState> {
  const at = about.clock.now();
  const query = queryOf(session, signal);
  const results = await askAll(query);
  const { config, physical, uptime, commits, peers } = results;
  const ports = portsIn(physical, session.where);
  return await stateOf(about, {
    at,
    control: reading(together({ uptime, commits }), at, (reported) => {
      const [newest] = commitsAt(reported.commits, reported.uptime.wall);
      return {
        ...reported.uptime,
        configId: newest?.id ?? "none",
        commitPending: newest?.isPending === true,
      };
    }),
    macsec: ports.map((port) => portState(port, results, at)),
    obstacles: engineObstacles(results),
    tunnels: () => tunnels(query, at),
    peerings: async () => ({
      ...{ config, peers, drainsOf },
      portOf: (own, one) => portOf(own, one)?.port,
      routes: (ours) =>
        Promise.all(
          ours.map(({ address, instance, port }) =>
            query.result("received", (reply) => readRoutes(reply, port, instance), address),
          ),
        ),
      session({ port, ...one }, reported) {
        const peer = peerOf(reported, one);
        const place = placeOf(port, one.address, one.instance);
        return peer === "ambiguous" ? undefined : bgpSession(place, peer);
      },
    }),
  });
}

function engineObstacles({ engines }: QueryResults): readonly Obstacle[] {
  const state = "value" in engines ? engines.value : "unknown";
  return state === "alone" || state === "ready" ? [] : [{ kind: "secondEngine", state }];
}

async function tunnels(query: ReturnType<typeof queryOf>, at: Instant) {
  const config = await query.result(getTunnels(), readTunnels);
  return await tunnelsOf(config, query.where, async (reported, names) => {
    const [ikeSas, ipsecSas, passed, routes] = await Promise.all([
      query.result("ikeSas", readIkeSas),
      query.result("ipsecSas", readIpsecSas),
      query.result("tunnelInterfaces", readPassed),
      query.result("staticRoutes", (reply) => readTunnelRoutes(reply, names)),
    ]);
    const ipsec = tunnelStates(reported, { ikeSas, ipsecSas, passed }, at);
    return { ipsec, routes, obstacles: ikeObstacles(reported) };
  });
}

function portState(port: PortName, results: QueryResults, at: Instant): MacsecPort {
  const { config, physical, sessions, counters, connections, statistics } = results;
  const plan = "value" in config ? planOf(config.value, port) : undefined;
  const channels =
    "value" in connections ? readChannels(connections.value.get(port) ?? []) : undefined;
  // Without MACsec no counter runs, and a zero would be a measurement.
  const isIdle = plan !== undefined && plan.association === undefined;
  const counted = <R>(
    from: QueryResult<ReadonlyMap<PortName, ReportedElements>>,
    read: (reported: ReportedElements) => R | undefined,
  ): Reading<R> =>
    isIdle
      ? unknown("notSupported", at)
      : reading(from, at, (reported) => read(reported.get(port) ?? []));
  const isReadable = plan?.isEncrypted === false || channels?.isEncrypted === false;
  return {
    port,
    ...aggregateReading(config, port, at),
    ...(isReadable && { failOpen: known(["encryptOff"] as const, at) }),
    admin: reading(config, at, () => plan?.admin),
    linkUp: reading(physical, at, (all) => all.get(port)?.linkUp),
    settings: settingsOf(port, results, isReadable, at),
    liveSuite: liveSuiteOf(connections, channels, at),
    keys: keysOf(port, results, at),
    session: reading(sessions, at, (reported) =>
      plan === undefined ? undefined : readSession(reported.get(port), plan.settings, channels),
    ),
    mkpdus: counted(counters, readMkpdus),
    frames: counted(statistics, (reported) => readFrames(reported, channels)),
    rate: reading(physical, at, (all) => all.get(port)?.rate),
  };
}

function liveSuiteOf(
  connections: QueryResults["connections"],
  channels: Channels | undefined,
  at: Instant,
): MacsecPort["liveSuite"] {
  if ("why" in connections) return unknown(connections.why, at, connections.query);
  return channels === undefined ? unknown("unparsed", at) : known(channels.suite, at);
}

/** Readable frames are data in the clear, whatever the policy of the association is. */
function settingsOf(
  port: PortName,
  { config }: QueryResults,
  isReadable: boolean,
  at: Instant,
): MacsecPort["settings"] {
  if ("why" in config) return unknown(config.why, at, config.query);
  const { association, settings } = planOf(config.value, port);
  const isUnread = association !== undefined && settings === undefined;
  return isUnread
    ? unknown("unparsed", at)
    : known(settings && isReadable ? { ...settings, policy: "shouldSecure" } : settings, at);
}

function keysOf(port: PortName, { config, uptime }: QueryResults, at: Instant): MacsecPort["keys"] {
  return reading(together({ config, uptime }), at, (reported) => {
    const plan = planOf(reported.config, port);
    const isUnread =
      (plan.association !== undefined && plan.settings === undefined) ||
      (plan.chain !== undefined && reported.config.chains.get(plan.chain) === undefined);
    return isUnread ? undefined : slotsOf(plan, reported.uptime.wall);
  });
}
