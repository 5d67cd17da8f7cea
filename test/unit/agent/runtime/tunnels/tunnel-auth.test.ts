// Pre-shared keys and certificates of tunnels that change: noticed, waited for, proven, taken back.

import { describe, expect, it } from "vitest";
import { authWarnings } from "#agent/runtime/health/early.ts";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { recollect } from "#agent/store/journal/stored.ts";
import type { TunnelAuth } from "#hal/model.ts";
import { wallAfter } from "#hal/world.ts";
import { refused } from "../../../kit/site-bench.ts";
import { wall } from "../../../kit/view-kit.ts";
import { failure, id, psk, rootsId, Scene, version } from "./tunnel-auth-kit.ts";

describe("a newer pre-shared key of a tunnel", () => {
  it("is noticed, and waits for a person without a word to the router", async () => {
    const scene = new Scene();
    await scene.turn();
    expect(scene.next()).toMatchObject({ auth: psk(2), state: "waiting" });
    expect(scene.told).toEqual([]);
    expect(scene.auths.psks()).toMatchObject([{ tunnel: "hub-1", secretId: id(1) }]);
    expect(authWarnings(scene.memory, scene.tunnel)).toMatchObject([
      { code: "waiting-for-person", about: "hub-1", next: "linkseal psk proceed hub-1" },
    ]);
    const asked = scene.asked;
    await scene.turn();
    expect(scene.asked).toBe(asked);
    await scene.pass(300_000);
    await scene.turn();
    expect(scene.asked).toBe(asked + 1);
    expect(scene.records).toHaveLength(1);
  });

  it.each([
    ["older than the one in use", [version(1, { created: wallAfter(wall, 0) }), version(2)]],
    ["disabled", [version(1), version(2, { enabled: false })]],
    ["not begun", [version(1), version(2, { notBefore: wallAfter(wall, 86_400_000) })]],
  ])("is none that is %s", async (_what, versions) => {
    const scene = new Scene();
    scene.versions = versions;
    await scene.turn();
    expect(scene.next()).toBeUndefined();
    expect(scene.records).toEqual([]);
  });

  it("is forgotten once the vault takes it back, and gives way to one newer still", async () => {
    const scene = new Scene();
    await scene.turn();
    scene.versions = [version(1), version(2), version(3)];
    await scene.pass(300_000);
    await scene.turn();
    expect(scene.next()?.auth).toEqual(psk(3));
    scene.versions = [version(1)];
    await scene.pass(300_000);
    await scene.turn();
    expect(scene.next()).toBeUndefined();
    expect(authWarnings(scene.memory, scene.tunnel)).toEqual([]);
  });

  it("is told, proven by new SAs, and the one in use from then on", async () => {
    const scene = new Scene();
    expect(await scene.proceed()).toEqual({
      tunnel: "hub-1",
      kind: "psk",
      farEnd: "manual",
      secretId: id(2),
      next: null,
    });
    expect(scene.told).toEqual(["put 2", "reauthenticate"]);
    const states = scene.records.flatMap((record) =>
      record.kind === "auth" ? [record.inUse.next?.state ?? "none"] : [],
    );
    expect(states).toEqual(["waiting", "switching", "none"]);
    expect(scene.memory.pending).toEqual({});
    expect(scene.auths.isBusy("edge-a")).toBe(false);
  });

  it("is shown by a tunnel whose traffic is led elsewhere meanwhile", async () => {
    const scene = new Scene();
    await scene.proceed();
    expect(scene.moved).toEqual(["away for ann first", "back after put 2, reauthenticate"]);
  });

  it("goes back where the gateway refuses it, with the SAs that stand", async () => {
    const scene = new Scene();
    scene.gateway = id(1);
    scene.trouble = failure("device.rejected");
    const error = await refused(scene.proceed());
    expect(error).toMatchObject({ code: "verify.mismatch", effect: "none", where: "hub-1" });
    expect(error.message).toContain("hub-1 keeps its old key, and its SAs: the gateway refuses it");
    expect(scene.told).toEqual(["put 2", "reauthenticate", "put 1"]);
    expect(scene.moved.at(-1)).toBe("back after put 2, reauthenticate, put 1");
    expect(scene.router).toBe(id(1));
    expect(scene.next()).toMatchObject({ state: "waiting", by: "ann" });
    expect(scene.memory.auths["hub-1"]?.auth).toEqual(psk(1));
  });

  it("goes back where no new SA shows, whatever the router says", async () => {
    const scene = new Scene();
    scene.gateway = id(1);
    const error = await refused(scene.proceed());
    expect(error.message).toContain("no new SA of hub-1 came up within 30 s");
    expect(scene.told.at(-1)).toBe("put 1");
  });

  it("that cannot be read is nobody's refusal", async () => {
    const scene = new Scene();
    scene.trouble = failure("vault.denied");
    const error = await refused(scene.proceed());
    expect(error.message).toBe("hub-1 keeps its old key, and its SAs: as it was said");
  });

  it("is told again by a successor, or where the router did not answer", async () => {
    const scene = new Scene();
    scene.trouble = failure("transport.timeout");
    expect((await refused(scene.proceed())).code).toBe("transport.timeout");
    expect(scene.next()?.state).toBe("switching");
    scene.trouble = undefined;
    // What it left open on the router is settled first, by whoever settles such things.
    scene.memory = { ...scene.memory, pending: { "edge-a": "t-1" } };
    await scene.turn();
    expect(scene.told).toEqual(["put 2", "reauthenticate"]);
    scene.memory = { ...scene.memory, pending: {} };
    await scene.turn();
    expect(scene.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
  });

  it("is tried by itself where the gateway refuses the one in use, once a minute", async () => {
    const scene = new Scene();
    await scene.turn();
    scene.ike = "down";
    scene.gateway = id(3);
    await scene.turn();
    expect(scene.told).toEqual(["put 2", "put 1", "verify.mismatch"]);
    await scene.turn();
    expect(scene.told).toHaveLength(3);
    scene.gateway = id(2);
    await scene.pass(60_000);
    await scene.turn();
    expect(scene.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
    expect(scene.ike).toBe("established");
  });
});

describe("a newer certificate of a tunnel", () => {
  const peer = "CN=gateway.example";
  const auth = { kind: "certificate", secret: "edge", authorities: "roots", peer } as const;
  const shown = (version: number, roots = 1): TunnelAuth => {
    return { kind: "certificate", secretId: id(version), authoritiesId: rootsId(roots), peer };
  };
  const scene = (): Scene => {
    const made = new Scene(auth);
    made.memory = { ...emptyMemory, auths: { "hub-1": { auth: shown(1) } } };
    return made;
  };

  it("needs nobody: it is shown, and the one in use once new SAs stand", async () => {
    const made = scene();
    await made.turn();
    expect(made.told).toEqual(["put 2"]);
    expect(made.memory.auths["hub-1"]).toEqual({ auth: shown(2) });
    expect(made.auths.psks()).toEqual([]);
    await made.turn();
    expect(made.told).toEqual(["put 2"]);
  });

  it("counts as one where only the authorities are newer", async () => {
    const made = scene();
    made.versions = [version(1)];
    made.roots = [...made.roots, { ...version(2), id: rootsId(2) }];
    await made.turn();
    expect(made.next()?.auth ?? made.memory.auths["hub-1"]?.auth).toEqual(shown(1, 2));
  });

  it("that is refused leaves the old one, is told, and tried again after ten minutes", async () => {
    const made = scene();
    made.trouble = failure("device.rejected");
    made.gateway = id(1);
    await made.turn();
    expect(made.told).toEqual(["put 2", "put 1", "verify.mismatch"]);
    expect(made.router).toBe(id(1));
    expect(authWarnings(made.memory, made.tunnel)).toMatchObject([
      { code: "rotation-held", about: "hub-1", within: ["edge-a"] },
    ]);
    made.trouble = undefined;
    made.gateway = id(2);
    await made.pass(590_000);
    await made.turn();
    expect(made.router).toBe(id(1));
    await made.pass(10_000);
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: shown(2) });
    expect(authWarnings(made.memory, made.tunnel)).toEqual([]);
  });

  it("that came after the refused one waits for nothing", async () => {
    const made = scene();
    made.trouble = failure("device.rejected");
    made.gateway = id(1);
    await made.turn();
    made.gateway = id(3);
    made.trouble = undefined;
    made.versions = [...made.versions, version(3)];
    await made.pass(300_000);
    await made.turn();
    expect(made.memory.auths["hub-1"]).toEqual({ auth: shown(3) });
  });
});

describe("a person who says that the gateway has it", () => {
  it.each<[string, (scene: Scene) => void, string]>([
    ["of a tunnel of somebody else's", (scene) => (scene.memory = emptyMemory), "gate.busy"],
    ["with nothing newer", (scene) => (scene.versions = [version(1)]), "gate.busy"],
    ["while a commit waits", (scene) => (scene.pending = true), "gate.busy"],
    ["where nothing proves it", (scene) => (scene.capabilities = undefined), "device.unsupported"],
    ["of a router that is silent", (scene) => (scene.unreadable = true), "gate.stale"],
  ])("is refused before anything is sent %s", async (_what, bend, code) => {
    const scene = new Scene();
    bend(scene);
    const error = await refused(scene.proceed());
    expect(error).toMatchObject({ code, effect: "none" });
    expect(error.message).toContain("the key of hub-1 is not changed: ");
    expect(scene.told).toEqual([]);
  });
});

describe("what is remembered of it", () => {
  it("outlives a snapshot of a version that knew nothing of it", () => {
    const { auths: _auths, ...before } = emptyMemory;
    const old = { kind: "snapshot", memory: before };
    expect(recollect([old]).auths).toEqual({});
  });
});
