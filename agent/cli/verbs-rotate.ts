// The verbs rotate, rotation, drain and undrain: new keys for links in use.

import type { Command } from "commander";
import { LinksealError } from "#hal/error.ts";
import type { Plan } from "../compare/plan.ts";
import { readable } from "../model/text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Rehearsal } from "../runtime/campaigns/rehearsal-shape.ts";
import type { RehearsalSnapshot } from "../runtime/campaigns/rehearsal-snapshot.ts";
import { conclude, showCampaigns } from "./campaign-view.ts";
import { usage } from "./failure.ts";
import type { Launch } from "./launch.ts";
import { planText } from "./plan-text.ts";
import { allCampaigns, lastEvent } from "./progress.ts";
import { asNamed, type RiskOptions, risky } from "./risk-option.ts";
import { rehearsalText } from "./rotation-text.ts";
import { type Common, Session } from "./session.ts";
import { exit, verb } from "./shape.ts";

interface RotateOptions extends RiskOptions {
  readonly dryRun?: true;
  readonly rehearse?: true;
  readonly emergency?: true;
  readonly now?: true;
  readonly wait?: true;
}

interface VerbOptions extends Common {
  readonly done?: true;
  readonly wait?: true;
}

type Rehearsing = Pick<Launch, "rehearse">;

export function registerRotate(program: Command, launch: Rehearsing): void {
  verb(
    risky(program.command("rotate <target>"))
      .description("give a group or link the newest key of the vault, one link after the other")
      .option("--dry-run", "show what both ends would go through; exit status 3 if anything, or 6")
      .option("--rehearse", "first on a simulated copy of the site; goes on only if that ends well")
      .option("--emergency", "the old key is not trusted: at once, and with a fresh SAK")
      .option("--now", "outside the group's windows too (accepts the risk outsideWindow)")
      .option("--wait", "follow it to its end"),
    "linkseal rotate erd-dub --dry-run --rehearse",
  ).action((target: string, options: RotateOptions) => rotate(launch, target, options));
  const rotation = program.command("rotation").description("running campaigns");
  verb(
    rotation.command("show [group]").description("what each campaign does, did and waits for"),
    "linkseal rotation show erd-dub",
  ).action(showRotation);
  for (const [name, text] of operatorVerbs) {
    const command = rotation
      .command(`${name} [group]`)
      .description(`${text}; without a group the only one that runs`);
    if (name === "proceed")
      command.option("--done", "it was changed already, and linkseal cannot read that");
    verb(
      command.option("--wait", "follow it to its end"),
      `linkseal rotation ${name} erd-dub`,
    ).action((group: string | undefined, options: VerbOptions) => sendVerb(name, group, options));
  }
  verb(
    program
      .command("drain <link>")
      .description(
        "move the traffic of a link, or of a tunnel with BGP, to its siblings, until undrain or " +
          "until none of them carries",
      ),
    "linkseal drain erd-dub/primary",
  ).action(drain);
  verb(
    program.command("undrain <link>").description("give the traffic of a link or tunnel back"),
    "linkseal undrain erd-dub/primary",
  ).action(undrain);
}

const operatorVerbs = [
  ["proceed", "say that the far end may be changed now"],
  ["resume", "let a stopped campaign go on"],
  ["revert", "take a parked campaign back to the old key"],
  ["abandon", "end a parked campaign whose link is untouched or carries"],
] as const;

async function rotate(launch: Rehearsing, target: string, options: RotateOptions): Promise<void> {
  const session = new Session(options);
  const named = (options.acceptRisk ?? []).map(asNamed);
  const risks = options.now === true ? [...named, "outsideWindow"] : named;
  const urgency = options.emergency === true ? "emergency" : "planned";
  const asked = { target, risks, urgency } as const;
  if (options.dryRun === true) return await dryRun(launch, session, asked, options);
  if (options.rehearse === true) {
    const plan = await session.admin<Plan>(planPath, asked);
    refuseHeld(plan);
    // If there is nothing to rotate, the agent reports that itself.
    if (plan.wouldChange) await tryFirst(launch, session, asked);
  }
  const after = await lastEvent(session);
  const begun = await session.admin<CampaignShape>("/v1/rotate", asked);
  await conclude(session, begun, after, options);
}

interface Asked {
  readonly target: string;
  readonly risks: readonly string[];
  readonly urgency: "planned" | "emergency";
}

const planPath = "/v1/rotate/plan";

