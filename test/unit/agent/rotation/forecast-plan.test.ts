// The whole plan as an operator reads it: what each step does, where, how long, at what risk.

import { describe, expect, it } from "vitest";
import type { Campaign } from "#agent/model/campaign.ts";
import { type Estimate, type ForecastInput, forecast } from "#agent/rotation/forecast.ts";
import type { WantedSettings } from "#hal/model.ts";
import { afterSoak, drainedBy, inputOf, manual, shuts, type Wish } from "./forecast-kit.ts";

function planOf(wish: Wish, over: Partial<ForecastInput> = {}): readonly string[] {
  const all = forecast({ ...inputOf(wish), ...over });
  const steps = all.filter(({ link }) => link !== "erd-demo/secondary");
  for (const { dark, darkMs } of steps) {
    const [theirs, ours] = [dark?.theirs, dark?.ours];
    const whole = (end: "low" | "high") => (theirs?.[end] ?? 0) + (ours?.[end] ?? 0);
    expect(darkMs).toEqual({ low: whole("low"), high: whole("high") });
  }
  return steps.map((step) => {
    const { state, where, does, preview, takes, dark, risk } = step;
    const hidden =
      dark === null
        ? ""
        : ` dark ${range(dark.theirs)} + ${range(dark.ours)}${dark.drained ? "" : " undrained"}`;
    const risky = risk === null ? "" : ` risk ${risk}`;
    return `${state} ${where}: ${does} | ${preview} | ${range(takes)}${hidden}${risky}`;
  });
}

const range = ({ low, likely, high, basis }: Estimate): string =>
  `${low}-${likely}-${high} ${basis}`;

const key = "11111111…1111";
const stage = `staging edge-a: add the next key beside the present one | + pre-shared key ${key}`;
const lines = {
  drain:
    "draining edge-a: move the traffic to secondary | + prepend on et-0/0/0 | " +
    "34100-36000-60000 firstRun",
  stage: `${stage} [secret cak] | 1400-4000-42000 firstRun`,
  stageBelow: `${stage} as fallback [secret cak] | 1400-4000-42000 firstRun`,
  prove:
    "proving edge-a: prove it by MKA and by counters, without a gap | " +
    `? 20 protected frames each way under ${key} | 18600-19500-25000 fixed`,
  promote:
    "promoting edge-a: make the next key the primary one | " +
    `~ pre-shared key ${key} becomes primary | 800-2500-35000 firstRun`,
  retire:
    "retiring edge-a: take the old key away | - pre-shared key 33333333…3333 | " +
    "1300-3500-37000 firstRun",
  restore:
    "restoring edge-a: bring the traffic back | - prepend on et-0/0/0 | " +
    "121300-123500-157000 firstRun",
  watch:
    "restoring edge-a: watch it carry for the soak time | = et-0/0/0 | 120600-121500-127000 fixed",
  prepare:
    "draining edge-a: validate what follows on the candidate; what runs stays as it is | " +
    `? macsec et-0/0/0 key 33333333…3333 -> ${key} [secret cak] | 700-1500-12000 fixed`,
  person:
    "awaitingPeer erd-demo link1: wait for a person: linkseal rotation proceed erd-demo | " +
    "= the link carries meanwhile, as long as it takes | 0-0-0 fixed",
};
const far = (
  dark: string,
  does = "give the far end",
  takes = "10000-30000-1800000 firstRun",
): string =>
  `switching erd-demo link1: ${does} the next key | ` +
  "~ macSecConfig gcm-aes-xpn-256 sci on erd-demo-1-ckn/1 erd-demo-1-cak/1 | " +
  `${takes} dark 500-1500-5000 fixed + ${dark}`;
const asks = "wait for a person to give the far end";
const joins = "0-1000-4000 firstRun";
const breaks = "0-0-0 fixed risk breakBeforeMake";
const follow = (takes: string, dark: string): string =>
  "switching edge-a: follow as soon as the far end has moved and the link has dropped | " +
  `~ macsec et-0/0/0 key 33333333…3333 -> ${key} [secret cak] | ` +
  `${takes} dark 0-0-0 fixed + ${dark} risk breakBeforeMake`;
const followed = follow("2100-5000-35000 firstRun", "2000-5500-35000 firstRun");

