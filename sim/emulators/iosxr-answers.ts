// The answers of a router with IOS XR, from the state of the simulated router.

import type { MacsecPort, PortName } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import {
  clock,
  dated,
  linkOf,
  type Participant,
  participantsOf,
  sakLines,
  sakSuite,
} from "./cisco-answers.ts";
import { type CiscoLayout, plainLayout } from "./cisco-layout.ts";
import { type Questions, rowsOf } from "./cli-answers.ts";
import type { Emulator } from "./emulator.ts";
import {
  type AdvertisedRoute,
  otherRoutes,
  pathCount,
  routesFrom,
  tableRows,
} from "./far-end-routes.ts";
import { bgpIn } from "./iosxr-config.ts";
import { type Block, childOf, linesIn } from "./line-tree.ts";
import { known, localAs, memberIds, peersOf, portsOf, protectedPort } from "./router-facts.ts";
import { interfaceTowards, otherInstance, type Wiring } from "./wiring.ts";

export interface CommitEntry {
  readonly id: number;
  readonly user: string;
  readonly line: string;
  readonly client: string;
  readonly wall: number;
  readonly label: string | undefined;
  readonly comment: string | undefined;
}

export interface Model {
  readonly platform: string;
  readonly version: string;
  readonly wiring: Wiring;
  /** How it prints its answers; absent = in the shortest form. */
  readonly layout?: CiscoLayout;
  /** The longest label of a commit; absent = the shorter one of the limits that releases have. */
  readonly labelMax?: number;
}

/** The parts of the emulator that answers are made of. */
export interface XrEmulator extends Emulator<readonly Block[]> {
  readonly model: Model;
  readonly history: readonly CommitEntry[];
  /** Returns the sessions in which a configuration is edited. */
  editors(): readonly OpenEdit[];
}

export const questions: Questions<XrEmulator, string> = [
  [/^clock$/, ({ router }) => clock(router)],
  [/^version$/, ({ model }) => version(model)],
  [/^reboot history/, ({ bootedAt }) => reboots(bootedAt)],
  [
    /^configuration commit list (\d+) detail$/,
    ({ history }, count) => commitList(history.slice(0, Number(count))),
  ],
  [/^configuration sessions$/, (emulator) => editors(emulator.editors())],
  [
    /^configuration sessions detail$/,
    (emulator) => editorsInDetail(emulator.editors(), emulator.router.wall()),
  ],
  [/^interfaces$/, ({ router }) => interfaces(router)],
  [
    /^macsec mka session detail$/,
    ({ router, model }) => mkaSessions(router, model.layout ?? plainLayout),
  ],
  [
    /^macsec mka statistics interface (\S+)$/,
    ({ router }, name = "") => mkaStatistics(router, name),
  ],
  [
    /^macsec secy stats interface (\S+) sc$/,
    ({ router }, name = "") => secyStatistics(router, name),
  ],
  [/^bgp (vrf all )?neighbors$/, (emulator, all) => neighbours(emulator, all !== undefined)],
  [
    /^bgp (?:vrf (\S+) )?(?:(ipv4|ipv6) unicast )?neighbors (\S+) routes$/,
    (emulator, vrf, family, peer = "") =>
      vrf === emulator.model.wiring.vrf
        ? received(emulator, peer, family === "ipv6" ? family : "ipv4")
        : otherReceived(vrf, family === "ipv6" ? family : "ipv4"),
  ],
  [
    /^route (?:vrf (\S+) )?ipv[46] (\S+)$/,
    ({ router, model }, vrf, address = "") => routeTo(router, model.wiring, vrf, address),
  ],
];

function version({ platform, version: release }: Model): string {
  return [
    `Cisco IOS XR Software, Version ${release} LNT`,
    "Copyright (c) 2013-2026 by Cisco Systems, Inc.",
    "",
    "Build Information:",
    ` Version      : ${release}`,
    "",
    `cisco ${platform}`,
    "System uptime is 5 weeks 5 days 3 hours 12 minutes",
  ].join("\n");
}

