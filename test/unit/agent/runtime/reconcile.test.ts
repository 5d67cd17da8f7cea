// The loop of one device: what a predecessor left pending, what is added, and what is left alone.

import { describe, expect, it } from "vitest";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import type { Capabilities } from "#hal/device.ts";
import { wallAfter } from "#hal/world.ts";
import { capabilities, never, settled, wallStart } from "../../kit/site-bench.ts";
import { clearPort, desired, desiredOf, link, securedPort, wall } from "../../kit/snapshot-kit.ts";
import {
  backedBy,
  backing,
  backupSpec,
  longestFirstWaitMs,
  pair,
  Scene,
  version,
} from "./reconcile-kit.ts";

describe("tunnels of a device", () => {
  it("missing tunnels are added under a timer, confirmed once observed, and recorded", async () => {
    const scene = await new Scene().turn();
    expect(scene.log).toEqual(["prepare hub-1", "confirm"]);
    expect(scene.memory).toMatchObject({ tunnels: { "hub-1": 1 }, pending: {} });
    expect((await scene.turn()).log).toHaveLength(2);
  });

  it("restored tunnels get the pre-shared key that they used, not a newer one", async () => {
    const scene = await new Scene().turn();
    const [first] = await scene.vault("hub-1-psk", never);
    if (first === undefined) throw new Error("no version");
    expect(scene.memory.auths).toEqual({ "hub-1": { auth: { kind: "psk", secretId: first.id } } });
    const newer = { ...first, id: `${first.id}0`, created: wallAfter(wall, 1_000) };
    scene.vault = async () => [first, newer];
    scene.forgotten = true;
    await scene.turn();
    expect(scene.secrets).toEqual([first.id, first.id]);
    // A disabled version can no longer be used.
    scene.vault = async () => [{ ...first, enabled: false }, newer];
    await scene.turn();
    expect(scene.secrets.at(-1)).toBe(newer.id);
    expect(scene.memory.auths).toEqual({ "hub-1": { auth: { kind: "psk", secretId: newer.id } } });
  });

  it("tunnels of a host that proves each change succeed or fail independently", async () => {
    const host = { commit: { kind: "armedRevert" }, ipsec: capabilities.ipsec } as Capabilities;
    const scene = new Scene(pair, host);
    scene.refused = "hub-1";
    await scene.turn();
    expect(scene.running).toEqual(["hub-2"]);
    expect(scene.reconciler.tunnelTrouble("hub-1")?.message).toBe("hub-1 is refused");
    // The failure of one tunnel explains no other one, and no link.
    expect([scene.reconciler.tunnelTrouble("hub-2"), scene.reconciler.trouble]).toEqual([
      undefined,
      undefined,
    ]);
    scene.refused = undefined;
    await (await scene.later(longestFirstWaitMs)).turn();
    expect(scene.running.toSorted()).toEqual(["hub-1", "hub-2"]);
    expect(scene.reconciler.tunnelTrouble("hub-1")).toBeUndefined();
  });

  it("tunnels that a daemon lost are set up again, also under repair: off", async () => {
    const scene = await new Scene().turn();
    scene.forgotten = true;
    await scene.turn();
    expect(scene.log.filter((line) => line === "prepare hub-1")).toHaveLength(2);
  });

  it("a tunnel with a weak policy waits for its risk to be accepted, others do not", async () => {
    const weak = (wanted: typeof desired, until: number): typeof desired => ({
      ...wanted,
      tunnels: wanted.tunnels.map((tunnel) =>
        tunnel.name === "hub-1" ? { ...tunnel, weaknesses: ["dhGroup DHGroup2"] } : tunnel,
      ),
      acceptRisks: [{ risk: "weakTunnel", until: until as never, reason: undefined }],
    });
    const scene = await new Scene(weak(pair, wallStart)).turn();
    expect(scene.running).toEqual(["hub-2"]);
    await scene.turn();
    expect(scene.reconciler.trouble?.code).toBe("gate.riskNotAccepted");
    expect(scene.running).toEqual(["hub-2"]);
    const accepted = await new Scene(weak(pair, wallStart + 86_400_000)).turn();
    expect(accepted.running.toSorted()).toEqual(["hub-1", "hub-2"]);
  });

  it("a backup tunnel waits until the traffic that it would block is under MACsec", async () => {
    const scene = await new Scene(backing).turn();
    expect(scene.log).toEqual([]);
    expect(scene.reconciler.trouble?.message).toContain(
      "hub-1 is not set up yet: it would block what erd-demo/primary carries in the clear",
    );
    scene.port = securedPort();
    await scene.turn();
    expect(scene.running).toEqual(["hub-1"]);
    expect(scene.reconciler.trouble).toBeUndefined();
    // A tunnel that was set up once is restored whatever state its links are in: its block exists
    // anyway.
    scene.port = clearPort();
    scene.forgotten = true;
    expect((await scene.turn()).log.filter((line) => line === "prepare hub-1")).toHaveLength(2);
  });

  it("a tunnel that a newer intent makes a backup, or none, is applied again once", async () => {
    for (const [wanted, before] of [
      [backing, undefined],
      [desired, backedBy({ ...backupSpec, backs: [link.port] })],
    ] as const) {
      const scene = new Scene(wanted);
      scene.port = securedPort();
      [scene.running, scene.backed] = [["hub-1"], before];
      scene.memory = { ...emptyMemory, tunnels: { "hub-1": 0 } };
      scene.earlier = wanted === backing ? desired : backing;
      await scene.turn();
      expect(scene.log).toEqual(["prepare hub-1", "confirm"]);
      expect((await scene.turn()).log).toHaveLength(2);
      // Under the intent in force, a manual change stays as it is.
      scene.backed = before;
      expect((await scene.turn()).log).toHaveLength(2);
    }
  });

  it("tunnels that were set up and are missing stay so under repair: off", async () => {
    const scene = await new Scene().turn();
    scene.running = [];
    expect((await scene.turn()).log).toHaveLength(2);
    const mending = new Scene(desiredOf((text) => text.replace("repair: off", "repair: on")));
    await mending.turn();
    mending.running = [];
    expect((await mending.turn()).running).toEqual(["hub-1"]);
  });

  it("tunnels are not touched during a campaign, even if it began a moment ago", async () => {
    const scene = new Scene();
    scene.leave = "none";
    expect((await scene.turn()).log).toEqual([]);
    scene.leave = "all";
    scene.vault = async (name) => {
      scene.leave = "none";
      return [version(name)];
    };
    expect((await scene.turn()).log).toEqual([]);
  });

  it("a device that a campaign has just observed is not observed by the loop", async () => {
    const scene = new Scene();
    scene.leave = "none";
    await scene.turn();
    await scene.turn();
    expect(scene.observations).toBe(1);
    await scene.clock.runFor(4_000);
    await scene.turn();
    expect(scene.observations).toBe(2);
    await scene.clock.runFor(4_000);
    scene.reachable = false;
    await scene.turn();
    await scene.turn();
    expect(scene.observations).toBe(4);
    scene.reachable = true;
    scene.leave = "all";
    await scene.turn();
    expect(scene.observations).toBeGreaterThan(4);
  });

  it("tunnels wait while a foreign commit is pending, which does not count", async () => {
    const scene = new Scene(pair);
    scene.before = [];
    scene.running = ["hub-2"];
    await scene.turn();
    expect(scene.log).toEqual([]);
    expect(scene.memory.tunnels).toEqual({});
  });

  it("tunnels wait for the vault, whose error is reported as trouble", async () => {
    const scene = new Scene();
    scene.vault = async () => [];
    await scene.turn();
    expect(scene.reconciler.tunnelTrouble("hub-1")?.code).toBe("vault.malformedKey");
    scene.vault = async (name) => [version(name)];
    await (await scene.later(longestFirstWaitMs)).turn();
    expect(scene.reconciler.tunnelTrouble("hub-1")).toBeUndefined();
  });
});

