// Alert rules on the metrics that show a loss.

import { at, type Listed, type Resource } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import { type Field, isOn, judge, words } from "./fields.ts";
import {
  failed,
  ifRead,
  isWithin,
  lastOf,
  listAt,
  nameOf,
  type Outcome,
  oneOf,
  overAll,
  sameId,
  textAt,
  together,
  unseen,
  unverifiable,
} from "./outcome.ts";

type Facts = ScorecardFacts;

interface LossMetric {
  /** The best value while all is well, and the value of what is lost. */
  readonly up: number;
  readonly down: number;
  /** How many series the metric has at most: an average without dimensions is over all of them. */
  readonly series: number;
}

/** The metrics that show a lost line or session; all others continue as if nothing had happened. */
const lossMetrics: Readonly<Record<"port" | "circuit", Readonly<Record<string, LossMetric>>>> = {
  port: {
    LineProtocol: { up: 1, down: 0, series: 2 },
    RxLightLevel: { up: 0, down: -40, series: 2 },
    TxLightLevel: { up: 0, down: -40, series: 2 },
  },
  // Two peers of each peering, private and Microsoft, over IPv4 and IPv6.
  circuit: {
    ArpAvailability: { up: 100, down: 0, series: 8 },
    BgpAvailability: { up: 100, down: 0, series: 8 },
  },
};

/** The dimension of a kind, and its values for the two links, each of which has to be watched. */
const lanes = {
  port: { dimension: "Link", values: ["link1", "link2"] },
  circuit: { dimension: "Peer", values: ["Primary", "Secondary"] },
} as const;

type Kind = keyof typeof lanes;

export function monitored(facts: Facts): Outcome {
  const { alerts } = facts.estate.lists;
  return overWatched(facts, (id) => ifRead(alerts, (read) => alertsOf(id, read)));
}

/** Judges each port, and each circuit that was read, by its resource id. */
function overWatched({ estate, ports }: Facts, judge: (id: string) => Outcome): Outcome {
  const circuits = overAll(estate.lists.circuits, "ExpressRoute circuit", ({ id }) =>
    typeof id === "string" ? judge(id) : unverifiable("a circuit has no id", "linkseal doctor"),
  );
  return together([...ports.map(judge), circuits]);
}

type ReadList = Extract<Listed, { readonly kind: "read" }>;

function alertsOf(id: string, { items, source }: ReadList): Outcome {
  const name = lastOf(id);
  const kind: Kind = /\/expressRoute(Ports|Lags)\//i.test(id) ? "port" : "circuit";
  const metrics = Object.keys(lossMetrics[kind]);
  const wanted = metrics.join(" or ");
  const next = `create an alert rule on ${wanted} of ${name}, with an action group`;
  const mine = items.filter((alert) =>
    listAt(alert, "properties", "scopes").some((scope) => covers(alert, scope, id)),
  );
  if (mine.length === 0) return { ...unseen(`no alert rule of ${name}`, source), next };
  const on = mine.filter((alert) => at(alert, "properties", "enabled") !== false);
  if (on.length === 0) return failed(`every alert rule of ${name} is off`, next);
  const watching = on.filter((alert) =>
    criteriaOf(alert).some((one) => words(metrics)(at(one, "metricName")) === "proves"),
  );
  if (watching.length === 0) {
    return unverifiable(`no alert rule of ${name} that was read watches ${wanted}`, next);
  }
  const each = lanes[kind].values.map((lane) =>
    oneOf(
      watching.map((alert) => {
        const fields = alertFields(alert, kind, lane, name, next);
        const proof = `an alert rule watches ${name} and has an action group`;
        return judge({ name: nameOf(alert), value: alert, source }, fields, proof);
      }),
    ),
  );
  return together(each);
}

const criteriaOf = (alert: Resource): readonly unknown[] =>
  listAt(alert, "properties", "criteria", "allOf");

