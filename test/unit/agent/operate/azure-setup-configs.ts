// Three sites as operators have them: Azure Arc with a far end that a person changes; a virtual
// machine whose agent changes far end and gateway; a certificate in Azure US Government behind
// private endpoints.

import { parseConfig } from "#agent/config/index.ts";
import type { Desired } from "#agent/model/desired.ts";

const subscription = "11111111-2222-3333-4444-555555555555";
const provider = (group: string): string =>
  `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Network`;

export const portOf = (name: string): string => `${provider("net")}/expressRoutePorts/${name}`;
export const lagOf = (name: string): string => `${provider("lags")}/expressRouteLags/${name}`;
const connection = `${provider("vpn")}/connections/hub-1`;
export const groupId = (group: string): string =>
  `/subscriptions/${subscription}/resourceGroups/${group}`;

const links = (name: string, router: string): string => `
    drain: prepend
    links:
      - name: primary
        device: edge-a
        port: ${router}
        azureLink: link1
        speed: 100G
        macsec: { suite: gcm-aes-xpn-256 }
        key: { cak: ${name}-1-cak, ckn: ${name}-1-ckn }
      - name: secondary
        device: edge-b
        port: ${router}
        azureLink: link2
        speed: 100G
        macsec: { suite: gcm-aes-xpn-256 }
        key: { cak: ${name}-2-cak, ckn: ${name}-2-ckn }
`;

const device = (name: string, address: string): string => `
  - name: ${name}
    driver: junos
    address: ${address}
    ssh:
      user: linkseal
      key: credential:${name}
      hostKey: "SHA256:${name.slice(-1).repeat(43)}"`;

const site = (azure: string, groups: string, tunnels = ""): string => `
version: 1
site: dublin
azure:
${azure}
devices:${device("edge-a", "192.0.2.1")}${device("edge-b", "192.0.2.2")}
groups:
${groups}${tunnels}`;

const group = (name: string, port = portOf(name), router = "et-0/0/0"): string =>
  `  - name: ${name}\n    expressRoutePort: ${port}${links(name, router)}`;

export const arcText = site(
  `  cloud: public
  vault: https://kv-erd-dub.vault.azure.net
  identity: { kind: arc }
  farEnd: manual`,
  group("erd-dub"),
);

export const machineText = site(
  `  cloud: public
  vault: https://kv-erd-dub.vault.azure.net
  identity: { kind: managedIdentity, source: imds }
  farEnd: agent
  scopes: [${groupId("hub")}]`,
  `${group("erd-dub")}${group("erd-cork", lagOf("erd-cork"), "et-0/0/1")}`,
  `tunnels:
  - name: hub-1
    device: edge-a
    local: { address: 198.51.100.1 }
    remote: { address: 203.0.113.1, azureConnection: ${connection} }
    protects: { local: [10.1.0.0/16], remote: [10.100.0.0/16] }
    auth: { psk: hub-1-psk, farEnd: agent }
`,
);

export const certificateText = site(
  `  cloud: usgovernment
  vault: https://kv-erd-gov.vault.usgovcloudapi.net
  identity:
    kind: clientCertificate
    tenant: 22222222-2222-3333-4444-555555555555
    client: 33333333-2222-3333-4444-555555555555
    certificate: credential:azure-certificate
  farEnd: agent
  privateEndpoints: [10.20.0.0/24]`,
  group("erd-gov"),
);

/** Returns the config, and fails a test that wrote an invalid one. */
export function desiredOf(text: string): Desired {
  const parsed = parseConfig(text, "site.yaml");
  if (parsed.kind === "ok") return parsed.desired;
  throw new Error(JSON.stringify(parsed.complaints));
}
