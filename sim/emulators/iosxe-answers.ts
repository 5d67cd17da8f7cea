// The answers of a router with IOS XE, from the state of the simulated router.

import type { MacsecPort, MkaParticipant } from "#hal/model.ts";
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
import { otherRoutes, pathCount, routesFrom, tableRows } from "./far-end-routes.ts";
import { isShut } from "./iosxe-config.ts";
import type { XeModel } from "./iosxe-tree.ts";
import { ikeSas, ipsecSas, staticRoutes } from "./iosxe-tunnel-answers.ts";
import type { Block } from "./line-tree.ts";
import {
  hasIpsec,
  known,
  localAs,
  memberIds,
  peersOf,
  portsOf,
  protectedPort,
} from "./router-facts.ts";
import { interfaceTowards, otherInstance, type Wiring } from "./wiring.ts";

/** The parts of the emulator that answers are made of. */
export interface XeEmulator extends Emulator<readonly Block[]> {
  readonly model: XeModel;
  /** Returns the answer about the timer that reverts a change. */
  timer(): string;
}

const layoutOf = ({ model }: XeEmulator): CiscoLayout => model.layout ?? plainLayout;

export const questions: Questions<XeEmulator, string> = [
  [
    /^clock$/,
    (emulator) => `${layoutOf(emulator).isFreeRunning ? "." : ""}${clock(emulator.router)}`,
  ],
  [/^version$/, (emulator) => version(emulator)],
  [/^archive$/, ({ model }) => archive(model)],
  [/^archive config rollback timer$/, (emulator) => emulator.timer()],
  [/^configuration lock$/, ({ router }) => lock(router.hasFault("locked"))],
  [/^interfaces$/, (emulator) => interfaces(emulator.router, layoutOf(emulator))],
  [/^crypto ikev2 sa$/, ({ router }) => (hasIpsec(router) ? ikeSas(router) : undefined)],
  [
    /^crypto ipsec sa$/,
    (emulator) =>
      hasIpsec(emulator.router)
        ? ipsecSas(emulator.current, emulator.router, layoutOf(emulator).hasHours)
        : undefined,
  ],
  [/^ip route static$/, ({ router, current }) => staticRoutes(current, router)],
  [
    /^(?:ip|ipv6) cef (?:vrf (\S+) )?(\S+)$/,
    ({ router, model }, vrf, address = "") => routeTo(router, model.wiring, vrf, address),
  ],
  [/^mka sessions detail$/, (emulator) => mkaSessions(emulator.router, layoutOf(emulator))],
  [/^mka statistics interface (\S+)$/, ({ router }, name = "") => mkaStatistics(router, name)],
  [/^macsec statistics interface (\S+)$/, ({ router }, name = "") => secyStatistics(router, name)],
  [/^macsec status interface (\S+)$/, ({ router }, name = "") => secyStatus(router, name)],
  [
    /^bgp all neighbors$/,
    ({ router, current, model: { wiring } }) =>
      neighbours(router, wiring, (peer) => isShut(current, peer, wiring)),
  ],
  [
    /^bgp (?:ip|vpn)(v4|v6) unicast (?:vrf (\S+) )?neighbors (\S+) routes$/,
    (emulator, version, vrf, peer = "") => {
      const isOurs = vrf === emulator.model.wiring.vrf;
      return received(emulator, isOurs ? peer : undefined, version === "v6" ? "ipv6" : "ipv4");
    },
  ],
];

function version({ model, bootedAt, router }: XeEmulator): string {
  const { platform, version: release, layout = plainLayout } = model;
  const short = release.split(".").map((part) => part.replace(/^0/, ""));
  const name = layout.release === "special" ? `V${short.slice(0, 2).join("")}_1_SR2` : release;
  return [
    `Cisco IOS XE Software, Version ${name}`,
    "Cisco IOS Software [IOSXE], ASR1000 Software (X86_64_LINUX_IOSD-UNIVERSALK9-M), Version " +
      `${short.join(".")}, RELEASE SOFTWARE (fc1)`,
    "Technical Support: http://www.cisco.com/techsupport",
    "Copyright (c) 1986-2026 by Cisco Systems, Inc.",
    "",
    "ROM: 17.6(1r)",
    "",
    `${router.options.name} uptime is ${uptime(router.wall() - bootedAt)}`,
    `Uptime for this control processor is ${uptime(router.wall() - bootedAt)}`,
    "System returned to ROM by reload",
    ...(layout.hasBootTime ? [`System restarted at ${moment(bootedAt)}`] : []),
    'System image file is "bootflash:packages.conf"',
    "Last reload reason: Reload Command",
    "",
    ...(platform.startsWith("C9") ? licenceTable : []),
    `cisco ${platform} (1RU) processor with 3753847K/6147K bytes of memory.`,
    "Processor board ID FXS00000000",
    "Configuration register is 0x2102",
  ].join("\n");
}

