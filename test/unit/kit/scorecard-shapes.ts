// Sets of documents in the shapes of Azure's published examples, each of which proves one row, and
// the changes that take the proof away.

import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import { portDocument, resource, scope } from "./scorecard-kit.ts";

const network = "Microsoft.Network";
const path = (rest: string): string => `${scope}/providers/${rest}`;
const cdn = "Microsoft.Cdn/profiles";

/** Returns a part of Front Door by its path below the profile. */
function front(below: string, properties: object): Resource {
  const parts = below.split("/");
  const kinds = parts.filter((_part, index) => index % 2 === 0);
  const names = parts.filter((_part, index) => index % 2 === 1);
  return resource([cdn, ...kinds].join("/"), ["afd", ...names].join("/"), properties);
}

const profile = resource(cdn, "afd", {}, { sku: { name: "Premium_AzureFrontDoor" } });
const wafId = path(`${network}/FrontDoorWebApplicationFirewallPolicies/waf`);
const routeId = path(`${cdn}/afd/afdEndpoints/e`);
const domainId = path(`${cdn}/afd/customDomains/www`);
const route = (more: object = {}): Resource =>
  front("afdEndpoints/e/routes/r", {
    ...{ customDomains: [{ id: domainId }], linkToDefaultDomain: "Enabled", ruleSets: [] },
    ...{ supportedProtocols: ["Http", "Https"], httpsRedirect: "Enabled", patternsToMatch: ["/*"] },
    ...{ forwardingProtocol: "HttpsOnly", enabledState: "Enabled", ...more },
  });
const guard = (patterns: readonly string[], ...domains: readonly object[]): Resource =>
  front("securityPolicies/s", {
    parameters: {
      ...{ type: "WebApplicationFirewall", wafPolicy: { id: wafId } },
      associations: [{ domains, patternsToMatch: patterns }],
    },
  });
const waf = resource(`${network}/FrontDoorWebApplicationFirewallPolicies`, "waf", {
  policySettings: { enabledState: "Enabled", mode: "Prevention" },
});
const both = [{ id: routeId }, { id: domainId }];
const domain = front("customDomains/www", { tlsSettings: { minimumTlsVersion: "TLS12" } });
const origin = (more: object = {}): Resource =>
  front("originGroups/g/origins/o", {
    ...{ hostName: "o.example", enabledState: "Enabled", enforceCertificateNameCheck: true },
    sharedPrivateLinkResource: { groupId: "sites", status: "Approved" },
    ...more,
  });
const ruleSets = [{ id: path(`${cdn}/afd/ruleSets/rs`) }];
const rule = (...actions: readonly object[]): Resource =>
  front("ruleSets/rs/rules/one", { order: 1, conditions: [], actions });
const override = (forwardingProtocol: string): object => ({
  name: "RouteConfigurationOverride",
  parameters: {
    typeName: "DeliveryRuleRouteConfigurationOverrideActionParameters",
    originGroupOverride: { originGroup: { id: "/g" }, forwardingProtocol },
  },
});

const net = (name: string, properties: object): Resource =>
  resource(`${network}/${name.split("/")[0]}`, name.split("/")[1] ?? "", properties);
const securityGroup = (more: object = {}): Resource =>
  net("networkSecurityGroups/nsg", {
    securityRules: [
      {
        name: "login",
        properties: {
          ...{ access: "Allow", direction: "Inbound", protocol: "Tcp", priority: 100 },
          ...{ destinationPortRange: "3389", sourceAddressPrefix: "10.1.0.0/16", ...more },
        },
      },
    ],
  });
const nat = (...rules: readonly object[]): Resource =>
  net("azureFirewalls/fw", {
    natRuleCollections: [
      { name: "nat", properties: { priority: 200, action: { type: "Dnat" }, rules } },
    ],
  });
