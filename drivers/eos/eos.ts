// Arista EOS at its command line: a change is made in a session of its own, and a commit with a
// timer is taken back by the router unless somebody confirms it by the name of that session.

import type { Capabilities, ProbeResult } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import type { CommitRecord, Dialect, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { rejected } from "../platform/port-change.ts";
import { planTunnels, portsOf, tunnelLines } from "../platform/tunnel-change.ts";
import { Cli, type CliPlatform, commentMark, line } from "../transport/cli.ts";
import { neighboursOn, readConfig, unitTo } from "./config.ts";
import { editsBetween } from "./edits.ts";
import { look } from "./look.ts";
import { readByPort, readSession } from "./macsec-answers.ts";
import { planChange, planOf, type Surroundings } from "./plan.ts";
import { ping, type Question, question, routeTo } from "./questions.ts";
import { capabilitiesOf } from "./quirks.ts";
import {
  readInterfaces,
  readPing,
  readRouteTo,
  readSessions,
  readSoftware,
} from "./system-answers.ts";
import { limits } from "./tunnel-config.ts";
import { tunnelCommands } from "./tunnel-edits.ts";

const secondMs = 1_000;
const daySeconds = 86_400;
/** BGP sends a change of policy out within seconds; the far end's own timers follow. */
const settleMs = 15_000;

const offers: Capabilities = {
  // Whoever knows the name of a session confirms it, and no other commit goes through meanwhile.
  commit: {
    kind: "confirmed",
    survivesDisconnect: true,
    stepMs: secondMs,
    maxMs: (daySeconds - 1) * secondMs,
  },
  macsec: {
    suites: ["gcm-aes-xpn-256", "gcm-aes-xpn-128", "gcm-aes-256", "gcm-aes-128"],
    overlap: "fallback",
    counters: "perPort",
    // Nothing is documented to leave a session as it is.
    hitless: [],
  },
  // Whatever clears a connection ends it before the next one stands.
  ipsec: { keying: ["ike"], authentication: ["psk"], atomicReplace: true, rekeys: [] },
  drain: { means: ["prepend", "peeringShutdown"], settleMs },
  probe: true,
};

const platform: CliPlatform = {
  prompt: /^(?<host>[\w.-]{1,64})(?<mode>(?:\([^()]{1,120}\))?[>#]) ?$/,
  pager: /^ ?--More-- ?$/,
  question: /(?:\[confirm\]|\[y\/n\]:?|[Pp]assword:) ?$/,
  marks: [
    { pattern: /^% .*(?:locked|pending ?commit ?timer)/i, code: "device.locked" },
    { pattern: /^% .*no such session/i, code: "device.commitExpired" },
    { pattern: /^% /, code: "device.rejected" },
  ],
  noise: /^(?!)/,
  preparation: ["enable", "terminal length 0", "terminal width 32767"],
  mark: commentMark,
};

const dialect: Dialect<Cli> = {
  name: "eos",
  offers,
  channel: "shell",
  open: (channel, { where, entropy }, signal) =>
    Cli.open(channel, { platform, where, entropy }, signal),
  async capabilities(cli, signal) {
    return capabilitiesOf(offers, await asked(cli, "version", readSoftware, signal));
  },
  look,
  async routeTo(cli, address, signal) {
    return readRouteTo(await cli.run([routeTo(address)], "none", signal));
  },
  probe,
  commits,
  // A session is nobody else's, and it is opened by the name of its commit.
  async lock() {},
  stage,
  async check(cli, signal) {
    // Each line was judged as it was said; what was only tried leaves nothing behind.
    await cli.run([line`abort`], "none", signal);
  },
  commit,
  async undo(cli, note, signal) {
    await cli.run([line`configure session ${sessionOf(note)} abort`], "unknown", signal);
  },
};

export const eos = defineDriver(dialect);

const prefix = "linkseal";

/** One session for all that is ever said of a transaction. */
function sessionOf(note: string): string {
  return `${prefix}-${note.split(" ").at(-1) ?? ""}`;
}

async function asked<T>(
  cli: Cli,
  name: Question,
  read: (text: string) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  const value = read(await cli.run([question(name)], "none", signal));
  if (value !== undefined) return value;
  throw failed("device.unparsed", `the answer to "${name}" is not understood`, cli.where);
}

/** Sessions that were committed; one that ran out of time has left none. */
async function commits(cli: Cli, signal: AbortSignal): Promise<readonly CommitRecord[]> {
  const sessions = await asked(cli, "sessions", readSessions, signal);
  return sessions.flatMap(({ name, state }): CommitRecord[] => {
    const token = name.startsWith(`${prefix}-`) ? name.slice(prefix.length + 1) : undefined;
    const note = token === undefined ? name : `${prefix} ${token}`;
    if (state === "pendingCommitTimer") return [{ note, isPending: true }];
    if (state !== "completed") return [];
    const applied = { note, isPending: false };
    return token === undefined
      ? [applied]
      : [{ note: `${prefix} confirms ${token}`, isPending: false }, applied];
  });
}

async function probe(
  cli: Cli,
  port: PortName,
  count: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const config = await asked(cli, "config", readConfig, signal);
  for (const neighbour of neighboursOn(config, port)) {
    const unit = unitTo(config, neighbour)?.name;
    if (unit === undefined) continue;
    const { address, vrf } = neighbour;
    const result = readPing(await cli.run([ping(address, vrf, unit, count)], "none", signal));
    if (result !== undefined) return result;
    throw failed("device.unparsed", "the answer to a ping is not understood", cli.where);
  }
  throw failed("device.rejected", `the far end's peering address on ${port} is not known`, port);
}

/** Ends inside the session, where every line was taken. */
async function stage(cli: Cli, work: Work, signal: AbortSignal): Promise<readonly string[]> {
  const config = await asked(cli, "config", readConfig, signal);
  const interfaces = await asked(cli, "interfaces", readInterfaces, signal);
  const principal = await principals(cli, work, config, signal);
  const ports = new Set(interfaces.keys());
  const around: Surroundings = { config, work, ports, principal };
  const all = planChange(portsOf(work.change), around).map(({ before, after }) => {
    const edits = editsBetween(before, after, config);
    if (typeof edits === "string") throw rejected(around, after.port, edits);
    return edits;
  });
  const standing = new Map(
    [...config.tunnels.standing].map(([name, { plan }]) => [name, plan] as const),
  );
  const changed = planTunnels(work.change, { work, limits, standing });
  const commands = [
    ...all.flatMap((edits) => edits.commands),
    ...tunnelCommands(changed, config.tunnels, work.device),
  ];
  if (commands.length === 0) return [];
  await dropLeftovers(cli, signal);
  await cli.run([line`configure session ${sessionOf(work.note)}`], "none", signal);
  try {
    await cli.run(commands, "none", signal);
  } catch (error) {
    // Few sessions may be open at a time, and nobody comes back to this one.
    if (!cli.isOver) await cli.run([line`abort`], "none", signal);
    throw error;
  }
  const lines = [...all.flatMap((edits) => edits.lines), ...tunnelLines(changed)];
  // A change that a person would not see is one all the same.
  return lines.length === 0 ? ["(its form alone)"] : lines;
}

/** Sessions of ours that a connection that broke has left open. */
async function dropLeftovers(cli: Cli, signal: AbortSignal): Promise<void> {
  for (const { name, state } of await asked(cli, "sessions", readSessions, signal)) {
    if (state !== "pending" || !name.startsWith(`${prefix}-`)) continue;
    await cli.run([line`configure session ${name} abort`], "none", signal);
  }
}

/** Asked for only where a key is to leave. */
async function principals(
  cli: Cli,
  { change }: Work,
  config: Surroundings["config"],
  signal: AbortSignal,
): Promise<Surroundings["principal"]> {
  if (!change.some(({ kind }) => kind === "macsec.removeKey")) return () => undefined;
  const security = await asked(cli, "security", readByPort, signal);
  const participants = await asked(cli, "participants", readByPort, signal);
  return (port) => {
    const told = { security: security.get(port), participants: participants.get(port) };
    const found = readSession(told, planOf(config, port).settings);
    if (found !== undefined) return found.principalCkn;
    throw failed("device.unparsed", `which key ${port} uses is not understood`, port);
  };
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
  await save(cli, signal);
}

/** Until then a boot begins with the keys of before. */
async function save(cli: Cli, signal: AbortSignal): Promise<void> {
  try {
    await cli.run([line`write memory`], "unknown", signal);
  } catch (error) {
    if (!(error instanceof LinksealError) || error.effect !== "none") throw error;
    const text = "the change is in force, and a boot would lose it: it could not be saved";
    const details = { effect: "applied", where: cli.where, next: "linkseal status" } as const;
    throw new LinksealError(error.code, text, { ...details, cause: error });
  }
}

function timeOf(ms: number): string {
  const seconds = Math.ceil(ms / secondMs);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return [hours, minutes, seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
}

function failed(code: ErrorCode, text: string, where: string): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal status" });
}
