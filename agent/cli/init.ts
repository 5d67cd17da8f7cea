// `linkseal init`: asks for the essentials, writes a commented config and shows its dry run; it
// changes no device.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline/promises";
import { type Command, Option } from "commander";
import { LinksealError } from "#hal/error.ts";
import type { Plan } from "../compare/plan.ts";
import { type Complaint, formatComplaint } from "../config/complaint.ts";
import { errnoOf } from "../host/folder.ts";
import { hostDialer } from "../host/host.ts";
import { hostPorts } from "../host/ports.ts";
import { shownHostKey } from "../host/ssh.ts";
import { readable, visible } from "../model/text.ts";
import { answersOf, type InitOptions } from "../operate/init/answers.ts";
import { type Check, checksOf } from "../operate/init/checks.ts";
import { configTextOf } from "../operate/init/config-text.ts";
import { defaultConfig } from "./config-file.ts";
import { usage } from "./failure.ts";
import { planText } from "./plan-text.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";

interface Options extends Common, InitOptions {
  readonly out?: string;
  readonly dryRun?: true;
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
      .description("write a first config: asks what no option says, checks, shows a dry run")
      .option("--site <name>", "name of the site")
      .addOption(
        new Option(
          "--cloud <name>",
          "the Azure cloud; public if not given and there is no terminal",
        ).choices([...["public", "usgovernment", "china", "sim"]]),
      )
      .option("--vault <url>", "the key vault")
      .option("--identity <kind>", "arc or managedIdentity")
      .option("--device <words>", "NAME=DRIVER[,ADDRESS[,USER]]; may be repeated", listed)
      .option("--host-key <words>", "DEVICE=SHA256:DIGEST, confirmed; may be repeated", listed)
      .option("--group <name>", "name of the pair of links")
      .option("--express-route-port <id>", "resource id of the ExpressRoute port")
      .option("--link <words>", "NAME=DEVICE,PORT[,SPEED]; link1 first, then link2", listed)
      .option("--out <file>", "where the config is written; the agent's own path if not given")
      .option("--dry-run", "print the config and write nothing"),
    example,
  ).action(init);
}

async function init(options: Options): Promise<void> {
  const session = new Session(options);
  const file = options.out ?? defaultConfig();
  const answers = await withTerminal(async (ask) =>
    answersOf(options, { ask, ports: await hostPorts(), hostKey: shownHostKey }),
  );
  const text = configTextOf(answers);
  await refuseInvalid(text, file);
  const checks = await checksOf(answers, {
    dial: hostDialer,
    deadline: () => AbortSignal.timeout(checkMsMax),
  });
  if (options.dryRun !== true) await writeFresh(file, text);
  const plan = await dryRun(session, { text, file });
  const result = {
    schema: "linkseal.init/1",
    file,
    ...{ written: options.dryRun !== true, text, checks, plan: plan ?? null },
  };
  await session.show(result, () => summary(result));
  exit(checks.some(({ found }) => found === "wrong") ? 4 : 0);
}

const checkMsMax = 10_000;

type Ask = (question: string, proposal: string | undefined) => Promise<string>;

/** Runs `work` with a function that asks on the terminal; undefined = there is no terminal. */
async function withTerminal<T>(work: (ask: Ask | undefined) => Promise<T>): Promise<T> {
  if (!(process.stdin.isTTY && process.stderr.isTTY)) return await work(undefined);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await work((question, proposal) => {
      const hint = proposal === undefined ? "" : ` [${proposal}]`;
      return terminal.question(`${visible(question).replaceAll("\\u000a", "\n")}${hint}: `);
    });
  } finally {
    terminal.close();
  }
}

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
    const why = errnoOf(error) === "EEXIST" ? "exists already" : `(${errnoOf(error)})`;
    throw usage(`${file} cannot be written: it ${why}`, "linkseal init --out FILE, or --dry-run");
  }
}

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
}

function summary({ file, written, text, checks, plan }: Result): string {
  const checked = readable(checks).flatMap(({ what, found, text: detail, next }) => [
    `${found.padEnd(7)} ${what}: ${detail}`,
    ...(next === null ? [] : [`        next: ${next}`]),
  ]);
  const planned = plan === null ? [] : ["", planText(readable(plan))];
  const end = written
    ? [`${visible(file)} is written; it changes nothing yet.`, "next: linkseal apply"]
    : [text];
  return [...checked, ...planned, "", ...end].join("\n");
}