describe("the plan of a rotation", () => {
  const { drain, prove, promote, retire, restore, prepare, person } = lines;
  it.each<readonly [string, Wish, readonly string[]]>([
    [
      "a key chain",
      { overlap: "keychain" },
      [drain, lines.stage, far(joins), prove, retire, restore],
    ],
    [
      "a key chain, and a person at the far end",
      { overlap: "keychain", edit: manual },
      [
        drain,
        lines.stage,
        restore.replace("121300-123500-157000", "1300-3500-37000"),
        person,
        drain,
        far(joins, asks),
        ...[prove, retire, restore],
      ],
    ],
    [
      "a fallback key, and a soak",
      { overlap: "fallback", edit: afterSoak },
      [
        ...[drain, lines.stageBelow, far(joins), prove, promote, prove],
        restore.replace("back |", "back and let it soak |"),
        ...[drain, prove, retire, restore],
      ],
    ],
    [
      "break before make",
      { overlap: "breakBeforeMake" },
      [drain, prepare, far(breaks), followed, prove, restore],
    ],
    [
      "break before make, and a person at the far end",
      { overlap: "breakBeforeMake", edit: manual },
      [person, drain, prepare, far(breaks, asks), followed, prove, restore],
    ],
    [
      "break before make without a drain",
      { overlap: "breakBeforeMake", edit: drainedBy("none") },
      [
        prepare,
        far(breaks.replace("risk", "undrained risk")),
        followed.replace("risk", "undrained risk"),
        ...[prove, lines.watch],
      ],
    ],
    [
      "no drain and no probes",
      { overlap: "keychain", edit: drainedBy("none"), capabilities: { probe: undefined } as never },
      [
        lines.stage,
        far(`${joins} undrained risk noDrain`),
        `${prove} risk noProbe`,
        ...[retire, lines.watch],
      ],
    ],
    [
      "an emergency with a hard drain",
      { overlap: "keychain", urgency: "emergency", edit: drainedBy("peeringShutdown") },
      [
        `${drain.replace("prepend", "peeringShutdown")} risk hardDrain`,
        ...[lines.stage, far(joins), prove, retire],
        "proving edge-a: make a fresh SAK that the old key never protected | " +
          "! rekey the SAK of et-0/0/0 | 1300-3500-37000 firstRun",
        restore.replace("prepend", "peeringShutdown"),
      ],
    ],
  ])("the plan of a rotation with %s", (_name, wish, expected) =>
    expect(planOf(wish)).toEqual(expected),
  );

  it("a plan for a router that shuts its port first is dark at each change of keys", () => {
    const dark = "dark 0-0-0 fixed + 1700-4000-38000 firstRun";
    expect(planOf({ overlap: "fallback", edit: shuts })).toEqual([
      drain,
      `${lines.stageBelow.replace("1400-4000-42000", "2100-6000-72000")} ${dark}`,
      far(joins),
      prove,
      `${promote.replace("800-2500-35000", "1500-4500-65000")} ${dark}`,
      prove,
      `${retire.replace("1300-3500-37000", "2000-5500-67000")} ${dark}`,
      restore,
    ]);
  });

  it("a plan takes the settling time of a drain from the router", () => {
    const means = ["prepend"] as const;
    const wish = {
      overlap: "keychain",
      capabilities: { drain: { means, settleMs: 7_000 } },
    } as const;
    expect(planOf(wish)[0]).toBe(drain.replace("34100-36000-60000", "38100-40000-64000"));
  });
});

describe("a plan for a site that is not as it was", () => {
  const wish = { overlap: "keychain" } as const;
  const { group, links, desired } = inputOf(wish);

  it("a plan leaves out a link that the config no longer has", () => {
    const gone = links.map((link) => ({ ...link, name: "gone" }));
    expect(forecast({ ...inputOf(wish), links: gone })).toEqual([]);
  });

  it("a plan names every sibling that takes the traffic", () => {
    const [first] = group.links;
    if (first === undefined) throw new Error("the group has a link");
    const three = { ...group, links: [...group.links, { ...first, name: "tertiary" }] };
    expect(planOf(wish, { group: three })[0]).toContain("the traffic to secondary, tertiary |");
  });

  it("a plan takes defaults, and no probes, for a router that was never reached", () => {
    const plan = planOf(wish, { capabilities: () => undefined });
    expect([plan[0], plan[3]]).toEqual([lines.drain, `${lines.prove} risk noProbe`]);
    const shy = planOf({ ...wish, capabilities: { drain: undefined } as never });
    expect(shy[0]).toBe(lines.drain);
    expect(planOf(wish, { desired: { ...desired, devices: [] } })).toEqual(planOf(wish));
  });

  it("a plan shuts ports only on the router with the quirk shutBeforeKeyChange", () => {
    const one = (text: string): string =>
      text.replace("driver: sim", "driver: sim\n    quirks: [shutBeforeKeyChange]");
    const dark = (name: string): readonly string[] =>
      forecast(inputOf({ ...wish, edit: one }))
        .filter((step) => step.link === `erd-demo/${name}` && step.dark !== null)
        .map(({ state }) => state);
    expect(dark("primary")).toEqual(["staging", "switching", "retiring"]);
    expect(dark("secondary")).toEqual(["switching"]);
  });
});

