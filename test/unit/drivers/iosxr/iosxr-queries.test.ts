import { iosxrReader } from "#drivers/iosxr/queries.ts";
import { page, port, texts } from "../iosxr-kit.ts";
import { cknOf } from "../junos-kit.ts";
import { type SavedCase, tryRows } from "../query-kit.ts";
import { editorsOf } from "./iosxr-layouts.ts";

const counter = (label: string, value: number): string => `    ${label.padEnd(20)}:  ${value}`;

const secyStatistics = [
  ...["InPktsBadTag", "InPktsUnknownSCI", "InPktsNoSCI", "OutPktsTooLong"].map((one) =>
    counter(one, 0),
  ),
  "SC Stats",
  "  TxSC Stats",
  counter("OutPktsProtected", 0),
  counter("OutPktsEncrypted", 9),
  "    TxSA Stats",
  counter("NextPN", 10),
  "  RxSC Stats",
  "    RxSC 1: 600000000010001",
  ...["InPktsLate", "InPktsOK", "InPktsInvalid", "InPktsNotValid", "InPktsNotUsingSA"].map((one) =>
    counter(one, 2),
  ),
  counter("InPktsUnusedSA", 0),
].join("\n");

const mkaStatistics = [
  "MKPDU Statistics",
  "   MKPDUs Transmitted.................... 41",
  "   MKPDUs Validated & Rx................. 40",
  "   MKPDUs Rx Invalid CKN................. 1",
  "   MKPDU Rx Validation (ICV)............. 2",
  "   MKPDU Rx Bad Peer MN.................. 3",
].join("\n");

const routes = [
  "   Network            Next Hop            Metric LocPrf Weight Path",
  "*> 10.3.0.0/16        198.51.100.2             0             0 12076 i",
  "",
  "Processed 1 prefixes, 1 paths",
].join("\n");

const interfacePage = [
  `${port(1)} is up, line protocol is up`,
  "  MTU 1600 bytes, BW 100000000 Kbit (Max: 100000000 Kbit)",
  "  30 second input rate 2000 bits/sec, 3 packets/sec",
  "  30 second output rate 4000 bits/sec, 5 packets/sec",
].join("\n");

