// Cisco NX-OS at its command line. There is no candidate and no timer: each line takes effect when
// it is entered. A checkpoint in the memory of the switch takes back what was entered if a line is
// refused; it contains keys, so it is removed as soon as the change is verified.

import type { DeviceChange, WantedPort } from "#hal/device.ts";
import { LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import { keysOf } from "../platform/cisco-chains.ts";
import { vrfsFor } from "../platform/cisco-config.ts";
import { routeMapsFor } from "../platform/cisco-drain.ts";
import { chainLines } from "../platform/cisco-lines.ts";
import { asConfigured, pagesOf, sessionOf } from "../platform/cisco-mka.ts";
import { readClock } from "../platform/cisco-system.ts";
import type { Dialect, Session, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { portsTowards } from "../platform/egress.ts";
import { failed, leaving } from "../platform/query.ts";
import { joined, linesOf, type RenderedChange, textsOf } from "../platform/renderer.ts";
import { offersOf, pingFarEnd, principals, save } from "../platform/stage.ts";
import { Cli, line } from "../transport/cli.ts";
import { ping, routeMap, routeTo } from "./commands.ts";
import { interfaceTo, type NxConfig, neighboursOn, readRouteMap } from "./config.ts";
import { checkpointOf, isOwnCheckpoint, ownName } from "./names.ts";
import {
  askConfig,
  askLines,
  askPorts,
  askSessions,
  type NxQuery,
  observe,
  queryOf,
} from "./observation.ts";
import { type PortPlan, planChange, planOf, protect, type Surroundings } from "./plan.ts";
import { capabilitiesOf } from "./quirks.ts";
import { isSamePlan, renderChange } from "./renderer.ts";
import {
  isRolledBack,
  readCheckpoints,
  readPing,
  readRouteTo,
  readSoftware,
} from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

const offers = {
  ...offersOf({
    commit: { survivesDisconnect: false, stepMs: 0, maxMs: 0 },
    macsec: {
      // Cisco's guide: with another vendor's device only extended packet numbers work.
      suites: ["gcm-aes-xpn-128", "gcm-aes-xpn-256"],
      overlap: "fallback",
      counters: "perPort",
      always: ["includeSci", "replayWindow"],
    },
    means: ["prepend", "peeringShutdown"],
  }),
  commit: { kind: "immediate" } as const,
};

/** Lines are stored here until the commit, because the switch has no candidate. */
class NxSession implements Session {
  readonly cli: Cli;
  staged: Rendered | undefined;

  constructor(cli: Cli) {
    this.cli = cli;
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

interface Rendered extends RenderedChange<Command> {
  readonly operations: readonly Command[];
  /** The ports as they are to be. */
  readonly planned: readonly PortPlan[];
}

/** Its requests. */
export const dialect: Dialect<NxSession> = {
  name: "nxos",
  offers,
  channel: "shell",
  async open(channel, { where, entropy }, signal) {
    return new NxSession(await Cli.open(channel, { platform: terminal, where, entropy }, signal));
  },
  async capabilities({ cli }, signal) {
    const query = queryOf(cli, signal);
    const software = await query.needed(query.result("version", readSoftware));
    const { features } = await configOf(query);
    return capabilitiesOf(offers, software, features.has("macsec"));
  },
  observe: ({ cli }, about, signal) => observe(cli, about, signal),
  async routesTo({ cli }, address, signal) {
    const query = queryOf(cli, signal);
    const config = await configOf(query);
    const queries = vrfsFor(address, config.interfaces).map((vrf) => {
      const read = (text: string) =>
        readRouteTo(text, (hop) => interfaceTo(config, { address: hop, vrf }));
      return () => query.result(routeTo(address, vrf), read);
    });
    return await portsTowards(queries, config.aggregates);
  },
  async probe({ cli }, port, count, signal) {
    const query = queryOf(cli, signal);
    const [one] = neighboursOn(await configOf(query), port);
    const read = (text: string) => readPing(text, { address: one?.address, count });
    return await pingFarEnd(query, port, one && ping(one, count), read);
  },
  async commits() {
    // Nothing waits for a confirm, and no list has the changes.
    return [];
  },
  async lock({ cli }, signal) {
    // A session that died has left its checkpoint, and there are keys in it.
    const query = queryOf(cli, signal);
    const names = await query.needed(query.result("checkpoints", readCheckpoints));
    const own = names.filter(isOwnCheckpoint);
    await cli.run(
      own.map((name) => line`no checkpoint ${name}`),
      "none",
      signal,
    );
  },
  async stage(session, work, signal) {
    const all = await render(session, work, signal);
    session.staged = all;
    return linesOf(all);
  },
  async preview(session, work, signal) {
    const { sent, operations } = await render(session, work, signal);
    return textsOf([...sent, ...operations]);
  },
  lines: ({ cli }, wanted, signal) => linesOn(queryOf(cli, signal), wanted),
  async check() {
    // A switch without a candidate checks each line when it is entered.
  },
  commit: (session, note, _withinMs, signal) => commit(session, checkpointOf(note), signal),
  async undo({ cli }) {
    throw failed("device.commitExpired", "no commit waits for its confirm", cli.where);
  },
};

/** The driver of Cisco NX-OS. */
export const nxos = defineDriver(dialect);

async function configOf(query: NxQuery) {
  const clock = await query.result("clock", readClock);
  return (await query.needed(askConfig(query, clock))).config;
}

const askRouteMaps = (change: DeviceChange, config: NxConfig, query: NxQuery) =>
  routeMapsFor(
    change,
    (port) => neighboursOn(config, port),
    (name) => query.result(routeMap(name), (text) => readRouteMap(text, name)),
  );

async function linesOn(query: NxQuery, wanted: readonly WantedPort[]) {
  const clock = await query.result("clock", readClock);
  const { config, blocks } = await query.needed(askLines(query, clock));
  const drains = wanted.flatMap(
    ({ port, drain }): DeviceChange =>
      drain === undefined ? [] : [{ kind: "port.drain", port, means: drain }],
  );
  const around = { config, routeMaps: await askRouteMaps(drains, config, query) };
  const render = (before: PortPlan, after: PortPlan) => renderChange(before, after, around).sent;
  const platform = { config, blocks, planOf, protect, ownName, begins: undefined, render };
  return wanted.map((one) => chainLines(one, platform));
}

async function render({ cli }: NxSession, work: Work, signal: AbortSignal): Promise<Rendered> {
  const query = queryOf(cli, signal);
  const config = await configOf(query);
  if (work.secrets.size > 0 && config.isAccounted) {
    const text = "it sends every command to an accounting server (aaa accounting default)";
    throw failed("device.rejected", `${text}, so a key too`, cli.where);
  }
  const ports = [...(await query.needed(askPorts(query))).keys()];
  const principal = await principals(
    work,
    () => query.needed(askSessions(query, config)),
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
  const changed = planChange(work.change, around);
  const all = changed.map(({ before, after }) => renderChange(before, after, around));
  const operations = all.flatMap((one) => one.operations);
  return { ...joined(all), operations, planned: changed.map(({ after }) => after) };
}

/** Enters the lines, reads them back, and removes the checkpoint when either is done. */
async function commit(session: NxSession, name: string, signal: AbortSignal): Promise<void> {
  const { cli, staged } = session;
  if (staged === undefined) return;
  await cli.run([line`checkpoint ${name}`], "none", signal);
  try {
    await cli.run([line`configure terminal`, ...staged.sent, line`end`], "unknown", signal);
    const config = await configOf(queryOf(cli, signal));
    if (!staged.planned.every((plan) => isSamePlan(planOf(config, plan.port), plan))) {
      const text = "the switch took the lines, and its configuration is not what was wanted";
      throw failed("device.rejected", text, cli.where);
    }
  } catch (error) {
    if (cli.isOver || !(error instanceof LinksealError)) throw error;
    throw await takenBack(cli, name, error, signal);
  }
  const gone = line`no checkpoint ${name}`;
  const unsaved = "the change is in force, and a boot may lose it: it was not saved";
  const saving = [gone, ...staged.operations, line`copy running-config startup-config`];
  await save(cli, saving, unsaved, signal);
}

/** Puts back the checkpoint; returns the error with what has become of the change. */
async function takenBack(
  cli: Cli,
  name: string,
  error: LinksealError,
  signal: AbortSignal,
): Promise<LinksealError> {
  try {
    if (cli.mode.startsWith("(")) await cli.run([line`end`], "unknown", signal);
    const back = line`rollback running-config checkpoint ${name} atomic`;
    if (isRolledBack(await cli.run([back], "unknown", signal))) {
      await cli.run([line`no checkpoint ${name}`], "none", signal);
      return leaving(error, "none", error.message, cli.where);
    }
  } catch (other) {
    if (!(other instanceof LinksealError)) throw other;
  }
  const text = `a line was refused, and the lines before it may be in force: ${error.message}`;
  return leaving(error, "unknown", text, cli.where);
}
