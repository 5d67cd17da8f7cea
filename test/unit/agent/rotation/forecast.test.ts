// What a campaign is expected to do and to take: each overlap, both far ends, what was measured.

import { describe, expect, it } from "vitest";
import type { Campaign, CampaignState } from "#agent/model/campaign.ts";
import { type ForecastStep, forecast } from "#agent/rotation/forecast.ts";
import { rest, stepsAhead } from "#agent/rotation/steps-left.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";
import { afterSoak, drainedBy, inputOf, manual, shuts, type Wish } from "./forecast-kit.ts";

const stepsOf = (wish: Wish): readonly ForecastStep[] =>
  forecast(inputOf(wish)).filter(({ link }) => link === "erd-demo/primary");
const statesOf = (wish: Wish): string =>
  stepsOf(wish)
    .map(({ state }) => state)
    .join(" ");

const undrained = drainedBy("none");

const likely = (step: ForecastStep | undefined): number =>
  step === undefined || step.dark === null ? 0 : step.dark.theirs.likely + step.dark.ours.likely;
const darkOf = (wish: Wish): readonly string[] =>
  stepsOf(wish).flatMap((step) => (step.dark === null ? [] : [step.state]));

describe("the order of the steps", () => {
  const whole = "draining staging switching proving";
  it.each<readonly [string, Wish, string]>([
    ["a key chain", { overlap: "keychain" }, `${whole} retiring restoring`],
    ["a fallback key", { overlap: "fallback" }, `${whole} promoting proving retiring restoring`],
    [
      "break before make",
      { overlap: "breakBeforeMake" },
      "draining draining switching switching proving restoring",
    ],
    [
      "a person, with both keys waiting",
      { overlap: "keychain", edit: manual },
      "draining staging restoring awaitingPeer draining switching proving retiring restoring",
    ],
    [
      "a person, and nothing of ours on the router",
      { overlap: "breakBeforeMake", edit: manual },
      "awaitingPeer draining draining switching switching proving restoring",
    ],
    [
      "a soak before the old key goes",
      { overlap: "keychain", edit: afterSoak },
      `${whole} restoring draining proving retiring restoring`,
    ],
    [
      "an emergency, which has no soak and a fresh SAK",
      { overlap: "keychain", edit: afterSoak, urgency: "emergency" },
      `${whole} retiring proving restoring`,
    ],
    [
      "no drain",
      { overlap: "keychain", edit: undrained },
      "staging switching proving retiring restoring",
    ],
  ])("the order of the steps with %s", (_name, wish, states) =>
    expect(statesOf(wish)).toBe(states),
  );

  it("a forecast takes one link after the other", () => {
    const links = forecast(inputOf({ overlap: "keychain" })).map(({ link }) => link);
    expect(links).toEqual([...links].sort());
    expect(new Set(links).size).toBe(2);
  });
});

describe("dark time", () => {
  it("a router with both keys is dark only while the far end switches", () => {
    expect(darkOf({ overlap: "keychain" })).toEqual(["switching"]);
    expect(darkOf({ overlap: "fallback" })).toEqual(["switching"]);
  });

  it("dark time is split between both ends where the router has to follow", () => {
    const [far, own] = stepsOf({ overlap: "breakBeforeMake" }).filter(({ dark }) => dark !== null);
    expect([far?.where, own?.where]).toEqual(["erd-demo link1", "edge-a"]);
    expect([far?.dark?.ours.high, own?.dark?.theirs.high]).toEqual([0, 0]);
    expect([far?.risk, own?.risk]).toEqual(["breakBeforeMake", "breakBeforeMake"]);
    expect(likely(own)).toBeGreaterThan(likely(far));
  });

  it("a router that shuts its port for keys is dark at each change of keys", () => {
    const wish = { overlap: "fallback", edit: shuts } as const;
    expect(darkOf(wish)).toEqual(["staging", "switching", "promoting", "retiring"]);
  });

  it("dark time costs frames only where the link is not drained", () => {
    const [step] = stepsOf({ overlap: "keychain", edit: undrained }).filter((each) => each.dark);
    expect([step?.dark?.drained, step?.risk]).toEqual([false, "noDrain"]);
    const [drained] = stepsOf({ overlap: "keychain" }).filter((each) => each.dark);
    expect([drained?.dark?.drained, drained?.risk]).toEqual([true, null]);
  });

  it("a change of the router alone has no dark time of the far end", () => {
    const over = (campaign: Campaign): Campaign => ({
      ...campaign,
      links: campaign.links.map((link) => ({
        ...link,
        new: { ...link.new, settings: { ...link.new.settings, keyServerPriority: 20 } },
      })),
    });
    const steps = stepsOf({ overlap: "breakBeforeMake", kind: "change", over });
    expect(steps.map(({ state }) => state).join(" ")).toBe(
      "draining draining switching proving restoring",
    );
    expect(steps.every(({ dark }) => dark === null || dark.theirs.high === 0)).toBe(true);
    expect(steps[2]?.preview).toBe("~ macsec et-0/0/0 keyServerPriority 16 -> 20");
  });
});

