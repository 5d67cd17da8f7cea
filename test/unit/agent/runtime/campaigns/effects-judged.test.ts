// A reply is no fact: what looks say of a change that the router accepted, and what becomes of one
// that was never sent to it.

import { describe, expect, it } from "vitest";
import type { ActionKind } from "#agent/model/campaign.ts";
import { commitLost } from "#agent/model/commit-lost.ts";
import type { Task } from "#agent/runtime/campaigns/effects.ts";
import type { LinksealError } from "#hal/error.ts";
import { instantAfter } from "#hal/world.ts";
import { failing } from "../../../kit/rotation-runner-bench.ts";
import { EffectsBench } from "./effects-bench.ts";

describe("an accepted change", () => {
  const keys = (held: "old" | "both" | "new"): { readonly keys: typeof held } => ({ keys: held });
  const shown: readonly {
    readonly action: ActionKind;
    readonly lost: Partial<Task["port"]>;
    readonly kept: Partial<Task["port"]>;
    readonly words: string;
  }[] = [
    {
      action: "drain",
      lost: { drain: "off" },
      kept: { drain: "on" },
      words: "the drain of et-0/0/0",
    },
    { action: "add", lost: keys("old"), kept: keys("both"), words: "the new key of et-0/0/0" },
    {
      action: "stage",
      lost: keys("old"),
      kept: { ...keys("old"), pending: "ours" } as object,
      words: "the new key of",
    },
    { action: "stage", lost: keys("old"), kept: keys("both"), words: "the new key of" },
    {
      action: "promote",
      lost: { ...keys("both"), promotion: "due" } as object,
      kept: { ...keys("both"), promotion: "done" } as object,
      words: "the promotion of the new key of",
    },
    {
      action: "promote",
      lost: { ...keys("both"), promotion: "due" } as object,
      kept: keys("new"),
      words: "the promotion of the new key of",
    },
    {
      action: "removeOld",
      lost: keys("both"),
      kept: keys("new"),
      words: "the removal of the old key of",
    },
    {
      action: "removeNew",
      lost: keys("both"),
      kept: keys("old"),
      words: "the removal of the new key of",
    },
    { action: "replace", lost: keys("old"), kept: keys("new"), words: "the new key of" },
    { action: "replaceBack", lost: keys("new"), kept: keys("old"), words: "the old key of" },
  ];
  it.each(shown)(
    "an accepted $action is lost where an observation shows $lost, and not with $kept",
    async ({ action, lost, kept, words }) => {
      const scene = new EffectsBench();
      await scene.clock.runFor(500_000);
      const prepare = action === "replaceBack" ? "prepareBack" : "prepare";
      const run = async (): Promise<void> => {
        if (action.startsWith("replace")) await scene.run(prepare);
        await scene.run(action);
      };
      await run();
      expect(scene.judge(kept)).toBeUndefined();
      await scene.clock.runFor(2_400);
      expect(scene.judge(undefined)).toBeUndefined();
      const told = scene.judge(lost);
      expect(told).toMatchObject({ code: "device.commitExpired", where: "edge-a", effect: "none" });
      expect(told?.message).toContain(`edge-a accepted ${words}`);
      expect(told?.message).toContain(" 2 s ago and no longer holds it");
      expect([scene.effects.lostCommits, scene.judge(lost)]).toEqual([1, undefined]);
      await run();
      scene.judge(lost);
      expect(scene.effects.lostCommits).toBe(2);
      scene.effects.forgetFailures();
      expect(scene.effects.lostCommits).toBe(0);
    },
  );

  it("an accepted change counts as kept after a minute", async () => {
    const judged = async (ms: number): Promise<LinksealError | undefined> => {
      const scene = new EffectsBench();
      await scene.clock.runFor(500_000);
      await scene.run("drain");
      await scene.clock.runFor(ms);
      scene.judge({ drain: "on" });
      return scene.judge({ drain: "off" });
    };
    expect((await judged(60_000))?.code).toBe("device.commitExpired");
    expect(await judged(60_001)).toBeUndefined();
  });

  it("an accepted change may be lost for a minute, and none before a write", async () => {
    const scene = new EffectsBench();
    await scene.clock.runFor(500_000);
    expect(scene.effects.mayLose(scene.clock.now())).toBe(false);
    await scene.run("restore");
    const at = scene.clock.now();
    expect(scene.effects.mayLose(instantAfter(at, 60_000))).toBe(true);
    expect(scene.effects.mayLose(instantAfter(at, 60_001))).toBe(false);
  });

  it.each(["restore", "open", "rekeySak", "renewSak"] as const)(
    "an accepted %s is never called lost",
    async (action) => {
      const scene = new EffectsBench();
      await scene.clock.runFor(500_000);
      await scene.run("drain");
      await scene.run(action);
      expect(scene.judge({ drain: "off", keys: "old" })).toBeUndefined();
    },
  );
});

describe("a commit that was lost", () => {
  it("a lost commit names the campaign to show, or the plan where there is none", () => {
    expect(commitLost("edge-a", "this", 1_500, undefined).next).toBe("linkseal plan --accepted");
    expect(commitLost("edge-a", "this", 1_500, "g").next).toBe("linkseal rotation show g");
  });
});

describe("a prepared change", () => {
  // What was validated and never applied stayed on the candidate, in the way of the restore.
  it.each(["journal", "look"] as const)(
    "a prepared change leaves nothing on the candidate where the %s fails",
    async (part) => {
      const scene = new EffectsBench();
      const recheck = (): never => {
        throw failing("gate.siblingUnhealthy");
      };
      for (const [index, action] of (["drain", "stage", "open"] as const).entries()) {
        if (part === "journal") scene.failures.write = failing("journal.full");
        await scene.fails(action, part === "look" ? { recheck } : {});
        expect(scene.log.filter((line) => line === `rollback t-${index + 1}`)).toHaveLength(1);
      }
      expect(scene.log.filter((line) => line.startsWith("apply"))).toEqual([]);
    },
  );
});
