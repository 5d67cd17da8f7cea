// Heads of the audit log to a log of this host: sent as the accepted config asks, once for the same
// records, and an outage is logged once.

import { describe, expect, it } from "vitest";
import { headsIn } from "#agent/evidence/report/head.ts";
import { checkHeads } from "#agent/evidence/report/heads.ts";
import type { SignedReport } from "#agent/evidence/report/statement.ts";
import { sendHeads } from "#agent/telemetry/heads.ts";
import { LinksealError } from "#hal/error.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { settled } from "../../kit/site-bench.ts";

const asks = (to: string, every = "10m"): string =>
  `telemetry: { heads: { to: ${to}, every: ${every} } }\n`;

/** An agent, the lines that it sent, and the fault of their log. */
class Sending {
  readonly bench = new AgentBench("protected");
  readonly lines: string[] = [];
  isDeaf = false;
  readonly #end = new AbortController();

  async begin(config = ""): Promise<this> {
    const { bench, lines } = this;
    await bench.live();
    const world = { clock: bench.site.clock, log: { write: this.#log } };
    const logLine = (to: string, line: string): void => {
      const details = { effect: "none", where: "/dev/log", next: "ls /dev/log" } as const;
      if (this.isDeaf)
        throw new LinksealError("transport.unreachable", "no process reads it", details);
      lines.push(`${to} ${line}`);
    };
    void sendHeads({ agent: bench.agent, world, logLine }, this.#end.signal);
    await bench.apply(bench.config() + config);
    return this;
  }

  readonly warned: string[] = [];
  readonly #log = (_level: string, code: string, text: string): void => {
    this.warned.push(`${code}: ${text}`);
  };

  async report(): Promise<SignedReport> {
    const { bench } = this;
    const to = new Date(bench.site.clock.wall() + 1000).toISOString();
    return (await bench.ask(`GET /v1/report?from=2026-11-24&to=${to}`)) as SignedReport;
  }
}

describe("heads to a log of this host", () => {
  it("a config that does not ask for heads sends none", async () => {
    const sending = await new Sending().begin();
    await sending.bench.run(7_200_000);
    expect(sending.lines).toEqual([]);
    expect((await sending.report()).chain.heads).toBeUndefined();
  });

  it.each(["journald", "syslog"])("heads go to %s, and the report contains them", async (to) => {
    const sending = await new Sending().begin(asks(to));
    for (let turn = 0; turn < 3; turn += 1) {
      await sending.bench.run(600_000);
      await sending.bench.ask("POST /v1/drain", { link: `${group}/primary` });
      await sending.bench.ask("POST /v1/undrain", { link: `${group}/primary` });
    }
    await sending.bench.run(600_000);
    expect(sending.lines.length).toBeGreaterThanOrEqual(3);
    expect(sending.lines.every((line) => line.startsWith(`${to} linkseal-head `))).toBe(true);
    const heads = headsIn(sending.lines.join("\n"));
    expect(checkHeads(await sending.report(), heads)).toEqual({
      ...{ found: sending.lines.length, outside: 0, faults: [] },
    });
    expect(sending.bench.broken).toEqual([]);
  });

  it("a config that asks for heads later gets them at once", async () => {
    const sending = await new Sending().begin();
    await sending.bench.run(600_000);
    await sending.bench.apply(sending.bench.config() + asks("journald"));
    await sending.bench.run(30_000);
    expect(sending.lines).toHaveLength(1);
  });

  it("a head follows only a record that is none", async () => {
    const sending = await new Sending().begin(asks("journald", "1m"));
    await sending.bench.run(3_600_000);
    const { agent, site } = sending.bench;
    const { entries } = await settled(site.clock, agent.evidence.read());
    const kinds = entries.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "head")).toHaveLength(sending.lines.length);
    expect(sending.lines.length).toBeGreaterThan(0);
    expect(kinds.join(" ")).not.toContain("head head");
  });

  it("a log that takes no lines is reported once, and gets the newest head later", async () => {
    const sending = await new Sending().begin();
    sending.isDeaf = true;
    await sending.bench.apply(sending.bench.config() + asks("syslog", "1m"));
    for (let turn = 0; turn < 3; turn += 1) {
      await sending.bench.run(60_000);
      await sending.bench.ask("POST /v1/drain", { link: `${group}/primary` });
      await sending.bench.ask("POST /v1/undrain", { link: `${group}/primary` });
    }
    await sending.bench.run(60_000);
    expect(sending.warned).toEqual([
      "head-failed: heads of the audit log are not sent: no process reads it",
    ]);
    // No new record is needed for it.
    sending.isDeaf = false;
    await sending.bench.run(180_000);
    expect(sending.lines).toHaveLength(1);
    const heads = headsIn(sending.lines.join("\n"));
    expect(checkHeads(await sending.report(), heads).faults).toEqual([]);
    sending.isDeaf = true;
    await sending.bench.ask("POST /v1/drain", { link: `${group}/primary` });
    await sending.bench.run(120_000);
    expect(sending.warned).toHaveLength(2);
  });
});