function reboots(bootedAt: number): string {
  return [
    "  No  Time                            Cause Code    Cause String",
    "  --  ------------------------------  ----------    ------------",
    `  01  ${dated(bootedAt)}            0x0800000d    Reload command issued`,
  ].join("\n");
}

function commitList(entries: readonly CommitEntry[]): string {
  return entries
    .map(({ id, user, line, client, wall, label, comment }, index) =>
      [
        "",
        `   ${index + 1}) CommitId: ${id}                 Label: ${label ?? "NONE"}`,
        `      UserId:   ${user.padEnd(20)} Line:  ${line}`,
        `      Client:   ${client.padEnd(20)} Time:  ${dated(wall)}`,
        `      Comment:  ${comment ?? "NONE"}`,
      ].join("\n"),
    )
    .join("\n");
}

/** A session in which a configuration is edited, or that of a trial that waits. */
export interface OpenEdit {
  readonly id: string;
  readonly line: string;
  readonly user: string;
  readonly since: number;
  readonly client: "CLI" | "commit-confirm";
  readonly isExclusive: boolean;
}

/** Without a session there is not even a heading. */
function editors(open: readonly OpenEdit[]): string {
  if (open.length === 0) return "";
  return [
    "Current Configuration Session  Line       User     Date                     Lock",
    ...open.map(
      ({ id, line, user, since, isExclusive }) =>
        `${id}     ${line.padEnd(10)} ${user.padEnd(8)} ${dated(since)} ${isExclusive ? "*" : ""}`,
    ),
  ].join("\n");
}

function editorsInDetail(open: readonly OpenEdit[], wall: number): string {
  return open
    .map(({ id, line, user, since, client, isExclusive }, index) => {
      const program = client === "CLI" ? "config" : "cfgmgr_trial_co";
      const left = (text: string): string => text.padEnd(37);
      return [
        "",
        `  ${index + 1}) Session: ${id}  ${dated(since)} `,
        `     ${left(`Line: ${line}`)}Lock: ${isExclusive ? "Reserved" : "None"}`,
        `     ${left(`User: ${user}`)}Client: ${client}`,
        `     ${left(`Process: ${program}`)}PID: ${13_700 + index}`,
        `     ${left("Node:")}Elapsed Time: ${Math.floor((wall - since) / 1000)} sec.`,
      ].join("\n");
    })
    .join("\n");
}

function interfaces(router: Router): string {
  const management = [
    "MgmtEth0/RP0/CPU0/0 is up, line protocol is up ",
    "  Internet address is 192.0.2.1/24",
    "  MTU 1514 bytes, BW 1000000 Kbit (Max: 1000000 Kbit)",
    "  5 minute input rate 1000 bits/sec, 1 packets/sec",
    "  5 minute output rate 1000 bits/sec, 1 packets/sec",
    "",
  ];
  return [...management, ...portsOf(router).flatMap(interfaceOf)].join("\n");
}

function interfaceOf(port: MacsecPort): readonly string[] {
  const { isShut, link, kbit, input, output } = linkOf(port);
  const state = isShut ? "administratively down" : link;
  return [
    `${port.port} is ${state}, line protocol is ${state} `,
    "  Interface state transitions: 3",
    "  Hardware is HundredGigE, address is 0200.0000.0000 (bia 0200.0000.0000)",
    "  Description: towards Azure",
    `  MTU 1600 bytes, BW ${kbit} Kbit (Max: ${kbit} Kbit)`,
    "     reliability 255/255, txload 0/255, rxload 0/255",
    "  Encapsulation ARPA,",
    "  Full-duplex, 100000Mb/s, 100GBASE-LR4, link type is force-up",
    `  30 second input rate ${input}`,
    `  30 second output rate ${output}`,
    "     12 packets input, 1200 bytes, 0 total input drops",
    "",
  ];
}

