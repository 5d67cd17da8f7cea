// Alert rules on a group or a subscription, in the forms of Microsoft's examples.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import { port, resource, rowOf, scope, subscription } from "../../../kit/scorecard-kit.ts";

const circuit = resource("Microsoft.Network/expressRouteCircuits", "circuit1", { peerings: [] });
const circuitId = String(circuit["id"]);
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
