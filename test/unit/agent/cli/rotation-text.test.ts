// A campaign as text: what it waits for, and what an operator may do.

import { describe, expect, it } from "vitest";
import { campaignText } from "#agent/cli/rotation-text.ts";
import { campaignLines } from "#agent/cli/status-text.ts";
import { reasonText } from "#agent/model/reason-text.ts";
import type { CampaignShape } from "#agent/rotation/campaign-shape.ts";

const at = "2026-11-24T10:00:00Z";
const free = { code: "queued.free" } as const;
const toGated = { state: "gated", because: reasonText(free), reason: free } as const;

describe("a campaign in full", () => {
  const campaign: CampaignShape = {
    schema: "linkseal.campaign/1",
    group: "erd-demo",
    kind: "rotate",
    goal: "forward",
    urgency: "planned",
    link: "primary",
    state: "awaitingPeer",
    since: at,
    because: "a person must point the far end at the new key",
    reason: { code: "gated.askPerson" },
    by: "ops",
    heldFrom: null,
    links: [
      { name: "primary", outcome: null, ckn: "c0ffee", cakSecretId: "CAK/1", cknSecretId: "CKN/1" },
    ],
    farEnd: {
      ...{ resource: "erd-demo", link: "link1", cakSecretId: "CAK/1", cknSecretId: "CKN/1" },
      ...{ cipher: "GcmAesXpn256", sciState: "Enabled", when: "notYet", to: "new" },
      ...{ drained: false, command: null, cloud: "AzureCloud", note: null },
    },
    steps: [{ at, link: "primary", ...toGated }],
    until: null,
    ahead: [],
    restMs: { low: 60_000, likely: 90_000, high: 300_000, basis: "firstRun" },
  };

  it("a campaign shows what it waits for, the time left, its commands and its steps", () => {
    expect(campaignText(campaign, at).split("\n")).toEqual([
      "rotate erd-demo/primary: awaitingPeer for 0.0 s: a person must point the far end at the " +
        "new key",
      "  by ops",
      "  far end: link1 gets the new pair: not yet, its command is shown here once that is safe",
      "           CAK CAK/1",
      "           CKN CKN/1",
      "           cipher GcmAesXpn256, SCI Enabled",
      "  next: linkseal rotation proceed erd-demo",
      "  what is left takes about 90 s (60 s to 5 min, not measured yet)",
      "  allowed now: linkseal rotation revert erd-demo",
      "  allowed now: linkseal rotation abandon erd-demo",
      `  ${at}  primary  waiting for checks  no other campaign runs in this group`,
    ]);
  });

  it("after proceed it does not ask for proceed again, and offers no way back (it did)", () => {
    const reason = { code: "operator.proceed", by: "ops" } as const;
    const sent = { ...campaign, reason, because: reasonText(reason) };
    const lines = campaignText(sent, "2026-11-24T10:00:18Z").split("\n");
    expect(lines[0]).toBe(
      "rotate erd-demo/primary: the operator sent proceed (ops); it goes on within seconds",
    );
    expect(lines).toContain("  next: linkseal rotation show erd-demo");
    expect(lines.join("\n")).not.toMatch(/awaitingPeer|allowed now|rotation proceed/);
  });

  it.each([
    ["queued", "rotate", ["abandon"]],
    ["held", "rotate", ["revert", "abandon"]],
    ["held", "enrol", ["abandon"]],
    ["proving", "rotate", []],
    ["done", "rotate", []],
  ] as const)("a campaign in %s of kind %s lists the commands %j", (state, kind, verbs) => {
    const text = campaignText({ ...campaign, state, kind, restMs: null }, at);
    const reported = [...text.matchAll(/allowed now: linkseal rotation (\w+) erd-demo/g)];
    expect(reported.map(([, verb]) => verb)).toEqual(verbs);
  });

  it("an abandoned campaign lists revert, and one that goes back says so", () => {
    const [link] = campaign.links;
    if (link === undefined) throw new Error("it has a link");
    const left = {
      ...campaign,
      state: "done",
      links: [{ ...link, outcome: "abandoned" }],
    } as const;
    expect(campaignText(left, at)).toContain("allowed now: linkseal rotation revert erd-demo");
    const back = { ...campaign, goal: "revert", urgency: "emergency" } as const;
    expect(campaignText(back, at)).toContain("  by ops, emergency, going back to the old key");
  });

  const command = "az network express-route port link update --name link1";
  const asked = (change: Partial<NonNullable<CampaignShape["farEnd"]>>): readonly string[] => {
    const { farEnd } = campaign;
    if (farEnd === null) throw new Error("it has a task");
    const task = { ...farEnd, when: "now", drained: true, command, ...change } as const;
    return campaignText({ ...campaign, state: "switching", farEnd: task }, at).split("\n");
  };

  // The ids were shown while the campaign waited, and were gone when the change was due.
  it("a campaign that waits for the far end shows the command on a line of its own", () => {
    expect(asked({}).slice(2, 5)).toEqual([
      "  far end: give link1 the new pair now, signed in to AzureCloud, by this command, which " +
        "reads the port when it",
      "  runs and leaves the other link as it is then:",
      `  ${command}`,
    ]);
    expect(asked({ cloud: null, to: "old" })[2]).toBe(
      "  far end: give link1 the old pair again now, by this command, which reads the port when it",
    );
  });

  it("a campaign without a command shows the values and what to do", () => {
    const lines = asked({ command: null, note: "linkseal sim fault far-ahead" });
    expect(lines.slice(2, 7)).toEqual([
      "  far end: give link1 the new pair now",
      "           CAK CAK/1",
      "           CKN CKN/1",
      "           cipher GcmAesXpn256, SCI Enabled",
      "  with: linkseal sim fault far-ahead",
    ]);
  });

  it("a link that is not drained is named as such beside the command", () => {
    expect(asked({ drained: false })).toContain(
      "  the link is not drained, and carries nothing now",
    );
    expect(asked({ drained: true }).join("\n")).not.toContain("not drained");
  });

  it("a status leads to the command, and does not show it", () => {
    const { farEnd } = campaign;
    const task = farEnd === null ? null : ({ ...farEnd, when: "now", command } as const);
    const lines = campaignLines({ ...campaign, state: "switching", farEnd: task }, at);
    expect(lines.at(-1)).toBe("  next: linkseal rotation show erd-demo");
    expect(lines.join("\n")).not.toContain("az network");
  });
});
