// One turn of a campaign: look, decide, journal, look at the sibling again, act. Never another
// order.

import { describe, expect, it } from "vitest";
import type { ActionKind, Campaign, Outcome, Step } from "#agent/model/campaign.ts";
import type { Desired } from "#agent/model/desired.ts";
import { type Ckn, type KeyRef, known, type MacsecPort, unknown } from "#hal/model.ts";
import type { WallTime } from "#hal/world.ts";
import {
  failing,
  newKey,
  oldKey,
  RotationRunnerBench,
  rotation,
  shutsFirst,
  stepTo,
  underKey,
} from "../../../kit/rotation-runner-bench.ts";
import { at, bindingOf, session, wall } from "../../../kit/snapshot-kit.ts";

const giving: readonly ActionKind[] = [
  ...(["restore", "confirm", "rollBack", "add", "replace", "replaceBack", "open"] as const),
  ...(["probe", "prepare", "prepareBack"] as const),
];
const taking: readonly ActionKind[] = [
  ...(["drain", "stage", "putNew", "putOld", "promote", "removeOld", "removeNew"] as const),
  ...(["rekeySak", "renewSak"] as const),
];
const drain = stepTo("draining", { row: "gated.open", action: "drain" });

/** The requests to devices and far ends in the last turn. */
const touched = (bench: RotationRunnerBench): readonly string[] =>
  bench.done().filter((line) => /^(prepare|apply|put|confirm|rollback|probe|recall)\b/.test(line));

describe("a turn", () => {
  it("a turn observes both ends, decides, writes the step, acts, and returns soon", async () => {
    const bench = new RotationRunnerBench();
    bench.delays.apply = 1_500;
    expect(await bench.turn(bench.rotationRunner(drain), rotation())).toBe(500);
    expect(bench.log).toEqual([
      "look far end",
      "look edge-b",
      "look edge-a",
      "decide",
      "write campaign draining",
      "took gated.open",
      "prepare edge-a port.drain",
      "write effect edge-a: drain t-1",
      "apply t-1 final",
      "write settled",
      "write measured commit edge-a 1500",
    ]);
    expect(bench.logged).toEqual([
      'info campaign-step erd-demo/primary: gated -> draining: so {"group":"erd-demo"}',
    ]);
  });

  it("a turn writes the record as it is after the step, with the wall time", async () => {
    const bench = new RotationRunnerBench();
    bench.delays.observe = 250;
    await bench.turn(bench.rotationRunner(stepTo("staged", { mark: { told: true } })), rotation());
    const campaign = rotation({
      told: true,
      state: "staged",
      reason: { code: "recorded", text: "so" },
    });
    expect(bench.records).toEqual([
      { kind: "campaign", campaign: { ...campaign, since: (wall + 250) as WallTime } },
    ]);
  });

  it("a turn comes back at once after a step to another state without effect", async () => {
    const bench = new RotationRunnerBench();
    expect(await bench.turn(bench.rotationRunner(stepTo("staged")), rotation())).toBe(0);
    expect(touched(bench)).toEqual([]);
  });

  it("a turn for a link that the intent no longer has waits for a poll", async () => {
    const bench = new RotationRunnerBench();
    const [first] = rotation().links;
    if (first === undefined) throw new Error("two links");
    const gone = rotation({ links: [{ ...first, name: "gone" }] });
    expect(await bench.turn(bench.rotationRunner(drain), gone)).toBe(5_000);
    expect(await bench.turn(bench.rotationRunner(drain), rotation({ at: 7 }))).toBe(5_000);
    expect(bench.log).toEqual([]);
  });

  it("a turn does nothing where the journal cannot be written", async () => {
    for (const action of [...giving, ...taking]) {
      const bench = new RotationRunnerBench();
      bench.failures.write = failing("journal.full", "the disk is full");
      const rotationRunner = bench.rotationRunner(stepTo("draining", { action }));
      expect(await bench.turn(rotationRunner, rotation({ token: "t-9" }))).toBe(5_000);
      expect(bench.done()).toEqual(["write campaign draining"]);
      expect(rotationRunner.trouble?.code).toBe("journal.full");
      expect(bench.logged).toEqual([
        `warn journal.full ${action}: the disk is full {"group":"erd-demo"}`,
      ]);
    }
  });

  it("a turn without an effect logs that the record failed", async () => {
    const bench = new RotationRunnerBench();
    bench.failures.write = failing("journal.full", "the disk is full");
    await bench.turn(bench.rotationRunner(stepTo("staged")), rotation());
    expect(bench.logged).toEqual([
      'warn journal.full record: the disk is full {"group":"erd-demo"}',
    ]);
  });

  it("a turn ends with an error that is not a LinksealError", async () => {
    const bench = new RotationRunnerBench();
    bench.failures.write = new RangeError("a bug");
    await expect(bench.turn(bench.rotationRunner(drain), rotation())).rejects.toThrow("a bug");
  });
});

