// The agent gives the key of a connection whose gateway has two active instances: both tunnels
// change together, killed at every call.

import { describe, expect, it } from "vitest";
import type { Death } from "../storm/crashing-world.ts";
import { GatewayStage, pairPlan } from "../storm/gateway-stage.ts";

const key = "A_new_PSK_for_both_instances";
const names = ["hub-1", "hub-2"] as const;
const virtualNetwork = "connections/pair";
const virtualWan = "vpnGateways/hub-gw/vpnConnections/edge/vpnLinkConnections/first";

const hasBoth = (stage: GatewayStage, id: string | undefined): boolean =>
  names.every((name) => {
    const inUse = stage.inUse(name);
    return inUse?.auth.secretId === id && inUse?.next === undefined;
  });

const agree = async (stage: GatewayStage): Promise<boolean> =>
  (await stage.agree("hub-1")) && (await stage.agree("hub-2"));

async function clean(connection: string): Promise<readonly string[]> {
  const stage = new GatewayStage("pair-kill", pairPlan(connection));
  await stage.begin();
  const id = stage.newKey("hub-1", key);
  stage.calls.length = 0;
  const begun = stage.site.clock.now();
  expect(await stage.until(() => hasBoth(stage, id))).toBe(true);
  const took = Math.round((stage.site.clock.now() - begun) / 1_000);
  console.log(`${connection}: both tunnels have the new key after ${took} s`);
  expect([stage.puts(), stage.wrong, stage.leaks(key)]).toEqual([["200"], [], []]);
  const calls = [...stage.calls];
  expect(await agree(stage)).toBe(true);
  return calls;
}

describe.each([
  { gateway: "of a virtual network", connection: virtualNetwork },
  { gateway: "of a Virtual WAN hub", connection: virtualWan },
])("a pair at a gateway $gateway", ({ connection }) => {
  it("a key of a pair changes by itself at all four ends, by one write", async () => {
    expect((await clean(connection)).length).toBeGreaterThan(20);
  });

  it("a key that one instance does not use goes back at all four ends", async () => {
    const stage = new GatewayStage("pair-deaf", pairPlan(connection));
    await stage.begin();
    const before = stage.inUse()?.auth.secretId;
    const { deaf } = stage.cloud.arm.sharedKeys;
    deaf.add("hub-2");
    stage.newKey("hub-1", key);
    expect(await stage.until(() => stage.inUse("hub-2")?.next?.state === "held")).toBe(true);
    expect(names.map((name) => stage.inUse(name)?.auth.secretId)).toEqual([before, before]);
    expect(await agree(stage)).toBe(true);
    expect([stage.puts(), stage.wrong, stage.leaks(key)]).toEqual([["200", "200"], [], []]);
    deaf.clear();
    const { signal } = new AbortController();
    const proceeding = stage.agent.commands.proceedPsk("hub-2", "ann", signal);
    expect(await stage.until(() => stage.isSettled())).toBe(true);
    expect(await proceeding).toMatchObject({ tunnel: "hub-2", pair: "hub-1", next: null });
    expect([await agree(stage), stage.wrong]).toEqual([true, []]);
  });

  const deaths: readonly Death[] = ["before", "during", "after"];
  it.each(deaths)(
    "an agent killed %s a Disk or Dialer call changes the key of both tunnels",
    async (when) => {
      const calls = await clean(connection);
      const begins = (call: string) => call.startsWith("GET /vault/secrets/hub-1-psk/versions");
      const first = calls.findIndex(begins);
      const wrong: string[] = [];
      for (let call = first + 1; call <= calls.length + 2; call += 1) {
        const stage = new GatewayStage("pair-kill", pairPlan(connection));
        const crashing = await stage.begin();
        const id = stage.newKey("hub-1", key);
        crashing.doom({ call, when });
        await stage.until(() => crashing.dead, 900_000);
        await stage.until(() => false, 3_000);
        if (crashing.dead) await stage.live();
        const isDone = await stage.until(() => hasBoth(stage, id), 900_000);
        const isSame = isDone && (await agree(stage));
        const others = stage.puts().filter((status) => status !== "200" && status !== "409");
        const trouble = [...stage.wrong, ...stage.leaks(key), ...others];
        if (!isSame || trouble.length > 0 || !crashing.dead) {
          wrong.push(`${when} call ${call} (${crashing.lastCall}): ${trouble.join("; ")}`);
        }
      }
      console.log(`${connection}: ${calls.length - first + 2} calls, each killed ${when}`);
      expect(wrong).toEqual([]);
    },
  );
});
