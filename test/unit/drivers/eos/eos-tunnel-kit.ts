// Tunnels of an EOS router, in its layout, with invented names.

import { type EosConfig, readConfig } from "#drivers/eos/config.ts";
import { tunnel } from "../tunnel-kit.ts";
import { commands } from "./eos-kit.ts";

export const ike = { ...tunnel.ike, encryption: "aes-256-cbc", integrity: "sha384" };

const tunnelLines = {
  "ip security": {
    "ike policy hub-1": {
      "ike-lifetime 8 hours": null,
      "encryption aes256": null,
      "integrity sha384": null,
      "dh-group 20": null,
      "local-id 198.51.100.1": null,
    },
    "sa policy hub-1": {
      "esp encryption aes256gcm128": null,
      "esp integrity null": null,
      "sa lifetime 450 minutes": null,
      "sa lifetime 100000 megabytes": null,
      "pfs dh-group 20": null,
    },
    "profile hub-1": {
      "ike-policy hub-1": null,
      "sa-policy hub-1": null,
      "connection start": null,
      "shared-key 7 047F0E021A70": null,
      "dpd 15 45 restart": null,
      "mode tunnel": null,
    },
    "profile BRANCH": { "ike-policy OLD": null, "shared-key Quiet": null },
  },
  "interface Loopback0": { "ip address 198.51.100.1/32": null },
  "interface Loopback9": { "vrf OTHER": null, "ip address 198.51.100.9/32": null },
  "interface Tunnel3": {
    "description psk hub-1-psk/0f1e2d3c4b5a69780f1e2d3c4b5a6978": null,
    "mtu 1400": null,
    "ip address unnumbered Loopback0": null,
    "tunnel mode ipsec": null,
    "tunnel source 198.51.100.1": null,
    "tunnel destination 203.0.113.1": null,
    "tunnel ipsec profile hub-1": null,
  },
  "interface Tunnel7": {
    "tunnel mode ipsec": null,
    "tunnel source 198.51.100.1": null,
    "tunnel destination 192.0.2.9": null,
    "tunnel ipsec profile BRANCH": null,
  },
  "ip route 10.100.0.0/16 Tunnel3": null,
  "ip route 0.0.0.0/0 192.0.2.254": null,
};

export const tunnelText = (from = "", to = ""): string =>
  JSON.stringify({ cmds: commands(tunnelLines) }).replaceAll(from === "" ? "\u0000" : from, to);

export const bareText = JSON.stringify({
  cmds: commands({ "interface Loopback0": { "ip address 198.51.100.1/32": null } }),
});

export function tunnelConfig(text = tunnelText()): EosConfig {
  const config = readConfig(text);
  if (config === undefined) throw new Error("no configuration");
  return config;
}

const sa = (way: "Inbound" | "Outbound", spi: string, packets: number, made: string): string =>
  `  ${way} SPI: ${spi}:
    Request ID: 3, Mode: tunnel, Replay window size: 16384, Seq: 0x0
    Lifetime current:
      Current bytes: 900
      Current packets: ${packets}
      SA add time: ${made}
`;

export const connectionText = (state: string, isWhole = true): string => `Tunnel3:
  Source address: 198.51.100.1, Destination address: 203.0.113.1
  State: policyBasedTunnel
  Uptime: N/A
Tunnel3:
  Source address: 198.51.100.1, Destination address: 203.0.113.1
  State: ${state}
  VRF: default
${sa("Inbound", "0xcb256c", 6, "Tue Mar 19 11:11:37 2024")}${sa(
  "Inbound",
  isWhole ? "0xcb256d" : "0xZZ",
  1,
  "Tue Mar 19 12:11:37 2024",
)}${sa("Outbound", "0xc056b26f", 9, "Tue Mar 19 12:11:37 2024")}path1:
  Source address: 172.16.2.0, Destination address: 172.16.2.2
  State: established
`;

export const routesText = JSON.stringify({
  vrfs: {
    default: {
      routes: {
        "10.100.0.0/16": { routeType: "static", vias: [{ interface: "Tunnel3" }] },
        "0.0.0.0/0": { vias: [{ nexthopAddr: "192.0.2.254", interface: "Management1" }] },
      },
    },
  },
});
