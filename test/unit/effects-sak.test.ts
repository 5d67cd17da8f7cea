import { describe, expect, it } from "vitest";
import { EffectsBench } from "./effects-bench.ts";

describe("a fresh SAK", () => {
  it("comes from a port that is shut and opened where none can be asked for", async () => {
    const macsec = { suites: ["gcm-aes-xpn-256"], overlap: "none", counters: "perSa" } as const;
    const scene = new EffectsBench({ capabilities: { macsec: { ...macsec, hitless: [] } } });
    await scene.run("rekeySak");
    const { port } = scene.link;
    expect(scene.changes).toEqual([[{ kind: "port.shut", port }], [{ kind: "port.open", port }]]);
    // Only the half that takes the link asks whether it may.
    expect(scene.log.filter((line) => line === "recheck")).toHaveLength(1);
  });
});
