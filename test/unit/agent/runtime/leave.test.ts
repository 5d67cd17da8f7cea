// What a campaign leaves to the loops of its devices, by its state.

import { expect, it } from "vitest";
import { campaignStates } from "#agent/model/campaign.ts";
import { leaveBeside } from "#agent/runtime/leave.ts";

it("only campaigns that wait leave set-ups, and none but no campaign leaves all", () => {
  expect(leaveBeside([])).toBe("all");
  const waits = campaignStates.filter((state) => leaveBeside([state]) === "setUps");
  expect(waits.toSorted()).toEqual(["gated", "held"]);
  const others = campaignStates.filter((state) => !waits.includes(state));
  expect(others.length).toBeGreaterThan(8);
  for (const state of others) {
    expect(leaveBeside([state])).toBe("none");
    expect(leaveBeside(["held", state])).toBe("none");
  }
  expect(leaveBeside(["held", "gated"])).toBe("setUps");
});