const licenceTable = [
  "Technology Package License Information:",
  "",
  "-".repeat(78),
  "Technology-package                                     Technology-package",
  "Current                        Type                       Next reboot",
  "-".repeat(78),
  "network-advantage   \tSmart License                 \t network-advantage",
  "dna-advantage       \tSubscription Smart License    \t dna-advantage",
  "",
];

const minuteMs = 60_000;

/** Returns `5 weeks, 5 days, 3 hours, 12 minutes`, rounded down. */
function uptime(ms: number): string {
  let left = Math.floor(ms / minuteMs);
  const units = [
    ["year", 525_600],
    ["week", 10_080],
    ["day", 1_440],
    ["hour", 60],
  ] as const;
  const parts = units.flatMap(([unit, minutes]) => {
    const count = Math.floor(left / minutes);
    left -= count * minutes;
    return count === 0 ? [] : [plural(count, unit)];
  });
  return left > 0 || parts.length === 0
    ? [...parts, plural(left, "minute")].join(", ")
    : parts.join(", ");
}

const plural = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`;

function archive({ hasArchive }: XeModel): string {
  if (!hasArchive) return " Archive feature not enabled";
  return [
    "The maximum archive configurations allowed is 10.",
    "There are currently 1 archive configurations saved.",
    "The next archive file will be named bootflash:archive-<timestamp>-1",
    " Archive #  Name",
    "   1        bootflash:archive-Nov-25-17-00-00.000-0 <- Most Recent",
  ].join("\n");
}

export function rollbackTimer(armed: { readonly at: number; readonly minutes: number }): string {
  return [
    `Time configured(or reconfigured): ${moment(armed.at)}`,
    "Timer type: absolute timer",
    `Timer value: ${armed.minutes} min`,
    "User: linkseal",
  ].join("\n");
}

/** Returns `18:00:00 UTC Wed Nov 25 2026`. */
export function moment(wall: number): string {
  const [day = "", month = "", date = "", time = "", year = ""] = dated(wall).split(/ +/);
  return `${time} UTC ${day} ${month} ${date} ${year}`;
}

function lock(isHeld: boolean): string {
  const rows = isHeld
    ? ["3", "operator", "0", "EXCLUSIVE", "LOCKED", "EXPOSED"]
    : ["-1", "unknown", "-1", "NO LOCK", "FREE", "unknown"];
  const labels = ["Owner PID", "User", "TTY", "Type", "State", "Class"];
  return [
    "Parser Configure Lock",
    "---------------------",
    ...labels.map((label, index) => `${label.padEnd(18)}: ${rows[index]}`),
    "Count             : 0",
    "Pending Requests  : 0",
    "User debug info   : ",
  ].join("\n");
}

function interfaces(router: Router, { hasReasons }: CiscoLayout): string {
  const others = [
    "GigabitEthernet0 is up, line protocol is up ",
    "  Hardware is RP management port, address is 0200.0000.00ff (bia 0200.0000.00ff)",
    "  Internet address is 192.0.2.1/24",
    "  MTU 1500 bytes, BW 1000000 Kbit/sec, DLY 10 usec, ",
    "  5 minute input rate 1000 bits/sec, 1 packets/sec",
    "  5 minute output rate 1000 bits/sec, 1 packets/sec",
    ...(hasReasons ? ["Vlan1 is up, line protocol is down , Autostate Enabled"] : []),
  ];
  const ports = portsOf(router).flatMap((port) => interfaceOf(port, hasReasons));
  const last = "Loopback0 is up, line protocol is up ";
  return [...others, ...ports, last, "  Hardware is Loopback"].join("\n");
}

function interfaceOf(port: MacsecPort, hasReasons: boolean): readonly string[] {
  const { isShut, link, kbit, input, output } = linkOf(port);
  const reason = isShut ? "disabled" : link === "up" ? "connected" : "notconnect";
  return [
    `${port.port} is ${isShut ? "administratively down" : link}, line protocol is ${link} ` +
      (hasReasons ? `(${reason}) ` : ""),
    "  Hardware is BUILT-IN-EPA-8x10G, address is 0200.0000.0000 (bia 0200.0000.0000)",
    "  Description: towards Azure",
    `  MTU 1600 bytes, BW ${kbit} Kbit/sec, DLY 10 usec, `,
    "     reliability 255/255, txload 1/255, rxload 1/255",
    "  Encapsulation ARPA, loopback not set",
    "  Full Duplex, link type is force-up, media type is SFP-LR",
    "  Last input 00:00:01, output 00:00:00, output hang never",
    "  Queueing strategy: fifo",
    `  5 minute input rate ${input}`,
    `  5 minute output rate ${output}`,
    "     12 packets input, 1200 bytes, 0 no buffer",
    "     0 input errors, 0 CRC, 0 frame, 0 overrun, 0 ignored",
  ];
}

function mkaSessions(router: Router, { padsNames }: CiscoLayout): string {
  const pages = participantsOf(router).map((one) => pageOf(one, padsNames));
  return pages.length === 0 ? "% There are no active MKA sessions" : pages.join("\n\n");
}

/** Prints `Label....... value`, the label and its dots as wide as most of them are. */
const field = (label: string, value: string | number | bigint): string =>
  `${label}${".".repeat(Math.max(2, 25 - label.length))} ${value}`;

const fields = rowsOf(field);

const peerHeads = [
  "  MI                        MN          Rx-SCI (Peer)        KS        RxSA          SSCI",
  "                                                             Priority  Installed",
  `  ${"-".repeat(87)}`,
];

function statusOf(isPrincipal: boolean, { state }: MkaParticipant): string {
  if (isPrincipal) return "SECURED - Secured MKA Session with MACsec";
  return state === "none"
    ? "INITIALIZING - Searching for Peer (Waiting to receive first Peer MKPDU)"
    : "INITIALIZING - Waiting for SAK (Peer is live)";
}

/** Digits of a key name that is filled with zeros. */
const nameDigits = 64;

function pageOf(reported: Participant, padsNames: boolean): string {
  const { port, session, one, isPrincipal } = reported;
  const ckn = one.ckn.toUpperCase().padEnd(padsNames ? nameDigits : 0, "0");
  const peers = (count: number, letter: string): readonly string[] =>
    memberIds(count, letter).map(
      (mi) => `  ${mi}  67          0600.0000.0001/0001  8         YES           0`,
    );
  const isServer = session.keyServer === "self" ? "YES" : "NO";
  return [
    "MKA Detailed Status for MKA Session",
    "===================================",
    `Status: ${statusOf(isPrincipal, one)}`,
    "",
    ...fields`Local Tx-SCI: 0200.0000.0000/0001; Interface MAC Address: 0200.0000.0000;
      MKA Port Identifier: 1; Interface Name: ${port.port};`,
    "Audit Session ID.........",
    ...fields`CAK Name (CKN): ${ckn}; Member Identifier (MI): ${"02".repeat(12)};
      Message Number (MN): 110; EAP Role: NA; Key Server: ${isServer};
      MKA Cipher Suite: AES-256-CMAC;`,
    "",
    ...sakLines(field, reported, 0, noSak),
    field("Delay Protection", "NO"),
    "Delay Protection Timer.......... 0s (Not enabled)",
    "",
    field("Confidentiality Offset", known(port.settings)?.confidentialityOffset ?? 0),
    field("Algorithm Agility", "80C201"),
    "SAK Rekey On Live Peer Loss........ NO",
    "Send Secure Announcement.. DISABLED",
    "SCI Based SSCI Computation.... NO",
    ...fields`SAK Cipher Suite: ${sakSuite(reported)};
      MACsec Capability: 3 (MACsec Integrity, Confidentiality, & Offset); MACsec Desired: YES;`,
    "",
    `# of MACsec Capable Live Peers............ ${one.livePeers}`,
    `# of MACsec Capable Live Peers Responded.. ${isPrincipal ? session.respondedPeers : 0}`,
    "",
    "Live Peers List:",
    ...peerHeads,
    ...peers(one.livePeers, "A"),
    "",
    "Potential Peers List:",
    ...peerHeads,
    ...peers(one.potentialPeers, "C"),
    "",
    "Dormant Peers List:",
    ...peerHeads,
  ].join("\n");
}

