// Answers in the layouts of real routers and switches with IOS XE, whole, with invented values.

import { cknOf } from "../junos-kit.ts";
import { port } from "./iosxe-kit.ts";
import { ikeText, pairText, routesText } from "./iosxe-tunnel-kit.ts";

/** Rows of the log, as a line that monitors it prints them, and those before an answer. */
export const logRows: readonly string[] = [
  "*Nov 28 18:00:00.250: %LINEPROTO-5-UPDOWN: Line protocol on Interface Loopback1, state is up",
  "000123: *Nov 28 18:00:00.250: %MKA-5-SESSION_START: (Te0/0/1 : 9) MKA Session started",
  "000124: Nov 28 2026 18:00:00 UTC: %BGP-5-ADJCHANGE: neighbor 198.51.100.2 Up",
  ".Nov  8 18:00:00.250 GMT+1: %SYS-SW1_STBY-6-CLOCKUPDATE: the clock was updated",
  "5w5d: %SYS-5-CONFIG_I: Configured from console by operator on vty1 (192.0.2.9)",
  "00:12:07: %LINK-3-UPDOWN: Interface Loopback1, changed state to up",
  "%SYS-5-CONFIG_I: Configured from console by operator on vty1 (192.0.2.9)",
  "Load for five secs: 12%/0%; one minute: 11%; five minutes: 9%",
  "Time source is NTP, 18:00:00.250 UTC Sat Nov 28 2026",
  "No time source, *18:00:00.250 UTC Sat Nov 28 2026",
];

const peerHead = [
  "  MI                        MN          Rx-SCI (Peer)        KS        RxSA          SSCI",
  "                                                             Priority  Installed",
  "  ---------------------------------------------------------------------------------------",
];

interface Session {
  readonly name: string;
  readonly ckn: string;
  readonly status: string;
  readonly sak: readonly [status: string, an: number, identifier: string];
  readonly peers: number;
}

function mkaPage({ name, ckn, status, sak, peers }: Session): readonly string[] {
  const members = Array.from({ length: peers }, (_, index) => {
    const member = `4E33A276E7F79C04D80FE34${index}`;
    return `  ${member}  67          0600.0000.0001/0001  10        YES  0`;
  });
  return [
    "MKA Detailed Status for MKA Session",
    "===================================",
    `Status: ${status}`,
    "",
    "Local Tx-SCI............. 0200.0000.4411/0028",
    "Interface MAC Address.... 0200.0000.4411",
    "MKA Port Identifier...... 40",
    `Interface Name........... ${name}`,
    "Audit Session ID.........",
    `CAK Name (CKN)........... ${ckn.toUpperCase()}`,
    "Member Identifier (MI)... A880BB45B9CE01584535F239",
    "Message Number (MN)...... 110",
    "EAP Role................. NA",
    "Key Server............... YES",
    "MKA Cipher Suite......... AES-256-CMAC",
    "",
    `Latest SAK Status........ ${sak[0]}`,
    `Latest SAK AN............ ${sak[1]}`,
    `Latest SAK KI (KN)....... ${sak[2]}`,
    "Old SAK Status........... No Rx, No Tx",
    "Old SAK AN............... 0",
    "Old SAK KI (KN).......... RETIRED (1)",
    "",
    "SAK Transmit Wait Time... 0s (Not waiting for any peers to respond)",
    "SAK Retire Time.......... 0s (No Old SAK to retire)",
    "SAK Rekey Time........... 0s (SAK Rekey interval not applicable)",
    "",
    "MKA Policy Name.......... *DEFAULT POLICY*",
    "Key Server Priority...... 0",
    "Delay Protection......... NO",
    "Delay Protection Timer.......... 0s (Not enabled)",
    "",
    "Confidentiality Offset... 0",
    "Algorithm Agility........ 80C201",
    "SAK Rekey On Live Peer Loss........ NO",
    "Send Secure Announcement.. DISABLED",
    "SCI Based SSCI Computation.... NO",
    "SAK Cipher Suite......... 0080C20001000002 (GCM-AES-256)",
    "MACsec Capability........ 3 (MACsec Integrity, Confidentiality, & Offset)",
    "MACsec Desired........... YES",
    "",
    `# of MACsec Capable Live Peers............ ${peers}`,
    `# of MACsec Capable Live Peers Responded.. ${peers}`,
    "",
    "Live Peers List:",
    ...peerHead,
    ...members,
    "",
    "Potential Peers List:",
    ...peerHead,
    "",
    "Dormant Peers List:",
    ...peerHead,
    "",
  ];
}

