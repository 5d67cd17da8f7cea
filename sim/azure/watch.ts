// Documents of what watches the simulated circuits: alert rules.

import type { JsonObject } from "./http.ts";

/** Returns an alert on one metric of a resource; a bad one is switched off. */
export function metricAlert(scope: string, metricName: string, good: boolean): JsonObject {
  const [group = ""] = scope.split("/providers/");
  const name = `${metricName}-${scope.split("/").at(-1)}`;
  const type = "Microsoft.Insights/metricAlerts";
  const criterion = {
    ...{ criterionType: "StaticThresholdCriterion", name: "lost", metricName, dimensions: [] },
    // One lost link of two lowers the average of a circuit too.
    ...{ operator: "LessThan", threshold: metricName === "LineProtocol" ? 1 : 100 },
    timeAggregation: "Average",
  };
  const odata = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria";
  return {
    ...{ id: `${group}/providers/${type}/${name}`, name, type, location: "global" },
    properties: {
      ...{ enabled: good, severity: 1, scopes: [scope], autoMitigate: true },
      ...{ evaluationFrequency: "PT1M", windowSize: "PT5M" },
      criteria: { "odata.type": odata, allOf: [criterion] },
      actions: [{ actionGroupId: `${group}/providers/Microsoft.Insights/actionGroups/night` }],
    },
  };
}
