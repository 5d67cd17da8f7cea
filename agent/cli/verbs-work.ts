// adopt, enrol, rotation and retire: what an operator asks of the running agent.

import type { Command } from "commander";
import type { CampaignShape } from "../api/shape.ts";
import type { Status } from "../health/status.ts";
import type { Binding } from "../journal/memory.ts";
import { allCampaigns, eventsAfter, follow } from "./progress.ts";
import { type Common, Session } from "./session.ts";
import { collected, exit, verb } from "./shape.ts";
import { campaignLines } from "./status-text.ts";
import { readable, shortCkn } from "./text.ts";

interface RiskOptions extends Common {
  readonly acceptRisk?: readonly string[];
}

export function registerWork(program: Command): void {
  verb(
    risky(program.command("adopt <target>")).description(
      "take a group or link that was protected by hand into the intent; writes to no device",
    ),
    "linkseal adopt erd-dub/primary",
  ).action(adopt);
  verb(
    risky(program.command("enrol <target>"))
      .description("give a group or link its first key, one link after the other")
      .option("--wait", "follow it to its end"),
    "linkseal enrol erd-dub --accept-risk=breakBeforeMake --wait",
  ).action(enrol);
  const rotation = program.command("rotation").description("running campaigns");
  verb(
    rotation.command("show [group]").description("what each campaign does and waits for"),
    "linkseal rotation show erd-dub",
  ).action(showRotation);
  for (const [name, text] of operatorVerbs) {
    verb(
      rotation.command(`${name} <group>`).description(text),
      `linkseal rotation ${name} erd-dub`,
    ).action((group: string, options: Common) => tell(name, group, options));
  }
  const retire = program.command("retire").description("forget what is no longer wanted");
  verb(
    retire.command("link <name>").description("forget a link; both ends stay as they are"),
    "linkseal retire link erd-dub/primary",
  ).action(retireLink);
}

const operatorVerbs = [
  ["proceed", "say that the far end may be changed now"],
  ["resume", "let a held campaign go on"],
  ["abandon", "end a parked campaign whose link carries"],
] as const;

function risky(command: Command): Command {
  return command.option("--accept-risk <names>", "risks accepted by name", collected);
}

interface Adopted {
  readonly adopted: readonly { readonly link: string; readonly binding: Binding }[];
}

async function adopt(target: string, options: RiskOptions): Promise<void> {
  const session = new Session(options);
  const risks = (options.acceptRisk ?? []).map(asNamed);
  const { adopted } = await session.admin<Adopted>("/v1/adopt", { target, risks });
  const links = adopted.map(({ link, binding: { key } }) => ({
    link,
    ckn: key.ckn,
    cakVersion: key.cakSecretId.split("/").at(-1) ?? "",
  }));
  await session.show({ schema: "linkseal.adopt/1", adopted: links }, ({ adopted: shown }) =>
    shown.length === 0
      ? "Nothing to adopt: every link of it is managed already."
      : shown
          .map(
            ({ link, ckn, cakVersion }) => `${link}: adopted with ${shortCkn(ckn)}, ${cakVersion}`,
          )
          .join("\n"),
  );
}

// `as-found` on the command line is `asFound` in the list of risks.
function asNamed(risk: string): string {
  return risk.replace(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase());
}

async function enrol(target: string, options: RiskOptions & { wait?: true }): Promise<void> {
  const session = new Session(options);
  const after = (await eventsAfter(session, 0, 0)).at(-1)?.n ?? 0;
  const risks = (options.acceptRisk ?? []).map(asNamed);
  const begun = await session.admin<CampaignShape>("/v1/enrol", { target, risks });
  const groups = [begun.group];
  const [ended] =
    options.wait === true
      ? await follow(session, { groups, after, until: "ended", quietMs: 0 })
      : [begun];
  const campaign = ended ?? begun;
  await showCampaigns(session, campaign, [campaign]);
  exit(campaign.state === "held" ? 1 : 0);
}

async function showRotation(group: string | undefined, options: Common): Promise<void> {
  const session = new Session(options);
  const all = await allCampaigns(session);
  const campaigns = all.filter((each) => group === undefined || each.group === group);
  await showCampaigns(session, { schema: "linkseal.campaigns/1", campaigns }, campaigns);
}

async function tell(name: string, group: string, options: Common): Promise<void> {
  const session = new Session(options);
  const campaign = await session.admin<CampaignShape>(`/v1/rotation/${name}`, { group });
  await showCampaigns(session, campaign, [campaign]);
}

async function showCampaigns(
  session: Session,
  result: unknown,
  campaigns: readonly CampaignShape[],
): Promise<void> {
  const { at } = await session.view<Status>("/v1/status");
  await session.show(result, () => {
    if (campaigns.length === 0) return "No campaign has run.";
    return readable(campaigns)
      .flatMap((campaign) => campaignLines(campaign, at))
      .join("\n");
  });
}

async function retireLink(name: string, options: Common): Promise<void> {
  const session = new Session(options);
  await session.admin("/v1/retire", { name });
  await session.show(
    { schema: "linkseal.retire/1", retired: name },
    ({ retired }) => `${retired} is forgotten; both ends stay as they are.`,
  );
}