const secured = "SECURED - Secured MKA Session with MACsec";
const searching = "INITIALIZING - Searching for Peer (Waiting to receive first Peer MKPDU)";
const sak = ["Rx & Tx", 1, "A880BB45B9CE01584535F23900000002 (2)"] as const;
const noSak = ["No Rx, No Tx", 0, "FIRST-SAK-INITIALIZING (0)"] as const;

const mka = (...pages: readonly Session[]): string => pages.flatMap(mkaPage).join("\n");

export const mkaLayouts = [
  mka({ name: port(1), ckn: cknOf(1), status: secured, sak, peers: 1 }),
  // A port with a ready fallback key, beside one that searches.
  mka(
    { name: port(1), ckn: cknOf(1), status: secured, sak, peers: 1 },
    { name: port(1), ckn: cknOf(2), status: searching, sak: noSak, peers: 0 },
    { name: "Te0/0/2", ckn: cknOf(3), status: searching, sak: noSak, peers: 0 },
  ),
  // It calls itself secured without a peer, and the other one sends nothing yet.
  mka(
    { name: port(0), ckn: cknOf(1), status: secured, sak, peers: 0 },
    { name: port(2), ckn: cknOf(2), status: secured, sak: ["Rx, No Tx", 1, sak[2]], peers: 2 },
  ),
];

const legend = [
  "BGP table version is 56, local router ID is 192.0.2.1",
  "Status codes: s suppressed, d damped, h history, * valid, > best, i - internal, ",
  "              r RIB-failure, S Stale, m multipath, b backup-path, f RT-Filter, ",
  "              x best-external, a additional-path, c RIB-compressed, ",
  "Origin codes: i - IGP, e - EGP, ? - incomplete",
  "",
  "     Network          Next Hop            Metric LocPrf Weight Path",
];

export const routeLayouts = [
  [
    ...legend,
    " *>   10.0.0.0/16      198.51.100.2                           0 12076 i",
    " *    10.1.0.0/16      198.51.100.2                           0 12076 i",
    " *>                    198.51.100.2                           0 12076 i",
    " r>   192.0.2.0        198.51.100.2                           0 12076 i",
    " *m   10.4.0.0/16      198.51.100.2                           0 12076 {65001} i",
    "",
    "Total number of prefixes 5 ",
  ],
  [
    ...legend,
    "Route Distinguisher: 64512:51 (default for vrf AZURE) VRF Router ID 192.0.2.1",
    " *>i 172.16.200.1/32  198.51.100.2             0    100      0 12076 i",
    " * i 172.16.200.100/32",
    "                       198.51.100.2            0    100      0 12076 i",
    "Route Distinguisher: 64512:52",
    " *>i 172.16.200.1/32  198.51.100.2             0    100      0 12076 i",
    "",
    "Total number of prefixes 3",
  ],
  [
    ...legend,
    " *>   2001:DB8:40::/48 2001:DB8::2              0             0 12076 i",
    " *>   2001:DB8:ABCD:1200::/56",
    "                       2001:DB8::2              0             0 12076 i",
    " *>   2001:DB8:ABCD:1300::/56",
    "                       ::FFFF:198.51.100.2",
    "                                                0             0 12076 i",
    "",
    "Total number of prefixes 3",
  ],
  ["Total number of prefixes 0 "],
].map((rows) => rows.join("\n"));

