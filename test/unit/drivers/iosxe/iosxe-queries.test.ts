import { describe, expect, it } from "vitest";
import { command } from "#drivers/iosxe/commands.ts";
import { iosxeReader } from "#drivers/iosxe/queries.ts";
import { preview } from "#hal/secret.ts";
import { cknOf } from "../junos-kit.ts";
import { octets, type SavedCase, tryRows } from "../query-kit.ts";
import { page, parts, port } from "./iosxe-kit.ts";

const textOf = (name: Parameters<typeof command>[0]): string => preview(command(name));

const table = (...rows: readonly string[]): string =>
  ["     Network          Next Hop            Metric LocPrf Weight Path", ...rows].join("\n");

const routes = table(
  " *>   10.3.0.0/16      198.51.100.2             0             0 12076 i",
  " *    10.4.0.0/16      198.51.100.2             0             0 12076 i",
  "",
  "Total number of prefixes 2",
);
const ipv6Routes = table(
  " *>   2001:DB8:7::/48  2001:DB8::2              0             0 12076 i",
  "",
  "Total number of prefixes 1",
);

const interfacePage = [
  `${port(1)} is up, line protocol is up`,
  "  MTU 1600 bytes, BW 10000000 Kbit/sec, DLY 10 usec,",
  "  5 minute input rate 2000 bits/sec, 3 packets/sec",
  "  5 minute output rate 4000 bits/sec, 5 packets/sec",
].join("\n");

const mkaStatistics = [
  "MKA Statistics for Session",
  "MKPDU Statistics",
  "   MKPDUs Validated & Rx...... 40",
  "   MKPDUs Transmitted......... 41",
].join("\n");

const secyStatus = [
  " Capabilities:",
  "  Ciphers Supported:        GCM-AES-128 GCM-AES-256",
  " Transmit SA:",
  "  Next PN:                  77",
  " Receive SC:",
].join("\n");

const counts = [
  ...["Ingress Bad Tag Pkts", "Ingress No SCI Pkts", "Ingress Unknown SCI Pkts"],
  "Egress Too Long Pkts",
].map((label) => `  ${label}:   0`);
const received = [
  ...["In Pkts OK", "In Pkts Invalid", "In Pkts Not Valid", "In Pkts Not using SA"],
  ...["In Pkts Unused SA", "In Pkts Late"],
].map((label) => `  ${label}:   3`);
const secyStatistics = [
  ...counts,
  " Transmit SC Counters (SCI: 0200000000000001)",
  "  Out Pkts Protected:   0",
  "  Out Pkts Encrypted:   9",
  " Receive SA Counters (SCI: 0600000000010001  AN 1)",
  ...received,
].join("\n");

const flow = [
  "interface: Tunnel7",
  "   local  ident (addr/mask/prot/port): (0.0.0.0/0.0.0.0/0/0)",
  "    #pkts encaps: 12, #pkts encrypt: 12, #pkts digest: 12",
  "    #pkts decaps: 11, #pkts decrypt: 11, #pkts verify: 11",
  "     PFS (Y/N): Y, DH group: group20",
  "     current outbound spi: 0x20(32)",
  "     inbound esp sas:",
  "      spi: 0x1F(31)",
  "        transform: esp-gcm 256 ,",
  "        sa timing: remaining key lifetime (k/sec): (4259661/900)",
  "        replay detection support: Y",
  "        Status: ACTIVE(ACTIVE)",
  "     outbound esp sas:",
  "     outbound ah sas:",
].join("\n");

