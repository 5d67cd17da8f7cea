// Metrics of ports and circuits as Azure Monitor reports them: averages of minutes, minutes late,
// and nothing about MACsec.

import type { SimClock } from "../base/clock.ts";
import { type AzureReply, type Route, refusal, reply } from "./http.ts";

/** The values that Azure's own side can measure of one link. */
export interface LinkReading {
  readonly adminUp: boolean;
  readonly lineUp: boolean;
  readonly arp: boolean;
  readonly bgp: boolean;
  readonly rxDbm: number;
  readonly txDbm: number;
}

/** One line of a metric: the link of a port, or the peer of a circuit. */
interface Lane {
  readonly dimensions: Readonly<Record<string, string>>;
  /** The key of the readings. */
  readonly link: string;
}

export interface Metered {
  readonly id: string;
  readonly namespace:
    | "Microsoft.Network/expressRoutePorts"
    | "Microsoft.Network/expressRouteCircuits";
  readonly lanes: readonly Lane[];
}

export interface MonitorOptions {
  readonly clock: SimClock;
  readonly links: readonly string[];
  readonly read: (link: string) => LinkReading;
}

interface Sample {
  readonly wall: number;
  readonly readings: ReadonlyMap<string, LinkReading>;
}

interface Metric {
  readonly unit: string;
  readonly of: (reading: LinkReading) => number;
}

const sampleMs = 10_000;
const minuteMs = 60_000;
/** The delay after which a finished minute is reported, in milliseconds. */
const lagMs = 120_000;
/** Four hours and some minutes: enough for whole hours. */
const samplesMax = 1_500;

const portMetrics: Readonly<Record<string, Metric>> = {
  AdminState: { unit: "Count", of: ({ adminUp }) => Number(adminUp) },
  LineProtocol: { unit: "Count", of: ({ lineUp }) => Number(lineUp) },
  RxLightLevel: { unit: "Count", of: ({ rxDbm }) => rxDbm },
  TxLightLevel: { unit: "Count", of: ({ txDbm }) => txDbm },
};
const circuitMetrics: Readonly<Record<string, Metric>> = {
  ArpAvailability: { unit: "Percent", of: ({ arp }) => (arp ? 100 : 0) },
  BgpAvailability: { unit: "Percent", of: ({ bgp }) => (bgp ? 100 : 0) },
};
const metrics = {
  "Microsoft.Network/expressRoutePorts": portMetrics,
  "Microsoft.Network/expressRouteCircuits": circuitMetrics,
};
const intervals: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries({
    ...{ PT1M: 1, PT5M: 5, PT15M: 15, PT30M: 30 },
    ...{ PT1H: 60, PT6H: 360, PT12H: 720, P1D: 1_440 },
  }).map(([name, minutes]) => [name, minutes * minuteMs]),
);
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
/** The aggregations, by the name of their property; a request asks for them in any case. */
const aggregations: Readonly<Record<string, (values: readonly number[]) => number>> = {
  average: (values) => total(values) / values.length,
  minimum: (values) => Math.min(...values),
  maximum: (values) => Math.max(...values),
  total,
  count: (values) => values.length,
};

