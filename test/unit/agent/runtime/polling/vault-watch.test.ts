// A vault that refuses the agent is reported within a minute, also between rotations.

import { describe, expect, it } from "vitest";
import { AgentBench } from "../../../kit/agent-bench.ts";

const minute = 60_000;

const shown = (bench: AgentBench): boolean =>
  bench.agent.status().warnings.some(({ code }) => code === "vault-denied");

/** Returns an agent whose links are protected and whose campaigns have ended. */
async function protectedSite(on: "hand" | "vaultVersion"): Promise<AgentBench> {
  const bench = await new AgentBench("clear", `denied ${on}`).live();
  const rotate = `    drain: prepend\n    rotate: { on: ${on} }`;
  await bench.apply(bench.config((text) => text.replace("    drain: prepend", rotate)));
  await bench.reach("secondary done");
  await bench.run(10 * minute);
  return bench;
}

describe("a vault that refuses the agent", () => {
  it.each(["hand", "vaultVersion"] as const)(
    "vault-denied shows within a minute with rotate.on: %s, and ends once the vault answers",
    async (on) => {
      const bench = await protectedSite(on);
      expect(shown(bench)).toBe(false);
      bench.site.vault.setFault("denied", true);
      expect(await bench.run(minute, () => shown(bench))).toBe(true);
      bench.site.vault.setFault("denied", false);
      expect(await bench.run(2 * minute, () => !shown(bench))).toBe(true);
      expect(bench.broken).toEqual([]);
    },
  );
});
