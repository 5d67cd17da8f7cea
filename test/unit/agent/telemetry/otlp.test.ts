// Metrics as OTLP in JSON, to a collector on a real port of this host.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostClock } from "#agent/host/clock.ts";
import { hostDialer } from "#agent/host/host.ts";
import { exposition } from "#agent/telemetry/exposition.ts";
import { familiesOf, type Measured, measured } from "#agent/telemetry/metric.ts";
import { metricRows } from "#agent/telemetry/metric-rows.ts";
import { exportMetrics, type OtlpParts, otlpText } from "#agent/telemetry/otlp.ts";
import { SimClock } from "#sim/base/clock.ts";
import { AgentBench } from "../../kit/agent-bench.ts";

interface Point {
  readonly attributes: readonly { readonly key: string; readonly value: { stringValue: string } }[];
  readonly timeUnixNano: string;
  readonly asInt?: string;
  readonly asDouble?: number;
}

interface Metric {
  readonly name: string;
  readonly description: string;
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly sum?: {
    readonly dataPoints: readonly Point[];
    readonly aggregationTemporality: number;
    readonly isMonotonic: boolean;
  };
}

interface Request {
  readonly resourceMetrics: readonly [
    {
      readonly resource: { readonly attributes: Point["attributes"] };
      readonly scopeMetrics: readonly [{ readonly metrics: readonly Metric[] }];
    },
  ];
}

let snapshot: Measured;
beforeAll(async () => {
  const bench = new AgentBench("protected");
  await bench.live();
  await bench.apply();
  await bench.run(60_000);
  snapshot = measured(bench.agent);
});

const parse = (text: string): Request => JSON.parse(text) as Request;

/** As a collector would write it for Prometheus. */
function linesOf({ resourceMetrics: [{ scopeMetrics }] }: Request): readonly string[] {
  return scopeMetrics[0].metrics.flatMap(
    ({ name, gauge, sum }) =>
      (gauge ?? sum)?.dataPoints.map(({ attributes, asInt, asDouble }) => {
        const labels = attributes
          .map(({ key, value }) => `${key}="${value.stringValue}"`)
          .join(",");
        return `${name}${labels === "" ? "" : `{${labels}}`} ${asInt ?? asDouble}`;
      }) ?? [],
  );
}

describe("a message", () => {
  it("an OTLP message has the values of a scrape of the same moment", () => {
    const scraped = exposition(familiesOf(metricRows, snapshot))
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    const exported = linesOf(parse(otlpText(snapshot)));
    expect(exported.length).toBeGreaterThan(100);
    expect(exported).toEqual(scraped);
  });

  it("an OTLP message names the program, the site and each metric's kind", () => {
    const { resourceMetrics } = parse(otlpText(snapshot));
    const [{ resource, scopeMetrics }] = resourceMetrics;
    const values = new Map(resource.attributes.map(({ key, value }) => [key, value.stringValue]));
    expect(values.get("service.name")).toBe("linkseal");
    expect(values.get("linkseal.site")).toBe("demo");
    const { metrics } = scopeMetrics[0];
    const counter = metrics.find(({ name }) => name === "linkseal_macsec_in_pkts_ok_total");
    expect(counter?.sum).toMatchObject({ aggregationTemporality: 2, isMonotonic: true });
    expect(counter?.sum?.dataPoints[0]?.asInt).toMatch(/^\d+$/);
    expect(counter?.description).toContain("InPktsOK");
    const gauge = metrics.find(({ name }) => name === "linkseal_link_verdict");
    const wall = `${snapshot.wall}000000`;
    expect(gauge?.gauge?.dataPoints[0]).toMatchObject({ timeUnixNano: wall });
  });

  it("an OTLP message rounds only what does not fit into a 64-bit integer", () => {
    const [link] = snapshot.links;
    const port = link?.port;
    const frames = port?.frames;
    if (link === undefined || port === undefined || frames?.kind !== "known") {
      throw new Error("no sample");
    }
    const withFrames = (rxOk: bigint): Measured => {
      const more = { ...port, frames: { ...frames, value: { ...frames.value, rxOk } } };
      return { ...snapshot, links: [{ ...link, port: more }] };
    };
    const reported = (rxOk: bigint): string | undefined =>
      linesOf(parse(otlpText(withFrames(rxOk)))).find((line) => line.includes("in_pkts_ok"));
    expect(reported(2n ** 63n - 1n)).toContain(" 9223372036854775807");
    expect(reported(2n ** 64n - 1n)).toContain(" 18446744073709552000");
  });
});

describe("a collector that asks for patience", () => {
  it("a collector that asks for a wait gets it, and the usual interval after that", async () => {
    const clock = new SimClock(snapshot.wall);
    const times: number[] = [];
    const answers = [{ status: 503, headers: { "retry-after": "240" } }];
    const http = async () => {
      times.push(clock.now());
      return { status: 200, headers: {}, body: new Uint8Array(), ...answers.shift() };
    };
    const end = new AbortController();
    const settings = { url: "https://h.example/", everyMs: 60_000, privateEndpoints: [] };
    const world = { clock, dial: { http }, log: { write: () => undefined } };
    const parts = { world, settings, snapshot: () => snapshot } as unknown as OtlpParts;
    const running = exportMetrics(parts, end.signal);
    await clock.runFor(400_000);
    expect(times).toEqual([0, 240_000, 300_000, 360_000]);
    end.abort();
    await running;
  });
});

describe("a collector", () => {
  const got: { readonly url: string | undefined; readonly type: string; readonly body: string }[] =
    [];
  let status = 200;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      got.push({ url: request.url, type: request.headers["content-type"] ?? "", body });
      response.writeHead(status).end("{}");
    });
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it("a collector gets metrics at each interval; a failure is logged once", async () => {
    const { port } = server.address() as AddressInfo;
    const lines: string[] = [];
    const log = { write: (level: string, code: string) => void lines.push(`${level} ${code}`) };
    const end = new AbortController();
    const running = exportMetrics(
      {
        world: { clock: hostClock, dial: hostDialer, log },
        headerSecret: () => Promise.reject(new Error("none is configured")),
        settings: {
          url: `http://127.0.0.1:${port}/v1/metrics`,
          everyMs: 20,
          privateEndpoints: [],
        },
        snapshot: () => snapshot,
      },
      end.signal,
    );
    await expect.poll(() => got.length).toBeGreaterThan(2);
    expect(got[0]).toMatchObject({ url: "/v1/metrics", type: "application/json" });
    expect(linesOf(parse(got[0]?.body ?? "")).length).toBeGreaterThan(100);
    status = 503;
    const before = got.length;
    await expect.poll(() => got.length).toBeGreaterThan(before + 3);
    expect(lines).toEqual(["warn otlp-failed"]);
    end.abort();
    await running;
  });
});
