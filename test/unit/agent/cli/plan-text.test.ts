// The text of a whole plan: the config first, authority before all else, then the devices.

import { describe, expect, it } from "vitest";
import { aboutText, configText, planText, sitePlanText } from "#agent/cli/plan-text.ts";
import type { Plan } from "#agent/compare/plan.ts";
import type { ConfigPart, SitePlan } from "#agent/compare/site-plan.ts";
import type { SettingChange } from "#agent/config/index.ts";

const repair: SettingChange = {
  ...{ path: "repair", old: "off", new: "on" },
  authority: "The agent itself mends drift.",
};
const poll: SettingChange = { path: "health.poll", old: "5s", new: "10s", authority: null };
const added: SettingChange = { path: "serve.page.listen", old: null, new: "x", authority: null };
const gone: SettingChange = { path: "groups[a].freeze", old: "y", new: null, authority: null };

const configOf = (over: Partial<ConfigPart>): ConfigPart => ({
  ...{ accepted: 3, sha256: "ab", compared: "differs", settings: [], ...over },
});

function planOf(over: Partial<SitePlan>): SitePlan {
  return {
    ...{ schema: "linkseal.plan/1", wouldChange: false, steps: [], notes: [], differs: true },
    config: configOf({}),
    agreed: { accepted: 3, sha256: "ab", states: {}, steps: [] },
    ...over,
  };
}

const step: Plan["steps"][number] = {
  ...{ n: 2, where: "edge-a", link: "erd-demo/primary", does: "follow", preview: "+ macsec" },
  ...{ darkMs: { low: 0, high: 0 }, risk: null },
};

describe("the config part of a plan", () => {
  it("changes of authority are marked, come first and say what they allow", () => {
    expect(configText(configOf({ settings: [repair, poll, added, gone] })).split("\n")).toEqual([
      "4 settings differ from config 3, which is in force.",
      "! What the agent may do by itself from then on:",
      "! repair: off -> on",
      "      The agent itself mends drift.",
      "~ health.poll: 5s -> 10s",
      "+ serve.page.listen: (absent) -> x",
      "- groups[a].freeze: y -> (absent)",
    ]);
  });

  it.each<[string, Partial<ConfigPart>, string]>([
    ["one setting", { settings: [poll] }, "1 setting differs from config 3"],
    ["the config in force", { compared: "inForce" }, "It is config 3, which is in force."],
    ["another layout", { compared: "respelled" }, "only comments, layout or order differ"],
    [
      "the first config",
      { accepted: null, compared: "first", settings: [repair, poll] },
      "this one has 2 settings.\n! What the agent may do by itself from then on:\n! repair",
    ],
  ])("%s is described", (_name, over, text) => {
    expect(configText(configOf(over))).toContain(text);
  });
});

describe("a whole plan", () => {
  it("there is nothing to do only if nothing differs", () => {
    const config = configOf({ compared: "inForce" });
    expect(sitePlanText(planOf({ config, differs: false }))).toBe(
      "Nothing to do: config 3 is in force, and both ends are as it wants them.",
    );
    const text = sitePlanText(planOf({ config: configOf({ settings: [repair] }) }));
    expect(text).not.toContain("Nothing to do");
    expect(text).toContain("On the devices nothing changes: both ends are as this config wants");
  });

  it("a limit of what is wanted is shown as one, and is nothing that was not done", () => {
    const note = { about: "hub-1", text: "IKEv1", next: "x", kind: "limit" } as const;
    const config = configOf({ compared: "inForce" });
    const text = sitePlanText(planOf({ config, differs: false, notes: [note] }));
    expect(text).toContain("limit: hub-1: IKEv1");
    expect(text).not.toContain("not done");
  });

  it.each<[string, Plan["steps"][number]["sends"], readonly string[]]>([
    [
      "lines",
      { kind: "lines", lines: ["interface et0", " macsec"] },
      ["     edge-a is sent:", "       | interface et0", "       |  macsec"],
    ],
    [
      "lines with words for what only the vault has",
      { kind: "lines", lines: ['"https://VAULT/secrets/a/newest"', "ckn CKN-OF-a"] },
      [
        "     edge-a is sent, with what the vault has then in place of VAULT, CKN-OF-NAME, newest:",
        ...['       | "https://VAULT/secrets/a/newest"', "       | ckn CKN-OF-a"],
      ],
    ],
    ["no line", { kind: "lines", lines: [] }, ["     edge-a has this already"]],
    [
      "those of a step before",
      { kind: "undoes", step: 1 },
      ["     takes the lines of step 1 away again"],
    ],
    [
      "what is not known",
      { kind: "unknown", why: "it is locked" },
      ["     what edge-a is sent is not known: it is locked"],
    ],
    ["nothing", undefined, []],
  ])("a step shows what its device is sent: %s", (_name, sends, lines) => {
    const shown = sends === undefined ? step : { ...step, sends };
    expect(planText(planOf({ steps: [shown] })).split("\n")).toEqual([
      "2. erd-demo/primary: follow (at edge-a)",
      "     + macsec",
      ...lines,
    ]);
  });
});

describe("a duration", () => {
  it.each([
    ["about 2 min", 121_000, 122_000, 124_000, "measured"],
    ["about 2 min (not measured yet)", 121_000, 122_000, 124_000, "firstRun"],
    ["about 90 s (60 s to 5 min, not measured yet)", 60_000, 90_000, 300_000, "firstRun"],
    ["about 5.0 s (up to 12 s)", 0, 5_000, 12_000, "measured"],
    ["30 s", 30_000, 30_000, 30_000, "measured"],
  ] as const)("%s is written once", (text, low, likely, high, basis) => {
    expect(aboutText({ low, likely, high, basis })).toBe(text);
  });
});