const cases: readonly SavedCase[] = [
  {
    query: "show clock",
    reply: "18:00:00.250 UTC Wed Nov 25 2026",
    shows: { time: "2026-11-25T18:00:00.250Z" },
  },
  {
    query: "show clock",
    reply: "18:00:00.250 EST Wed Nov 25 2026",
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: "show version",
    reply:
      "Cisco IOS XE Software, Version 17.12.01a\n" +
      "System restarted at 10:00:00 UTC Mon Nov 2 2026\n" +
      "cisco C8500-12X4QC (1RU) processor",
    shows: { version: "17.12.1", restartedAt: "10:00:00 UTC Mon Nov 2 2026" },
  },
  {
    query: "show version",
    reply: "Cisco IOS XE Software, Version 17.12.01a",
    shows: { version: "17.12.1", restartedAt: null },
    unknown: ["restartedAt: unparsed"],
  },
  {
    query: "show archive",
    reply: "The next archive file will be named bootflash:archive-<timestamp>-1",
    shows: { hasArchive: true },
  },
  {
    query: "show archive",
    reply: "The maximum archive configurations allowed is 10.",
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: "show archive config rollback timer",
    reply: "%No Rollback Confirmed Change pending",
    shows: { timer: "none" },
  },
  {
    query: "show configuration lock",
    reply: "Parser Configure Lock\nState             : LOCKED",
    shows: { isLocked: true },
  },
  {
    query: "show interfaces",
    reply: interfacePage,
    shows: {
      ports: { [port(1)]: { linkUp: true, rate: { rxPps: 3, txBps: 4000, lineBps: 1e10 } } },
    },
  },
  {
    query: "show interfaces",
    reply: interfacePage.replace("5 minute output", "no output"),
    shows: { ports: { [port(1)]: { linkUp: true, rate: null } } },
    unknown: [`ports ${port(1)} rate: unparsed`],
  },
  {
    query: "show mka sessions detail",
    reply: page(),
    shows: { pages: [{ interfaceName: port(1), ckn: cknOf(1), status: "secured", livePeers: 1 }] },
  },
  {
    query: "show mka sessions detail",
    reply: page({ Status: "GLOWING" }),
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: "show mka sessions detail",
    reply: "% Invalid input detected at '^' marker.",
    unknown: ["the whole reply: queryFailed"],
  },
  {
    query: `show mka statistics interface ${port(1)}`,
    reply: mkaStatistics,
    shows: { received: "40", sent: "41" },
  },
  {
    query: `show macsec status interface ${port(1)}`,
    reply: secyStatus,
    shows: { nextPn: "77" },
  },
  {
    query: `show macsec status interface ${port(1)}`,
    reply: secyStatus.replace(/ {2}Next PN: .*\n/, ""),
    shows: { nextPn: null },
    unknown: ["nextPn: unparsed"],
  },
  {
    query: `show macsec statistics interface ${port(1)}`,
    reply: `MACsec Statistics for ${port(2)}\n${secyStatistics}`,
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: `show macsec statistics interface ${port(1)}`,
    reply: `MACsec Statistics for ${port(1)}\n${secyStatistics}`,
    shows: { txProtected: "9", rxOk: "3", rxNotValid: "6" },
  },
  {
    query: `show macsec statistics interface ${port(1)}`,
    reply: secyStatistics.replace("In Pkts Late", "In Pkts Tardy"),
    shows: { txProtected: "9", rxLate: null },
    unknown: ["rxLate: unparsed"],
  },
  {
    query: "show bgp all neighbors",
    reply:
      "For address family: IPv4 Unicast\n" +
      "BGP neighbor is 198.51.100.2,  remote AS 12076, external link\n" +
      "  BGP state = Established, up for 3d04h\n  Last reset never",
    shows: { peers: { " 198.51.100.2": { state: "Established" } } },
  },
  {
    query: "show crypto ikev2 sa",
    reply:
      " IPv4 Crypto IKEv2  SA\n\n" +
      "Tunnel-id Local                 Remote                fvrf/ivrf            Status\n" +
      "1         198.51.100.1/500      203.0.113.1/500       none/none            READY\n\n" +
      " IPv6 Crypto IKEv2  SA",
    shows: { ikeSas: [{ localAddress: "198.51.100.1", isReady: true }] },
  },
  {
    query: "show crypto ipsec sa",
    reply: flow,
    shows: {
      flows: { Tunnel7: { sent: "12", received: "11", sas: [{ spi: 31, direction: "in" }] } },
    },
  },
  {
    query: "show crypto ipsec sa",
    reply: flow.replace("esp-gcm 256", "esp-rot13"),
    shows: { flows: { Tunnel7: { sent: "12", sas: null } } },
    unknown: ["flows Tunnel7 sas: unparsed"],
  },
  {
    query: "show ip route static",
    reply:
      "Gateway of last resort is not set\nS        10.100.0.0/16 is directly connected, Tunnel7",
    shows: { routes: [{ prefix: "10.100.0.0/16", via: { kind: "tunnel", name: "Tunnel7" } }] },
  },
  {
    query: textOf("mark"),
    reply: "event manager environment linkseal_commit a1b2.settled\nend",
    shows: { mark: { token: "a1b2", isSettled: true } },
  },
  { query: textOf("mark"), reply: "end", shows: { mark: null } },
  { query: textOf("mark"), reply: "", unknown: ["the whole reply: unparsed"] },
  {
    query: textOf("accounting"),
    reply: "aaa accounting commands 15 default start-stop group tacacs+\nend",
    shows: { isAccounted: true },
  },
  {
    query: textOf("macsecConfig"),
    reply: `${parts.interfaces}${parts.policies}${parts.chains}end`,
    shows: { interfaces: { [port(1)]: { isShut: true } }, policies: { HAND: {}, TWO: null } },
    unknown: ["policies TWO: unparsed", `interfaces ${port(8)}: unparsed`],
  },
  {
    query: textOf("policies"),
    reply: "mka policy HAND\n delay-protection\n",
    shows: { policies: [{ line: "mka policy HAND", children: [{ line: "delay-protection" }] }] },
  },
  {
    query: textOf("policies"),
    reply: "key chain A macsec",
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: textOf("bgpConfig"),
    reply: `${parts.bgp}end`,
    shows: { localAs: "64512", neighbours: [{ address: "198.51.100.2" }, {}, { vrf: "AZURE" }] },
  },
  {
    query: textOf("tunnelInterfaces"),
    reply: "interface Tunnel7\n tunnel source 198.51.100.1\n!\nend",
    shows: { tunnels: {} },
  },
  {
    query: textOf("ikeConfig"),
    reply: "crypto ikev2 proposal hub-1\n encryption aes-gcm-256\n!\nend",
    shows: { policies: ["hub-1"] },
  },
  {
    query: textOf("ipsecConfig"),
    reply: "crypto ipsec profile hub-1\n set pfs group20\n!\nend",
    shows: { tunnels: {} },
  },
  {
    query: "show ip cef 192.0.2.10",
    reply: `0.0.0.0/0\n  nexthop 192.0.2.254 ${port(1)}`,
    shows: { interfaces: [port(1)] },
  },
  {
    query: "show ip cef vrf AZURE 192.0.2.10",
    reply: `0.0.0.0/0\n  nexthop 192.0.2.254 ${port(2)}`,
    shows: { interfaces: [port(2)] },
  },
  {
    query: "show ipv6 cef 2001:db8::10",
    reply: "::/0\n  no route",
    shows: { interfaces: [] },
  },
  {
    query: "show ipv6 cef vrf AZURE 2001:db8::10",
    reply: "::/0\n  some words",
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: "show bgp ipv4 unicast neighbors 198.51.100.2 routes",
    reply: routes,
    shows: {
      routes: [
        { prefix: "10.3.0.0/16", best: true },
        { prefix: "10.4.0.0/16", best: false },
      ],
    },
  },
  {
    query: "show bgp ipv4 unicast neighbors 198.51.100.2 routes",
    reply: routes.replace("prefixes 2", "prefixes 3"),
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: "show bgp ipv6 unicast neighbors 2001:db8::2 routes",
    reply: ipv6Routes,
    shows: { routes: [{ prefix: "2001:DB8:7::/48", best: true }] },
  },
  {
    query: "show bgp vpnv4 unicast vrf AZURE neighbors 198.51.100.2 routes",
    reply: routes,
    shows: { routes: [{}, {}] },
  },
  {
    query: "show bgp vpnv6 unicast vrf AZURE neighbors 2001:db8::2 routes",
    reply: ipv6Routes,
    shows: { routes: [{}] },
  },
  {
    query: "ping 198.51.100.2 repeat 5 timeout 1",
    reply: "!!!!.\nSuccess rate is 80 percent (4/5), round-trip min/avg/max = 1/1/2 ms",
    shows: { sent: 5, answered: 4 },
  },
  {
    query: "ping vrf AZURE 198.51.100.2 repeat 5 timeout 1",
    reply: "!!!!!\nSuccess rate is 100 percent (5/5)",
    shows: { sent: 5, answered: 5 },
  },
  {
    query: "show running-config | section ^route-map OPS ",
    reply: "route-map OPS permit 10\n set metric 5\n",
    shows: { entries: [{ verb: "permit", sequence: "10" }] },
  },
];

