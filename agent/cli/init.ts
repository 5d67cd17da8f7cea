// `linkseal init`: asks for the essentials, writes a commented config, shows its dry run and what
// remains to be done; it changes no device.

import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { LinksealError } from "#hal/error.ts";
import type { Plan } from "../compare/plan.ts";
import { type Complaint, formatComplaint } from "../config/complaint.ts";
import { errnoOf } from "../host/folder.ts";
import { hostDialer } from "../host/host.ts";
import { type KeptFile, openKept } from "../host/kept-answers.ts";
import { hostPorts } from "../host/ports.ts";
import { shownHostKey } from "../host/ssh.ts";
import { readable, shellWord, visible } from "../model/text.ts";
import { answersOf, type InitOptions } from "../operate/init/answers.ts";
import { type Check, checksOf } from "../operate/init/checks.ts";
import {
  configTextOf,
  type InitAnswers,
  unconfirmedKey,
  withAnyHostKey,
} from "../operate/init/config-text.ts";
import { type Remaining, remainingOf } from "../operate/init/remaining.ts";
import { defaultConfig } from "./config-file.ts";
import { usage } from "./failure.ts";
import { withTerminal } from "./init-terminal.ts";
import { planText } from "./plan-text.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";

interface Options extends Common, InitOptions {
  readonly out?: string;
  readonly dryRun?: true;
  readonly fresh?: true;
}

const listed = (text: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  text,
];

export function registerInit(program: Command): void {
  const example =
    "linkseal init --site dublin --vault https://kv-erd-dub.vault.azure.net --group erd-dub " +
    "--device edge-a=junos,192.0.2.1 --link primary=edge-a,et-0/0/0,100G";
  verb(
    program
      .command("init")
      .description("write a first config: asks what no option says, checks it, lists what remains")
      .option("--site <name>", "name of the site")
      .addOption(
        new Option("--cloud <name>", "the Azure cloud").choices(
          ...[["public", "usgovernment", "china", "sim"]],
        ),
      )
      .option("--vault <url>", "the key vault")
      .option("--identity <kind>", "arc or managedIdentity")
      .option(
        "--device <words>",
        "NAME=DRIVER[,ADDRESS[:PORT][,USER]]; repeatable; ssh://HOST: other Linux host",
        listed,
      )
      .option("--host-key <words>", "DEVICE=SHA256:DIGEST, confirmed; may be repeated", listed)
      .option("--group <name>", "name of the pair of links")
      .option("--express-route-port <id>", "resource id of the ExpressRoute port")
      .option("--link <words>", "NAME=DEVICE,PORT[,SPEED]; link1 first, then link2", listed)
      .option("--out <file>", "where the config is written; the agent's own path if not given")
      .option("--dry-run", "print the config and write nothing")
      .option("--fresh", "forget the answers of a run that was not finished"),
    example,
  ).action(init);
}

async function init(options: Options): Promise<void> {
  const session = new Session(options);
  const file = options.out ?? defaultConfig();
  if (options.dryRun !== true && existsSync(file)) throw exists(file);
  const { answers, kept } = await interview(session, options);
  const text = configTextOf(answers);
  await refuseInvalid(withAnyHostKey(text), file);
  const checks = await checksOf(answers, {
    dial: hostDialer,
    file: shellWord(file),
    deadline: () => AbortSignal.timeout(checkMsMax),
  });
  const written = options.dryRun !== true;
  if (written) {
    await writeFresh(file, text);
    await kept?.drop();
  }
  const plan = text.includes(unconfirmedKey) ? undefined : await dryRun(session, { text, file });
  const result = {
    schema: "linkseal.init/1",
    file,
    ...{ written, text, checks, plan: plan ?? null, remaining: remainingOf(answers, file) },
  };
  await session.show(result, () => summary(result));
  exit(checks.some(({ found }) => found === "wrong") ? 4 : 0);
}

/** Takes the place of a host key that is not confirmed while the rest of the config is checked. */