describe("the plan of a change", () => {
  const over =
    (edit: Partial<WantedSettings>) =>
    (campaign: Campaign): Campaign => ({
      ...campaign,
      links: campaign.links.map((link) => ({
        ...link,
        new: { ...link.new, settings: { ...link.new.settings, ...edit } },
      })),
    });
  const wish = { overlap: "breakBeforeMake", kind: "change" } as const;

  it("a change of the router alone has dark time on our side alone", () => {
    const gap = "macsec et-0/0/0 keyServerPriority 16 -> 20";
    const ready = "draining edge-a: validate what follows on the candidate; what runs stays as it";
    expect(planOf({ ...wish, over: over({ keyServerPriority: 20 }) })).toEqual([
      lines.drain,
      `${ready} is | ? ${gap} | 700-1500-12000 fixed`,
      `switching edge-a: change the settings of the drained link | ~ ${gap} | ` +
        "2100-5000-35000 firstRun dark 0-0-0 fixed + 1500-3500-28000 firstRun " +
        "risk breakBeforeMake",
      lines.prove,
      lines.restore,
    ]);
  });

  it.each<{ name: string; edit: Partial<WantedSettings>; told: string; gap: string }>([
    {
      name: "suite",
      edit: { suite: "gcm-aes-256" },
      told: "gcm-aes-256 sci on",
      gap: "suite gcm-aes-xpn-256 -> gcm-aes-256",
    },
    {
      name: "SCI",
      edit: { includeSci: false },
      told: "gcm-aes-xpn-256 sci off",
      gap: "includeSci true -> false",
    },
  ])("the plan of a change of the $name moves the far end first", ({ edit, told, gap }) => {
    const plan = planOf({ ...wish, over: over(edit) });
    expect(plan[1]).toContain(`| ? macsec et-0/0/0 ${gap} |`);
    expect(plan[2]).toMatch(/^switching erd-demo link1: give the far end the next settings \| /);
    expect(plan[2]).toContain(`~ macSecConfig ${told} erd-demo-1-ckn/1`);
    expect(plan[3]).toMatch(/^switching edge-a: follow as soon as the far end has moved/);
  });

  it("the plan of a change in an emergency makes no fresh SAK, since the key stays", () => {
    const plan = planOf({ ...wish, urgency: "emergency", over: over({ includeSci: false }) });
    expect(plan.filter((line) => line.includes("fresh SAK"))).toEqual([]);
  });

  it("the plan of a change of several settings names each of them", () => {
    const several = over({ includeSci: false, keyServerPriority: 20 });
    expect(planOf({ ...wish, over: several })[1]).toContain(
      "includeSci true -> false, keyServerPriority 16 -> 20",
    );
  });
});

describe("a plan after what was measured", () => {
  it("a measured duration is the median, between 0.8 of the least and 1.25 of the most", () => {
    const measures = {
      "commit edge-a": [1_000, 3_000, 2_000, 7_000],
      "farEnd erd-demo/secondary": [20_000, 22_000, 90_000],
      "ours erd-demo/primary": [400, 700, 9_000],
    };
    const plan = planOf({ overlap: "fallback", edit: shuts, measures });
    const dark = "dark 0-0-0 fixed + 2000-4500-26750 measured";
    const changed = (line: string, takes: string): string =>
      `${line.replace(/[-0-9]+ firstRun$/, takes)} measured`;
    expect(plan).toEqual([
      changed(lines.drain, "34400-36500-48750"),
      `${changed(lines.stageBelow, "2700-7000-49500")} ${dark}`,
      far("0-1000-16250 measured", undefined, "16000-22000-112500 measured"),
      lines.prove,
      `${changed(lines.promote, "2100-5500-42500")} ${dark}`,
      lines.prove,
      `${changed(lines.retire, "2600-6500-44500")} ${dark}`,
      changed(lines.restore, "121600-124000-145750"),
    ]);
  });

  it("a measured time to follow is used for links with the same overlap alone", () => {
    const wish = { overlap: "breakBeforeMake" } as const;
    const measures = { "ours erd-demo/primary": [4_000, 5_000, 9_000] };
    expect(planOf({ ...wish, measures })[3]).toBe(
      follow("3300-5500-16250 measured", "3200-6000-16250 measured"),
    );
    const change = planOf({ ...wish, kind: "change", measures });
    expect(change[2]).toContain("2100-5000-35000 firstRun");
    const lent = { "ours erd-demo/secondary": [4_000, 5_000, 9_000] };
    expect(planOf({ ...wish, measures: lent })[3]).toBe(
      follow("3300-5500-16250 measured", "3200-6000-16250 measured"),
    );
    const otherwise = (campaign: Campaign): Campaign => ({
      ...campaign,
      links: campaign.links.map((link) =>
        link.name === "secondary" ? { ...link, overlap: "fallback" } : link,
      ),
    });
    expect(planOf({ ...wish, measures: lent, over: otherwise })[3]).toBe(followed);
  });

  it("a measured time to join is lent to a link with the same overlap alone", () => {
    const measures = { "ours erd-demo/secondary": [4_000, 5_000, 9_000] };
    const wish = { overlap: "keychain", measures } as const;
    expect(planOf(wish)[2]).toBe(far("0-5000-16250 measured"));
    const otherwise = (campaign: Campaign): Campaign => ({
      ...campaign,
      links: campaign.links.map((link) =>
        link.name === "secondary" ? { ...link, overlap: "fallback" } : link,
      ),
    });
    expect(planOf({ ...wish, over: otherwise })[2]).toBe(far(joins));
  });

  it("an empty list of measures gives the default of a first run", () => {
    const measures = { "commit edge-a": [] };
    expect(planOf({ overlap: "keychain", measures })[0]).toBe(lines.drain);
  });
});
