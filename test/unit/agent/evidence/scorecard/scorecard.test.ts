// The verdicts of a scorecard for documents shaped like Microsoft's published examples: each case
// would be a wrong proof.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import { port, resource, rowOf, rowOn, scope, vault } from "../../../kit/scorecard-kit.ts";
import { link } from "../../../kit/snapshot-kit.ts";

describe("what the agent saw of a link", () => {
  it("an observation that aged while Azure was read is stale in the scorecard", async () => {
    let verdict = "protected";
    const ages = { farEndMs: null };
    const status = () => ({
      groups: [{ name: link.group, links: [{ name: link.name, verdict, reasons: [], ages }] }],
      tunnels: [],
    });
    const read = async () => {
      verdict = "unknown";
      return { value: [] };
    };
    const { evidence } = await rowOn("macsec-on-direct", { status, read });
    expect(evidence).toContain("is unknown");
    expect(evidence).not.toContain("is protected");
  });
});

/** Returns the part of a row about the only document; parts that find nothing are left out. */
async function saysOf(row: string, name: string, ...documents: readonly Resource[]) {
  const { verdict, evidence, next } = await rowOf(row, ...documents);
  expect(next === null).toBe(verdict === "proven");
  return evidence.split("; ").filter((each) => each.includes(name));
}

describe("a security group that lets public addresses log in is not proven to be closed", () => {
  const group = (sources: unknown, more: object = {}): Resource =>
    resource("Microsoft.Network/networkSecurityGroups", "testnsg", {
      provisioningState: "Succeeded",
      securityRules: [
        {
          name: "rule1",
          type: "Microsoft.Network/networkSecurityGroups/securityRules",
          properties: {
            ...{ provisioningState: "Succeeded", protocol: "Tcp", sourcePortRange: "*" },
            ...{ destinationPortRange: "3389", destinationAddressPrefix: "*", access: "Allow" },
            ...{ priority: 130, direction: "Inbound" },
            ...(typeof sources === "string"
              ? { sourceAddressPrefix: sources }
              : { sourceAddressPrefixes: sources }),
            ...more,
          },
        },
      ],
    });
  const internet = ["testnsg lets the Internet in to 22 or 3389"];
  const closed = ["testnsg lets no public address in to 22 or 3389"];
  const shown = "public, and whether it is yours is not shown";

  it.each([
    ["0.0.0.0/1", internet],
    [["0.0.0.0/1", "128.0.0.0/1"], internet],
    ["2000::/3", internet],
    ["8.0.0.0/7", internet],
    ["*", internet],
    ["8.8.8.8/32", [`testnsg lets 8.8.8.8/32 in to 22 or 3389: ${shown}`]],
    ["8.8.8.8", [`testnsg lets 8.8.8.8 in to 22 or 3389: ${shown}`]],
    [["10.0.0.0/8", "203.0.113.0/24"], [`testnsg lets 203.0.113.0/24 in to 22 or 3389: ${shown}`]],
    ["2001:db8::/32", [`testnsg lets 2001:db8::/32 in to 22 or 3389: ${shown}`]],
    [
      "AzureCloud",
      ["testnsg lets AzureCloud in to 22 or 3389: which addresses that is, is not read"],
    ],
    ["10.0.0.0/7", internet],
    ["172.16.0.0/11", [`testnsg lets 172.16.0.0/11 in to 22 or 3389: ${shown}`]],
    ["172.16.0.0/12", closed],
    ["10.1.2.3", closed],
    ["fd00::/8", closed],
    ["VirtualNetwork", closed],
  ])(
    "a security group that allows logins from %j is not proven to be closed",
    async (sources, says) => {
      const found = await saysOf("bastion", "testnsg", group(sources));
      expect(found).toEqual(says);
    },
  );

  it("a security group that opens other ports, or denies logins, is proven closed", async () => {
    for (const more of [{ destinationPortRange: "443" }, { access: "Deny" }]) {
      const found = await saysOf("bastion", "testnsg", group("0.0.0.0/1", more));
      expect(found).toEqual(closed);
    }
  });
});

function connection(type: string, policy?: object): Resource {
  const gateway = { id: `${scope}/providers/Microsoft.Network/virtualNetworkGateways/vpngw` };
  return resource("Microsoft.Network/connections", "connS2S", {
    ...{ provisioningState: "Succeeded", virtualNetworkGateway1: gateway, connectionType: type },
    ...{ connectionProtocol: "IKEv2", routingWeight: 0, enableBgp: false },
    ipsecPolicies: policy === undefined ? [] : [{ ...strong, ...policy }],
  });
}

