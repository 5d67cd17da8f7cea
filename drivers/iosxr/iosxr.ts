// Cisco IOS XR over its command line.

import type { Capabilities, ProbeResult } from "#hal/device.ts";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import type { PortName } from "#hal/model.ts";
import type { Command } from "#hal/secret.ts";
import type { WallTime } from "#hal/world.ts";
import type { Answer } from "../platform/answer.ts";
import { type Page, pagesOf, readSessions, sessionOf } from "../platform/cisco-mka.ts";
import { readClock, readInterfaces, readPing } from "../platform/cisco-system.ts";
import type { Dialect, Work } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { Cli, type CliPlatform, line } from "../transport/cli.ts";
import { neighboursOn, type XrConfig } from "./config.ts";
import { editsBetween } from "./edits.ts";
import { Interview, look } from "./look.ts";
import { isPort } from "./names.ts";
import { planChange, planOf, type Surroundings } from "./plan.ts";
import { ping, question } from "./questions.ts";
import { capabilitiesOf } from "./quirks.ts";
import { isAccounted, labelOf, readRouteTo, readSoftware } from "./system-answers.ts";

/** `commit confirmed` takes seconds, from this many up to that many. */
const secondsMin = 30;
const secondsMax = 65_535;
/** BGP sends a change out within seconds; the far end's own timers follow. */
const settleMs = 15_000;

const offers: Capabilities = {
  // The end of the configuration session takes a trial back at once.
  commit: {
    kind: "confirmed",
    survivesDisconnect: false,
    stepMs: 1_000,
    maxMs: secondsMax * 1_000,
  },
  macsec: {
    suites: ["gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"],
    overlap: "fallback",
    counters: "perSa",
    // No document says which of them spares the session.
    hitless: [],
    always: ["includeSci", "replayWindow"],
  },
  drain: { means: ["prepend", "peeringShutdown"], settleMs },
  probe: true,
};

const platform: CliPlatform = {
  prompt:
    /^(?<host>RP\/\d{1,3}\/\w{2,5}\/CPU\d{1,2}:[\w.-]{1,64})(?<mode>(?:\([^()\r\n]{1,160}\))?#) ?$/,
  pager: / ?--More-- ?$/,
  question:
    /(?:\[(?:yes|no|confirm|cancel|y|n)(?:\/(?:yes|no|cancel|y|n)){0,2}\]|\(yes\/no\)):? ?$/i,
  marks: [
    { pattern: /^(?:%|!!%).*\block(?:ed)?\b/i, code: "device.locked" },
    {
      pattern: /^% (?:Invalid input|Incomplete command|Ambiguous command)/,
      code: "device.rejected",
    },
    {
      pattern: /^% (?:Failed|Permission|This command is not authorized)/i,
      code: "device.rejected",
    },
    { pattern: /^% (?:MACsec is not|No MKA)/i, code: "device.rejected" },
    { pattern: /^\s*!!% |^!! SYNTAX\/AUTHORI[SZ]ATION ERRORS/, code: "device.rejected" },
  ],
  // A line with the time stands before every answer until it is turned off.
  noise: /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}(?:\.\d{1,3})? \w{2,5}$/,
  preparation: ["terminal length 0", "terminal width 0", "terminal exec prompt no-timestamp"],
  // In the configuration a comment is kept with the line that comes next. Where a prompt may have
  // been taken for another one, the line is refused in the wrong mode, and not kept.
  mark(nonce, mode, before) {
    if (mode !== "#") return `do show clock | include ${nonce}`;
    return before.startsWith("(") ? `show clock | include ${nonce}` : `! ${nonce}`;
  },
};

const dialect: Dialect<Cli> = {
  name: "iosxr",
  offers,
  channel: "shell",
  open: (channel, { where, entropy }, signal) =>
    Cli.open(channel, { platform, where, entropy }, signal),
  async capabilities(cli, signal) {
    const software = await asked(cli, new Interview(cli, signal).answer("version", readSoftware));
    return capabilitiesOf(offers, software);
  },
  look,
  async routeTo(cli, address, signal) {
    const answer = await new Interview(cli, signal).answer(
      "routeTo",
      (text) => ({ text }),
      address,
    );
    return "value" in answer ? readRouteTo(answer.value.text) : undefined;
  },
  probe,
  commits: (cli, signal) => asked(cli, new Interview(cli, signal).commits()),
  async lock(cli, signal) {
    await cli.run([line`configure exclusive`], "none", signal);
    // Some refusals are a sentence without a mark.
    if (cli.mode !== "#") return;
    throw failed("device.locked", "the device does not begin a configuration session", cli.where);
  },
  stage,
  async check() {
    // Each line was judged as it was said; what they are together a router judges at the commit.
  },
  async commit(cli, note, withinMs, signal) {
    // A trial is confirmed by the plain word in the session that began it.
    if (note.includes("confirms")) return await commit(cli, line`commit`, signal);
    const label = labelOf(note);
    const seconds = Math.max(secondsMin, Math.ceil((withinMs ?? 0) / 1000));
    // A trial takes no comment. A label is in the list of commits too, and no two have the same.
    const timed = line`commit label ${label} confirmed ${seconds}`;
    await commit(cli, withinMs === undefined ? line`commit label ${label}` : timed, signal);
    await readBack(cli, note, signal);
  },
  async undo(cli, _note, signal) {
    await cli.run([line`abort`], "unknown", signal);
  },
};

