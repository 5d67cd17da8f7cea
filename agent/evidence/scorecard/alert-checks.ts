// Alert rules: on the metrics that show a loss, and on planned maintenance.

import { at, type Listed, type Resource, type Source } from "./estate.ts";
import type { ScorecardFacts } from "./facts.ts";
import {
  failed,
  ifRead,
  isWithin,
  lastOf,
  listAt,
  type Outcome,
  oneOf,
  overAll,
  proven,
  sameId,
  textAt,
  together,
  unseen,
  unverifiable,
} from "./outcome.ts";

type Facts = ScorecardFacts;

/** The metrics that show a lost line or session; all others continue as if nothing had happened. */
const lossMetrics = {
  port: ["LineProtocol", "RxLightLevel", "TxLightLevel"],
  circuit: ["ArpAvailability", "BgpAvailability"],
} as const;

export function monitored(facts: Facts): Outcome {
  const { alerts } = facts.estate.lists;
  return overWatched(facts, (id) => ifRead(alerts, (read) => alertsOf(id, read)));
}

/** Judges each port, and each circuit that was read, by its resource id. */
export function overWatched({ estate, ports }: Facts, judge: (id: string) => Outcome): Outcome {
  const circuits = overAll(estate.lists.circuits, "ExpressRoute circuit", ({ id }) =>
    typeof id === "string" ? judge(id) : unverifiable("a circuit has no id", "linkseal doctor"),
  );
  return together([...ports.map(judge), circuits]);
}

type ReadList = Extract<Listed, { readonly kind: "read" }>;

function alertsOf(id: string, { items, source }: ReadList): Outcome {
  const name = lastOf(id);
  const isPort = /\/expressRoute(Ports|Lags)\//i.test(id);
  const metrics: readonly string[] = lossMetrics[isPort ? "port" : "circuit"];
  const wanted = metrics.join(" or ");
  const next = `create an alert rule on ${wanted} of ${name}, with an action group`;
  const mine = items.filter((alert) =>
    listAt(alert, "properties", "scopes").some((scope) => covers(alert, scope, id)),
  );
  if (mine.length === 0) return { ...unseen(`no alert rule of ${name}`, source), next };
  const on = mine.filter(isOn);
  if (on.length === 0) return failed(`every alert rule of ${name} is off`, next);
  const watching = on.filter((alert) =>
    listAt(alert, "properties", "criteria", "allOf").some((criterion) =>
      metrics.some((metric) => sameId(metric, at(criterion, "metricName"))),
    ),
  );
  if (watching.length === 0) {
    return unverifiable(`no alert rule of ${name} that was read watches ${wanted}`, next);
  }
  const isAlerting = watching.some((alert) => hasGroup(listAt(alert, "properties", "actions")));
  if (isAlerting) return proven(`an alert rule watches ${name} and has an action group`);
  // A processing rule may add an action group, but those rules are not read.
  const why = `no alert rule on ${wanted} of ${name} has an action group: who gets it is not known`;
  return unverifiable(why, next);
}

/** A rule on a resource group or subscription watches the resources of one type in it. */
function covers(alert: Resource, scope: unknown, id: string): boolean {
  if (sameId(scope, id)) return true;
  const [, type] = /\/providers\/([^/]+\/[^/]+)\/[^/]+$/.exec(id) ?? [];
  return isWithin(id, scope) && sameId(at(alert, "properties", "targetResourceType"), type);
}

const isOn = (rule: Resource): boolean => at(rule, "properties", "enabled") === true;

function hasGroup(actions: readonly unknown[]): boolean {
  return actions.some((action) => textAt(action, "actionGroupId") !== undefined);
}

/** Judges whether each subscription with a port has an alert on planned maintenance. */
export function maintenanceAlerts({ estate, ports }: Facts): Outcome {
  const { activityAlerts } = estate.lists;
  const ids = [...new Set(ports.map((id) => id.split("/").slice(0, 3).join("/").toLowerCase()))];
  if (ids.length === 0) {
    return ifRead(estate.lists.ports, () =>
      unverifiable("no port is in the config", "linkseal apply"),
    );
  }
  return ifRead(activityAlerts, ({ items, source }) =>
    together(ids.map((id) => maintenanceOf(id, items, source))),
  );
}

function maintenanceOf(subscription: string, alerts: readonly Resource[], source: Source): Outcome {
  const name = lastOf(subscription);
  const next =
    "create a service health alert for planned maintenance of ExpressRoute, with an action group";
  const mine = alerts.filter(
    (alert) =>
      listAt(alert, "properties", "scopes").some((scope) => isWithin(subscription, scope)) &&
      admits(alert, "category", (word) => sameId(word, "ServiceHealth")) === "named",
  );
  if (mine.length === 0) {
    return { ...unseen(`no service health alert of subscription ${name}`, source), next };
  }
  return oneOf(mine.map((alert) => maintenanceRule(alert, name, next)));
}

function maintenanceRule(alert: Resource, subscription: string, next: string): Outcome {
  const fits =
    admits(alert, "properties.incidentType", (word) => sameId(word, "Maintenance")) !== "others" &&
    admits(alert, "properties.impactedServices[*].ServiceName", isExpressRoute) !== "others";
  if (!fits) {
    const why = `a service health alert of ${subscription} leaves out maintenance of ExpressRoute`;
    return unverifiable(why, next);
  }
  const region = "properties.impactedServices[*].ImpactedRegions[*].RegionName";
  if (admits(alert, region, (word) => sameId(word, "Global")) === "others") {
    const why = `a service health alert of ${subscription} is limited to regions, and not Global`;
    return unverifiable(why, next);
  }
  if (!isOn(alert)) return failed(`the maintenance alert of ${subscription} is off`, next);
  if (hasGroup(listAt(alert, "properties", "actions", "actionGroups"))) {
    return proven(`planned maintenance of ExpressRoute in ${subscription} has an alert`);
  }
  const lacks = "has no action group: who gets it is not known";
  return unverifiable(`the maintenance alert of ${subscription} ${lacks}`, next);
}

/** The service or its part for circuits; another part is that of gateways. */
const isExpressRoute = (word: unknown): boolean =>
  typeof word === "string" && /^ExpressRoute( \\ ExpressRoute Circuits)?$/i.test(word);

/**
 * Evaluates the conditions of an activity log alert on one field: `free` = it has none, `named` =
 * it accepts such a value, `others` = it accepts only other values.
 */
function admits(
  alert: Resource,
  field: string,
  accepts: (value: unknown) => boolean,
): "free" | "named" | "others" {
  const conditions = listAt(alert, "properties", "condition", "allOf")
    .map((condition) => {
      const any = listAt(condition, "anyOf");
      return (any.length > 0 ? any : [condition]).filter((leaf) =>
        sameId(at(leaf, "field"), field),
      );
    })
    .filter((leaves) => leaves.length > 0);
  if (conditions.length === 0) return "free";
  const isNamed = conditions.every((leaves) =>
    leaves.some((leaf) => [at(leaf, "equals"), ...listAt(leaf, "containsAny")].some(accepts)),
  );
  return isNamed ? "named" : "others";
}