const noSak = { status: "No Rx, No Tx", identifier: "FIRST-SAK-INITIALIZING (0)" };

/** Prints a page for each key; the port's counters are the sum of the pages. */
function mkaStatistics(router: Router, name: string): string {
  const port = protectedPort(router, name);
  const counted = known(port?.mkpdus);
  if (counted === undefined) return "% There are no MKA statistics on this interface";
  const dotted = (label: string, value: bigint): string =>
    `   ${label}${".".repeat(Math.max(2, 27 - label.length))} ${value}`;
  const pages = Math.max(1, known(port?.session)?.participants.length ?? 1);
  const share = (value: bigint, page: number): bigint => (page === 0 ? value : 0n);
  return Array.from({ length: pages }, (_, page) =>
    [
      "MKA Statistics for Session",
      "==========================",
      "Reauthentication Attempts.. 0",
      "",
      "CA Statistics",
      dotted("Pairwise CAKs Derived", 0n),
      "",
      "SA Statistics",
      dotted("SAKs Generated", 1n),
      "",
      "MKPDU Statistics",
      dotted("MKPDUs Validated & Rx", share(counted.received, page)),
      '      "Distributed SAK"..... 0',
      dotted("MKPDUs Transmitted", share(counted.sent, page)),
      '      "Distributed SAK"..... 1',
    ].join("\n"),
  ).join("\n\n");
}