const cases: readonly SavedCase[] = [
  {
    query: "show clock",
    reply: "18:00:00.250 UTC Wed Nov 25 2026",
    shows: { time: "2026-11-25T18:00:00.250Z" },
  },
  {
    query: "show clock",
    reply: "Wed Nov 25 18:00:00.300 UTC\n18:00:00.250 UTC Wed Nov 25 2026",
    shows: { time: "2026-11-25T18:00:00.250Z" },
  },
  {
    query: "show version",
    reply: "Cisco IOS XR Software, Version 7.11.2 LNT\ncisco 8201-32FH",
    shows: { version: "7.11.2", platform: "8201-32fh" },
  },
  {
    query: "show reboot history location 0/RP0/CPU0",
    reply: "  01  Mon Nov  2 10:00:00 2026            0x0800000d    Reload command issued",
    shows: { boot: "Mon Nov 2 10:00:00 2026" },
  },
  {
    query: "show configuration sessions detail",
    reply: editorsOf("CLI", "commit-confirm"),
    shows: { clients: ["CLI", "commit-confirm"] },
  },
  {
    query: "show configuration commit list 20 detail",
    reply:
      "\n   1) CommitId: 1000000012                 Label: ls-00000000a1b2c3d4\n" +
      "      UserId:   ops                  Line:  vty0\n" +
      "      Client:   CLI                  Time:  Wed Nov 25 18:00:00 2026",
    shows: { commits: [{ note: "linkseal 00000000a1b2c3d4", isPending: false }] },
  },
  {
    query: "show interfaces",
    reply: interfacePage,
    shows: { ports: { [port(1)]: { linkUp: true, rate: { rxPps: 3, lineBps: 1e11 } } } },
  },
  { query: "show interfaces", reply: "", unknown: ["the whole reply: unparsed"] },
  {
    query: "show macsec mka session detail",
    reply: page(),
    shows: { pages: [{ ckn: cknOf(1), status: "secured", livePeers: 1 }] },
  },
  {
    query: "show macsec mka session detail",
    reply: "% MACsec is not configured",
    unknown: ["the whole reply: queryFailed"],
  },
  {
    query: `show macsec mka statistics interface ${port(1)}`,
    reply: mkaStatistics,
    shows: { sent: "41", received: "40", icvFailed: "2", unknownCkn: "1", replayed: "3" },
  },
  {
    query: `show macsec mka statistics interface ${port(1)}`,
    reply: `MKA Statistics for Session on interface (Hu0/0/0/2)\n${mkaStatistics}`,
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: `show macsec mka statistics interface ${port(1)}`,
    reply: `MKA Statistics for Session on interface (Hu0/0/0/1)\n${mkaStatistics}`,
    shows: { sent: "41" },
  },
  {
    query: `show macsec mka statistics interface ${port(1)}`,
    reply: mkaStatistics.replace("Bad Peer", "Odd Peer"),
    shows: { sent: "41", replayed: null },
    unknown: ["replayed: unparsed"],
  },
  {
    query: `show macsec secy stats interface ${port(1)} sc`,
    reply: secyStatistics,
    shows: { txProtected: "9", rxOk: "2", nextPn: "10" },
  },
  {
    query: "show bgp neighbors",
    reply: "BGP neighbor is 198.51.100.2\n  BGP state = Active\n",
    shows: { peers: { " 198.51.100.2": { state: "Active" } } },
  },
  {
    query: "show bgp vrf all neighbors",
    reply: "BGP neighbor is 198.51.100.2, vrf AZURE\n  BGP state = Active\n",
    shows: { peers: {} },
  },
  {
    query: "show running-config aaa accounting",
    reply: "% No such configuration item(s)",
    shows: { isAccounted: false },
  },
  {
    query: "show running-config interface",
    reply: texts.interfaces,
    shows: { interfaces: { [port(1)]: { isShut: true, macsec: { policy: "ls-Hu0-0-0-1" } } } },
    unknown: [`interfaces ${port(7)} macsec: unparsed`],
  },
  {
    query: "show running-config macsec-policy",
    reply: texts.policies,
    shows: { policies: { HAND: { confidentialityOffset: 30 } } },
  },
  {
    query: "show running-config key chain | exclude key-string",
    reply: texts.chains,
    shows: { chains: { "ls-Hu0-0-0-1-a": [{ ckn: cknOf(1) }] } },
  },
  {
    query: "show running-config router bgp | exclude password",
    reply: texts.bgp,
    shows: { localAs: "64512", neighbours: [{ address: "198.51.100.2" }, { isShut: true }] },
  },
  {
    query: "show route ipv4 192.0.2.10",
    reply: `Routing entry for 0.0.0.0/0\n    192.0.2.254, via ${port(1)}.100`,
    shows: { interfaces: [`${port(1)}.100`] },
  },
  {
    query: "show route vrf AZURE ipv4 192.0.2.10",
    reply: "Routing entry for 0.0.0.0/0\n    192.0.2.254",
    shows: { interfaces: ["to 192.0.2.254"] },
  },
  {
    query: "show route ipv6 2001:db8::10",
    reply: "% Network not in table",
    shows: { interfaces: [] },
  },
  {
    query: "show route vrf AZURE ipv6 2001:db8::10",
    reply: "some words",
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: "show bgp vrf AZURE ipv4 unicast neighbors 198.51.100.2 routes",
    reply: routes,
    shows: { routes: [{ prefix: "10.3.0.0/16", best: true }] },
  },
  {
    query: "show bgp vrf AZURE ipv6 unicast neighbors 2001:db8::2 routes",
    reply: routes.replace("1 prefixes", "2 prefixes"),
    unknown: ["the whole reply: unparsed"],
  },
  {
    query: "ping vrf AZURE 198.51.100.2 count 5 timeout 1",
    reply: "!!!!.\nSuccess rate is 80 percent (4/5)",
    shows: { sent: 5, answered: 4 },
  },
  {
    query: "show bgp ipv4 unicast neighbors 198.51.100.2 routes",
    reply: routes,
    shows: { routes: [{ prefix: "10.3.0.0/16", best: true }] },
  },
  {
    query: "show bgp ipv6 unicast neighbors 2001:db8::2 routes",
    reply: routes
      .replace("10.3.0.0/16    ", "2001:db8:7::/48")
      .replace("198.51.100.2", "2001:db8::2 "),
    shows: { routes: [{ prefix: "2001:db8:7::/48", best: true }] },
  },
  {
    query: "ping 198.51.100.2 count 5 timeout 1",
    reply: "!!!!!\nSuccess rate is 100 percent (5/5), round-trip min/avg/max = 1/1/2 ms",
    shows: { sent: 5, answered: 5 },
  },
];

tryRows("IOS XR", iosxrReader, cases);
