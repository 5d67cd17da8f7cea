// docs/metrics.md and docs/alerts.md: the tables that the program defines.

import { metricRows } from "#agent/telemetry/metric-rows.ts";
import { alertRules, codeOf } from "./alerts.ts";

const written = "<!-- Generated from the program by `npm run docs`. -->";

export function metricsReference(): string {
  const rows = metricRows.map(({ name, kind, labels, help }) => {
    const names = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${kind} | ${names === "" ? "-" : names} | ${help} |`;
  });
  return `# Metrics

${written}

This page is for those who build dashboards and alerts.

These metrics are served at \`/metrics\` and sent by the OTLP export. They come from the last
observations of the agent: no scrape reaches a device. [telemetry.md](telemetry.md) describes how
to turn them on.

- Everything that the accepted config names has its verdict, whether it is there or not.
- A thing that a device was asked for and does not have is 0. An unknown value has no series, and
  its verdict is \`unknown\`.
- Counters are the device's own, with every digit; they begin anew when the device begins anew.
- Every metric has the label \`site\` first, with the name of the config; without an intact config
  it is empty. The table leaves it out. [many-sites.md](many-sites.md) uses it.
- Labels hold names of the config and words of this page. No label contains a CKN, an address or
  any text of a device.

| metric | kind | labels | what it is |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
}

export function alertsReference(): string {
  const rows = alertRules.map((rule) => {
    const { alert, for: hold, labels, annotations } = rule;
    const code = codeOf(rule);
    const why = code === undefined ? "" : `[\`${code}\`](codes.md#${code})`;
    const title = titleOf(annotations.summary);
    return `| \`${alert}\` | ${labels.severity} | ${hold ?? "-"} | ${why} | ${title} |`;
  });
  return `# Alerts

${written}

This page is for those who route alerts, and for the engineer who gets one.

The rules of [linkseal-alerts.yaml](linkseal-alerts.yaml), one for each warning code and a few
about the agent itself. \`linkseal explain CODE\` and [codes.md](codes.md) explain a code
and list what to do. A warning has settled before it is open, and its consequences are silent
while its cause is open: rules by code have no waiting time of their own.

| alert | severity | for | code | what |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}

function titleOf(summary: string): string {
  return summary
    .replace("{{ $labels.site }}: ", "")
    .replace("{{ $labels.about }}: ", "")
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, "$1");
}
