// Prometheus's own tool reads the metrics that we serve, and the rules and every dashboard query
// that we ship.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { exposition } from "#agent/telemetry/exposition.ts";
import { familiesOf, measured } from "#agent/telemetry/metric.ts";
import { metricRows } from "#agent/telemetry/metric-rows.ts";
import { AgentBench } from "../unit/kit/agent-bench.ts";
import { queriesOf } from "../unit/kit/dashboard-queries.ts";
import { run } from "./run.ts";

const docs = join(import.meta.dirname, "../../docs");

describe("promtool check metrics", () => {
  let text = "";
  beforeAll(async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply();
    // The most metrics exist while a campaign runs and warnings are open.
    await bench.reach("primary proving");
    text = exposition(familiesOf(metricRows, measured(bench.agent)));
  });

  it("promtool has no complaint about a scrape", async () => {
    expect(text).toContain('linkseal_campaign_state_info{site="demo",group="erd-demo"');
    expect(text).toContain("linkseal_warning_open{");
    expect(await run(["promtool", "check", "metrics"], text)).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("promtool does complain about a wrong one", async () => {
    const wrong = text.replaceAll("linkseal_events_total", "linkseal_events");
    const { status, stderr } = await run(["promtool", "check", "metrics"], wrong);
    expect([status, stderr]).toEqual([3, expect.stringContaining("linkseal_events")]);
    const broken = text.replace('verdict="protected"', 'verdict="protected');
    expect((await run(["promtool", "check", "metrics"], broken)).status).toBe(1);
  });
});

describe("promtool", () => {
  it("promtool accepts the alert rules", async () => {
    const ended = await run(["promtool", "check", "rules", join(docs, "linkseal-alerts.yaml")], "");
    expect(ended).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("SUCCESS") as string,
    });
  });

  it("each alert rule fires and ends when it should", async () => {
    const tests = join(import.meta.dirname, "alerts.yaml");
    const { status, stdout, stderr } = await run(["promtool", "test", "rules", tests], "");
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining("SUCCESS")]);
  });

  it("promtool parses every query of the dashboard", async () => {
    const queries = queriesOf(await readFile(join(docs, "linkseal-dashboard.json"), "utf8"));
    expect(queries.length).toBeGreaterThan(20);
    const rules = queries.map((expr, index) => ({ record: `query:number${index}`, expr }));
    const file = JSON.stringify({ groups: [{ name: "dashboard", rules }] });
    const { status, stdout, stderr } = await run(["promtool", "check", "rules"], file);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`SUCCESS: ${queries.length} rules`);
  });
});
