// One look at an EOS router: one question after the other, each answer known or not.

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
import type { Instant, WallTime } from "#hal/world.ts";
import { type Answer, answer, reading } from "../platform/answer.ts";
import type { Asked } from "../platform/define-dialect.ts";
import { noTunnels, notUnderstood, type TunnelsTold, withRoutes } from "../platform/tunnel-look.ts";
import type { Cli } from "../transport/cli.ts";
import { type EosConfig, readConfig, unitTo } from "./config.ts";
import type { Fields } from "./json.ts";
import { readByPort, readFrames, readLicence, readMkpdus, readSession } from "./macsec-answers.ts";
import { drainsOf, planOf } from "./plan.ts";
import { type Question, question, received } from "./questions.ts";
import {
  bgpSession,
  type ConfigSession,
  type Peer,
  type Physical,
  peerKey,
  readBootId,
  readClock,
  readInterfaces,
  readPeers,
  readRoutes,
  readSessions,
} from "./system-answers.ts";
import { readConnections, readTunnelRoutes, tunnelStates } from "./tunnel-answers.ts";

interface Answers {
  readonly config: Answer<EosConfig>;
  readonly physical: Answer<ReadonlyMap<PortName, Physical>>;
  readonly security: Answer<ReadonlyMap<PortName, Fields>>;
  readonly participants: Answer<ReadonlyMap<PortName, Fields>>;
  readonly counters: Answer<ReadonlyMap<PortName, Fields>>;
  readonly mkpdus: Answer<ReturnType<typeof readMkpdus> & object>;
  readonly licence: Answer<"present" | "missing">;
}

export async function look(
  cli: Cli,
  { device, clock, capabilities }: Asked,
  signal: AbortSignal,
): Promise<DeviceState> {
  const at = clock.now();
  const ask = <T>(name: Question, read: (text: string) => T | undefined): Promise<Answer<T>> =>
    answer(cli.run([question(name)], "none", signal), read);
  const config = await ask("config", readConfig);
  const [wall, bootId] = [await ask("clock", readClock), await ask("reloads", readBootId)];
  const sessions = await ask("sessions", readSessions);
  const answers: Answers = {
    config,
    physical: await ask("interfaces", readInterfaces),
    security: await ask("security", readByPort),
    participants: await ask("participants", readByPort),
    counters: await ask("counters", readByPort),
    mkpdus: await ask("mkaCounters", readMkpdus),
    licence: await ask("securityStatus", readLicence),
  };
  const { physical } = answers;
  const ports = "value" in physical ? [...physical.value.keys()] : [];
  const told =
    capabilities.ipsec === undefined ? noTunnels : await tunnels(cli, config, at, signal);
  const bgp = await routing(cli, config, at, signal);
  return {
    device,
    at,
    control: control(config, wall, bootId, sessions, at),
    macsec: ports.map((port) => portState(port, answers, at)),
    ipsec: told.ipsec,
    routing: withRoutes(bgp, told.routes, at),
  };
}

async function tunnels(
  cli: Cli,
  config: Answer<EosConfig>,
  at: Instant,
  signal: AbortSignal,
): Promise<TunnelsTold> {
  // A list without them would say that there are none.
  if ("why" in config) throw notUnderstood("which tunnels are configured", cli.where);
  const { standing } = config.value.tunnels;
  if (standing.size === 0) return noTunnels;
  const run = (name: Question) => cli.run([question(name)], "none", signal);
  const names = new Map([...standing.values()].map(({ name, interface: own }) => [own, name]));
  const connections = await answer(run("connections"), readConnections);
  const routes = await answer(run("staticRoutes"), (text) => readTunnelRoutes(text, names));
  return { ipsec: tunnelStates(config.value.tunnels, connections, at), routes };
}

