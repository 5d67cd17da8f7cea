import { describe, expect, it } from "vitest";
import type { Status } from "#agent/runtime/health/status.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";

type Edit = (text: string) => string;

const rotating = (policy: string): Edit => {
  return (text) => text.replace(/^( +)drain: .*\n/m, (line, pad) => `${line}${pad}${policy}\n`);
};

const byHand: Edit = (text) =>
  text.replace("farEnd: agent", "farEnd: manual").replace("putGrace:", "overdue: 10m\n  putGrace:");

async function living(start: "clear" | "protected", edit: Edit): Promise<AgentBench> {
  const bench = new AgentBench(start);
  const text = bench.config();
  expect(edit(text)).not.toBe(text);
  await bench.run(60_000);
  await bench.live();
  await bench.apply(edit(text));
  return bench;
}

async function adopted(edit: Edit): Promise<AgentBench> {
  const bench = await living("protected", edit);
  await bench.run(30_000);
  await bench.ask("POST /v1/adopt", { target: group });
  return bench;
}

function warning(bench: AgentBench, code: string): Status["warnings"][number] | undefined {
  return bench.agent.status().warnings.find((each) => each.code === code);
}

describe("a key's age", () => {
  it("a key older than the group's maxAge is a warning for each link", async () => {
    const bench = await adopted(rotating("rotate: { maxAge: 1h }"));
    await bench.run(1_800_000);
    expect(warning(bench, "key-age")).toBeUndefined();
    await bench.run(1_900_000);
    expect(warning(bench, "key-age")).toMatchObject({
      severity: "warning",
      text: expect.stringMatching(/^the key was made at .*Z and is too old since .*Z$/),
    });
    const about = bench.agent.status().warnings.map(({ code, about }) => `${code} ${about}`);
    expect(about).toEqual([`key-age ${group}/primary`, `key-age ${group}/secondary`]);
    expect(bench.broken).toEqual([]);
  });

  it("a key of any age is not a warning if the group has no maxAge", async () => {
    const bench = await adopted(rotating("rotate: { on: vaultVersion }"));
    await bench.run(3_700_000);
    expect(warning(bench, "key-age")).toBeUndefined();
  });
});

describe("a campaign that waits for an operator", () => {
  it("a waiting campaign is overdue after rotation.overdue, until it continues", async () => {
    const bench = await living("clear", byHand);
    await bench.reach("primary awaitingPeer");
    await bench.run(590_000);
    expect(warning(bench, "rotation-overdue")).toBeUndefined();
    await bench.run(30_000);
    expect(warning(bench, "rotation-overdue")).toMatchObject({
      about: group,
      severity: "warning",
      text: expect.stringMatching(/^awaitingPeer since .*Z: /),
      next: `linkseal rotation show ${group}`,
    });
    await bench.ask("POST /v1/rotation/abandon", { group });
    await bench.run(60_000);
    expect(warning(bench, "rotation-overdue")).toBeUndefined();
    expect(bench.broken).toEqual([]);
  });
});
