// What a metric is: a row of one table, read from a snapshot and never from a device.

import type { Snapshot } from "./snapshot.ts";

/** Values of the row's labels in their order, and the figure; counters may exceed 2^53. */
export type Sample = readonly [labels: readonly string[], value: number | bigint];

export interface MetricRow<Name extends string = string> {
  readonly name: Name;
  readonly kind: "gauge" | "counter";
  /** One sentence; the reference and the scrape print it. */
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: (snapshot: Snapshot) => Iterable<Sample>;
}

export interface Family extends Pick<MetricRow, "name" | "kind" | "help" | "labels"> {
  readonly samples: readonly Sample[];
}

/**
 * More series of one metric than the largest config needs are a defect of ours, and must not become
 * one of whoever stores them.
 */
const seriesMax = 100_000;

export function familiesOf(rows: readonly MetricRow[], snapshot: Snapshot): readonly Family[] {
  return rows.map(({ name, kind, help, labels, read }) => ({
    name,
    kind,
    help,
    labels,
    samples: Iterator.from(read(snapshot)).take(seriesMax).toArray(),
  }));
}

/** One series for each state, of which the present one is 1. */
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