function mkaSessions(router: Router, { hasNodes }: CiscoLayout): string {
  const pages = participantsOf(router).map((one) => pageOf(one, hasNodes));
  if (pages.length === 0) return "% There are no active MKA sessions";
  return [...(hasNodes ? ["NODE: node0_0_CPU0"] : []), ...pages].join("\n\n");
}

const field = (label: string, value: string | number | bigint): string =>
  `${label.padEnd(40)}: ${value}`;
const fields = rowsOf(field);

const rule = "-".repeat(79);

/** `isOlder`: in the form that older guides show, with more about the peers at the end. */
function pageOf(reported: Participant, isOlder: boolean): string {
  const { port, session, one, isPrincipal } = reported;
  const slot = known(port.keys)?.find(({ ckn }) => ckn === one.ckn);
  const settings = known(port.settings);
  const status = isPrincipal
    ? `${isOlder ? "SECURED" : "Secured"} - Secured MKA Session with MACsec`
    : one.state === "none"
      ? "Init - Searching for Peer (Waiting to receive first Peer MKPDU)"
      : "Active - Marked Peer as Live (Waiting for SAK generation/distribution)";
  const peers = memberIds(one.livePeers, "A").map((mi) => `${mi}  73  0600.0000.0001/0001  1  8`);
  return [
    "MKA Detailed Status for MKA Session",
    "===================================",
    ...(isOlder ? [`Status: ${status}`] : fields`Status: ${status};`),
    "",
    ...fields`Local Tx-SCI: 0200.0000.0000/0001; Local Tx-SSCI: 2;
      Interface MAC Address: 0200.0000.0000; MKA Port Identifier: 1;
      Interface Name: ${isOlder ? port.port : shortOf(port.port)};
      CAK Name (CKN): ${one.ckn.toUpperCase()};
      CA Authentication Mode: ${slot?.role === "fallback" ? "FALLBACK-PSK" : "PRIMARY-PSK"};
      Member Identifier (MI): ${"02".repeat(12)}; Message Number (MN): 62;
      Key Server: ${session.keyServer === "self" ? "YES" : "NO"}; MKA Cipher Suite: AES-256-CMAC;
      Configured MACSec Cipher Suite: ${(settings?.suite ?? "").toUpperCase()};`,
    "",
    ...sakLines(field, reported, 16, noSak),
    ...fields`Replay Window Size: ${settings?.replayWindow ?? 64};
      Confidentiality Offset: ${settings?.confidentialityOffset ?? 0};
      SAK Cipher Suite: ${sakSuite(reported)};
      MACsec Capability: 3 (MACsec Integrity, Confidentiality, & Offset); MACsec Desired: YES;`,
    "",
    ...fields`# of MACsec Capable Live Peers: ${one.livePeers};
      # of MACsec Capable Live Peers Responded: ${isPrincipal ? session.respondedPeers : 0};`,
    "",
    "Live Peer List:",
    rule,
    "            MI                       MN           Rx-SCI           SSCI  KS-Priority",
    rule,
    ...peers,
    "",
    "Potential Peer List:",
    rule,
    "            MI                       MN           Rx-SCI           SSCI  KS-Priority",
    rule,
    ...(isOlder ? peerLines(one.livePeers) : []),
  ].join("\n");
}

const noSak = { status: "FIRST-SAK", identifier: "FIRST-SAK (0)" };

function peerLines(count: number): readonly string[] {
  return [
    "",
    "Peers Status:",
    " Last Tx MKPDU        : 2026 Nov 25 17:59:59.250",
    ` Peer Count           : ${count}`,
    ...memberIds(count, "A").flatMap((mi) => [
      "",
      "  RxSCI               : 0600000000010001",
      `   MI                 : ${mi}`,
      "   Peer CAK           : Match",
      "   Latest Rx MKPDU    : 2026 Nov 25 17:59:59.750",
    ]),
  ];
}

/** Most tables print `HundredGigE0/0/0/0` as `Hu0/0/0/0`. */
function shortOf(port: PortName): string {
  const [, letters = "", place = ""] = /^(\D+)(.*)$/.exec(port) ?? [];
  return `${letters.slice(0, 2)}${place}`;
}