const rows = rowsOf((label, value) => `  ${`${label}:`.padEnd(26)}${value}`);

function secyStatistics(router: Router, name: string): string {
  const port = protectedPort(router, name);
  const frames = known(port?.frames);
  if (frames === undefined) return " MACsec is disabled";
  const an = known(port?.session)?.latestSak?.an ?? 0;
  return [
    `MACsec Statistics for ${name}`,
    " SecY Counters",
    ...rows`Ingress Untag Pkts: ${frames.rxClear}; Ingress No Tag Pkts: 0;
      Ingress Bad Tag Pkts: ${frames.rxBadTag}; Ingress Unknown SCI Pkts: ${frames.rxUnknownSci};
      Ingress No SCI Pkts: ${frames.rxNoSci}; Ingress Overrun Pkts: 0; Egress Untag Pkts: 0;
      Egress Too Long Pkts: ${frames.txTooLong};`,
    "",
    " Controlled Port Counters",
    ...rows`IF In Packets: ${frames.rxOk}; IF Out Packets: ${frames.txProtected};`,
    "",
    " Transmit SC Counters (SCI: 0200000000000001)",
    ...rows`Out Pkts Protected: 0; Out Pkts Encrypted: ${frames.txProtected};`,
    "",
    ` Receive SA Counters (SCI: 0600000000010001  AN ${an})`,
    ...rows`In Pkts Unchecked: 0; In Pkts Delayed: 0; In Pkts OK: ${frames.rxOk};
      In Pkts Invalid: 0; In Pkts Not Valid: ${frames.rxNotValid};
      In Pkts Not using SA: ${frames.rxNotUsingSa}; In Pkts Unused SA: ${frames.rxUnusedSa};
      In Pkts Late: ${frames.rxLate};`,
  ].join("\n");
}

function secyStatus(router: Router, name: string): string {
  const port = protectedPort(router, name);
  const settings = known(port?.settings);
  if (port === undefined || settings === undefined) return " MACsec is disabled";
  const isOn = known(port.session)?.latestSak?.transmit === true;
  return [
    " Capabilities:",
    ...rows`Ciphers Supported: GCM-AES-128 GCM-AES-256; Cipher: ${settings.suite.toUpperCase()};
      Confidentiality Offset: ${settings.confidentialityOffset};
      Replay Window: ${settings.replayWindow ?? 64}; Delay Protect Enable: FALSE;
      Access Control: ${settings.policy === "mustSecure" ? "must-secure" : "should-secure"};
      Include-SCI: ${settings.includeSci ? "TRUE" : "FALSE"};`,
    "",
    " Transmit SC:",
    ...rows`SCI: 0200000000000001; Transmitting: ${isOn ? "TRUE" : "FALSE"};`,
    " Transmit SA:",
    ...rows`Next PN: ${known(port.frames)?.nextPn};`,
    "",
    " Receive SC:",
    ...rows`SCI: 0600000000010001;`,
    " Receive SA:",
    ...rows`Next PN: 615;`,
  ].join("\n");
}

