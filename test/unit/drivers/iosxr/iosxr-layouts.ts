// Answers in the layouts of real routers with IOS XR, whole, with invented values.

import { port } from "../iosxr-kit.ts";
import { cknOf } from "../junos-kit.ts";

/** Rows of the log, as a line that monitors it prints them, and those before an answer. */
export const logRows: readonly string[] = [
  "RP/0/RP0/CPU0:Nov 28 18:00:00.250 UTC: mka[1163]: %L2-MKA-5-SESSION_START : MKA session started",
  "LC/0/1/CPU0:Nov  8 18:00:00.250 : ifmgr[185]: %PKT_INFRA-LINK-3-UPDOWN : Interface Hu0/1/0/0",
  "RP/0/RSP0/CPU0:2026 Nov 28 18:00:00.250 UTC+01: bgp[1052]: %ROUTING-BGP-5-ADJCHANGE : up",
  "0/RP0/ADMIN0:Nov 28 18:00:00.250 UTC: fpd[3301]: %PKT_INFRA-FM-4-FAULT_MINOR : ALARM_MINOR",
  "Sat Nov 28 18:00:00.250 UTC",
  "Sun Nov  8 18:00:00.250 UTC+01",
  "Sun Nov  8 18:00:00 GMT-3:30",
];

interface Session {
  readonly name: string;
  readonly ckn: string;
  readonly status: string;
  readonly sak: readonly [status: string, an: number, identifier: string];
  readonly peers: number;
}

const rule = "-".repeat(79);
const member = (index: number): string => `4E33A276E7F79C04D80FE34${index}`;

const field = (label: string, value: string | number): string => ` ${label.padEnd(41)}: ${value}`;

function mkaPage({ name, ckn, status, sak, peers }: Session): readonly string[] {
  const heads = [
    rule,
    "             MI                  MN        Rx-SCI        SSCI  KS-Priority",
    rule,
  ];
  return [
    "MKA Detailed Status for MKA Session",
    "===================================",
    `Status: ${status}`,
    "",
    field("Local Tx-SCI", "0200.0000.4411/0001"),
    field("Local Tx-SSCI", 1),
    field("Interface MAC Address", "0200.0000.4411"),
    field("MKA Port Identifier", 1),
    field("Interface Name", name),
    field("CAK Name (CKN)", ckn.toUpperCase()),
    field("CA Authentication Mode", "PRIMARY-PSK"),
    field("Member Identifier (MI)", "A880BB45B9CE01584535F239"),
    field("Message Number (MN)", 5382),
    field("Authenticator", "NO"),
    field("Key Server", "YES"),
    field("MKA Cipher Suite", "AES-256-CMAC"),
    "",
    field("Latest SAK Status", sak[0]),
    field("Latest SAK AN", sak[1]),
    field("Latest SAK KI (KN)", sak[2]),
    field("Old SAK Status", "FIRST-SAK"),
    field("Old SAK AN", 0),
    field("Old SAK KI (KN)", "FIRST-SAK (0)"),
    "",
    field("SAK Transmit Wait Time", "0s (Not waiting for any peers to respond)"),
    field("SAK Retire Time", "0s (No Old SAK to retire)"),
    field("MKA Policy Name", "as-configured"),
    field("Key Server Priority", 20),
    field("Replay Window Size", 64),
    field("Confidentiality Offset", 0),
    field("Algorithm Agility", "80C201"),
    field("SAK Cipher Suite", "0080C20001000004 (GCM-AES-XPN-256)"),
    field("MACsec Capability", "3 (MACsec Integrity, Confidentiality, & Offset)"),
    field("MACsec Desired", "YES"),
    "",
    field("# of MACsec Capable Live Peers", peers),
    field("# of MACsec Capable Live Peers Responded", peers),
    "",
    "Live Peer List:",
    ...heads,
    ...Array.from(
      { length: peers },
      (_, index) => ` ${member(index)}  27114  0600.0000.0001/0001  2  235`,
    ),
    "",
    "Potential Peer List:",
    ...heads,
    "",
  ];
}

/** What an older release adds to the page of a port that has a fallback key. */
const fallback = [
  "Peers Status:",
  " Last Tx MKPDU        : 2026 Nov 28 18:00:00.250",
  " Peer Count           : 1",
  "",
  "Fallback Data:",
  ` CKN                  : ${cknOf(9).toUpperCase()}`,
  field("Member Identifier (MI)", "B880BB45B9CE01584535F239"),
  field("Status", "PENDING - Initializing MKA Session"),
  field("# of MACsec Capable Live Peers", 0),
  "",
];

