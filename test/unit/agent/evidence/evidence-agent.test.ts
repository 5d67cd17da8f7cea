// The agent's own records: changes, who asked for them, and those that a crash kept out of the log.

import { describe, expect, it } from "vitest";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import type { Disk } from "#hal/world.ts";
import { AgentBench, group, operatorText } from "../../kit/agent-bench.ts";

async function report(bench: AgentBench): Promise<SignedReport> {
  const to = new Date(bench.site.clock.wall() + 1000).toISOString();
  return (await bench.ask(`GET /v1/report?from=2026-11-24&to=${to}`)) as SignedReport;
}

describe("the evidence of a first day", () => {
  it("the evidence names every change and who asked, and no read", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply();
    await bench.reach("secondary done");
    await bench.ask("POST /v1/plan", { text: bench.config(), file: "demo.yaml" });
    await bench.ask("POST /v1/drain", { link: `${group}/primary` });
    await bench.ask("POST /v1/undrain", { link: `${group}/primary` });
    await bench.ask("POST /v1/drain", { link: `${group}/absent` });
    await bench.run(200_000);
    const { changes, subjects } = await report(bench);
    const reported = changes.map(({ what, about, who, text }) =>
      [what, about, who, text].join(" | "),
    );
    expect(reported).toContain(`asked | ${group}/primary | ${operatorText} | drain: done`);
    expect(reported).toContain(`asked | ${group}/absent | ${operatorText} | drain: refused: usage`);
    expect(reported).toContain(
      `handDrain | ${group}/primary | ${operatorText} | its traffic was moved away`,
    );
    expect(reported.filter((line) => line.includes("plan"))).toEqual([]);
    expect(reported[0]).toMatch(
      /^intent \| intent 1 \| test \| config 1 accepted, SHA-256 [0-9a-f]{64}$/,
    );
    const states = reported.filter((line) => line.startsWith(`campaign | ${group}/secondary`));
    expect(states.at(-1)).toContain("enrol done");
    const bound = changes.filter(({ what }) => what === "binding");
    expect(bound.map(({ about }) => about)).toEqual([`${group}/primary`, `${group}/secondary`]);
    for (const { name, keys } of subjects.filter(({ kind }) => kind === "link")) {
      const ckn = bench.agent.memory.bindings[name]?.key.ckn;
      expect(keys.map((key) => key.ckn)).toEqual([ckn]);
      expect(bound.some(({ text }) => text.includes(`CKN ${ckn}`))).toBe(true);
    }
    expect(bench.violations()).toEqual([]);
  });

  it("after a restart the evidence has changes that the log could not take before", async () => {
    const bench = new AgentBench("clear");
    const refusing = (disk: Disk): Disk => ({
      read: (name) => disk.read(name),
      list: (prefix) => disk.list(prefix),
      append: (name, bytes) =>
        late && name.startsWith("audit") ? silence() : disk.append(name, bytes),
      replace: (name, bytes) =>
        late && name.startsWith("audit") ? silence() : disk.replace(name, bytes),
    });
    let late = false;
    const silence = (): Promise<never> => new Promise(() => undefined);
    await bench.live((world) => ({ ...world, disk: refusing(world.disk) }));
    await bench.apply();
    await bench.run(20_000);
    late = true;
    await bench.reach("secondary done");
    bench.disk.crash();
    await bench.end();
    await bench.live();
    await bench.run(300_000);
    const { changes, breaks } = await report(bench);
    const bound = changes.filter(({ what }) => what === "binding");
    expect(bound.map(({ about }) => about)).toEqual([`${group}/primary`, `${group}/secondary`]);
    const done = changes.filter(({ text }) => text.startsWith("enrol done"));
    expect(done.length).toBeGreaterThan(0);
    // No change is recorded twice.
    const once = changes.map(({ what, about, at, text }) => [what, about, at, text].join());
    expect(new Set(once).size).toBe(once.length);
    expect(breaks.map(({ what }) => what)).toEqual(["start", "start"]);
  });

  it("the agent warns while the disk takes no records, and continues its work", async () => {
    const bench = new AgentBench("clear");
    const full = (disk: Disk): Disk => ({
      ...{ read: (name) => disk.read(name), list: (prefix) => disk.list(prefix) },
      append: (name, bytes) => disk.append(name, bytes),
      replace: (name, bytes) =>
        name.startsWith("audit")
          ? Promise.reject(Object.assign(new Error("no"), { code: "ENOSPC" }))
          : disk.replace(name, bytes),
    });
    await bench.live((world) => ({ ...world, disk: full(world.disk) }));
    await bench.apply();
    await bench.reach("secondary done");
    const codes = bench.agent.status().warnings.map(({ code }) => code);
    expect(codes).toContain("audit-lossy");
    expect(bench.agent.status().verdict).toBe("protected");
    expect(bench.broken).toEqual([]);
  });

  it("the agent warns of a full disk until something can be confirmed", async () => {
    const bench = new AgentBench("protected");
    await bench.live();
    await bench.apply();
    await bench.run(120_000);
    const isLossy = (): boolean =>
      bench.agent.status().warnings.some(({ code }) => code === "audit-lossy");
    bench.disk.setFault("full", true);
    expect(await bench.run(120_000, isLossy)).toBe(true);
    for (let minutes = 0; minutes < 30; minutes += 1) {
      await bench.run(60_000);
      expect(isLossy()).toBe(true);
    }
    bench.disk.setFault("full", false);
    expect(await bench.run(60_000, () => !isLossy())).toBe(true);
    expect(bench.broken).toEqual([]);
  });

  it("there is no report before a record is confirmed", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    const reply = await bench.reply("GET /v1/report");
    expect([reply.status, JSON.parse(reply.body).text]).toEqual([
      400,
      expect.stringMatching(/nothing is confirmed yet|no records yet/),
    ]);
  });
});
