// What each effect asks of a device or of a far end, in which order, and what is written before.

import { describe, expect, it } from "vitest";
import type { ActionKind, Campaign, PortFacts } from "#agent/model/campaign.ts";
import type { Task } from "#agent/runtime/campaigns/effects.ts";
import { withinOf } from "#agent/runtime/campaigns/effects.ts";
import { LinksealError } from "#hal/error.ts";
import { calmPort } from "../../../kit/campaign-kit.ts";
import { failing, newKey, oldKey, rotation } from "../../../kit/rotation-runner-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";
import { EffectsBench } from "./effects-bench.ts";

const at = { port: "et-0/0/0" };
const [entry] = rotation().links;
const settings = entry?.new.settings;

describe("an effect on the router", () => {
  const fallback = rotation({}, "fallback");
  const promoted: PortFacts = { ...calmPort, promotion: "done" };
  const key = newKey;
  const cells: readonly (readonly [ActionKind, Partial<Task>, readonly unknown[]])[] = [
    ["drain", {}, [{ kind: "port.drain", ...at, means: "prepend" }]],
    ["restore", {}, [{ kind: "port.restore", ...at, means: "prepend" }]],
    ["add", {}, [{ kind: "macsec.addKey", ...at, key, role: "primary" }]],
    ["add", { campaign: fallback }, [{ kind: "macsec.addKey", ...at, key, role: "fallback" }]],
    ["promote", {}, [{ kind: "macsec.promoteKey", ...at, ckn: key.ckn, keys: [key, oldKey] }]],
    ["removeOld", {}, [{ kind: "macsec.removeKey", ...at, ckn: oldKey.ckn }]],
    ["removeOld", { campaign: rotation({ kind: "enrol", at: 0, links: enrolled() }) }, []],
    ["removeNew", {}, [{ kind: "macsec.removeKey", ...at, ckn: key.ckn }]],
    ["removeNew", { campaign: fallback }, [{ kind: "macsec.removeKey", ...at, ckn: key.ckn }]],
    [
      "removeNew",
      { campaign: fallback, port: undefined },
      [{ kind: "macsec.removeKey", ...at, ckn: key.ckn }],
    ],
    [
      "removeNew",
      { campaign: fallback, port: promoted },
      [
        { kind: "macsec.promoteKey", ...at, ckn: oldKey.ckn, keys: [oldKey] },
        { kind: "macsec.removeKey", ...at, ckn: key.ckn },
      ],
    ],
    ["rekeySak", {}, [{ kind: "macsec.rekeySak", ...at }]],
    ["renewSak", {}, [{ kind: "macsec.rekeySak", ...at }]],
    ["open", {}, [{ kind: "port.open", ...at }]],
  ];
  it.each(cells)(
    "the effect %s is validated, written to the journal, checked and applied",
    async (action, over, parts) => {
      const scene = new EffectsBench();
      await scene.clock.runFor(1_000);
      scene.delays.apply = 700;
      await scene.run(action, over);
      expect(scene.changes).toEqual([parts]);
      expect(scene.log.slice(1)).toEqual([
        `write effect edge-a: ${action} t-1`,
        "recheck",
        "apply t-1 final",
        ...(/drain|removeKey/.test(JSON.stringify(parts)) ? ["write settled"] : []),
        "write measured commit edge-a 700",
      ]);
    },
  );

  it("staging a key writes its token to the journal first, and arms a timer", async () => {
    const scene = new EffectsBench();
    const campaign = rotation();
    await scene.run("stage", { campaign });
    expect(scene.changes).toEqual([[{ kind: "macsec.addKey", ...at, key, role: "primary" }]]);
    expect(scene.log).toEqual([
      "prepare edge-a macsec.addKey",
      "write campaign gated",
      "write effect edge-a: stage t-1",
      "recheck",
      "apply t-1 300000",
      "write measured commit edge-a 0",
    ]);
    expect(scene.written()).toEqual({ ...campaign, token: "t-1" });
  });

  it("staging a key again keeps the token of the attempt before it", async () => {
    const scene = new EffectsBench();
    const campaign = rotation({ token: "t-8", earlierToken: "t-7" });
    await scene.run("stage", { campaign });
    expect(scene.written()).toEqual({ ...campaign, token: "t-1", earlierToken: "t-8" });
  });

  it("drain and restore in a group without a drain touch nothing", async () => {
    const scene = new EffectsBench({}, { drain: "none" });
    await scene.run("drain");
    await scene.run("restore");
    expect(scene.log).toEqual([]);
  });

  it("a probe sends a few more packets than the proof needs", async () => {
    const scene = new EffectsBench();
    await scene.run("probe");
    expect(scene.log).toEqual(["probe et-0/0/0 25"]);
  });

  it("an effect is not applied where the journal cannot be written", async () => {
    const scene = new EffectsBench();
    scene.failures.write = failing("journal.full");
    expect((await scene.fails("drain")).code).toBe("journal.full");
    expect((await scene.fails("stage")).code).toBe("journal.full");
    expect(scene.log.filter((line) => line.startsWith("apply"))).toEqual([]);
  });

  it("an effect is not applied where the last check refuses", async () => {
    const scene = new EffectsBench();
    const recheck = (): never => {
      throw failing("gate.siblingUnhealthy");
    };
    expect((await scene.fails("removeOld", { recheck })).code).toBe("gate.siblingUnhealthy");
    expect(scene.log.slice(-2)).toEqual(["write effect edge-a: removeOld t-1", "rollback t-1"]);
  });

  it("an effect without an answer is unknown once applied, and none before", async () => {
    const scene = new EffectsBench();
    scene.delays.apply = 90_001;
    expect(await scene.fails("drain")).toMatchObject({
      code: "transport.timeout",
      ...{ effect: "unknown", where: "edge-a" },
    });
    scene.delays.prepare = 90_001;
    expect(await scene.fails("drain")).toMatchObject({ effect: "none", where: "edge-a" });
  });

  // A drain without an answer was forgotten, and taken for a foreign one once the router made it.
  it("an effect without an answer stays in the journal as one that may still come", async () => {
    const scene = new EffectsBench();
    scene.delays.apply = 90_001;
    await scene.fails("drain");
    const since = scene.clock.wall() - 90_000;
    const drain = { token: "t-1", what: "drain", since };
    expect(scene.memory.late).toEqual({ "erd-demo/primary": [drain] });
    await scene.fails("restore");
    await scene.fails("add");
    expect(scene.memory.late).toEqual({ "erd-demo/primary": [drain] });
    await scene.fails("removeOld");
    scene.delays.apply = 0;
    await scene.run("drain");
    const late = { token: "t-4", what: "keys", takes: oldKey.ckn, hidden: true };
    expect(scene.memory.late).toMatchObject({
      "erd-demo/primary": [{ ...drain, hidden: true }, late],
    });
  });

  it("an effect that is known to have done nothing is settled in the journal", async () => {
    const scene = new EffectsBench();
    const none = { effect: "none", where: "edge-a", next: "wait" } as const;
    scene.failures.apply = new LinksealError("device.locked", "another session", none);
    await scene.fails("drain");
    expect(scene.memory.late).toEqual({});
    scene.failures.apply = failing("device.rejected");
    await scene.fails("drain");
    expect(scene.memory.late).toMatchObject({ "erd-demo/primary": [{ token: "t-2" }] });
  });

  it("a drain of a link that is drained already is recorded as hidden", async () => {
    const scene = new EffectsBench();
    scene.drained.add("primary");
    await settled(scene.clock, scene.deviceCache.observe("edge-a", never));
    scene.failures.apply = failing("transport.timeout");
    await scene.fails("drain");
    expect(scene.memory.late).toMatchObject({ "erd-demo/primary": [{ hidden: true }] });
  });
});