tryRows("IOS XE", iosxeReader, cases);

describe("a saved command line of IOS XE", () => {
  const clock = "18:00:00.000 UTC Wed Nov 25 2026";
  const known = { time: "2026-11-25T18:00:00.000Z" };

  it.each([
    ["with echo and prompts", `edge-a#show clock\r\n${clock}\r\nedge-a#`],
    ["behind another reply", `edge-a#show archive\nnone\nedge-a#show   clock \n${clock}\nedge-a#x`],
    ["with escape sequences", `\u001b[2Jedge-a#show clock\r\n\u001b[1m${clock}\u001b[0m\r\n`],
    ["with a syslog line", `*Nov 25 18:00:00.100: %SYS-5-CONFIG_I: Configured\n${clock}`],
  ])("a reply %s is found", async (_form, text) => {
    const read = await iosxeReader.read("show clock", octets(text));
    expect(read).toEqual({ understood: known, unknown: [] });
  });

  it("the query may be written with its variable words, as in the list", async () => {
    const read = await iosxeReader.read("show macsec status interface <port>", octets(secyStatus));
    expect(read?.understood).toEqual({ nextPn: "77" });
  });

  it("a line longer than any of a device is refused", async () => {
    const text = octets("x".repeat(100_000));
    await expect(iosxeReader.read("show clock", text)).rejects.toThrow(RangeError);
  });
});