function alertFields(
  alert: Resource,
  kind: Kind,
  lane: string,
  name: string,
  next: string,
): readonly Field[] {
  const wanted = Object.keys(lossMetrics[kind]).join(" or ");
  // A processing rule may add an action group, but those rules are not read.
  const silent =
    `no alert rule on ${wanted} of ${name} has an action group` + ": who gets it is not known";
  const doubt = `no alert rule of ${name} that was read fires when ${lane} is lost, and only then`;
  return [
    { path: "properties.enabled", does: isOn, fault: `every alert rule of ${name} is off`, next },
    {
      ...{ path: "properties.criteria.allOf", fault: "", doubt, next },
      // All criteria of a rule have to be met at once.
      does: (all) =>
        listAt(all).length === 1 && firesFor(criteriaOf(alert)[0], kind, lane)
          ? "proves"
          : "nothing",
    },
    {
      ...{ path: "properties.actions", fault: "", doubt: silent, next },
      does: (actions) => (hasGroup(listAt(actions)) ? "proves" : "nothing"),
    },
  ];
}

/** Returns true if a criterion is met when this link is lost, and is not met while all is well. */
function firesFor(criterion: unknown, kind: Kind, lane: string): boolean {
  const metricName = textAt(criterion, "metricName")?.toLowerCase();
  const [, metric] =
    Object.entries(lossMetrics[kind]).find(([one]) => one.toLowerCase() === metricName) ?? [];
  const split = splitOf(listAt(criterion, "dimensions"), kind, lane);
  const isStatic = sameId(at(criterion, "criterionType"), "StaticThresholdCriterion");
  const threshold = at(criterion, "threshold");
  if (metric === undefined || split === "other" || !isStatic || typeof threshold !== "number") {
    return false;
  }
  const lost = lostValue(metric, textAt(criterion, "timeAggregation"), split === "split");
  const meets = comparisons.get(textAt(criterion, "operator")?.toLowerCase() ?? "");
  if (lost === undefined || meets === undefined) return false;
  return meets(lost, threshold) && !meets(metric.up, threshold);
}

const comparisons: ReadonlyMap<string, (value: number, threshold: number) => boolean> = new Map([
  ["equals", (value, threshold) => value === threshold],
  ["lessthan", (value, threshold) => value < threshold],
  ["lessthanorequal", (value, threshold) => value <= threshold],
]);

/** The value of an aggregation over a window in which one link is lost; undefined = not known. */
function lostValue(
  { up, down, series }: LossMetric,
  aggregation: string | undefined,
  isSplit: boolean,
): number | undefined {
  switch (aggregation) {
    case "Minimum":
      return down;
    case "Maximum":
      return isSplit ? down : up;
    case "Average":
      return isSplit ? down : (up * (series - 1) + down) / series;
    case undefined:
    default:
      return undefined;
  }
}

/** `whole`: one value for all links; `split`: one for each, also this one; `other`: neither. */
function splitOf(
  dimensions: readonly unknown[],
  kind: Kind,
  lane: string,
): "whole" | "split" | "other" {
  let found: "whole" | "split" = "whole";
  for (const dimension of dimensions) {
    const values = listAt(dimension, "values").map(String);
    const isOwn = sameId(at(dimension, "name"), lanes[kind].dimension);
    const isIn = isOwn && values.some((one) => one.toLowerCase().startsWith(lane.toLowerCase()));
    if (at(dimension, "operator") !== "Include" || !(values.includes("*") || isIn)) return "other";
    if (isOwn) found = "split";
  }
  return found;
}

/** A rule on a resource group or subscription watches the resources of one type in it. */
function covers(alert: Resource, scope: unknown, id: string): boolean {
  if (sameId(scope, id)) return true;
  const [, type] = /\/providers\/([^/]+\/[^/]+)\/[^/]+$/.exec(id) ?? [];
  return isWithin(id, scope) && sameId(at(alert, "properties", "targetResourceType"), type);
}

function hasGroup(actions: readonly unknown[]): boolean {
  return actions.some((action) => textAt(action, "actionGroupId") !== undefined);
}
