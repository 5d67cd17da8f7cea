// Tunnels of a host with block policies: blocked first, tried with pauses, changed once.

import { describe, expect, it } from "vitest";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import { capabilities } from "../../../kit/site-bench.ts";
import { desiredOf, securedPort } from "../../../kit/snapshot-kit.ts";
import { backing, longestFirstWaitMs, pair, Scene, version } from "../reconcile-kit.ts";

/** A host that blocks prefixes outside of tunnels. */
const host = {
  commit: { kind: "armedRevert" },
  ipsec: { ...capabilities.ipsec, blocks: true },
} as Capabilities;

function hostScene(wanted = pair): Scene {
  const scene = new Scene(wanted, host);
  scene.blocked = [];
  return scene;
}

describe("prefixes that tunnels protect", () => {
  const all = "block 10.101.0.0/16 10.100.0.0/16";

  it("all prefixes are blocked before the first tunnel is tried, even if all fail", async () => {
    const scene = hostScene();
    scene.vault = async () => [];
    await scene.turn();
    expect(scene.log).toEqual([all]);
    expect(scene.reconciler.tunnelTrouble("hub-1")?.code).toBe("vault.malformedKey");
    await (await scene.later(longestFirstWaitMs)).turn();
    expect(scene.log).toEqual([all]);
    scene.vault = async (name) => [version(name)];
    await (await scene.later(60_000)).turn();
    expect(scene.log[1]).toBe("prepare hub-2");
  });

  it("prefixes are blocked before the config is accepted, even without observation", async () => {
    const scene = hostScene();
    scene.reachable = false;
    expect((await scene.accept()).log).toEqual([all]);
    const known = hostScene();
    known.memory = { ...emptyMemory, tunnels: { "hub-1": 1, "hub-2": 1 } };
    expect((await known.accept()).log).toEqual([]);
    const backup = hostScene(backing);
    backup.reachable = false;
    expect((await backup.accept()).log).toEqual([]);
  });

  it("prefixes are blocked during a campaign, and beside another pending commit", async () => {
    const scene = hostScene();
    [scene.leave, scene.before] = ["none", []];
    await scene.turn();
    expect(scene.log).toEqual([all]);
  });

  it("prefixes whose block was removed manually are drift, mended under repair: on", async () => {
    const scene = await hostScene().turn();
    scene.blocked = ["10.101.0.0/16"];
    scene.log.length = 0;
    expect((await scene.turn()).log).toEqual([]);
    // A newer intent with unchanged settings changes nothing.
    scene.memory = { ...scene.memory, tunnels: { "hub-1": 0, "hub-2": 1 } };
    expect((await scene.turn()).log).toEqual([]);
    const mending = hostScene(desiredOf((text) => text.replace("repair: off", "repair: on")));
    await mending.turn();
    [mending.blocked, mending.log.length] = [[], 0];
    expect((await mending.turn()).log).toEqual(["block 10.100.0.0/16"]);
  });

  it("the block of a backup waits until the traffic it would stop is under MACsec", async () => {
    const scene = hostScene(backing);
    expect((await scene.turn()).log).toEqual([]);
    scene.port = securedPort();
    expect((await scene.turn()).log[0]).toBe("block 10.100.0.0/16");
  });
});

describe("a tunnel that is refused", () => {
  it("a refused tunnel is tried again after growing random delays, others at once", async () => {
    const gaps = async (chance: number): Promise<readonly number[]> => {
      const scene = hostScene();
      [scene.refused, scene.chance] = ["hub-1", chance];
      const tries: number[] = [];
      while (tries.length < 9) {
        const before = scene.log.length;
        await scene.turn();
        const isTried = scene.log.slice(before).includes("prepare hub-1");
        if (isTried) tries.push(scene.clock.now());
        await scene.later(1_000);
      }
      expect(scene.running).toEqual(["hub-2"]);
      return tries.slice(1).map((now, index) => Math.floor((now - (tries[index] ?? 0)) / 1_000));
    };
    expect(await gaps(0)).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
    expect((await gaps(255))[6]).toBeGreaterThan(350);
  });
});

describe("a tunnel whose set-up broke off", () => {
  it("a tunnel whose set-up broke off is rolled back before its next try is due", async () => {
    const scene = hostScene();
    [scene.refused, scene.breaks] = ["hub-1", true];
    scene.vault = async (name) => (name === "hub-1-psk" ? [version(name)] : []);
    await scene.turn();
    expect(scene.memory.pending).toHaveProperty("edge-a");
    await scene.turn();
    expect(scene.log.slice(1)).toEqual(["prepare hub-1", "roll back"]);
    expect(scene.memory.pending).toEqual({});
  });
});

describe("a tunnel that a newer intent changes", () => {
  const longer = desiredOf((text) =>
    text.replace("[10.100.0.0/16]", "[10.100.0.0/16, 10.102.0.0/16]"),
  );

  it("a tunnel that a newer intent changes is blocked first, then applied once", async () => {
    const scene = hostScene(longer);
    [scene.running, scene.blocked] = [["hub-1"], ["10.100.0.0/16"]];
    scene.memory = { ...emptyMemory, tunnels: { "hub-1": 0 } };
    await scene.turn();
    expect(scene.log).toEqual(["block 10.102.0.0/16", "prepare hub-1", "confirm"]);
    expect(scene.memory.tunnels).toEqual({ "hub-1": 1 });
    expect((await scene.turn()).log).toHaveLength(3);
  });

  it("a tunnel that was half changed is rolled back, not taken for changed", async () => {
    const scene = hostScene(longer);
    [scene.running, scene.blocked] = [["hub-1"], ["10.100.0.0/16", "10.102.0.0/16"]];
    scene.memory = { ...emptyMemory, tunnels: { "hub-1": 0 }, pending: { "edge-a": "t-9" } };
    scene.before = ["hub-1"];
    await scene.turn();
    expect(scene.log).toEqual(["roll back"]);
    await scene.turn();
    expect(scene.log).toEqual(["roll back", "prepare hub-1", "confirm"]);
  });

  it("a tunnel that cannot become what a newer intent wants is left alone", async () => {
    const moved = {
      ...longer,
      tunnels: longer.tunnels.map((tunnel) => ({ ...tunnel, ifId: tunnel.ifId + 1 })),
    };
    const scene = hostScene(moved);
    [scene.running, scene.blocked] = [["hub-1"], ["10.100.0.0/16"]];
    scene.memory = { ...emptyMemory, tunnels: { "hub-1": 0 } };
    expect((await scene.turn()).log).toEqual(["block 10.102.0.0/16"]);
  });
});
