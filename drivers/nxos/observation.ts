// One observation of a switch with NX-OS: one command after another in one session, each reply
// known or unknown.

import { createHash } from "node:crypto";
import type { DeviceState, PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { portsWithMacsec } from "../platform/cisco-attachment.ts";
import { portStates } from "../platform/cisco-observation.ts";
import { bgpSession, type Peer, peerKey, readClock } from "../platform/cisco-system.ts";
import type { Asked } from "../platform/define-dialect.ts";
import { cliQuery } from "../platform/query.ts";
import { inTurn, type QueryResult, reading, readOf, together } from "../platform/query-result.ts";
import { placeOf, stateOf } from "../platform/router-observation.ts";
import type { Cli } from "../transport/cli.ts";
import { command, neighbours, received } from "./commands.ts";
import {
  blocksIn,
  type ConfigTexts,
  linesIn,
  type NxConfig,
  portOf,
  readConfig,
  readPolicies,
} from "./config.ts";
import { readFrames, readMkpdus, readSessions } from "./macsec-parsers.ts";
import { isPort } from "./names.ts";
import { drainsOf, isUnread, planOf } from "./plan.ts";
import { readInterfaces, readPeers, readRoutes, readSoftware } from "./system-parsers.ts";

export const queryOf = (cli: Cli, signal: AbortSignal) => cliQuery(cli, command, signal);

export type NxQuery = ReturnType<typeof queryOf>;

/** A configuration, and the texts that are equal for equal configurations. */
interface ReportedConfig {
  readonly config: NxConfig;
  readonly texts: ConfigTexts;
}

const configQuery = '"show running-config"';

/** An empty reply is no configuration. */
const configText = (text: string): string | undefined =>
  blocksIn(text, /^/)?.length === 0 && !/^version /m.test(text) ? undefined : text;

export async function askConfig(
  query: NxQuery,
  clock: QueryResult<WallTime>,
): Promise<QueryResult<ReportedConfig>> {
  const macsec = await query.result("macsecConfig", configText);
  const interfaces = await query.result("interfaceConfig", configText);
  const hasBgp = "value" in macsec && /^feature bgp *$/m.test(macsec.value);
  const none: QueryResult<string> = { value: "" };
  const bgp = hasBgp ? await query.result("bgpConfig", configText) : none;
  const read = (texts: ConfigTexts) => {
    const config = readConfig(texts, "value" in clock);
    return config && { config, texts };
  };
  return readOf(together({ macsec, interfaces, bgp }), read, configQuery);
}

/** Reads the configuration with all lines of policies, key chains, ports and BGP. */
export async function askLines(query: NxQuery, clock: QueryResult<WallTime>) {
  const reported = await askConfig(query, clock);
  const all = together({ reported, policies: await query.result("policies", readPolicies) });
  return readOf(
    all,
    ({ reported: { config, texts }, policies }) => {
      return { config, blocks: linesIn(texts, policies) };
    },
    configQuery,
  );
}

export const askPorts = (query: NxQuery) => query.result("interfaces", readInterfaces);

/** Reads the sessions; where MACsec is not attached the reply is not known, and there are none. */
export const askSessions = async (query: NxQuery, config: NxConfig) =>
  portsWithMacsec(config, isPort).length === 0
    ? { value: [] }
    : await query.result("mkaSessions", readSessions);

/** Reads the peers of each instance in which a neighbour of a port is. */
async function askPeers(query: NxQuery, config: NxConfig) {
  const ours = config.neighbours.filter((one) => portOf(config, one) !== undefined);
  const peers = new Map<string, Peer>();
  for (const vrf of new Set(ours.map((one) => one.vrf))) {
    const own = await query.result(neighbours(vrf), (text) => readPeers(text, vrf));
    if ("why" in own) return own;
    for (const [key, peer] of own.value) peers.set(key, peer);
  }
  return { value: peers };
}

export async function observe(cli: Cli, about: Asked, signal: AbortSignal): Promise<DeviceState> {
  const at = about.clock.now();
  const query = queryOf(cli, signal);
  const clock = await query.result("clock", readClock);
  const software = await query.result("version", readSoftware);
  const physical = await askPorts(query);
  const reported = await askConfig(query, clock);
  const config = readOf(reported, (all) => all.config);
  const pages = "value" in config ? await askSessions(query, config.value) : config;
  const peers = "value" in config ? await askPeers(query, config.value) : config;
  const countersOf = async (port: PortName) => {
    const mkpdus = await query.result("mkaStatistics", (text) => readMkpdus(text, port), port);
    const counted = "value" in mkpdus ? mkpdus.value : undefined;
    const read = (text: string) => readFrames(text, port, counted);
    return { mkpdus, frames: await query.result("secyStatistics", read, port) };
  };
  const ports = {
    ...{ where: cli.where, config, physical, clock, pages, planOf, isUnread, countersOf },
    portsWithMacsec: (own: NxConfig) => portsWithMacsec(own, isPort),
  };
  return await stateOf(about, {
    at,
    control: reading(together({ clock, software, reported }), at, (all) => {
      // A header has the moment at which it was asked.
      const texts = Object.values(all.reported.texts)
        .join("\n")
        .replaceAll(/^!Time: .*/gm, "");
      const configId = createHash("sha256").update(texts).digest("hex").slice(0, 24);
      return { wall: all.clock, bootId: all.software.restartedAt, configId, commitPending: false };
    }),
    macsec: await portStates(ports, at),
    peerings: async () => ({
      ...{ config, peers, portOf, drainsOf },
      routes: (ours) =>
        inTurn(
          ours.flatMap(({ port, ...one }) => {
            const own = "value" in peers && peers.value.get(peerKey(one.vrf, one.address));
            // What is printed for a neighbour without a session is not known, and it has no routes.
            if (own !== false && own?.state !== "Established") return [];
            return one.families.map((family) => () => {
              const asked = received(family, one);
              return query.result(asked, (text) => readRoutes(text, port));
            });
          }),
        ),
      session: ({ address, vrf, port }, all) =>
        bgpSession(placeOf(port, address, vrf), all.get(peerKey(vrf, address))),
    }),
  });
}