function control(
  config: Answer<EosConfig>,
  wall: Answer<WallTime>,
  bootId: Answer<string>,
  sessions: Answer<readonly ConfigSession[]>,
  at: Instant,
): DeviceState["control"] {
  for (const one of [config, wall, bootId, sessions]) {
    if ("why" in one) return unknown(one.why, at);
  }
  if ("why" in config || "why" in wall || "why" in bootId || "why" in sessions) {
    return unknown("unparsed", at);
  }
  return known(
    {
      wall: wall.value,
      bootId: bootId.value,
      configId: config.value.id,
      commitPending: sessions.value[0]?.state === "pendingCommitTimer",
    },
    at,
  );
}

function portState(port: PortName, answers: Answers, at: Instant): MacsecPort {
  const { config, physical, counters, mkpdus, licence } = answers;
  const plan = "value" in config ? planOf(config.value, port) : undefined;
  const isUnread = plan?.profile !== undefined && plan.settings === undefined;
  // Without MACsec nobody counts, and a zero would say that somebody did.
  const isIdle = plan !== undefined && plan.profile === undefined;
  const counted = <T, R>(from: Answer<T>, read: (value: T) => R | undefined): Reading<R> =>
    isIdle ? unknown("notSupported", at) : reading(from, at, read);
  const ofPlan = <T>(read: (own: NonNullable<typeof plan>) => T): Reading<T> => {
    if ("why" in config) return unknown(config.why, at);
    return isUnread || plan === undefined ? unknown("unparsed", at) : known(read(plan), at);
  };
  const session = sessionOf(port, answers, plan?.settings, at);
  return {
    port,
    admin: reading(config, at, () => plan?.admin),
    linkUp: reading(physical, at, (all) => all.get(port)?.linkUp),
    settings: ofPlan(({ settings }) => settings),
    liveSuite: liveSuiteOf(session, plan?.settings, at),
    keys: ofPlan(({ keys }) => keys.map(({ ckn, role }) => ({ ckn, role }))),
    session,
    mkpdus: counted(mkpdus, (all) => all.get(port)),
    frames: counted(counters, (all) => readFrames(all.get(port))),
    rate: reading(physical, at, (all) => all.get(port)?.rate),
    troubles: reading(licence, at, (told) => {
      return told === "missing" && !isIdle ? ["no licence for MACsec is installed"] : [];
    }),
  };
}

function sessionOf(
  port: PortName,
  { config, security, participants }: Answers,
  settings: MacsecPort["settings"] extends Reading<infer T> ? T : never,
  at: Instant,
): MacsecPort["session"] {
  for (const one of [config, security, participants]) {
    if ("why" in one) return unknown(one.why, at);
  }
  return reading(security, at, (told) => {
    const actors = "value" in participants ? participants.value.get(port) : undefined;
    return readSession({ security: told.get(port), participants: actors }, settings);
  });
}

/**
 * EOS does not print the suite of a SAK. It installs none but of its own profile's suite, so a SAK
 * that transmits is of that one.
 */
function liveSuiteOf(
  session: MacsecPort["session"],
  settings: MacsecPort["settings"] extends Reading<infer T> ? T : never,
  at: Instant,
): MacsecPort["liveSuite"] {
  if (session.kind === "unknown") return session;
  const transmits = session.value.latestSak?.transmit === true;
  return known(transmits ? settings?.suite : undefined, at);
}

async function routing(
  cli: Cli,
  config: Answer<EosConfig>,
  at: Instant,
  signal: AbortSignal,
): Promise<Reading<Routing>> {
  const peers: Answer<ReadonlyMap<string, Peer>> = await answer(
    cli.run([question("peers")], "none", signal),
    readPeers,
  );
  if ("why" in config) return unknown(config.why, at);
  if ("why" in peers) return unknown(peers.why, at);
  const ours = config.value.neighbours.flatMap((one) => {
    const port = unitTo(config.value, one)?.port;
    return port === undefined ? [] : [{ ...one, port }];
  });
  const routes: Route[] = [];
  for (const { address, vrf, port, families } of ours) {
    for (const family of families) {
      const asked = cli.run([received(family, address, vrf)], "none", signal);
      const told = await answer(asked, (text) => readRoutes(text, vrf, port));
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