async function dryRun(
  launch: Rehearsing,
  session: Session,
  asked: Asked,
  { rehearse }: RotateOptions,
): Promise<void> {
  const plan = await session.admin<Plan>(planPath, asked);
  if (rehearse !== true || !plan.wouldChange) {
    await session.show(plan, planText);
    return exit(planExit(plan));
  }
  const rehearsal = await rehearsed(launch, session, asked);
  await session.show({ ...rehearsal, plan }, (shown) =>
    [planText(shown.plan), "", rehearsalText(shown)].join("\n"),
  );
  exit(rehearsal.verdict === "bad" ? 1 : planExit(plan));
}

function planExit({ wouldChange, notes }: Plan): 0 | 3 | 6 {
  if (notes.some(({ code }) => code !== undefined)) return 6;
  return wouldChange ? 3 : 0;
}

/** Refuses before a rehearsal what the agent would refuse afterwards. */
function refuseHeld({ notes }: Plan): void {
  for (const { code, about, text, next } of notes) {
    if (code === undefined) continue;
    throw new LinksealError(code, text, { effect: "none", where: about, next });
  }
}

async function tryFirst(launch: Rehearsing, session: Session, asked: Asked): Promise<void> {
  const rehearsal = await rehearsed(launch, session, asked);
  session.note(rehearsalText(readable(rehearsal)));
  if (rehearsal.verdict !== "good") throw badRehearsal(rehearsal);
}

/** The rehearsal runs here and not in the agent, which has to go on observing. */
async function rehearsed(
  launch: Rehearsing,
  session: Session,
  { target, urgency }: Asked,
): Promise<Rehearsal> {
  const twin = await session.admin<RehearsalSnapshot>("/v1/rotate/twin", { target });
  return await launch.rehearse({ twin, target, urgency });
}

function badRehearsal({ target, because }: Rehearsal): LinksealError {
  const text = `the rehearsal did not end well, so nothing was begun: ${because}`;
  const next = `linkseal rotate ${target} --dry-run --rehearse`;
  return new LinksealError("verify.mismatch", text, { effect: "none", where: target, next });
}

async function showRotation(group: string | undefined, options: Common): Promise<void> {
  const session = new Session(options);
  const all = await allCampaigns(session);
  const campaigns = all.filter((each) => group === undefined || each.group === group);
  await showCampaigns(session, { schema: "linkseal.campaigns/1", campaigns }, campaigns);
}

async function sendVerb(
  name: (typeof operatorVerbs)[number][0],
  asked: string | undefined,
  options: VerbOptions,
): Promise<void> {
  const session = new Session(options);
  const group = asked ?? (await onlyGroup(session, name));
  const after = await lastEvent(session);
  const body = { group, done: options.done === true };
  const campaign = await session.admin<CampaignShape>(`/v1/rotation/${name}`, body);
  if (options.wait === true) return await conclude(session, campaign, after, options);
  await showCampaigns(session, campaign, [campaign]);
}

async function onlyGroup(session: Session, name: string): Promise<string> {
  const open = (await allCampaigns(session)).filter(({ state }) => state !== "done");
  const [only] = open;
  if (only !== undefined && open.length === 1) return only.group;
  if (open.length > 1) {
    throw usage("several campaigns run: name the group", `linkseal rotation ${name} GROUP`);
  }
  const details = { effect: "none", where: "rotation", next: "linkseal rotation show" } as const;
  throw new LinksealError("gate.busy", "no campaign runs", details);
}

async function drain(link: string, options: Common): Promise<void> {
  const session = new Session(options);
  const done = await session.admin<{ readonly drained: string }>("/v1/drain", { link });
  await session.show({ schema: "linkseal.drain/1", ...done }, ({ drained }) =>
    [
      `${drained}: traffic is on the other link until you undrain it or that link fails:`,
      `     next: linkseal undrain ${drained}`,
    ].join("\n"),
  );
}

interface Undrained {
  readonly undrained: string;
  /** False = its traffic was not away, and nothing was sent. */
  readonly changed: boolean;
}

async function undrain(link: string, options: Common): Promise<void> {
  const session = new Session(options);
  const done = await session.admin<Undrained>("/v1/undrain", { link });
  await session.show({ schema: "linkseal.undrain/1", ...done }, ({ undrained, changed }) =>
    changed
      ? `${undrained}: its traffic is back.`
      : `Nothing to do: the traffic of ${undrained} is not moved away.`,
  );
}
