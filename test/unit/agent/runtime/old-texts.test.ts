// Accepted configs without end: old texts go, and those that a link was made by stay.

import { expect, it } from "vitest";
import { dropOldTexts } from "#agent/runtime/old-texts.ts";
import { IntentStore } from "#agent/store/intent/intent.ts";
import { LinksealError } from "#hal/error.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { never, settled } from "../../kit/site-bench.ts";

it("the agent drops texts of old configs, but not the one that a link was adopted by", async () => {
  const bench = await new AgentBench("protected").live();
  await bench.apply();
  await bench.run(30_000);
  await settled(bench.site.clock, bench.agent.commands.adopt(group, [], never));
  for (let n = 1; n <= 20; n += 1) {
    const answer = await bench.apply(`${bench.config()}# ${n} ${"x".repeat(900_000)}\n`);
    expect(answer.kind).toBe("accepted");
  }
  const { intents } = bench.agent;
  expect(intents.text(1)).toBe(bench.config());
  expect(() => intents.text(2)).toThrow("the text of config 2 is not kept any more");
  expect(intents.text(20)?.length).toBeGreaterThan(900_000);
  expect((await bench.disk.read("intent/0002.yaml"))?.length).toBe(0);
  expect(intents.history()).toHaveLength(21);
  expect(bench.broken).toEqual([]);
});

it("a disk that drops no text is logged, and the config counts", async () => {
  const bench = await new AgentBench("protected").live();
  const full = new LinksealError("journal.full", "no space", {
    ...{ effect: "none", where: "state", next: "linkseal status" },
  });
  const store = await settled(bench.site.clock, IntentStore.open(bench.disk));
  store.dropOld = () => Promise.reject(full);
  const logged: string[] = [];
  const log = { write: (_level: string, code: string): void => void logged.push(code) };
  await dropOldTexts(store, bench.agent.memory, log);
  expect(logged).toEqual(["journal.full"]);
});
