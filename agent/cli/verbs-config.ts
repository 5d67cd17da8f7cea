// The verbs validate, plan, apply and config: from a file to the accepted intent.

import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import type { Plan } from "../compare/plan.ts";
import { type Complaint, formatComplaint } from "../config/complaint.ts";
import { isoTime } from "../model/iso-time.ts";
import { readable, visible, visibleLines } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { ApplyAnswer } from "../runtime/agent-shapes.ts";
import type { Status } from "../runtime/health/status.ts";
import type { Intent, IntentEntry } from "../store/intent/intent.ts";
import { agree } from "./agreement.ts";
import { type ConfigFile, invalidConfig, readConfig } from "./config-file.ts";
import { usage } from "./failure.ts";
import { planText } from "./plan-text.ts";
import { follow, lastEvent } from "./progress.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb, wholeNumber } from "./shape.ts";
import { campaignLines, continuation } from "./status-text.ts";
import { outKind, table } from "./table.ts";

interface ApplyOptions extends Common {
  readonly yes?: true;
  readonly queue?: true;
  readonly wait?: true;
}

export function registerConfig(program: Command): void {
  verb(
    program.command("validate <file>").description("check a config file; asks and changes nothing"),
    "linkseal validate site.yaml",
  ).action(validate);
  verb(
    program
      .command("plan [file]")
      .description("show what a config would change at both ends; exit status 3 if anything"),
    "linkseal plan site.yaml",
  ).action(showPlan);
  verb(
    applyOptions(
      program
        .command("apply [file]")
        .description("make a config the accepted intent, after showing its plan"),
    ).option("--queue", "if a campaign runs, apply when it has ended"),
    "linkseal apply site.yaml",
  ).action(apply);
  const config = program.command("config").description("the accepted configs");
  verb(
    config.command("show").description("the config in force"),
    "linkseal config show > now.yaml",
  ).action(showConfig);
  verb(
    config.command("history").description("every config that was ever accepted"),
    "linkseal config history",
  ).action(history);
  verb(
    config.command("diff").argument("<number>", "a number of the history", wholeNumber),
    "linkseal config diff 3",
  )
    .description("what changed from an earlier config to the one in force")
    .action(diff);
  verb(
    applyOptions(
      config.command("rollback").argument("<number>", "a number of the history", wholeNumber),
    ),
    "linkseal config rollback 3",
  )
    .description("accept an earlier config again, as a new number and with present keys")
    .action(rollback);
}

function applyOptions(command: Command): Command {
  return command.option("--yes", "do not ask").option("--wait", "follow what was begun to its end");
}

async function validate(file: string, options: Common): Promise<void> {
  const { text } = await readConfig(file);
  // Schema and YAML take longer to load than the rest of the command.
  const { parseConfig } = await import("../config/index.ts");
  const parsed = parseConfig(text, file, Date.now() as WallTime);
  const isValid = parsed.kind === "ok";
  const complaints = isValid ? parsed.warnings : parsed.complaints;
  const result = { schema: "linkseal.validate/1", valid: isValid, complaints };
  await new Session(options).show(result, () => {
    const lines = complaints.map(formatComplaint);
    if (isValid) lines.push(`${visible(file)}: valid`);
    return lines.join("\n");
  });
  exit(isValid ? 0 : 2);
}

type PlanAnswer = { readonly complaints: readonly Complaint[] } | { readonly plan: Plan };

async function planOf(session: Session, config: ConfigFile): Promise<Plan> {
  const answer = await session.admin<PlanAnswer>("/v1/plan", config);
  if ("complaints" in answer) throw invalidConfig(answer.complaints, config.file);
  return answer.plan;
}

async function showPlan(file: string | undefined, options: Common): Promise<void> {
  const session = new Session(options);
  const plan = await planOf(session, await readConfig(file));
  await session.show(plan, planText);
  exit(plan.wouldChange ? 3 : 0);
}

async function apply(file: string | undefined, options: ApplyOptions): Promise<void> {
  const config = await readConfig(file);
  const session = new Session(options);
  const queue = options.queue === true;
  const after = await lastEvent(session);
  const push = (shown: Plan | undefined): Promise<ApplyAnswer> =>
    session.admin<ApplyAnswer>("/v1/apply", { ...config, queue, ...(shown && { shown }) });
  if (options.yes !== true) refuseWithoutTerminal();
  const answer =
    options.yes === true
      ? await push(undefined)
      : await agree(await planOf(session, config), {
          show(plan, why) {
            if (why === "changed") session.note("\nThe devices have changed. The plan is now:\n");
            session.note(planText(readable(plan)));
          },
          ask: () => saysYes("Apply it?"),
          push,
        });
  if (answer === undefined) return declined();
  await conclude(session, answer, config.file, options, after);
}

async function rollback(number: number, options: ApplyOptions): Promise<void> {
  const session = new Session(options);
  if (options.yes !== true) {
    refuseWithoutTerminal();
    const { diff: text } = await session.view<Diff>(`/v1/config/diff?number=${number}`);
    session.note(text === "" ? "It is the text in force." : visibleLines(text));
    const question = `Go back to config ${number} (take away what is marked +)?`;
    if (!(await saysYes(question))) return declined();
  }
  const after = await lastEvent(session);
  const answer = await session.admin<ApplyAnswer>("/v1/config/rollback", { number });
  await conclude(session, answer, `config ${number}`, options, after);
}

