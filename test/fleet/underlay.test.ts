// The router of a tunnel loses its own way out: what the real agent says of it, second by second.

import { describe, expect, it } from "vitest";
import type { RouterFault } from "#sim/router/router-faults.ts";
import { AgentBench } from "../unit/kit/agent-bench.ts";

const losses: readonly (readonly [fault: RouterFault, text: string])[] = [
  ["outerAddressLost", "no interface has the outer address"],
  ["outerRouteLost", "no route leads to"],
  ["outerLinkLost", "is dead"],
];

function told(bench: AgentBench): string {
  const [tunnel] = bench.agent.status().tunnels;
  return [tunnel?.verdict, ...(tunnel?.reasons ?? []).map(({ code }) => code)].join(" ");
}

describe("a tunnel whose router has no way out", () => {
  it.each(losses)("after %s is down for that alone from the next reading on", async (...row) => {
    const [fault, cause] = row;
    const bench = new AgentBench("protected");
    await bench.live();
    await bench.run(30_000);
    await bench.apply(bench.config());
    await bench.run(300_000, () => told(bench).startsWith("protected"));
    const routers = [...bench.site.routers.values()];
    for (const router of routers) router.setFault(fault, true);
    const said: string[] = [];
    for (let second = 0; second < 120; second += 1) {
      await bench.run(1_000);
      said.push(told(bench));
    }
    const first = said.indexOf("down tunnel-underlay");
    console.log(`${fault}: ${said.slice(0, first + 1).join(", ")}`);
    // The agent polls every 5 s.
    expect(first).toBeGreaterThanOrEqual(0);
    expect(first).toBeLessThanOrEqual(5);
    expect(new Set(said.slice(first))).toEqual(new Set(["down tunnel-underlay"]));
    const { tunnels, warnings } = bench.agent.status();
    expect(tunnels[0]?.reasons[0]?.text).toContain(cause);
    const codes = warnings.filter(({ about }) => about === "hub-1").map(({ code }) => code);
    expect(codes).toContain("tunnel-underlay");
    expect(codes).not.toContain("ike-down");
    for (const router of routers) router.setFault(fault, false);
    await bench.run(60_000, () => told(bench).startsWith("protected"));
    expect(told(bench)).toMatch(/^protected/);
    expect([bench.oracle.agentWrites, bench.violations(), bench.broken]).toEqual([0, [], []]);
  });
});
