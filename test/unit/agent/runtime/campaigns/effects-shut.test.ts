// The effects of a campaign on a router that needs its port shut for a change of keys.

import { describe, expect, it } from "vitest";
import type { Desired } from "#agent/model/desired.ts";
import { known } from "#hal/model.ts";
import { failing, oldKey, shutsFirst } from "../../../kit/rotation-runner-bench.ts";
import { never, settled } from "../../../kit/site-bench.ts";
import { EffectsBench } from "./effects-bench.ts";

const at = { port: "et-0/0/0" };

describe("a router that needs its port shut for a key", () => {
  const quirk = { edit: shutsFirst };

  it("a port that must be shut is shut with check and record, and the key opens it", async () => {
    const scene = new EffectsBench(quirk);
    await scene.run("removeOld");
    expect(scene.changes).toEqual([
      [{ kind: "port.shut", ...at }],
      [
        { kind: "macsec.removeKey", ...at, ckn: oldKey.ckn },
        { kind: "port.open", ...at },
      ],
    ]);
    expect(scene.log).toEqual([
      "prepare edge-a port.shut",
      "write effect edge-a: open t-1",
      "recheck",
      "apply t-1 final",
      "write settled",
      "write measured commit edge-a 0",
      "prepare edge-a macsec.removeKey port.open",
      "write effect edge-a: removeOld t-2",
      "apply t-2 final",
      "write settled",
      "write measured commit edge-a 0",
    ]);
  });

  it("a port that must be shut stays open where the last check refuses", async () => {
    const scene = new EffectsBench(quirk);
    const recheck = (): never => {
      throw failing("gate.siblingUnhealthy");
    };
    await scene.fails("stage", { recheck });
    expect(scene.log.filter((line) => line.startsWith("apply"))).toEqual([]);
  });

  it("a port that must be shut stays open where its link works again", async () => {
    const scene = new EffectsBench(quirk);
    const observeAgain = (): never => {
      throw failing("gate.stale");
    };
    expect((await scene.fails("add", { observeAgain })).code).toBe("gate.stale");
    expect(scene.log).toEqual(["prepare edge-a port.shut", "rollback t-1"]);
  });

  it.each([
    ["before it was shut", true, 1],
    ["shut as it was left", false, 1],
    ["open again by itself: seed 16-345", true, 2],
  ] as const)("a port is checked as often as it is interrupted, observed %s", async (...row) => {
    const [when, linkUp, checks] = row;
    const scene = new EffectsBench(quirk);
    const observe = async (): Promise<void> => {
      scene.port.primary = { ...scene.port.primary, linkUp: known(linkUp, scene.clock.now()) };
      await scene.deviceCache.observe("edge-a", never);
    };
    if (when === "before it was shut") await settled(scene.clock, observe());
    await scene.clock.runFor(1_000);
    scene.hooks.prepare = async () => {
      await scene.clock.sleep(1_000);
      if (when !== "before it was shut" && scene.changes.length === 2) await observe();
    };
    await scene.run("add");
    expect(scene.log.filter((line) => line === "recheck")).toHaveLength(checks);
  });

  it("a replacement is validated anew once the port is shut", async () => {
    const scene = new EffectsBench(quirk);
    await scene.run("prepare");
    await scene.run("replace");
    expect(scene.log).toEqual([
      "prepare edge-a macsec.replaceKey port.open",
      "rollback t-1",
      "prepare edge-a port.shut",
      "write effect edge-a: open t-2",
      "recheck",
      "apply t-2 final",
      "write settled",
      "write measured commit edge-a 0",
      "prepare edge-a macsec.replaceKey port.open",
      "write effect edge-a: replace t-3",
      "recheck",
      "apply t-3 final",
      "write settled",
      "write measured commit edge-a 0",
    ]);
  });

  it("a port is not shut for a replacement that was not validated", async () => {
    const scene = new EffectsBench(quirk);
    await scene.run("replace");
    expect(scene.log).toEqual([]);
  });

  it("a port is not shut where only the other router has the quirk", async () => {
    const edit = (wanted: Desired): Desired => ({
      ...shutsFirst(wanted),
      devices: shutsFirst(wanted)
        .devices.map((each) => (each.name === "edge-a" ? { ...each, quirks: [] } : each))
        .toReversed(),
    });
    const scene = new EffectsBench({ edit });
    await scene.run("promote");
    expect(scene.changes).toHaveLength(1);
  });

  it("a port is shut for the old key on the way back as well", async () => {
    const scene = new EffectsBench(quirk);
    await scene.run("prepareBack");
    await scene.run("replaceBack");
    expect(scene.changes.map(([first]) => first)).toMatchObject([
      { key: oldKey },
      { kind: "port.shut" },
      { key: oldKey },
    ]);
  });

  it("a shut port keeps its old key where the second validation fails", async () => {
    const scene = new EffectsBench(quirk);
    await scene.run("prepare");
    scene.hooks.apply = async () => {
      scene.failures.prepare = failing("device.rejected", "no such suite");
    };
    await scene.run("replace");
    expect(scene.log.filter((line) => line.startsWith("apply"))).toEqual(["apply t-2 final"]);
    expect(scene.replacement()).toBe("refused: no such suite");
  });
});