describe("the transaction that a predecessor left pending", () => {
  function left(wanted: typeof desired): Scene {
    const scene = new Scene(wanted);
    scene.memory = { ...emptyMemory, pending: { "edge-a": "t-9" } };
    scene.before = [];
    scene.running = ["hub-1"];
    return scene;
  }

  it("a predecessor's pending transaction is confirmed if it is all that is wanted", async () => {
    const scene = await left(desired).turn();
    expect(scene.log).toEqual(["confirm"]);
    expect(scene.memory.pending).toEqual({});
    await scene.turn();
    expect(scene.memory.tunnels).toEqual({ "hub-1": 1 });
    expect(scene.running).toEqual(["hub-1"]);
  });

  it("a pending transaction that is not as wanted is rolled back and not recorded", async () => {
    const scene = await left(pair).turn();
    expect(scene.log).toEqual(["roll back"]);
    expect(scene.memory.tunnels).toEqual({});
    await scene.turn();
    expect(scene.running.toSorted()).toEqual(["hub-1", "hub-2"]);
  });

  it("a pending transaction that is gone is forgotten, and its change wanted again", async () => {
    const scene = left(desired);
    scene.before = undefined;
    scene.running = [];
    await scene.turn();
    expect(scene.memory.pending).toEqual({});
    expect((await scene.turn()).running).toEqual(["hub-1"]);
  });

  it("a transaction that the router took back since the last look is not recorded", async () => {
    const scene = left(desired);
    const auth = { kind: "psk", secretId: "https://v/secrets/hub-1-psk/2" } as const;
    scene.memory = { ...scene.memory, puts: { "edge-a": { "hub-1": auth } } };
    await settled(scene.clock, scene.reconciler.observe(never));
    scene.revert();
    await settled(scene.clock, scene.reconciler.mend(never));
    await settled(scene.clock, scene.reconciler.rested());
    expect(scene.memory.auths).toEqual({});
    await scene.turn();
    expect([scene.memory.pending, scene.memory.auths]).toEqual([{}, {}]);
    expect((await scene.turn()).running).toEqual(["hub-1"]);
  });

  it("a pending transaction waits while the router does not answer", async () => {
    const scene = left(desired);
    scene.reachable = false;
    await scene.turn();
    expect(scene.memory.pending).toEqual({ "edge-a": "t-9" });
  });
});
