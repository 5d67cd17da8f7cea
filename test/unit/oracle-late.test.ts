// A drain that a router makes late, and an agent that has forgotten it: P2.

import { expect, it } from "vitest";
import { formatViolation, watchSite } from "#sim/oracle.ts";
import { buildSite } from "#sim/site.ts";
import { Hand } from "../hand.ts";
import { settled } from "./site-bench.ts";

const group = "erd-demo";

/** A campaign drains the primary link; the router makes the drain minutes after that. */
async function drainedLate() {
  const size = { groups: 1, tunnels: 0, start: "protected" } as const;
  const site = buildSite({ seed: "late", name: "demo", ...size });
  const oracle = watchSite(site);
  const hand = new Hand(site);
  await site.clock.runFor(60_000);
  const [primary, secondary] = [hand.link(`${group}/primary`), hand.link(`${group}/secondary`)];
  const lookBoth = async (): Promise<void> => {
    for (const link of [primary, secondary]) await settled(site.clock, hand.look(link));
  };
  const tenMinutes = async (): Promise<void> => {
    for (let round = 0; round < 60; round += 1) {
      await site.clock.runFor(10_000);
      await lookBoth();
    }
  };
  oracle.means(group, primary.id);
  await lookBoth();
  primary.router.setFault("finalsLate", true);
  await expect(settled(site.clock, hand.drain(primary))).rejects.toThrow("may or may not stand");
  primary.router.setFault("finalsLate", false);
  const found = () => oracle.violations.map(formatViolation);
  return { oracle, primary, hand, site, found, tenMinutes };
}

it("an agent that forgets a drain of its own is caught once nothing needs it", async () => {
  const { oracle, found, tenMinutes } = await drainedLate();
  oracle.means(group, undefined);
  await tenMinutes();
  expect(found()).toEqual([
    expect.stringMatching(/^seed late promise P2\nat \S+ s after: agent port\.drain at edge-a/),
  ]);
  expect(found()[0]).toContain("stays drained by a change that nothing needs");
});

it("an agent that gives it back is not", async () => {
  const { oracle, primary, hand, site, found, tenMinutes } = await drainedLate();
  oracle.means(group, undefined);
  await site.clock.runFor(430_000, () => primary.router.drained(primary.port));
  const back = { kind: "port.restore", port: primary.port, means: "prepend" } as const;
  await settled(site.clock, hand.change(primary, back));
  await tenMinutes();
  expect(found()).toEqual([]);
});

it("nor is one whose campaign, or whose operator, wants it by now", async () => {
  for (const wants of ["campaign", "operator"] as const) {
    const { oracle, primary, found, tenMinutes } = await drainedLate();
    if (wants === "operator") {
      oracle.means(group, undefined);
      oracle.means(primary.id, primary.id);
    }
    await tenMinutes();
    expect(primary.router.drained(primary.port)).toBe(true);
    expect(found()).toEqual([]);
  }
});

it("nor is one whose disk has lost what it asked for", async () => {
  const { oracle, found, tenMinutes } = await drainedLate();
  oracle.forgets();
  oracle.means(group, undefined);
  await tenMinutes();
  expect(found()).toEqual([]);
});