function neighbours(router: Router, wiring: Wiring, isShut: (peer: string) => boolean): string {
  const peers = [...peersOf(router)];
  const about = (vrf: string | undefined, as: string): string =>
    vrf === undefined ? `remote AS ${as}` : `vrf ${vrf},  remote AS ${as}`;
  const pages = peers.flatMap(([port, peer]) => {
    const up = router.bgpUp(port);
    const idle = isShut(peer) ? "Idle, shutdown" : "Active";
    const state = up ? "Established, up for 3d04h" : idle;
    const bfd = router.bfdOf(port) === "up" ? (up ? "Up" : "Down") : undefined;
    return neighbourOf(peer, about(wiring.vrf, "12076"), { state, bfd });
  });
  // The same addresses appear again, behind the ports of other neighbours.
  const other = { state: "Established, up for 1w2d", bfd: undefined };
  const others = peers.flatMap(([, peer]) =>
    neighbourOf(peer, about(otherInstance(wiring), "64999"), other),
  );
  const [plain, inVrf] = wiring.vrf === undefined ? [pages, others] : [others, pages];
  return [
    "For address family: IPv4 Unicast",
    ...plain,
    "For address family: VPNv4 Unicast",
    ...inVrf,
  ].join("\n");
}

function neighbourOf(
  peer: string,
  about: string,
  { state, bfd }: { readonly state: string; readonly bfd: string | undefined },
): readonly string[] {
  const isLost = !state.startsWith("Established");
  const reset = isLost ? "00:01:12, due to BGP Notification received, hold time expired" : "never";
  return [
    `BGP neighbor is ${peer},  ${about}, external link`,
    ...(bfd === undefined
      ? []
      : [
          " Fall over configured for session",
          ` BFD is configured. BFD peer is ${bfd}. Using BFD to detect fast fallover (single-hop).`,
        ]),
    "  BGP version 4, remote router ID 0.0.0.0",
    `  BGP state = ${state}`,
    "  Last read 00:00:12, hold time is 180, keepalive interval is 60 seconds",
    `  Last reset ${reset}`,
    "",
  ];
}

/** The heading starts one column to the left of the rows. */
const columns = {
  codes: { used: " *>   ", unused: " *    " },
  prefixWidth: 16,
  nextHopWidth: 15,
  nextHopAt: 23,
};
/** The best path is not in the table of routes, and a path that is not used is a backup. */
const ribCodes = { used: " r>   ", unused: " *b   " };

/** `peer` undefined = the neighbour of that address in the other routing instance. */
function received(emulator: XeEmulator, peer: string | undefined, family: "ipv4" | "ipv6"): string {
  const routes =
    peer === undefined ? otherRoutes(family) : routesFrom(emulator.router, peer, family);
  const paths = pathCount(routes);
  const total = `Total number of prefixes ${paths} `;
  if (paths === 0) return total;
  const isPlain = layoutOf(emulator).codes === "plain";
  const printed = isPlain ? columns : { ...columns, codes: ribCodes };
  return [
    `BGP table version is 12, local router ID is 192.0.2.1, local AS ${localAs}`,
    "Status codes: s suppressed, d damped, h history, * valid, > best, i - internal, ",
    "              r RIB-failure, S Stale, m multipath, b backup-path, f RT-Filter, ",
    "              x best-external, a additional-path, c RIB-compressed, ",
    "              t secondary path, L long-lived-stale,",
    "Origin codes: i - IGP, e - EGP, ? - incomplete",
    "RPKI validation codes: V valid, I invalid, N Not found",
    "",
    "     Network          Next Hop            Metric LocPrf Weight Path",
    ...tableRows(routes, peer ?? "192.0.2.254", printed, classless),
    "",
    total,
  ].join("\n");
}

/** A network of the length of its class is printed without a length. */
function classless(prefix: string): string {
  return /^(?:19[2-9]|2[01]\d|22[0-3])\..*\/24$/.test(prefix) ? prefix.replace("/24", "") : prefix;
}

function routeTo(router: Router, wiring: Wiring, vrf: string | undefined, address: string): string {
  const at = { management: "GigabitEthernet0", managed: "Mgmt-intf", prefix: "Port-channel" };
  const port = interfaceTowards(router, address, vrf, { ...at, wiring });
  if (port === undefined) return "0.0.0.0/0\n  no route";
  // Two neighbours behind one interface.
  return `0.0.0.0/0\n  nexthop 192.0.2.253 ${port}\n  nexthop 192.0.2.254 ${port}`;
}
