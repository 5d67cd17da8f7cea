// Tunnels of one device are set up side by side, changed and removed one after the other, and the
// device is observed all the time.

import { describe, expect, it } from "vitest";
import type { Desired, DesiredTunnel } from "#agent/model/desired.ts";
import { emptyMemory, type Memory, pendingPlace } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import { capabilities, settled } from "../../../kit/site-bench.ts";
import { desired } from "../../../kit/snapshot-kit.ts";
import { Scene } from "../reconcile-kit.ts";

/** A host that sets up tunnels side by side. */
const host = {
  commit: { kind: "armedRevert" },
  ipsec: { ...capabilities.ipsec, blocks: true, parallel: true },
} as Capabilities;
const pollMs = 5_000;

function many(count: number): Desired {
  const [first] = desired.tunnels;
  if (first === undefined) throw new Error("no tunnel");
  const tunnels = Array.from({ length: count }, (_, index): DesiredTunnel => {
    const remotePrefixes = [`10.100.${index}.0/24`];
    return { ...first, name: `hub-${index}`, ifId: index + 1, remotePrefixes };
  });
  return { ...desired, tunnels };
}

function hostScene(wanted: Desired, offers = host): Scene {
  const scene = new Scene(wanted, offers);
  scene.blocked = wanted.tunnels.flatMap(({ remotePrefixes }) => remotePrefixes);
  return scene;
}

/** Runs the loops of the device until the time is over. */
async function runFor(scene: Scene, ms: number): Promise<void> {
  for (const end = scene.clock.now() + ms; scene.clock.now() < end; ) {
    await scene.begin();
    await scene.clock.runFor(pollMs);
  }
}

describe("a device with many new tunnels", () => {
  it("observations keep their interval while ten of fifty tunnels are refused", async () => {
    const scene = hostScene(many(50));
    const isBad = (name: string): boolean => Number(name.slice(4)) % 5 === 0;
    scene.refuses = isBad;
    scene.applyMs = ([name = ""]) => (isBad(name) ? 25_000 : 2_000);
    await runFor(scene, 120_000);
    expect(scene.running.toSorted()).toEqual(
      many(50)
        .tunnels.map(({ name }) => name)
        .filter((name) => !isBad(name))
        .toSorted(),
    );
    expect(scene.applying.most).toBe(16);
    const gaps = scene.observedAt.map((at, index) => at - (scene.observedAt[index - 1] ?? at));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(pollMs);
    const tries = scene.log.filter((line) => line === "prepare hub-0").length;
    expect(tries).toBeGreaterThan(1);
    expect(tries).toBeLessThan(5);
    expect(scene.reconciler.tunnelTrouble("hub-0")?.message).toContain("is refused");
  });

  it("a tunnel whose set-up is under way is not begun again, and others are", async () => {
    const scene = hostScene(many(2));
    scene.applyMs = ([name]) => (name === "hub-0" ? 50_000 : 0);
    await runFor(scene, 20_000);
    const prepared = scene.log.filter((line) => line.startsWith("prepare"));
    expect(prepared.toSorted()).toEqual(["prepare hub-0", "prepare hub-1"]);
    expect(scene.running).toEqual(["hub-1"]);
    expect(scene.memory.pending).toHaveProperty([pendingPlace("edge-a", "hub-0")]);
    await runFor(scene, 40_000);
    expect(scene.running).toEqual(["hub-1", "hub-0"]);
    expect(scene.memory.pending).toEqual({});
  });

  it("tunnels are set up one after the other where the device has one lock", async () => {
    const one = { ...host, ipsec: { ...capabilities.ipsec, blocks: true } } as Capabilities;
    const scene = hostScene(many(3), one);
    scene.applyMs = () => 7_000;
    await runFor(scene, 30_000);
    expect([scene.applying.most, scene.running.length]).toEqual([1, 3]);
    expect(Object.keys(scene.memory.pending)).toEqual([]);
  });
});

