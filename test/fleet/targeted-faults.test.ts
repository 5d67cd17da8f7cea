// Targeted faults against a campaign: each strikes once, at the state that it waits for, and ends
// with its storm.

import { describe, expect, it } from "vitest";
import { type Campaign, campaignStates, noMarks } from "#agent/model/campaign.ts";
import type { KeyRef, WantedSettings } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import { Prng } from "#sim/base/prng.ts";
import { buildSite, type Site } from "#sim/site/site.ts";
import { rotating } from "../storm/fault-combinations.ts";
import { Storm } from "../storm/fault-storm.ts";
import { TargetedFaults, type TargetedFaultsParts } from "../storm/targeted-faults.ts";

const neverMs = 1e12;

function scene(
  seed: string,
  targeted: number,
  about: TargetedFaultsParts["about"] = "rotation",
  company: TargetedFaultsParts["company"] = "storm",
) {
  const site = buildSite({ seed, name: "demo", groups: 1, tunnels: 0, start: "protected" });
  const struck: string[] = [];
  site.attach({ fault: (text) => struck.push(text) });
  const storm = new Storm({ site, everyMs: neverMs, kindChance: 0.5 });
  const scene = { farEnd: "agent", deadlines: "hasty", quirk: "none" } as const;
  const prng = new Prng(seed);
  const targetedFaults = new TargetedFaults({ site, storm, prng, scene, targeted, about, company });
  const enterAll = (): void => {
    for (const state of campaignStates)
      targetedFaults.entered(campaignOf(site), `${state}.row`, state);
  };
  return { site, storm, struck, enterAll, targetedFaults };
}

function campaignOf(site: Site): Campaign {
  const [link] = site.links;
  if (link === undefined) throw new RangeError("the demo has links");
  const key: KeyRef = site.vault.pairs(link.key)[0] ?? site.vault.generatePair(link.key, suite);
  const entry = { key, settings: { suite } as WantedSettings };
  const { name, device, port, group } = link;
  const wall = 0 as WallTime;
  return {
    ...noMarks,
    ...{ group, kind: "rotate", at: 0, state: "gated", since: wall, intent: 1 },
    reason: { code: "gated.open" },
    links: [
      {
        ...{ name, device, port, old: entry, new: entry, created: wall, generation: 1 },
        ...{ overlap: "keychain", outcome: undefined },
      },
    ],
    ...{ heldFrom: undefined, retire: "afterProof", urgency: "planned", risks: [] },
    ...{ origin: "operator", by: "person", nonce: undefined, begunAt: undefined },
  };
}

const suite = "gcm-aes-xpn-256";
const seeds = Array.from({ length: 200 }, (_, index) => `ambush-${index}`);

describe("a targeted fault", () => {
  it("a storm without targeted faults never strikes one", async () => {
    const { site, struck, enterAll } = scene("none", 0);
    enterAll();
    await site.clock.runFor(600_000);
    expect(struck).toEqual([]);
  });

  it("a storm without other faults always draws a fault combination and nothing else", async () => {
    const most = Math.max(...rotating.map(({ strikes }) => strikes.length));
    for (const seed of seeds.slice(0, 20)) {
      const { site, struck, enterAll, targetedFaults } = scene(seed, 60, "rotation", "none");
      expect(targetedFaults.kind).toBe("combined");
      enterAll();
      await site.clock.runFor(120_000);
      expect(struck.filter((text) => text.endsWith("strikes")).length).toBeLessThanOrEqual(most);
    }
  });

  it("each targeted fault strikes once, however often its state is entered", async () => {
    const counts: number[] = [];
    for (const seed of seeds.slice(0, 20)) {
      const { site, struck, enterAll } = scene(seed, 3);
      enterAll();
      enterAll();
      await site.clock.runFor(120_000);
      counts.push(struck.filter((text) => text.endsWith("strikes")).length);
    }
    // There are three targeted faults and the faults that come with them; two of one kind on one
    // link count as one.
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...counts)).toBeLessThanOrEqual(7);
  });

  it("a storm that ends also ends its targeted faults, and none strikes after it", async () => {
    for (const seed of seeds.slice(0, 20)) {
      const { site, storm, struck, enterAll } = scene(seed, 6);
      enterAll();
      await site.clock.runFor(5_000);
      storm.calm();
      const known = struck.length;
      enterAll();
      await site.clock.runFor(600_000);
      expect(struck.length).toBe(known);
      const ended = struck.filter((text) => text.endsWith("ends")).length;
      expect(ended).toBe(struck.length - ended);
    }
  });

  it.each(["enrolment", "rotation"] as const)(
    "the catalogue has every fault that a targeted fault of an %s names",
    (about) => {
      expect(() => seeds.map((seed) => scene(seed, 1, about))).not.toThrow();
    },
  );
});
