// One wave over as many sites as a wave may have, in virtual time: the whole of it, and with hub
// and engine killed in its middle.

import { describe, expect, it } from "vitest";
import { parseWave, waveOctets } from "#agent/fleet/wave.ts";
import { plannedWave } from "#agent/hub/wave-plan.ts";
import { Crowd, campaignMs, permitReadMs } from "../../kit/wave-crowd.ts";
import { wallAt } from "../../kit/wave-kit.ts";

const bakeMs = 20_000;
const share = 100;
/** The canary, and ten shares of those that are left. */
const stages = 11;

/** A crowd of 1,000 sites, and the wave over them that a person has begun. */
async function begun(): Promise<Crowd> {
  const crowd = new Crowd(1_000);
  const groups = crowd.sites.map((site) => `${site}.g`);
  const planned = plannedWave(
    {
      ...{ name: "w", kind: "rotate", groups, canary: groups.slice(0, 1), share: "10%" },
      ...{ bakeMs, lateMs: 3_600_000, permitMs: 600_000 },
    },
    { at: wallAt(0), by: "ann" },
  );
  if (planned.kind === "fault") throw new Error(planned.why);
  await crowd.engine.put("linkseal-waves", "w", waveOctets(planned.wave));
  return crowd;
}

/** Each site began once, by the one permit for its ask, and no more than the share at once. */
function expectKept(crowd: Crowd): void {
  expect(crowd.faults).toEqual([]);
  expect([...crowd.begun].sort()).toEqual(crowd.sites);
  expect(crowd.begun[0]).toBe(crowd.sites[0]);
  expect([...crowd.permitted.keys()].sort()).toEqual(crowd.sites);
  for (const nonces of crowd.permitted.values()) expect(nonces.size).toBe(1);
  expect(crowd.liveMost).toBeLessThanOrEqual(share);
  expect(crowd.liveMost).toBeGreaterThan(share / 2);
}

const timeout = 600_000;

describe("a wave over 1,000 sites", () => {
  it("takes what its own rules take, and as many requests as its groups need", {
    timeout,
  }, async () => {
    const crowd = await begun();
    crowd.startHub("one");
    await crowd.untilDone();
    expectKept(crowd);
    const ownMs = stages * (bakeMs + campaignMs + permitReadMs);
    const { spentMs, hubCalls } = crowd;
    console.log(JSON.stringify({ spentMs, ownMs, hubCalls }));
    expect(spentMs).toBeGreaterThan(stages * bakeMs);
    expect(spentMs - ownMs).toBeLessThan(stages * 10_000);
    // An ask, a status, a freeze and a permit of each of a share every second were 400 a second.
    expect(hubCalls / (spentMs / 1_000)).toBeLessThan(200);
    // The record, and of each member that it got a permit, began and reached its end.
    const records = crowd.engine.texts("$KV.linkseal-waves.w");
    expect(records.length).toBeLessThan(stages * 25);
    expect(parseWave(Buffer.from(records.at(-1) ?? ""))?.state.kind).toBe("done");
  });

  it("the hub killed between two requests, and the engine for a minute", { timeout }, async () => {
    const crowd = await begun();
    crowd.startHub("one");
    crowd.startHub("two");
    await crowd.until(() => crowd.begun.length >= 150);
    crowd.killHub("one", 57);
    await crowd.until(() => crowd.begun.length >= 450);
    // In the middle of the permits of a share.
    await crowd.until(() => crowd.givenOfShare > 0 && crowd.givenOfShare < share);
    crowd.engine.isUp = false;
    const before = crowd.begun.length;
    await crowd.clock.runFor(60_000);
    // Only what had its permit before, and had read it.
    expect(crowd.begun.length - before).toBeLessThanOrEqual(share);
    crowd.engine.isUp = true;
    await crowd.until(() => crowd.begun.length >= 750);
    crowd.killHub("two", 3);
    crowd.startHub("three");
    await crowd.untilDone();
    expectKept(crowd);
  });
});