const strong = {
  ...{ saLifeTimeSeconds: 14_400, saDataSizeKilobytes: 102_400_000 },
  ...{ ipsecEncryption: "GCMAES256", ipsecIntegrity: "GCMAES256" },
  ...{ ikeEncryption: "AES256", ikeIntegrity: "SHA256", dhGroup: "ECP384", pfsGroup: "ECP384" },
};
const isStrong = ["connS2S has IKEv2 and a strong policy of its own"];

describe("a policy that linkseal's own config calls weak is not proven to be strong", () => {
  it.each([
    ["dhGroup", "DHGroup24"],
    ["pfsGroup", "PFS24"],
    ["dhGroup", "DHGroup2"],
    ["ikeEncryption", "DES3"],
    ["pfsGroup", "None"],
    ["ipsecEncryption", "None"],
  ])("an IPsec policy with the weak %s %s is not proven", async (field, word) => {
    const found = await saysOf(
      "ipsec-connections",
      "connS2S",
      connection("IPsec", { [field]: word }),
    );
    expect(found).toEqual([`connS2S has a weak ${field}`]);
  });

  it("an IPsec policy with strong algorithms is proven", async () => {
    expect(await saysOf("ipsec-connections", "connS2S", connection("IPsec", {}))).toEqual(isStrong);
  });
});

describe("a connection between virtual networks is not left out", () => {
  it("a Vnet2Vnet connection without its own policy fails", async () => {
    const row = await rowOf("ipsec-connections", connection("Vnet2Vnet"));
    expect(row).toMatchObject({
      verdict: "failed",
      evidence: "connS2S takes every policy that Azure offers",
    });
    const good = await rowOf("ipsec-connections", connection("Vnet2Vnet", {}));
    expect(good).toMatchObject({ verdict: "proven", evidence: isStrong[0] });
  });

  it("a Vnet2Vnet connection needs no private address, and ExpressRoute is not IPsec", async () => {
    const found = await saysOf(
      "ipsec-over-private-peering",
      "connS2S",
      connection("Vnet2Vnet", {}),
    );
    expect(found).toEqual([]);
    const other = await saysOf("ipsec-connections", "connS2S", connection("ExpressRoute"));
    expect(other).toEqual([]);
  });
});

const gatewayId = `${scope}/providers/Microsoft.Network/applicationGateways/appgw`;
const wafId = (kind: string, name: string): string =>
  `${scope}/providers/Microsoft.Network/${kind}WebApplicationFirewallPolicies/${name}`;

function appGateway(more: object, listener: object = {}): Resource {
  return resource("Microsoft.Network/applicationGateways", "appgw", {
    ...{ provisioningState: "Succeeded", operationalState: "Running" },
    sku: { name: "WAF_v2", tier: "WAF_v2", capacity: 3 },
    backendHttpSettingsCollection: [
      { name: "appgwbhs", properties: { port: 443, protocol: "Https", requestTimeout: 30 } },
    ],
    httpListeners: [
      {
        name: "appgwhl",
        id: `${gatewayId}/httpListeners/appgwhl`,
        properties: { protocol: "Https", requireServerNameIndication: false, ...listener },
      },
    ],
    sslPolicy: { policyType: "Predefined", policyName: "AppGwSslPolicy20220101" },
    ...more,
  });
}

describe("a listener with an SSL profile of an old policy is not proven to take TLS 1.2", () => {
  const sslProfile = { id: `${gatewayId}/sslProfiles/sslProfile1` };
  const profile = (sslPolicy?: object): object => ({
    sslProfiles: [
      {
        name: "sslProfile1",
        id: sslProfile.id.replace("resourceGroups", "resourcegroups"),
        properties: { clientAuthConfiguration: { verifyClientCertIssuerDN: true }, sslPolicy },
      },
    ],
  });
  const old = "a listener of appgw takes TLS older than 1.2, by SSL profile sslProfile1";

  it.each([
    ["failed", { policyType: "Predefined", policyName: "AppGwSslPolicy20150501" }, old],
    ["failed", { policyType: "Custom", minProtocolVersion: "TLSv1_1", cipherSuites: [] }, old],
    ["proven", { policyType: "CustomV2", minProtocolVersion: "TLSv1_3" }, "TLS end to end"],
    ["proven", undefined, "TLS end to end"],
  ])("a listener's SSL profile is %s with %j", async (verdict, policy, says) => {
    const gateway = appGateway(profile(policy), { sslProfile });
    const row = await rowOf("app-gateway-tls", gateway);
    expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
  });

  it("a listener's hidden SSL profile is not proven, and an unused one is ignored", async () => {
    expect(await rowOf("app-gateway-tls", appGateway({}, { sslProfile }))).toMatchObject({
      verdict: "notVerifiable",
      evidence: expect.stringContaining("a listener of appgw has an SSL profile that is not shown"),
    });
    const unused = profile({ policyType: "Predefined", policyName: "AppGwSslPolicy20150501" });
    expect(await rowOf("app-gateway-tls", appGateway(unused))).toMatchObject({ verdict: "proven" });
  });
});

