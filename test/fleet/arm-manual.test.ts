// A far end that a person changes, by nothing but the command that `rotation show` prints.

import { afterAll, describe, expect, it } from "vitest";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";
import { campaignReport } from "#agent/runtime/campaigns/campaign-report.ts";
import { openCampaign } from "#agent/store/journal/memory.ts";
import { FakePrograms } from "../unit/kit/fake-programs.ts";
import { never, settled } from "../unit/kit/site-bench.ts";
import { ArmStage } from "./arm-stage.ts";

const programs = new FakePrograms();
afterAll(() => programs.remove());

const management = "https://management.azure.com";
const version = "api-version=2024-05-01";

interface Link {
  readonly name: string;
  readonly properties: Readonly<Record<string, unknown>>;
}
interface Port {
  readonly properties: { readonly links: readonly Link[] };
}

function campaignOf(stage: ArmStage): CampaignShape | undefined {
  const campaign = openCampaign(stage.agent.memory, "erd-demo");
  return campaign === undefined ? undefined : campaignReport(stage.agent, campaign);
}

/** Asks the management API as a person who is signed in with az. */
async function asked(stage: ArmStage, method: "GET" | "PUT", path: string, body = "") {
  const { token } = stage.cloud.tokens.issue({ audience: management, tenant: "t", clientId: "c" });
  const headers = { authorization: `Bearer ${token}` };
  const request = { host: "management.azure.com", method, path, headers, body };
  const reply = await settled(stage.site.clock, stage.cloud.anywhere(request, never));
  expect(reply.status).toBe(200);
  return JSON.parse(reply.body) as Port;
}

/** Does what `az network express-route port link update` does with these words. */
async function update(stage: ArmStage, words: readonly string[]): Promise<void> {
  const given = new Map<string, string>();
  for (let at = 6; at < words.length; at += 2) given.set(words[at] ?? "", words[at + 1] ?? "");
  const value = (option: string): string => given.get(option) ?? `no ${option}`;
  const group = `/subscriptions/${value("--subscription")}/resourceGroups/`;
  const provider = `${value("--resource-group")}/providers/Microsoft.Network/expressRoutePorts/`;
  const path = `${group}${provider}${value("--port-name")}?${version}`;
  const port = await asked(stage, "GET", path);
  const links = port.properties.links.map((link) =>
    link.name !== value("--name")
      ? link
      : {
          ...link,
          properties: {
            ...link.properties,
            macSecConfig: {
              cakSecretIdentifier: value("--macsec-cak-secret-identifier"),
              cknSecretIdentifier: value("--macsec-ckn-secret-identifier"),
              cipher: value("--macsec-cipher"),
              sciState: value("--macsec-sci-state"),
            },
          },
        },
  );
  const body = JSON.stringify({ ...port, properties: { ...port.properties, links } });
  await asked(stage, "PUT", path, body);
}

/** Plays the operator until the campaign is over: `proceed`, then the command that is shown. */
async function operated(stage: ArmStage): Promise<readonly string[]> {
  const commands: string[] = [];
  for (let turn = 0; turn < 1_000 && !stage.isOver(); turn += 1) {
    const campaign = campaignOf(stage);
    const task = campaign?.farEnd ?? null;
    if (task?.command != null) {
      // It is shown on a drained link alone, and in no other state.
      expect([campaign?.state, task.when, task.drained]).toEqual(["switching", "now", true]);
      commands.push(task.command);
      programs.add("az", "{}");
      for (const words of programs.run(task.command)) await update(stage, words);
      // The far end is read again by then.
      await stage.site.clock.runFor(20_000);
    } else if (campaign?.state === "awaitingPeer") {
      expect(task?.when).toBe("notYet");
      await stage.say("proceed");
      await stage.until(() => stage.campaign !== "awaitingPeer");
    }
    await stage.site.clock.runFor(2_000);
  }
  return commands;
}

describe("a far end that a person changes", () => {
  it("an enrolment and a rotation need no more than the commands that are shown", async () => {
    const stage = new ArmStage({
      edit: (text) => text.replace("farEnd: agent", "farEnd: manual"),
    });
    await stage.live(undefined);
    await stage.site.clock.runFor(5_000);
    const first = await operated(stage);
    expect([stage.campaign, stage.status().verdict]).toEqual(["done", "protected"]);
    expect(stage.outcomes()).toEqual(["enrolled", "enrolled"]);
    await stage.rotate();
    const second = await operated(stage);
    expect(stage.outcomes()).toEqual(["rotated", "rotated"]);
    // One command for each link and campaign: it is gone once the far end moves.
    expect([first, second].map((commands) => new Set(commands).size)).toEqual([2, 2]);
    expect([first.length, second.length]).toEqual([2, 2]);
    expect(stage.puts()).toHaveLength(4);
    expect(stage.complaints()).toEqual([]);
  });
});
