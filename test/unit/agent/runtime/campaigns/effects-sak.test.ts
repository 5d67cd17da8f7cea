import { describe, expect, it } from "vitest";
import { type ErrorCode, LinksealError } from "#hal/error.ts";
import { EffectsBench } from "./effects-bench.ts";

const macsec = { suites: ["gcm-aes-xpn-256"], overlap: "none", counters: "perSa" } as const;
const able = { capabilities: { macsec: { ...macsec, hitless: [], freshSak: true } } } as const;

/** A router that can make SAKs answers so when it is asked for one. */
function refusing(error: Error): EffectsBench {
  const scene = new EffectsBench(able);
  scene.hooks.prepare = async () => {
    if (scene.changes.length === 1) throw error;
  };
  return scene;
}

function effectOn(
  effect: "none" | "unknown",
  code: ErrorCode = "device.unsupported",
): LinksealError {
  return new LinksealError(code, "", { effect, where: "edge-a", next: "linkseal doctor" });
}

describe("a fresh SAK", () => {
  it("a fresh SAK comes from shutting and opening a port that takes no request", async () => {
    const scene = new EffectsBench({ capabilities: { macsec: { ...macsec, hitless: [] } } });
    await scene.run("rekeySak");
    const { port } = scene.link;
    expect(scene.changes).toEqual([[{ kind: "port.shut", port }], [{ kind: "port.open", port }]]);
    // Only the half that takes the link asks whether it may.
    expect(scene.log).toEqual([
      "prepare edge-a port.shut",
      "write effect edge-a: rekeySak t-1",
      "recheck",
      "apply t-1 final",
      "write settled",
      "write measured commit edge-a 0",
      "prepare edge-a port.open",
      "write effect edge-a: open t-2",
      "apply t-2 final",
      "write measured commit edge-a 0",
    ]);
  });

  it("a fresh SAK is requested where the router makes them", async () => {
    const scene = new EffectsBench(able);
    await scene.run("rekeySak");
    expect(scene.changes).toEqual([[{ kind: "macsec.rekeySak", port: scene.link.port }]]);
  });

  it("a fresh SAK comes from shutting and opening where the far end makes them", async () => {
    const scene = refusing(effectOn("none"));
    await scene.run("rekeySak");
    const kinds = scene.changes.map(([change]) => change?.kind);
    expect(kinds).toEqual(["macsec.rekeySak", "port.shut", "port.open"]);
  });

  it.each([
    ["a refusal for another reason", effectOn("none", "device.rejected")],
    ["one that may have done something", effectOn("unknown")],
  ])("a fresh SAK is not made by shutting the port after %s", async (_what, error) => {
    const scene = refusing(error);
    await scene.fails("rekeySak");
    expect(scene.changes).toHaveLength(1);
  });

  it("a fresh SAK is not made by shutting the port after an error of our own", async () => {
    const scene = refusing(new TypeError("broken"));
    await expect(scene.run("rekeySak")).rejects.toThrow("broken");
    expect(scene.changes).toHaveLength(1);
  });
});

describe("a later SAK", () => {
  it("a later SAK is requested, and the port is never shut for it", async () => {
    const scene = new EffectsBench(able);
    await scene.run("renewSak");
    expect(scene.changes).toEqual([[{ kind: "macsec.rekeySak", port: scene.link.port }]]);
    expect(scene.log).toContain("recheck");
  });

  it("a later SAK that the far end makes is not made by shutting the port", async () => {
    const scene = refusing(effectOn("none"));
    expect((await scene.fails("renewSak")).code).toBe("device.unsupported");
    expect(scene.changes).toEqual([[{ kind: "macsec.rekeySak", port: scene.link.port }]]);
  });
});
