// Every metric there is, once: names, help and figures; scrape, export, rules, dashboard and
// reference all read this table.

import { verdictOrder } from "../model/health.ts";
import { version } from "../model/version.ts";
import type { Severity } from "../model/warning-rows.ts";
import { linkMetrics } from "./link-metrics.ts";
import { flag, type MetricRow, oneOf, type Sample } from "./metric.ts";
import type { Snapshot } from "./snapshot.ts";
import { tunnelMetrics } from "./tunnel-metrics.ts";

const severities: readonly Severity[] = ["error", "warning", "info"];

const siteMetrics = [
  {
    name: "linkseal_build_info",
    kind: "gauge",
    help: "The program that answers; always 1.",
    labels: ["version"],
    read: () => [[[version], 1]],
  },
  {
    name: "linkseal_intent_number",
    kind: "gauge",
    help: "Number of the accepted config in force; 0 = none.",
    labels: ["site"],
    read: ({ intent, status }) => [[[status.site ?? ""], intent]],
  },
  {
    name: "linkseal_site_verdict",
    kind: "gauge",
    help: "The verdict on the whole site, its worst part: 1 for the one that stands.",
    labels: ["verdict"],
    read: ({ status }) => oneOf([], verdictOrder, status.verdict),
  },
  {
    name: "linkseal_state_trusted",
    kind: "gauge",
    help: "0 = the journal or the accepted config is damaged, and nothing is changed any more.",
    labels: [],
    read: ({ isStateTrusted }) => [[[], flag(isStateTrusted)]],
  },
  {
    name: "linkseal_warnings",
    kind: "gauge",
    help: "Warnings that a person sees now.",
    labels: ["severity"],
    read: ({ status: { warnings } }) =>
      severities.map((severity) => {
        const count = warnings.filter((each) => each.severity === severity).length;
        return [[severity], count] as const;
      }),
  },
  {
    name: "linkseal_warning_open",
    kind: "gauge",
    help: "Each warning that a person sees now, by its code; `linkseal explain CODE` tells more.",
    labels: ["code", "severity", "about"],
    read: ({ status }) =>
      status.warnings.map(({ code, severity, about }) => [[code, severity, about], 1] as const),
  },
  {
    name: "linkseal_webhook_events_total",
    kind: "counter",
    help: "Events for the webhook by what became of them.",
    labels: ["outcome"],
    read: ({ deliveries: { delivered, dropped } }) => [
      [["delivered"], delivered],
      [["dropped"], dropped],
    ],
  },
  {
    name: "linkseal_webhook_waiting_events",
    kind: "gauge",
    help: "Events that wait for the webhook.",
    labels: [],
    read: ({ deliveries: { waiting } }) => [[[], waiting]],
  },
  {
    name: "linkseal_expiry_timestamp_seconds",
    kind: "gauge",
    help: "When what a link, a tunnel or our own identity (site) needs ends.",
    labels: ["about"],
    read: ({ ends }) => ends.map(({ about, at }) => [[about], at / 1_000] as const),
  },
  {
    name: "linkseal_events_total",
    kind: "counter",
    help: "Events since the agent began.",
    labels: [],
    read: ({ eventsTotal }) => [[[], eventsTotal]],
  },
] as const satisfies readonly MetricRow[];

const deviceMetrics = [
  {
    name: "linkseal_device_up",
    kind: "gauge",
    help: "1 = the newest look at the device succeeded and is fresh.",
    labels: ["device", "driver"],
    read: ({ devices }) =>
      devices.map(({ device, isUp }) => [[device.name, device.driver], flag(isUp)] as const),
  },
  {
    name: "linkseal_device_look_age_seconds",
    kind: "gauge",
    help: "Age of the last look that succeeded; absent = there was none.",
    labels: ["device"],
    read: ({ devices }) =>
      devices.flatMap(({ device, lookAgeMs }): Sample[] =>
        lookAgeMs === undefined ? [] : [[[device.name], lookAgeMs / 1_000]],
      ),
  },
  {
    name: "linkseal_device_clock_offset_seconds",
    kind: "gauge",
    help: "The clock of the device less the clock of this host.",
    labels: ["device"],
    read: ({ devices }) =>
      devices.flatMap(({ device, clockOffsetMs }): Sample[] =>
        clockOffsetMs === undefined ? [] : [[[device.name], clockOffsetMs / 1_000]],
      ),
  },
] as const satisfies readonly MetricRow[];

const groupMetrics = [
  {
    name: "linkseal_group_verdict",
    kind: "gauge",
    help: "The verdict on each link group, its worst link: 1 for the one that stands.",
    labels: ["group", "verdict"],
    read: ofGroups(({ group, verdict }) => oneOf([group.name], verdictOrder, verdict)),
  },
  {
    name: "linkseal_campaign_running",
    kind: "gauge",
    help: "1 = a campaign runs on the group, or waits to go on.",
    labels: ["group"],
    read: ofGroups(({ group, campaign }) => [[[group.name], flag(campaign !== undefined)]]),
  },
  {
    name: "linkseal_campaign_state_info",
    kind: "gauge",
    help: "The campaign that runs, the link under way and its state; always 1.",
    labels: ["group", "kind", "link", "state"],
    read: ofGroups(({ group, campaign }) => {
      if (campaign === undefined) return [];
      const { kind, links, at, state } = campaign;
      return [[[group.name, kind, links[at]?.name ?? "", state], 1]];
    }),
  },
  {
    name: "linkseal_campaign_state_age_seconds",
    kind: "gauge",
    help: "How long the campaign has been in its state; 0 = none runs.",
    labels: ["group"],
    read: function* ({ groups, wall }) {
      for (const { group, campaign } of groups) {
        const ageMs = campaign === undefined ? 0 : Math.max(0, wall - campaign.since);
        yield [[group.name], ageMs / 1_000];
      }
    },
  },
] as const satisfies readonly MetricRow[];

function ofGroups(
  read: (group: Snapshot["groups"][number]) => Iterable<Sample>,
): (snapshot: Snapshot) => Iterable<Sample> {
  return function* ({ groups }) {
    for (const group of groups) yield* read(group);
  };
}

const rows = [
  ...siteMetrics,
  ...deviceMetrics,
  ...groupMetrics,
  ...linkMetrics,
  ...tunnelMetrics,
] as const;

export type MetricName = (typeof rows)[number]["name"];

/** In the order of the reference. */
export const metricRows: readonly MetricRow<MetricName>[] = rows;
