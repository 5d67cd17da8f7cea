// Cisco IOS XR over its command line.

import { LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import { keysOf } from "../platform/cisco-chains.ts";
import { vrfsFor } from "../platform/cisco-config.ts";
import { chainLines } from "../platform/cisco-lines.ts";
import { asConfigured, pagesOf, readSessions, sessionOf } from "../platform/cisco-mka.ts";
import { readClock, readPing } from "../platform/cisco-system.ts";
import type { Dialect, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { portsTowards } from "../platform/egress.ts";
import { failed, leaving } from "../platform/query.ts";
import { joined, linesOf, type RenderedChange, textsOf } from "../platform/renderer.ts";
import { offersOf, pingFarEnd, principals } from "../platform/stage.ts";
import { suites } from "../platform/text.ts";
import { Cli, line } from "../transport/cli.ts";
import { ping, routeTo } from "./commands.ts";
import { interfaceTo, neighboursOn } from "./config.ts";
import { ownName } from "./names.ts";
import {
  askCommits,
  askConfig,
  askLines,
  askPorts,
  observe,
  queryOf,
  type XrQuery,
} from "./observation.ts";
import { type PortPlan, planChange, planOf, protect, type Surroundings } from "./plan.ts";
import { capabilitiesOf } from "./quirks.ts";
import { renderChange } from "./renderer.ts";
import { labelOf, readAccounting, readRouteTo, readSoftware } from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

/** The shortest and the longest wait of `commit confirmed`, in seconds. */
const secondsMin = 30;
const secondsMax = 65_535;

const offers = offersOf({
  // The end of the configuration session reverts an unconfirmed commit at once.
  commit: { survivesDisconnect: false, stepMs: 1_000, maxMs: secondsMax * 1_000 },
  macsec: {
    suites,
    overlap: "keychain",
    counters: "perSa",
    always: ["includeSci", "replayWindow"],
  },
  means: ["prepend", "peeringShutdown"],
});

/** Its requests. */
export const dialect: Dialect<Cli> = {
  name: "iosxr",
  offers,
  channel: "shell",
  open: (channel, { where, entropy }, signal) =>
    Cli.open(channel, { platform: terminal, where, entropy }, signal),
  async capabilities(cli, signal) {
    const query = queryOf(cli, signal);
    return capabilitiesOf(offers, await query.needed(query.result("version", readSoftware)));
  },
  observe,
  async routesTo(cli, address, signal) {
    const { config, query } = await configOf(cli, signal);
    const vrfs = vrfsFor(address, config.interfaces);
    const queries = vrfs.map((vrf) => {
      const read = (text: string) =>
        readRouteTo(text, (hop) => interfaceTo(config, { address: hop, vrf }));
      return () => query.result(routeTo(address, vrf, cli.mode), read);
    });
    return await portsTowards(queries, config.aggregates);
  },
  async probe(cli, port, count, signal) {
    const { config, query } = await configOf(cli, signal);
    const [one] = neighboursOn(config, port);
    const read = (text: string) => readPing(text, { address: one?.address, count });
    return await pingFarEnd(query, port, one && ping(one, count), read);
  },
  commits: (cli, signal) => commitsOf(cli, signal),
  async lock(cli, signal) {
    await cli.run([line`configure exclusive`], "none", signal);
    // Some refusals are a sentence without a mark.
    if (cli.mode !== "#") return;
    throw failed("device.locked", "the device does not begin a configuration session", cli.where);
  },
  stage,
  async preview(cli, work, signal) {
    return textsOf((await render(cli, work, signal)).sent);
  },
  async lines(cli, wanted, signal) {
    const query = queryOf(cli, signal);
    const begins = beginningAt(await query.needed(query.result("clock", readClock)));
    const { config, blocks } = await query.needed(askLines(query));
    const render = (before: PortPlan, after: PortPlan) => renderChange(before, after, config).sent;
    const platform = { config, blocks, planOf, protect, ownName, begins, render };
    return wanted.map((one) => chainLines(one, platform));
  },
  async check() {
    // Each line was checked when it was entered; the router checks them together at the commit.
  },
  async commit(cli, note, withinMs, signal) {
    // An unconfirmed commit is confirmed by the plain command in the session that began it.
    if (note.includes("confirms")) return await commit(cli, line`commit`, signal);
    const label = labelOf(note);
    const seconds = Math.max(secondsMin, Math.ceil((withinMs ?? 0) / 1000));
    // A commit with a timer accepts no comment. A label is in the list of commits too, and no two
    // commits have the same.
    const timed = line`commit label ${label} confirmed ${seconds}`;
    await commit(cli, withinMs === undefined ? line`commit label ${label}` : timed, signal);
    await readBack(cli, note, signal);
  },
  async undo(cli, _note, signal) {
    await cli.run([line`abort`], "unknown", signal);
  },
};

/** The driver of Cisco IOS XR. */
export const iosxr = defineDriver(dialect);

async function commit(cli: Cli, commitCommand: Command, signal: AbortSignal): Promise<void> {
  try {
    await cli.run([commitCommand], "unknown", signal);
  } catch (error) {
    const isRefusal = error instanceof LinksealError && error.code.startsWith("device.");
    // The reason is printed elsewhere, beside lines that contain keys.
    if (isRefusal) await cli.run([line`show configuration failed | include !!%`], "none", signal);
    throw error;
  }
}

/**
 * Reads the commit back, because not every refusal has a mark of its own: a commit that is not in
 * the list was refused.
 */
async function readBack(cli: Cli, note: string, signal: AbortSignal): Promise<void> {
  try {
    const [newest] = await commitsOf(cli, signal);
    if (newest?.note === note) return;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    throw leaving(error, "unknown", error.message, cli.where);
  }
  const text = "the router took the commit and does not list it: show configuration commit list";
  const unsure = { effect: "unknown", where: cli.where, next: "linkseal status" } as const;
  throw new LinksealError("device.rejected", text, unsure);
}

async function commitsOf(cli: Cli, signal: AbortSignal) {
  const query = queryOf(cli, signal);
  return await query.needed(askCommits(query));
}

async function configOf(cli: Cli, signal: AbortSignal) {
  const query = queryOf(cli, signal);
  const clock = await query.needed(query.result("clock", readClock));
  const config = await query.needed(askConfig(query, { value: clock }));
  return { clock, config, query };
}

/** A chain has its times in whole seconds. */
const beginningAt = (clock: WallTime): WallTime => (Math.floor(clock / 1000) * 1000) as WallTime;

/** Stages under the lock, so that no other change can come between reading and writing. */
async function stage(cli: Cli, work: Work, signal: AbortSignal): Promise<readonly string[]> {
  const all = await render(cli, work, signal);
  if (all.sent.length > 0) await cli.run([...all.sent, line`root`], "none", signal);
  return linesOf(all);
}

async function render(cli: Cli, work: Work, signal: AbortSignal): Promise<RenderedChange<Command>> {
  const { clock, config, query } = await configOf(cli, signal);
  if (work.secrets.size > 0) await refuseAccounted(query);
  const physical = await query.needed(askPorts(query));
  const ports = [...physical.keys()];
  const principal = await principals(
    work,
    () => query.needed(query.result("mkaSessions", readSessions)),
    (pages, port, settings) => {
      const keys = keysOf(planOf(config, port));
      return sessionOf(asConfigured(pagesOf(pages, port, ports), keys), settings);
    },
  );
  const around: Surroundings = {
    ...{ config, work, ports: new Set(ports) },
    begins: beginningAt(clock),
    principal: (port) => principal(port, planOf(config, port).settings),
  };
  return joined(
    planChange(work.change, around).map(({ before, after }) => renderChange(before, after, config)),
  );
}

/**
 * Refuses a change with keys if commands are sent to an accounting server, because keys would be
 * sent too.
 */
async function refuseAccounted(query: XrQuery): Promise<void> {
  if (!(await query.needed(query.result("accounting", readAccounting)))) return;
  const text =
    "it sends every command to an accounting server (aaa accounting commands), so a key too";
  throw failed("device.rejected", text, query.where);
}
