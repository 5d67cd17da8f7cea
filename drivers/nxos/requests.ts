// The requests to a switch with NX-OS: one command after another in one session, each reply known
// or unknown.

import { createHash } from "node:crypto";
import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { portsWithMacsec } from "../platform/cisco-attachment.ts";
import type { StagingSession } from "../platform/cisco-direct.ts";
import { CiscoRouter, type RenderedWork, reportedIn } from "../platform/cisco-router.ts";
import type { Peer } from "../platform/cisco-system.ts";
import { readPing } from "../platform/ping.ts";
import { cliQuery } from "../platform/query.ts";
import { type QueryResult, readOf, together } from "../platform/query-result.ts";
import type { Cli } from "../transport/cli.ts";
import * as commands from "./commands.ts";
import * as configs from "./config.ts";
import { readFrames, readMkpdus, readSessions } from "./macsec-parsers.ts";
import { isPort, ownName } from "./names.ts";
import * as plans from "./plan.ts";
import { renderChange } from "./renderer.ts";
import * as system from "./system-parsers.ts";

export type NxSession = StagingSession<RenderedWork<plans.PortPlan>>;
type NxQuery = ReturnType<typeof queryOf>;
type Config = configs.NxConfig;

export const queryOf = (cli: Cli, signal: AbortSignal) => cliQuery(cli, commands.command, signal);

/** An empty reply is no configuration. */
const configText = (text: string): string | undefined =>
  configs.blocksIn(text, /^/)?.length === 0 && !/^version /m.test(text) ? undefined : text;

export async function askConfig(query: NxQuery, clock: QueryResult<WallTime>) {
  const macsec = await query.result("macsecConfig", configText);
  const interfaces = await query.result("interfaceConfig", configText);
  const hasBgp = "value" in macsec && /^feature bgp *$/m.test(macsec.value);
  const none: QueryResult<string> = { value: "" };
  const bgp = hasBgp ? await query.result("bgpConfig", configText) : none;
  const texts = together({ macsec, interfaces, bgp });
  return reportedIn(texts, (all) => configs.readConfig(all, "value" in clock));
}

export const router = new CiscoRouter({
  ...{ ...commands, ...configs, ...plans, ...system, queryOf, askConfig, ownName, readPing },
  ...{ interfaceTo: configs.interfaceTo, protect: plans.protect, planChange: plans.planChange },
  cliOf: ({ cli }: NxSession) => cli,
  render: renderChange,
  async askControl(query) {
    const software = await query.result("version", system.readSoftware);
    return (results) =>
      readOf(together({ ...results, software }), ({ clock, reported: { texts }, ...all }) => {
        // A header has the moment at which it was asked.
        const text = Object.values(texts)
          .join("\n")
          .replaceAll(/^!Time: .*/gm, "");
        const configId = createHash("sha256").update(text).digest("hex").slice(0, 24);
        const bootId = all.software.restartedAt;
        return { wall: clock, bootId, configId, commitPending: false };
      });
  },
  askPorts: (query) => query.result("interfaces", system.readInterfaces),
  askBlocks: async (query, texts) =>
    readOf(await query.result("policies", configs.readPolicies), (policies) =>
      configs.linesIn(texts, policies),
    ),
  async askSessions(query, config) {
    if ("why" in config) return config;
    // Where MACsec is not attached the reply is not known, and there are none.
    const hasNone = portsWithMacsec(config.value, isPort).length === 0;
    return hasNone ? { value: [] } : await query.result("mkaSessions", readSessions);
  },
  /** Reads the peers of each instance in which a neighbour of a port is. */
  async askPeers(query, config) {
    if ("why" in config) return config;
    const { portOf } = configs;
    const ours = config.value.neighbours.filter((one) => portOf(config.value, one) !== undefined);
    const peers = new Map<string, Peer>();
    for (const vrf of new Set(ours.map((one) => one.vrf))) {
      const read = (text: string) => system.readPeers(text, vrf);
      const own = await query.result(commands.neighbours(vrf), read);
      if ("why" in own) return own;
      for (const [key, peer] of own.value) peers.set(key, peer);
    }
    return { value: peers };
  },
  async askCounters(query, port: PortName) {
    const mkpdus = await query.result("mkaStatistics", (text) => readMkpdus(text, port), port);
    const counted = "value" in mkpdus ? mkpdus.value : undefined;
    const read = (text: string) => readFrames(text, port, counted);
    return { mkpdus, frames: await query.result("secyStatistics", read, port) };
  },
  askFacts: async () => undefined,
  whyNoKey: async (_query, { isAccounted }) =>
    isAccounted
      ? "it sends every command to an accounting server (aaa accounting default), so a key too"
      : undefined,
  portsWithMacsec: (config: Config) => portsWithMacsec(config, isPort),
  // What is printed for a neighbour without a session is not known, and it has no routes.
  familiesOf: ({ families }, peer) =>
    peer === undefined || peer.state === "Established" ? families : [],
});
