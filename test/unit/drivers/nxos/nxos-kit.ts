// Answers of a switch with NX-OS, in its layout, with invented names.

import { readConfig } from "#drivers/nxos/config.ts";

export const port = (index: number): string => `Ethernet1/${index}`;
const release = "version 9.3(6) Bios:version 05.45 \n";

/** Port 1: a key. 2: two keys. 3: not understood. 4: shut. 5: in an aggregate. */
export const texts = {
  macsec:
    `${release}feature bgp\nfeature macsec\n` +
    "macsec policy ls-Eth1-1\n  cipher-suite GCM-AES-XPN-256\n  security-policy must-secure\n" +
    "  key-server-priority 20\n  window-size 64\n  sak-expiry-time 600\n" +
    "tunnel-encryption policy OTHER\n  cipher-suite GCM-AES-XPN-128\n  window-size 1\n" +
    "key chain ls-Eth1-1-a macsec\n  key 0A01\n" +
    "key chain ls-Eth1-2-a macsec\n  key 0A02\n" +
    "key chain ls-Eth1-2-b macsec\n  key 0A03\n" +
    "    send-lifetime 18:00:30 Nov 25 2026 duration 86400\n" +
    "key chain ROUTING\n  key 1\n",
  interfaces:
    `\n${release}interface ${port(1)}\n  no switchport\n` +
    "  macsec keychain ls-Eth1-1-a policy ls-Eth1-1\n  ip address 198.51.100.1/30\n" +
    "  no shutdown\n" +
    `interface ${port(2)}\n  macsec keychain ls-Eth1-2-a policy ls-Eth1-1 ` +
    "fallback-keychain ls-Eth1-2-b\n" +
    `interface ${port(3)}\n  macsec keychain ls-Eth1-3-a\n` +
    `interface ${port(4)}\n  no switchport\n` +
    `interface ${port(5)}\n  no switchport\n  channel-group 7 mode active\n  no shutdown\n` +
    "interface port-channel7\n  no switchport\n  vrf member azure\n" +
    "  ipv6 address 2001:db8::1/64\n  no shutdown\n",
  bgp:
    `\n!Command: show running-config bgp\n!Time: Wed Nov 25 18:00:00 2026\n\n${release}` +
    "feature bgp\n\nrouter bgp 64512\n  address-family ipv4 unicast\n" +
    "  neighbor 198.51.100.2\n    remote-as 12076\n    address-family ipv4 unicast\n" +
    "      route-map linkseal-drain-out-198.51.100.2@OPS out\n" +
    "  vrf azure\n    neighbor 2001:db8::2 remote-as 12076\n      shutdown\n" +
    "      inherit peer AZURE\n      address-family ipv6 unicast\n",
};

export function configOf(over: Partial<typeof texts> = {}, isUtc = true) {
  const config = readConfig({ ...texts, ...over }, isUtc);
  if (config === undefined) throw new RangeError("no configuration");
  return config;
}

const mi = "A1".repeat(12);

/** One session as JSON. */
export const session = (over: object = {}): object => ({
  ifname: port(1),
  status: "SECURED - Secured MKA Session with MACsec",
  ckn: "0A01",
  ...{ ca_auth_mode: "PRIMARY-PSK", ks_prio: "16", keyserver: "No" },
  cipher_operational: "GCM-AES-XPN-256",
  ...{ sak_status: "Rx & TX", sak_an: "1", sak_ki: `${mi}00000003`, sak_kn: "3" },
  peer_count: "1",
  TABLE_mka_peer_status: { ROW_mka_peer_status: { peer_mi: mi, icv_status: "Match" } },
  ...over,
});

export const sessionsOf = (...rows: readonly object[]): string =>
  JSON.stringify({
    TABLE_mka_session_details: {
      ROW_mka_session_details: rows.length === 1 ? rows[0] : rows,
    },
  });

/** The same as the page without JSON prints it, in the layout that was published. */
export const textPage = (over: Readonly<Record<string, string>> = {}): string => {
  const fields = {
    "Session Status": "SECURED - Secured MKA Session with MACsec",
    "Local Tx-SCI": "0200.0000.0001/0001",
    "CAK Name (CKN)": "0A01",
    "CA Authentication Mode": "PRIMARY-PSK",
    "Member Identifier (MI)": "B2".repeat(12),
    "Key Server Priority": "16",
    "Key Server": "No",
    "SAK Cipher Suite": "GCM-AES-XPN-256",
    "SAK Cipher Suite (Operational)": "GCM-AES-XPN-256",
    "Latest SAK Status": "Rx & TX",
    "Latest SAK AN": "1",
    "Latest SAK KI": `${mi}00000003`,
    "Latest SAK KN": "3",
    "CA Peer Count": "1",
    ...over,
  };
  return [
    `Interface Name          : ${over["Interface Name"] ?? port(1)}`,
    ...Object.entries(fields)
      .filter(([label]) => label !== "Interface Name")
      .map(([label, value]) => `    ${label.padEnd(36)}: ${value}`),
    "Peer Status:",
    `    ${"Peer MI".padEnd(36)}: ${mi}`,
    `    ${"RxSCI".padEnd(36)}: 0600.0000.0001/0001`,
    `    ${"Peer CAK".padEnd(36)}: Match`,
    `    ${"Latest Rx MKPDU".padEnd(36)}: 18:00:00 UTC Wed Nov 25 2026`,
    "",
  ].join("\n");
};

export const textHead = "Detailed Status for MKA Session\n-----------------------------------\n\n";