describe("what was measured", () => {
  const measures = {
    "commit edge-a": [900, 1_100, 7_000],
    "farEnd erd-demo/primary": [20_000, 22_000, 90_000],
    "ours erd-demo/primary": [4_000, 5_000, 9_000],
  };

  it("measured durations replace the defaults, and each says which it is", () => {
    const find = (wish: Wish, state: CampaignState) =>
      stepsOf(wish).find((step) => step.state === state);
    const first = find({ overlap: "keychain" }, "switching");
    expect(first?.takes.basis).toBe("firstRun");
    const later = find({ overlap: "keychain", measures }, "switching");
    // A measured time does not bound the next one: it is widened by a fifth and a quarter.
    expect(later?.takes).toEqual({ low: 16_000, likely: 22_000, high: 112_500, basis: "measured" });
    expect(later?.dark?.ours).toMatchObject({ likely: 5_000, basis: "measured" });
    const retiring = find({ overlap: "keychain", measures }, "retiring");
    expect(retiring?.takes.basis).toBe("measured");
    expect(retiring?.takes.high).toBeGreaterThan(7_000);
  });

  it("a link without measures takes those of the other link", () => {
    const { "farEnd erd-demo/primary": far } = measures;
    const wish = { overlap: "keychain", measures: { "farEnd erd-demo/secondary": far } } as const;
    const step = stepsOf(wish).find(({ state }) => state === "switching");
    expect(step?.takes.likely).toBe(22_000);
  });
});

