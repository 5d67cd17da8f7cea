// What an operator is asked to set at the far end: in which states, and with which values.

import { describe, expect, it } from "vitest";
import { type CampaignState, campaignStates, type Overlap } from "#agent/model/campaign.ts";
import type { FarEnd, Reason } from "#agent/model/reason.ts";
import { type FarEndScene, type FarEndTask, farEndTask } from "#agent/rotation/far-end-task.ts";
import type { KeyRef } from "#hal/model.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { ckn } from "../../kit/site-bench.ts";

const subscription = "11111111-2222-3333-4444-555555555555";
const resource =
  `/subscriptions/${subscription}/resourceGroups/edge/providers/Microsoft.Network/` +
  "expressRoutePorts/erd-dub";
const id = (name: string, digit: string): string =>
  `https://kv-erd.vault.azure.net/secrets/${name}/${digit.repeat(32)}`;
const keyOf = (digit: string): KeyRef => ({
  ckn: ckn(digit),
  cakSecretId: id("erd-1-cak", digit),
  cknSecretId: id("erd-1-ckn", digit),
});

const told: Reason = { code: "staged.tellPerson" };

interface Over {
  readonly state?: CampaignState;
  readonly kind?: "rotate" | "enrol" | "change";
  readonly reason?: Reason;
  readonly goal?: "forward" | "revert";
  readonly claimed?: boolean;
  readonly far?: FarEnd;
  readonly drained?: boolean;
  readonly dark?: boolean;
  readonly held?: FarEndScene["held"];
  readonly overlap?: Overlap;
  readonly cloud?: FarEndScene["azure"]["cloud"];
  readonly farEnd?: "manual" | "agent";
}

function sceneOf(over: Over = {}): FarEndScene {
  const { state = "switching", kind = "rotate", reason = told, goal = "forward" } = over;
  const base = campaignOf(state, { kind, reason, goal, claimed: over.claimed ?? false });
  const links = base.links.map((link) => ({
    ...link,
    old: link.old === undefined ? undefined : { ...link.old, key: keyOf("a") },
    new: { ...link.new, key: keyOf("b") },
    ...(over.overlap && { overlap: over.overlap }),
  }));
  return {
    campaign: { ...base, links },
    azure: { cloud: over.cloud ?? "public", farEnd: over.farEnd ?? "manual" },
    resource,
    azureLink: "link2",
    far: over.far ?? "old",
    drained: over.drained ?? true,
    dark: over.dark ?? false,
    held: "held" in over ? over.held : [ckn("a"), ckn("b")],
  };
}

const task = (over: Over = {}): FarEndTask | null => farEndTask(sceneOf(over));

describe("the far end that a person changes", () => {
  it.each(campaignStates.map((state) => [state] as const))(
    "the command is shown in switching alone, and not in %s otherwise",
    (state) => {
      const now = task({ state })?.when === "now";
      expect(now).toBe(state === "switching");
      expect(task({ state })?.command ?? null).toBe(now ? (task()?.command ?? "") : null);
    },
  );

  it.each<readonly [CampaignState, FarEndTask["when"] | undefined]>([
    ["queued", "notYet"],
    ["gated", "notYet"],
    ["draining", "notYet"],
    ["staging", "notYet"],
    ["staged", "notYet"],
    ["awaitingPeer", "notYet"],
    ["switching", "now"],
    ["proving", undefined],
    ["promoting", undefined],
    ["retiring", undefined],
    ["restoring", undefined],
    ["reverting", undefined],
    ["held", undefined],
    ["done", undefined],
  ])("a campaign in %s, with a far end as before, has the task %s", (state, when) => {
    expect(task({ state })?.when).toBe(when);
  });

  it("both ids, the cipher and the SCI are those of the campaign's new pair", () => {
    expect(task()).toMatchObject({
      ...{ when: "now", to: "new", link: "link2", resource, cloud: "AzureCloud", note: null },
      ...{ cakSecretId: id("erd-1-cak", "b"), cknSecretId: id("erd-1-ckn", "b") },
      ...{ cipher: "GcmAesXpn256", sciState: "Enabled", drained: true },
    });
  });

  it.each<readonly [string, Over, FarEndTask["when"] | undefined]>([
    ["the link is not drained", { drained: false }, "notYet"],
    ["the far end has moved", { far: "new" }, undefined],
    ["the far end has nothing to do", { far: "either" }, undefined],
    ["the far end is being changed", { far: "updating" }, undefined],
    [
      "the router is not ready",
      { reason: { code: "switching.unready", cause: { code: "router.unread" } } },
      "notYet",
    ],
    ["the agent changes the far end", { farEnd: "agent" }, undefined],
    ["the router was not ready, and is now", { reason: { code: "switching.personWaits" } }, "now"],
    ["one key, validated", { reason: { code: "draining.validated" } }, "now"],
    [
      "the far end cannot be read",
      { far: "unknown", reason: { code: "switching.farUnsettled" } },
      "now",
    ],
    [
      "the operator has reported the change",
      { far: "unknown", claimed: true, reason: { code: "operator.proceed", by: "ops" } },
      "notYet",
    ],
  ])("in switching, if %s, the task is as it should be", (_name, over, when) => {
    expect(task(over)?.when).toBe(when);
  });

  it("an enrolment and a change get the new settings", () => {
    for (const kind of ["enrol", "change"] as const) {
      expect(task({ kind })).toMatchObject({ to: "new", cakSecretId: id("erd-1-cak", "b") });
    }
  });
});

