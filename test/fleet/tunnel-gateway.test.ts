// The agent sends gateways their newer keys: killed at every call.

import { describe, expect, it } from "vitest";
import type { Death } from "../storm/crashing-world.ts";
import { GatewayStage } from "../storm/gateway-stage.ts";

const key = "A_new_PSK_that_only_the_vault_knows";

/**
 * Returns the calls of the process that changes the key, from the notice of the key to the proof.
 */
async function cleanRun(): Promise<readonly string[]> {
  const stage = new GatewayStage("gateway-kill");
  await stage.begin();
  const id = stage.newKey("hub-1", key);
  stage.calls.length = 0;
  expect(await stage.until(() => stage.inUse()?.auth.secretId === id)).toBe(true);
  expect(stage.puts()).toEqual(["200"]);
  expect([stage.wrong, stage.leaks(key), await stage.agree()]).toEqual([[], [], true]);
  return [...stage.calls];
}

/** Picks calls from the first one about the change to a little after the last. */
function fatal(calls: readonly string[]): readonly number[] {
  const first = calls.findIndex((call) => call.startsWith("GET /vault/secrets/hub-1-psk/versions"));
  return Array.from({ length: calls.length - first + 2 }, (_, at) => first + at + 1);
}

describe("a key that the agent gives to the gateway", () => {
  it("a key of a gateway changes by itself within minutes, and nothing else does", async () => {
    const stage = new GatewayStage("gateway-1", 2);
    await stage.begin();
    const ids = ["hub-1", "hub-2"].map((tunnel) => stage.newKey(tunnel, key + tunnel.slice(-1)));
    const begun = stage.site.clock.now();
    const isDone = (): boolean =>
      ["hub-1", "hub-2"].every((name, at) => stage.inUse(name)?.auth.secretId === ids[at]);
    expect(await stage.until(isDone, 600_000)).toBe(true);
    const took = Math.round((stage.site.clock.now() - begun) / 1_000);
    console.log(`two tunnels of one prefix have new keys after ${took} s, one after the other`);
    expect([stage.puts(), stage.wrong]).toEqual([["200", "200"], []]);
    expect(await stage.agree("hub-1")).toBe(true);
    expect(await stage.agree("hub-2")).toBe(true);
    expect(stage.leaks(key)).toEqual([]);
    await stage.until(() => false, 600_000);
    expect([stage.puts(), stage.wrong]).toEqual([["200", "200"], []]);
    expect(stage.agent.status().warnings.map(({ code }) => code)).not.toContain("rotation-held");
  });

  it("a key that Azure refuses changes nothing, and the operator reads the reason", async () => {
    const stage = new GatewayStage("gateway-2");
    await stage.begin();
    const before = stage.inUse()?.auth.secretId;
    stage.cloud.faults.arm.strike("authorizationFailed");
    stage.newKey("hub-1", key);
    await stage.until(() => stage.inUse()?.next?.reason.code === "tunnel.giving.notGiven");
    await stage.until(() => false, 900_000);
    expect(stage.inUse()).toMatchObject({ auth: { secretId: before }, next: { state: "waiting" } });
    const { warnings } = stage.agent.status();
    expect(warnings).toMatchObject([{ code: "far-end-refused", about: "hub-1" }]);
    expect(warnings[0]?.text).toContain("this identity has no right here");
    expect(stage.puts().length).toBeLessThanOrEqual(5);
    expect([await stage.agree(), stage.wrong]).toEqual([true, []]);
    stage.cloud.faults.arm.heal();
    expect(await stage.until(() => stage.isSettled(), 600_000)).toBe(true);
    expect([await stage.agree(), stage.wrong, stage.leaks(key)]).toEqual([true, [], []]);
  });

  it("a key that the gateway accepts and does not use goes back at both ends", async () => {
    const stage = new GatewayStage("gateway-3");
    await stage.begin();
    const before = stage.inUse()?.auth.secretId;
    stage.cloud.arm.sharedKeys.fate = "lies";
    stage.newKey("hub-1", key);
    expect(await stage.until(() => stage.inUse()?.next?.state === "held")).toBe(true);
    expect(stage.inUse()?.auth.secretId).toBe(before);
    expect(stage.puts()).toEqual(["200", "200"]);
    const { warnings } = stage.agent.status();
    expect(warnings).toMatchObject([{ code: "rotation-held", about: "hub-1" }]);
    stage.cloud.arm.sharedKeys.fate = "succeeds";
    expect([await stage.agree(), stage.wrong, stage.leaks(key)]).toEqual([true, [], []]);
    await stage.until(() => false, 3_600_000);
    expect(stage.puts()).toHaveLength(2);
    const proceeding = stage.agent.commands.proceedPsk(
      "hub-1",
      "ann",
      new AbortController().signal,
    );
    expect(await stage.until(() => stage.isSettled())).toBe(true);
    expect(await proceeding).toMatchObject({ farEnd: "agent", next: null });
    expect([await stage.agree(), stage.wrong]).toEqual([true, []]);
  });

  const deaths: readonly Death[] = ["before", "during", "after"];
  it.each(deaths)(
    "an agent killed %s a Disk or Dialer call changes the key as in the clean run",
    async (when) => {
      const calls = await cleanRun();
      const wrong: string[] = [];
      const indices = fatal(calls);
      for (const call of indices) {
        const stage = new GatewayStage("gateway-kill");
        const crashing = await stage.begin();
        const id = stage.newKey("hub-1", key);
        crashing.doom({ call, when });
        await stage.until(() => crashing.dead, 900_000);
        await stage.until(() => false, 3_000);
        if (crashing.dead) await stage.live();
        const isDone = await stage.until(() => stage.inUse()?.auth.secretId === id, 900_000);
        const isSame = isDone && stage.isSettled() && (await stage.agree());
        const others = stage.puts().filter((status) => status !== "200" && status !== "409");
        const trouble = [...stage.wrong, ...stage.leaks(key), ...others];
        if (!isSame || trouble.length > 0 || !crashing.dead) {
          const seen = `${JSON.stringify(stage.inUse())} ${trouble.join("; ")}`;
          wrong.push(`${when} call ${call} (${crashing.lastCall}): ${seen}`);
        }
      }
      console.log(`${indices.length} calls, each killed ${when}`);
      expect(wrong).toEqual([]);
    },
  );
});
