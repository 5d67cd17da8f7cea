// The verbs adopt, enrol and retire: requests of an operator to the running agent.

import type { Command } from "commander";
import { shortCkn } from "../model/ckn-text.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { RetiredTunnel } from "../runtime/tunnels/tunnel-retire.ts";
import type { Binding } from "../store/journal/memory.ts";
import { conclude } from "./campaign-view.ts";
import { lastEvent } from "./progress.ts";
import { asNamed, type RiskOptions, risky } from "./risk-option.ts";
import { type Common, Session } from "./session.ts";
import { verb } from "./shape.ts";

export function registerWork(program: Command): void {
  verb(
    risky(program.command("adopt <target>")).description(
      "take a group or link that was configured manually into the intent; writes to no device",
    ),
    "linkseal adopt erd-dub/primary",
  ).action(adopt);
  verb(
    risky(program.command("enrol <target>"))
      .description("give a group or link its first key, one link after the other")
      .option("--wait", "follow it to its end"),
    "linkseal enrol erd-dub --accept-risk=breakBeforeMake --wait",
  ).action(enrol);
  const retire = program.command("retire").description("forget what is no longer wanted");
  verb(
    retire.command("link <name>").description("forget a link; both ends stay as they are"),
    "linkseal retire link erd-dub/primary",
  ).action(retireLink);
  verb(
    risky(
      retire
        .command("tunnel <name>")
        .description("take a tunnel that no config names any more off its device; its block stays"),
    ),
    "linkseal retire tunnel hub-1",
  ).action(retireOneTunnel);
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

async function enrol(target: string, options: RiskOptions & { wait?: true }): Promise<void> {
  const session = new Session(options);
  const after = await lastEvent(session);
  const risks = (options.acceptRisk ?? []).map(asNamed);
  const begun = await session.admin<CampaignShape>("/v1/enrol", { target, risks });
  await conclude(session, begun, after, options);
}

async function retireOneTunnel(name: string, options: RiskOptions): Promise<void> {
  const session = new Session(options);
  const risks = (options.acceptRisk ?? []).map(asNamed);
  const answer = await session.admin<RetiredTunnel>("/v1/retire/tunnel", { name, risks });
  await session.show({ schema: "linkseal.retire/1", ...answer }, ({ retired, device, blocked }) => {
    if (device === null) {
      return `${retired} is forgotten. Its device is in no config: nothing was changed there.`;
    }
    const gone = `${retired} is gone from ${device}, and forgotten.`;
    if (blocked.length === 0) return gone;
    const release = blocked.map((prefix) => `  linkseal guard --release ${prefix}`);
    const stays = `${blocked.join(", ")} stays blocked. To let it leave in the clear, as root:`;
    return [gone, stays, ...release].join("\n");
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