function mkaStatistics(router: Router, name: string): string {
  const counted = known(protectedPort(router, name)?.mkpdus);
  if (counted === undefined) return `% No MKA statistics on ${name}`;
  const dotted = rowsOf((label, value) => `   ${label}${".".repeat(38 - label.length)} ${value}`);
  return [
    `MKA Statistics for Session on interface (${shortOf(name)})`,
    "=============================================",
    "Reauthentication Attempts.. 0",
    "",
    "CA Statistics",
    "   Pairwise CAKs Derived... 0",
    "",
    "MKPDU Statistics",
    ...dotted`MKPDUs Transmitted: ${counted.sent}; MKPDUs Validated & Rx: ${counted.received};`,
    ...dotted`"Distributed SAK": 0;`.map((row) => `   ${row}`),
    "",
    "MKA IDB Statistics",
    ...dotted`MKPDUs Tx Success: ${counted.sent}; MKPDUs Tx Fail: 0;
      MKPDUs Rx Invalid CKN: ${counted.unknownCkn ?? 0}; MKPDUs Rx Invalid Length: 0;`,
    "",
    "MKPDU Failures",
    ...dotted`MKPDU Rx Validation (ICV): ${counted.icvFailed ?? 0};
      MKPDU Rx Bad Peer MN: ${counted.replayed ?? 0}; MKPDU Rx Non-recent Peerlist MN: 0;`,
  ].join("\n");
}

function secyStatistics(router: Router, name: string): string {
  const port = protectedPort(router, name);
  const frames = known(port?.frames);
  if (frames === undefined) return "% MACsec is not configured on this interface";
  const an = known(port?.session)?.latestSak?.an ?? 0;
  const count = (indent: number) =>
    rowsOf((label, value) => `${" ".repeat(indent)}${label.padEnd(20)}:  ${value}`);
  return [
    "Interface Stats",
    ...count(4)`InPktsUntagged: ${frames.rxClear}; InPktsNoTag: 0;
      InPktsBadTag: ${frames.rxBadTag}; InPktsUnknownSCI: ${frames.rxUnknownSci};
      InPktsNoSCI: ${frames.rxNoSci}; InPktsOverrun: 0; OutPktsUntagged: 0;
      OutPktsTooLong: ${frames.txTooLong};`,
    "",
    "SC Stats",
    "  TxSC Stats",
    ...count(4)`OutPktsProtected: 0; OutPktsEncrypted: ${frames.txProtected};`,
    "    TxSA Stats",
    `      TxSA ${an}:`,
    ...count(7)`OutPktsProtected: 0; OutPktsEncrypted: ${frames.txProtected};
      NextPN: ${frames.nextPn};`,
    "  RxSC Stats",
    "    RxSC 1: 600000000010001",
    ...count(6)`InPktsUnchecked: 0; InPktsDelayed: 0; InPktsLate: ${frames.rxLate};
      InPktsOK: ${frames.rxOk}; InPktsInvalid: 0; InPktsNotValid: ${frames.rxNotValid};
      InPktsNotUsingSA: ${frames.rxNotUsingSa}; InPktsUnusedSA: ${frames.rxUnusedSa};`,
    "      RxSA Stats",
    `        RxSA ${an}:`,
    ...count(9)`InPktsOK: ${frames.rxOk};`,
  ].join("\n");
}

