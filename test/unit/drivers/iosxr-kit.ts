// A configuration and answers of a router with IOS XR, in its layout, with invented names.

import { type ConfigTexts, readConfig, type XrConfig } from "#drivers/iosxr/config.ts";
import { iosxr } from "#drivers/iosxr/iosxr.ts";
import type { Surroundings } from "#drivers/iosxr/plan.ts";
import type { DeviceChange } from "#hal/device.ts";
import { caksOf, cknOf, wall } from "./junos-kit.ts";

export const port = (index: number): string => `HundredGigE0/0/0/${index}`;

const attached = (n: number, line: string): string =>
  `interface ${port(n)}\n macsec psk-keychain ${line}\n!\n`;

const key = (n: number, life: string): string =>
  `  key ${cknOf(n).toUpperCase()}\n   lifetime ${life}\n  !\n`;

/** Port 0: nothing. 1: a key. 2: two keys. 3 and 4 share. 5, 6, 7: not understood. */
export const texts: ConfigTexts = {
  interfaces:
    `interface MgmtEth0/RP0/CPU0/0\n ipv4 address 192.0.2.1 255.255.255.0\n!\n` +
    `interface ${port(0)}\n description towards macsec\n!\n` +
    `interface ${port(0)}.100\n ipv4 address 198.51.100.1 255.255.255.252\n!\n` +
    `interface ${port(1)}\n ipv6 address 2001:db8::1/64\n shutdown\n` +
    ` macsec psk-keychain ls-Hu0-0-0-1-a policy ls-Hu0-0-0-1\n!\n` +
    attached(2, "ls-Hu0-0-0-2-a fallback-psk-keychain ls-Hu0-0-0-2-b policy HAND") +
    attached(3, "SHARED policy P3") +
    attached(4, "SHARED policy P4") +
    attached(5, "NOWHERE policy HAND5") +
    attached(6, "LOCAL policy HAND6") +
    attached(7, "NEW7"),
  policies:
    "macsec-policy ls-Hu0-0-0-1\n cipher-suite GCM-AES-XPN-256\n window-size 64\n" +
    " security-policy must-secure\n key-server-priority 20\n!\n" +
    "macsec-policy HAND\n cipher-suite GCM-AES-128\n conf-offset CONF-OFFSET-30\n" +
    " sak-rekey-interval seconds 600\n!\n" +
    ["P3", "P4", "HAND5", "HAND6"].map((name) => `macsec-policy ${name}\n!\n`).join(""),
  chains:
    `key chain ls-Hu0-0-0-1-a\n timezone gmt\n macsec\n` +
    `${key(1, "00:00:00 january 01 2026 infinite")} !\n!\n` +
    `key chain ls-Hu0-0-0-2-a\n timezone gmt\n macsec\n` +
    `${key(2, "00:00:00 january 01 2026 infinite")} !\n!\n` +
    `key chain ls-Hu0-0-0-2-b\n timezone gmt\n macsec\n` +
    `${key(3, "18:00:30 november 25 2026 duration 86400")} !\n!\n` +
    `key chain SHARED\n timezone gmt\n macsec\n !\n!\n` +
    `key chain LOCAL\n macsec\n${key(6, "00:00:00 january 01 2026 infinite")} !\n!\n` +
    `key chain bgp\n key 1\n  accept-lifetime 00:00:00 january 01 2026 infinite\n !\n!\n`,
  bgp:
    "router bgp 64512\n address-family ipv4 unicast\n !\n neighbor 198.51.100.2\n" +
    "  remote-as 12076\n !\n neighbor 2001:db8::2\n  remote-as 12076\n  shutdown\n" +
    "  graceful-maintenance\n   local-preference 10\n  !\n !\n!\n",
};

export function configOf(over: Partial<ConfigTexts> = {}, isUtc = false): XrConfig {
  const config = readConfig({ ...texts, ...over }, isUtc);
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
    work: { device: "edge-a", note: "linkseal 0", capabilities: iosxr.offers, change, secrets },
    begins: wall,
    ports: new Set(Array.from({ length: 9 }, (_, index) => port(index))),
    principal: () => undefined,
    ...over,
  };
}

/** One page: live peers and words as they are given, everything else as usual. */
export function page(over: Readonly<Record<string, string>> = {}, live = 1): string {
  const fields = {
    Status: "Secured - Secured MKA Session with MACsec",
    "Interface Name": "Hu0/0/0/1",
    "CAK Name (CKN)": cknOf(1).toUpperCase(),
    "CA Authentication Mode": "PRIMARY-PSK",
    "Key Server": "YES",
    "Latest SAK Status": "Rx & Tx",
    "Latest SAK AN": "1",
    "Latest SAK KI (KN)": "A880BB45B9CE01584535F23900000002 (2)",
    "Old SAK Status": "FIRST-SAK",
    "Old SAK AN": "0",
    "Old SAK KI (KN)": "FIRST-SAK (0)",
    "Key Server Priority": "20",
    "SAK Cipher Suite": "0080C20001000004 (GCM-AES-XPN-256)",
    "# of MACsec Capable Live Peers": String(live),
    "# of MACsec Capable Live Peers Responded": String(live),
    ...over,
  };
  const rows = Array.from(
    { length: live },
    () => "4E33A276E7F79C04D80FE346   9  0600.1/0001  1  8",
  );
  return [
    "MKA Detailed Status for MKA Session",
    "===================================",
    ...Object.entries(fields).map(([label, value]) => `${label.padEnd(40)}: ${value}`),
    "",
    "Live Peer List:",
    "-----",
    "   MI      MN    Rx-SCI (Peer)   SSCI  KS-Priority",
    ...rows,
    "",
    "Potential Peer List:",
    "-----",
  ].join("\n");
}