function enrolled(): Campaign["links"] {
  return rotation().links.map((link) => ({ ...link, old: undefined }));
}

describe("a staged key", () => {
  it("a staged key is confirmed or rolled back only where the device still has it", async () => {
    const scene = new EffectsBench();
    await scene.run("confirm");
    await scene.run("rollBack");
    expect(scene.log).toEqual(["recall t-9", "confirm t-9", "recall t-9", "rollback t-9"]);
    scene.recalls = "absent";
    await scene.run("rollBack");
    expect(scene.log.slice(4)).toEqual(["recall t-9"]);
  });

  it("a staged key that waits no longer was not confirmed by that", async () => {
    const scene = new EffectsBench();
    scene.recalls = "absent";
    const error = await scene.fails("confirm");
    expect(error).toMatchObject({ code: "device.commitExpired", effect: "none", where: "edge-a" });
  });

  it("a staged key of an ended session is left to the timer of the device", async () => {
    const scene = new EffectsBench();
    scene.recalls = "expiring";
    for (const action of ["confirm", "rollBack"] as const) {
      const error = await scene.fails(action);
      expect(error).toMatchObject({ code: "device.locked", effect: "none", where: "edge-a" });
    }
    expect(scene.log).toEqual(["recall t-9", "recall t-9"]);
  });

  it("a staged key is that of the attempt before where the router was late", async () => {
    const scene = new EffectsBench();
    const campaign = rotation({ token: "t-9", earlierToken: "t-8" });
    scene.forgotten.add("t-9");
    await scene.run("confirm", { campaign });
    await scene.run("rollBack", { campaign });
    const asked = ["recall t-9", "recall t-8"];
    expect(scene.log).toEqual([...asked, "confirm t-8", ...asked, "rollback t-8"]);
  });

  it("a staged key is confirmed once, without asking for earlier attempts", async () => {
    const scene = new EffectsBench();
    await scene.run("confirm", { campaign: rotation({ token: "t-9", earlierToken: "t-8" }) });
    expect(scene.log).toEqual(["recall t-9", "confirm t-9"]);
  });

  it("a key that was never staged is not asked for", async () => {
    const scene = new EffectsBench();
    expect((await scene.fails("confirm", { campaign: rotation() })).code).toBe(
      "device.commitExpired",
    );
    await scene.run("rollBack", { campaign: rotation() });
    expect(scene.log).toEqual([]);
  });

  it("a staged key without an answer in time may have been settled", async () => {
    const scene = new EffectsBench();
    scene.delays.recall = 90_001;
    expect(await scene.fails("confirm")).toMatchObject({ effect: "unknown", where: "edge-a" });
  });

  it("a staged key that is rolled back is not lost, a confirmed one may be", async () => {
    const scene = new EffectsBench();
    await scene.run("stage");
    await scene.run("rollBack");
    expect(scene.judge({ keys: "old" })).toBeUndefined();
    await scene.run("stage");
    await scene.run("confirm");
    expect(scene.judge({ keys: "old" })?.code).toBe("device.commitExpired");
  });
});