const translation = (from: string, translatedPort: string): object => ({
  ...{ name: "t", sourceAddresses: [from], destinationAddresses: ["198.51.100.7"] },
  ...{ destinationPorts: ["50001"], protocols: ["TCP"] },
  ...{ translatedAddress: "10.1.2.3", translatedPort },
});
const machine = net("networkInterfaces/vm", {
  ipConfigurations: [{ name: "c", properties: { privateIPAddress: "10.1.2.3" } }],
});
const host = net("bastionHosts/jump", { provisioningState: "Succeeded" });
const login = (...more: readonly Resource[]): readonly Resource[] => [host, machine, ...more];

const encrypted = (...peerings: readonly object[]): Resource =>
  net("virtualNetworks/hub", {
    encryption: { enabled: true, enforcement: "AllowUnencrypted" },
    virtualNetworkPeerings: peerings.map((properties) => ({ name: "spoke", properties })),
  });
const connected = (enabled: boolean): object => ({
  ...{ peeringState: "Connected", remoteVirtualNetworkEncryption: { enabled } },
});

const inspecting = net("azureFirewalls/fw", {
  ipConfigurations: [{ name: "c", properties: { privateIPAddress: "10.0.1.4" } }],
});
const table = (addressPrefix: string, ...subnets: readonly object[]): Resource => {
  const hop = { nextHopType: "VirtualAppliance", nextHopIpAddress: "10.0.1.4" };
  return net("routeTables/rt", {
    routes: [{ name: "all", properties: { addressPrefix, ...hop } }],
    subnets,
  });
};
const rtId = path(`${network}/routeTables/rt`);
const spoke = (more: object = { routeTable: { id: rtId } }): Resource =>
  net("virtualNetworks/spoke", {
    addressSpace: { addressPrefixes: ["10.2.0.0/16"] },
    subnets: [{ name: "app", properties: { addressPrefix: "10.2.1.0/24", ...more } }],
  });
const onSubnet = { id: path(`${network}/virtualNetworks/spoke/subnets/app`) };

const port = portDocument();
const circuit = net("expressRouteCircuits/c1", { peerings: [] });
const alert = (target: Resource, metricName: string, more: object = {}): Resource =>
  resource("Microsoft.Insights/metricAlerts", `${metricName}${JSON.stringify(more).length}`, {
    ...{ enabled: true, severity: 1, scopes: [target["id"]], windowSize: "PT5M" },
    criteria: {
      allOf: [
        {
          ...{ criterionType: "StaticThresholdCriterion", name: "m", metricName, dimensions: [] },
          ...{ operator: "LessThan", timeAggregation: "Average", threshold: 100, ...more },
        },
      ],
    },
    actions: [{ actionGroupId: path("microsoft.insights/actionGroups/night") }],
  });
const line = { threshold: 1 };
const bgp = alert(circuit, "BgpAvailability");
const linkIs = (...values: readonly string[]) => ({
  ...{ dimensions: [{ name: "Link", operator: "Include", values }], threshold: 1 },
});
const watched = (...more: readonly Resource[]): readonly Resource[] => [port, circuit, ...more];

const gateway = (more: object = {}, backend: object = {}, tls: object = {}): Resource => {
  const https = { protocol: "Https", port: 443 };
  return net("applicationGateways/agw", {
    sku: { name: "WAF_v2", tier: "WAF_v2" },
    httpListeners: [{ name: "l", id: "/l", properties: { protocol: "Https" } }],
    backendHttpSettingsCollection: [{ name: "b", properties: { ...https, ...backend } }],
    sslPolicy: { policyType: "Predefined", policyName: "AppGwSslPolicy20220101", ...tls },
    ...more,
  });
};

const subnet = { id: path(`${network}/virtualNetworks/hub/subnets/GatewaySubnet`) };
const vpn = (name: string, gatewayType: string): Resource =>
  net(`virtualNetworkGateways/${name}`, {
    gatewayType,
    ipConfigurations: [{ name: "c", properties: { subnet } }],
  });
