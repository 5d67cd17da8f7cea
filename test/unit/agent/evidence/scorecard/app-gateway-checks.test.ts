// The TLS of an Application Gateway, in the forms of Microsoft's examples.

import { describe, expect, it } from "vitest";
import type { Resource } from "#agent/evidence/scorecard/estate.ts";
import { resource, rowOf, scope } from "../../../kit/scorecard-kit.ts";

const gatewayId = `${scope}/providers/Microsoft.Network/applicationGateways/appgw`;
const part = (list: string, name: string, properties: object) => {
  return { name, id: `${gatewayId}/${list}/${name}`, properties };
};
const ref = ({ id }: { readonly id: string }) => ({ id: id.toUpperCase() });
const secure = part("httpListeners", "secure", { protocol: "Https" });
const plain = part("httpListeners", "plain", { protocol: "Http" });
const backend = part("backendHttpSettingsCollection", "bhs", { protocol: "Https", port: 443 });

function appGateway(more: object): Resource {
  return resource("Microsoft.Network/applicationGateways", "appgw", {
    ...{ provisioningState: "Succeeded", operationalState: "Running" },
    sku: { name: "WAF_v2", tier: "WAF_v2", capacity: 3 },
    httpListeners: [secure],
    backendHttpSettingsCollection: [backend],
    defaultPredefinedSslPolicy: "AppGwSslPolicy20220101",
    ...more,
  });
}

const tls = (more: object) => rowOf("app-gateway-tls", appGateway(more));

describe("the TLS policy of an Application Gateway that sets none", () => {
  it.each([
    ["AppGwSslPolicy20220101", undefined, "proven", "appgw has TLS end to end"],
    ["AppGwSslPolicy20150501", undefined, "failed", "appgw takes TLS older than 1.2"],
    [undefined, undefined, "notVerifiable", "appgw does not report its TLS policy"],
    ["AppGwSslPolicy20220101", "AppGwSslPolicy20150501", "failed", "takes TLS older than 1.2"],
    ["AppGwSslPolicy20150501", "AppGwSslPolicy20220101S", "proven", "has TLS end to end"],
  ])("a gateway with the default %s and the policy %s is %s", async (byDefault, own, ...says) => {
    const sslPolicy = own === undefined ? undefined : { policyType: "Predefined", policyName: own };
    const row = await tls({ defaultPredefinedSslPolicy: byDefault, sslPolicy });
    expect([row.verdict, row.evidence]).toEqual([says[0], expect.stringContaining(says[1] ?? "")]);
  });
});

describe("a listener on port 80", () => {
  const toSecure = part("redirectConfigurations", "r", { targetListener: ref(secure) });
  const toPlain = part("redirectConfigurations", "r", { targetListener: ref(plain) });
  const basic = part("requestRoutingRules", "b", {
    ruleType: "Basic",
    httpListener: ref(plain),
    redirectConfiguration: ref(toSecure),
  });
  const paths = (byDefault: object, ...rules: readonly object[]) => ({
    requestRoutingRules: [
      part("requestRoutingRules", "p", {
        ...{ ruleType: "PathBasedRouting", httpListener: ref(plain) },
        urlPathMap: ref(part("urlPathMaps", "m", {})),
      }),
    ],
    urlPathMaps: [
      part("urlPathMaps", "m", {
        ...byDefault,
        pathRules: rules.map((properties) => part("pathRules", "x", properties)),
      }),
    ],
    redirectConfigurations: [toSecure],
  });
  const toIt = { redirectConfiguration: ref(toSecure) };
  const pool = { backendAddressPool: { id: "/x" } };
  const byDefault = { defaultRedirectConfiguration: ref(toSecure) };
  const listeners = { httpListeners: [secure, plain] };
  const redirects = (url: string) => [
    part("redirectConfigurations", "r", { redirectType: "Permanent", targetUrl: url }),
  ];
  const rules = { requestRoutingRules: [basic] };

  it.each([
    ["redirects to HTTPS", "proven", { ...rules, redirectConfigurations: [toSecure] }],
    ["redirects to itself", "failed", { ...rules, redirectConfigurations: [toPlain] }],
    ["has an https URL", "proven", { ...rules, redirectConfigurations: redirects("https://a/") }],
    ["has an http URL", "failed", { ...rules, redirectConfigurations: redirects("http://a/") }],
    ["has a redirect that is not shown", "failed", rules],
    ["has no rule", "failed", {}],
    ["redirects each path", "proven", paths(byDefault, toIt)],
    ["serves what matches no path", "failed", paths({}, toIt)],
    ["serves one path", "failed", paths(byDefault, pool)],
  ])("a listener that %s is %s", async (_name, verdict, more) => {
    expect((await tls({ ...listeners, ...more })).verdict).toBe(verdict);
  });
});

describe("listeners and backends of other protocols", () => {
  const layer4 = (protocol: string) => ({
    httpListeners: [],
    backendHttpSettingsCollection: [],
    listeners: [part("listeners", "l", { protocol })],
    backendSettingsCollection: [part("backendSettingsCollection", "s", { protocol })],
  });

  it.each([
    ["Tls", "proven", "appgw has TLS end to end"],
    ["Tcp", "notVerifiable", "appgw passes on Tcp"],
  ])("a gateway of layer 4 with %s is %s", async (protocol, verdict, says) => {
    const row = await tls(layer4(protocol));
    expect(row).toMatchObject({ verdict, evidence: expect.stringContaining(says) });
  });

  it("a gateway without listeners is not verifiable; one with HTTP backends fails", async () => {
    expect((await tls({ httpListeners: [] })).verdict).toBe("notVerifiable");
    const http = part("backendHttpSettingsCollection", "bhs", { protocol: "Http", port: 80 });
    expect(await tls({ backendHttpSettingsCollection: [backend, http] })).toMatchObject({
      verdict: "failed",
      evidence: expect.stringContaining("appgw speaks plain HTTP to its backends"),
    });
  });
});
