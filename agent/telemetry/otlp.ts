// Sends metrics as OTLP over HTTP in JSON to a collector, which passes them on, for example to
// Azure Monitor. Loaded only if a config asks for it.

import type { World } from "#hal/world.ts";
import type { OtlpSettings } from "../model/desired.ts";
import { version } from "../model/version.ts";
import { type Family, familiesOf, type Measured, type Sample } from "./metric.ts";
import { metricRows } from "./metric-rows.ts";
import { type PostParts, post } from "./post.ts";

export interface OtlpParts extends PostParts {
  readonly world: Pick<World, "clock" | "dial" | "log">;
  readonly settings: OtlpSettings;
  readonly snapshot: () => Measured;
}

/**
 * Sends until the signal aborts; metrics that were not accepted are not kept, because the next
 * message has newer ones.
 */
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
      // The loop checks the end.
      .catch(() => undefined);
  }
}

/**
 * Returns an ExportMetricsServiceRequest in the JSON of protobuf, in which 64-bit integers are
 * text.
 */
export function otlpText(snapshot: Measured): string {
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

// The start time is left out, because it is not known when a device's counter began.
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
