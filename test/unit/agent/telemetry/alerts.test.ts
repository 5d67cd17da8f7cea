// What is shipped for Prometheus and Grafana against the tables that it is made of.

import { describe, expect, it } from "vitest";
import { explanations } from "#agent/explain/explain.ts";
import { warningRows } from "#agent/model/warning-rows.ts";
import { alertRules, alertRulesYaml } from "#agent/telemetry/alerts.ts";
import { dashboardJson } from "#agent/telemetry/dashboard.ts";
import { metricRows } from "#agent/telemetry/metric-rows.ts";
import { alertsReference, metricsReference } from "#agent/telemetry/reference.ts";
import { queriesOf } from "../../kit/dashboard-queries.ts";

const byName = new Map<string, readonly string[]>(
  metricRows.map(({ name, labels }) => [name, labels]),
);
/** Labels that Prometheus adds. */
const added = ["instance", "job"];

/** Metrics of an expression with the labels that it asks them for. */
function asked(expr: string): readonly (readonly [name: string, labels: readonly string[]])[] {
  return [...expr.matchAll(/(linkseal_\w+)(?:\{([^}]*)\})?/g)].map(([, name = "", labels = ""]) => [
    name,
    [...labels.matchAll(/(\w+)=~?"/g)].map(([, label = ""]) => label),
  ]);
}

function wrongIn(expr: string): readonly string[] {
  return asked(expr).flatMap(([name, labels]) => {
    const known = byName.get(name);
    if (known === undefined) return [name];
    return labels.filter((label) => !known.includes(label)).map((label) => `${name}{${label}}`);
  });
}

describe("alert rules", () => {
  it("are one for each warning code, in the words of explain", () => {
    const codes = alertRules.flatMap(({ code }) => code ?? []);
    expect(codes.toSorted()).toEqual(Object.keys(warningRows).toSorted());
    for (const { code, description, summary } of alertRules) {
      if (code === undefined) continue;
      expect(description).toContain(explanations.get(code)?.meaning);
      expect(summary).toContain(warningRows[code].title);
    }
  });

  it("have names of their own", () => {
    const names = alertRules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^Linkseal([A-Z][a-z]+)+$/);
  });

  it("ask for metrics and labels that there are", () => {
    for (const { alert, expr } of alertRules) expect([alert, wrongIn(expr)]).toEqual([alert, []]);
    expect(wrongIn('linkseal_link_verdict{x="1"} + linkseal_nothing')).toEqual([
      "linkseal_link_verdict{x}",
      "linkseal_nothing",
    ]);
  });

  it("speak of labels that are left", () => {
    for (const { alert, expr, summary, description } of alertRules) {
      const used = [...`${summary} ${description}`.matchAll(/\$labels\.(\w+)/g)].map(
        ([, label = ""]) => label,
      );
      const name = asked(expr)[0]?.[0] ?? "";
      const kept = /by \(([^)]*)\)/.exec(expr)?.[1]?.split(", ");
      const there = kept ?? [...added, ...(byName.get(name) ?? [])];
      expect([alert, used.filter((label) => !there.includes(label))]).toEqual([alert, []]);
    }
  });

  it("are in the file and in the catalogue, each once", () => {
    for (const { alert } of alertRules) {
      expect(alertRulesYaml().split(`- alert: ${alert}\n`)).toHaveLength(2);
      expect(alertsReference().split(`| \`${alert}\` |`)).toHaveLength(2);
    }
  });
});

describe("the dashboard", () => {
  const queries = queriesOf(dashboardJson());

  it("asks for metrics and labels that there are", () => {
    for (const expr of queries) expect([expr, wrongIn(expr)]).toEqual([expr, []]);
    expect(queries.flatMap(asked).length).toBeGreaterThanOrEqual(queries.length);
  });

  it("has no two panels in one place", () => {
    const { panels } = JSON.parse(dashboardJson()) as {
      panels: { id: number; gridPos: { x: number; y: number } }[];
    };
    const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
    expect(new Set(places).size).toBe(panels.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

describe("the reference", () => {
  it("has every metric", () => {
    for (const { name, help } of metricRows) {
      expect(metricsReference()).toContain(`| \`${name}\` |`);
      expect(metricsReference()).toContain(help);
    }
  });
});