const strong = {
  ...{ ipsecEncryption: "GCMAES256", ipsecIntegrity: "GCMAES256", pfsGroup: "ECP384" },
  ...{ ikeEncryption: "AES256", ikeIntegrity: "SHA384", dhGroup: "ECP384" },
};
const connection = (more: object = {}): Resource =>
  net("connections/s2s", {
    ...{ connectionType: "IPsec", connectionProtocol: "IKEv2", ipsecPolicies: [strong] },
    ...{ useLocalAzureIpAddress: false, connectionStatus: "Connected" },
    virtualNetworkGateway1: { id: path(`${network}/virtualNetworkGateways/vpn`) },
    ...more,
  });
const wan = net("vpnGateways/hub", { connections: [] });
const backup = [vpn("er", "ExpressRoute"), vpn("vpn", "Vpn"), wan];
export interface Shape {
  readonly row: string;
  readonly verdict: "proven" | "failed" | "notVerifiable";
  readonly title: string;
  readonly documents: readonly Resource[];
}

const shape = (
  verdict: Shape["verdict"],
  row: string,
  title: string,
  ...documents: readonly Resource[]
): Shape => ({ row, verdict, title, documents });

const tls = (...more: readonly Resource[]) => [profile, domain, ...more];
const guarded = (...more: readonly Resource[]) => [profile, waf, ...more];
const closed = nat(translation("*", "8443"));

