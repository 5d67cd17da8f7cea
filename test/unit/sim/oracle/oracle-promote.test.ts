// The oracle on a key that is promoted while its port is shut for it.

import { describe, expect, it } from "vitest";
import type { DeviceChange } from "#hal/device.ts";
import { eosModel } from "#sim/emulators/eos.ts";
import { formatViolation, watchSite } from "#sim/oracle/oracle.ts";
import { buildSite } from "#sim/site/site.ts";
import { ScriptedAgent } from "../../../scripted-agent.ts";
import { never } from "../../kit/site-bench.ts";

/** The new key is proven, its port is shut for the promotion, and the far end goes back. */
async function promoted(
  when: "once it was told to shut" | "once it was told" | "before",
): Promise<readonly string[]> {
  const options = { seed: "promote-1", name: "demo", groups: 1, tunnels: 0 } as const;
  const paces = { farEndDelayMs: { low: 200, high: 200 }, routingPps: 2 };
  const site = buildSite({ ...options, start: "protected", ...paces, models: () => eosModel });
  const oracle = watchSite(site);
  const scripted = new ScriptedAgent(site);
  const [primary, secondary] = [
    scripted.link("erd-demo/primary"),
    scripted.link("erd-demo/secondary"),
  ];
  const { port } = primary;
  const script = async (): Promise<void> => {
    await site.clock.sleep(60_000);
    const [old, key] = [scripted.givenKey(primary), scripted.newKey(primary)];
    const observeBoth = async (): Promise<void> => {
      await scripted.observe(primary);
      await scripted.observe(secondary);
    };
    await observeBoth();
    await scripted.drain(primary);
    await observeBoth();
    await scripted.change(primary, { kind: "macsec.addKey", port, key, role: "fallback" });
    await observeBoth();
    scripted.put(primary, key);
    await site.clock.sleep(60_000);
    const goBack = async (): Promise<void> => {
      primary.msee.manualEdit(primary.azureLink, { key: old });
      while (primary.edge.session().principalCkn !== old.ckn) await site.clock.sleep(100);
    };
    if (when === "before") {
      await goBack();
      await site.clock.sleep(30_000);
    }
    await observeBoth();
    const { ckn } = key;
    const promotion = { kind: "macsec.promoteKey", port, ckn } as const;
    const send = async (...change: DeviceChange): Promise<void> => {
      const transaction = await scripted.device(primary).prepare(change, scripted.keys, never);
      primary.router.setFault("slow", true);
      const gone = when === "before" ? undefined : goBack();
      await transaction.apply("final", never);
      await gone;
      expect(primary.edge.session().principalCkn).toBe(old.ckn);
      primary.router.setFault("slow", false);
    };
    if (when === "once it was told") await send(promotion);
    else {
      await send({ kind: "port.shut", port });
      await observeBoth();
      await scripted.change(primary, promotion, { kind: "port.open", port });
    }
    await site.clock.sleep(10_000);
  };
  let over = false;
  const whole = script().finally(() => {
    over = true;
  });
  await Promise.all([whole, site.clock.runFor(3_600_000, () => over)]);
  return oracle.violations.map(formatViolation);
}

describe("a key that is promoted while its port is shut", () => {
  it("a key promoted while its port is shut may rest on an old proof: seed 53-288", async () => {
    expect(await promoted("once it was told to shut")).toEqual([]);
  });

  it("a manual change after the promotion's request is excused: seed 71-222", async () => {
    expect(await promoted("once it was told")).toEqual([]);
  });

  it("a key promoted while its port is shut needs a proof from before", async () => {
    expect((await promoted("before")).join()).toContain("promoted key");
  });
});