const secured = "SECURED - Secured MKA Session with MACsec";
const searching = "INITIALIZING - Searching for Peer (Waiting to receive first Peer MKPDU)";
const sak = ["Rx & Tx", 0, "A880BB45B9CE01584535F23900000001 (1)"] as const;
const noSak = ["No Rx, No Tx", 0, "FIRST-SAK (0)"] as const;

const mka = (...pages: readonly Session[]): string =>
  ["NODE: node0_0_CPU0", "", ...pages.flatMap(mkaPage)].join("\n");

const used: Session = { name: "Hu0/0/0/1", ckn: cknOf(1), status: secured, sak, peers: 1 };

export const mkaLayouts = [
  mka(used),
  [mka(used), ...fallback].join("\n"),
  mka(
    used,
    { ...used, ckn: cknOf(2), status: searching, sak: noSak, peers: 0 },
    { ...used, name: "Hu0/0/0/2", status: searching, sak: noSak, peers: 0 },
  ),
  mka({ ...used, peers: 0 }, { ...used, name: port(2), sak: ["Rx, No Tx", 0, sak[2]], peers: 2 }),
];

const legend = [
  "BGP router identifier 10.0.0.1, local AS number 64512",
  "BGP generic scan interval 60 secs",
  "BGP table state: Active",
  "Table ID: 0xe0000000   RD version: 12",
  "BGP main routing table version 12",
  "",
  "Status codes: s suppressed, d damped, h history, * valid, > best",
  "              i - internal, r RIB-failure, S stale, N Nexthop-discard",
  "Origin codes: i - IGP, e - EGP, ? - incomplete",
  "   Network            Next Hop            Metric LocPrf Weight Path",
];

export const routeLayouts = [
  [
    ...legend,
    "*> 10.0.0.0/16        198.51.100.2             0             0 12076 i",
    "*  10.1.0.0/16        198.51.100.2             0             0 12076 i",
    "*>                    198.51.100.2             0             0 12076 {65001} i",
    "*>i198.19.200.128/25  198.51.100.2             0    100      0 12076 i",
    "",
    "Processed 3 prefixes, 4 paths",
  ],
  [
    ...legend,
    "Route Distinguisher: 64512:1 (default for vrf AZURE)",
    "*> 2001:db8:40::/48   2001:db8::2              0             0 12076 i",
    "*> 2001:db8:abcd:1200::/56",
    "                      2001:db8::2              0             0 12076 i",
    "*  2001:db8:abcd:1300::/56",
    "                      2001:db8:0:ffff:1::2",
    "                                               0             0 12076 i",
    "",
    "Processed 3 prefixes, 3 paths",
  ],
  [...legend.slice(0, 3), "", "Processed 0 prefixes, 0 paths"],
].map((rows) => rows.join("\n"));

const interfacePage = (head: string, input: string, output: string): readonly string[] => [
  head,
  "  Interface state transitions: 3",
  "  Hardware is HundredGigE, address is 0200.0000.0000 (bia 0200.0000.0000)",
  "  Description: towards Azure",
  "  MTU 1600 bytes, BW 100000000 Kbit (Max: 100000000 Kbit)",
  "     reliability 255/255, txload 0/255, rxload 0/255",
  "  Encapsulation ARPA,",
  "  Full-duplex, 100000Mb/s, 100GBASE-LR4, link type is force-up",
  `  30 second input rate ${input}`,
  `  30 second output rate ${output}`,
  "     12 packets input, 1200 bytes, 0 total input drops",
  "",
];

const idle = "0 bits/sec, 0 packets/sec";

export const interfaceLayouts = [
  [
    "Bundle-Ether1 is up, line protocol is up ",
    "  Hardware is Aggregated Ethernet interface(s), address is 0200.0000.0001",
    ...interfacePage(
      `${port(0)} is up, line protocol is up `,
      "91000 bits/sec, 512 packets/sec",
      "93000 bits/sec, 514 packets/sec",
    ),
    ...interfacePage(
      `${port(1)} is administratively down, line protocol is administratively down `,
      idle,
      idle,
    ),
    ...interfacePage(
      `${port(2)} is up, line protocol is down `,
      "10000 bits/sec, 7 packets/sec",
      "20000 bits/sec, 9 packets/sec",
    ),
  ].join("\n"),
];

const neighbour = (head: string, state: string): readonly string[] => [
  "",
  `BGP neighbor is ${head}`,
  " Remote AS 12076, local AS 64512, external link",
  " Remote router ID 203.0.113.2",
  `  BGP state = ${state}`,
  "  NSR State: None",
  "  Last read 00:00:12, Last read before reset 00:00:00",
  "  Hold time is 180, keepalive interval is 60 seconds",
  "  Last reset 00:01:12, due to BGP Notification received: hold time expired",
  " For Address Family: IPv4 Unicast",
  "  BGP neighbor version 12",
];