/** The sets, in the order of the rows. */
export const shapes: readonly Shape[] = [
  shape(
    "proven",
    "front-door-waf",
    "every domain of a route",
    ...guarded(route(), guard(["/*"], ...both)),
  ),
  shape(
    "notVerifiable",
    "front-door-waf",
    "one of two domains",
    ...guarded(route(), guard(["/*"], { id: routeId })),
  ),
  shape(
    "notVerifiable",
    "front-door-waf",
    "some paths",
    ...guarded(route(), guard(["/admin/*"], ...both)),
  ),
  shape(
    ...(["notVerifiable", "front-door-waf", "an association that is not active"] as const),
    ...guarded(route(), guard(["/*"], { id: routeId }, { id: domainId, isActive: false })),
  ),
  shape("notVerifiable", "front-door-waf", "no route", ...guarded(guard(["/*"], ...both))),
  shape("proven", "front-door-tls", "no rule set", ...tls(route(), origin())),
  shape(
    "proven",
    "front-door-tls",
    "a rule set that keeps HTTPS",
    ...tls(route({ ruleSets }), origin(), rule(override("HttpsOnly"))),
  ),
  shape(
    "failed",
    "front-door-tls",
    "a rule set that forwards HTTP",
    ...tls(route({ ruleSets }), origin(), rule(override("HttpOnly"))),
  ),
  shape(
    "notVerifiable",
    "front-door-tls",
    "a rule set that is not there",
    ...tls(route({ ruleSets }), origin()),
  ),
  shape(
    "failed",
    "front-door-tls",
    "an origin of any name",
    ...tls(route(), origin({ enforceCertificateNameCheck: false })),
  ),
  shape("notVerifiable", "front-door-tls", "no origin", ...tls(route())),
  shape("proven", "front-door-private-origins", "an approved link", origin()),
  shape(
    "proven",
    "front-door-private-origins",
    "a public origin that is off",
    origin({ enabledState: "Disabled", sharedPrivateLinkResource: null }),
  ),
  shape(
    "failed",
    "front-door-private-origins",
    "a public origin",
    origin({ sharedPrivateLinkResource: null }),
  ),
  shape("proven", "bastion", "closed groups and firewall", ...login(securityGroup(), closed)),
  shape(
    "proven",
    "bastion",
    "ICMP from anywhere",
    ...login(
      securityGroup({ protocol: "Icmp", destinationPortRange: "*", sourceAddressPrefix: "*" }),
      closed,
    ),
  ),
  shape(
    "proven",
    "bastion",
    "ESP from anywhere",
    ...login(
      securityGroup({ protocol: "Esp", destinationPortRange: "*", sourceAddressPrefix: "*" }),
      closed,
    ),
  ),
  shape(
    "failed",
    "bastion",
    "every protocol from anywhere",
    ...login(securityGroup({ protocol: "*", sourceAddressPrefix: "*" }), closed),
  ),
  shape(
    "failed",
    "bastion",
    "a translation to 3389",
    ...login(securityGroup(), nat(translation("*", "3389"))),
  ),
  shape("notVerifiable", "bastion", "no firewall", ...login(securityGroup())),
  shape("proven", "vnet-encryption", "no peering", encrypted()),
  shape("proven", "vnet-encryption", "an encrypted peering", encrypted(connected(true))),
  shape("failed", "vnet-encryption", "a peering in the clear", encrypted(connected(false))),
  shape(
    "notVerifiable",
    "vnet-encryption",
    "a peering without its other end",
    encrypted({ peeringState: "Connected" }),
  ),
  shape(
    "proven",
    "central-inspection",
    "a default route of every subnet",
    inspecting,
    table("0.0.0.0/0", onSubnet),
    spoke(),
  ),
  shape(
    "notVerifiable",
    "central-inspection",
    "a table of no subnet",
    inspecting,
    table("0.0.0.0/0"),
    spoke({}),
  ),
  shape(
    "notVerifiable",
    "central-inspection",
    "a route of one address",
    inspecting,
    table("203.0.113.9/32", onSubnet),
    spoke(),
  ),
  shape(
    "notVerifiable",
    "central-inspection",
    "a subnet without a table",
    inspecting,
    table("0.0.0.0/0", onSubnet),
    spoke({}),
  ),
  shape(
    "proven",
    "monitoring",
    "alerts on both links",
    ...watched(bgp, alert(port, "LineProtocol", line)),
  ),
  shape(
    "proven",
    "monitoring",
    "one alert for each link",
    ...watched(
      bgp,
      alert(port, "LineProtocol", linkIs("link1")),
      alert(port, "LineProtocol", { ...linkIs("link2"), severity: 2 }),
    ),
  ),
  shape(
    "notVerifiable",
    "monitoring",
    "an alert on one link",
    ...watched(bgp, alert(port, "LineProtocol", linkIs("link1"))),
  ),
  shape(
    "notVerifiable",
    "monitoring",
    "LineProtocol above 1",
    ...watched(bgp, alert(port, "LineProtocol", { operator: "GreaterThan", threshold: 1 })),
  ),
  shape(
    "notVerifiable",
    "monitoring",
    "BgpAvailability above 100",
    ...watched(
      alert(circuit, "BgpAvailability", { operator: "GreaterThan" }),
      alert(port, "LineProtocol", line),
    ),
  ),
  shape(
    "notVerifiable",
    "monitoring",
    "an alert that always fires",
    ...watched(bgp, alert(port, "LineProtocol")),
  ),
  shape("proven", "app-gateway-tls", "a predefined policy", gateway()),
  shape(
    "proven",
    "app-gateway-tls",
    "old versions disabled",
    gateway({ sslPolicy: { disabledSslProtocols: ["TLSv1_0", "TLSv1_1"] } }),
  ),
  shape(
    "failed",
    "app-gateway-tls",
    "one old version disabled",
    gateway({ sslPolicy: { disabledSslProtocols: ["TLSv1_0"] } }),
  ),
  shape(
    "failed",
    "app-gateway-tls",
    "backends of any certificate",
    gateway({}, { validateCertChainAndExpiry: false }),
  ),
  shape("proven", "vpn-as-backup", "a connected VPN", ...backup, connection()),
  shape(
    "notVerifiable",
    "vpn-as-backup",
    "a connecting VPN",
    ...backup,
    connection({ connectionStatus: "Connecting" }),
  ),
  shape(
    "failed",
    "vpn-as-backup",
    "a VPN that is down",
    ...backup,
    connection({ connectionStatus: "NotConnected" }),
  ),
  shape("proven", "ipsec-connections", "a strong policy", wan, connection()),
  shape(
    "notVerifiable",
    "ipsec-connections",
    "no protocol",
    wan,
    connection({ connectionProtocol: undefined }),
  ),
  shape("failed", "ipsec-connections", "IKEv1", wan, connection({ connectionProtocol: "IKEv1" })),
];
