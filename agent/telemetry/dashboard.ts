// The Grafana dashboard that is shipped: its queries name metrics of the table, and nothing else.

import { jsonDocument } from "../model/json-document.ts";
import type { MetricName } from "./metric-rows.ts";

interface Query {
  readonly expr: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly kind: "stat" | "timeseries" | "state-timeline" | "table";
  readonly unit: string;
  readonly queries: readonly Query[];
}

/** Of the links, or the tunnels, that are picked above the panels. */
function picked(name: MetricName, more = ""): string {
  return `${name}{group=~"$group",link=~"$link"${more}}`;
}

function query(expr: string, legend: string): Query {
  return { expr, legend };
}

function rate(name: MetricName, legend: string): Query {
  return query(`rate(${picked(name)}[$__rate_interval])`, `{{group}}/{{link}} ${legend}`);
}

const perLink = "{{group}}/{{link}}";
const present = (name: MetricName): string => `${name} == 1`;
const name = (metric: MetricName): string => metric;

const panels: readonly Panel[] = [
  {
    title: "The site",
    kind: "stat",
    unit: "none",
    queries: [query(present("linkseal_site_verdict"), "{{verdict}}")],
  },
  {
    title: "Open warnings",
    kind: "stat",
    unit: "none",
    queries: [query(name("linkseal_warnings"), "{{severity}}")],
  },
  {
    title: "What is open",
    kind: "table",
    unit: "none",
    queries: [query(name("linkseal_warning_open"), "{{about}} {{code}}")],
  },
  {
    title: "Links that are protected",
    kind: "state-timeline",
    unit: "none",
    queries: [query(picked("linkseal_link_verdict", ',verdict="protected"'), perLink)],
  },
  {
    title: "Tunnels that are protected",
    kind: "state-timeline",
    unit: "none",
    queries: [query(`${name("linkseal_tunnel_verdict")}{verdict="protected"}`, "{{tunnel}}")],
  },
  {
    title: "Campaigns",
    kind: "table",
    unit: "none",
    queries: [query(`${name("linkseal_campaign_state_info")}{group=~"$group"}`, "{{state}}")],
  },
  {
    title: "How long a campaign has been in its state",
    kind: "timeseries",
    unit: "s",
    queries: [
      query(`${name("linkseal_campaign_state_age_seconds")}{group=~"$group"}`, "{{group}}"),
    ],
  },
  {
    title: "Protected frames",
    kind: "timeseries",
    unit: "pps",
    queries: [
      rate("linkseal_macsec_in_pkts_ok_total", "in"),
      rate("linkseal_macsec_out_pkts_protected_total", "out"),
    ],
  },
  {
    title: "Frames that were not taken, or were in the clear",
    kind: "timeseries",
    unit: "pps",
    queries: [
      rate("linkseal_macsec_in_pkts_not_valid_total", "not valid"),
      rate("linkseal_macsec_in_pkts_untagged_total", "untagged"),
      rate("linkseal_macsec_in_pkts_late_total", "late"),
      rate("linkseal_macsec_in_pkts_no_sci_total", "no SCI"),
      rate("linkseal_macsec_in_pkts_unused_sa_total", "unused SA"),
      rate("linkseal_macsec_out_pkts_too_long_total", "too long"),
    ],
  },
  {
    title: "Live peers",
    kind: "timeseries",
    unit: "none",
    queries: [query(picked("linkseal_mka_live_peers"), perLink)],
  },
  {
    title: "MKPDUs that were not taken",
    kind: "timeseries",
    unit: "pps",
    queries: [rate("linkseal_mka_mkpdus_refused_total", "{{reason}}")],
  },
  {
    title: "Packet numbers used",
    kind: "timeseries",
    unit: "percentunit",
    queries: [query(picked("linkseal_macsec_pn_used_ratio"), perLink)],
  },
  {
    title: "Age of keys",
    kind: "timeseries",
    unit: "s",
    queries: [
      query(`time() - ${picked("linkseal_key_created_timestamp_seconds")}`, perLink),
      query(picked("linkseal_key_max_age_seconds"), `${perLink} at most`),
    ],
  },
  {
    title: "Until secrets and certificates end",
    kind: "timeseries",
    unit: "s",
    queries: [query(`${name("linkseal_expiry_timestamp_seconds")} - time()`, "{{about}}")],
  },
  {
    title: "Traffic of the ports",
    kind: "timeseries",
    unit: "Bps",
    queries: [query(picked("linkseal_port_rate_bytes_per_second"), `${perLink} {{direction}}`)],
  },
  {
    title: "BGP sessions",
    kind: "timeseries",
    unit: "none",
    queries: [query(picked("linkseal_bgp_sessions"), `${perLink} {{state}}`)],
  },
  {
    title: "IPsec SAs",
    kind: "timeseries",
    unit: "none",
    queries: [query(name("linkseal_ipsec_sas"), "{{tunnel}} {{direction}}")],
  },
  {
    title: "Sequence numbers used",
    kind: "timeseries",
    unit: "percentunit",
    queries: [query(name("linkseal_ipsec_sequence_used_ratio"), "{{tunnel}} {{direction}}")],
  },
  {
    title: "Age of the last look at each device",
    kind: "timeseries",
    unit: "s",
    queries: [query(name("linkseal_device_look_age_seconds"), "{{device}}")],
  },
  {
    title: "Clocks of the devices",
    kind: "timeseries",
    unit: "s",
    queries: [query(name("linkseal_device_clock_offset_seconds"), "{{device}}")],
  },
  {
    title: "Light at the Microsoft end",
    kind: "timeseries",
    unit: "dBm",
    queries: [query(picked("linkseal_far_end_power_dbm"), `${perLink} {{direction}}`)],
  },
];

const datasource = { type: "prometheus", uid: "$datasource" } as const;
/** Grafana's grid is 24 wide. */
const [width, height] = [12, 8];

function panelOf({ title, kind, unit, queries }: Panel, index: number): object {
  return {
    id: index + 1,
    title,
    type: kind,
    datasource,
    gridPos: {
      x: (index % 2) * width,
      y: Math.floor(index / 2) * height,
      w: width,
      h: height,
    },
    fieldConfig: { defaults: { unit }, overrides: [] },
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + at),
      datasource,
      expr,
      legendFormat: legend,
      ...(kind === "timeseries" || kind === "state-timeline" ? {} : { instant: true }),
      ...(kind === "table" ? { format: "table" } : {}),
    })),
  };
}

function variable(label: "group" | "link", within: string): object {
  const values = `label_values(${name("linkseal_link_info")}${within}, ${label})`;
  return {
    name: label,
    type: "query",
    datasource,
    query: values,
    definition: values,
    multi: true,
    includeAll: true,
    refresh: 2,
    current: { text: "All", value: "$__all" },
  };
}

/** Text of the file. */
export function dashboardJson(): string {
  return jsonDocument({
    uid: "linkseal",
    title: "linkseal",
    tags: ["linkseal", "macsec", "ipsec"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus" },
        variable("group", ""),
        variable("link", '{group=~"$group"}'),
      ],
    },
    panels: panels.map(panelOf),
  });
}
