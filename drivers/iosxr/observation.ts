// One observation of a router with IOS XR: one command after another in one session, each reply
// known or unknown.

import type { DeviceState, PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { portsWithMacsec } from "../platform/cisco-attachment.ts";
import { isPageOf, readSessions } from "../platform/cisco-mka.ts";
import { portStates } from "../platform/cisco-observation.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import { bgpSession, peerKey, readClock, readInterfaces } from "../platform/cisco-system.ts";
import type { Asked, Commit } from "../platform/define-dialect.ts";
import { cliQuery } from "../platform/query.ts";
import { inTurn, type QueryResult, reading, readOf, together } from "../platform/query-result.ts";
import { placeOf, stateOf } from "../platform/router-observation.ts";
import type { Cli } from "../transport/cli.ts";
import { type CommandName, command, received } from "./commands.ts";
import { blocksIn, type ConfigTexts, portOf, readConfig, type XrConfig } from "./config.ts";
import { readFrames, readMkpdus } from "./macsec-parsers.ts";
import { isPort } from "./names.ts";
import { drainsOf, isUnread, planOf } from "./plan.ts";
import { readBoot, readCommits, readPeers } from "./system-parsers.ts";

export const queryOf = (cli: Cli, signal: AbortSignal) =>
  cliQuery(cli, (name: CommandName, argument) => command(name, cli.mode, argument), signal);

export type XrQuery = ReturnType<typeof queryOf>;

const asIs = (text: string): string => text;

const configQuery = '"show running-config"';

async function askTexts(query: XrQuery): Promise<QueryResult<ConfigTexts>> {
  return together({
    interfaces: await query.result("interfaceConfig", asIs),
    policies: await query.result("policies", asIs),
    chains: await query.result("chains", asIs),
    bgp: await query.result("bgpConfig", asIs),
  });
}

export async function askConfig(
  query: XrQuery,
  clock: QueryResult<WallTime>,
): Promise<QueryResult<XrConfig>> {
  return readOf(await askTexts(query), (all) => readConfig(all, "value" in clock), configQuery);
}

/** Reads the configuration with all of its lines. */
export async function askLines(query: XrQuery) {
  const read = (all: ConfigTexts) => {
    const [config, blocks] = [readConfig(all, true), blocksIn(all)];
    return config && blocks && { config, blocks };
  };
  return readOf(await askTexts(query), read, configQuery);
}

export async function askCommits(query: XrQuery): Promise<QueryResult<readonly Commit[]>> {
  const editors = await query.result("editors", asIs);
  if ("why" in editors) return editors;
  return await query.result("commits", (list) => readCommits(list, editors.value));
}

export const askPorts = (query: XrQuery) =>
  query.result("interfaces", (text) => readInterfaces(text, isPort));

/** Reads the peers of the router itself, and those in its VRFs where one has a neighbour. */
async function askPeers(query: XrQuery, config: QueryResult<XrConfig>) {
  const own = await query.result("neighbours", readPeers);
  const hasVrfs = "value" in config && config.value.neighbours.some(({ vrf }) => vrf !== undefined);
  if (!hasVrfs) return own;
  const inVrfs = await query.result("vrfNeighbours", readPeers);
  return readOf(together({ own, inVrfs }), (all) => new Map([...all.own, ...all.inVrfs]));
}

export async function observe(cli: Cli, about: Asked, signal: AbortSignal): Promise<DeviceState> {
  const at = about.clock.now();
  const query = queryOf(cli, signal);
  const clock = await query.result("clock", readClock);
  // The prompt begins with the node that the history belongs to.
  const [node = ""] = cli.host.replace(/^RP\//, "").split(":");
  const boot = await query.result("reboots", readBoot, node);
  const commits = await askCommits(query);
  const physical = await askPorts(query);
  const config = await askConfig(query, clock);
  const pages = await query.result("mkaSessions", readSessions);
  const peers = await askPeers(query, config);
  const countersOf = async (port: PortName) => {
    const read = (text: string) => (isPageOf(port, text) ? readMkpdus(text) : undefined);
    const mkpdus = await query.result("mkaStatistics", read, port);
    const reported = "value" in mkpdus ? mkpdus.value : undefined;
    const frames = await query.result("secyStatistics", (text) => readFrames(text, reported), port);
    return { mkpdus, frames };
  };
  const { where } = cli;
  const ports = {
    where,
    config,
    physical,
    clock,
    pages,
    portsWithMacsec: (own: XrConfig) => portsWithMacsec(own, isPort),
    planOf,
    isUnread,
    countersOf,
  };
  return await stateOf(about, {
    at,
    control: reading(together({ clock, boot, commits }), at, (reported) => ({
      wall: reported.clock,
      bootId: reported.boot,
      configId: reported.commits[0]?.id ?? "none",
      commitPending: reported.commits[0]?.isPending === true,
    })),
    macsec: await portStates(ports, at),
    peerings: async () => ({
      ...{ config, peers, portOf, drainsOf },
      routes: (ours) =>
        inTurn(
          ours.flatMap(({ port, ...one }) =>
            one.families.map(
              (family) => () =>
                query.result(received(family, one, cli.mode), (text) => readRoutes(text, port)),
            ),
          ),
        ),
      session: ({ address, vrf, port }, all) =>
        bgpSession(placeOf(port, address, vrf), all.get(peerKey(vrf, address))),
    }),
  });
}