describe("the way back of a far end that a person changes", () => {
  const back: Over = { state: "held", goal: "revert", reason: { code: "reverting.farByHand" } };

  it("the command of the way back has the old ids", () => {
    const found = task({ ...back, far: "new" });
    expect(found).toMatchObject({ when: "now", to: "old", cakSecretId: id("erd-1-cak", "a") });
    expect(found?.command).toContain(id("erd-1-ckn", "a"));
  });

  it.each<readonly [string, Over, FarEndTask["when"] | undefined]>([
    [
      "a third pair is there",
      { ...back, far: "other", reason: { code: "reverting.farOther" } },
      "now",
    ],
    ["the far end is back", { ...back, far: "old" }, undefined],
    ["it is on its way", { ...back, far: "updating" }, undefined],
    [
      "another reason holds it",
      { ...back, far: "new", reason: { code: "proving.strange" } },
      undefined,
    ],
    ["it goes back", { state: "reverting", goal: "revert", far: "new" }, "notYet"],
    ["it is about to go back", { state: "gated", goal: "revert", far: "new" }, "notYet"],
    ["nothing is to go back", { state: "gated", goal: "revert", far: "old" }, undefined],
    ["there is no old pair", { ...back, kind: "enrol", far: "new" }, undefined],
  ])("on the way back, if %s, the task is as it should be", (_name, over, when) => {
    expect(task(over)?.when).toBe(when);
  });

  const moved: Over = { ...back, far: "new" };
  it.each<readonly [string, Over, FarEndTask["when"]]>([
    ["an undrained link that may carry", { ...moved, drained: false }, "notYet"],
    ["an undrained link that is dark", { ...moved, drained: false, dark: true }, "now"],
    [
      "a router without the old pair",
      { ...moved, overlap: "keychain", held: [ckn("b")] },
      "notYet",
    ],
    ["a router without the new pair", { overlap: "keychain", held: [ckn("a")] }, "notYet"],
    ["a router that is not read", { ...moved, held: undefined }, "notYet"],
    [
      "a router of one key that is not read",
      { overlap: "breakBeforeMake", held: undefined },
      "notYet",
    ],
    [
      "a router of one key, which follows the far end",
      { overlap: "breakBeforeMake", held: [ckn("a")] },
      "now",
    ],
  ])("the command for %s is shown only if it is safe", (_name, over, when) => {
    const found = task(over);
    expect([found?.when, found?.command !== null]).toEqual([when, when === "now"]);
  });
});

describe("the cloud of the command", () => {
  it.each([
    ["public", "AzureCloud"],
    ["usgovernment", "AzureUSGovernment"],
    ["china", "AzureChinaCloud"],
    ["loopback", null],
  ] as const)("in %s the command names the cloud %s", (cloud, name) => {
    expect(task({ cloud })).toMatchObject({ cloud: name, command: expect.stringMatching(/^az /) });
  });

  it("a simulated site names the fault that plays the person, and the campaign's pair", () => {
    const fault = (name: string, digit: string): string =>
      `linkseal sim fault ${name} --link erd-demo/primary --cak ${versionOf(digit)}`;
    const versionOf = (digit: string): string => id("erd-1-cak", digit).split("/").at(-1) ?? "";
    expect(task({ cloud: "sim" })).toMatchObject({
      ...{ command: null, note: fault("far-ahead", "b") },
    });
    const back = { state: "held", goal: "revert", far: "new" } as const;
    const reason = { code: "reverting.farByHand" } as const;
    expect(task({ ...back, reason, cloud: "sim" })).toMatchObject({
      ...{ command: null, note: fault("far-back", "a") },
    });
  });
});
