// What a dry run tells: the plan of both ends, and everything that would be in the way now.

import { describe, expect, it } from "vitest";
import type { Plan } from "#agent/compare/plan.ts";
import type { RiskName } from "#agent/model/desired.ts";
import { group, Pair } from "../../../kit/rotate-kit.ts";
import { never, settled } from "../../../kit/site-bench.ts";

async function preview(pair: Pair, risks: readonly RiskName[] = [], target = group): Promise<Plan> {
  const asked = { by: "test", risks, urgency: "planned" } as const;
  const { clock } = pair.site;
  return await settled(clock, pair.agent.commands.previewRotation(target, asked, never));
}

const held = ({ notes }: Plan): readonly string[] =>
  notes.flatMap(({ code, about, text, next }) =>
    code === undefined ? [] : [`${code} ${about}: ${text} -> ${next}`],
  );
const counted = ({ steps }: Plan, link: string): number =>
  steps.filter((step) => step.link === `${group}/${link}`).length;

describe("a dry run", () => {
  it("a dry run writes nothing, and plans both links once the vault has newer keys", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const before = pair.agent.journal.records().length;
    const nothing = await preview(pair);
    expect([nothing.wouldChange, nothing.steps, held(nothing)]).toEqual([false, [], []]);
    expect(nothing.notes[0]?.text).toContain("newest key pair");
    pair.newKeys();
    const plan = await preview(pair);
    expect([plan.wouldChange, counted(plan, "primary"), counted(plan, "secondary")]).toEqual([
      true,
      6,
      6,
    ]);
    expect(held(plan)).toEqual([]);
    const one = await preview(pair, [], `${group}/secondary`);
    expect([counted(one, "primary"), counted(one, "secondary")]).toEqual([0, 6]);
    expect(pair.agent.journal.records().length).toBe(before);
    expect(pair.oracle.agentWrites).toBe(0);
  });

  it("a dry run names every risk that is not accepted, and one command for all", async () => {
    const pair = await Pair.adopted({
      overlap: "none",
      capabilities: { probe: undefined } as never,
      edit: (text) => text.replace("breakBeforeMake", "ownPathUnknown"),
    });
    pair.newKeys();
    const next = `linkseal rotate ${group} --accept-risk=breakBeforeMake,noProbe`;
    expect(held(await preview(pair))).toEqual([
      `gate.riskNotAccepted ${group}: the risk breakBeforeMake is not accepted -> ${next}`,
      `gate.riskNotAccepted ${group}: the risk noProbe is not accepted -> ${next}`,
    ]);
    const accepted = await preview(pair, ["breakBeforeMake", "noProbe"]);
    expect(held(accepted)).toEqual([]);
    // No precondition waits for it, and the proof would come too late.
    expect(accepted.notes.map(({ about, text }) => `${about} ${text}`)).toContainEqual(
      expect.stringMatching(/^erd-demo\/primary proof-too-slow: without probes 20 frames /),
    );
  });

  it("a dry run says when the window opens, unless that risk is accepted", async () => {
    const freeze = '    freeze: ["2026-01-01/2027-06-30"]';
    const edit = (text: string): string =>
      text.replace("    drain: prepend", `    drain: prepend\n${freeze}`);
    const pair = await Pair.adopted({ overlap: "keychain", edit });
    pair.newKeys();
    const [reason] = held(await preview(pair));
    expect(reason).toMatch(/^gate.window erd-demo: frozen until 2027-07-01T.* --now$/);
    expect(held(await preview(pair, ["outsideWindow"]))).toEqual([]);
  });

  it("a dry run shows a drain by hand and what it does to the sibling", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    await settled(pair.site.clock, pair.agent.commands.drain(`${group}/secondary`, "test", never));
    await pair.run(30_000);
    const [by, sibling] = held(await preview(pair));
    expect(by).toBe(
      `gate.busy ${group}/secondary: it was drained by hand -> ` +
        `linkseal undrain ${group}/secondary`,
    );
    expect(sibling).toMatch(/^gate.siblingUnhealthy erd-demo\/primary: secondary is not carrying/);
    const warning = pair.agent.status().warnings.find(({ code }) => code === "drained-by-hand");
    expect(warning).toMatchObject({
      about: `${group}/secondary`,
      text: expect.stringContaining("(test, since 2026-11-24T"),
      next: `linkseal undrain ${group}/secondary`,
    });
  });

  it("a dry run shows a sibling that does not carry, and a silent router", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    pair.link("secondary").fibre.setUp(false);
    await pair.run(30_000);
    const [first, second] = held(await preview(pair));
    expect(first).toContain("gate.siblingUnhealthy erd-demo/primary: secondary is not carrying");
    expect(second).toContain("erd-demo/secondary: ");
  });

  it("a dry run shows a campaign that runs", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    pair.newKeys();
    await pair.rotate();
    await pair.reach("primary proving");
    const [first] = held(await preview(pair));
    expect(first).toBe(
      `gate.busy ${group}: a campaign (rotate) runs on this group: proving -> ` +
        `linkseal rotation show ${group}`,
    );
  });

  it("a dry run shows no key of a link that is not managed", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const retired = pair.agent.commands.retireLink(`${group}/primary`);
    await pair.run(1_000);
    await retired;
    pair.newKeys();
    const plan = await preview(pair, [], `${group}/primary`);
    expect([plan.wouldChange, plan.notes[0]?.text]).toEqual([
      false,
      "it runs on no key of this agent, so there is none to rotate",
    ]);
  });
});

describe("a plan of a config that wants other settings", () => {
  it("a plan of other settings has steps at both ends of each link", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const wanted = pair.config((text) =>
      text.replaceAll("suite: gcm-aes-xpn-256", "suite: gcm-aes-xpn-256, includeSci: false"),
    );
    const answer = await settled(pair.site.clock, pair.agent.plan(wanted, "x.yaml", never));
    if (!("plan" in answer)) throw new Error("the config is valid");
    const { plan } = answer;
    expect(plan.steps.filter(({ link }) => link === `${group}/primary`)).toMatchObject([
      { state: "draining" },
      { state: "draining" },
      { state: "switching", risk: "breakBeforeMake", where: `${group} link1` },
      {
        state: "switching",
        preview: "~ macsec et-0/0/0 includeSci true -> false",
      },
      { state: "proving" },
      { state: "restoring" },
    ]);
    expect(plan.notes).toEqual([]);
  });

  it("a plan of settings that the driver sets without interruption has no campaign", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const wanted = pair.config((text) =>
      text.replaceAll("suite: gcm-aes-xpn-256", "suite: gcm-aes-xpn-256, replayWindow: 32"),
    );
    const answer = await settled(pair.site.clock, pair.agent.plan(wanted, "x.yaml", never));
    if (!("plan" in answer)) throw new Error("the config is valid");
    expect(answer.plan.config.settings.map(({ path, new: wanted }) => [path, wanted])).toEqual([
      [`groups[${group}].links[primary].macsec.replayWindow`, "32"],
      [`groups[${group}].links[secondary].macsec.replayWindow`, "32"],
    ]);
    expect(answer.plan.steps).toMatchObject(
      ["primary", "secondary"].map((name) => ({
        link: `${group}/${name}`,
        by: "reconcile",
        does: "change settings, which cannot interrupt the port",
        sends: { kind: "lines", lines: [expect.stringContaining('"replayWindow":32')] },
      })),
    );
  });
});