const interfacePage = (head: string, ...rates: readonly string[]): readonly string[] => [
  head,
  "  Hardware is BUILT-IN-EPA-8x10G, address is 0200.0000.0000 (bia 0200.0000.0000)",
  "  Description: towards Azure",
  "  MTU 1600 bytes, BW 10000000 Kbit/sec, DLY 10 usec, ",
  "     reliability 255/255, txload 1/255, rxload 1/255",
  "  Encapsulation ARPA, loopback not set",
  "  Last input 00:00:01, output 00:00:00, output hang never",
  ...rates.map((rate) => `  5 minute ${rate}`),
  "     12 packets input, 1200 bytes, 0 no buffer",
];

export const interfaceLayouts = [
  [
    ...interfacePage(
      `${port(0)} is up, line protocol is up `,
      "input rate 91000 bits/sec, 512 packets/sec",
      "output rate 93000 bits/sec, 514 packets/sec",
    ),
    ...interfacePage(
      `${port(1)} is down, line protocol is down `,
      "input rate 0 bits/sec, 0 packets/sec",
      "output rate 0 bits/sec, 0 packets/sec",
    ),
    "Loopback0 is up, line protocol is up ",
    "  Hardware is Loopback",
  ],
  [
    "Vlan1 is up, line protocol is down , Autostate Enabled",
    "  Hardware is Ethernet SVI, address is 0200.0000.0001 (bia 0200.0000.0001)",
    ...interfacePage(
      `${port(0)} is administratively down, line protocol is down (disabled) `,
      "input rate 0 bits/sec, 0 packets/sec",
      "output rate 0 bits/sec, 0 packets/sec",
    ),
    ...interfacePage(
      `${port(1)} is up, line protocol is up (connected) `,
      "input rate 10000 bits/sec, 12 packets/sec",
      "output rate 20000 bits/sec, 21 packets/sec",
    ),
    ...interfacePage(
      `${port(2)} is up, line protocol is down (suspended) `,
      "input rate 10000 bits/sec, 7 packets/sec",
      "output rate 20000 bits/sec, 9 packets/sec",
    ),
  ],
].map((rows) => rows.join("\n"));

const neighbour = (head: string, state: string): readonly string[] => [
  `BGP neighbor is ${head}`,
  "  BGP version 4, remote router ID 203.0.113.2",
  `  BGP state = ${state}`,
  "  Last read 00:00:12, last write 00:00:20, hold time is 180, keepalive interval is 60 seconds",
  "  Neighbor sessions:",
  "    1 active, is not multisession capable (disabled)",
  "  Last reset 00:01:12, due to BGP Notification received, hold time expired",
  "",
];

export const peerLayouts = [
  [
    "For address family: IPv4 Unicast",
    ...neighbour("198.51.100.2,  remote AS 12076, external link", "Established, up for 3d04h"),
    ...neighbour("198.51.100.6,  remote AS 12076, external link", "Active"),
    "For address family: IPv6 Unicast",
    ...neighbour("2001:db8::2,  remote AS 12076, external link", "Idle, shutdown"),
    "For address family: VPNv4 Unicast",
    ...neighbour("198.51.100.2,  vrf AZURE,  remote AS 12076, external link", "Connect"),
  ].join("\n"),
];

export const frameLayouts = [
  [
    `MACsec Statistics for ${port(1)}`,
    " SecY Counters",
    "  Ingress Untag Pkts:       7",
    "  Ingress No Tag Pkts:      0",
    "  Ingress Bad Tag Pkts:     1",
    "  Ingress Decrypted Octets: 184493007",
    "  Egress Too Long Pkts:     2",
    "",
    " Controlled Port Counters",
    "  IF In Packets:            999",
    "  IF Out Packets:           90",
    "",
    " Transmit SC Counters (SCI: 0200000000000001)",
    "  Out Pkts Protected:       0",
    "  Out Pkts Encrypted:       90",
    "",
    " Receive SA Counters (SCI: 0600000000010001  AN 0)",
    "  In Pkts Unchecked:        0",
    "  In Pkts Delayed:          0",
    "  In Pkts OK:               40",
    "  In Pkts Invalid:          0",
    "  In Pkts Not Valid:        3",
    "  In Pkts Not using SA:     4",
    "  In Pkts Unused SA:        5",
    "  In Pkts Late:             6",
    "",
    " Receive SA Counters (SCI: 0600000000010001  AN 1)",
    "  In Pkts Unchecked:        0",
    "  In Pkts Delayed:          0",
    "  In Pkts OK:               2",
    "  In Pkts Invalid:          1",
    "  In Pkts Not Valid:        0",
    "  In Pkts Not using SA:     0",
    "  In Pkts Unused SA:        0",
    "  In Pkts Late:             0",
  ].join("\n"),
];

