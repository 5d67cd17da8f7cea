// The requests to a router with IOS XR: one command after another in one session, each reply known
// or unknown.

import type { PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { portsWithMacsec } from "../platform/cisco-attachment.ts";
import { isPageOf, readSessions } from "../platform/cisco-mka.ts";
import { CiscoRouter, countersFrom } from "../platform/cisco-router.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import { readInterfaces, readPing } from "../platform/cisco-system.ts";
import { askTexts } from "../platform/cisco-texts.ts";
import type { Commit } from "../platform/define-dialect.ts";
import { cliQuery } from "../platform/query.ts";
import { type QueryResult, readOf, together } from "../platform/query-result.ts";
import type { Cli } from "../transport/cli.ts";
import * as commands from "./commands.ts";
import * as configs from "./config.ts";
import { readFrames, readMkpdus } from "./macsec-parsers.ts";
import { isPort, ownName } from "./names.ts";
import * as plans from "./plan.ts";
import { renderChange } from "./renderer.ts";
import { readAccounting, readBoot, readCommits, readPeers, readRouteTo } from "./system-parsers.ts";

export const queryOf = (cli: Cli, signal: AbortSignal) =>
  cliQuery(
    cli,
    (name: commands.CommandName, argument) => commands.command(name, cli.mode, argument),
    signal,
  );

type XrQuery = ReturnType<typeof queryOf>;

const asIs = (text: string): string => text;

export async function askCommits(query: XrQuery): Promise<QueryResult<readonly Commit[]>> {
  const editors = await query.result("editors", asIs);
  if ("why" in editors) return editors;
  return await query.result("commits", (list) => readCommits(list, editors.value));
}

const askConfig = (query: XrQuery, clock: QueryResult<WallTime>) =>
  askTexts(query, {
    names: {
      ...{ interfaces: "interfaceConfig", policies: "policies", chains: "chains" },
      bgp: "bgpConfig",
    },
    blank: "% No such configuration item(s)",
    read: (texts) => configs.readConfig(texts, "value" in clock),
  });

export const router = new CiscoRouter({
  ...{ ...commands, ...configs, ...plans, queryOf, askConfig, ownName },
  ...{ readPing, readRoutes, readRouteTo },
  ...{ interfaceTo: configs.interfaceTo, drainsOf: plans.drainsOf },
  cliOf: (cli: Cli) => cli,
  render: (before: plans.PortPlan, after: plans.PortPlan, { config }) =>
    renderChange(before, after, config),
  async askControl(query, cli) {
    const boot = await query.result("reboots", readBoot, nodeOf(cli));
    const commits = await askCommits(query);
    return ({ clock }) =>
      readOf(together({ clock, boot, commits }), (all) => ({
        ...{ wall: all.clock, bootId: all.boot },
        configId: all.commits[0]?.id ?? "none",
        commitPending: all.commits[0]?.isPending === true,
      }));
  },
  askPorts: (query) => query.result("interfaces", (text) => readInterfaces(text, isPort)),
  askBlocks: async (_query, texts) => readOf({ value: texts }, configs.blocksIn),
  askSessions: (query) => query.result("mkaSessions", readSessions),
  /** Reads the peers of the router itself, and those in its VRFs where one has a neighbour. */
  async askPeers(query, config) {
    const own = await query.result("neighbours", readPeers);
    const all = "value" in config ? config.value.neighbours : [];
    if (all.every(({ vrf }) => vrf === undefined)) return own;
    const inVrfs = await query.result("vrfNeighbours", readPeers);
    return readOf(together({ own, inVrfs }), (both) => new Map([...both.own, ...both.inVrfs]));
  },
  askCounters: (query, port: PortName) =>
    countersFrom(
      query,
      port,
      (text) => (isPageOf(port, text) ? readMkpdus(text) : undefined),
      (text, _port, mkpdus) => readFrames(text, mkpdus),
    ),
  askFacts: async () => undefined,
  async whyNoKey(query) {
    const isAccounted = await query.needed(query.result("accounting", readAccounting));
    const text = "it sends every command to an accounting server (aaa accounting commands)";
    return isAccounted ? `${text}, so a key too` : undefined;
  },
  // A chain has its times in whole seconds.
  beginningAt: (clock) => (Math.floor(clock / 1000) * 1000) as WallTime,
  portsWithMacsec: (config: configs.XrConfig) => portsWithMacsec(config, isPort),
  familiesOf: ({ families }) => families,
});

/** Returns the node that the history of boots belongs to: the prompt begins with it. */
export const nodeOf = ({ host }: Cli): string => host.replace(/^RP\//, "").split(":")[0] ?? "";
