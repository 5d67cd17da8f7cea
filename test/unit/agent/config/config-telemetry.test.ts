// What a config says of metrics, webhook and export: read with its defaults, or refused with its
// place.

import { describe, expect, it } from "vitest";
import { formatComplaint, parseConfig } from "#agent/config/index.ts";
import type { Desired } from "#agent/model/desired.ts";
import { siteConfig } from "../../kit/site-config.ts";

const parse = (line: string) =>
  parseConfig(siteConfig.replace("repair: off", `repair: off\n${line}`), "site.yaml");

function desiredOf(line: string): Desired {
  const parsed = parse(line);
  if (parsed.kind === "ok") return parsed.desired;
  throw new Error(parsed.complaints.map(formatComplaint).join("\n"));
}

/** Each as `line:column path: what`. */
function complaints(line: string): readonly string[] {
  const parsed = parse(line);
  if (parsed.kind === "ok") return [];
  return parsed.complaints.map((one) => {
    const [text = ""] = formatComplaint(one)
      .replace(/^site\.yaml:/, "")
      .split(",");
    return text;
  });
}

const url = "https://h.example/x";

describe("metrics", () => {
  it.each([
    ["127.0.0.1:9464", { kind: "port", host: "127.0.0.1", port: 9464 }],
    ["'[::1]:65535'", { kind: "port", host: "::1", port: 65_535 }],
    ["unix:/run/linkseal/metrics.sock", { kind: "socket", path: "/run/linkseal/metrics.sock" }],
  ])("metrics are served at %s", (listen, wanted) => {
    const { serve } = desiredOf(`serve: { metrics: { listen: ${listen} } }`);
    expect(serve).toEqual({ metrics: wanted });
  });

  it.each([
    ["{}", "43:19 serve.metrics.listen: is missing"],
    ["{ listen: 0.0.0.0:9464 }", '43:29 serve.metrics.listen: is "0.0.0.0:9464"'],
    ["{ listen: '[::]:9464' }", '43:29 serve.metrics.listen: is "[::]:9464"'],
    ["{ listen: 9464 }", "43:29 serve.metrics.listen: is 9464"],
    ["{ listen: localhost:9464 }", '43:29 serve.metrics.listen: is "localhost:9464"'],
    ["{ listen: 127.0.0.1:65536 }", "43:29 serve.metrics.listen: is 127.0.0.1:65536"],
    ["{ listen: unix:metrics.sock }", '43:29 serve.metrics.listen: is "unix:metrics.sock"'],
  ])("metrics are not served at %s", (metrics, says) => {
    expect(complaints(`serve: { metrics: ${metrics} }`)).toEqual([says]);
  });
});

describe("a webhook", () => {
  it("a webhook without its optional settings gets the defaults", () => {
    expect(desiredOf("telemetry: {}").telemetry).toEqual({});
    expect(desiredOf(`telemetry: { webhook: { url: ${url} } }`).telemetry).toEqual({
      webhook: { url, least: "warning", privateEndpoints: [] },
    });
  });

  it("a webhook with all settings keeps them", () => {
    const header = "header: { name: x-key, value: credential:webhook }";
    const ranges = "privateEndpoints: [10.20.0.0/24]";
    const line = `telemetry: { webhook: { url: ${url}, ${header}, least: error, ${ranges} } }`;
    expect(desiredOf(line).telemetry).toEqual({
      webhook: {
        url,
        header: { name: "x-key", value: "credential:webhook" },
        least: "error",
        privateEndpoints: ["10.20.0.0/24"],
      },
    });
  });

  it.each([
    ["{}", "43:23 telemetry.webhook.url: is missing"],
    ["{ url: http://h.example/x }", '43:30 telemetry.webhook.url: is "http://h.example/x"'],
    ["{ url: https://u:p@h.example/ }", '43:30 telemetry.webhook.url: is "https://u:p@h.example/"'],
    ["{ url: https://h.example/?k=v }", '43:30 telemetry.webhook.url: is "https://h.example/?k=v"'],
    ["{ url: https://h.example:70000 }", "43:30 telemetry.webhook.url: is https://h.example:70000"],
    [
      `{ url: ${url}, header: { name: host, value: file:/t } }`,
      "43:67 telemetry.webhook.header.name: is host",
    ],
    [
      `{ url: ${url}, header: { name: content-length, value: file:/t } }`,
      "43:67 telemetry.webhook.header.name: is content-length",
    ],
    [
      `{ url: ${url}, privateEndpoints: [8.8.8.0/24] }`,
      "43:70 telemetry.webhook.privateEndpoints[0]: is 8.8.8.0/24",
    ],
    [`{ url: ${url}, least: debug }`, '43:58 telemetry.webhook.least: is "debug"'],
  ])("a webhook with %s is refused", (webhook, says) => {
    expect(complaints(`telemetry: { webhook: ${webhook} }`)).toEqual([says]);
  });

  it("a complaint about a webhook repeats no secret that was put into the file", () => {
    const token = "c0ffee00".repeat(5);
    const header = `header: { name: authorization, value: ${token} }`;
    const parsed = parse(`telemetry: { webhook: { url: ${url}, ${header} } }`);
    expect(parsed.kind).toBe("refused");
    expect(JSON.stringify(parsed)).not.toContain("c0ffee");
  });
});

describe("heads of the audit log", () => {
  it("heads go to journald or syslog, every ten minutes by default", () => {
    for (const to of ["journald", "syslog"]) {
      expect(desiredOf(`telemetry: { heads: { to: ${to} } }`).telemetry).toEqual({
        heads: { to, everyMs: 600_000 },
      });
    }
    const daily = desiredOf("telemetry: { heads: { to: syslog, every: 1d } }").telemetry;
    expect(daily).toEqual({ heads: { to: "syslog", everyMs: 86_400_000 } });
  });

  it.each([
    ["{}", "43:21 telemetry.heads.to: is missing"],
    ["{ to: /dev/log }", '43:27 telemetry.heads.to: is "/dev/log"'],
    ["{ to: [journald] }", "43:27 telemetry.heads.to: is a list of 1"],
    ["{ to: syslog, every: 1s }", '43:42 telemetry.heads.every: is "1s"'],
    ["{ to: syslog, every: 2d }", '43:42 telemetry.heads.every: is "2d"'],
  ])("heads as %s are refused", (heads, says) => {
    expect(complaints(`telemetry: { heads: ${heads} }`)).toEqual([says]);
  });
});

describe("an export", () => {
  it("an export goes to a collector of this host, or over TLS", () => {
    for (const to of ["http://127.0.0.1:4318/v1/metrics", "https://otel.example/v1/metrics"]) {
      expect(desiredOf(`telemetry: { otlp: { url: "${to}" } }`).telemetry).toEqual({
        otlp: { url: to, everyMs: 60_000, privateEndpoints: [] },
      });
    }
  });

  it.each([
    ["{ url: 'http://10.0.0.1:4318/' }", '43:27 telemetry.otlp.url: is "http://10.0.0.1:4318/"'],
    ["{ url: 'http://h.example/' }", '43:27 telemetry.otlp.url: is "http://h.example/"'],
    [`{ url: ${url}, every: 1s }`, '43:55 telemetry.otlp.every: is "1s"'],
  ])("an export to %s is refused", (otlp, says) => {
    expect(complaints(`telemetry: { otlp: ${otlp} }`)).toEqual([says]);
  });
});
