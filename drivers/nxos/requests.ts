// The requests to a switch with NX-OS: one command after another in one session, each reply known
// or unknown.

import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { portsWithMacsec } from "../platform/cisco-attachment.ts";
import { type BootedSession, bootOf } from "../platform/cisco-boot.ts";
import {
  CiscoRouter,
  configIdOf,
  countersFrom,
  type RenderedWork,
} from "../platform/cisco-router.ts";
import type { Peer } from "../platform/cisco-system.ts";
import { askTexts } from "../platform/cisco-texts.ts";
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

export type NxWork = RenderedWork<plans.PortPlan>;
export type NxSession = BootedSession<NxWork>;
type NxQuery = ReturnType<typeof queryOf>;
type Config = configs.NxConfig;

export const queryOf = (cli: Cli, signal: AbortSignal) => cliQuery(cli, commands.command, signal);

const askConfig = (query: NxQuery, clock: QueryResult<WallTime>) =>
  askTexts(query, {
    names: { macsec: "macsecConfig", interfaces: "interfaceConfig", bgp: "bgpConfig" },
    blank: undefined,
    // While the feature is off, its command is not known.
    hasBgp: ({ macsec = "" }) => /^feature bgp *$/m.test(macsec),
    read: (texts) => configs.readConfig(texts, "value" in clock),
  });

export const router = new CiscoRouter({
  ...{ ...commands, ...configs, ...plans, ...system, queryOf, askConfig, ownName, readPing },
  ...{ interfaceTo: configs.interfaceTo, portOf: configs.portOf, refresh: commands.refresh },
  ...{ protect: plans.protect, planChange: plans.planChange },
  cliOf: ({ cli }: NxSession) => cli,
  render: renderChange,
  async askControl(query, session) {
    const software = await query.result("version", system.readSoftware);
    return (results) =>
      readOf(together({ ...results, software }), ({ clock, reported: { texts }, ...all }) => {
        const boot = bootOf(all.software, clock, session.boot);
        if (boot === undefined) return undefined;
        session.boot = boot;
        // A header has the moment at which it was asked.
        const timeless = Object.values<string | undefined>(texts).map((text = "") =>
          text.replaceAll(/^!Time: .*/gm, ""),
        );
        const configId = configIdOf(...timeless);
        return { wall: clock, bootId: boot.id, configId, commitPending: false };
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
    const peers = new Map<string, Peer>();
    for (const vrf of configs.instancesIn(config.value)) {
      const read = (text: string) => system.readPeers(text, vrf);
      const own = await query.result(commands.neighbours(vrf), read);
      if ("why" in own) return own;
      for (const [key, peer] of own.value) peers.set(key, peer);
    }
    return { value: peers };
  },
  askCounters: (query, port: PortName) => countersFrom(query, port, readMkpdus, readFrames),
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
