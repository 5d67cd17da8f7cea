// What is in force stays in force: a bad file, a busy group, and the way back to an older intent.

import { describe, expect, it } from "vitest";
import { AgentBench } from "../../kit/agent-bench.ts";

const slower = (text: string): string => text.replace("poll: 5s", "poll: 6s");

async function protectedBench(): Promise<AgentBench> {
  const bench = new AgentBench("protected");
  await bench.live();
  await bench.apply();
  await bench.run(60_000);
  return bench;
}

describe("the intent in force", () => {
  const bad: readonly (readonly [string, (text: string) => string])[] = [
    ["is no YAML", (text) => `${text}: [`],
    ["has an unknown key", (text) => `${text}colour: blue\n`],
    [
      "names a device that is not there",
      (text) => text.replace("device: edge-a", "device: edge-z"),
    ],
    ["is empty", () => ""],
  ];
  it.each(bad)("the intent in force stays when the new file %s", async (_name, spoil) => {
    const bench = await protectedBench();
    const answer = await bench.apply(bench.config(spoil));
    expect(answer).toMatchObject({ kind: "refused" });
    await bench.run(60_000);
    await bench.end();
    await bench.live();
    await bench.run(60_000);
    expect(bench.agent.intent).toMatchObject({ number: 1, text: bench.config() });
    expect([bench.oracle.agentWrites, bench.broken]).toEqual([0, []]);
  });

  it("a changed config file does not change the intent in force, and is a warning", async () => {
    const bench = await protectedBench();
    const codes = (): readonly string[] => bench.agent.status().warnings.map(({ code }) => code);
    bench.agent.fileText = bench.config();
    await bench.run(60_000);
    expect(codes()).not.toContain("config-not-applied");
    bench.agent.fileText = bench.config(slower);
    await bench.run(60_000);
    expect(codes()).toContain("config-not-applied");
    expect([bench.agent.intent?.number, bench.oracle.agentWrites]).toEqual([1, 0]);
  });

  it("a rollback accepts an older text under a new number, and writes to no device", async () => {
    const bench = await protectedBench();
    expect(await bench.apply(bench.config(slower))).toMatchObject({ kind: "accepted", number: 2 });
    await bench.run(60_000);
    const answer = await bench.ask("POST /v1/config/rollback", { number: 1 });
    expect(answer).toMatchObject({ kind: "accepted", number: 3 });
    await bench.run(60_000);
    expect(bench.agent.intent).toMatchObject({ number: 3, text: bench.config() });
    expect(bench.agent.supervisor?.intent.number).toBe(3);
    expect(bench.oracle.agentWrites).toBe(0);
  });
});