const mkpduPage = (received: number, sent: number): string =>
  [
    "MKA Statistics for Session",
    "==========================",
    "Reauthentication Attempts.. 0",
    "",
    "CA Statistics",
    "   Pairwise CAKs Derived...... 0",
    "",
    "SA Statistics",
    "   SAKs Generated............. 1",
    "   SAKs Rekeyed............... 0",
    "",
    "MKPDU Statistics",
    `   MKPDUs Validated & Rx...... ${received}`,
    '      "Distributed SAK"..... 0',
    `   MKPDUs Transmitted......... ${sent}`,
    '      "Distributed SAK"..... 1',
    "",
  ].join("\n");

export const mkpduLayouts = [mkpduPage(60, 62), `${mkpduPage(60, 62)}\n${mkpduPage(0, 40)}`];

export const ikeLayouts = [
  ikeText("READY"),
  ikeText("IN-NEG"),
  [
    " IPv4 Crypto IKEv2  SA ",
    "",
    " IPv6 Crypto IKEv2  SA ",
    "",
    "Tunnel-id    fvrf/ivrf              Status",
    "1          none/none             READY",
    "Local  2001:DB8:1101::131/500",
    "Remote  2001:DB8:1201::122/500",
    "      Encr: AES-CBC, keysize: 256, PRF: SHA512, Hash: SHA512, DH Grp:21, Auth sign: PSK",
    "      Life/Active Time: 86400/219 sec",
  ].join("\n"),
];

const flow = pairText();
/** Another tunnel, whose newer SA is missing. */
const another = flow
  .replaceAll("Tunnel3", "Tunnel7")
  .replaceAll(/ {6}spi: 0x9C[\s\S]*?ACTIVE\)\n/g, "");

export const ipsecLayouts = [
  flow.replace("     PFS", "     current outbound spi: 0xA2(162)\n     PFS"),
  flow
    .replaceAll("(k/sec): (4259661/2577)", "1 hours, 10 mins")
    .replace("(k/sec): (4259661/25)", "0 hours, 2 mins")
    .replace("DH group: group20", "DH group: group20, AKE group: AKE1: MLKEM512"),
  `${flow}\n${another}`,
];

export const staticLayouts = [
  routesText,
  "Gateway of last resort is 192.0.2.254 to network 0.0.0.0\n\n" +
    "S*    0.0.0.0/0 [1/0] via 192.0.2.254, GigabitEthernet0\n" +
    "      10.0.0.0/16 is subnetted, 2 subnets\n" +
    "S        10.100.0.0 is directly connected, Tunnel3\n" +
    "S        10.101.0.0 [1/0] via 192.0.2.254\n",
];

export const wayLayouts = [
  `10.0.0.0/8\n  nexthop 192.0.2.253 ${port(1)}.100\n  nexthop 192.0.2.254 ${port(1)}.200\n`,
  `0.0.0.0/0\n    nexthop 192.0.2.254 ${port(2)} label 16063(elc)-(local:17063)\n` +
    `        repair: attached-nexthop 192.0.2.250 ${port(1)}\n`,
];

export const lockLayouts = [
  "Parser Configure Lock\n---------------------\nOwner PID         : 3\n" +
    "User              : operator\n" +
    "TTY               : 0\nType              : EXCLUSIVE\nState             : LOCKED\n" +
    "Class             : EXPOSED\nCount             : 0\n",
];

/** Rows of the other answers. */
export const foreignRows: readonly string[] = [
  ...new Set(
    [mkaLayouts, routeLayouts, interfaceLayouts, peerLayouts, ikeLayouts, lockLayouts]
      .flat()
      .flatMap((answer) => answer.split("\n").filter((_, index) => index % 5 === 0)),
  ),
  "Unable to get data",
  "% Incomplete command.",
];
