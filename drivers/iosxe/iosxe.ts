// Cisco IOS XE at its command line. There is no candidate: each line takes effect when it is
// entered, and a timer that uses the archive reverts all of them unless they are confirmed.

import { LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import { BootedSession } from "../platform/cisco-boot.ts";
import { stagingBy } from "../platform/cisco-direct.ts";
import type { RenderedWork } from "../platform/cisco-router.ts";
import type { Dialect } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { failed, leaving } from "../platform/query.ts";
import { finish, inForce, offersOf, unsaved } from "../platform/stage.ts";
import { suites } from "../platform/text.ts";
import { Cli, line } from "../transport/cli.ts";
import { markName } from "./names.ts";
import type { PortPlan } from "./plan.ts";
import { capabilitiesOf, shutForKey } from "./quirks.ts";
import { askCommits, queryOf, router, type XeSession } from "./requests.ts";
import { readArchive, readLock, readSoftware } from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

const minuteMs = 60_000;
const minutesMax = 120;
/** The router writes a warning into the session one minute before the end. */
const minutesMin = 2;
/** Longer than it takes to enter a change, so that the router never begins to revert meanwhile. */
const sayingMinutes = 5;

const offers = offersOf({
  // The timer belongs to the router and not to the session, so any session can confirm.
  commit: {
    kind: "confirmed",
    confirmedBy: "anySession",
    stepMs: minuteMs,
    maxMs: minutesMax * minuteMs,
  },
  macsec: { suites, overlap: "fallback", counters: "perSa", always: ["replayWindow"], shutForKey },
  // Each line is in force at once.
  atomicReplace: false,
  means: ["prepend", "peeringShutdown"],
});

/** Its requests. */
export const dialect: Dialect<XeSession> = {
  ...router.requests,
  name: "iosxe",
  offers,
  channel: "shell",
  async open(channel, { where, entropy, before }, signal) {
    const cli = await Cli.open(channel, { platform: terminal, where, entropy }, signal);
    return new BootedSession(cli, before?.boot);
  },
  async capabilities({ cli }, signal) {
    const query = queryOf(cli, signal);
    const software = await query.needed(query.result("version", readSoftware));
    const archive = await query.result("archive", readArchive);
    return capabilitiesOf(offers, software, "value" in archive && archive.value);
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
  ...stagingBy<XeSession, RenderedWork<PortPlan>>(router.render),
  commit,
  async complete(session, change, signal) {
    await settleMark(session.cli, signal);
    await router.refresh(session, change, signal);
    await finish(session.cli, [line`write memory`], signal);
  },
  async undo({ cli }, _note, signal) {
    await cli.run([line`configure revert now`], "unknown", signal);
  },
};

/** The driver of Cisco IOS XE. */
export const iosxe = defineDriver(dialect);

/** Sets a variable that no policy reads; it records whose change is in force, or waits. */
function marking(token: string, isSettled: boolean): Command {
  return line`event manager environment ${markName} ${isSettled ? `${token}.settled` : token}`;
}

async function commit(
  session: XeSession,
  note: string,
  withinMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { cli, staged } = session;
  const token = note.split(" ").at(-1) ?? "";
  if (staged === undefined) {
    await settle(cli, token, signal);
    return;
  }
  if (staged.commit !== "confirmed") {
    return await runLinesAtOnce(session, [...staged.sent, marking(token, true)], signal);
  }
  const lines = [marking(token, false), ...staged.sent, line`end`];
  if (withinMs === undefined) {
    await runLines(session, lines, signal);
    await settle(cli, token, signal);
    return;
  }
  const minutes = Math.max(minutesMin, Math.ceil(withinMs / minuteMs));
  const waiting = line`configure revert timer ${minutes}`;
  await runLines(session, [...lines, ...staged.operations, waiting], signal);
}

/** Enters the lines; a refusal of one makes the router revert all of them. */
async function runLines(
  session: XeSession,
  commands: readonly Command[],
  signal: AbortSignal,
): Promise<void> {
  const { cli } = session;
  await cli.run([line`configure terminal revert timer ${sayingMinutes}`], "unknown", signal);
  try {
    await cli.run(commands, "unknown", signal);
  } catch (error) {
    if (!cli.isOver) await takeBack(session, signal);
    throw error;
  }
}

async function takeBack(session: XeSession, signal: AbortSignal): Promise<void> {
  const { cli } = session;
  try {
    await session.leave(signal);
    await cli.run([line`configure revert now`], "unknown", signal);
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    const text = `a line was refused, and the lines before it are in force: ${error.message}`;
    throw leaving(error, "unknown", text, cli.where);
  }
}

/** Enters lines without an archive: the lines before a refused one stay. */
async function runLinesAtOnce(
  session: XeSession,
  commands: readonly Command[],
  signal: AbortSignal,
): Promise<void> {
  const { cli } = session;
  await cli.run([line`configure terminal`], "unknown", signal);
  try {
    await cli.run([...commands, line`end`], "unknown", signal);
  } catch (error) {
    if (cli.isOver || !(error instanceof LinksealError)) throw error;
    await session.leave(signal);
    const text = `a line was refused, and the lines before it stay: ${error.message}`;
    throw leaving(error, "unknown", text, cli.where);
  }
}

/**
 * Ends the wait and records that, so that a timer that runs later is known to be another session's.
 */
async function settle(cli: Cli, token: string, signal: AbortSignal): Promise<void> {
  const reply = await cli.run([line`configure confirm`], "unknown", signal);
  if (/No Rollback Confirmed Change pending/i.test(reply)) {
    const text = "the router reverted the change before it was confirmed";
    throw failed("device.commitExpired", text, cli.where);
  }
  const mark = [line`configure terminal`, marking(token, true), line`end`];
  await finish(cli, mark, signal);
}

/**
 * Records that a change of ours in force waits no longer, where a session ended between its confirm
 * and its mark: a timer that a person starts later is not ours.
 */
async function settleMark(cli: Cli, signal: AbortSignal): Promise<void> {
  const query = queryOf(cli, signal);
  const asked = () => query.needed(askCommits(query));
  const { own, records } = await inForce(cli.where, unsaved, asked);
  if (own === undefined || own.isSettled || records.some((one) => one.isPending)) return;
  await finish(cli, [line`configure terminal`, marking(own.token, true), line`end`], signal);
}