export const iosxr = defineDriver(dialect);

async function commit(cli: Cli, said: Command, signal: AbortSignal): Promise<void> {
  try {
    await cli.run([said], "unknown", signal);
  } catch (error) {
    const isRefusal = error instanceof LinksealError && error.code.startsWith("device.");
    // The reason stands elsewhere, beside lines that hold keys.
    if (isRefusal) await cli.run([line`show configuration failed | include !!%`], "none", signal);
    throw error;
  }
}

/** Not every refusal has a mark of its own: a commit that is not in the list is none. */
async function readBack(cli: Cli, note: string, signal: AbortSignal): Promise<void> {
  const unsure = { effect: "unknown", where: cli.where, next: "linkseal status" } as const;
  try {
    const [newest] = await asked(cli, new Interview(cli, signal).commits());
    if (newest?.note === note) return;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    throw new LinksealError(error.code, error.message, { ...unsure, cause: error });
  }
  const text = "the router took the commit and does not list it: show configuration commit list";
  throw new LinksealError("device.rejected", text, unsure);
}

async function asked<T>(cli: Cli, question: Promise<Answer<T>>): Promise<T> {
  const answer = await question;
  if ("value" in answer) return answer.value;
  throw failed("device.unparsed", "an answer is not understood", cli.where);
}

async function configOf(cli: Cli, signal: AbortSignal) {
  const interview = new Interview(cli, signal);
  const clock = await asked(cli, interview.answer("clock", readClock));
  const config = await asked(cli, interview.config({ value: clock }));
  return { clock, config, interview };
}

async function probe(
  cli: Cli,
  port: PortName,
  count: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { config } = await configOf(cli, signal);
  const [neighbour] = neighboursOn(config, port);
  if (neighbour === undefined) {
    const text = `the far end's peering address on ${port} is not known`;
    throw failed("device.rejected", text, port);
  }
  const told = readPing(await cli.run([ping(neighbour.address, count)], "none", signal));
  if (told !== undefined) return told;
  throw failed("device.unparsed", "the answer to a ping is not understood", cli.where);
}

/** Under the lock, so that nothing can come between what is read and what is written. */
async function stage(cli: Cli, work: Work, signal: AbortSignal): Promise<readonly string[]> {
  const { clock, config, interview } = await configOf(cli, signal);
  if (work.secrets.size > 0) await refuseAccounted(cli, signal);
  const physical = await asked(
    cli,
    interview.answer("interfaces", (text) => readInterfaces(text, isPort)),
  );
  const ports = [...physical.keys()];
  const isRemoval = work.change.some(({ kind }) => kind === "macsec.removeKey");
  const pages = isRemoval ? await asked(cli, interview.answer("mkaSessions", readSessions)) : [];
  const around: Surroundings = {
    config,
    work,
    // To the second, as a chain writes it.
    begins: (Math.floor(clock / 1000) * 1000) as WallTime,
    ports: new Set(ports),
    principal: (port) => principalOf(pages, port, ports, config),
  };
  const edits = planChange(work.change, around).map(({ before, after }) =>
    editsBetween(before, after, config),
  );
  const commands = edits.flatMap((one) => one.commands);
  if (commands.length > 0) await cli.run([...commands, line`root`], "none", signal);
  const lines = edits.flatMap((one) => one.lines);
  // A change that a person would not see is one all the same.
  return commands.length > 0 && lines.length === 0 ? ["(its form alone)"] : lines;
}

function principalOf(
  pages: readonly Page[],
  port: PortName,
  ports: readonly PortName[],
  config: XrConfig,
) {
  return sessionOf(pagesOf(pages, port, ports), planOf(config, port).settings).principalCkn;
}

/** What is typed is sent to a server of logs where commands are accounted for. */
async function refuseAccounted(cli: Cli, signal: AbortSignal): Promise<void> {
  const asked = question("accounting", cli.mode);
  if (!isAccounted(await cli.run([asked], "none", signal))) return;
  const text = "it sends every command to a server of logs (aaa accounting commands), so a key too";
  throw failed("device.rejected", text, cli.where);
}

function failed(code: ErrorCode, text: string, where: string): LinksealError {
  return new LinksealError(code, text, { effect: "none", where, next: "linkseal status" });
}
