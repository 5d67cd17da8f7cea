// The document of an Application Gateway.

import type { JsonObject } from "./http.ts";

/** The parts of a gateway that an audit judges. */
interface GatewayParts {
  readonly hasTls: boolean;
  readonly hasFirewall: boolean;
}

/** Returns a gateway whose listener on port 80 only redirects to the other one. */
export function applicationGateway(
  group: string,
  { hasTls, hasFirewall }: GatewayParts,
): JsonObject {
  const network = `${group}/providers/Microsoft.Network`;
  const id = `${network}/applicationGateways/app`;
  const firewall = `${network}/ApplicationGatewayWebApplicationFirewallPolicies/app`;
  const part = (list: string, name: string, properties: JsonObject): JsonObject => {
    return { name, id: `${id}/${list}/${name}`, properties };
  };
  const secure = part("httpListeners", "secure", { protocol: hasTls ? "Https" : "Http" });
  const plain = part("httpListeners", "plain", { protocol: "Http" });
  const redirect = part("redirectConfigurations", "secure", {
    redirectType: "Permanent",
    targetListener: { id: secure["id"] },
  });
  return {
    ...{ id, name: "app", type: "Microsoft.Network/applicationGateways", location: "westus" },
    properties: {
      httpListeners: [secure, plain],
      redirectConfigurations: [redirect],
      requestRoutingRules: [
        part("requestRoutingRules", "plain", {
          ruleType: "Basic",
          httpListener: { id: plain["id"] },
          redirectConfiguration: { id: redirect["id"] },
        }),
      ],
      backendHttpSettingsCollection: [{ properties: { protocol: "Https", port: 443 } }],
      ...(hasTls
        ? { defaultPredefinedSslPolicy: "AppGwSslPolicy20220101" }
        : { sslPolicy: { policyType: "Custom", minProtocolVersion: "TLSv1_0" } }),
      ...(hasFirewall ? { firewallPolicy: { id: firewall } } : {}),
    },
  };
}
