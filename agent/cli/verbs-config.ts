// The verbs validate, plan, apply and config: from a file to the accepted intent.

import type { Command } from "commander";
import { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import type { Plan } from "../compare/plan.ts";
import type { ConfigPart, SitePlan } from "../compare/site-plan.ts";
import { type Complaint, formatComplaint } from "../config/complaint.ts";
import { isoTime } from "../model/iso-time.ts";
import { readable, visible, visibleLines } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { ApplyAnswer } from "../runtime/agent-shapes.ts";
import type { Status } from "../runtime/health/status.ts";
import type { Intent, IntentEntry } from "../store/intent/intent.ts";
import { agree } from "./agreement.ts";
import {
  type ConfigFile,
  defaultConfig,
  invalidConfig,
  readConfig,
  readDefaultConfig,
  thenPlan,
  thenPlanCopy,
} from "./config-file.ts";
import { usage } from "./failure.ts";
import { configText, sitePlanText } from "./plan-text.ts";
import { follow, lastEvent } from "./progress.ts";
import { declined, refuseWithoutTerminal, saysYes } from "./question.ts";
import { readSavedPlan, type SavedPlan, writeSavedPlan } from "./saved-plan.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb, wholeNumber } from "./shape.ts";
import { campaignLines, continuation } from "./status-text.ts";
import { outKind, table } from "./table.ts";

export interface ApplyOptions extends Common {
  readonly yes?: true;
  readonly queue?: true;
  readonly wait?: true;
  /** File of a saved plan. */
  readonly plan?: string;
}

interface PlanOptions extends Common {
  readonly accepted?: true;
  readonly out?: string;
}

export function registerConfig(program: Command): void {
  verb(
    program.command("validate <file>").description("check a config file; asks and changes nothing"),
    "linkseal validate site.yaml",
  ).action(validate);
  verb(
    program
      .command("plan [file]")
      .description(
        "show the settings in which a config differs from the one in force, then what happens at " +
          "both ends; exit status 3 if anything differs. Without a file: the agent's own config " +
          "file, or if there is none the config in force",
      )
      .option("--accepted", "plan the config in force: how the devices differ from it")
      .option("--out <plan>", "save the plan, for linkseal apply --plan"),
    "linkseal plan site.yaml --out monday.plan",
  ).action(showPlan);
  verb(
    applyOptions(
      program
        .command("apply [file]")
        .description(
          "make a config the accepted intent, after showing its plan. Without a file: the " +
            "agent's own config file",
        ),
    )
      .option("--plan <plan>", "what a saved plan says, or nothing if anything has changed")
      .option("--queue", "if a campaign runs, apply when it has ended"),
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
    config.command("diff").argument("<number|file>", "a number of the history, or a config file"),
    "linkseal config diff site.yaml",
  )
    .description(
      "what changed from an earlier config to the one in force, as lines; or from the one in " +
        "force to a file, setting by setting, with exit status 3 if anything differs",
    )
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

export function applyOptions(command: Command): Command {
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

type Refusal = { readonly complaints: readonly Complaint[] };

/** Plans a config; undefined = the one in force. */
export async function planOf(session: Session, config: ConfigFile | undefined): Promise<SitePlan> {
  type Answer = Refusal | { readonly plan: SitePlan };
  const answer = await session.admin<Answer>("/v1/plan", config ?? {});
  if ("complaints" in answer) {
    const next = config === undefined ? thenPlanCopy : thenPlan(config.file);
    throw invalidConfig(answer.complaints, config?.file ?? "config", next);
  }
  return answer.plan;
}

async function showPlan(file: string | undefined, options: PlanOptions): Promise<void> {
  const session = new Session(options);
  const config = await chosenConfig(session, file, options);
  const plan = await planOf(session, config);
  if (options.out !== undefined) {
    if (config === undefined) throw nothingToSave();
    await writeSavedPlan(options.out, config, plan);
    session.note(`The plan is saved: linkseal apply --plan ${visible(options.out)}\n`);
  }
  await session.show(plan, sitePlanText);
  exit(plan.differs ? 3 : 0);
}

/** Returns the file to plan; undefined = the config in force. */
async function chosenConfig(
  session: Session,
  file: string | undefined,
  { accepted, out }: PlanOptions,
): Promise<ConfigFile | undefined> {
  if (accepted === true) {
    if (file !== undefined) {
      throw usage("--accepted plans the config in force: it takes no file", "linkseal plan FILE");
    }
    if (out !== undefined) throw nothingToSave();
    return undefined;
  }
  if (file !== undefined) return await readConfig(file);
  const found = await readDefaultConfig();
  if (found === undefined) {
    const { history: entries } = await acceptedConfigs(session);
    if (entries.length === 0) throw noConfig("and no config is in force");
    session.note(`There is no ${visible(defaultConfig())}, so this plans the config in force.\n`);
  }
  return found;
}

function nothingToSave(): LinksealError {
  return usage("the config in force is in force: only a plan of a file can be saved", planToFile);
}

const planToFile = "linkseal plan FILE --out PLAN";

function noConfig(also: string): LinksealError {
  const file = defaultConfig();
  return usage(`there is no ${file}, ${also}`, "linkseal init, which writes a first config");
}

async function acceptedConfigs(
  session: Session,
): Promise<{ readonly history: readonly IntentEntry[] }> {
  return await session.view("/v1/config/history");
}

async function apply(file: string | undefined, options: ApplyOptions): Promise<void> {
  const saved = await savedFor(file, options);
  const config = saved ?? (await fileToApply(file));
  const session = new Session(options);
  const queue = options.queue === true;
  const { file: name, text } = config;
  const after = await lastEvent(session);
  const push = (agreed: unknown): Promise<ApplyAnswer> => {
    const shown = agreed === undefined ? {} : { shown: { agreed } };
    return session.admin<ApplyAnswer>("/v1/apply", { file: name, text, queue, ...shown });
  };
  if (options.yes !== true) refuseWithoutTerminal("linkseal apply FILE --yes");
  const answer =
    options.yes === true
      ? await push(saved?.agreed)
      : await (saved === undefined
          ? agreeToPlan(session, config, push)
          : agreeToSaved(session, saved, push));
  if (answer === undefined) return declined();
  if (answer.kind === "refused") throw invalidConfig(answer.complaints, name, thenPlan(name));
  await conclude(session, answer, name, options, after);
}

type Push = (agreed: unknown) => Promise<ApplyAnswer>;

/** Asks until the operator agrees to the newest plan; undefined = the operator said no. */
export async function agreeToPlan(
  session: Session,
  config: ConfigFile,
  push: Push,
): Promise<ApplyAnswer | undefined> {
  return await agree(await planOf(session, config), {
    show(plan, why) {
      if (why === "changed") session.note("\nSomething has changed. The plan is now:\n");
      session.note(sitePlanText(readable(plan)));
    },
    ask: () => saysYes("Apply it?"),
    push: (plan) => push(plan.agreed),
  });
}

/** Asks once: what the file says is applied, or nothing. undefined = the operator said no. */
async function agreeToSaved(
  session: Session,
  saved: SavedPlan,
  push: Push,
): Promise<ApplyAnswer | undefined> {
  // The plan that is shown is always the agent's own, and not what the file claims.
  const plan = await planOf(session, { file: saved.file, text: saved.text });
  const { changedSince } = await import("../compare/site-plan.ts");
  const since = changedSince(saved, plan);
  if (since.length > 0) throw planChanged(since, saved.file);
  session.note(sitePlanText(readable(plan)));
  return (await saysYes("Apply it?")) ? await push(saved.agreed) : undefined;
}

async function fileToApply(file: string | undefined): Promise<ConfigFile> {
  const found = file === undefined ? await readDefaultConfig() : await readConfig(file);
  if (found === undefined) throw noConfig("and no file was named");
  return found;
}

async function savedFor(
  file: string | undefined,
  { plan, queue }: ApplyOptions,
): Promise<SavedPlan | undefined> {
  if (plan === undefined) return undefined;
  if (file !== undefined) {
    throw usage("a saved plan has its config in it: name no file", `linkseal apply --plan ${plan}`);
  }
  if (queue === true) {
    const text = "a saved plan cannot wait: what it was made from changes meanwhile";
    throw usage(text, `linkseal apply --plan ${plan}`);
  }
  return await readSavedPlan(plan);
}

/** As many differences as an operator reads in an error. */
const changesShown = 8;

function planChanged(since: readonly string[], file: string): LinksealError {
  const left = since.length - changesShown;
  const more = left > 0 ? [`and ${left} more`] : [];
  const text = ["the plan has changed", ...since.slice(0, changesShown), ...more].join("\n");
  return new LinksealError("gate.planChanged", text, {
    ...{ effect: "none", where: file },
    next: `linkseal plan ${file}, or with --out PLAN for linkseal apply --plan PLAN`,
  });
}

async function rollback(number: number, options: ApplyOptions): Promise<void> {
  const session = new Session(options);
  if (options.yes !== true) {
    refuseWithoutTerminal("linkseal apply FILE --yes");
    const { diff: text } = await session.view<Diff>(`/v1/config/diff?number=${number}`);
    session.note(text === "" ? "It is the text in force." : visibleLines(text));
    const question = `Go back to config ${number} (take away what is marked +)?`;
    if (!(await saysYes(question))) return declined();
  }
  const after = await lastEvent(session);
  const answer = await session.admin<ApplyAnswer>("/v1/config/rollback", { number });
  const where = `config ${number}`;
  if (answer.kind === "refused") throw invalidConfig(answer.complaints, where, thenPlanCopy);
  await conclude(session, answer, where, options, after);
}

/** Reports the outcome, and follows what it began. */
export async function conclude(
  session: Session,
  answer: Exclude<ApplyAnswer, { readonly kind: "refused" }>,
  file: string,
  options: ApplyOptions,
  after: number,
): Promise<void> {
  switch (answer.kind) {
    case "changed":
      throw planChanged(answer.since, file);
    case "busy": {
      const text = `a campaign runs on ${answer.groups.join(", ")}`;
      throw busy(text, file, "linkseal rotation show, or linkseal apply FILE --queue");
    }
    case "queued":
      return await session.show(
        { schema: "linkseal.apply/1", state: "queued", number: null, plan: null, waits: [] },
        () => "Queued: it is applied when the running campaigns have ended.",
      );
    case "unchanged": {
      const { number } = answer;
      return await session.show(
        { schema: "linkseal.apply/1", state: "unchanged", number, plan: null, waits: [] },
        () =>
          number === null
            ? "Nothing to do: it waits already for the running campaigns to end."
            : `Nothing to do: config ${number} is in force, with the same text.`,
      );
    }
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
  if (options.yes === true) session.note(sitePlanText(readable(plan)));
  session.note(`Accepted as config ${number}.`);
  const steps = plan.steps.flatMap(({ link, by }) =>
    link === null || by !== undefined ? [] : [link],
  );
  const groups = [...new Set(steps.map((link) => link.split("/")[0] ?? link))];
  const until = options.wait === true ? "ended" : "parked";
  const asked = { groups, after, until, quietMs } as const;
  const campaigns = plan.wouldChange ? await follow(session, asked) : [];
  const { at } = await session.view<Status>("/v1/status");
  const left = waitsOf(groups, campaigns);
  const waits = [...plan.notes, ...left];
  const result = { schema: "linkseal.apply/1", state: "accepted", number, plan, campaigns, waits };
  await session.show(result, (shown) =>
    [
      ...shown.campaigns.flatMap((campaign) => campaignLines(campaign, at)),
      // The notes of the plan were shown with it.
      ...readable(left).flatMap(({ about, text, next }) => [
        `waits: ${about}: ${text}`,
        `     next: ${next}`,
      ]),
      `Config ${number} is in force.`,
    ].join("\n"),
  );
  exit(campaigns.some(({ state }) => state === "held") ? 1 : 0);
}

/** Returns what was not reached, each with the command that goes on from there. */
function waitsOf(groups: readonly string[], campaigns: readonly CampaignShape[]): Plan["notes"] {
  const idle = groups.filter((name) => !campaigns.some(({ group }) => group === name));
  const parked = campaigns.filter(({ state }) => state !== "done");
  return [
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
  const { history: entries } = await acceptedConfigs(session);
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

async function diff(numberOrFile: string, options: Common): Promise<void> {
  const session = new Session(options);
  if (!/^\d{1,9}$/.test(numberOrFile)) return await diffFile(session, numberOrFile);
  const number = Number(numberOrFile);
  const { diff: text } = await session.view<Diff>(`/v1/config/diff?number=${number}`);
  await session.show({ schema: "linkseal.config-diff/1", from: number, diff: text }, () =>
    visibleLines(text).trimEnd(),
  );
}

async function diffFile(session: Session, file: string): Promise<void> {
  type Answer = Refusal | { readonly config: ConfigPart };
  const answer = await session.admin<Answer>("/v1/config/compare", await readConfig(file));
  if ("complaints" in answer) throw invalidConfig(answer.complaints, file, thenPlan(file));
  const { config } = answer;
  await session.show({ schema: "linkseal.config-changes/1", file, ...config }, configText);
  exit(config.compared === "inForce" ? 0 : 3);
}
