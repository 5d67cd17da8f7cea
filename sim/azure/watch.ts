// Documents of what watches the simulated circuits: monitors, collectors, settings and alerts.

import type { JsonObject } from "./http.ts";

/** Returns a monitor between a machine on premises and one in Azure; a bad one tests nothing. */
export function connectionMonitor(watcher: string, good: boolean): JsonObject {
  const [group = ""] = watcher.split("/providers/");
  const type = "Microsoft.Network/networkWatchers/connectionMonitors";
  const properties = {
    ...{ provisioningState: "Succeeded", monitoringStatus: "Running", autoStart: true },
    endpoints: [
      {
        ...{ name: "edge", type: "AzureArcVM" },
        resourceId: `${group}/providers/Microsoft.HybridCompute/machines/edge`,
      },
      {
        ...{ name: "vm", type: "AzureVM" },
        resourceId: `${group}/providers/Microsoft.Compute/virtualMachines/vm`,
      },
    ],
    testConfigurations: [
      { name: "tcp", testFrequencySec: 30, protocol: "Tcp", tcpConfiguration: { port: 443 } },
    ],
    testGroups: [
      {
        ...{ name: "path", disable: !good },
        ...{ sources: ["edge"], destinations: ["vm"], testConfigurations: ["tcp"] },
      },
    ],
  };
  return { id: `${watcher}/connectionMonitors/path`, name: "path", type, properties };
}

/** Returns the policy of a collector that takes a circuit's flows; a bad one sends them nowhere. */
export function collectorPolicy(collector: string, circuit: string, good: boolean): JsonObject {
  const name = circuit.split("/").at(-1) ?? "";
  const emissionDestinations = good ? [{ destinationType: "AzureMonitor" }] : [];
  return {
    ...{ id: `${collector}/collectorPolicies/${name}`, name, location: "westus" },
    type: "Microsoft.NetworkFunction/azureTrafficCollectors/collectorPolicies",
    properties: {
      provisioningState: "Succeeded",
      ingestionPolicy: {
        ingestionType: "IPFIX",
        ingestionSources: [{ sourceType: "Resource", resourceId: circuit }],
      },
      emissionPolicies: [{ emissionType: "IPFIX", emissionDestinations }],
    },
  };
}

/** Returns the diagnostic setting of a resource; a bad one has every category switched off. */
export function diagnosticSetting(resource: string, good: boolean): JsonObject {
  const [group = ""] = resource.split("/providers/");
  const isPort = /\/expressroute(ports|lags)\//i.test(resource);
  return {
    id: `${resource}/providers/microsoft.insights/diagnosticSettings/kept`,
    name: "kept",
    type: "Microsoft.Insights/diagnosticSettings",
    properties: {
      workspaceId: `${group}/providers/Microsoft.OperationalInsights/workspaces/logs`,
      logs: isPort ? [] : [{ categoryGroup: "allLogs", enabled: good }],
      metrics: [{ category: "AllMetrics", enabled: good }],
    },
  };
}

/** Returns a service health alert on planned maintenance; a bad one is switched off. */
export function maintenanceAlert(group: string, good: boolean): JsonObject {
  const [subscription = ""] = group.split("/resourceGroups/");
  const name = "maintenance";
  const service = "properties.impactedServices[*].ServiceName";
  return {
    ...{ id: `${group}/providers/Microsoft.Insights/activityLogAlerts/${name}`, name },
    ...{ type: "Microsoft.Insights/ActivityLogAlerts", location: "Global" },
    properties: {
      scopes: [subscription],
      enabled: good,
      condition: {
        allOf: [
          { field: "category", equals: "ServiceHealth" },
          { anyOf: [{ field: "properties.incidentType", equals: "Maintenance" }] },
          { field: service, containsAny: ["ExpressRoute"] },
        ],
      },
      actions: {
        actionGroups: [
          { actionGroupId: `${group}/providers/Microsoft.Insights/actionGroups/night` },
        ],
      },
    },
  };
}

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
