// A metric is a row of one table; it is computed from a snapshot and never asks a device.

import type { AgentView } from "../runtime/agent-view.ts";
import type { SiteSnapshot } from "../runtime/health/site-snapshot.ts";
import type { Deliveries } from "./webhook.ts";

/** A snapshot of the site, and the agent around it. */
export interface Measured extends SiteSnapshot {
  readonly agent: AgentView;
  readonly deliveries: Deliveries;
}

const noDeliveries: Deliveries = { delivered: 0, dropped: 0, waiting: 0 };

/** Takes a snapshot for telemetry. */
export function measured(agent: AgentView, deliveries: Deliveries = noDeliveries): Measured {
  return { ...agent.snapshot(), agent, deliveries };
}

/**
 * Values of the row's labels in their order, and the value of the sample; counters may exceed 2^53.
 */
export type Sample = readonly [labels: readonly string[], value: number | bigint];

export interface MetricRow<Name extends string = string> {
  readonly name: Name;
  readonly kind: "gauge" | "counter";
  /** One sentence; the reference and the scrape print it. */
  readonly help: string;
  /** Its own labels, without that of the site. */
  readonly labels: readonly string[];
  readonly read: (measured: Measured) => Iterable<Sample>;
}

/** Makes a row. A name that ends in `_total` makes a counter, any other a gauge. */
export function metric<Name extends string>(
  name: Name,
  labels: readonly string[],
  help: string,
  read: MetricRow["read"],
): MetricRow<Name> {
  return { name, kind: name.endsWith("_total") ? "counter" : "gauge", help, labels, read };
}

/** undefined = not known, and then there is no series. */
export type Figure = number | bigint | undefined;

/**
 * Makes functions for metrics of links, tunnels and the like; the labels that name the item come
 * first.
 */
export function metricsOf<Item>(
  ownLabels: readonly string[],
  items: (measured: Measured) => readonly Item[],
  idOf: (item: Item) => readonly string[],
) {
  /** Several values of each item, by further labels. */
  const several = <Name extends string>(
    name: Name,
    labels: readonly string[],
    help: string,
    read: (item: Item) => Iterable<readonly [labels: readonly string[], value: Figure]>,
  ): MetricRow<Name> =>
    metric(name, [...ownLabels, ...labels], help, function* (all) {
      for (const item of items(all)) {
        for (const [further, value] of read(item)) {
          if (value !== undefined) yield [[...idOf(item), ...further], value];
        }
      }
    });
  return {
    several,
    one: <Name extends string>(name: Name, help: string, value: (item: Item) => Figure) =>
      several(name, [], help, (item) => [[[], value(item)]]),
    /**
     * A series per state: 1 for the present state, 0 for the others; no series if the state is not
     * known.
     */
    state: <Name extends string>(
      name: Name,
      label: string,
      help: string,
      states: readonly string[],
      present: (item: Item) => string | undefined,
    ) =>
      several(name, [label], help, (item) => {
        const now = present(item);
        return now === undefined ? [] : oneOf([], states, now);
      }),
  };
}

export interface Family extends Pick<MetricRow, "name" | "kind" | "help" | "labels"> {
  readonly samples: readonly Sample[];
}

/**
 * Limit of series per metric. More than the largest config needs would be a defect of linkseal,
 * which must not overload the receiver.
 */
const seriesMax = 100_000;

/**
 * Returns all metrics with their samples. The first label of each is the site, so that one
 * Prometheus can hold many; it is empty without a config.
 */
export function familiesOf(rows: readonly MetricRow[], all: Measured): readonly Family[] {
  const site = all.status.site ?? "";
  return rows.map(({ name, kind, help, labels, read }) => ({
    ...{ name, kind, help, labels: [siteLabel, ...labels] },
    samples: Iterator.from(read(all))
      .take(seriesMax)
      .map(([values, value]): Sample => [[site, ...values], value])
      .toArray(),
  }));
}

/** The label of every metric that names the site of the agent. */
export const siteLabel = "site";

/** Yields one series for each state, of which the present one is 1. */
export function* oneOf(
  labels: readonly string[],
  states: readonly string[],
  present: string | undefined,
): Generator<Sample> {
  for (const state of states) yield [[...labels, state], state === present ? 1 : 0];
}

export function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** Converts milliseconds to seconds; undefined for null or undefined. */
export function seconds(ms: number | null | undefined): number | undefined {
  return ms === null || ms === undefined ? undefined : ms / 1_000;
}
