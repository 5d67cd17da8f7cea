// Prometheus alert rules: one for each warning code, in the words of `explain`, and those that no
// agent can raise about itself.

import { explanations } from "../explain/explain.ts";
import {
  isWarningCode,
  type Severity,
  type WarningCode,
  warningRows,
} from "../model/warning-rows.ts";
import type { MetricName } from "./metric-rows.ts";

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold; absent = the agent has let it settle already. */
  readonly for?: string;
  readonly severity: "critical" | "warning" | "info";
  readonly summary: string;
  readonly description: string;
  /** What it is about, for `linkseal explain`; absent = the rule stands for itself. */
  readonly code?: WarningCode;
}

const severityOf: Readonly<Record<Severity, AlertRule["severity"]>> = {
  error: "critical",
  warning: "warning",
  info: "info",
};

const notProtected = (verdicts: MetricName, by: string): string =>
  `max by (${by}) (${verdicts}{verdict="protected"}) == 0`;

const build: MetricName = "linkseal_build_info";
const trusted: MetricName = "linkseal_state_trusted";
const waiting: MetricName = "linkseal_webhook_waiting_events";

/** What holds beside all codes: an agent that is gone, and what no reason explains in time. */
const ownRules: readonly AlertRule[] = [
  {
    alert: "LinksealAbsent",
    expr: `absent(${build})`,
    for: "5m",
    severity: "critical",
    summary: "No agent is scraped",
    description:
      "No linkseal agent has answered a scrape for five minutes. Links keep their keys without " +
      "it, and nobody watches them. Look at the service, and at serve.metrics of its config.",
  },
  {
    alert: "LinksealDown",
    expr: 'up{job=~"linkseal.*"} == 0',
    for: "5m",
    severity: "critical",
    summary: "{{ $labels.instance }} does not answer",
    description:
      "This agent has not answered a scrape for five minutes. Links keep their keys without it, " +
      "and nobody watches them.",
  },
  {
    alert: "LinksealStateDamaged",
    expr: `${trusted} == 0`,
    severity: "critical",
    summary: "Journal or accepted config is damaged",
    description:
      "The agent changes nothing, and without its config it looks at nothing either. Run: " +
      "linkseal explain journal-lossy",
  },
  {
    alert: "LinksealWebhookWaiting",
    expr: `min_over_time(${waiting}[15m]) > 0`,
    severity: "warning",
    summary: "Events wait for the webhook",
    description:
      "For a quarter of an hour there were events that the receiver of telemetry.webhook has not " +
      "taken. The log says why (webhook-failed).",
  },
  {
    alert: "LinksealLinkNotProtected",
    expr: notProtected("linkseal_link_verdict", "instance, group, link"),
    for: "10m",
    severity: "critical",
    summary: "{{ $labels.group }}/{{ $labels.link }} is not protected",
    description:
      "Its verdict has been another than protected for ten minutes; unknown counts, since nobody " +
      "can say that it is. Run: linkseal links {{ $labels.group }}/{{ $labels.link }}",
  },
  {
    alert: "LinksealTunnelNotProtected",
    expr: notProtected("linkseal_tunnel_verdict", "instance, tunnel"),
    for: "10m",
    severity: "critical",
    summary: "{{ $labels.tunnel }} is not protected",
    description:
      "Its verdict has been another than protected for ten minutes; unknown counts, since nobody " +
      "can say that it is. Run: linkseal tunnels {{ $labels.tunnel }}",
  },
];

export const alertRules: readonly AlertRule[] = [
  ...ownRules,
  ...[...explanations.values()].flatMap(({ code, title, meaning }): AlertRule[] =>
    isWarningCode(code) ? [ruleOf(code, title, meaning)] : [],
  ),
];

function ruleOf(code: WarningCode, title: string, meaning: string): AlertRule {
  const { severity } = warningRows[code];
  const open: MetricName = "linkseal_warning_open";
  return {
    alert: alertName(code),
    expr: `${open}{code="${code}"} == 1`,
    severity: severityOf[severity],
    summary: `{{ $labels.about }}: ${title}`,
    description: `${meaning} Run: linkseal explain ${code}`,
    code,
  };
}

/** `mka-no-live-peer` is LinksealMkaNoLivePeer. */
function alertName(code: string): string {
  const words = code.split("-").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `Linkseal${words.join("")}`;
}

/** The file that Prometheus loads. */
export function alertRulesYaml(): string {
  return [
    "# Written by `npm run docs`: alert rules for Prometheus, from the same source as explain.",
    "groups:",
    "  - name: linkseal",
    "    rules:",
    ...alertRules.map(ruleYaml),
    "",
  ].join("\n");
}

function ruleYaml(rule: AlertRule): string {
  const { alert, expr, severity, summary, description, code } = rule;
  return [
    `      - alert: ${alert}`,
    `        expr: ${quoted(expr)}`,
    ...(rule.for === undefined ? [] : [`        for: ${rule.for}`]),
    "        labels:",
    `          severity: ${severity}`,
    ...(code !== undefined && warningRows[code].impactsTraffic
      ? ['          traffic: "impacted"']
      : []),
    "        annotations:",
    `          summary: ${quoted(summary)}`,
    `          description: ${quoted(description)}`,
  ].join("\n");
}

/** With the quotes that need no escape; a JSON string reads alike in YAML 1.2. */
function quoted(text: string): string {
  return text.includes('"') && !text.includes("'") ? `'${text}'` : JSON.stringify(text);
}
