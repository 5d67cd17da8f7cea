// What a step leaves in the campaign's record, and what an operator may say to it.

import { describe, expect, it } from "vitest";
import {
  advance,
  type CampaignState,
  decide,
  type Facts,
  type PortFacts,
} from "#agent/campaign/campaign.ts";
import { command, type OperatorVerb } from "#agent/campaign/verbs.ts";
import type { WallTime } from "#hal/world.ts";
import { calm, campaignOf, clearPort, held } from "./campaign-kit.ts";

const drained: Partial<Facts> = { port: { ...clearPort, drain: "on" }, drained: held };
const ready: Partial<Facts> = { ...drained, replacement: { kind: "valid" } };
const back: Partial<Facts> = { port: { ...clearPort, keys: "new" } };
const manual = { farEnd: "manual" } as const;
const overdue = { overdue: true };

describe("marks", () => {
  const marks: readonly (readonly [string, CampaignState, Partial<Facts>, unknown])[] = [
    ["the put is told before it is sent", "switching", ready, { told: true }],
    ["a person is told", "draining", { ...ready, ...manual }, { told: true }],
    [
      "a person who did not act is asked again",
      "switching",
      { ...manual, ...overdue },
      { asked: false },
    ],
    [
      "success is the look's",
      "restoring",
      { ...back, far: "new", carrying: held },
      { outcome: "enrolled" },
    ],
    ["so is going back", "restoring", { carrying: held }, { outcome: "reverted" }],
  ];
  it.each(marks)("%s", (_name, state, facts, mark) => {
    expect(decide(campaignOf(state), { ...calm, ...facts }).mark).toEqual(mark);
  });
});

const noon = 720 as WallTime;

describe("the record after a step", () => {
  const step = (next: CampaignState, mark: Parameters<typeof advance>[1]["mark"] = {}) =>
    ({ next, action: undefined, because: "so", mark }) as const;

  it("keeps the time of entry while the state stays", () => {
    const before = campaignOf("gated", { since: 5 as WallTime });
    expect(advance(before, step("gated"), noon).since).toBe(5);
    expect(advance(before, step("draining"), noon).since).toBe(noon);
  });

  it("hands over to the next link after success, with nothing told", () => {
    const before = campaignOf("restoring", { told: true, asked: true });
    const after = advance(before, step("done", { outcome: "enrolled" }), noon);
    expect(after).toMatchObject({ at: 1, state: "queued", told: false, asked: false });
    expect(after.links[0]?.outcome).toBe("enrolled");
  });

  it("ends after the last link, and after one that was reverted", () => {
    const last = campaignOf("restoring", { at: 1 });
    expect(advance(last, step("done", { outcome: "enrolled" }), noon)).toMatchObject({
      at: 1,
      state: "done",
    });
    const first = advance(campaignOf("restoring"), step("done", { outcome: "reverted" }), noon);
    expect(first).toMatchObject({ at: 0, state: "done" });
  });

  it("remembers which state it was held from, once", () => {
    const after = advance(campaignOf("proving"), step("held"), noon);
    expect(after.heldFrom).toBe("proving");
    expect(advance(after, step("held"), noon).heldFrom).toBe("proving");
  });
});

describe("what an operator may say", () => {
  const carrying = clearPort;
  const answers: readonly (readonly [
    OperatorVerb,
    CampaignState,
    PortFacts | undefined,
    string,
  ])[] = [
    ["proceed", "awaitingPeer", carrying, "awaitingPeer"],
    ["proceed", "gated", carrying, "refused: the campaign waits for nobody: it is gated"],
    ["proceed", "held", carrying, "refused: the campaign waits for nobody: it is held"],
    ["resume", "held", undefined, "gated"],
    ["resume", "switching", carrying, "refused: only a held campaign resumes: it is switching"],
    ["abandon", "queued", undefined, "done"],
    ["abandon", "gated", carrying, "done"],
    ["abandon", "awaitingPeer", carrying, "done"],
    ["abandon", "held", carrying, "done"],
    ["abandon", "held", { ...carrying, keys: "new" }, "done"],
    ["abandon", "held", undefined, "refused: the link does not carry"],
    ["abandon", "held", { ...carrying, usable: false }, "refused: the link does not carry"],
    ["abandon", "held", { ...carrying, drain: "on" }, "refused: the link does not carry"],
    ["abandon", "held", { ...carrying, pending: true }, "refused: the link does not carry"],
    ["abandon", "switching", carrying, "refused: it is switching: wait until it is parked"],
    ["abandon", "done", carrying, "refused: it is done: wait until it is parked"],
  ];
  it.each(answers)("%s in %s", (verb, state, seen, answer) => {
    const verdict = command(campaignOf(state, { told: true }), verb, seen, noon);
    const text = verdict.kind === "accepted" ? verdict.campaign.state : `refused: ${verdict.why}`;
    expect(text).toMatch(new RegExp(`^${answer}`));
  });

  it("keeps told over a resume, and gives every link that is left an outcome on abandon", () => {
    const resumed = command(
      campaignOf("held", { told: true, asked: true }),
      "resume",
      carrying,
      noon,
    );
    expect(resumed).toMatchObject({ campaign: { told: true, asked: false, heldFrom: undefined } });
    const left = command(campaignOf("held"), "abandon", carrying, noon);
    expect(left).toMatchObject({
      campaign: { links: [{ outcome: "abandoned" }, { outcome: "abandoned" }] },
    });
  });
});
