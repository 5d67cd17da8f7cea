// How long a campaign waits for its next observation: by state, overlap and who writes the far end.

import { describe, expect, it } from "vitest";
import type { Campaign, CampaignState } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import {
  byHand,
  RotationRunnerBench,
  rotation,
  stepTo,
} from "../../../kit/rotation-runner-bench.ts";

describe("the wait after a look that changed nothing", () => {
  const waits = async (
    state: CampaignState,
    edit?: (wanted: Desired) => Desired,
    overlap: Campaign["links"][number]["overlap"] = "keychain",
  ): Promise<number> => {
    const bench = new RotationRunnerBench(edit === undefined ? {} : { edit });
    const rotationRunner = bench.rotationRunner(stepTo(state));
    return await bench.turn(rotationRunner, rotation({ state }, overlap));
  };
  const often = (wanted: Desired): Desired => ({
    ...wanted,
    health: { ...wanted.health, pollMs: 800 },
  });
  const quick = (wanted: Desired): Desired => ({
    ...wanted,
    rotation: { ...wanted.rotation, drained: { samples: 3, everyMs: 2_000 } },
  });

  it.each(["queued", "gated", "awaitingPeer", "held", "done"] as const)(
    "the wait in %s is a poll",
    async (state) => {
      expect(await waits(state)).toBe(5_000);
      expect(await waits(state, often)).toBe(800);
    },
  );

  it.each([
    ...(["staging", "staged", "proving", "promoting", "retiring"] as const),
    ...(["restoring", "reverting"] as const),
  ])("the wait in %s is a second, or less", async (state) => {
    expect(await waits(state)).toBe(1_000);
    expect(await waits(state, often)).toBe(800);
  });

  it("the wait in draining is the time between two samples", async () => {
    expect(await waits("draining")).toBe(5_000);
    expect(await waits("draining", quick)).toBe(2_000);
  });

  it("the wait in switching is a second where the link is dark until the router acts", async () => {
    expect(await waits("switching", undefined, "breakBeforeMake")).toBe(1_000);
    expect(await waits("switching", byHand, "breakBeforeMake")).toBe(1_000);
    expect(await waits("switching", often, "breakBeforeMake")).toBe(800);
  });

  it("the wait in switching is three seconds with both keys on the router, or less", async () => {
    expect(await waits("switching")).toBe(3_000);
    expect(await waits("switching", often)).toBe(800);
  });

  it("the wait in switching is a poll while a person changes the far end", async () => {
    expect(await waits("switching", byHand)).toBe(5_000);
  });

  it.each([
    ["switching", 500],
    ["reverting", 500],
    ["proving", 1_000],
    ["restoring", 1_000],
    ["gated", 5_000],
    ["held", 5_000],
  ] as const)("the wait after a probe in %s is %i ms", async (state, ms) => {
    const bench = new RotationRunnerBench();
    const step = stepTo(state, { action: "probe" });
    expect(await bench.turn(bench.rotationRunner(step), rotation({ state }))).toBe(ms);
  });

  it("the wait after an effect on a held campaign is a poll", async () => {
    const bench = new RotationRunnerBench();
    const step = stepTo("held", { action: "restore" });
    expect(await bench.turn(bench.rotationRunner(step), rotation({ state: "held" }))).toBe(5_000);
    expect(bench.done()).toContain("apply t-1 final");
  });
});
