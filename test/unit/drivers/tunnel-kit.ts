// A tunnel that a config may want of a router, and the secret that it brings.

import type { Capabilities, DeviceChange, PortChange } from "#hal/device.ts";
import { Secret } from "#hal/secret.ts";
import type { TunnelSpec } from "#hal/tunnel-spec.ts";

const pskId = "https://kv.example.net/secrets/hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978";
export const pskText = "Quiet?Gate&<7>Lamps";

/** The policy `strong`, to a gateway of Azure's. */
export const tunnel: TunnelSpec = {
  name: "hub-1",
  localAddress: "198.51.100.1",
  remoteAddress: "203.0.113.1",
  localPrefixes: ["10.1.0.0/16"],
  remotePrefixes: ["10.100.0.0/16"],
  ike: { encryption: "aes-256-gcm", integrity: "none", prf: "sha384", dhGroup: "ecp-384" },
  transforms: { encryption: "aes-256-gcm", integrity: "none", dhGroup: "ecp-384" },
  life: { seconds: 27_000, kilobytes: 102_400_000 },
  mtu: 1400,
  ifId: 42,
  auth: { kind: "psk", secretId: pskId },
};

export const put = (over: Partial<TunnelSpec> = {}): PortChange => ({
  kind: "ipsec.putTunnel",
  tunnel: { ...tunnel, ...over },
});

export const take = (name = "hub-1"): PortChange => ({ kind: "ipsec.removeTunnel", name });

export function workOf(change: DeviceChange, capabilities: Capabilities, psk = pskText) {
  const secret = Secret.take("psk", new TextEncoder().encode(psk));
  const secrets = new Map([[pskId, secret]]);
  return { device: "edge-a", note: "linkseal 0", capabilities, change, secrets };
}