describe("a campaign that begins while tunnels are set up", () => {
  it("the campaign waits for the effects under way, and none begins after that", async () => {
    const scene = hostScene(many(20));
    scene.applyMs = () => 30_000;
    await scene.begin();
    await scene.clock.runFor(1_000);
    expect(scene.applying.now).toBe(16);
    scene.leave = "none";
    let isIdle = false;
    const idle = scene.reconciler.withoutEffects(async () => {
      isIdle = true;
    });
    await scene.clock.runFor(20_000);
    expect(isIdle).toBe(false);
    await settled(scene.clock, idle);
    expect([scene.applying.now, scene.running.length]).toEqual([0, 16]);
    await runFor(scene, 20_000);
    expect(scene.running).toHaveLength(16);
    scene.leave = "all";
    await runFor(scene, 40_000);
    expect(scene.running).toHaveLength(20);
  });

  it("a tunnel that is missing or lost comes up while each campaign waits (C10)", async () => {
    const scene = hostScene(many(2));
    scene.leave = "setUps";
    await scene.turn();
    expect(scene.running).toEqual(["hub-0", "hub-1"]);
    scene.forgotten = true;
    scene.log.length = 0;
    await scene.clock.runFor(pollMs);
    await scene.turn();
    expect(scene.log.filter((line) => line.startsWith("prepare"))).toHaveLength(2);
    // A device that sets up all tunnels under its one lock is left alone until no campaign is open.
    const locked = hostScene(many(2), {
      ...host,
      ipsec: { ...capabilities.ipsec, blocks: true },
    } as Capabilities);
    locked.leave = "setUps";
    expect((await locked.turn()).running).toEqual([]);
    locked.leave = "all";
    expect((await locked.turn()).running).toHaveLength(2);
  });

  it("nothing is changed, removed or settled while a campaign waits", async () => {
    const scene = hostScene(many(2));
    scene.earlier = { ...many(3), tunnels: many(3).tunnels.map((one) => ({ ...one, mtu: 1_300 })) };
    scene.running = ["hub-0", "hub-1", "hub-2"];
    const auth = { kind: "psk", secretId: "https://v/secrets/a/1" } as const;
    const auths = { "hub-2": { auth } };
    scene.memory = { ...emptyMemory, tunnels: { "hub-0": 0, "hub-1": 0, "hub-2": 0 }, auths };
    scene.leave = "setUps";
    expect((await scene.turn()).log).toEqual([]);
    scene.leave = "all";
    expect((await scene.turn()).log).toContain("remove hub-2");
  });

  it("no set-up begins during the turn of a campaign, or while that waits to begin", async () => {
    const scene = hostScene(many(2));
    scene.applyMs = () => 30_000;
    scene.leave = "setUps";
    scene.running = ["hub-1"];
    await scene.begin();
    await scene.clock.runFor(1_000);
    expect(scene.applying.now).toBe(1);
    scene.running = [];
    const during: number[] = [];
    const turn = scene.reconciler.withoutEffects(async () => {
      for (let second = 0; second < 20; second += 5) {
        await runFor(scene, pollMs);
        during.push(scene.applying.now);
      }
    });
    await runFor(scene, 20_000);
    expect(scene.applying.now).toBe(1);
    await settled(scene.clock, turn);
    expect(during).toEqual([0, 0, 0, 0]);
    await runFor(scene, 40_000);
    expect(scene.running.toSorted()).toEqual(["hub-0", "hub-1"]);
  });

  it("an agent that stops ends what is under way, and begins no further set-up", async () => {
    const scene = hostScene(many(20));
    scene.applyMs = () => 30_000;
    await scene.begin();
    await settled(scene.clock, scene.reconciler.end());
    expect(scene.running).toHaveLength(16);
  });
});

describe("what a predecessor left of a set-up", () => {
  const left = (name: string): Memory => ({
    ...emptyMemory,
    pending: { [pendingPlace("edge-a", name)]: "t-9" },
  });

  // One that had come up stayed: nothing in the journal named it after that.
  it.each([[[]], [["hub-9"]]])(
    "what is left of a tunnel without config is removed before it is forgotten: %j is up",
    async (running) => {
      const scene = hostScene({ ...desired, tunnels: [] });
      scene.memory = left("hub-9");
      scene.running = running;
      await scene.turn();
      expect(scene.log).toEqual(["remove hub-9", "confirm"]);
      expect([scene.running, scene.memory.pending]).toEqual([[], {}]);
    },
  );

  // The next set-up took the connection and key that were left for an older tunnel's, kept them
  // when the gateway refused, and a config without the tunnel did not remove them.
  it("what is left of a tunnel that the config names is removed before it is set up", async () => {
    const scene = hostScene(many(1));
    scene.memory = left("hub-0");
    await scene.turn();
    expect([scene.log, scene.memory.pending]).toEqual([["remove hub-0", "confirm"], {}]);
    await scene.turn();
    expect(scene.log.slice(2)).toEqual(["prepare hub-0", "confirm"]);
  });

  it("a tunnel that came up all the same is left alone", async () => {
    const scene = hostScene(many(1));
    scene.memory = left("hub-0");
    scene.running = ["hub-0"];
    await scene.turn();
    expect([scene.log, scene.memory.pending]).toEqual([[], {}]);
    await scene.turn();
    expect(scene.memory.tunnels).toEqual({ "hub-0": 1 });
  });
});

