// Metrics as OTLP over HTTP in JSON, to a collector that hands them on: to Azure Monitor among
// others. Loaded only where a config asks for it.

import type { World } from "#hal/world.ts";
import type { OtlpSettings } from "../model/desired.ts";
import { version } from "../model/version.ts";
import { type Family, familiesOf, type Sample } from "./metric.ts";
import { metricRows } from "./metric-rows.ts";
import { type PostParts, post } from "./post.ts";
import type { Snapshot } from "./snapshot.ts";

export interface OtlpParts extends PostParts {
  readonly world: Pick<World, "clock" | "dial" | "log">;
  readonly settings: OtlpSettings;
  readonly snapshot: () => Snapshot;
}

/** Sends until the signal aborts; what is not taken is not kept: the next one says more. */
export async function exportMetrics(parts: OtlpParts, end: AbortSignal): Promise<void> {
  const { world, settings, snapshot } = parts;
  let failing = false;
  while (!end.aborted) {
    const posted = await post(parts, settings, otlpText(snapshot()), end).catch(
      (error: unknown) => {
        if (end.aborted) return undefined;
        throw error;
      },
    );
    if (posted === undefined) return;
    if (posted.kind !== "taken" && !failing) {
      world.log.write("warn", "otlp-failed", `metrics are not delivered: ${posted.why}`);
    }
    failing = posted.kind !== "taken";
    const askedMs = posted.kind === "later" ? (posted.afterMs ?? 0) : 0;
    await world.clock
      .sleep(Math.max(settings.everyMs, askedMs), end)
      // The end is looked at above.
      .catch(() => undefined);
  }
}

/** An ExportMetricsServiceRequest in the JSON of protobuf: 64-bit integers are text there. */
export function otlpText(snapshot: Snapshot): string {
  const { wall, status } = snapshot;
  const nanoseconds = `${Math.round(wall)}000000`;
  const metrics = familiesOf(metricRows, snapshot)
    .filter(({ samples }) => samples.length > 0)
    .map((family) => metricOf(family, nanoseconds));
  const resource = { "service.name": "linkseal", "service.version": version };
  const site = status.site === null ? {} : { "linkseal.site": status.site };
  return JSON.stringify({
    resourceMetrics: [
      {
        resource: { attributes: attributesOf(Object.entries({ ...resource, ...site })) },
        scopeMetrics: [{ scope: { name: "linkseal", version }, metrics }],
      },
    ],
  });
}

/** AGGREGATION_TEMPORALITY_CUMULATIVE. */
const cumulative = 2;

function metricOf({ name, kind, help, labels, samples }: Family, nanoseconds: string): object {
  const dataPoints = samples.map((sample) => pointOf(labels, sample, nanoseconds));
  const data =
    kind === "gauge"
      ? { gauge: { dataPoints } }
      : { sum: { dataPoints, aggregationTemporality: cumulative, isMonotonic: true } };
  return { name, description: help, ...data };
}

const int64Max = 2n ** 63n - 1n;

// When a counter of a device began nobody knows: its start is left out.
function pointOf(labels: readonly string[], [values, value]: Sample, timeUnixNano: string): object {
  const exact = typeof value === "bigint" && value <= int64Max;
  return {
    attributes: attributesOf(labels.map((label, index) => [label, values[index] ?? ""])),
    timeUnixNano,
    ...(exact ? { asInt: String(value) } : { asDouble: Number(value) }),
  };
}

function attributesOf(entries: readonly (readonly [string, string])[]): readonly object[] {
  return entries.map(([key, stringValue]) => ({ key, value: { stringValue } }));
}