describe("a firewall policy that was never read does not prove a firewall", () => {
  const policy = (kind: string, name: string, policySettings?: object): Resource =>
    resource(`Microsoft.Network/${kind}WebApplicationFirewallPolicies`, name, {
      ...{ provisioningState: "Succeeded", resourceState: "Enabled" },
      ...{ policySettings, customRules: [], managedRules: { managedRuleSets: [] } },
    });
  const cases = [
    ["failed", { state: "Disabled", mode: "Prevention" }, "of NAME is switched off"],
    ["failed", { state: "Enabled", mode: "Detection" }, "of NAME only detects"],
    ["notVerifiable", undefined, "of NAME does not report its state and mode"],
    ["proven", { state: "Enabled", mode: "Prevention" }, "NAME has firewall policy"],
  ] as const;

  it.each(cases)(
    "the firewall policy of an Application Gateway is %s with %j",
    async (verdict, settings, says) => {
      const firewallPolicy = { id: wafId("ApplicationGateway", "Policy1").toUpperCase() };
      const row = await rowOf(
        "app-gateway-waf",
        appGateway({ firewallPolicy }),
        policy("ApplicationGateway", "Policy1", settings),
      );
      expect(row).toMatchObject({
        verdict,
        evidence: expect.stringContaining(says.replace("NAME", "appgw")),
      });
    },
  );

  it("a firewall policy of a group that is not read proves nothing for its gateway", async () => {
    const firewallPolicy = { id: wafId("ApplicationGateway", "elsewhere") };
    expect(await rowOf("app-gateway-waf", appGateway({ firewallPolicy }))).toEqual({
      verdict: "notVerifiable",
      evidence: "firewall policy elsewhere of appgw is not in the scopes that were read",
      next: "add the resource group it is in to azure.scopes in the config",
    });
  });

  it("the policy of one listener counts beside a good one of the gateway", async () => {
    const firewallPolicy = { id: wafId("ApplicationGateway", "Policy1") };
    const open = { id: wafId("ApplicationGateway", "Policy2") };
    const row = await rowOf(
      "app-gateway-waf",
      appGateway({ firewallPolicy }, { firewallPolicy: open }),
      policy("ApplicationGateway", "Policy1", { state: "Enabled", mode: "Prevention" }),
      policy("ApplicationGateway", "Policy2", { state: "Disabled", mode: "Prevention" }),
    );
    expect(row).toMatchObject({
      verdict: "failed",
      evidence: expect.stringContaining("firewall policy Policy2 of appgw is switched off"),
    });
  });

  it("the gateway's own firewall is not proven while it only detects", async () => {
    const own = (firewallMode: string): Resource =>
      appGateway({
        webApplicationFirewallConfiguration: {
          ...{ enabled: true, firewallMode, ruleSetType: "OWASP", ruleSetVersion: "3.2" },
        },
      });
    expect((await rowOf("app-gateway-waf", own("Detection"))).verdict).toBe("failed");
    expect((await rowOf("app-gateway-waf", own("Prevention"))).verdict).toBe("proven");
  });

  it.each(cases)(
    "the firewall policy of a Front Door is %s with %j",
    async (verdict, settings, says) => {
      const profile = "Microsoft.Cdn/profiles";
      const { state, ...rest } = settings ?? { state: undefined };
      const named = settings === undefined ? undefined : { ...rest, enabledState: state };
      const endpoint = { id: `${scope}/providers/${profile}/profile1/afdEndpoints/endpoint1` };
      const row = await rowOf(
        "front-door-waf",
        resource(profile, "profile1", { resourceState: "Active" }),
        resource(`${profile}/securityPolicies`, "profile1/securityPolicy1", {
          parameters: {
            type: "WebApplicationFirewall",
            wafPolicy: { id: wafId("FrontDoor", "wafTest") },
            associations: [{ domains: [endpoint], patternsToMatch: ["/*"] }],
          },
          deploymentStatus: "NotStarted",
        }),
        policy("FrontDoor", "wafTest", named),
        resource(`${profile}/afdEndpoints`, "profile1/endpoint1", { enabledState: "Enabled" }),
        resource(`${profile}/afdEndpoints/routes`, "profile1/endpoint1/route1", {
          ...{ customDomains: [], linkToDefaultDomain: "Enabled", enabledState: "Enabled" },
        }),
      );
      expect(row).toMatchObject({
        verdict,
        evidence: expect.stringContaining(says.replace("NAME", "profile1")),
      });
    },
  );
});