describe("a tunnel that a newer config changes", () => {
  const change = (over: Partial<DesiredTunnel>): Scene => {
    const wanted = many(2);
    const tunnels = wanted.tunnels.map((tunnel) => ({ ...tunnel, ...over }));
    const scene = hostScene({ ...wanted, tunnels });
    scene.earlier = wanted;
    scene.running = ["hub-0", "hub-1"];
    scene.memory = { ...emptyMemory, tunnels: { "hub-0": 0, "hub-1": 0 } };
    return scene;
  };

  it("tunnels that get new SAs are drained, changed and filled one after the other", async () => {
    const scene = change({ remoteAddress: "203.0.113.77" });
    scene.applyMs = () => 1_000;
    await scene.turn();
    expect(scene.log).toEqual([
      ...["drain hub-0 for config 1", "prepare hub-0", "confirm", "undrain hub-0"],
      ...["drain hub-1 for config 1", "prepare hub-1", "confirm", "undrain hub-1"],
    ]);
    expect(scene.memory.tunnels).toEqual({ "hub-0": 1, "hub-1": 1 });
  });

  it("a refused change ends with the traffic back, and is tried again later", async () => {
    const scene = change({ remoteAddress: "203.0.113.77" });
    scene.refused = "hub-0";
    await scene.turn();
    expect(scene.log.slice(0, 3)).toEqual([
      ...["drain hub-0 for config 1", "prepare hub-0", "undrain hub-0"],
    ]);
    expect(scene.memory.tunnels).toEqual({ "hub-0": 0, "hub-1": 1 });
    const { length } = scene.log;
    expect((await scene.turn()).log).toHaveLength(length);
  });

  it.each<[string, Partial<DesiredTunnel>]>([
    ["another MTU", { mtu: 1_300 }],
    ["other local prefixes", { localPrefixes: ["10.7.0.0/16"] }],
  ])("a tunnel that gets %s is not drained", async (_name, over) => {
    const scene = change(over);
    await scene.turn();
    expect(scene.log).toEqual(["prepare hub-0", "confirm", "prepare hub-1", "confirm"]);
  });
});

describe("a tunnel that no config names any more", () => {
  const auth = { kind: "psk", secretId: "https://v/secrets/a/1" } as const;
  const gone = (offers = host, wanted = many(1)): Scene => {
    const scene = hostScene(wanted, offers);
    scene.earlier = many(2);
    scene.running = ["hub-0", "hub-1"];
    scene.blocked = ["10.100.0.0/24", "10.100.1.0/24"];
    const auths = { "hub-0": { auth }, "hub-1": { auth } };
    scene.memory = { ...emptyMemory, tunnels: { "hub-0": 1, "hub-1": 0 }, auths };
    return scene;
  };

  it("a tunnel that linkseal set up is removed and forgotten, and stays blocked", async () => {
    const scene = await gone().turn();
    expect(scene.log).toEqual(["remove hub-1", "confirm"]);
    expect([scene.running, scene.memory.tunnels]).toEqual([["hub-0"], { "hub-0": 1 }]);
    expect(scene.memory.auths).not.toHaveProperty("hub-1");
    expect(scene.blocked).toEqual(["10.100.0.0/24", "10.100.1.0/24"]);
    expect((await scene.turn()).log).toHaveLength(2);
  });

  it("the last tunnel is removed as well, and one that is gone already is forgotten", async () => {
    const scene = gone(host, { ...desired, tunnels: [] });
    scene.running = ["hub-0"];
    scene.memory = { ...scene.memory, tunnels: { "hub-0": 0, "hub-1": 0 } };
    await scene.turn();
    expect([scene.running, scene.memory.tunnels]).toEqual([[], {}]);
  });

  it("a tunnel that linkseal did not set up goes on", async () => {
    const scene = gone();
    scene.memory = { ...scene.memory, auths: {} };
    expect((await scene.turn()).log).toEqual([]);
    expect(scene.running).toEqual(["hub-0", "hub-1"]);
  });

  it("a tunnel of a device without blocks goes on until its risk is accepted", async () => {
    const bare = { ...host, ipsec: { ...capabilities.ipsec, parallel: true } } as Capabilities;
    const scene = gone(bare);
    expect((await scene.turn()).running).toEqual(["hub-0", "hub-1"]);
    const risk = { risk: "clearAfterRetire", until: 9e15, reason: undefined } as never;
    const accepted = gone(bare, { ...many(1), acceptRisks: [risk] });
    expect((await accepted.turn()).running).toEqual(["hub-0"]);
  });

  it("a removal waits for a campaign, and for the change of another tunnel", async () => {
    const scene = gone();
    scene.leave = "none";
    expect((await scene.turn()).log).toEqual([]);
    scene.leave = "all";
    const other = scene.alone(60_000);
    await scene.begin();
    await scene.clock.runFor(30_000);
    expect(scene.log).toEqual([]);
    await settled(scene.clock, other);
    await settled(scene.clock, scene.reconciler.rested());
    expect(scene.log).toEqual(["remove hub-1", "confirm"]);
    expect(scene.reconciler.trouble).toBeUndefined();
  });
});