const following = ["replace", "replaceBack"] as const;

/** The port as a far end that has moved leaves it. */
const dark: Partial<MacsecPort> = {
  ...underKey(oldKey),
  session: known({ ...session, controlledPort: "blocked", livePeers: 0 }, at(0)),
};

describe("a look that the journal has made old", () => {
  const late = async (
    action: ActionKind,
    ms: number,
    port: Partial<MacsecPort> = underKey(oldKey),
  ): Promise<RotationRunnerBench> => {
    const bench = new RotationRunnerBench();
    bench.port.primary = port;
    bench.delays.write = ms;
    bench.hooks.write = async () => {
      bench.delays.write = 0;
    };
    const prepared = action === "replace" || action === "replaceBack";
    const first = stepTo("gated", { action: action === "replace" ? "prepare" : "prepareBack" });
    const step = stepTo("draining", { action });
    const rotationRunner = bench.rotationRunner(...(prepared ? [first, step] : [step]));
    if (prepared) await bench.turn(rotationRunner, rotation({ touched: true }));
    const waitMs = await bench.turn(rotationRunner, rotation({ token: "t-9" }));
    if (!touched(bench).length) expect(waitMs).toBe(0);
    return bench;
  };

  it.each(taking)("an observation that the journal made old does not allow %s", async (action) => {
    expect(touched(await late(action, 30_001))).toEqual([]);
    expect(touched(await late(action, 30_000))).not.toEqual([]);
  });

  it.each(giving)("an observation that the journal made old does not delay %s", async (action) => {
    expect(touched(await late(action, 60_000, dark))).not.toEqual([]);
  });

  it.each(following)(
    "an observation that the journal made old allows no %s of a working link",
    async (action) => {
      expect(touched(await late(action, 30_001))).toEqual([]);
    },
  );
});

