// Changes of tunnels' pre-shared keys and certificates: noticed, waited for, proven, withdrawn.

import { describe, expect, it } from "vitest";
import { emptyMemory } from "#agent/store/journal/memory.ts";
import { recollect } from "#agent/store/journal/stored.ts";
import type { TunnelAuth } from "#hal/tunnel-spec.ts";
import { wallAfter } from "#hal/world.ts";
import { foundAuth } from "../../../kit/finder-kit.ts";
import { refused } from "../../../kit/site-bench.ts";
import { wall } from "../../../kit/snapshot-kit.ts";
import { failure, id, psk, rootsId, Scene, version } from "./tunnel-change-kit.ts";

describe("a newer pre-shared key of a tunnel", () => {
  it("a newer pre-shared key is noticed, and waits for a person", async () => {
    const scene = new Scene();
    await scene.turn();
    expect(scene.next()).toMatchObject({ auth: psk(2), state: "waiting" });
    expect(scene.reported).toEqual([]);
    expect(scene.auths.psks()).toMatchObject([{ tunnel: "hub-1", secretId: id(1) }]);
    expect(foundAuth(scene.memory, scene.tunnel)).toMatchObject([
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
  ])("a pre-shared key version that is %s is not newer", async (_what, versions) => {
    const scene = new Scene();
    scene.versions = versions;
    await scene.turn();
    expect(scene.next()).toBeUndefined();
    expect(scene.records).toEqual([]);
  });

  it("a newer pre-shared key is forgotten once withdrawn or replaced", async () => {
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
    expect(foundAuth(scene.memory, scene.tunnel)).toEqual([]);
  });

  it("a newer pre-shared key is set, proven by new SAs, and in use from then on", async () => {
    const scene = new Scene();
    expect(await scene.proceed()).toEqual({
      tunnel: "hub-1",
      kind: "psk",
      farEnd: "manual",
      pair: null,
      secretId: id(2),
      next: null,
    });
    expect(scene.reported).toEqual(["put 2", "reauthenticate"]);
    expect(scene.states()).toEqual(["waiting", "switching", "none"]);
    expect(scene.memory.pending).toEqual({});
    expect(scene.auths.isBusy("edge-a")).toBe(false);
  });

  it("a newer PSK of IKEv1 is proven by main mode, and by another child SA", async () => {
    const scene = new Scene();
    Object.assign(scene.tunnel, { ikeVersion: "v1" });
    await scene.proceed();
    expect(scene.reported).toEqual(["put 2", "ike", "child"]);
    expect(scene.memory.auths["hub-1"]?.auth).toEqual(psk(2));
  });

  it("a newer pre-shared key is set while the tunnel's traffic is moved away", async () => {
    const scene = new Scene();
    await scene.proceed();
    expect(scene.moved).toEqual(["away for ann first", "back after put 2, reauthenticate"]);
  });

  it("a newer pre-shared key that the gateway refuses is withdrawn, and the SAs stay", async () => {
    const scene = new Scene();
    scene.gateway = id(1);
    scene.trouble = failure("device.rejected");
    const error = await refused(scene.proceed());
    expect(error).toMatchObject({ code: "verify.mismatch", effect: "none", where: "hub-1" });
    expect(error.message).toContain("hub-1 keeps its old key, and its SAs: the gateway refuses it");
    expect(scene.reported).toEqual(["put 2", "reauthenticate", "put 1"]);
    // The loop beside it gives the traffic back.
    expect(scene.memory.drains["hub-1"]).toMatchObject({ until: "authenticated" });
    expect(scene.router).toBe(id(1));
    expect(scene.next()).toMatchObject({ state: "waiting", by: "ann" });
    expect(scene.memory.auths["hub-1"]?.auth).toEqual(psk(1));
  });

  it("a newer pre-shared key without new SAs is withdrawn, whatever is reported", async () => {
    const scene = new Scene();
    scene.gateway = id(1);
    const error = await refused(scene.proceed());
    expect(error.message).toContain("no new SA of hub-1 came up within 30 s");
    expect(scene.reported.at(-1)).toBe("put 1");
  });

  it("a newer pre-shared key that cannot be read is not a refusal", async () => {
    const scene = new Scene();
    scene.trouble = failure("vault.denied");
    const error = await refused(scene.proceed());
    expect(error.message).toBe("hub-1 keeps its old key, and its SAs: as it was said");
  });

  it("a newer pre-shared key is set again after a restart or a lost answer", async () => {
    const scene = new Scene();
    scene.trouble = failure("transport.timeout");
    expect((await refused(scene.proceed())).code).toBe("transport.timeout");
    expect(scene.next()?.state).toBe("switching");
    scene.trouble = undefined;
    // The device's own loop first settles the transaction that the predecessor left open on the
    // router.
    scene.memory = { ...scene.memory, pending: { "edge-a": "t-1" } };
    await scene.turn();
    expect(scene.reported).toEqual(["put 2", "reauthenticate"]);
    scene.memory = { ...scene.memory, pending: {} };
    await scene.turn();
    expect(scene.memory.auths["hub-1"]).toEqual({ auth: psk(2) });
  });

  it("a newer pre-shared key is tried each minute if the one in use is refused", async () => {
    const scene = new Scene();
    await scene.turn();
    scene.ike = "down";
    scene.gateway = id(3);
    await scene.turn();
    expect(scene.reported).toEqual(["put 2", "put 1", "verify.mismatch"]);
    await scene.turn();
    expect(scene.reported).toHaveLength(3);
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

  /** The predecessor was killed after its put, and before it recorded the proof. */
  const killed = (): Scene => {
    const made = scene();
    made.router = id(2);
    const reason = { code: "recorded", text: "not proven yet" } as const;
    const next = { auth: shown(2), state: "switching", since: wall, reason } as const;
    made.memory = { ...emptyMemory, auths: { "hub-1": { auth: shown(1), next } } };
    return made;
  };

  it("a newer certificate needs no operator: it is in use once new SAs exist", async () => {
    const made = scene();
    await made.turn();
    expect(made.reported).toEqual(["put 2"]);
    expect(made.memory.auths["hub-1"]).toEqual({ auth: shown(2) });
    expect(made.auths.psks()).toEqual([]);
    await made.turn();
    expect(made.reported).toEqual(["put 2"]);
  });

  it("a newer certificate authority alone counts as a newer certificate", async () => {
    const made = scene();
    made.versions = [version(1)];
    made.roots = [...made.roots, { ...version(2), id: rootsId(2) }];
    await made.turn();
    expect(made.next()?.auth ?? made.memory.auths["hub-1"]?.auth).toEqual(shown(1, 2));
  });

  // It makes no new SA a second time, and was withdrawn: "the gateway refuses it".
  it("a certificate that a killed predecessor has put is proven anew, and kept", async () => {
    const made = killed();
    await made.turn();
    expect(made.reported).toEqual(["put 2", "reauthenticate"]);
    expect(made.memory.auths["hub-1"]).toEqual({ auth: shown(2) });
  });

  it("a certificate that a killed predecessor has put goes if the gateway refuses it", async () => {
    const made = killed();
    made.gateway = id(1);
    await made.turn();
    expect(made.reported).toEqual(["put 2", "reauthenticate", "put 1", "verify.mismatch"]);
    expect([made.router, made.next()?.state]).toEqual([id(1), "waiting"]);
  });

  it("a refused certificate leaves the old one, and is tried after ten minutes", async () => {
    const made = scene();
    made.trouble = failure("device.rejected");
    made.gateway = id(1);
    await made.turn();
    expect(made.reported).toEqual(["put 2", "put 1", "verify.mismatch"]);
    expect(made.router).toBe(id(1));
    expect(foundAuth(made.memory, made.tunnel)).toMatchObject([
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
    expect(foundAuth(made.memory, made.tunnel)).toEqual([]);
  });

  it("a certificate that came after the refused one waits for no retry", async () => {
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

describe("an operator who confirms that the gateway has the key", () => {
  it.each<[string, (scene: Scene) => void, string]>([
    [
      "for a tunnel that linkseal did not set up",
      (scene) => (scene.memory = emptyMemory),
      "gate.busy",
    ],
    ["without a newer version", (scene) => (scene.versions = [version(1)]), "gate.busy"],
    ["while a commit waits", (scene) => (scene.pending = true), "gate.busy"],
    ["where nothing proves it", (scene) => (scene.capabilities = undefined), "device.unsupported"],
    ["while the router cannot be read", (scene) => (scene.unreadable = true), "gate.stale"],
  ])(
    "an operator's confirmation is refused before anything is sent %s",
    async (_what, bend, code) => {
      const scene = new Scene();
      bend(scene);
      const error = await refused(scene.proceed());
      expect(error).toMatchObject({ code, effect: "none" });
      expect(error.message).toContain("the key of hub-1 is not changed: ");
      expect(scene.reported).toEqual([]);
    },
  );
});

describe("what is remembered of it", () => {
  it("the recorded key survives a snapshot of a version that did not know it", () => {
    const { auths: _auths, ...before } = emptyMemory;
    const old = { kind: "snapshot", memory: before };
    expect(recollect([old]).auths).toEqual({});
  });
});
