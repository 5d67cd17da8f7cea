// The documents of a Front Door, and of a profile of the classic content delivery network.

import type { JsonObject } from "./http.ts";

const type = "Microsoft.Cdn/profiles";

function below(group: string, path: string, properties: JsonObject): JsonObject {
  const name = path.split("/").at(-1) ?? "";
  const kinds = path.split("/").filter((_part, index) => index % 2 === 0);
  return {
    ...{ id: `${group}/providers/${type}/edge/${path}`, name, type: [type, ...kinds].join("/") },
    properties,
  };
}

/** The classic network has the same type as Front Door, and nothing of it below. */
export function profiles(group: string): readonly JsonObject[] {
  const skus = { edge: "Premium_AzureFrontDoor", assets: "Standard_Microsoft" };
  return Object.entries(skus).map(([name, sku]) => ({
    ...{ id: `${group}/providers/${type}/${name}`, name, type, location: "Global" },
    ...{ sku: { name: sku }, properties: { resourceState: "Active" } },
  }));
}

export function endpoint(group: string): JsonObject {
  return below(group, "afdEndpoints/app", { enabledState: "Enabled" });
}

export function frontRoute(group: string, good: boolean): JsonObject {
  return below(group, "afdEndpoints/app/routes/all", {
    supportedProtocols: ["Http", "Https"],
    httpsRedirect: good ? "Enabled" : "Disabled",
    forwardingProtocol: good ? "HttpsOnly" : "MatchRequest",
    enabledState: "Enabled",
    ...{ customDomains: [], linkToDefaultDomain: "Enabled", ruleSets: [] },
  });
}

export function frontDomain(group: string, good: boolean): JsonObject {
  const tlsSettings = {
    certificateType: "ManagedCertificate",
    minimumTlsVersion: good ? "TLS12" : "TLS10",
  };
  return below(group, "customDomains/www", { tlsSettings });
}

export function securityPolicy(group: string): JsonObject {
  const network = `${group}/providers/Microsoft.Network`;
  const wafPolicy = { id: `${network}/FrontDoorWebApplicationFirewallPolicies/waf` };
  const domain = { id: endpoint(group)["id"] };
  const associations = [{ domains: [domain], patternsToMatch: ["/*"] }];
  const parameters = { type: "WebApplicationFirewall", wafPolicy, associations };
  return below(group, "securityPolicies/waf", { parameters });
}

export function originGroup(group: string): JsonObject {
  return below(group, "originGroups/back", {});
}

export function origin(group: string, good: boolean): JsonObject {
  const sharedPrivateLinkResource = {
    privateLink: { id: `${group}/providers/Microsoft.Web/sites/app` },
    status: good ? "Approved" : "Pending",
  };
  return below(group, "originGroups/back/origins/app", {
    ...{ hostName: "app.invalid", enabledState: "Enabled", enforceCertificateNameCheck: true },
    sharedPrivateLinkResource,
  });
}
