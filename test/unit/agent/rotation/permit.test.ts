// Which campaigns need a permit of the hub, and how long a link can wait for it.

import { describe, expect, it } from "vitest";
import { type CampaignState, campaignStates, type PortFacts } from "#agent/model/campaign.ts";
import type { RiskName } from "#agent/model/desired.ts";
import { isUntaken, needsPermit } from "#agent/rotation/permit.ts";

const site = { servers: [], key: "credential:k", headsMs: 1 };
const required = { fleet: { ...site, permits: "required" } } as const;
const planned = { urgency: "planned", risks: [] } as const;
const none = (): boolean => false;

describe("a campaign that needs a permit", () => {
  it("a planned one does, where the config requires it", () => {
    expect(needsPermit(required, planned, none)).toBe(true);
    expect(needsPermit({ fleet: site }, planned, none)).toBe(false);
    expect(needsPermit({}, planned, none)).toBe(false);
  });

  it("an emergency does not, nor does one whose operator or config accepts the risk", () => {
    expect(needsPermit(required, { ...planned, urgency: "emergency" }, none)).toBe(false);
    expect(needsPermit(required, { ...planned, risks: ["noPermit"] }, none)).toBe(false);
    expect(needsPermit(required, { ...planned, risks: ["noProbe"] }, none)).toBe(true);
    expect(needsPermit(required, planned, (risk: RiskName) => risk === "noPermit")).toBe(false);
  });
});

describe("a link that nothing has taken", () => {
  const calm = { goal: "forward", told: false } as const;
  const port = { keys: "old", drain: "off" } as const;
  const states = (over: Partial<Pick<PortFacts, "keys" | "drain">>): readonly CampaignState[] =>
    campaignStates.filter((state) => isUntaken({ ...calm, state }, { ...port, ...over }));

  it("a link can wait only before it is drained", () => {
    expect(states({})).toEqual(["queued", "gated", "draining"]);
    expect(states({ keys: "else" })).toEqual(["queued", "gated", "draining"]);
  });

  it("a drain that the campaign has sent takes it, and one of others does not", () => {
    expect(states({ drain: "on" })).toEqual(["queued", "gated"]);
  });

  it("a new key takes it, and so does a far end that was told, or a way back", () => {
    for (const keys of ["both", "half", "new"] as const) expect(states({ keys })).toEqual([]);
    expect(isUntaken({ ...calm, told: true, state: "gated" }, port)).toBe(false);
    expect(isUntaken({ ...calm, goal: "revert", state: "gated" }, port)).toBe(false);
  });

  it("a router that cannot be read makes no link wait for a hub", () => {
    expect(isUntaken({ ...calm, state: "gated" }, undefined)).toBe(false);
  });
});