describe("a sibling that is lost while a change is made ready", () => {
  /** The sibling is seen drained between validation and journal. */
  const losing = async (action: ActionKind): Promise<[RotationRunnerBench, string | undefined]> => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(
      stepTo("gated", { action: "prepare" }),
      stepTo("gated"),
    );
    await bench.turn(rotationRunner, rotation());
    bench.hooks.write = async () => {
      if (bench.records.length === 0) return;
      bench.drained.add("secondary");
      await bench.deviceCache.observe("edge-b", new AbortController().signal);
    };
    const next = bench.rotationRunner(stepTo("draining", { action }));
    await bench.turn(next, rotation({ token: "t-9" }));
    return [bench, next.trouble?.code];
  };

  it.each(taking)("a sibling lost meanwhile keeps %s from the device", async (action) => {
    const [bench, trouble] = await losing(action);
    expect(trouble).toBe("gate.siblingUnhealthy");
    const changed = touched(bench).filter((line) => !line.startsWith("prepare"));
    expect(changed).toEqual(action.startsWith("put") ? [] : ["rollback t-2"]);
    expect(bench.logged.at(-1)).toBe(
      `warn gate.siblingUnhealthy ${action}: secondary is not carrying: it is drained; ` +
        'nothing was written {"group":"erd-demo"}',
    );
  });

  /** Validated before, and lost as it is to be written. */
  const followed = async (action: ActionKind, port: Partial<MacsecPort>) => {
    const bench = new RotationRunnerBench();
    bench.port.primary = port;
    const validates = stepTo("gated", { action: action === "replace" ? "prepare" : "prepareBack" });
    const rotationRunner = bench.rotationRunner(validates, stepTo("draining", { action }));
    await bench.turn(rotationRunner, rotation());
    bench.hooks.write = async () => {
      bench.drained.add("secondary");
      await bench.deviceCache.observe("edge-b", new AbortController().signal);
    };
    await bench.turn(rotationRunner, rotation());
    return [rotationRunner.trouble?.code, touched(bench).some((line) => line.startsWith("apply"))];
  };

  it.each(following)(
    "a sibling lost meanwhile keeps %s from a working link alone",
    async (action) => {
      expect(await followed(action, underKey(oldKey))).toEqual(["gate.siblingUnhealthy", false]);
      expect(await followed(action, dark)).toEqual([undefined, true]);
    },
  );

  it.each(["restore", "open", "add"] as const)(
    "a sibling lost meanwhile does not keep %s from the device",
    async (action) => {
      const [bench, trouble] = await losing(action);
      expect(trouble).toBeUndefined();
      expect(touched(bench).at(-1)).toMatch(/^apply/);
    },
  );

  it("a sibling lost meanwhile keeps a key from a working link whose port is shut", async () => {
    const trouble = async (
      edit: (wanted: Desired) => Desired,
      port: Partial<MacsecPort>,
      action: ActionKind = "add",
    ) => {
      const bench = new RotationRunnerBench({ edit });
      bench.port.primary = port;
      bench.hooks.prepare = async () => {
        bench.drained.add("secondary");
        await bench.deviceCache.observe("edge-b", new AbortController().signal);
      };
      const rotationRunner = bench.rotationRunner(stepTo("staging", { action }));
      await bench.turn(rotationRunner, rotation());
      return rotationRunner.trouble?.code;
    };
    const asItIs = (wanted: Desired): Desired => wanted;
    expect(await trouble(shutsFirst, underKey(oldKey))).toBe("gate.siblingUnhealthy");
    expect(await trouble(asItIs, underKey(oldKey))).toBeUndefined();
    expect(await trouble(shutsFirst, dark)).toBeUndefined();
    expect(await trouble(shutsFirst, underKey(oldKey), "restore")).toBeUndefined();
  });

  it("a lost sibling keeps no restoring effect from an unreadable router", async () => {
    const bench = new RotationRunnerBench();
    bench.port.primary = { keys: unknown("queryFailed", at(0)) };
    bench.drained.add("secondary");
    const rotationRunner = bench.rotationRunner(stepTo("held", { action: "restore" }));
    await bench.turn(rotationRunner, rotation({ state: "held" }));
    expect([bench.facts.at(-1)?.port, rotationRunner.trouble]).toEqual([undefined, undefined]);
    expect(touched(bench).at(-1)).toMatch(/^apply/);
  });

  it("a sibling lost meanwhile is reported with the next command and effect none", async () => {
    const bench = new RotationRunnerBench();
    bench.hooks.prepare = async () => {
      bench.drained.add("secondary");
      await bench.deviceCache.observe("edge-b", new AbortController().signal);
    };
    const rotationRunner = bench.rotationRunner(drain);
    expect(await bench.turn(rotationRunner, rotation())).toBe(5_000);
    expect(rotationRunner.trouble).toMatchObject({
      code: "gate.siblingUnhealthy",
      message: expect.stringContaining("it is drained; nothing was written"),
      ...{ effect: "none", where: "erd-demo/primary", next: "linkseal rotation show erd-demo" },
    });
  });
});