interface Interviewed {
  readonly answers: InitAnswers;
  /** undefined = all answers came from options. */
  readonly kept: KeptFile | undefined;
}

async function interview(session: Session, options: Options): Promise<Interviewed> {
  const ports = await hostPorts();
  return await withTerminal(async (terminal) => {
    if (terminal === undefined) {
      const alone = { terminal, kept: new Map<string, string>(), keep: async () => undefined };
      const parts = { ...alone, ports, hostKey: shownHostKey };
      return { answers: await answersOf(options, parts), kept: undefined };
    }
    const file = await openKept(options.fresh === true ? "fresh" : "resume");
    const { path, kept, keep, fault } = file;
    if (fault !== undefined) session.note(`${visible(path)} is not used: ${visible(fault)}`);
    if (kept.size > 0) {
      session.note(
        `${kept.size} answers of a run that was not finished are proposed again: ` +
          "Enter takes one. linkseal init --fresh forgets them.",
      );
    }
    const parts = { terminal, kept, keep, ports, hostKey: shownHostKey };
    return { answers: await answersOf(options, parts), kept: file };
  });
}

const checkMsMax = 10_000;

async function refuseInvalid(text: string, file: string): Promise<void> {
  const { parseConfig } = await import("../config/index.ts");
  const parsed = parseConfig(text, file);
  if (parsed.kind === "ok") return;
  const lines = parsed.complaints.map(formatComplaint).join("\n");
  throw new LinksealError("config.invalid", `these answers do not make a valid config\n${lines}`, {
    ...{ effect: "none", where: "command line", next: "linkseal init --help" },
    cause: parsed.complaints,
  });
}

// An existing config is never overwritten.
async function writeFresh(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, text, { flag: "wx", mode: 0o644 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw exists(file);
    const next = "linkseal init --out FILE, or --dry-run; your answers are kept";
    throw usage(`${file} cannot be written (${errnoOf(error)})`, next);
  }
}

const exists = (file: string): LinksealError =>
  usage(`${file} cannot be written: it exists already`, "linkseal init --out FILE, or --dry-run");

type PlanAnswer = { readonly complaints: readonly Complaint[] } | { readonly plan: Plan };

/** Asks the agent for a plan; undefined = there is no agent that could observe the devices. */
async function dryRun(
  session: Session,
  config: { readonly text: string; readonly file: string },
): Promise<Plan | undefined> {
  try {
    const answer = await session.admin<PlanAnswer>("/v1/plan", config);
    return "plan" in answer ? answer.plan : undefined;
  } catch (error) {
    if (!(error instanceof LinksealError)) throw error;
    session.note(`no dry run: ${visible(error.message)} (next: ${visible(error.next)})`);
    return undefined;
  }
}

interface Result {
  readonly file: string;
  readonly written: boolean;
  readonly text: string;
  readonly checks: readonly Check[];
  readonly plan: Plan | null;
  readonly remaining: readonly Remaining[];
}

function summary({ file, written, text, checks, plan, remaining }: Result): string {
  const checked = readable(checks).flatMap(({ what, found, text: detail, next }) => [
    `${found.padEnd(7)} ${what}: ${detail}`,
    ...(next === null ? [] : [`        next: ${next}`]),
  ]);
  const planned = plan === null ? [] : ["", planText(readable(plan))];
  if (!written) return [...checked, ...planned, "", text].join("\n");
  const steps = readable(remaining).flatMap(({ what, lines }, index) => [
    `${index + 1}. ${what}`,
    ...lines.map((line) => `     ${line}`),
  ]);
  const end = [
    `${visible(file)} is written; it changes nothing yet.`,
    "",
    "What remains:",
    ...steps,
  ];
  const first = remaining[0]?.lines[0];
  const next = first === undefined ? [] : ["", `next: ${visible(first)}`];
  return [...checked, ...planned, "", ...end, ...next].join("\n");
}
