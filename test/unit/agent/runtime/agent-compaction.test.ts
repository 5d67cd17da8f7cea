// A long journal is compacted, and the next start restores the same state from it.

import { expect, it } from "vitest";
import { AgentBench } from "../../kit/agent-bench.ts";
import { settled } from "../../kit/site-bench.ts";

it("a long journal becomes one snapshot, from which the next process starts", async () => {
  const bench = await new AgentBench("protected").live();
  const { agent, disk, site } = bench;
  const longest = { records: 0 };
  for (let nth = 0; nth < 600; nth += 1) {
    const what = `commit edge-${nth % 3}`;
    await settled(site.clock, agent.write({ kind: "measured", what, ms: nth }));
    longest.records = Math.max(longest.records, await recordsOf(bench));
  }
  expect(longest.records).toBeLessThanOrEqual(251);
  expect(await recordsOf(bench)).toBeLessThan(250);
  const { memory } = agent;
  expect(memory.measures["commit edge-2"]?.at(-1)).toBe(599);
  await bench.end();
  await bench.live();
  expect(bench.agent.memory).toEqual(memory);
  expect(Buffer.from((await disk.read("journal")) ?? "").toString()).toContain('"snapshot"');
  expect(bench.broken).toEqual([]);
});

async function recordsOf({ disk }: AgentBench): Promise<number> {
  const bytes = await disk.read("journal");
  return Buffer.from(bytes ?? "")
    .toString()
    .trim()
    .split("\n").length;
}
