// A configuration and answers of an EOS router, in its layout, with invented names.

import { type EosConfig, readConfig } from "#drivers/eos/config.ts";
import { eos } from "#drivers/eos/eos.ts";
import type { Surroundings } from "#drivers/eos/plan.ts";
import type { DeviceChange } from "#hal/device.ts";
import { Secret } from "#hal/secret.ts";
import { cknOf } from "../junos-kit.ts";

type Lines = { readonly [text: string]: Lines | null };

/** As `| json` prints a configuration. */
export function commands(lines: Lines): object {
  return Object.fromEntries(
    Object.entries(lines).map(([text, inside]) => [
      text,
      inside === null ? null : { comments: [], cmds: commands(inside) },
    ]),
  );
}

/**
 * Port 1: nothing. 2: a key and a fallback. 3: should-secure by hand. 4 and 5 share a profile. 6: a
 * profile with keys of another kind. 7: shut, and drained.
 */
export const configLines = {
  "hostname edge-a": null,
  "mac security": {
    "license EXAMPLE 0 hidden": null,
    "profile TWO": {
      "cipher aes256-gcm-xpn": null,
      [`key ${cknOf(1)} 7 <removed>`]: null,
      [`key ${cknOf(2)} 7 <removed> fallback`]: null,
      "mka key-server priority 20": null,
      "mka session rekey-period 1800": null,
      "key retirement immediate": null,
      sci: null,
      "replay protection window 64": null,
    },
    "profile BY-HAND": {
      [`key ${cknOf(9)} 7 <removed>`]: null,
      "traffic unprotected allow active-sak": null,
      "replay protection disabled": null,
    },
    "profile SHARED": { "cipher aes128-gcm": null },
    "profile CHAIN": {
      "cipher aes256-gcm": null,
      "key source shared-secret profile LATER": null,
    },
  },
  "interface Ethernet1": { "no switchport": null, "ip address 192.0.2.1/30": null },
  "interface Ethernet2": {
    "mac security profile TWO": null,
    "ipv6 address 2001:db8::1/126": null,
  },
  "interface Ethernet3": { "mac security profile BY-HAND": null },
  "interface Ethernet4": { "mac security profile SHARED": null },
  "interface Ethernet5": { "mac security profile SHARED": null },
  "interface Ethernet6": { "mac security profile CHAIN": null },
  "interface Ethernet7": { shutdown: null },
  "interface Ethernet7.100": { "vrf BLUE": null, "ip address 192.0.2.9/30": null },
  "route-map own permit 10": null,
  "route-map linkseal-drain-out-192.0.2.10 permit 10": {
    "sub-route-map own": null,
    "set as-path prepend 64512 64512 64512": null,
  },
  "router bgp 64512": {
    "neighbor AZURE peer group": null,
    "neighbor AZURE route-map from-azure in": null,
    "neighbor AZURE route-map to-azure out": null,
    "neighbor 192.0.2.2 peer group AZURE": null,
    "neighbor 192.0.2.2 password 7 <removed>": null,
    "neighbor 2001:db8::2 remote-as 12076": null,
    "neighbor 2001:db8::2 shutdown": null,
    "neighbor 198.51.100.9 remote-as 65000": null,
    "vrf BLUE": {
      "neighbor 192.0.2.10 remote-as 12076": null,
      "neighbor 192.0.2.10 route-map linkseal-drain-out-192.0.2.10 out": null,
      "neighbor 192.0.2.10 route-map linkseal-drain-in-192.0.2.10 in": null,
    },
  },
} as const satisfies Lines;

export const configText = JSON.stringify({ header: ["! x\n"], cmds: commands(configLines) });

export function configOf(text = configText): EosConfig {
  const config = readConfig(text);
  if (config === undefined) throw new Error("no configuration");
  return config;
}

export function surroundings(change: DeviceChange, over: Partial<Surroundings> = {}): Surroundings {
  const secrets = new Map(
    [1, 2, 3].map((n) => [`cak-${n}`, Secret.take("cak", new Uint8Array(32).fill(n))]),
  );
  const work = { device: "edge-a", note: "linkseal 0", capabilities: eos.offers, change, secrets };
  return {
    config: configOf(),
    work,
    ports: new Set([1, 2, 3, 4, 5, 6, 7].map((n) => `Ethernet${n}`)),
    principal: () => undefined,
    ...over,
  };
}

export const security = (over: object = {}, details: object = {}): string =>
  JSON.stringify({
    interfaces: {
      Ethernet2: {
        address: "02:00:00:00:00:02",
        portId: 502,
        controlledPort: true,
        keyNum: 7,
        keyMsgId: "a".repeat(24),
        details: {
          keyServerPriority: 20,
          traffic: "Protected",
          latestKeyMsgId: "a".repeat(24),
          latestKeyMsgNum: 7,
          latestKeyReceiving: true,
          latestKeyTransmitting: true,
          oldKeyMsgId: "",
          oldKeyMsgNum: 0,
          oldKeyReceiving: false,
          oldKeyTransmitting: false,
          ...details,
        },
        ...over,
      },
      "Port-Channel1": {},
    },
  });

export const actor = (live: readonly string[], isPrincipal: boolean): object => ({
  success: live.length > 0,
  principalActor: isPrincipal,
  defaultActor: !isPrincipal,
  electedSelf: false,
  details: { livePeerList: live, potentialPeerList: [], sakTransmit: isPrincipal },
});

export const participants = (first: object, second: object): string =>
  JSON.stringify({
    interfaces: { Ethernet2: { participants: { [cknOf(1)]: first, [cknOf(2)]: second } } },
  });
