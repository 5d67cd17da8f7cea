// The requests to a router with IOS XE: one command after another in one session, each reply known
// or unknown.

import type { ControlPlane, PortName } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { type BootedSession, bootOf } from "../platform/cisco-boot.ts";
import { isPageOf, readSessions } from "../platform/cisco-mka.ts";
import { CiscoRouter, configIdOf, type RenderedWork } from "../platform/cisco-router.ts";
import { readRoutes } from "../platform/cisco-routes.ts";
import { readInterfaces, readPing } from "../platform/cisco-system.ts";
import { askTexts, configQuery } from "../platform/cisco-texts.ts";
import type { CommitRecord } from "../platform/define-dialect.ts";
import { cliQuery } from "../platform/query.ts";
import { inTurn, type QueryResult, readOf, together } from "../platform/query-result.ts";
import { tunnelsOf } from "../platform/router-observation.ts";
import { portsOf } from "../platform/tunnel-change.ts";
import { renderTunnels } from "../platform/tunnel-renderer.ts";
import type { Cli } from "../transport/cli.ts";
import * as commands from "./commands.ts";
import * as configs from "./config.ts";
import { readFrames, readMkpdus, readNextPn } from "./macsec-parsers.ts";
import { isPort, ownName } from "./names.ts";
import * as plans from "./plan.ts";
import { enablingOf, keepsOnMember } from "./quirks.ts";
import { renderChange } from "./renderer.ts";
import * as system from "./system-parsers.ts";
import { limits, readTunnels, type XeTunnels } from "./tunnel-config.ts";
import { readIkeSas, readIpsecSas, readTunnelRoutes, tunnelStates } from "./tunnel-parsers.ts";
import { tunnelCommands } from "./tunnel-renderer.ts";

export type XeSession = BootedSession<RenderedWork<plans.PortPlan>>;

export const queryOf = (cli: Cli, signal: AbortSignal) => cliQuery(cli, commands.command, signal);

type XeQuery = ReturnType<typeof queryOf>;

async function askTunnels(query: XeQuery): Promise<QueryResult<XeTunnels>> {
  const names = ["tunnelInterfaces", "ikeConfig", "ipsecConfig"] as const;
  const [interfaces = unasked, ike = unasked, ipsec = unasked] = await inTurn(
    names.map((name) => () => query.result(name, configs.filteredLines)),
  );
  return readOf(together({ interfaces, ike, ipsec }), readTunnels, configQuery);
}

/** The result of every query after one that failed. */
const unasked: QueryResult<string> = { why: "queryFailed" };

interface Commits {
  readonly records: readonly CommitRecord[];
  /** Our last commit; undefined = none. */
  readonly own: system.Mark | undefined;
  readonly mark: string;
}

export async function askCommits(query: XeQuery): Promise<QueryResult<Commits>> {
  const timer = await query.result("rollbackTimer", system.readTimer);
  if ("why" in timer) return timer;
  return await query.result("mark", (text) => {
    const mark = configs.filteredLines(text);
    if (mark === undefined) return undefined;
    const own = system.readMark(mark);
    return { records: system.commitsOf(timer.value, own), own, mark };
  });
}

const askConfig = (query: XeQuery, clock: QueryResult<WallTime>) =>
  askTexts(query, {
    names: { macsec: "macsecConfig", bgp: "bgpConfig" },
    blank: "",
    whole: configs.filteredLines,
    read: (texts) => configs.readConfig(texts, "value" in clock),
  });

export const router = new CiscoRouter({
  ...{ ...commands, ...configs, ...plans, ...system, queryOf, ownName },
  ...{ readPing, readRoutes, askConfig, askCounters },
  ...{ interfaceTo: configs.interfaceTo, drainsOf: plans.drainsOf },
  cliOf: ({ cli }: XeSession) => cli,
  async askControl(query, session) {
    const software = await query.result("version", system.readSoftware);
    const commits = await askCommits(query);
    return (results) => readOf(together({ ...results, software, commits }), controlOf(session));
  },
  askPorts: (query) => query.result("interfaces", (text) => readInterfaces(text, isPort)),
  askBlocks: async (query, texts) =>
    readOf(await query.result("policies", configs.readPolicies), (policies) =>
      configs.linesIn(texts, policies),
    ),
  askSessions: (query) => query.result("mkaSessions", readSessions),
  askPeers: (query) => query.result("neighbours", system.readPeers),
  askTunnels: async (query, { where }, at) =>
    await tunnelsOf(await askTunnels(query), where, async (own, names) => {
      const ikeSas = await query.result("ikeSas", readIkeSas);
      const ipsecSas = await query.result("ipsecSas", readIpsecSas);
      const routes = await query.result("staticRoutes", (text) => readTunnelRoutes(text, names));
      return { ipsec: tunnelStates(own, { ikeSas, ipsecSas }, at), routes };
    }),
  askFacts: (query) => query.needed(query.result("version", system.readSoftware)),
  async whyNoKey(query) {
    const isAccounted = await query.needed(query.result("accounting", system.readAccounting));
    const where = "(aaa accounting commands, no hidekeys)";
    return isAccounted ? `it records commands elsewhere, so a key too ${where}` : undefined;
  },
  portsWithMacsec: ({ interfaces }: configs.XeConfig) =>
    [...interfaces].flatMap(([name, { macsec }]) =>
      macsec.isEnabled && isPort(name) ? [name] : [],
    ),
  planChange(change, around, software: system.Software) {
    const changed = plans.planChange(portsOf(change), around);
    if (keepsOnMember(software)) {
      for (const one of changed) plans.refuseFirstOnMember(one, around);
    }
    return changed;
  },
  render: (before, after, around, software) =>
    renderChange(before, after, around, enablingOf(software)),
  renderOthers: (work, query) =>
    renderTunnels(work, limits, () => query.needed(askTunnels(query)), tunnelCommands),
});

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
  readonly software: system.Software;
  readonly commits: Commits;
  readonly reported: { readonly texts: configs.ConfigTexts };
}

const controlOf =
  (session: XeSession) =>
  ({ clock, software, commits, reported }: ControlResults): ControlPlane | undefined => {
    const boot = bootOf(software, clock, session.boot);
    if (boot === undefined) return undefined;
    session.boot = boot;
    // The last change of another session has a time of its own, which a boot removes.
    const configId = configIdOf(commits.mark, reported.texts.macsec, reported.texts.bgp);
    const commitPending = commits.records[0]?.isPending === true;
    return { wall: clock, bootId: boot.id, configId, commitPending };
  };
