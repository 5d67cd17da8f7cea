// Front Door beside a classic profile, in the forms of Microsoft's examples.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import { readerOf, resource, rowOf, rowOn, scope } from "../../../kit/scorecard-kit.ts";

const profiles = "Microsoft.Cdn/profiles";
const profile = (name: string, sku: string): Resource =>
  resource(profiles, name, { resourceState: "Active" }, { sku: { name: sku } });
const frontDoor = profile("afd", "Standard_AzureFrontDoor");
const below = (path: string, properties: object): Resource => {
  const kinds = path.split("/").filter((_part, index) => index % 2 === 0);
  const names = path.split("/").filter((_part, index) => index % 2 === 1);
  return resource([profiles, ...kinds].join("/"), ["afd", ...names].join("/"), properties);
};
const endpoint = below("afdEndpoints/e1", { enabledState: "Enabled" });
const origin = below("originGroups/g/origins/o", { enforceCertificateNameCheck: true });
const group = below("originGroups/g", {});
const domain = below("customDomains/www", { tlsSettings: { minimumTlsVersion: "TLS12" } });

describe("a route of Front Door", () => {
  const both = ["Http", "Https"];

  it.each([
    [{ supportedProtocols: ["Https"], httpsRedirect: "Disabled" }, "HttpsOnly", "proven"],
    [{ supportedProtocols: ["Https"], httpsRedirect: "Disabled" }, "MatchRequest", "proven"],
    [{ supportedProtocols: both, httpsRedirect: "Enabled" }, "MatchRequest", "proven"],
    [{ supportedProtocols: both, httpsRedirect: "Enabled" }, undefined, "notVerifiable"],
    [{ supportedProtocols: both, httpsRedirect: "Enabled" }, "HttpOnly", "failed"],
    [{ supportedProtocols: both, httpsRedirect: "Disabled" }, "HttpsOnly", "failed"],
    [{ httpsRedirect: "Disabled" }, "HttpsOnly", "failed"],
    [{ supportedProtocols: both, enabledState: "Disabled" }, "HttpOnly", "proven"],
  ])("a route with %j that forwards %s is %s", async (more, forwardingProtocol, verdict) => {
    const own = { ...more, forwardingProtocol, ruleSets: [] };
    const route = below("afdEndpoints/e1/routes/r1", own);
    const documents = [frontDoor, endpoint, domain, group, origin, route];
    const row = await rowOf("front-door-tls", ...documents);
    expect(row.verdict).toBe(verdict);
  });

  it("a classic profile beside Front Door is not judged, nor read below", async () => {
    const classic = profile("assets", "Standard_Microsoft");
    const route = below("afdEndpoints/e1/routes/r1", {
      ...{ supportedProtocols: both, httpsRedirect: "Enabled", forwardingProtocol: "HttpsOnly" },
      ...{ ruleSets: [], customDomains: [], linkToDefaultDomain: "Enabled" },
    });
    const waf = `${scope}/providers/Microsoft.Network/FrontDoorWebApplicationFirewallPolicies/w`;
    const guard = { domains: [{ id: endpoint["id"] }], patternsToMatch: ["/*"] };
    const documents = [
      ...[frontDoor, classic, endpoint, domain, group, origin, route],
      below("securityPolicies/s1", {
        parameters: { wafPolicy: { id: waf }, associations: [guard] },
      }),
      resource("Microsoft.Network/FrontDoorWebApplicationFirewallPolicies", "w", {
        policySettings: { enabledState: "Enabled", mode: "Prevention" },
      }),
    ];
    const { read } = readerOf(documents, { refused: /\/profiles\/assets\// });
    expect((await rowOn("front-door-tls", { read })).verdict).toBe("proven");
    expect((await rowOn("front-door-waf", { read })).verdict).toBe("proven");
    const alone = await rowOf("front-door-waf", classic);
    expect(alone).toMatchObject({
      verdict: "notVerifiable",
      evidence: "no Front Door in the scopes that were read",
    });
  });
});
