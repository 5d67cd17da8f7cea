// Metrics of a simulated site: what is wanted is there, what is unknown is not made up, and the
// text is what Prometheus reads.

import { beforeAll, describe, expect, it } from "vitest";
import { exposition } from "#agent/telemetry/exposition.ts";
import {
  type Family,
  familiesOf,
  type Measured,
  type MetricRow,
  measured,
} from "#agent/telemetry/metric.ts";
import { metricRows } from "#agent/telemetry/metric-rows.ts";
import { Scrape } from "#agent/telemetry/scrape.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { settled } from "../../kit/site-bench.ts";

function textOf(bench: AgentBench): string {
  return exposition(familiesOf(metricRows, measured(bench.agent)));
}

/** By name and labels as they are written, but without the site, which they all have. */
function seriesOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      const name = line.slice(0, at).replace(/\{site="\w*",?/, "{");
      return [name.replace("{}", ""), line.slice(at + 1)];
    }),
  );
}

const primary = `group="${group}",link="primary"`;

describe("an agent without a config", () => {
  it("an agent without a config reports that nothing is known, and no link", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    const series = seriesOf(textOf(bench));
    expect(series.get('linkseal_site_verdict{verdict="unknown"}')).toBe("1");
    expect(series.get('linkseal_site_verdict{verdict="protected"}')).toBe("0");
    expect(series.get("linkseal_intent_number")).toBe("0");
    expect([...series.keys()].filter((key) => key.includes("link="))).toEqual([]);
  });
});

describe("the load of the agent", () => {
  it("the lag of the loop is a metric once it was measured", async () => {
    const bench = await new AgentBench("clear").live();
    const lag = (): string | undefined => seriesOf(textOf(bench)).get("linkseal_loop_lag_seconds");
    expect(lag()).toBeUndefined();
    for (let n = 0; n < 60; n += 1) bench.agent.loopLag.note(750);
    expect(lag()).toBe("0.75");
  });
});

describe("an agent whose accepted config is damaged", () => {
  it("an agent with a damaged config reports that, and no link of the former config", async () => {
    const bench = new AgentBench("protected");
    await bench.live();
    await bench.apply();
    await bench.run(10_000);
    expect(seriesOf(textOf(bench)).get("linkseal_state_trusted")).toBe("1");
    await bench.end();
    const spoilt = new TextEncoder().encode("site: dome\n");
    await settled(bench.site.clock, bench.disk.replace("intent/0001.yaml", spoilt));
    await bench.live();
    await bench.run(10_000);
    expect(bench.agent.intentDamage).toBeDefined();
    const series = seriesOf(textOf(bench));
    expect(series.get("linkseal_state_trusted")).toBe("0");
    expect(series.get('linkseal_site_verdict{verdict="unknown"}')).toBe("1");
    expect([...series.keys()].filter((key) => key.includes("link="))).toEqual([]);
  });
});

