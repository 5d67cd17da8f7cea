// One observation of a router with IOS XE: one command after another in one session, each reply
// known or unknown.

import { createHash } from "node:crypto";
import type { ControlPlane, DeviceState, PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { isPageOf, readSessions } from "../platform/cisco-mka.ts";
import { portStates } from "../platform/cisco-observation.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import { bgpSession, peerKey, readClock, readInterfaces } from "../platform/cisco-system.ts";
import type { Asked, CommitRecord } from "../platform/define-dialect.ts";
import { cliQuery } from "../platform/query.ts";
import { inTurn, type QueryResult, reading, readOf, together } from "../platform/query-result.ts";
import { placeOf, stateOf, tunnelsOf } from "../platform/router-observation.ts";
import type { Cli } from "../transport/cli.ts";
import { command, familiesOf, received } from "./commands.ts";
import {
  type ConfigTexts,
  filteredLines,
  isOfPolicy,
  linesIn,
  portOf,
  readConfig,
  readPolicies,
  type XeConfig,
} from "./config.ts";
import { readFrames, readMkpdus, readNextPn } from "./macsec-parsers.ts";
import { isPort } from "./names.ts";
import { drainsOf, isUnread, planOf } from "./plan.ts";
import {
  type Boot,
  bootOf,
  commitsOf,
  readMark,
  readPeers,
  readSoftware,
  readTimer,
  type Software,
} from "./system-parsers.ts";
import { readTunnels, type XeTunnels } from "./tunnel-config.ts";
import { readIkeSas, readIpsecSas, readTunnelRoutes, tunnelStates } from "./tunnel-parsers.ts";

export const queryOf = (cli: Cli, signal: AbortSignal) => cliQuery(cli, command, signal);

export type XeQuery = ReturnType<typeof queryOf>;

/** Names the configuration in errors: it is read by several commands. */
const configQuery = '"show running-config"';

/** A configuration, and the texts that are equal for equal configurations. */
interface ReportedConfig {
  readonly config: XeConfig;
  readonly texts: ConfigTexts;
}

export async function askConfig(
  query: XeQuery,
  clock: QueryResult<WallTime>,
): Promise<QueryResult<ReportedConfig>> {
  const texts = together({
    macsec: await query.result("macsecConfig", filteredLines),
    bgp: await query.result("bgpConfig", filteredLines),
  });
  const read = (all: ConfigTexts) => {
    const config = readConfig(all, "value" in clock);
    return config && { config, texts: all };
  };
  return readOf(texts, read, configQuery);
}

/** Reads the configuration with all lines of MKA policies, key chains, ports and BGP. */
export async function askLines(query: XeQuery, clock: QueryResult<WallTime>) {
  const all = together({
    reported: await askConfig(query, clock),
    policies: await query.result("policies", readPolicies),
  });
  return readOf(
    all,
    ({ reported: { config, texts }, policies }) => {
      const blocks = linesIn(texts)?.filter(({ line }) => !isOfPolicy.test(line));
      return blocks && { config, blocks: [...blocks, ...policies] };
    },
    configQuery,
  );
}

export async function askTunnels(query: XeQuery): Promise<QueryResult<XeTunnels>> {
  const names = ["tunnelInterfaces", "ikeConfig", "ipsecConfig"] as const;
  const [interfaces = unasked, ike = unasked, ipsec = unasked] = await inTurn(
    names.map((name) => () => query.result(name, filteredLines)),
  );
  return readOf(together({ interfaces, ike, ipsec }), readTunnels, configQuery);
}

/** The result of every query after one that failed. */
const unasked: QueryResult<string> = { why: "queryFailed" };

interface Commits {
  readonly records: readonly CommitRecord[];
  readonly mark: string;
}

export async function askCommits(query: XeQuery): Promise<QueryResult<Commits>> {
  const timer = await query.result("rollbackTimer", readTimer);
  if ("why" in timer) return timer;
  return await query.result("mark", (text) => {
    const mark = filteredLines(text);
    return mark === undefined
      ? undefined
      : { records: commitsOf(timer.value, readMark(mark)), mark };
  });
}

export const askPorts = (query: XeQuery) =>
  query.result("interfaces", (text) => readInterfaces(text, isPort));

/** A session, and the boot that it reported the last time. */
export interface Observing {
  readonly cli: Cli;
  boot: Boot | undefined;
}

export async function observe(
  session: Observing,
  about: Asked,
  signal: AbortSignal,
): Promise<DeviceState> {
  const { cli } = session;
  const at = about.clock.now();
  const query = queryOf(cli, signal);
  const clock = await query.result("clock", readClock);
  const software = await query.result("version", readSoftware);
  const commits = await askCommits(query);
  const physical = await askPorts(query);
  const reported = await askConfig(query, clock);
  const pages = await query.result("mkaSessions", readSessions);
  const peers = await query.result("neighbours", readPeers);
  const config = readOf(reported, (all) => all.config);
  const countersOf = (port: PortName) => askCounters(query, port);
  const { where } = cli;
  const ports = {
    where,
    config,
    physical,
    clock,
    pages,
    portsWithMacsec,
    planOf,
    isUnread,
    countersOf,
  };
  return await stateOf(about, {
    at,
    control: reading(together({ clock, software, commits, reported }), at, (results) =>
      controlOf(session, results),
    ),
    macsec: await portStates(ports, at),
    tunnels: async () =>
      await tunnelsOf(await askTunnels(query), cli.where, async (own, names) => {
        const ikeSas = await query.result("ikeSas", readIkeSas);
        const ipsecSas = await query.result("ipsecSas", readIpsecSas);
        const routes = await query.result("staticRoutes", (text) => readTunnelRoutes(text, names));
        return { ipsec: tunnelStates(own, { ikeSas, ipsecSas }, at), routes };
      }),
    peerings: async () => ({
      ...{ config, peers, portOf, drainsOf },
      routes: (ours) =>
        inTurn(
          ours.flatMap(({ port, ...one }) =>
            familiesOf(one).map((family) => () => {
              const asked = received(family, one.address, one.vrf);
              return query.result(asked, (text) => readRoutes(text, port));
            }),
          ),
        ),
      session: ({ address, vrf, port }, all) =>
        bgpSession(placeOf(port, address, vrf), all.get(peerKey(vrf, address))),
    }),
  });
}

const portsWithMacsec = ({ interfaces }: XeConfig): readonly PortName[] =>
  [...interfaces].flatMap(([name, { macsec }]) => (macsec.isEnabled && isPort(name) ? [name] : []));

async function askCounters(query: XeQuery, port: PortName) {
  const mkpdus = await query.result("mkaStatistics", readMkpdus, port);
  const reported = "value" in mkpdus ? mkpdus.value : undefined;
  const status = await query.result("secyStatus", readNextPn, port);
  const nextPn = "value" in status ? status.value.nextPn : undefined;
  const read = (text: string) =>
    isPageOf(port, text) ? readFrames(text, nextPn, reported) : undefined;
  return { mkpdus, frames: await query.result("secyStatistics", read, port) };
}

interface ControlResults {
  readonly clock: WallTime;
  readonly software: Software;
  readonly commits: Commits;
  readonly reported: ReportedConfig;
}

function controlOf(
  session: Observing,
  { clock, software, commits, reported }: ControlResults,
): ControlPlane | undefined {
  const boot = bootOf(software, clock, session.boot);
  if (boot === undefined) return undefined;
  session.boot = boot;
  // The last change of another session has a time of its own, which a boot removes.
  const id = createHash("sha256").update(commits.mark);
  for (const text of Object.values(reported.texts)) id.update(`\n${text}`);
  const configId = id.digest("hex").slice(0, 24);
  const commitPending = commits.records[0]?.isPending === true;
  return { wall: clock, bootId: boot.id, configId, commitPending };
}
