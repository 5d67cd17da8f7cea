// Connection Monitor, Traffic Collector, diagnostic settings and alert rules, in the forms of
// Microsoft's examples.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import {
  port,
  resource,
  rowOf,
  scope,
  subscription,
  vault,
  vaultId,
} from "../../../kit/scorecard-kit.ts";

const circuit = resource("Microsoft.Network/expressRouteCircuits", "circuit1", { peerings: [] });
const circuitId = String(circuit["id"]);
const watcher = resource("Microsoft.Network/networkWatchers", "nw1", {});

const says = (text: string) => expect.stringContaining(text);

describe("a connection monitor", () => {
  const compute = `${scope}/providers/Microsoft.Compute/virtualMachines/vm1`;
  const endpoints = [
    { name: "vm1", resourceId: compute },
    { name: "vm2", type: "AzureVM", resourceId: compute },
    { name: "edge", type: "AzureArcVM", resourceId: `${scope}/providers/x/machines/edge` },
    { name: "old", type: "MMAWorkspaceMachine", resourceId: `${scope}/providers/x/workspaces/w` },
    { name: "bing", type: "ExternalAddress", address: "bing.com" },
  ];
  const on = { disable: false };
  const group = (from: string, to: string, more: object = {}) => {
    return {
      name: "g",
      sources: [from],
      destinations: [to],
      testConfigurations: ["t"],
      ...on,
      ...more,
    };
  };
  const monitor = (name: string, testGroups: readonly object[], more: object = {}): Resource =>
    resource("Microsoft.Network/networkWatchers/connectionMonitors", `nw1/${name}`, {
      ...{ provisioningState: "Succeeded", monitoringStatus: "Running" },
      ...{ endpoints, testGroups, ...more },
    });
  const across = group("edge", "vm1");

  it.each([
    ["proven", [across], {}, "cm tests the way between on premises and Azure"],
    ["proven", [group("VM2", "old")], {}, "cm tests the way between on premises and Azure"],
    ["notVerifiable", [group("vm1", "vm2")], {}, "cm shows no test between on premises and Azure"],
    ["notVerifiable", [group("vm1", "bing")], {}, "cm shows no test between on premises"],
    ["notVerifiable", [group("edge", "gone")], {}, "cm shows no test between on premises"],
    ["failed", [{ ...across, disable: true }], {}, "cm has no test group that is on"],
    ["failed", [], {}, "cm has no test group that is on"],
    ["failed", [across], { monitoringStatus: "Stopped" }, "cm is stopped"],
  ])("a monitor is %s with the groups %j and %j", async (verdict, groups, more, text) => {
    const row = await rowOf("connection-monitor", watcher, monitor("cm", groups, more));
    expect(row).toMatchObject({ verdict, evidence: says(text) });
  });

  it("one good monitor is enough, and none is not verifiable", async () => {
    const bad = monitor("bad", []);
    const good = monitor("good", [across]);
    expect((await rowOf("connection-monitor", watcher, bad, good)).verdict).toBe("proven");
    expect(await rowOf("connection-monitor", watcher)).toMatchObject({
      verdict: "notVerifiable",
      evidence: "no connection monitor in the scopes that were read",
    });
  });
});

describe("a Traffic Collector", () => {
  const type = "Microsoft.NetworkFunction/azureTrafficCollectors";
  const collector = resource(type, "atc", {});
  const monitorTo = { destinationType: "AzureMonitor" };
  const policy = (source: string, emissionDestinations: readonly object[]): Resource =>
    resource(`${type}/collectorPolicies`, "atc/cp1", {
      ingestionPolicy: {
        ingestionType: "IPFIX",
        ingestionSources: [{ sourceType: "Resource", resourceId: source }],
      },
      emissionPolicies: [{ emissionType: "IPFIX", emissionDestinations }],
    });

  it.each([
    ["proven", [policy(circuitId.toLowerCase(), [monitorTo])], "takes the flows of circuit1"],
    ["failed", [policy(circuitId, [])], "Collector of circuit1 sends its records nowhere"],
    ["notVerifiable", [policy(`${circuitId}2`, [monitorTo])], "no Traffic Collector of circuit1"],
    ["notVerifiable", [], "no Traffic Collector of circuit1 in the scopes that were read"],
  ])("a circuit's collector is %s", async (verdict, policies, text) => {
    const row = await rowOf("traffic-collector", circuit, collector, ...policies);
    expect(row).toMatchObject({ verdict, evidence: says(text) });
  });
});