describe("a replacement", () => {
  const kinds: readonly (readonly [Campaign["kind"], ActionKind, readonly unknown[]])[] = [
    ["rotate", "prepare", [{ kind: "macsec.replaceKey", ...at, key: newKey }]],
    ["rotate", "prepareBack", [{ kind: "macsec.replaceKey", ...at, key: oldKey }]],
    ["change", "prepare", [{ kind: "macsec.protect", ...at, settings }]],
    [
      "change",
      "prepareBack",
      [{ kind: "macsec.protect", ...at, settings: { ...settings, includeSci: false } }],
    ],
    [
      "enrol",
      "prepare",
      [
        { kind: "macsec.protect", ...at, settings },
        { kind: "macsec.addKey", ...at, key: newKey, role: "primary" },
      ],
    ],
  ];
  it.each(kinds)(
    "a replacement of a %s campaign by %s becomes its change of the router",
    async (kind, action, parts) => {
      const scene = new EffectsBench();
      const links = rotation().links.map((link) => {
        const old = link.old && {
          ...link.old,
          settings: { ...link.old.settings, includeSci: false },
        };
        return kind === "enrol" ? { ...link, old: undefined } : { ...link, old };
      });
      await scene.run(action, { campaign: rotation({ kind, links }) });
      expect(scene.changes).toEqual([parts]);
    },
  );

  it("a replacement is valid for its direction alone, and is applied once", async () => {
    const scene = new EffectsBench();
    expect([scene.replacement(), scene.replacement("reverting")]).toEqual(["absent", "absent"]);
    await scene.run("prepare");
    expect([scene.replacement(), scene.replacement("reverting")]).toEqual(["valid", "absent"]);
    await scene.run("replace");
    expect(scene.log).toEqual([
      "prepare edge-a macsec.replaceKey",
      "write effect edge-a: replace t-1",
      "recheck",
      "apply t-1 final",
      "write settled",
      "write measured commit edge-a 0",
    ]);
    expect(scene.replacement()).toBe("absent");
    await scene.run("replace");
    expect(scene.log).toHaveLength(6);
  });

  // A campaign that was abandoned left its candidate, and the next one told the far end of another
  // key on the strength of it.
  it("a replacement is not valid for a later campaign with another key", async () => {
    const scene = new EffectsBench();
    await scene.run("prepare");
    const links = rotation().links.map((link) => ({
      ...link,
      new: { ...link.new, key: { ...newKey, cakSecretId: `${newKey.cakSecretId}-later` } },
    }));
    expect(scene.replacement("switching", { links })).toBe("absent");
    await scene.run("replace", { campaign: rotation({ links }) });
    expect(scene.log).toEqual(["prepare edge-a macsec.replaceKey"]);
    await scene.run("prepare", { campaign: rotation({ links }) });
    expect(scene.log).toContain("rollback t-1");
    expect(scene.replacement("switching", { links })).toBe("valid");
  });

  it("a replacement back is not valid for a campaign back to another key", async () => {
    const scene = new EffectsBench();
    await scene.run("prepareBack");
    const links = rotation().links.map(({ old, ...link }) => ({
      ...link,
      old: old && { ...old, key: { ...oldKey, cakSecretId: `${oldKey.cakSecretId}-later` } },
    }));
    expect(scene.replacement("reverting")).toBe("valid");
    expect(scene.replacement("reverting", { links })).toBe("absent");
  });

  it("a replacement back takes the place of the one forward", async () => {
    const scene = new EffectsBench();
    await scene.run("prepare");
    await scene.run("prepareBack");
    expect(scene.log).toContain("rollback t-1");
    expect([scene.replacement(), scene.replacement("reverting")]).toEqual(["absent", "valid"]);
    await scene.run("replaceBack");
    expect(scene.log.at(-3)).toBe("apply t-2 final");
  });

  it.each(["drain", "restore", "open", "rekeySak", "renewSak"] as const)(
    "a replacement is taken off the candidate before %s",
    async (action) => {
      const scene = new EffectsBench();
      await scene.run("prepare");
      await scene.run(action);
      expect(scene.log.slice(1, 3)).toEqual([
        "rollback t-1",
        expect.stringMatching(/^prepare edge-a (port|macsec)\./),
      ]);
      expect(scene.replacement()).toBe("absent");
    },
  );

  it("a replacement that cannot be taken off does not keep the traffic away", async () => {
    const scene = new EffectsBench();
    await scene.run("prepare");
    scene.failures.rollback = failing("transport.closed", "gone");
    await scene.run("restore");
    expect(scene.log.at(-2)).toBe("apply t-2 final");
    expect(scene.logged).toEqual(['warn transport.closed gone {"device":"edge-a"}']);
    scene.failures.rollback = new RangeError("a bug");
    await scene.run("prepare");
    await expect(scene.run("restore")).rejects.toThrow("a bug");
  });

  it("the rollback of a replacement is waited for no longer than ten seconds", async () => {
    const scene = new EffectsBench();
    await scene.run("prepare");
    scene.delays.rollback = 60_000;
    await scene.run("restore");
    expect(scene.clock.now()).toBe(10_000);
    expect(scene.logged).toEqual([
      'warn transport.timeout no answer within 10000 ms {"device":"edge-a"}',
    ]);
  });
});

