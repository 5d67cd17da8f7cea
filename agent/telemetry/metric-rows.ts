// Every metric: names, help and values. Scrape, export, alert rules, dashboard and reference all
// read this table.

import { verdictOrder } from "../model/health.ts";
import { version } from "../model/version.ts";
import type { Severity } from "../model/warning-rows.ts";
import { linkMetrics } from "./link-metrics.ts";
import {
  flag,
  type Measured,
  type MetricRow,
  metric,
  metricsOf,
  oneOf,
  seconds,
} from "./metric.ts";
import { tunnelMetrics } from "./tunnel-metrics.ts";

const severities: readonly Severity[] = ["error", "warning", "info"];

const siteMetrics = [
  metric("linkseal_build_info", ["version"], "The program that answers; always 1.", () => [
    [[version], 1],
  ]),
  metric(
    "linkseal_intent_number",
    [],
    "Number of the accepted config in force; 0 = none.",
    ({ agent }) => [[[], agent.intent?.number ?? 0]],
  ),
  metric(
    "linkseal_site_verdict",
    ["verdict"],
    "The verdict on the whole site, its worst part: 1 for the present one.",
    ({ status }) => oneOf([], verdictOrder, status.verdict),
  ),
  metric(
    "linkseal_state_trusted",
    [],
    "0 = the journal or the accepted config is damaged, and nothing is changed any more.",
    ({ agent: { journalState, intentDamage } }) => [
      [[], flag(journalState !== "corrupt" && intentDamage === undefined)],
    ],
  ),
  metric(
    "linkseal_warnings",
    ["severity"],
    "Warnings that the status shows now.",
    ({ status: { warnings } }) =>
      severities.map((severity) => {
        const count = warnings.filter((each) => each.severity === severity).length;
        return [[severity], count] as const;
      }),
  ),
  metric(
    "linkseal_warning_open",
    ["code", "severity", "about"],
    "Each warning that the status shows now, by its code; see `linkseal explain CODE`.",
    ({ status }) =>
      status.warnings.map(({ code, severity, about }) => [[code, severity, about], 1] as const),
  ),
  metric(
    "linkseal_webhook_events_total",
    ["outcome"],
    "Events for the webhook by their outcome.",
    ({ deliveries: { delivered, dropped } }) => [
      [["delivered"], delivered],
      [["dropped"], dropped],
    ],
  ),
  metric(
    "linkseal_webhook_waiting_events",
    [],
    "Events that wait for the webhook.",
    ({ deliveries: { waiting } }) => [[[], waiting]],
  ),
  metric(
    "linkseal_expiry_timestamp_seconds",
    ["about"],
    "When something that a link, a tunnel or the agent's identity (site) needs expires.",
    ({ ends }) => ends.map(({ about, at }) => [[about], at / 1_000] as const),
  ),
  metric(
    "linkseal_loop_lag_seconds",
    [],
    "How late half of the last minute's timers of the agent rang, or later; absent = too few yet.",
    ({ agent: { loopLag } }) => (loopLag.ms === undefined ? [] : [[[], loopLag.ms / 1_000]]),
  ),
  metric("linkseal_events_total", [], "Events since the agent began.", ({ agent }) => [
    [[], agent.events.count],
  ]),
] as const;

const device = metricsOf(
  ["device"],
  ({ devices }) => devices,
  (each: Measured["devices"][number]) => [each.device.name],
);

const deviceMetrics = [
  device.several(
    "linkseal_device_up",
    ["driver"],
    "1 = the newest observation of the device succeeded and is fresh.",
    ({ device: { driver }, isUp }) => [[[driver], flag(isUp)]],
  ),
  device.one(
    "linkseal_device_look_age_seconds",
    "Age of the last observation that succeeded; absent = there was none.",
    ({ lookAgeMs }) => seconds(lookAgeMs),
  ),
  device.one(
    "linkseal_device_clock_offset_seconds",
    "The clock of the device less the clock of this host.",
    ({ clockOffsetMs }) => seconds(clockOffsetMs),
  ),
] as const;

const group = metricsOf(
  ["group"],
  ({ groups }) => groups,
  (each: Measured["groups"][number]) => [each.group.name],
);

const groupMetrics = [
  group.state(
    "linkseal_group_verdict",
    "verdict",
    "The verdict on each link group, its worst link: 1 for the present one.",
    verdictOrder,
    ({ status }) => status.verdict,
  ),
  group.one(
    "linkseal_campaign_running",
    "1 = a campaign runs on the group, or waits to go on.",
    ({ campaign }) => flag(campaign !== undefined),
  ),
  group.several(
    "linkseal_campaign_state_info",
    ["kind", "link", "state"],
    "The campaign that runs, the link under way and its state; always 1.",
    ({ campaign }) => {
      if (campaign === undefined) return [];
      const { kind, links, at, state } = campaign;
      return [[[kind, links[at]?.name ?? "", state], 1]];
    },
  ),
  metric(
    "linkseal_campaign_state_age_seconds",
    ["group"],
    "How long the campaign has been in its state; 0 = none runs.",
    ({ groups, wall }) =>
      groups.map(({ group: { name }, campaign }) => {
        const ageMs = campaign === undefined ? 0 : Math.max(0, wall - campaign.since);
        return [[name], ageMs / 1_000] as const;
      }),
  ),
] as const;

const rows = [
  ...siteMetrics,
  ...deviceMetrics,
  ...groupMetrics,
  ...linkMetrics,
  ...tunnelMetrics,
] as const;

export type MetricName = (typeof rows)[number]["name"];

/** All metrics, in the order of the reference. */
export const metricRows: readonly MetricRow<MetricName>[] = rows;
