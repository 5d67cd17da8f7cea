// An agent that grows old: a rotation each day for a year, and a link that flaps without end.
// Nothing that it keeps may grow with its age.

import { describe, expect, it } from "vitest";
import { madeReport } from "#agent/evidence/report/made.ts";
import { effort } from "../effort.ts";
import { AgentBench, group } from "../unit/kit/agent-bench.ts";
import { settled } from "../unit/kit/site-bench.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** A pair that rotates when new keys are in the vault, and polls each minute. */
async function rotating(): Promise<AgentBench> {
  const bench = await new AgentBench("clear", "age").live();
  const text = bench.config((config) =>
    config
      .replace("health: { poll: 5s, staleAfter: 20s, evidence: 90s }", slowHealth)
      .replaceAll("    drain: prepend", "    drain: prepend\n    rotate: { on: vaultVersion }")
      .replaceAll("2027-11-24", "2028-12-31"),
  );
  await bench.apply(text);
  await bench.reach("secondary done", dayMs);
  return bench;
}

const slowHealth = "health: { poll: 1m, staleAfter: 3m, evidence: 5m }";

function newKeys({ site }: AgentBench): void {
  for (const { key } of site.links) site.vault.generatePair(key, "gcm-aes-xpn-256");
}

/** Octets of the journal, characters of the memory, and events in the ring. */
async function sizes({ agent, disk }: AgentBench): Promise<readonly number[]> {
  const journal = (await disk.read("journal"))?.length ?? 0;
  const memory = JSON.stringify(agent.memory, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  ).length;
  return [journal, memory, agent.events.after(0).events.length];
}

describe("an agent that rotates each day", () => {
  const days = effort(2, 365);

  it(`rotates ${days} times in ${days} days, and keeps no more than in the first`, async () => {
    const bench = await rotating();
    const largest: number[] = [];
    const created = new Set<number>();
    for (let day = 0; day < days; day += 1) {
      newKeys(bench);
      await bench.run(dayMs);
      const { bindings } = bench.agent.memory;
      for (const binding of Object.values(bindings)) created.add(binding.created);
      expect(bench.agent.status().verdict, `day ${day}`).toBe("protected");
      for (const [index, size] of (await sizes(bench)).entries()) {
        largest[index] = Math.max(largest[index] ?? 0, size);
      }
      // A month after the other it is started anew, from what it keeps, and its routers' clocks are
      // set: after a year without a time server they are five minutes wrong, and nothing begins.
      if (day % 30 !== 29) continue;
      for (const router of bench.site.routers.values()) router.setWall();
      await bench.end();
      await bench.live();
    }
    // Each link has had a key of each day, beside its first one.
    expect(created.size).toBeGreaterThanOrEqual(days);
    const [journal = 0, memory = 0, events = 0] = largest;
    expect(journal).toBeLessThan(1024 * 1024);
    expect(memory).toBeLessThan(100_000);
    expect(events).toBeLessThanOrEqual(2_000);
    expect(bench.broken).toEqual([]);
    expect(bench.violations()).toEqual([]);
    const warnings = bench.agent.status().warnings.map(({ code }) => code);
    expect(warnings.filter((code) => code.includes("journal") || code.includes("evid"))).toEqual(
      [],
    );
    const report = await settled(
      bench.site.clock,
      madeReport(bench.agent, { from: undefined, to: undefined }),
    );
    const rotations = report.changes.filter(({ text }) => text.startsWith("rotated"));
    expect(rotations.length).toBeGreaterThanOrEqual(2 * days);
  });
});

describe("an agent whose link flaps every forty seconds", () => {
  const hours = effort(2, 14 * 24);

  it(`keeps no more after ${hours} hours, and its evidence begins with the first`, async () => {
    const bench = await new AgentBench("clear", "flap").live();
    await bench.apply();
    await bench.reach("secondary done");
    const { fibre } = bench.link("primary");
    const began = bench.site.clock.wall();
    const memories: number[] = [];
    for (let flap = 0; flap < (hours * 3_600) / 40; flap += 1) {
      fibre.setUp(false);
      await bench.run(20_000);
      fibre.setUp(true);
      await bench.run(20_000);
      if (flap % 90 !== 89) continue;
      const [journal = 0, memory = 0, events = 0] = await sizes(bench);
      expect(journal).toBeLessThan(512 * 1024);
      expect(events).toBeLessThanOrEqual(2_000);
      memories.push(memory);
    }
    expect(Math.max(...memories)).toBeLessThan(1.1 * Math.min(...memories));
    expect(bench.broken).toEqual([]);
    expect(bench.violations()).toEqual([]);
    const { entries } = await settled(bench.site.clock, bench.agent.evidence.read());
    const codes = bench.agent.status().warnings.map(({ code }) => code);
    // Whatever is lost was announced: the warning is there before the first record goes.
    if (entries[0] !== undefined && entries[0].at > began) {
      expect(codes).toContain("evidence-rolls-over");
    }
    const octets = bench.disk
      .contents()
      .filter(({ name }) => name.startsWith("audit/"))
      .reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(octets).toBeLessThan(17 * 4 * 1024 * 1024);
    const named = Object.keys(bench.agent.memory.campaigns);
    expect(named).toEqual([group]);
  });
});