/** The default instance has one half of the neighbours, and a VRF those with the same addresses. */
function neighbours({ router, current, model }: XrEmulator, inVrfs: boolean): string {
  const { wiring } = model;
  const isOurs = inVrfs === (wiring.vrf !== undefined);
  const vrf = inVrfs ? (wiring.vrf ?? otherInstance(wiring)) : undefined;
  const isShut = (peer: string): boolean =>
    childOf(linesIn(bgpIn(current, wiring), `neighbor ${peer}`), "shutdown") !== undefined;
  const pages = [...peersOf(router)]
    .flatMap(([port, peer]) => {
      const up = !isOurs || router.bgpUp(port);
      const idle = isShut(peer) ? "Idle (Administratively shut down)" : "Active";
      return [
        "",
        `BGP neighbor is ${peer}${vrf === undefined ? "" : `, vrf ${vrf}`}`,
        ` Remote AS ${isOurs ? "12076" : "64999"}, local AS ${localAs}, external link`,
        " Remote router ID 0.0.0.0",
        `  BGP state = ${up ? "Established, up for 3d04h" : idle}`,
        "  NSR State: None",
        ...(isOurs && router.bfdOf(port) === "up"
          ? [`  BFD enabled (session ${up ? "up" : "down"}): mininterval: 300 multiplier: 3`]
          : []),
        "  Hold time is 180, keepalive interval is 60 seconds",
        ...(up
          ? []
          : ["  Last reset 00:01:12, due to BGP Notification received: hold time expired"]),
      ];
    })
    .join("\n");
  return vrf === undefined ? pages : `\nVRF: ${vrf}\n${"-".repeat(5 + vrf.length)}\n${pages}`;
}

const columns = {
  codes: { used: "*> ", unused: "*  " },
  prefixWidth: 18,
  nextHopWidth: 15,
  nextHopAt: 22,
};

/** A command without a family means the default one, IPv4. */
function received(
  { router, current, model: { wiring } }: XrEmulator,
  peer: string,
  family: "ipv4" | "ipv6",
): string {
  const words = `address-family ${family} unicast`;
  const bgp = bgpIn(current, wiring);
  if (childOf(bgp, words) === undefined) {
    return "% None of the requested address families are configured for instance 'default'";
  }
  const neighbour = linesIn(bgp, `neighbor ${peer}`);
  if (childOf(neighbour, words) === undefined) return "% Neighbor not found";
  return routesPage(routesFrom(router, peer, family), peer, wiring.vrf, family);
}

const otherReceived = (vrf: string | undefined, family: "ipv4" | "ipv6"): string =>
  routesPage(otherRoutes(family), "192.0.2.254", vrf, family);

function routesPage(
  routes: readonly AdvertisedRoute[],
  peer: string,
  vrf: string | undefined,
  family: "ipv4" | "ipv6",
): string {
  const paths = pathCount(routes);
  const distinguisher = `Route Distinguisher: 64512:7 (default for vrf ${vrf})`;
  return [
    "BGP router identifier 10.0.0.1, local AS number 64512",
    "BGP generic scan interval 60 secs",
    "Non-stop routing is enabled",
    "BGP table state: Active",
    `Table ID: ${family === "ipv4" ? "0xe0000000" : "0xe0800000"}   RD version: 12`,
    "BGP main routing table version 12",
    "BGP scan interval 60 secs",
    "",
    "Status codes: s suppressed, d damped, h history, * valid, > best",
    "              i - internal, r RIB-failure, S stale, N Nexthop-discard",
    "Origin codes: i - IGP, e - EGP, ? - incomplete",
    "   Network            Next Hop            Metric LocPrf Weight Path",
    ...(vrf === undefined ? [] : [distinguisher]),
    ...tableRows(routes, peer, columns),
    "",
    `Processed ${routes.length} prefixes, ${paths} paths`,
  ].join("\n");
}

function routeTo(router: Router, wiring: Wiring, vrf: string | undefined, address: string): string {
  const at = { management: "MgmtEth0/RP0/CPU0/0", managed: undefined, prefix: "Bundle-Ether" };
  const port = interfaceTowards(router, address, vrf, { ...at, wiring });
  if (port === undefined) return "% Network not in table";
  return [
    "",
    "Routing entry for 0.0.0.0/0",
    '  Known via "static", distance 1, metric 0, candidate default path',
    "  Routing Descriptor Blocks",
    `    192.0.2.254, via ${port}`,
    "      Route metric is 0",
    "  No advertising protos.",
  ].join("\n");
}
