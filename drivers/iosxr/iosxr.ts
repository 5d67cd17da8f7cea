// Cisco IOS XR over its command line.

import { LinksealError } from "#hal/error.ts";
import type { Command } from "#hal/secret.ts";
import type { Dialect } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { failed, leaving } from "../platform/query.ts";
import { linesOf } from "../platform/renderer.ts";
import { offersOf } from "../platform/stage.ts";
import { suites } from "../platform/text.ts";
import { Cli, line } from "../transport/cli.ts";
import { capabilitiesOf } from "./quirks.ts";
import { askCommits, queryOf, router } from "./requests.ts";
import { labelOf, readSoftware } from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

/** The shortest and the longest wait of `commit confirmed`, in seconds. */
const secondsMin = 30;
const secondsMax = 65_535;

const offers = offersOf({
  // The router's timer goes on without the session, which alone can confirm.
  commit: {
    kind: "confirmed",
    confirmedBy: "ownSession",
    stepMs: 1_000,
    maxMs: secondsMax * 1_000,
  },
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
  ...router.requests,
  name: "iosxr",
  offers,
  channel: "shell",
  open: (channel, { where, entropy }, signal) =>
    Cli.open(channel, { platform: terminal, where, entropy }, signal),
  async capabilities(cli, signal) {
    const query = queryOf(cli, signal);
    return capabilitiesOf(offers, await query.needed(query.result("version", readSoftware)));
  },
  commits: (cli, signal) => commitsOf(cli, signal),
  async lock(cli, signal) {
    await cli.run([line`configure exclusive`], "none", signal);
    // Some refusals are a sentence without a mark.
    if (cli.mode !== "#") return;
    throw failed("device.locked", "the device does not begin a configuration session", cli.where);
  },
  // Stages under the lock, so that no other change can come between reading and writing.
  async stage(cli, work, signal) {
    const all = await router.render(cli, work, signal);
    if (all.sent.length > 0) await cli.run([...all.sent, line`root`], "none", signal);
    return linesOf(all);
  },
  async check() {
    // Each line was checked when it was entered; the router checks them together at the commit.
  },
  async commit(cli, note, withinMs, signal) {
    if (note.includes("confirms")) return await confirm(cli, signal);
    const label = labelOf(note);
    const seconds = Math.max(secondsMin, Math.ceil((withinMs ?? 0) / 1000));
    // A commit with a timer accepts no comment. A label is in the list of commits too, and no two
    // commits have the same.
    const timed = line`commit label ${label} confirmed ${seconds}`;
    await commit(cli, withinMs === undefined ? line`commit label ${label}` : timed, signal);
    await readBack(cli, note, signal);
  },
  // The router asks whether to give up the trial, and reverts it at once.
  async undo(cli, _note, signal) {
    await cli.run([line`end`], "unknown", signal);
  },
};

/** The driver of Cisco IOS XR. */
export const iosxr = defineDriver(dialect);

/** An unconfirmed commit is confirmed by the plain command in the session that began it. */
async function confirm(cli: Cli, signal: AbortSignal): Promise<void> {
  const reply = await commit(cli, line`commit`, signal);
  if (/^% ?Confirming commit for trial session\b/m.test(reply)) return;
  const text = "the router did not answer that it confirms the commit";
  throw leaving(failed("device.rejected", text, cli.where), "unknown", text, cli.where);
}

async function commit(cli: Cli, commitCommand: Command, signal: AbortSignal): Promise<string> {
  try {
    return await cli.run([commitCommand], "unknown", signal);
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