describe("an alert that reaches no person, or watches something else, proves no monitoring", () => {
  const circuit = resource("Microsoft.Network/expressRouteCircuits", "circuit1", {});
  const group = `${scope}/providers/microsoft.insights/actiongroups/night`;
  const thresholds: Readonly<Record<string, number>> = { LineProtocol: 1, rxlightlevel: -12 };
  const alert = (target: string, metricName: string, more: object = {}): Resource =>
    resource("Microsoft.Insights/metricAlerts", `${metricName} ${target.split("/").at(-1)}`, {
      ...{ description: "", severity: 1, enabled: true, scopes: [target] },
      ...{ evaluationFrequency: "PT1M", windowSize: "PT5M", autoMitigate: true },
      criteria: {
        "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
        allOf: [
          {
            ...{ criterionType: "StaticThresholdCriterion", name: "Metric1", metricName },
            ...{ operator: "LessThan", threshold: thresholds[metricName] ?? 100 },
            ...{ timeAggregation: "Average", dimensions: [] },
          },
        ],
      },
      actions: [{ actionGroupId: group, webHookProperties: {} }],
      ...more,
    });
  const circuitId = String(circuit["id"]);
  const ofPort = alert(port, "LineProtocol");
  const monitoring = (...alerts: readonly Resource[]) =>
    rowOf("monitoring", circuit, ofPort, ...alerts);

  it.each([
    {
      verdict: "notVerifiable",
      metric: "BgpAvailability",
      more: { actions: [] },
      says: /circuit1 has an action group: who gets/,
    },
    {
      verdict: "notVerifiable",
      metric: "BgpAvailability",
      more: { actions: [{}] },
      says: /circuit1 has an action group: who gets/,
    },
    {
      verdict: "notVerifiable",
      metric: "FastPathRoutesCountForCircuit",
      more: {},
      says: /no alert rule of circuit1 that was read/,
    },
    {
      verdict: "notVerifiable",
      metric: "LineProtocol",
      more: {},
      says: /watches ArpAvailability or BgpAvailability/,
    },
    {
      verdict: "failed",
      metric: "BgpAvailability",
      more: { enabled: false },
      says: /every alert rule of circuit1 is off/,
    },
    {
      verdict: "proven",
      metric: "ArpAvailability",
      more: {},
      says: /an alert rule watches circuit1 and has an action group/,
    },
  ])(
    "monitoring is $verdict by an alert on $metric with $more",
    async ({ verdict, metric, more, says }) => {
      const row = await monitoring(alert(circuitId, metric, more));
      expect(row).toMatchObject({ verdict, evidence: expect.stringMatching(says) });
    },
  );

  it("monitoring of a port is proven by line or light, not by its circuit's metrics", async () => {
    const good = alert(circuitId, "ArpAvailability");
    const light = await rowOf("monitoring", circuit, good, alert(port, "rxlightlevel"));
    expect(light.verdict).toBe("proven");
    const wrong = await rowOf("monitoring", circuit, good, alert(port, "ArpAvailability"));
    expect(wrong.verdict).toBe("notVerifiable");
  });
});

describe("a vault that may be purged is not proven to be closed", () => {
  const properties = {
    ...{ vaultUri: `${vault}/`, tenantId: "00000000-0000-0000-0000-000000000000" },
    ...{ sku: { family: "A", name: "standard" }, accessPolicies: [] },
    ...{ enableSoftDelete: true, softDeleteRetentionInDays: 90, enableRbacAuthorization: true },
    networkAcls: { bypass: "AzureServices", defaultAction: "Deny", ipRules: [] },
  };

  it.each([
    [undefined, "kv-1 lacks purge protection"],
    [true, "kv-1 has soft delete, purge protection, Azure RBAC, "],
  ])(
    "a vault with enablePurgeProtection %j passes only if that is true",
    async (enablePurgeProtection, says) => {
      const found = resource("Microsoft.KeyVault/vaults", "kv-1", {
        ...properties,
        enablePurgeProtection,
      });
      const [text] = await saysOf("macsec-keys-in-vault", "kv-1", found);
      expect(text).toContain(says);
    },
  );
});