describe("diagnostic settings", () => {
  const kv = resource("Microsoft.KeyVault/vaults", "kv-1", { vaultUri: `${vault}/` });
  const workspaceId = `${scope}/providers/Microsoft.OperationalInsights/workspaces/logs`;
  const setting = (of: string, more: object): Resource => ({
    id: `${of}/providers/microsoft.insights/diagnosticSettings/kept`,
    ...{ name: "kept", type: "Microsoft.Insights/diagnosticSettings" },
    properties: { workspaceId, logs: [], metrics: [], ...more },
  });
  const log = (more: object) => ({ logs: [{ enabled: true, ...more }] });
  const metrics = { metrics: [{ category: "AllMetrics", enabled: true }] };
  const ofPort = setting(port, metrics);
  const ofVault = setting(vaultId, log({ category: "AuditEvent" }));
  const ofCircuit = setting(circuitId, log({ categoryGroup: "allLogs" }));

  it.each([
    ["proven", [ofPort, ofVault, ofCircuit], "kv-1 sends AuditEvent"],
    [
      "proven",
      [ofPort, setting(vaultId, log({ categoryGroup: "audit" })), ofCircuit],
      "kv-1 sends AuditEvent",
    ],
    ["failed", [ofPort, ofVault], "circuit1 sends no PeeringRouteLog"],
    ["failed", [ofVault, ofCircuit], "erd sends no AllMetrics"],
    ["failed", [ofPort, ofCircuit], "kv-1 sends no AuditEvent"],
    ["failed", [ofPort, ofVault, setting(circuitId, metrics)], "circuit1 sends no PeeringRouteLog"],
    [
      "failed",
      [ofPort, ofVault, setting(circuitId, log({ category: "PeeringRouteLog", enabled: false }))],
      "circuit1 sends no PeeringRouteLog",
    ],
    [
      "failed",
      [
        ofPort,
        ofVault,
        setting(circuitId, { ...log({ categoryGroup: "allLogs" }), workspaceId: "" }),
      ],
      "circuit1 sends no PeeringRouteLog",
    ],
  ])("diagnostic settings are %s", async (verdict, settings, text) => {
    const row = await rowOf("diagnostic-settings", kv, circuit, ...settings);
    expect(row).toMatchObject({ verdict, evidence: says(text) });
  });
});

const actions = [{ actionGroupId: `${scope}/providers/microsoft.insights/actiongroups/night` }];

describe("an alert rule on a group or a subscription", () => {
  const criterion = {
    ...{ criterionType: "StaticThresholdCriterion", name: "m", operator: "LessThan", threshold: 1 },
    timeAggregation: "Minimum",
  };
  const rule = (name: string, metricName: string, more: object): Resource =>
    resource("Microsoft.Insights/metricAlerts", name, {
      ...{ enabled: true, severity: 1, actions },
      criteria: { allOf: [{ ...criterion, metricName }] },
      ...more,
    });
  const ofPort = rule("port", "LineProtocol", { scopes: [port] });
  const ofCircuits = (more: object): Resource => rule("circuits", "BgpAvailability", more);
  const type = { targetResourceType: "microsoft.network/expressroutecircuits" };

  it.each([
    ["proven", { scopes: [circuitId] }],
    ["proven", { scopes: [scope.toUpperCase()], ...type }],
    ["proven", { scopes: [subscription], ...type }],
    ["notVerifiable", { scopes: [scope] }],
    ["notVerifiable", { scopes: [`${scope}0`], ...type }],
    ["notVerifiable", { scopes: [scope], targetResourceType: "Microsoft.Compute/virtualMachines" }],
  ])("a circuit's alert is %s by a rule with %j", async (verdict, more) => {
    const row = await rowOf("monitoring", circuit, ofPort, ofCircuits(more));
    expect(row.verdict).toBe(verdict);
  });
});

describe("an alert on planned maintenance", () => {
  const category = { field: "category", equals: "ServiceHealth" };
  const incident = (...types: readonly string[]) => {
    return { anyOf: types.map((equals) => ({ field: "properties.incidentType", equals })) };
  };
  const service = (...containsAny: readonly string[]) => {
    return { field: "properties.impactedServices[*].ServiceName", containsAny };
  };
  const region = (...containsAny: readonly string[]) => {
    return { field: "properties.impactedServices[*].ImpactedRegions[*].RegionName", containsAny };
  };
  const groups = { actionGroups: actions };
  const rule = (allOf: readonly object[], more: object = {}): Resource =>
    resource("Microsoft.Insights/activityLogAlerts", "maintenance", {
      ...{ scopes: [subscription], enabled: true, actions: groups },
      condition: { allOf },
      ...more,
    });

  it.each([
    ["proven", rule([category])],
    ["proven", rule([category, incident("Incident", "Maintenance"), service("ExpressRoute")])],
    ["proven", rule([category, service("VPN Gateway", "ExpressRoute"), region("Global")])],
    ["proven", rule([category], { scopes: [`${subscription}/`] })],
    ["proven", rule([category, service("ExpressRoute \\ ExpressRoute Circuits")])],
    ["notVerifiable", rule([category, service("ExpressRoute \\ ExpressRoute Gateways")])],
    ["notVerifiable", rule([{ field: "category", equals: "Administrative" }])],
    ["notVerifiable", rule([])],
    ["notVerifiable", rule([category, incident("Incident", "Security")])],
    ["notVerifiable", rule([category, service("Virtual Machines")])],
    ["notVerifiable", rule([category, region("West US")])],
    ["notVerifiable", rule([category], { scopes: ["/subscriptions/another"] })],
    ["notVerifiable", rule([category], { actions: { actionGroups: [] } })],
    ["failed", rule([category], { enabled: false })],
  ])("a maintenance alert is %s with %j", async (verdict, alert) => {
    const row = await rowOf("maintenance-alerts", alert);
    expect(row.verdict).toBe(verdict);
  });

  it("a good maintenance alert counts beside one that is off", async () => {
    const off = { ...rule([category], { enabled: false }), id: `${scope}/providers/x/off` };
    const row = await rowOf("maintenance-alerts", off, rule([category]));
    expect(row.verdict).toBe("proven");
  });
});