describe("a router that refuses a key", () => {
  it.each(["stage", "add", "prepare"] as const)(
    "a router's refusal of a key to %s becomes a fact for the tables",
    async (action) => {
      for (const code of ["device.rejected", "device.unsupported"] as const) {
        const scene = new EffectsBench();
        scene.failures.prepare = failing(code, "no such suite");
        await scene.run(action);
        expect(scene.replacement()).toBe("refused: no such suite");
        expect(scene.replacement("reverting")).toBe("absent");
        expect(scene.logged).toEqual([`warn ${code} no such suite {"device":"edge-a"}`]);
        expect(scene.log).toHaveLength(1);
        scene.effects.forgetFailures();
        expect(scene.replacement()).toBe("absent");
      }
    },
  );

  it("a router's refusal of the way back refuses that direction alone", async () => {
    const scene = new EffectsBench();
    scene.failures.prepare = failing("device.rejected", "no such key");
    await scene.run("prepareBack");
    expect([scene.replacement(), scene.replacement("reverting")]).toEqual([
      "absent",
      "refused: no such key",
    ]);
  });

  it("another failure, or a refusal of another effect, is an error", async () => {
    const scene = new EffectsBench();
    scene.failures.prepare = failing("device.rejected");
    for (const action of ["promote", "removeOld", "removeNew", "drain"] as const) {
      expect((await scene.fails(action)).code).toBe("device.rejected");
    }
    scene.failures.prepare = failing("device.locked");
    for (const action of ["stage", "add", "prepare", "prepareBack"] as const) {
      expect((await scene.fails(action)).code).toBe("device.locked");
    }
    scene.failures.prepare = new RangeError("a bug");
    await expect(scene.run("stage")).rejects.toThrow("a bug");
    expect(scene.replacement()).toBe("absent");
  });
});

