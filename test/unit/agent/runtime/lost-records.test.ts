// A journal or an index of configs that is lost beside an audit log that knows better is damage,
// and never looks like a fresh start.

import { describe, expect, it } from "vitest";
import type { World } from "#hal/world.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { without } from "../../kit/lost-file.ts";
import { settled } from "../../kit/site-bench.ts";

/** A pair with keys of its own, whose agent has ended in good order. */
async function enrolled(): Promise<AgentBench> {
  const bench = await new AgentBench("clear").live();
  await bench.apply();
  await bench.reach("secondary done");
  await bench.run(120_000);
  await bench.end();
  return bench;
}

const losing =
  (name: string) =>
  (world: World): World => ({ ...world, disk: without(world.disk, name) });

const warned = ({ agent }: AgentBench): readonly string[] =>
  agent.status().warnings.map(({ code }) => code);

describe("a journal that is lost", () => {
  it.each(["removed", "emptied"])(
    "a journal that was %s keeps the agent observing alone, until its loss is accepted",
    async (how) => {
      const bench = await enrolled();
      const { clock } = bench.site;
      if (how === "emptied") await settled(clock, bench.disk.replace("journal", new Uint8Array()));
      await bench.live(how === "removed" ? losing("journal") : undefined);
      await bench.run(60_000);
      expect(bench.agent.journalState).toBe("corrupt");
      expect(warned(bench)).toContain("journal-lossy");
      const before = bench.oracle.agentWrites;
      expect(await bench.ask("POST /v1/enrol", { target: group })).toMatchObject({
        ...{ code: "journal.corrupt", effect: "none" },
        next: "linkseal journal accept-loss",
      });
      await bench.run(600_000);
      expect(bench.oracle.agentWrites).toBe(before);
      expect(await bench.ask("POST /v1/journal/accept-loss")).toEqual({ state: "whole" });
      await bench.run(60_000);
      expect(warned(bench)).not.toContain("journal-lossy");
      // Its numbers go on after the last known one, so that no later start takes it for old.
      await bench.end();
      await bench.live();
      await bench.run(60_000);
      expect(bench.agent.journalState).toBe("whole");
      expect(warned(bench)).not.toContain("journal-lossy");
      expect(bench.broken).toEqual([]);
      expect(bench.violations()).toEqual([]);
    },
  );

  it("an old copy of a journal is reported, and the agent goes on from observations", async () => {
    const bench = await enrolled();
    const { clock } = bench.site;
    const bytes = await bench.disk.read("journal");
    const lines = Buffer.from(bytes ?? "")
      .toString()
      .split(/(?<=\n)/);
    const old = Buffer.from(lines.slice(0, lines.length / 2).join(""));
    await settled(clock, bench.disk.replace("journal", old));
    await bench.live();
    await bench.run(30_000);
    expect(bench.agent.journalState).toBe("whole");
    const [lossy] = bench.agent.status().warnings.filter(({ code }) => code === "journal-lossy");
    expect(lossy?.text).toMatch(/^the audit log knows \d+ records that the journal lacked/);
    expect(await bench.ask("POST /v1/journal/accept-loss")).toEqual({ state: "whole" });
    await bench.run(60_000);
    expect(warned(bench)).not.toContain("journal-lossy");
    await bench.end();
    await bench.live();
    expect(bench.agent.journal.missing).toBe(0);
    expect(bench.violations()).toEqual([]);
  });

  it("nothing is lost in a journal that is whole", async () => {
    const bench = await enrolled();
    await bench.live();
    expect(bench.agent.journal.missing).toBe(0);
    expect(await bench.ask("POST /v1/journal/accept-loss")).toMatchObject({ code: "usage" });
  });
});

describe("an index of configs that is lost", () => {
  it("an index that was removed beside an audit log is damage, and apply ends it", async () => {
    const bench = await enrolled();
    await bench.live(losing("intent/index.json"));
    await bench.run(60_000);
    expect(bench.agent.intentDamage).toMatchObject({ code: "journal.corrupt", effect: "none" });
    expect(bench.agent.status()).toMatchObject({
      verdict: "unknown",
      reasons: [{ code: "journal-lossy", text: expect.stringContaining("know config 1") }],
    });
    const before = bench.oracle.agentWrites;
    await bench.run(600_000);
    expect(bench.oracle.agentWrites).toBe(before);
    expect((await bench.apply()).kind).toBe("accepted");
    await bench.run(120_000);
    expect(bench.agent.status().groups[0]?.verdict).toBe("protected");
    await bench.end();
    await bench.live();
    expect(bench.agent.intentDamage).toBeUndefined();
    expect(bench.broken).toEqual([]);
    expect(bench.violations()).toEqual([]);
  });

  it("an index that is older than the audit log is damage", async () => {
    const bench = await enrolled();
    const { clock } = bench.site;
    const old = (await bench.disk.read("intent/index.json")) ?? new Uint8Array();
    await bench.live();
    await bench.apply(bench.config((text) => `${text}\n# changed\n`));
    await bench.run(60_000);
    await bench.end();
    await settled(clock, bench.disk.replace("intent/index.json", old));
    await bench.live();
    expect(bench.agent.intentDamage?.message).toMatch(
      /^intent\/index\.json ends at config 1, and the agent's records know config 2; /,
    );
  });
});