export const peerLayouts = [
  [
    ...neighbour("198.51.100.2", "Established, up for 3d04h"),
    ...neighbour("198.51.100.6", "Active"),
    ...neighbour("2001:db8::2", "Idle (Administratively shut down)"),
  ].join("\n"),
];

export const frameLayouts = [
  [
    "Interface Stats",
    "    InPktsUntagged     :  7",
    "    InPktsNoTag        :  0",
    "    InPktsBadTag       :  1",
    "    OutPktsTooLong     :  2",
    "",
    "SC Stats",
    "  TxSC Stats",
    "    OutPktsProtected   :  0",
    "    OutPktsEncrypted   :  90",
    "    OutOctetsEncrypted :  9000",
    "    TxSA Stats",
    "      TxSA 0:",
    "       OutPktsProtected :  0",
    "       OutPktsEncrypted :  80",
    "       NextPN          :  101",
    "  RxSC Stats",
    "    RxSC 1: 10000742d968a00",
    "      InPktsUnchecked  :  0",
    "      InPktsDelayed    :  0",
    "      InPktsLate       :  6",
    "      InPktsOK         :  40",
    "      InPktsInvalid    :  0",
    "      InPktsNotValid   :  3",
    "      InPktsNotUsingSA :  4",
    "      InPktsUnusedSA   :  5",
    "      RxSA Stats",
    "        RxSA 0:",
    "         InPktsOK      :  40",
    "         InPktsNotValid :  3",
  ].join("\n"),
];

export const mkpduLayouts = [
  [
    "MKA Statistics for Session on interface (Hu0/0/0/1)",
    "=============================================",
    "Reauthentication Attempts.. 0",
    "",
    "CA Statistics",
    "   Pairwise CAKs Derived... 0",
    "",
    "SA Statistics",
    "   SAKs Generated.......... 1",
    "",
    "MKPDU Statistics",
    "   MKPDUs Transmitted................... 62",
    '      "Distributed SAK"................. 1',
    "   MKPDUs Validated & Rx................ 60",
    '      "Distributed SAK"................. 0',
    "",
    "MKA IDB Statistics",
    "   MKPDUs Tx Success.................... 62",
    "   MKPDUs Rx Invalid CKN................ 3",
    "",
    "MKPDU Failures",
    "   MKPDU Rx Validation (ICV)............ 4",
    "   MKPDU Rx Bad Peer MN................. 5",
  ].join("\n"),
];

export const wayLayouts = [
  [
    "Routing entry for 0.0.0.0/0",
    '  Known via "static", distance 1, metric 0, candidate default path',
    "  Installed Nov 20 10:00:00.000 for 1w1d",
    "  Routing Descriptor Blocks",
    "    192.0.2.253, from 192.0.2.1, via HundredGigE0/0/0/1.100",
    "      Route metric is 0",
    "    192.0.2.254, from 192.0.2.1, via HundredGigE0/0/0/1.200",
    "      Route metric is 0",
    "  No advertising protos.",
  ].join("\n"),
];

export const commitLayouts = [
  [1, 2, 3]
    .map((number) =>
      [
        "",
        `   ${number}) CommitId: 100000002${9 - number}                 Label: ` +
          (number === 1 ? "ls-00000000000000ff" : "NONE"),
        `      UserId:   linkseal             Line:  vty${number}:node0_RP0_CPU0`,
        "      Client:   CLI                  Time:  Wed Nov 25 18:00:00 2026",
        "      Comment:  NONE",
      ].join("\n"),
    )
    .join("\n"),
];

/** What `show configuration sessions detail` prints, one session for each client. */
export const editorsOf = (...clients: readonly string[]): string =>
  clients
    .map((client, index) =>
      [
        "",
        `  ${index + 1}) Session: 00001000-0000${5_000 + index}-00000000  ` +
          "Wed Nov 25 18:00:00 2026 ",
        `     Line: vty${index}                           Lock: None`,
        `     User: linkseal                       Client: ${client}`,
        `     Process: ${client === "CLI" ? "config         " : "cfgmgr_trial_co"}             ` +
          ` PID: ${24_000 + index}`,
        "     Node:                                Elapsed Time: 5 sec.",
      ].join("\n"),
    )
    .join("\n");

export const editorLayouts = [editorsOf("CLI", "commit-confirm")];

/** Rows of the other answers. */
export const foreignRows: readonly string[] = [
  ...new Set(
    [mkaLayouts, routeLayouts, interfaceLayouts, peerLayouts, commitLayouts, editorLayouts]
      .flat()
      .flatMap((answer) => answer.split("\n").filter((_, index) => index % 5 === 0)),
  ),
  "sysmgr: no output",
  "% Incomplete command.",
];
