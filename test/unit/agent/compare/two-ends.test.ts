// Differences between the two ends of a link: `status` warns of them, and `plan` lists the steps.

import { describe, expect, it } from "vitest";
import { planText } from "#agent/cli/plan-text.ts";
import type { Plan } from "#agent/compare/plan.ts";
import { Pair } from "../../kit/rotate-kit.ts";

function drift(pair: Pair): readonly string[] {
  return pair.agent
    .status()
    .warnings.filter(({ code }) => code === "drift")
    .map(({ about, text }) => `${about}: ${text}`);
}

async function planOf(pair: Pair): Promise<Plan> {
  const { plan } = (await pair.ask("POST /v1/plan", { text: pair.config() })) as { plan: Plan };
  return plan;
}

describe("status", () => {
  const slips: readonly (readonly [string, (pair: Pair) => () => void, RegExp])[] = [
    [
      "the identity of the port",
      (pair) => {
        pair.link("primary").msee.setPort({ identity: "missing" });
        return () => pair.link("primary").msee.setPort({ identity: "present" });
      },
      /link1 of erd-demo: no user-assigned identity/,
    ],
    [
      "the speed of the port",
      (pair) => {
        pair.link("primary").msee.setPort({ bandwidthGbps: 40 });
        return () => pair.link("primary").msee.setPort({ bandwidthGbps: 100 });
      },
      /the config says 100 Gbit\/s, and link1 of erd-demo has 40 Gbit\/s/,
    ],
    [
      "the SCI of one link",
      (pair) => {
        const { msee, azureLink } = pair.link("primary");
        msee.manualEdit(azureLink, { sci: "off" });
        return () => msee.manualEdit(azureLink, { sci: "on" });
      },
      /link1: the far end has SCI off/,
    ],
  ];
  it.each(slips)("status warns of %s until it is corrected", async (_name, slip, text) => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    await pair.run(120_000);
    expect(drift(pair)).toEqual([]);
    const heal = slip(pair);
    await pair.run(180_000);
    expect(drift(pair).join("\n")).toMatch(text);
    heal();
    await pair.run(180_000);
    expect(drift(pair)).toEqual([]);
    expect([pair.violations(), pair.oracle.agentWrites]).toEqual([[], 0]);
  });
});

describe("the plan", () => {
  it("the plan lists what the far end needs as a step for a person", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const { msee, azureLink } = pair.link("primary");
    msee.manualEdit(azureLink, { sci: "off", suite: "gcm-aes-256" });
    await pair.run(80_000);
    const plan = await planOf(pair);
    expect(plan.wouldChange).toBe(false);
    expect(plan.steps).toMatchObject([
      {
        n: 1,
        where: "erd-demo link1",
        link: "erd-demo/primary",
        by: "person",
        preview: "~ cipher GcmAesXpn256, sciState Enabled",
      },
    ]);
    expect(planText(plan)).toContain("(at erd-demo link1, by a person, link down for");
  });

  it("the plan names the version to return to, and notes what no step mends", async () => {
    const pair = await Pair.adopted({ overlap: "keychain" });
    const { msee, azureLink, key } = pair.link("primary");
    const [before] = pair.site.vault.pairs(key);
    msee.manualEdit(azureLink, { key: pair.site.vault.generatePair(key, "gcm-aes-xpn-256") });
    msee.setPort({ lag: { members: 1, least: 2 } });
    await pair.run(80_000);
    const { steps, notes } = await planOf(pair);
    expect(steps[0]?.preview).toContain(`cakSecretIdentifier ${before?.cakSecretId}`);
    expect(notes.map(({ text }) => text).join("\n")).toMatch(/1 ports, of which 2 must carry/);
  });

  it("the plan of a first key has steps at both ends in one document", async () => {
    const pair = new Pair("clear", "both ends");
    await pair.live();
    const { steps, wouldChange } = await planOf(pair);
    expect(wouldChange).toBe(true);
    const places = new Set(steps.map(({ where }) => where));
    for (const where of ["edge-a", "erd-demo link1", "edge-b", "erd-demo link2"]) {
      expect(places).toContain(where);
    }
  });
});
