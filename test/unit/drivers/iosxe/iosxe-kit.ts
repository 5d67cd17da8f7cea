// A configuration and answers of a router with IOS XE, in its layout, with invented names.

import { type ConfigTexts, readConfig, type XeConfig } from "#drivers/iosxe/config.ts";
import { iosxe } from "#drivers/iosxe/iosxe.ts";
import type { Surroundings } from "#drivers/iosxe/plan.ts";
import type { DeviceChange } from "#hal/device.ts";
import { caksOf, cknOf } from "../junos-kit.ts";

export const port = (index: number): string => `TenGigabitEthernet0/0/${index}`;

const secured = (n: number, chains: string, policy: string): string =>
  `interface ${port(n)}\n mka policy ${policy}\n` +
  ` mka pre-shared-key key-chain ${chains}\n macsec\n!\n`;

const key = (n: number, life = ""): string =>
  ` key ${cknOf(n).toUpperCase()}\n${life === "" ? "" : `  lifetime local ${life}\n`}`;

/** Port 0: nothing. 1: a key. 2: two keys. 3 and 4 share. 5 to 8: not understood. */
export const parts = {
  interfaces:
    `interface GigabitEthernet0\n vrf forwarding Mgmt-intf\n` +
    ` ip address 192.0.2.1 255.255.255.0\n!\n` +
    `interface ${port(0)}\n!\n` +
    `interface ${port(0)}.100\n ip address 198.51.100.1 255.255.255.252\n!\n` +
    `interface ${port(1)}\n ipv6 address 2001:db8::1/64\n shutdown\n mka policy ls-Te0-0-1\n` +
    ` mka pre-shared-key key-chain ls-Te0-0-1-a\n macsec\n!\n` +
    `interface ${port(2)}\n vrf forwarding AZURE\n ip address 203.0.113.1 255.255.255.252\n` +
    ` mka policy HAND\n macsec access-control should-secure\n macsec disable-sci\n` +
    ` macsec replay-protection window-size 128\n macsec\n` +
    ` mka pre-shared-key key-chain ls-Te0-0-2-a fallback-key-chain ls-Te0-0-2-b\n!\n` +
    secured(3, "SHARED", "P3") +
    secured(4, "SHARED", "P4") +
    secured(5, "NOWHERE", "P5") +
    secured(6, "LOCAL", "P6") +
    secured(7, "ls-Te0-0-7-a", "TWO") +
    `interface ${port(8)}\n mka default-policy\n macsec\n!\n` +
    // Lines of a router's own block, whose head was not let through.
    ` shutdown\n!\n`,
  policies:
    "mka policy ls-Te0-0-1\n key-server priority 20\n macsec-cipher-suite gcm-aes-xpn-256\n" +
    " ssci-based-on-sci\n" +
    "mka policy HAND\n macsec-cipher-suite gcm-aes-128\n confidentiality-offset 30\n" +
    " sak-rekey interval 600\n" +
    "mka policy TWO\n macsec-cipher-suite gcm-aes-128 gcm-aes-256\n" +
    ["P3", "P4", "P5", "P6"]
      .map((name) => `mka policy ${name}\n macsec-cipher-suite gcm-aes-256\n`)
      .join(""),
  chains:
    `key chain ls-Te0-0-1-a macsec\n${key(1)}!\n` +
    `key chain ls-Te0-0-2-a macsec\n${key(2)}` +
    `key chain ls-Te0-0-2-b macsec\n${key(3, "18:00:30 Nov 25 2026 duration 86400")}!\n` +
    `key chain ls-Te0-0-7-a macsec\n${key(7)}!\n` +
    `key chain SHARED macsec\n!\n` +
    `key chain LOCAL macsec\n${key(6, "00:00:00 Jan 1 2026 infinite")}!\n` +
    ` key deadbeef\n!\n`,
  bgp:
    "router bgp 64512\n neighbor 198.51.100.2 remote-as 12076\n" +
    " neighbor 2001:db8::2 remote-as 12076\n neighbor 2001:db8::2 shutdown\n" +
    " address-family ipv4\n  neighbor 198.51.100.2 activate\n" +
    " address-family ipv6\n  neighbor 2001:db8::2 activate\n" +
    "  neighbor 2001:db8::2 route-map OPS out\n" +
    " address-family ipv4 vrf AZURE\n  neighbor 203.0.113.2 remote-as 12076\n" +
    "  neighbor 203.0.113.2 activate\n!\n",
};

export function textsOf(over: Partial<typeof parts> = {}): ConfigTexts {
  const { interfaces, policies, chains, bgp } = { ...parts, ...over };
  return { macsec: interfaces + policies + chains, bgp };
}

export function configOf(over: Partial<typeof parts> = {}, isUtc = true): XeConfig {
  const config = readConfig(textsOf(over), isUtc);
  if (config === undefined) throw new RangeError("no configuration");
  return config;
}

export function surroundings(
  change: DeviceChange,
  over: Partial<Surroundings> = {},
  octets = 32,
): Surroundings {
  const secrets = caksOf(change, octets);
  return {
    config: configOf(),
    work: { device: "edge-a", note: "linkseal 0", capabilities: iosxe.offers, change, secrets },
    ports: new Set(Array.from({ length: 10 }, (_, index) => port(index))),
    principal: () => undefined,
    begins: undefined,
    routeMaps: new Map(),
    ...over,
  };
}

/** One page: live peers and words as they are given, everything else as usual. */
export function page(over: Readonly<Record<string, string>> = {}, live = 1): string {
  const fields = {
    "Interface Name": port(1),
    "CAK Name (CKN)": cknOf(1).toUpperCase(),
    "Key Server": "YES",
    "Latest SAK Status": "Rx & Tx",
    "Latest SAK AN": "1",
    "Latest SAK KI (KN)": "A880BB45B9CE01584535F23900000002 (2)",
    "Old SAK Status": "No Rx, No Tx",
    "Old SAK AN": "0",
    "Old SAK KI (KN)": "RETIRED (1)",
    "Key Server Priority": "20",
    "SAK Cipher Suite": "0080C20001000004 (GCM-AES-XPN-256)",
    "# of MACsec Capable Live Peers": String(live),
    "# of MACsec Capable Live Peers Responded": String(live),
    ...over,
  };
  const { Status = "SECURED - Secured MKA Session with MACsec", ...others } = fields as Readonly<
    Record<string, string>
  >;
  const rows = Array.from(
    { length: live },
    () => "  4E33A276E7F79C04D80FE346  9    0600.0000.0001/0001  10        YES            0",
  );
  return [
    "MKA Detailed Status for MKA Session",
    "===================================",
    `Status: ${Status}`,
    "",
    ...Object.entries(others).map(([label, value]) => `${label.padEnd(23, ".")}.. ${value}`),
    "",
    "Live Peers List:",
    "  MI                        MN          Rx-SCI (Peer)        KS        RxSA          SSCI",
    ...rows,
    "",
    "Potential Peers List:",
  ].join("\n");
}
