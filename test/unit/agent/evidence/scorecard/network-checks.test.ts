// Inspection by a firewall in a hub of Virtual WAN, in the forms of Microsoft's examples.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import { resource, rowOf, scope } from "../../../kit/scorecard-kit.ts";

describe("an Azure Firewall in a hub", () => {
  const hubId = `${scope}/providers/Microsoft.Network/virtualHubs/hub1`;
  const hub = resource("Microsoft.Network/virtualHubs", "hub1", { addressPrefix: "10.1.0.0/23" });
  const firewall = resource("Microsoft.Network/azureFirewalls", "azfw1", {
    ...{ provisioningState: "Succeeded", sku: { name: "AZFW_Hub", tier: "Standard" } },
    virtualHub: { id: hubId },
    hubIPAddresses: { privateIPAddress: "10.1.0.4", publicIPs: { count: 1 } },
  });
  const intent = (destinations: readonly string[], nextHop = firewall["id"]): Resource =>
    resource("Microsoft.Network/virtualHubs/routingIntent", "hub1/Intent1", {
      provisioningState: "Succeeded",
      routingPolicies: [{ name: "p", destinations, nextHop }],
    });

  it.each([
    ["proven", [intent(["PrivateTraffic"])]],
    ["notVerifiable", [intent(["Internet"])]],
    ["notVerifiable", [intent(["PrivateTraffic"], "/another")]],
    ["notVerifiable", []],
  ])("a firewall in a hub is %s by its routing intent", async (verdict, intents) => {
    const row = await rowOf("central-inspection", hub, firewall, ...intents);
    expect(row.verdict).toBe(verdict);
    expect(row.evidence).toContain("azfw1");
  });
});