describe("a port that is to be shut for a key", () => {
  const strange: KeyRef = { ...oldKey, ckn: "ee".repeat(32) as Ckn };

  /** What was done, where validation shows the port so, decided on while it was like `before`. */
  const replacing = async (before: Partial<MacsecPort>, after: Partial<MacsecPort>) => {
    const bench = new RotationRunnerBench({ edit: shutsFirst });
    bench.port.primary = before;
    const validates = stepTo("gated", { action: "prepare" });
    const rotationRunner = bench.rotationRunner(
      validates,
      stepTo("switching", { action: "replace" }),
    );
    await bench.turn(rotationRunner, rotation());
    bench.hooks.prepare = async () => {
      bench.port.primary = after;
    };
    await bench.turn(rotationRunner, rotation());
    return { trouble: rotationRunner.trouble, done: touched(bench) };
  };

  it("a port to shut stays open where its link works again: seeds 53-1122, 53-1907", async () => {
    const { trouble, done } = await replacing(dark, underKey(oldKey));
    expect(done.filter((line) => line.startsWith("apply"))).toEqual([]);
    expect(done.at(-1)).toMatch(/^rollback/);
    expect(trouble).toMatchObject({
      ...{ code: "gate.stale", message: "erd-demo/primary works again; nothing was written" },
      ...{ effect: "none", where: "erd-demo/primary", next: "linkseal rotation show erd-demo" },
    });
  });

  it.each([
    ["is dark still", dark, dark],
    ["worked all the while", underKey(oldKey), underKey(oldKey)],
    ["is up under a key of no campaign", dark, underKey(strange)],
  ])("a port to shut is shut where its link %s", async (_how, before, after) => {
    const { trouble, done } = await replacing(before, after);
    expect(trouble).toBeUndefined();
    expect(done.filter((line) => line.startsWith("apply"))).toHaveLength(2);
  });
});

describe("what a step leaves in the journal", () => {
  const words = async (campaign: Campaign, step: Step): Promise<readonly string[]> => {
    const bench = new RotationRunnerBench();
    await bench.turn(bench.rotationRunner(step), campaign);
    return [...bench.done(), ...bench.notes];
  };

  it("a step that changes nothing writes no record and no note", async () => {
    const same = stepTo("gated", { reason: rotation().reason });
    expect(await words(rotation(), same)).toEqual(["took test.row"]);
  });

  it("a step with only a new reason writes a note for the operator", async () => {
    expect(await words(rotation(), stepTo("gated"))).toEqual(["took test.row", "so"]);
  });

  it.each([...(["told", "asked", "claimed", "proved", "soaked", "aborted", "shut"] as const)])(
    "a step that marks %s writes a record",
    async (mark) => {
      const step = stepTo("gated", { mark: { [mark]: true } });
      expect(await words(rotation(), step)).toEqual(["write campaign gated", "took test.row"]);
    },
  );

  it("a step that turns the goal round writes a record", async () => {
    const step = stepTo("gated", { mark: { goal: "revert" } });
    expect(await words(rotation(), step)).toEqual(["write campaign gated", "took test.row"]);
  });

  it.each(["removeOld", "replace"] as const)(
    "a step to %s writes the SAK in use before the old key goes",
    async (action) => {
      const bench = new RotationRunnerBench();
      bench.port.primary = underKey(newKey, [oldKey, newKey]);
      const campaign = rotation({ state: "retiring" });
      await bench.turn(bench.rotationRunner(stepTo("retiring", { action })), campaign);
      expect(bench.written()).toMatchObject({ oldSak: session.latestSak?.keyId });
    },
  );

  it("a step with another effect writes no SAK", async () => {
    const bench = new RotationRunnerBench();
    await bench.turn(bench.rotationRunner(stepTo("promoting", { action: "promote" })), rotation());
    expect(bench.written()?.oldSak).toBeUndefined();
  });
});

