// Arista EOS at its command line: a change is made in a session of its own, and the router reverts
// a commit with a timer unless it is confirmed by the name of that session.

import type { Command } from "#hal/secret.ts";
import type { CommitRecord, Dialect, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { portsTowards } from "../platform/egress.ts";
import { readPing } from "../platform/ping.ts";
import { rejected } from "../platform/port-change.ts";
import { joined, linesOf, type RenderedChange, textsOf } from "../platform/renderer.ts";
import { finish, offersOf, pingFarEnd, principals } from "../platform/stage.ts";
import { suites } from "../platform/text.ts";
import { portsOf } from "../platform/tunnel-change.ts";
import { renderTunnels } from "../platform/tunnel-renderer.ts";
import { Cli, type CliPlatform, commentMark, line } from "../transport/cli.ts";
import { ping, routeTo } from "./commands.ts";
import { configOf, neighboursOn, readConfig, readStatements, unitTo } from "./config.ts";
import { linesOf as portLinesOf } from "./lines.ts";
import { readByPort, readSession } from "./macsec-parsers.ts";
import { sessionPrefix } from "./names.ts";
import { observe, queryOf } from "./observation.ts";
import { planChange, planOf, type Surroundings } from "./plan.ts";
import { capabilitiesOf } from "./quirks.ts";
import { renderChange } from "./renderer.ts";
import { messageOfSyslog } from "./syslog.ts";
import { readInterfaces, readRouteTo, readSessions, readSoftware } from "./system-parsers.ts";
import { limits } from "./tunnel-config.ts";
import { tunnelCommands } from "./tunnel-renderer.ts";

const secondMs = 1_000;
const daySeconds = 86_400;

const offers = offersOf({
  // Any process that knows the name of a session can confirm it, and no other commit succeeds
  // meanwhile.
  commit: {
    kind: "confirmed",
    confirmedBy: "anySession",
    stepMs: secondMs,
    maxMs: (daySeconds - 1) * secondMs,
  },
  macsec: { suites: suites.toReversed(), overlap: "fallback", counters: "perPort" },
  atomicReplace: true,
  means: ["prepend", "peeringShutdown"],
});

/** The command line of the platform. */
export const platform: CliPlatform = {
  prompt: /^(?<host>[\w.-]{1,64})(?<mode>(?:\([^()]{1,120}\))?[>#]) ?$/,
  pager: /^ ?--More-- ?$/,
  question: /(?:\[confirm\]|\[y\/n\]:?|[Pp]assword:) ?$/,
  marks: [
    { pattern: /^% .*(?:locked|pending ?commit ?timer)/i, code: "device.locked" },
    { pattern: /^% .*no such session/i, code: "device.commitExpired" },
    { pattern: /^% /, code: "device.rejected" },
  ],
  noise: messageOfSyslog,
  preparation: ["enable", "terminal length 0", "terminal width 32767"],
  mark: commentMark,
};

/** Its requests. */
export const dialect: Dialect<Cli> = {
  name: "eos",
  offers,
  channel: "shell",
  open: (channel, { where, entropy }, signal) =>
    Cli.open(channel, { platform, where, entropy }, signal),
  async capabilities(cli, signal) {
    return capabilitiesOf(offers, await queryOf(cli, signal).value("version", readSoftware));
  },
  observe,
  async routesTo(cli, address, signal) {
    const query = queryOf(cli, signal);
    const { aggregates } = await query.value("config", readConfig);
    const queries = [() => query.result(routeTo(address), readRouteTo)];
    return await portsTowards(queries, aggregates);
  },
  async probe(cli, port, count, signal) {
    const query = queryOf(cli, signal);
    const config = await query.value("config", readConfig);
    const [[address, sent] = []] = neighboursOn(config, port).flatMap((neighbour) => {
      const { address, vrf } = neighbour;
      const unit = unitTo(config, neighbour)?.name;
      return unit === undefined ? [] : [[address, ping(address, vrf, unit, count)] as const];
    });
    const asked = { count, ...(address !== undefined && { address }) };
    return await pingFarEnd(query, port, sent, (text) => readPing(text, asked));
  },
  commits,
  // A session belongs to its change alone, and it is opened by the name of its commit.
  async lock() {},
  stage,
  async preview(cli, work, signal) {
    return textsOf((await render(cli, work, signal)).sent);
  },
  async lines(cli, wanted, signal) {
    const read = await queryOf(cli, signal).value("config", (text) => {
      const statements = readStatements(text);
      const config = statements && configOf(statements);
      return config && { config, statements, where: cli.where };
    });
    return wanted.map((one) => portLinesOf(one, read));
  },
  async check(cli, signal) {
    // Each line was checked when it was entered; lines that were only tried leave nothing behind.
    await cli.run([line`abort`], "none", signal);
  },
  commit,
  complete: (cli, _change, signal) => finish(cli, [line`write memory`], signal),
  async undo(cli, note, signal) {
    await cli.run([line`configure session ${sessionOf(note)} abort`], "unknown", signal);
  },
};

/** The driver of Arista EOS. */
export const eos = defineDriver(dialect);

/** Returns the session name that serves all commands about one transaction. */
function sessionOf(note: string): string {
  return `${sessionPrefix}${note.split(" ").at(-1) ?? ""}`;
}

/** Returns the sessions that were committed; a session whose timer expired has left none. */
async function commits(cli: Cli, signal: AbortSignal): Promise<readonly CommitRecord[]> {
  const sessions = await queryOf(cli, signal).value("sessions", readSessions);
  return sessions.flatMap(({ name, state }): CommitRecord[] => {
    const token = name.startsWith(sessionPrefix) ? name.slice(sessionPrefix.length) : undefined;
    const note = token === undefined ? name : `linkseal ${token}`;
    if (state === "pendingCommitTimer") return [{ note, isPending: true }];
    if (state !== "completed") return [];
    const applied = { note, isPending: false };
    return token === undefined
      ? [applied]
      : [{ note: `linkseal confirms ${token}`, isPending: false }, applied];
  });
}

/** Leaves the command line inside the session, where every line was accepted. */
async function stage(cli: Cli, work: Work, signal: AbortSignal): Promise<readonly string[]> {
  const all = await render(cli, work, signal);
  if (all.sent.length === 0) return [];
  await dropLeftovers(cli, signal);
  await cli.run([line`configure session ${sessionOf(work.note)}`], "none", signal);
  try {
    await cli.run(all.sent, "none", signal);
  } catch (error) {
    // Few sessions may be open at a time, and this one is never used again.
    if (!cli.isOver) await cli.run([line`abort`], "none", signal);
    throw error;
  }
  return linesOf(all);
}

async function render(cli: Cli, work: Work, signal: AbortSignal): Promise<RenderedChange<Command>> {
  const query = queryOf(cli, signal);
  const config = await query.value("config", readConfig);
  const interfaces = await query.value("interfaces", readInterfaces);
  const principal = await principals(
    work,
    async () => ({
      security: await query.value("security", readByPort),
      participants: await query.value("participants", readByPort),
    }),
    ({ security, participants }, port, settings) =>
      readSession({ security: security.get(port), participants: participants.get(port) }, settings),
  );
  const around: Surroundings = {
    ...{ config, work, ports: new Set(interfaces.keys()) },
    principal: (port) => principal(port, planOf(config, port).settings),
  };
  const ports = planChange(portsOf(work.change), around).map(({ before, after }) => {
    const rendered = renderChange(before, after, config);
    if (typeof rendered === "string") throw rejected(around, after.port, rendered);
    return rendered;
  });
  const tunnels = await renderTunnels(work, limits, async () => config.tunnels, tunnelCommands);
  return joined([...ports, tunnels]);
}

/** Drops sessions of ours that a broken connection has left open. */
async function dropLeftovers(cli: Cli, signal: AbortSignal): Promise<void> {
  for (const { name, state } of await queryOf(cli, signal).value("sessions", readSessions)) {
    if (state !== "pending" || !name.startsWith(sessionPrefix)) continue;
    await cli.run([line`configure session ${name} abort`], "none", signal);
  }
}

async function commit(
  cli: Cli,
  note: string,
  withinMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const isInside = cli.mode.includes("config-s-");
  if (withinMs !== undefined) {
    await cli.run([line`commit timer ${timeOf(withinMs)}`], "unknown", signal);
    return;
  }
  const final = isInside ? line`commit` : line`configure session ${sessionOf(note)} commit`;
  await cli.run([final], "unknown", signal);
}

function timeOf(ms: number): string {
  const seconds = Math.ceil(ms / secondMs);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return [hours, minutes, seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
}