function refuseWithoutTerminal(): void {
  if (process.stdin.isTTY && process.stderr.isTTY) return;
  throw usage("there is no terminal to ask on; nothing was stored", "linkseal apply FILE --yes");
}

/** Asks a question; anything but a yes is a no, and so is the end of the input. */
async function saysYes(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ended = once(terminal, "close").then(() => "");
  const reply = await Promise.race([terminal.question(`\n${question} [y/N] `), ended]);
  terminal.close();
  return /^y(es)?$/i.test(reply.trim());
}

function declined(): void {
  process.stderr.write("Nothing was changed.\n");
  exit(1);
}

async function conclude(
  session: Session,
  answer: ApplyAnswer,
  file: string,
  options: ApplyOptions,
  after: number,
): Promise<void> {
  switch (answer.kind) {
    case "refused":
      throw invalidConfig(answer.complaints, file);
    case "changed":
      throw busy("the devices changed while the plan was made", file, "linkseal plan");
    case "busy": {
      const text = `a campaign runs on ${answer.groups.join(", ")}`;
      throw busy(text, file, "linkseal rotation show, or linkseal apply FILE --queue");
    }
    case "queued":
      return await session.show(
        { schema: "linkseal.apply/1", state: "queued", number: null, plan: null, waits: [] },
        () => "Queued: it is applied when the running campaigns have ended.",
      );
    case "accepted":
      return await settle(session, answer, options, after);
  }
}

/**
 * How long a campaign must rest, in milliseconds. The agent observes every few seconds: a campaign
 * that has not begun by then waits for an operator.
 */
const quietMs = 12_000;

async function settle(
  session: Session,
  { number, plan }: Extract<ApplyAnswer, { kind: "accepted" }>,
  options: ApplyOptions,
  after: number,
): Promise<void> {
  if (options.yes === true) session.note(planText(readable(plan)));
  session.note(`Accepted as config ${number}.`);
  const steps = plan.steps.flatMap(({ link, by }) =>
    link === null || by === "person" ? [] : [link],
  );
  const groups = [...new Set(steps.map((link) => link.split("/")[0] ?? link))];
  const until = options.wait === true ? "ended" : "parked";
  const asked = { groups, after, until, quietMs } as const;
  const campaigns = plan.wouldChange ? await follow(session, asked) : [];
  const { at } = await session.view<Status>("/v1/status");
  const waits = waitsOf(plan, groups, campaigns);
  const result = { schema: "linkseal.apply/1", state: "accepted", number, plan, campaigns, waits };
  await session.show(result, (shown) =>
    [
      ...shown.campaigns.flatMap((campaign) => campaignLines(campaign, at)),
      ...shown.waits.flatMap(({ about, text, next }) => [
        `waits: ${about}: ${text}`,
        `     next: ${next}`,
      ]),
      `Config ${number} is in force.`,
    ].join("\n"),
  );
  exit(campaigns.some(({ state }) => state === "held") ? 1 : 0);
}

/** Returns what was not reached, each with the command that goes on from there. */
function waitsOf(
  plan: Plan,
  groups: readonly string[],
  campaigns: readonly CampaignShape[],
): Plan["notes"] {
  const idle = groups.filter((name) => !campaigns.some(({ group }) => group === name));
  const parked = campaigns.filter(({ state }) => state !== "done");
  return [
    ...plan.notes,
    ...idle.map((group) => ({
      about: group,
      text: "nothing was begun: a risk is not accepted, or the vault has no usable key",
      next: `linkseal enrol ${group}`,
    })),
    ...parked.map((campaign) => ({
      about: campaign.group,
      text: campaign.because,
      next: continuation(campaign) ?? `linkseal rotation show ${campaign.group}`,
    })),
  ];
}

function busy(text: string, where: string, next: string): LinksealError {
  return new LinksealError("gate.busy", text, { effect: "none", where, next });
}

async function showConfig(options: Common): Promise<void> {
  const session = new Session(options);
  const config = await session.view<Omit<Intent, "desired">>("/v1/config");
  const { text } = config;
  await session.show({ schema: "linkseal.config/1", ...config, at: isoTime(config.at) }, () =>
    visibleLines(text).trimEnd(),
  );
}

async function history(options: Common): Promise<void> {
  const session = new Session(options);
  const path = "/v1/config/history";
  const entries = (await session.view<{ history: readonly IntentEntry[] }>(path)).history;
  const rows = entries.map((entry) => ({ ...entry, at: isoTime(entry.at) }));
  await session.show({ schema: "linkseal.config-history/1", history: rows }, ({ history: shown }) =>
    table(
      ["number", "accepted", "from", "sha256"],
      shown.map(({ number, at, who, sha256 }) => [`${number}`, at, who, sha256.slice(0, 16)]),
      outKind(),
    ),
  );
}

interface Diff {
  readonly diff: string;
}

async function diff(number: number, options: Common): Promise<void> {
  const session = new Session(options);
  const { diff: text } = await session.view<Diff>(`/v1/config/diff?number=${number}`);
  await session.show({ schema: "linkseal.config-diff/1", from: number, diff: text }, () =>
    visibleLines(text).trimEnd(),
  );
}