describe("the key that a link runs on", () => {
  const ended = async (
    outcome: Outcome,
    over: Partial<Campaign> = {},
  ): Promise<RotationRunnerBench> => {
    const bench = new RotationRunnerBench();
    const campaign = rotation({ state: "restoring", intent: 9, ...over });
    await bench.turn(bench.rotationRunner(stepTo("done", { mark: { outcome } })), campaign);
    return bench;
  };
  const binding = {
    ...{ key: newKey, since: wall, created: 0, generation: 1 },
    settings: rotation().links[0]?.new.settings,
  };

  it.each(["enrolled", "changed"] as const)(
    "a binding is written before the record of %s, with the campaign's intent",
    async (outcome) => {
      const bench = await ended(outcome);
      expect(bench.records).toMatchObject([
        {
          kind: "binding",
          link: "erd-demo/primary",
          binding: { ...binding, intent: 9, how: outcome },
        },
        { kind: "campaign", campaign: { at: 1, state: "queued" } },
      ]);
    },
  );

  it("a binding keeps the intent of its settings after a rotation", async () => {
    const bench = await ended("rotated");
    const watched = { firstSak: session.latestSak?.keyId };
    expect(bench.records[0]).toEqual({
      kind: "binding",
      link: "erd-demo/primary",
      binding: { ...binding, intent: bindingOf().intent, how: "rotated", ...watched },
    });
  });

  it("a binding has the campaign's intent where none was known before", async () => {
    const bench = new RotationRunnerBench();
    bench.memory = { ...bench.memory, bindings: {} };
    const step = stepTo("done", { mark: { outcome: "rotated" } });
    await bench.turn(bench.rotationRunner(step), rotation({ state: "restoring", intent: 9 }));
    expect(bench.records[0]).toMatchObject({ kind: "binding", binding: { intent: 9 } });
  });

  it.each(["reverted", "abandoned"] as const)(
    "a binding stays where a link was %s",
    async (outcome) => {
      const bench = await ended(outcome);
      expect(bench.records.map(({ kind }) => kind)).toEqual(["campaign"]);
    },
  );

  it("a binding is written once, and not before the link is done", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(
      stepTo("done", { mark: { outcome: "rotated" } }),
      stepTo("restoring", { mark: { outcome: "rotated", proved: true } }),
    );
    await bench.turn(rotationRunner, rotation({ state: "done", at: 1 }));
    await bench.turn(rotationRunner, rotation({ state: "retiring" }));
    expect(bench.records.map(({ kind }) => kind)).toEqual(["campaign"]);
  });
});

describe("a port that was shut for a key change", () => {
  const opened = stepTo("staging", { mark: { shut: false } });
  const shut = rotation({ state: "staging", shut: true });

  const shutsFirst = (wanted: Desired): Desired => ({
    ...wanted,
    devices: wanted.devices.map((device) => ({ ...device, quirks: ["shutBeforeKeyChange"] })),
  });

  it("the mark of a shut port stays until the port was open for a minute", async () => {
    const bench = new RotationRunnerBench({ edit: shutsFirst });
    const rotationRunner = bench.rotationRunner(
      stepTo("staging", { action: "open" }),
      opened,
      opened,
    );
    await bench.turn(rotationRunner, shut);
    await bench.turn(rotationRunner, shut);
    expect(bench.records.filter(({ kind }) => kind === "campaign")).toEqual([]);
    await bench.clock.runFor(60_001);
    await bench.turn(rotationRunner, shut);
    expect(bench.records.at(-1)).toMatchObject({ kind: "campaign", campaign: { shut: false } });
  });

  it("the mark of a shut port goes once it is observed open without the quirk", async () => {
    const bench = new RotationRunnerBench();
    const rotationRunner = bench.rotationRunner(stepTo("staging", { action: "open" }), opened);
    await bench.turn(rotationRunner, shut);
    await bench.turn(rotationRunner, shut);
    expect(bench.records.at(-1)).toMatchObject({ kind: "campaign", campaign: { shut: false } });
  });

  it("the mark of a shut port goes at once without a change, and with its link", async () => {
    const bench = new RotationRunnerBench({ edit: shutsFirst });
    await bench.turn(bench.rotationRunner(opened), shut);
    expect(bench.records.at(-1)).toMatchObject({ kind: "campaign", campaign: { shut: false } });
    const done = stepTo("done", { mark: { outcome: "rotated", shut: false } });
    const rotationRunner = bench.rotationRunner(stepTo("restoring", { action: "open" }), done);
    const first = rotation({ state: "restoring", shut: true, at: 0 });
    await bench.turn(rotationRunner, first);
    await bench.turn(rotationRunner, first);
    const next = { at: 1, state: "queued", shut: false };
    expect(bench.records.at(-1)).toMatchObject({ kind: "campaign", campaign: next });
  });
});