describe("a key for the far end", () => {
  const over = [oldKey, newKey];
  const cells = [
    ["putNew", { key: newKey, suite: "gcm-aes-xpn-256", sci: "on", admin: "up", over }],
    ["putOld", { key: oldKey, suite: "gcm-aes-128", sci: "off", admin: "up", over }],
  ] as const;
  it.each(cells)(
    "%s is written to the journal, checked, and put with what it may replace",
    async (action, want) => {
      const scene = new EffectsBench();
      const links = rotation().links.map((link) => {
        const old = link.old && {
          ...link.old,
          settings: { ...link.old.settings, suite: "gcm-aes-128", includeSci: false } as const,
        };
        return { ...link, old };
      });
      await scene.run(action, { campaign: rotation({ links }) });
      expect(scene.puts).toEqual([want]);
      expect(scene.log).toEqual([
        `write effect erd-demo/primary far end: ${action} ${want.key.cakSecretId}`,
        "recheck",
        "put",
        "write operation",
      ]);
      expect(scene.records.at(-1)).toEqual({
        ...{ kind: "operation", link: "erd-demo/primary", operation: "operation-1" },
      });
    },
  );

  it("a put of an enrolment may replace only a far end without MACsec", async () => {
    const scene = new EffectsBench();
    await scene.run("putNew", { campaign: rotation({ kind: "enrol", links: enrolled() }) });
    expect(scene.puts[0]?.over).toEqual([undefined, newKey]);
  });

  it("a put is not sent where the last check refuses or the journal fails", async () => {
    const scene = new EffectsBench();
    const recheck = (): never => {
      throw failing("gate.siblingUnhealthy");
    };
    await scene.fails("putNew", { recheck });
    scene.failures.write = failing("journal.full");
    await scene.fails("putNew");
    expect(scene.puts).toEqual([]);
  });

  it("a put without an answer in time is of unknown effect", async () => {
    const scene = new EffectsBench();
    scene.delays.put = 90_001;
    expect(await scene.fails("putNew")).toMatchObject({
      ...{ code: "transport.timeout", effect: "unknown", where: "erd-demo/primary far end" },
    });
  });
});

describe("how long a commit waits for its confirm", () => {
  it("a commit waits for its confirmation as the config says, or less", () => {
    const confirmed = {
      kind: "confirmed",
      confirmedBy: "anySession",
      stepMs: 1,
      maxMs: 7,
    } as const;
    expect([withinOf(confirmed, 6), withinOf(confirmed, 8)]).toEqual([6, 7]);
    expect(withinOf({ kind: "armedRevert" }, 6)).toBe(6);
    expect(withinOf({ kind: "immediate" }, 6)).toBe("final");
  });
});
