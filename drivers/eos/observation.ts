// One observation of an EOS router: one command after the other, each reply known or unknown.

import {
  type DeviceState,
  known,
  type MacsecPort,
  type PortName,
  type Reading,
  unknown,
} from "#hal/model.ts";
import type { Instant } from "#hal/world.ts";
import type { Asked } from "../platform/define-dialect.ts";
import { withDetection } from "../platform/detection.ts";
import { aggregateReading } from "../platform/egress.ts";
import { cliQuery } from "../platform/query.ts";
import { inTurn, type QueryResult, reading, readOf, together } from "../platform/query-result.ts";
import { placeOf, portsIn, stateOf, tunnelsOf } from "../platform/router-observation.ts";
import type { Cli } from "../transport/cli.ts";
import { command, received } from "./commands.ts";
import { type EosConfig, readConfig, unitTo } from "./config.ts";
import { readByPort, readFrames, readLicence, readMkpdus, readSession } from "./macsec-parsers.ts";
import { defaultVrf } from "./names.ts";
import { drainsOf, planOf } from "./plan.ts";
import {
  bgpSession,
  peerKey,
  readBootTime,
  readClock,
  readInterfaces,
  readPeers,
  readResetTime,
  readRoutes,
  readSessions,
} from "./system-parsers.ts";
import { readConnections, readTunnelRoutes, tunnelStates } from "./tunnel-parsers.ts";

export const queryOf = (cli: Cli, signal: AbortSignal) => cliQuery(cli, command, signal);

/** Reads what EOS reports about ports. */
async function askPorts(query: ReturnType<typeof queryOf>) {
  return {
    physical: await query.result("interfaces", readInterfaces),
    security: await query.result("security", readByPort),
    participants: await query.result("participants", readByPort),
    counters: await query.result("counters", readByPort),
    mkpdus: await query.result("mkaCounters", readMkpdus),
    licence: await query.result("securityStatus", readLicence),
  };
}

interface QueryResults extends Awaited<ReturnType<typeof askPorts>> {
  readonly config: QueryResult<EosConfig>;
}

/** Some routers report no reset; the time of their boot is then the id. */
async function bootIdOf(query: ReturnType<typeof queryOf>): Promise<QueryResult<string>> {
  const reset = await query.result("reloads", readResetTime);
  const isNone = "value" in reset && reset.value === "none";
  return isNone ? await query.result("version", readBootTime) : reset;
}

export async function observe(cli: Cli, about: Asked, signal: AbortSignal): Promise<DeviceState> {
  const at = about.clock.now();
  const query = queryOf(cli, signal);
  const config = await query.result("config", readConfig);
  const wall = await query.result("clock", readClock);
  const bootId = await bootIdOf(query);
  const sessions = await query.result("sessions", readSessions);
  const results: QueryResults = { config, ...(await askPorts(query)) };
  const { physical } = results;
  const ports = portsIn(physical, cli.where);
  return await stateOf(about, {
    at,
    control: reading(together({ config, wall, bootId, sessions }), at, (reported) => ({
      wall: reported.wall,
      bootId: reported.bootId,
      configId: reported.config.id,
      commitPending: reported.sessions[0]?.state === "pendingCommitTimer",
    })),
    macsec: ports.map((port) => portState(port, results, at)),
    tunnels: () =>
      tunnelsOf(
        readOf(config, ({ tunnels }) => tunnels),
        cli.where,
        async (own, names) => {
          const connections = await query.result("connections", readConnections);
          const read = (text: string) => readTunnelRoutes(text, names);
          const routes = await query.result("staticRoutes", read);
          return { ipsec: tunnelStates(own, connections, at), routes };
        },
      ),
    peerings: async () => ({
      ...{ config, drainsOf, peers: await query.result("peers", readPeers) },
      portOf: (own, one) => unitTo(own, one)?.port,
      routes: (ours) =>
        inTurn(
          ours.flatMap(({ address, vrf, port, families }) =>
            families.map(
              (family) => () =>
                query.result(received(family, address, vrf), (text) => readRoutes(text, vrf, port)),
            ),
          ),
        ),
      session({ address, vrf, port, detection }, reported) {
        // The router lists each neighbour, also one that is shut.
        const peer = reported.get(peerKey(vrf, address));
        const instance = vrf === defaultVrf ? undefined : vrf;
        if (peer === undefined) return undefined;
        return withDetection(bgpSession(placeOf(port, address, instance), peer), detection);
      },
    }),
  });
}

function portState(port: PortName, results: QueryResults, at: Instant): MacsecPort {
  const { config, physical, counters, mkpdus, licence } = results;
  const plan = "value" in config ? planOf(config.value, port) : undefined;
  const isUnread = plan?.profile !== undefined && plan.settings === undefined;
  // Without MACsec no counter runs, and a zero would be a measurement.
  const isIdle = plan !== undefined && plan.profile === undefined;
  const counted = <T, R>(from: QueryResult<T>, read: (value: T) => R | undefined): Reading<R> =>
    isIdle ? unknown("notSupported", at) : reading(from, at, read);
  const ofPlan = <T>(read: (own: NonNullable<typeof plan>) => T): Reading<T> => {
    if ("why" in config) return unknown(config.why, at, config.query);
    return isUnread || plan === undefined ? unknown("unparsed", at) : known(read(plan), at);
  };
  const session = sessionOf(port, results, plan?.settings, at);
  return {
    port,
    ...aggregateReading(config, port, at),
    admin: reading(config, at, () => plan?.admin),
    linkUp: reading(physical, at, (all) => all.get(port)?.linkUp),
    settings: ofPlan(({ settings }) => settings),
    liveSuite: liveSuiteOf(session, plan?.settings, at),
    keys: ofPlan(({ keys }) => keys.map(({ ckn, role }) => ({ ckn, role }))),
    session,
    mkpdus: counted(mkpdus, (all) => all.get(port)),
    frames: counted(counters, (all) => readFrames(all.get(port))),
    rate: reading(physical, at, (all) => all.get(port)?.rate),
    troubles: reading(licence, at, (reported) => {
      return reported === "missing" && !isIdle ? ["no licence for MACsec is installed"] : [];
    }),
  };
}

function sessionOf(
  port: PortName,
  { config, security, participants }: QueryResults,
  settings: MacsecPort["settings"] extends Reading<infer T> ? T : never,
  at: Instant,
): MacsecPort["session"] {
  return reading(together({ config, security, participants }), at, (reported) => {
    const own = {
      security: reported.security.get(port),
      participants: reported.participants.get(port),
    };
    return readSession(own, settings);
  });
}

/**
 * EOS does not print the cipher suite of a SAK. It installs only SAKs of its own profile's suite,
 * so a SAK that transmits on a secured port has that suite.
 */
function liveSuiteOf(
  session: MacsecPort["session"],
  settings: MacsecPort["settings"] extends Reading<infer T> ? T : never,
  at: Instant,
): MacsecPort["liveSuite"] {
  if (session.kind === "unknown") return session;
  const { controlledPort, latestSak } = session.value;
  const isInUse = controlledPort === "secured" && latestSak?.transmit === true;
  return known(isInUse ? settings?.suite : undefined, at);
}
