// The whole agent with simulated IOS XR routers, on virtual time: first keys, then rotations by the
// means that each platform has, under the oracle.

import { describe, expect, it } from "vitest";
import { IosxrEmulator } from "#sim/emulators/iosxr.ts";
import type { Block } from "#sim/emulators/line-tree.ts";
import { stormFaults, strikeFault } from "#sim/faults/faults.ts";
import { platformsOf, spokenBy } from "../conformance/place.ts";
import { getNewPairs } from "./router-rotations.ts";
import { RouterStage } from "./router-stage.ts";

describe("routers that speak IOS XR", () => {
  getNewPairs({ vendor: "iosxr", tried: platformsOf("iosxr"), promotes: false });

  it.each(platformsOf("iosxr"))(
    "the log has each commit under a label of its own and no comment of ours, %s",
    async (name, platform) => {
      const emulators: IosxrEmulator[] = [];
      const spoken = spokenBy({
        ...platform,
        emulatorOf: (router) => {
          const emulator = platform.emulatorOf(router);
          if (emulator instanceof IosxrEmulator) emulators.push(emulator);
          return emulator;
        },
      });
      const stage = new RouterStage(`iosxr comments ${name}`, spoken);
      await stage.run(stage.begin());
      await stage.settled();
      await stage.rotate();
      await stage.settled();
      expect(stage.isProtected(), stage.rest).toBe(true);
      expect(emulators.length).toBeGreaterThan(0);
      for (const emulator of emulators) {
        expect(commentsIn(emulator.current)).toEqual([]);
        const list = emulator.show("configuration commit list 20 detail");
        const labels = [...list.matchAll(/Label: (\S+)/g)].map(([, label]) => label);
        const ours = labels.filter((label) => label !== "NONE");
        // All commits are ours, except the one that the operator made before.
        expect(ours).toHaveLength(labels.length - 1);
        expect(new Set(ours).size).toBe(ours.length);
        for (const label of ours) expect(label).toMatch(/^ls-[0-9a-f]{16}$/);
      }
    },
  );

  it("a far end that needs six minutes, longer than a trial, keeps the staged key", async () => {
    const slow = stormFaults.find(({ name }) => name === "far-slow");
    const [[name, platform] = []] = platformsOf("iosxr");
    if (slow === undefined || platform === undefined) throw new RangeError("no fault");
    const delayMs = { low: 36_000, high: 40_000 };
    const stage = new RouterStage(`iosxr slow ${name}`, spokenBy(platform), 0, delayMs);
    stage.rewrites = (config) =>
      config.replace("confirm: 60s", "confirm: 5m").replace("farEnd: 5m", "farEnd: 30m");
    await stage.run(stage.begin());
    await stage.settled();
    const { site } = stage;
    const [first] = site.links;
    const old = first === undefined ? undefined : site.vault.pairs(first.key).at(-1)?.ckn;
    for (const link of site.links) strikeFault(site, slow, link);
    const reverts: string[] = [];
    site.onEffect(({ what, place }) => void (what === "rollback" && reverts.push(place)));
    await stage.rotate();
    await stage.until(() => stage.outcomeOf(old) !== undefined && stage.isProtected());
    expect(stage.isProtected(), stage.rest).toBe(true);
    expect(stage.outcomeOf(old), stage.rest).toBe("rotated, rotated");
    expect(reverts).toEqual([]);
    const measured = stage.agent.memory.measures;
    const farEnds = Object.entries(measured).filter(([what]) => what.startsWith("farEnd "));
    expect(farEnds.length).toBeGreaterThan(0);
    expect(stage.complaints()).toEqual([]);
  });

  it("an agent that dies in a trial finds it, waits for its timer and goes on", async () => {
    const [[name, platform] = []] = platformsOf("iosxr");
    if (platform === undefined) throw new RangeError("no platform");
    const stage = new RouterStage(`iosxr trial ${name}`, spokenBy(platform));
    await stage.run(stage.begin());
    await stage.settled();
    const { site } = stage;
    const [first] = site.links;
    const old = first === undefined ? undefined : site.vault.pairs(first.key).at(-1)?.ckn;
    // The confirm does not reach the router.
    stage.kills = (_device, line) => line === "commit";
    await stage.rotate();
    await stage.until(() => stage.crashing.dead);
    const waiting = [...site.routers.values()].filter(({ commits }) => commits.armed());
    expect(waiting).toHaveLength(1);
    stage.kills = () => false;
    const reverts: string[] = [];
    site.onEffect(({ what, by }) => void (what === "rollback" && reverts.push(by)));
    await stage.run(stage.begin());
    await stage.until(() => stage.outcomeOf(old) !== undefined && stage.isProtected());
    expect(stage.outcomeOf(old), stage.rest).toBe("rotated, rotated");
    expect(reverts).toEqual(["device"]);
    expect(stage.complaints()).toEqual([]);
  });
});

function commentsIn(blocks: readonly Block[]): readonly string[] {
  return blocks.flatMap(({ line, children }) => [
    ...(line.startsWith("!") ? [line] : []),
    ...commentsIn(children),
  ]);
}