describe("a site that is protected", () => {
  let bench: AgentBench;
  let series: ReadonlyMap<string, string>;
  beforeAll(async () => {
    bench = new AgentBench("clear");
    await bench.live();
    await bench.apply();
    await bench.reach("secondary done");
    await bench.run(300_000);
    series = seriesOf(textOf(bench));
  });

  it.each([
    [`linkseal_link_verdict{${primary},verdict="protected"}`, "1"],
    [`linkseal_link_verdict{${primary},verdict="unknown"}`, "0"],
    [`linkseal_group_verdict{group="${group}",verdict="protected"}`, "1"],
    [`linkseal_mka_live_peers{${primary}}`, "1"],
    [`linkseal_mka_controlled_port{${primary},state="secured"}`, "1"],
    [`linkseal_mka_controlled_port{${primary},state="blocked"}`, "0"],
    [`linkseal_macsec_in_pkts_not_valid_total{${primary}}`, "0"],
    [`linkseal_port_up{${primary}}`, "1"],
    [`linkseal_port_drained{${primary}}`, "0"],
    [`linkseal_bgp_sessions{${primary},state="up"}`, "1"],
    [`linkseal_key_managed{${primary}}`, "1"],
    [`linkseal_campaign_running{group="${group}"}`, "0"],
    [`linkseal_campaign_state_age_seconds{group="${group}"}`, "0"],
    ['linkseal_device_up{device="edge-a",driver="sim"}', "1"],
    ['linkseal_tunnel_verdict{tunnel="hub-1",verdict="protected"}', "1"],
    ['linkseal_ike_state{tunnel="hub-1",state="established"}', "1"],
    ['linkseal_ipsec_sas{tunnel="hub-1",direction="in"}', "1"],
    ['linkseal_warnings{severity="error"}', "0"],
    ["linkseal_intent_number", "1"],
    ["linkseal_state_trusted", "1"],
  ])("the metric %s of a protected site is %s", (name, value) => {
    expect(series.get(name)).toBe(value);
  });

  it("every series names the site first", () => {
    const lines = textOf(bench)
      .split("\n")
      .filter((line) => /^[^#]/.test(line));
    expect(lines.length).toBeGreaterThan(100);
    for (const line of lines) expect(line).toMatch(/^linkseal_\w+\{site="demo"[,}]/);
  });

  it("frame counters have every digit of the device's counters", () => {
    const frames = bench.agent.status().groups[0]?.links[0]?.frames;
    expect(Number(frames?.rxOk)).toBeGreaterThan(1_000);
    expect(series.get(`linkseal_macsec_in_pkts_ok_total{${primary}}`)).toBe(frames?.rxOk);
    expect(series.get(`linkseal_macsec_out_pkts_protected_total{${primary}}`)).toBe(
      frames?.txProtected,
    );
  });

  it("the used share of extended packet numbers is not rounded to zero", () => {
    const next = Number(series.get(`linkseal_macsec_next_pn{${primary}}`));
    const used = Number(series.get(`linkseal_macsec_pn_used_ratio{${primary}}`));
    expect(next).toBeGreaterThan(1_000);
    expect(used * 2 ** 64).toBeCloseTo(next);
  });

  it("metrics contain no CKN and no key version", () => {
    const text = textOf(bench);
    const { key } = bench.agent.memory.bindings[`${group}/primary`] ?? {};
    expect(key?.ckn).toHaveLength(64);
    expect(text.toLowerCase()).not.toContain(key?.ckn.slice(0, 8));
    expect(text).not.toContain(key?.cakSecretId.split("/").at(-1));
    expect(text).not.toMatch(/ckn="|[0-9a-fA-F]{32}/);
  });

  it("scrapes within a second get one text", async () => {
    const scrape = new Scrape(bench.agent, bench.site);
    const first = scrape.answer("GET", "/metrics");
    await bench.run(900);
    expect(scrape.answer("GET", "/metrics?x=1").body).toBe(first.body);
    await bench.run(200);
    expect(scrape.answer("GET", "/metrics").body).not.toBe(first.body);
    expect(scrape.answer("GET", "/")).toMatchObject({ status: 404 });
    expect(scrape.answer("POST", "/metrics")).toMatchObject({ status: 405 });
  });
});

describe("what is configured and not there", () => {
  it("a configured part that its device lacks is 0, and its verdict says so", async () => {
    const bench = new AgentBench("clear");
    await bench.live();
    await bench.apply(
      bench.config((text) => text.replaceAll("hub-1", "hub-9").replaceAll("et-0/0/0", "et-9/9/9")),
    );
    await bench.run(60_000);
    const series = seriesOf(textOf(bench));
    expect(series.get('linkseal_ipsec_sas{tunnel="hub-9",direction="out"}')).toBe("0");
    expect(series.get('linkseal_ike_state{tunnel="hub-9",state="down"}')).toBe("1");
    expect(series.get(`linkseal_mka_live_peers{${primary}}`)).toBe("0");
    expect(series.get(`linkseal_port_up{${primary}}`)).toBe("0");
    expect(series.get(`linkseal_link_verdict{${primary},verdict="unknown"}`)).toBe("1");
    expect(series.get(`linkseal_key_managed{${primary}}`)).toBe("0");
  });

  it("a part of a silent device has no value, neither 0 nor the last one", async () => {
    const bench = new AgentBench("protected");
    await bench.live();
    await bench.apply();
    await bench.run(60_000);
    expect(seriesOf(textOf(bench)).get(`linkseal_mka_live_peers{${primary}}`)).toBe("1");
    bench.link("primary").router.setFault("unreachable", true);
    await bench.run(120_000);
    const series = seriesOf(textOf(bench));
    expect(series.get(`linkseal_link_verdict{${primary},verdict="unknown"}`)).toBe("1");
    expect(series.get('linkseal_device_up{device="edge-a",driver="sim"}')).toBe("0");
    expect(Number(series.get('linkseal_device_look_age_seconds{device="edge-a"}'))).toBeGreaterThan(
      60,
    );
    for (const name of ["mka_live_peers", "port_up", "macsec_in_pkts_ok_total"]) {
      expect(series.has(`linkseal_${name}{${primary}}`), name).toBe(false);
    }
    const tunnel = [...series.keys()].filter((key) => /(ipsec_|ike_).*hub-1/.test(key));
    expect(tunnel).toEqual([]);
    expect(series.get('linkseal_tunnel_verdict{tunnel="hub-1",verdict="unknown"}')).toBe("1");
    const open = 'linkseal_warning_open{code="device-unreachable",severity="error"';
    expect([...series.keys()].some((key) => key.startsWith(open))).toBe(true);
  });
});

describe("a tunnel whose links are all cut", () => {
  it("has the cause of its verdict as a metric, for alerts that are silent about it", async () => {
    const bench = new AgentBench("protected");
    await bench.live();
    await bench.apply();
    await bench.run(60_000);
    const cause = 'linkseal_tunnel_cause_info{tunnel="hub-1",code="link-down",about="';
    const causes = (): readonly string[] =>
      [...seriesOf(textOf(bench)).keys()].filter((key) => key.startsWith(cause));
    expect(causes()).toEqual([]);
    for (const name of ["primary", "secondary"] as const) bench.link(name).fibre.setUp(false);
    await bench.run(180_000);
    expect(causes()).toEqual([`${cause}${group}/primary"}`]);
  });
});

describe("the text", () => {
  const family = (samples: Family["samples"]): Family => ({
    name: "a_total",
    kind: "counter",
    help: "Back\\slash and\nline.",
    labels: ["one", "two"],
    samples,
  });

  it("the exposition escapes characters that would end a line or a value", () => {
    const hostile = 'x"} 1\na_total{one="\\';
    expect(exposition([family([[[hostile, ""], 2n ** 64n - 1n]])])).toBe(
      "# HELP a_total Back\\\\slash and\\nline.\n# TYPE a_total counter\n" +
        'a_total{one="x\\"} 1\\na_total{one=\\"\\\\",two=""} 18446744073709551615\n',
    );
  });

  it("a metric without a series has help and type", () => {
    expect(exposition([family([])]).split("\n")).toHaveLength(3);
  });
});

describe("the table", () => {
  it("a metric has no more series than the largest config needs", () => {
    const endless: MetricRow = {
      name: "linkseal_endless",
      kind: "gauge",
      help: "Without end.",
      labels: ["n"],
      *read() {
        for (let n = 0; ; n += 1) yield [[String(n)], n];
      },
    };
    const snapshot = { status: { site: null } } as Measured;
    expect(familiesOf([endless], snapshot)[0]?.samples).toHaveLength(100_000);
  });

  it("each metric name is unique, and follows the rules of Prometheus", () => {
    const names = metricRows.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, kind, help, labels } of metricRows) {
      expect(name).toMatch(/^linkseal_[a-z][a-z0-9_]*[a-z]$/);
      expect(name.endsWith("_total")).toBe(kind === "counter");
      expect(help).toMatch(/^[A-Z0-9][^\n]*\.$/);
      for (const label of labels) expect(label).toMatch(/^[a-z]+(_[a-z]+)*$/);
    }
  });
});