export class Monitor {
  readonly #options: MonitorOptions;
  readonly #samples: Sample[] = [];

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#sample();
  }

  #sample(): void {
    const { clock, links, read } = this.#options;
    const readings = new Map(links.map((link) => [link, read(link)] as const));
    this.#samples.push({ wall: clock.wall(), readings });
    if (this.#samples.length > samplesMax) this.#samples.shift();
    clock.after(sampleMs, () => this.#sample());
  }

  /** Answers at `.../providers/microsoft.insights/metrics` of a resource. */
  answer(resource: Metered, { query }: Route): AzureReply {
    const table: Readonly<Record<string, Metric>> = metrics[resource.namespace];
    const names = (query.get("metricnames") ?? "").split(",").filter((name) => name !== "");
    const interval = query.get("interval") ?? "PT1M";
    const bucketMs = intervals[interval];
    const span = this.#span(query.get("timespan"));
    const unknown = names.find((name) => table[name] === undefined);
    if (names.length === 0 || unknown !== undefined) {
      const valid = Object.keys(table).join(",");
      return bad(`Failed to find metric configuration: ${unknown ?? ""}. Valid metrics: ${valid}`);
    }
    if (bucketMs === undefined) return bad(`Detected invalid time grain input: ${interval}`);
    if (span === undefined) return bad("Detected invalid timespan input");
    const wanted = (query.get("aggregation") ?? "Average").toLowerCase().split(",");
    const stranger = wanted.find((name) => !Object.hasOwn(aggregations, name));
    if (stranger !== undefined) return bad(`Detected invalid aggregation input: ${stranger}`);
    const lanes = lanesOf(resource.lanes, query.get("$filter"));
    const value = names.map((name) => ({
      id: `${resource.id}/providers/Microsoft.Insights/metrics/${name}`,
      type: "Microsoft.Insights/metrics",
      name: { value: name, localizedValue: name },
      unit: table[name]?.unit,
      timeseries: lanes.map(({ links, dimensions }) => ({
        metadatavalues: Object.entries(dimensions).map(([key, text]) => ({
          name: { value: key.toLowerCase(), localizedValue: key.toLowerCase() },
          value: text,
        })),
        data: this.#data(links, table[name], { bucketMs, wanted, ...span }),
      })),
      errorCode: "Success",
    }));
    const timespan = `${iso(span.from)}/${iso(span.to)}`;
    const { namespace } = resource;
    return reply(200, { cost: 0, timespan, interval, value, namespace, resourceregion: "westus" });
  }

  #span(text: string | null | undefined): Span | undefined {
    const now = this.#options.clock.wall();
    if (text === undefined || text === null) return { from: now - 3_600_000, to: now };
    const [from = Number.NaN, to = Number.NaN] = text.split("/").map((part) => Date.parse(part));
    return from < to ? { from, to } : undefined;
  }

  #data(links: readonly string[], metric: Metric | undefined, asked: AskedData) {
    const { bucketMs, wanted, ...span } = asked;
    const completeAt = this.#options.clock.wall() - lagMs;
    const buckets = new Map<number, number[]>();
    for (const { wall, readings } of this.#samples) {
      const start = Math.floor(wall / bucketMs) * bucketMs;
      if (start < span.from || start >= span.to || start + bucketMs > completeAt) continue;
      const values = links.flatMap((link) => readings.get(link) ?? []);
      const all = buckets.get(start) ?? [];
      buckets.set(start, [...all, ...values.map((value) => metric?.of(value) ?? 0)]);
    }
    return [...buckets].map(([start, values]) => ({
      timeStamp: iso(start),
      ...Object.fromEntries(wanted.map((name) => [name, aggregations[name]?.(values)])),
    }));
  }
}

interface Span {
  readonly from: number;
  readonly to: number;
}

interface AskedData extends Span {
  readonly bucketMs: number;
  /** The names of aggregations. */
  readonly wanted: readonly string[];
}

/** Returns the definitions of a resource's metrics. */
export function definitionsOf({ id, namespace, lanes }: Metered): AzureReply {
  const dimensions = Object.keys(lanes[0]?.dimensions ?? {});
  const named = (value: string) => ({ value, localizedValue: value });
  const value = Object.entries(metrics[namespace]).map(([name, { unit }]) => ({
    id: `${id}/providers/microsoft.insights/metricdefinitions/${name}`,
    ...{ resourceId: id, namespace, name: named(name), unit, isDimensionRequired: false },
    primaryAggregationType: "Average",
    supportedAggregationTypes: ["Average", "Minimum", "Maximum", "Total", "Count"],
    metricAvailabilities: Object.keys(intervals).map((timeGrain) => ({
      ...{ timeGrain, retention: "P93D" },
    })),
    dimensions: dimensions.map(named),
  }));
  return reply(200, { value });
}

// Splits the metric by a dimension that the filter names; if it names none, all lanes are one.
function lanesOf(lanes: readonly Lane[], filter: string | undefined) {
  const terms = [...(filter ?? "").matchAll(/(\w+)\s+eq\s+'([^']*)'/gi)].map(
    ([, name = "", value = ""]) => ({ name: name.toLowerCase(), value }),
  );
  if (terms.length === 0) return [{ dimensions: {}, links: lanes.map(({ link }) => link) }];
  return lanes.flatMap(({ dimensions, link }) => {
    const shown = Object.entries(dimensions).filter(([key]) =>
      terms.some(({ name }) => name === key.toLowerCase()),
    );
    const fits = terms.every(({ name, value }) =>
      shown.some(([key, text]) => key.toLowerCase() === name && (value === "*" || value === text)),
    );
    return fits ? [{ dimensions: Object.fromEntries(shown), links: [link] }] : [];
  });
}

function bad(message: string): AzureReply {
  return refusal(400, { code: "BadRequest", message });
}

function iso(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}
