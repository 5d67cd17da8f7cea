// What is shipped for Prometheus and Grafana against the tables that it is made of.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { explanations } from "#agent/explain/explain.ts";
import { warningRows } from "#agent/model/warning-rows.ts";
import { siteLabel } from "#agent/telemetry/metric.ts";
import { metricRows } from "#agent/telemetry/metric-rows.ts";
import { alertRules, alertsText, codeOf } from "../../../docs/alerts.ts";
import { alertsReference, metricsReference } from "../../../docs/telemetry-reference.ts";
import { queriesOf } from "../../kit/dashboard-queries.ts";

const byName = new Map<string, readonly string[]>(
  metricRows.map(({ name, labels }) => [name, [siteLabel, ...labels]]),
);
/** Labels that Prometheus adds. */
const added = ["instance", "job"];

/** Metrics of an expression with the labels that it asks them for. */
function asked(expr: string): readonly (readonly [name: string, labels: readonly string[]])[] {
  return [...expr.matchAll(/(linkseal_\w+)(?:\{([^}]*)\})?/g)].map(([, name = "", labels = ""]) => [
    name,
    [...labels.matchAll(/(\w+)(?:=~?|!=)"/g)].map(([, label = ""]) => label),
  ]);
}

function wrongIn(expr: string): readonly string[] {
  return asked(expr).flatMap(([name, labels]) => {
    const known = byName.get(name);
    if (known === undefined) return [name];
    return labels.filter((label) => !known.includes(label)).map((label) => `${name}{${label}}`);
  });
}

const levels = { error: "critical", warning: "warning", info: "info" } as const;

/** `mka-no-live-peer` is LinksealMkaNoLivePeer. */
function alertName(code: string): string {
  const words = code.split("-").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `Linkseal${words.join("")}`;
}

const docs = join(import.meta.dirname, "../../../../docs");
const dashboard = readFileSync(join(docs, "linkseal-dashboard.json"), "utf8");

describe("alert rules", () => {
  it("each warning code has one alert rule, with the text of explain", () => {
    const codes = alertRules.flatMap((rule) => codeOf(rule) ?? []);
    expect(codes.toSorted()).toEqual(Object.keys(warningRows).toSorted());
    for (const rule of alertRules) {
      const code = codeOf(rule);
      if (code === undefined) continue;
      const { severity, impactsTraffic, title } = warningRows[code];
      const meaning = explanations.get(code)?.meaning;
      expect(rule).toEqual({
        alert: alertName(code),
        expr: `linkseal_warning_open{code="${code}"} == 1`,
        labels: { severity: levels[severity], ...(impactsTraffic ? { traffic: "impacted" } : {}) },
        annotations: {
          summary: `{{ $labels.site }}: {{ $labels.about }}: ${title}`,
          description: `${meaning} Run: linkseal explain ${code}`,
        },
      });
    }
  });

  it("alert rules have distinct names", () => {
    const names = alertRules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^Linkseal([A-Z][a-z]+)+$/);
  });

  it("alert rules use existing metrics and labels", () => {
    for (const { alert, expr } of alertRules) expect([alert, wrongIn(expr)]).toEqual([alert, []]);
    expect(wrongIn('linkseal_link_verdict{x="1"} + linkseal_nothing')).toEqual([
      "linkseal_link_verdict{x}",
      "linkseal_nothing",
    ]);
  });

  it("alert rules mention labels that their expression keeps", () => {
    for (const { alert, expr, annotations } of alertRules) {
      const { summary, description } = annotations;
      const used = [...`${summary} ${description}`.matchAll(/\$labels\.(\w+)/g)].map(
        ([, label = ""]) => label,
      );
      const name = asked(expr)[0]?.[0] ?? "";
      const kept = /by \(([^)]*)\)/.exec(expr)?.[1]?.split(", ");
      const there = kept ?? [...added, ...(byName.get(name) ?? [])];
      expect([alert, used.filter((label) => !there.includes(label))]).toEqual([alert, []]);
    }
  });

  it("alert rules are in the file and in the reference, each once", () => {
    for (const { alert } of alertRules) {
      expect(alertsText.split(`- alert: ${alert}\n`)).toHaveLength(2);
      expect(alertsReference().split(`| \`${alert}\` |`)).toHaveLength(2);
    }
  });
});

describe("alert rules of many sites", () => {
  it("no rule joins two sites: each aggregation and each match keeps the site", () => {
    for (const { alert, expr } of alertRules) {
      const kept = [...expr.matchAll(/(?:by|on) \(([^)]*)\)/g)].map(([, labels = ""]) => labels);
      const without = kept.filter((labels) => !labels.split(", ").includes(siteLabel));
      expect([alert, without]).toEqual([alert, []]);
    }
  });
});

describe("the dashboard", () => {
  const queries = queriesOf(dashboard);

  it("the dashboard uses existing metrics and labels", () => {
    for (const expr of queries) expect([expr, wrongIn(expr)]).toEqual([expr, []]);
    expect(queries.flatMap(asked).length).toBeGreaterThanOrEqual(queries.length);
  });

  it("the dashboard asks for the sites of its variable everywhere", () => {
    const { templating } = JSON.parse(dashboard) as {
      templating: { list: { name: string; query: string }[] };
    };
    const variables = templating.list.filter(({ query }) => query.startsWith("label_values("));
    expect(variables.map(({ name }) => name)).toEqual(["site", "group", "link"]);
    const [, ...narrowed] = variables.map(({ query }) => query);
    for (const expr of [...queries, ...narrowed]) {
      for (const [name, labels] of asked(expr))
        expect([name, labels]).toEqual([name, expect.arrayContaining([siteLabel])]);
    }
  });

  it("the dashboard has no two panels in one place", () => {
    const { panels } = JSON.parse(dashboard) as {
      panels: { id: number; gridPos: { x: number; y: number } }[];
    };
    const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
    expect(new Set(places).size).toBe(panels.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

describe("the reference", () => {
  it("the reference has every metric", () => {
    for (const { name, help } of metricRows) {
      expect(metricsReference()).toContain(`| \`${name}\` |`);
      expect(metricsReference()).toContain(help);
    }
  });
});