describe("what is left", () => {
  const steps = forecast(inputOf({ overlap: "keychain", edit: afterSoak }));
  const left = (state: CampaignState, over: Partial<Campaign> = {}): number | undefined =>
    rest(campaignOf(state, { kind: "rotate", ...over }, "keychain"), steps)?.likely;

  it("the time that is left shrinks from state to state and from link to link", () => {
    const whole = steps.reduce((total, { takes }) => total + takes.likely, 0);
    expect(left("gated")).toBe(whole);
    const times = (["draining", "staging", "switching", "proving"] as const).map((s) => left(s));
    const soaked = (["draining", "proving", "retiring", "restoring"] as const).map((state) =>
      left(state, { soaked: true }),
    );
    const all = [...times, ...soaked, left("gated", { at: 1 }), left("restoring", { at: 1 })];
    expect(all).toEqual([...all].sort((a, b) => (b ?? 0) - (a ?? 0)));
    expect(new Set(all).size).toBe(all.length);
  });

  it("the time that is left is counted from the present pass of the link", () => {
    const input = inputOf({ overlap: "keychain", edit: (text) => afterSoak(manual(text)) });
    const all = forecast(input);
    const restOf = (over: Partial<Campaign>): number | undefined =>
      rest(campaignOf("gated", { kind: "rotate", ...over }, "keychain"), all)?.likely;
    const passes = [restOf({}), restOf({ asked: true }), restOf({ asked: true, soaked: true })];
    expect(passes).toEqual([...passes].sort((a, b) => (b ?? 0) - (a ?? 0)));
    expect(new Set(passes).size).toBe(3);
  });

  it("the time that is left is that of the present link and of all later ones", () => {
    const measures = { "commit edge-a": [9_000] };
    const all = forecast(inputOf({ overlap: "keychain", measures }));
    const of = (name: string, from = 0): number =>
      all
        .filter(({ link }) => link === `erd-demo/${name}`)
        .slice(from)
        .reduce((total, { takes }) => total + takes.likely, 0);
    const restAt = (state: CampaignState, at: number): number | undefined =>
      rest(campaignOf(state, { kind: "rotate", at }, "keychain"), all)?.likely;
    expect(of("primary")).toBeGreaterThan(of("secondary"));
    expect(restAt("switching", 0)).toBe(of("primary", 2) + of("secondary"));
    expect(restAt("switching", 1)).toBe(of("secondary", 2));
  });

  it("the steps to come begin after the present state, and go on with the later links", () => {
    const all = forecast(inputOf({ overlap: "keychain" }));
    const of = (name: string) => all.filter(({ link }) => link === `erd-demo/${name}`);
    const proving = of("primary").findIndex(({ state }) => state === "proving");
    const stepsAt = (state: CampaignState) =>
      stepsAhead(campaignOf(state, { kind: "rotate" }, "keychain"), all);
    expect(stepsAt("switching")).toEqual([...of("primary").slice(proving), ...of("secondary")]);
    expect([stepsAt("held"), stepsAt("done")]).toEqual([[], []]);
  });

  it("the time that is left after proceed is that of the steps after it", () => {
    const all = forecast(inputOf({ overlap: "keychain", edit: manual }));
    const own = all.filter(({ link }) => link === "erd-demo/primary");
    const from = own.findIndex(({ state }) => state === "awaitingPeer") + 1;
    const links = campaignOf("gated", { kind: "rotate" }, "keychain").links.slice(0, 1);
    const campaign = campaignOf("gated", { kind: "rotate", asked: true, links }, "keychain");
    const expected = own.slice(from).reduce((total, { takes }) => total + takes.likely, 0);
    expect([from, rest(campaign, all)?.likely]).toEqual([4, expected]);
  });

  it("the time that is left after the soak without a drain begins with the last proof", () => {
    const edit = (text: string): string => afterSoak(text).replace("drain: prepend", "drain: none");
    const accept = (text: string): string =>
      text.replace("acceptRisks:", "acceptRisks:\n  - { risk: noDrain, until: 2027-11-24 }");
    const all = forecast(inputOf({ overlap: "keychain", edit: (text) => accept(edit(text)) }));
    const own = all.filter(({ link }) => link === "erd-demo/primary");
    expect(own.map(({ state }) => state).join(" ")).toBe(
      "staging switching proving restoring proving retiring restoring",
    );
    const links = campaignOf("gated", { kind: "rotate" }, "keychain").links.slice(0, 1);
    const campaign = campaignOf("gated", { kind: "rotate", soaked: true, links }, "keychain");
    const expected = own.slice(4).reduce((total, { takes }) => total + takes.likely, 0);
    expect(rest(campaign, all)?.likely).toBe(expected);
  });

  it.each<readonly [CampaignState, Partial<Campaign>]>([
    ["held", {}],
    ["reverting", {}],
    ["done", {}],
    ["draining", { goal: "revert" }],
  ])("the time that is left is not known in %s %j", (state, over) =>
    expect(left(state, over)).toBeUndefined(),
  );
});

describe("every text", () => {
  it("a preview names a key only by its CKN and its secret versions", () => {
    for (const overlap of ["keychain", "fallback", "breakBeforeMake"] as const) {
      for (const { preview } of stepsOf({ overlap })) {
        expect(preview).not.toMatch(/[0-9a-f]{32}/i);
      }
    }
    const staged = stepsOf({ overlap: "fallback" }).find(({ state }) => state === "staging");
    expect(staged?.preview).toBe("+ pre-shared key 11111111…1111 as fallback [secret cak]");
  });
});
