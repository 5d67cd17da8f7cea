// Cisco IOS XE at its command line. There is no candidate: each line takes effect when it is
// entered, and a timer that uses the archive reverts all of them unless they are confirmed.

import type { DeviceChange, WantedPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import { keysOf } from "../platform/cisco-chains.ts";
import { vrfsFor } from "../platform/cisco-config.ts";
import { routeMapsFor } from "../platform/cisco-drain.ts";
import { chainLines } from "../platform/cisco-lines.ts";
import { asConfigured, pagesOf, readSessions, sessionOf } from "../platform/cisco-mka.ts";
import { readClock, readPing } from "../platform/cisco-system.ts";
import type { Dialect, Session, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { portsTowards } from "../platform/egress.ts";
import type { PortLines } from "../platform/port-lines.ts";
import { failed, leaving } from "../platform/query.ts";
import { joined, linesOf, type RenderedChange, textsOf } from "../platform/renderer.ts";
import { offersOf, pingFarEnd, principals, save } from "../platform/stage.ts";
import { suites } from "../platform/text.ts";
import { portsOf } from "../platform/tunnel-change.ts";
import { renderTunnels } from "../platform/tunnel-renderer.ts";
import { Cli, line } from "../transport/cli.ts";
import { ping, routeMap, routeTo } from "./commands.ts";
import { neighboursOn, readRouteMap, type XeConfig } from "./config.ts";
import { markName, ownName } from "./names.ts";
import {
  askCommits,
  askConfig,
  askLines,
  askPorts,
  askTunnels,
  type Observing,
  observe,
  queryOf,
  type XeQuery,
} from "./observation.ts";
import {
  type PortPlan,
  planChange,
  planOf,
  protect,
  refuseFirstOnMember,
  type Surroundings,
} from "./plan.ts";
import { capabilitiesOf, enablingOf, keepsOnMember, shutForKey } from "./quirks.ts";
import { renderChange } from "./renderer.ts";
import {
  type Boot,
  readAccounting,
  readArchive,
  readLock,
  readRouteTo,
  readSoftware,
} from "./system-parsers.ts";
import { terminal } from "./terminal.ts";
import { limits } from "./tunnel-config.ts";
import { tunnelCommands } from "./tunnel-renderer.ts";

const minuteMs = 60_000;
const minutesMax = 120;
/** The router writes a warning into the session one minute before the end. */
const minutesMin = 2;
/** Longer than it takes to enter a change, so that the router never begins to revert meanwhile. */
const sayingMinutes = 5;

const offers = offersOf({
  // The timer belongs to the router and not to the session, so any session can confirm.
  commit: { survivesDisconnect: true, stepMs: minuteMs, maxMs: minutesMax * minuteMs },
  macsec: { suites, overlap: "fallback", counters: "perSa", always: ["replayWindow"], shutForKey },
  // Each line is in force at once.
  atomicReplace: false,
  means: ["prepend", "peeringShutdown"],
});

/** Lines are stored here until the commit, because the router has no candidate. */
class XeSession implements Session, Observing {
  readonly cli: Cli;
  boot: Boot | undefined;
  staged: Staged | undefined;

  constructor(cli: Cli, boot: Boot | undefined) {
    this.cli = cli;
    this.boot = boot;
  }

  get where(): string {
    return this.cli.where;
  }

  get isOver(): boolean {
    return this.cli.isOver;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cli[Symbol.asyncDispose]();
  }
}

interface Staged {
  readonly commands: readonly Command[];
  readonly operations: readonly Command[];
  /** The router itself can revert it. */
  readonly isTimed: boolean;
}

/** Its requests. */
export const dialect: Dialect<XeSession> = {
  name: "iosxe",
  offers,
  channel: "shell",
  async open(channel, { where, entropy, before }, signal) {
    const cli = await Cli.open(channel, { platform: terminal, where, entropy }, signal);
    return new XeSession(cli, before?.boot);
  },
  async capabilities({ cli }, signal) {
    const query = queryOf(cli, signal);
    const software = await query.needed(query.result("version", readSoftware));
    const archive = await query.result("archive", readArchive);
    return capabilitiesOf(offers, software, "value" in archive && archive.value);
  },
  observe,
  async routesTo({ cli }, address, signal) {
    const query = queryOf(cli, signal);
    const config = await configOf(query);
    const vrfs = vrfsFor(address, config.interfaces);
    const queries = vrfs.map((vrf) => () => query.result(routeTo(address, vrf), readRouteTo));
    return await portsTowards(queries, config.aggregates);
  },
  async probe({ cli }, port, count, signal) {
    const query = queryOf(cli, signal);
    const [one] = neighboursOn(await configOf(query), port);
    const read = (text: string) => readPing(text, { address: one?.address, count });
    return await pingFarEnd(query, port, one && ping(one.address, one.vrf, count), read);
  },
  async commits({ cli }, signal) {
    const query = queryOf(cli, signal);
    return (await query.needed(askCommits(query))).records;
  },
  async lock({ cli }, signal) {
    const lock = await queryOf(cli, signal).result("lock", readLock);
    // If the reply is unknown, a session that has locked the configuration shows when the first
    // line is entered.
    if ("why" in lock || !lock.value) return;
    throw failed("device.locked", "another session has locked the configuration", cli.where);
  },
  async stage(session, work, signal) {
    const all = await render(session, work, signal);
    session.staged = {
      commands: all.sent,
      operations: all.operations,
      isTimed: work.capabilities.commit.kind === "confirmed",
    };
    return linesOf(all);
  },
  async preview(session, work, signal) {
    const { sent, operations } = await render(session, work, signal);
    return textsOf([...sent, ...operations]);
  },
  lines: ({ cli }, wanted, signal) => linesOn(queryOf(cli, signal), wanted),
  async check() {
    // A router without a candidate checks each line when it is entered.
  },
  commit,
  async undo({ cli }, _note, signal) {
    await cli.run([line`configure revert now`], "unknown", signal);
  },
};

/** The driver of Cisco IOS XE. */
export const iosxe = defineDriver(dialect);

async function configOf(query: XeQuery): Promise<XeConfig> {
  const { config } = await query.needed(askConfig(query, await query.result("clock", readClock)));
  return config;
}

async function render(
  { cli }: XeSession,
  work: Work,
  signal: AbortSignal,
): Promise<RenderedChange<Command> & Pick<Staged, "operations">> {
  const query = queryOf(cli, signal);
  const config = await configOf(query);
  if (work.secrets.size > 0) await refuseAccounted(query);
  const software = await query.needed(query.result("version", readSoftware));
  const ports = [...(await query.needed(askPorts(query))).keys()];
  const principal = await principals(
    work,
    () => query.needed(query.result("mkaSessions", readSessions)),
    (pages, port, settings) => {
      const keys = keysOf(planOf(config, port));
      return sessionOf(asConfigured(pagesOf(pages, port, ports), keys), settings);
    },
  );
  const around: Surroundings = {
    ...{ config, work, ports: new Set(ports), begins: undefined },
    principal: (port) => principal(port, planOf(config, port).settings),
    routeMaps: await askRouteMaps(work.change, config, query),
  };
  const changed = planChange(portsOf(work.change), around);
  if (keepsOnMember(software)) for (const one of changed) refuseFirstOnMember(one, around);
  const rendered = changed.map(({ before, after }) =>
    renderChange(before, after, around, enablingOf(software)),
  );
  const readAll = () => query.needed(askTunnels(query));
  const all = joined([...rendered, await renderTunnels(work, limits, readAll, tunnelCommands)]);
  return { ...all, operations: rendered.flatMap((one) => one.operations) };
}

const askRouteMaps = (change: DeviceChange, config: XeConfig, query: XeQuery) =>
  routeMapsFor(
    change,
    (port) => neighboursOn(config, port),
    (name) => query.result(routeMap(name), (text) => readRouteMap(text, name)),
  );

async function linesOn(
  query: XeQuery,
  wanted: readonly WantedPort[],
): Promise<readonly PortLines[]> {
  const clock = await query.result("clock", readClock);
  const { config, blocks } = await query.needed(askLines(query, clock));
  const enabling = enablingOf(await query.needed(query.result("version", readSoftware)));
  const drains = wanted.flatMap(
    ({ port, drain }): DeviceChange =>
      drain === undefined ? [] : [{ kind: "port.drain", port, means: drain }],
  );
  const routeMaps = await askRouteMaps(drains, config, query);
  const around = { config, routeMaps };
  const render = (before: PortPlan, after: PortPlan) =>
    renderChange(before, after, around, enabling).sent;
  const platform = { config, blocks, planOf, protect, ownName, begins: undefined, render };
  return wanted.map((one) => chainLines(one, platform));
}

/**
 * Refuses a change with keys if commands are recorded elsewhere, because keys would be recorded
 * too.
 */
async function refuseAccounted(query: XeQuery): Promise<void> {
  if (!(await query.needed(query.result("accounting", readAccounting)))) return;
  const text = "it records commands elsewhere, so a key too (aaa accounting commands, no hidekeys)";
  throw failed("device.rejected", text, query.where);
}

/** Sets a variable that no policy reads; it records whose change is in force, or waits. */
function marking(token: string, isSettled: boolean): Command {
  return line`event manager environment ${markName} ${isSettled ? `${token}.settled` : token}`;
}

async function commit(
  { cli, staged }: XeSession,
  note: string,
  withinMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const token = note.split(" ").at(-1) ?? "";
  if (staged === undefined) {
    await settle(cli, token, signal);
    return;
  }
  if (!staged.isTimed) {
    await runLinesAtOnce(cli, [...staged.commands, marking(token, true)], signal);
    await finish(cli, staged.operations, signal);
    return;
  }
  const lines = [marking(token, false), ...staged.commands, line`end`];
  if (withinMs === undefined) {
    await runLines(cli, lines, signal);
    await settle(cli, token, signal, staged.operations);
    return;
  }
  const minutes = Math.max(minutesMin, Math.ceil(withinMs / minuteMs));
  const waiting = line`configure revert timer ${minutes}`;
  await runLines(cli, [...lines, ...staged.operations, waiting], signal);
}

/** Enters the lines; a refusal of one makes the router revert all of them. */
async function runLines(
  cli: Cli,
  commands: readonly Command[],
  signal: AbortSignal,
): Promise<void> {
  await cli.run([line`configure terminal revert timer ${sayingMinutes}`], "unknown", signal);
  try {
    await cli.run(commands, "unknown", signal);
  } catch (error) {
    if (!cli.isOver) await takeBack(cli, signal);
    throw error;
  }
}

async function takeBack(cli: Cli, signal: AbortSignal): Promise<void> {
  try {
    await leave(cli, signal);
    await cli.run([line`configure revert now`], "unknown", signal);
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const text = `a line was refused, and the lines before it are in force: ${error.message}`;
    throw leaving(error, "unknown", text, cli.where);
  }
}

async function leave(cli: Cli, signal: AbortSignal): Promise<void> {
  if (cli.mode.startsWith("(")) await cli.run([line`end`], "unknown", signal);
}

/** Enters lines without an archive: the lines before a refused one stay. */
async function runLinesAtOnce(
  cli: Cli,
  commands: readonly Command[],
  signal: AbortSignal,
): Promise<void> {
  await cli.run([line`configure terminal`], "unknown", signal);
  try {
    await cli.run([...commands, line`end`], "unknown", signal);
  } catch (error) {
    if (cli.isOver || !(error instanceof LinksealError)) throw error;
    await leave(cli, signal);
    const text = `a line was refused, and the lines before it stay: ${error.message}`;
    throw leaving(error, "unknown", text, cli.where);
  }
}

/**
 * Ends the wait and records that, so that a timer that runs later is known to be another session's.
 */
async function settle(
  cli: Cli,
  token: string,
  signal: AbortSignal,
  operations: readonly Command[] = [],
): Promise<void> {
  const reply = await cli.run([line`configure confirm`], "unknown", signal);
  if (/No Rollback Confirmed Change pending/i.test(reply)) {
    const text = "the router reverted the change before it was confirmed";
    throw failed("device.commitExpired", text, cli.where);
  }
  const mark = [line`configure terminal`, marking(token, true), line`end`];
  await finish(cli, [...operations, ...mark], signal);
}

async function finish(cli: Cli, operations: readonly Command[], signal: AbortSignal) {
  const unsaved = "the change is in force, and a boot may lose it: it was not saved";
  await save(cli, [...operations, line`write memory`], unsaved, signal);
}
