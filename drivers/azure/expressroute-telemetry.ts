// Telemetry of Azure's own side of a link: meters of port and circuit, minutes late, and the state
// of the peering. It contains nothing about MACsec.

import type { PeerTelemetry } from "#hal/device.ts";
import type { WallTime } from "#hal/world.ts";
import type { Arm } from "../transport/arm.ts";
import { numberIn, textAt, valueAt } from "../transport/arm-json.ts";
import { armVersions } from "./api-versions.ts";
import type { AzureLink } from "./expressroute-document.ts";

export interface TelemetryParts {
  readonly arm: Arm;
  /** Resource id of the port or LAG. */
  readonly resource: string;
  readonly link: AzureLink;
  readonly circuits: readonly string[];
  readonly now: WallTime;
}

const minuteMs = 60_000;
/** A minute's value is published two or three minutes after the minute ends. */
const spanMs = 15 * minuteMs;
/** A port may carry many circuits; the first ones are enough. */
const circuitsMax = 4;

/**
 * Reads the telemetry. An abort leaves nothing behind.
 * @throws LinksealError like `Arm.get` where nothing at all can be read.
 */
export async function telemetryOf(
  parts: TelemetryParts,
  signal: AbortSignal,
): Promise<PeerTelemetry> {
  const { link, resource } = parts;
  const portMetrics = ["LineProtocol", "RxLightLevel", "TxLightLevel"] as const;
  const ofPort = await metrics(parts, resource, portMetrics, `Link eq '${link}'`, signal);
  const circuits = parts.circuits.slice(0, circuitsMax);
  const observed = await Promise.all(circuits.map((id) => ofCircuit(parts, id, signal)));
  const [line, rx, tx] = portMetrics.map((name) => newest(ofPort, name, () => true));
  const values = [line, rx, tx, ...observed.flatMap(({ arp, bgp }) => [arp, bgp])];
  const ends = values.flatMap((value) => value?.until ?? []);
  return {
    // The oldest of them, so that no value is older than reported.
    until: ends.length === 0 ? undefined : (Math.min(...ends) as WallTime),
    lineUp: line === undefined ? undefined : line.value >= 0.5,
    rxDbm: rx?.value,
    txDbm: tx?.value,
    arpPercent: least(observed.map(({ arp }) => arp?.value)),
    bgpPercent: least(observed.map(({ bgp }) => bgp?.value)),
    peerings: observed.flatMap(({ peerings }) => peerings),
  };
}

interface Metric {
  readonly value: number;
  /** End of the minute that the value is the average of. */
  readonly until: number;
}

async function ofCircuit(parts: TelemetryParts, id: string, signal: AbortSignal) {
  const query = { "api-version": armVersions.circuit.version };
  const list = valueAt(await parts.arm.get(`${id}/peerings`, query, signal), "value");
  const peerings = Array.isArray(list) ? list.flatMap(peeringOf) : [];
  // The words of Azure Monitor for the peerings are not published, so that all series are read.
  const filter = "PeeringType eq '*' and Peer eq '*'";
  const names = ["ArpAvailability", "BgpAvailability"] as const;
  const reported = await metrics(parts, id, names, filter, signal);
  const configured = peerings.filter(({ state }) => state === "Enabled").map(({ type }) => type);
  // A peering has two peers in Azure, one for each link, and two more with IPv6.
  const side = parts.link === "link1" ? "primary" : "secondary";
  const isOurs = (series: unknown): boolean =>
    dimensionOf(series, "peer").startsWith(side) &&
    configured.some((type) => isOfPeering(type, dimensionOf(series, "peeringtype")));
  const [arp, bgp] = names.map((name) => newest(reported, name, isOurs));
  return { arp, bgp, peerings };
}

/** Returns whether a series, of `Private` or `Microsoft`, belongs to a peering of that type. */
function isOfPeering(type: string, word: string): boolean {
  const stem = type
    .toLowerCase()
    .replace(/^azure/, "")
    .replace(/peering$/, "");
  return stem !== "" && word.startsWith(stem);
}

function peeringOf(peering: unknown): PeerTelemetry["peerings"] {
  const type = textAt(peering, "properties", "peeringType");
  const state = textAt(peering, "properties", "state");
  return type === undefined || state === undefined
    ? []
    : [{ type: word(type), state: word(state) }];
}

/** Words of the API consist of letters; any other text becomes "?". */
function word(text: string): string {
  return /^[A-Za-z]{1,40}$/.test(text) ? text : "?";
}

async function metrics(
  { arm, now }: TelemetryParts,
  resource: string,
  names: readonly string[],
  filter: string,
  signal: AbortSignal,
): Promise<unknown> {
  const iso = (at: number): string => new Date(at).toISOString();
  const query = {
    "api-version": armVersions.metrics.version,
    metricnames: names.join(","),
    timespan: `${iso(now - spanMs)}/${iso(now)}`,
    interval: "PT1M",
    aggregation: "Average",
    $filter: filter,
  };
  return await arm.get(`${resource}/providers/Microsoft.Insights/metrics`, query, signal);
}

/** Returns the newest minute of all series that fit, and the worst value if there are several. */
function newest(
  document: unknown,
  name: string,
  fits: (series: unknown) => boolean,
): Metric | undefined {
  const metric = listAt(document, "value").find((one) => textAt(one, "name", "value") === name);
  const found = listAt(metric, "timeseries")
    .filter(fits)
    .flatMap((series) => lastOf(listAt(series, "data")) ?? []);
  return found.toSorted((a, b) => a.value - b.value)[0];
}

/** Returns the value of a dimension in lower case; empty = the series does not name it. */
function dimensionOf(series: unknown, dimension: string): string {
  const values = listAt(series, "metadatavalues");
  const named = values.find((one) => textAt(one, "name", "value")?.toLowerCase() === dimension);
  return textAt(named, "value")?.toLowerCase() ?? "";
}

function lastOf(data: readonly unknown[]): Metric | undefined {
  const reported = data.flatMap((point): Metric[] => {
    const value = numberIn(valueAt(point, "average"));
    const start = Date.parse(textAt(point, "timeStamp") ?? "");
    if (value === undefined || Number.isNaN(start)) return [];
    // Averages of binary fractions have digits that no meter measured.
    return [{ value: Math.round(100 * value) / 100, until: start + minuteMs }];
  });
  return reported.toSorted((a, b) => a.until - b.until).at(-1);
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const list = valueAt(value, key);
  return Array.isArray(list) ? list : [];
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
