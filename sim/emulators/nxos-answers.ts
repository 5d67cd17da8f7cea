// The answers of a switch with NX-OS, from the state of the simulated router.

import type { MacsecPort, MkaParticipant, MkaSession } from "#hal/model.ts";
import type { Router } from "../router/router.ts";
import { clock, dated, linkOf } from "./cisco-answers.ts";
import type { Questions } from "./cli-answers.ts";
import type { Emulator } from "./emulator.ts";
import { type AdvertisedRoute, otherRoutes, routesFrom } from "./far-end-routes.ts";
import { type Block, childOf } from "./line-tree.ts";
import { isShut } from "./nxos-config.ts";
import type { NxModel } from "./nxos-tree.ts";
import {
  answeredProbes,
  type Json,
  known,
  memberIds,
  peersOf,
  portsOf,
  portWith,
  protectedPort,
  protectedPorts,
} from "./router-facts.ts";
import { interfaceTowards, type Wiring } from "./wiring.ts";

/** The parts of the emulator that answers are made of. */
export interface NxEmulator extends Emulator<readonly Block[]> {
  readonly model: NxModel;
  /** Names of the checkpoints, with the moments at which they were made. */
  readonly checkpoints: ReadonlyMap<string, { readonly at: number }>;
}

/** Text, or a table that is printed as JSON. */
type Answer = string | Json;

export const questions: Questions<NxEmulator, Answer> = [
  [/^clock$/, (emulator) => `${clock(emulator.router)}\nTime source is NTP`],
  [/^version$/, (emulator) => version(emulator)],
  [/^checkpoint summary$/, (emulator) => summary(emulator)],
  [/^interface \|J$/, ({ router }) => table("interface", interfaces(router))],
  [/^macsec mka session details \|J$/, (emulator) => sessions(emulator)],
  [
    /^macsec mka statistics interface (\S+) \|J$/,
    ({ router }, name = "") => mkaStatistics(router, name),
  ],
  [
    /^macsec secy statistics interface (\S+) \|J$/,
    ({ router, model }, name = "") => secyStatistics(router, name, model),
  ],
  [
    /^bgp vrf (\S+) all neighbors \|J$/,
    (emulator, instance) => neighbours(emulator, vrfOf(instance)),
  ],
  [
    /^bgp vrf (\S+) (ipv[46]) unicast neighbors (\S+) routes \|J$/,
    (emulator, instance, family, peer = "") =>
      received(emulator, vrfOf(instance), family === "ipv6" ? "ipv6" : "ipv4", peer),
  ],
  [
    /^(ip|ipv6) route (\S+) vrf (\S+) \|J$/,
    ({ router, model }, ip, address = "", instance) =>
      routeTo(router, model.wiring, { ip, address, vrf: vrfOf(instance) }),
  ],
];

const vrfOf = (instance: string | undefined): string | undefined =>
  instance === "default" ? undefined : instance;

/** A table of one row is an object, and one without a row is left out. */
function table(name: string, rows: readonly Json[]): Json {
  if (rows.length === 0) return {};
  return { [`TABLE_${name}`]: { [`ROW_${name}`]: rows.length === 1 ? rows[0] : rows } };
}

function version({ model, bootedAt, router }: NxEmulator): string {
  const slots = /^C95(\d\d)/.exec(model.platform)?.[1];
  return [
    "Cisco Nexus Operating System (NX-OS) Software",
    "TAC support: http://www.cisco.com/tac",
    "Copyright (C) 2002-2026, Cisco and/or its affiliates.",
    "",
    "Software",
    "  BIOS: version 05.45",
    `  NXOS: version ${model.version}`,
    "  BIOS compile time:  07/05/2021",
    "  NXOS image file is: bootflash:///nxos.bin",
    "",
    "Hardware",
    `  cisco Nexus9000 ${model.platform} ${slots === undefined ? "" : `(${slots} Slot) `}Chassis `,
    "  Intel(R) Xeon(R) CPU  with 24570768 kB of memory.",
    "  Processor Board ID FDO00000000",
    "",
    `  Device name: ${router.name}`,
    "  bootflash:  115805708 kB",
    "Kernel uptime is 40 day(s), 0 hour(s), 12 minute(s), 5 second(s)",
    "",
    `Last reset at 402034 usecs after ${dated(bootedAt)}`,
    "  Reason: Reset Requested by CLI command reload",
    `  System version: ${model.version}`,
    "  Service: ",
    "",
    "plugin",
    "  Core Plugin, Ethernet Plugin",
  ].join("\n");
}

const rule = "-".repeat(80);

/** The switch itself makes one when a feature is turned off. */
function summary({ checkpoints, bootedAt }: NxEmulator): string {
  const entry = (name: string, at: number, kind: "User" | "System"): readonly string[] => [
    `Created by ${kind === "User" ? "linkseal" : "admin"}`,
    `Created at ${dated(at).replace(/^(\w+) (\w+ +\d+) (\S+)/, "$1, $3 $2")}`,
    `Size is ${16_384 + name.length} bytes`,
    `${kind} Checkpoint Summary`,
    rule,
    "Description: None",
    "",
  ];
  const all = [...checkpoints].map(([name, { at }]) => ({ name, at, kind: "User" as const }));
  return [...all, { name: "system-fm-bfd", at: bootedAt, kind: "System" as const }]
    .flatMap(({ name, at, kind }, index) => [`${index + 1}) ${name}:`, ...entry(name, at, kind)])
    .join("\n");
}

function interfaces(router: Router): readonly Json[] {
  const management = {
    ...{ interface: "mgmt0", state: "up", admin_state: "up", eth_mtu: "1500" },
    ...{ eth_bw: "1000000", vdc_lvl_in_pkts: "12" },
  };
  const loopback = { interface: "loopback0", state: "up", admin_state: "up", eth_mtu: "1500" };
  return [management, ...portsOf(router).map(interfaceOf), loopback];
}

function interfaceOf(port: MacsecPort): Json {
  const { isShut: isDown, link, kbit, input, output } = linkOf(port);
  const isBlocked = known(port.session)?.controlledPort === "blocked";
  const reason = isDown
    ? "Administratively down"
    : link === "up"
      ? "Authorization pending"
      : "Link not connected";
  const isUp = !isDown && link === "up" && !isBlocked;
  const rate = (text: string): readonly string[] => text.match(/\d+/g) ?? [];
  return {
    interface: port.port,
    state: isUp ? "up" : "down",
    admin_state: isDown ? "down" : "up",
    ...(isUp ? {} : { state_rsn_desc: reason }),
    share_state: "Dedicated",
    eth_hw_desc: "1000/10000/25000/40000/50000/100000 Ethernet",
    eth_hw_addr: "0200.0000.0000",
    desc: "towards Azure",
    eth_mtu: "9216",
    eth_bw: String(kbit),
    eth_dly: "10",
    medium: "broadcast",
    eth_duplex: "full",
    eth_load_interval1_rx: "30",
    eth_inrate1_bits: rate(input)[0],
    eth_inrate1_pkts: rate(input)[1],
    eth_load_interval1_tx: "30",
    eth_outrate1_bits: rate(output)[0],
    eth_outrate1_pkts: rate(output)[1],
    eth_inpkts: "12",
    eth_outpkts: "12",
  };
}

const shutRule = "-".repeat(35);

function sessions({ router, current }: NxEmulator): Answer {
  const rows = protectedPorts(router).flatMap((port) => {
    const session = known(port.session);
    const isThere = session !== undefined && session.participants.length > 0;
    return isThere ? [sessionOf(port, session)] : [];
  });
  if (childOf(current, "macsec shutdown")) return `${shutRule}\nMacsec is shutdown\n${shutRule}`;
  return rows.length === 0 ? "" : table("mka_session_details", rows);
}

const latestRx = "17:59:59 UTC Wed Nov 25 2026";

/** A port has one session; its other key is the fallback of it, or is not printed. */
function sessionOf(port: MacsecPort, session: MkaSession): Json {
  const slots = known(port.keys) ?? [];
  const roleOf = ({ ckn }: MkaParticipant) => slots.find((one) => one.ckn === ckn)?.role;
  const used = session.participants.find(({ ckn }) => ckn === session.principalCkn);
  const own = used ?? session.participants.find((one) => roleOf(one) !== "fallback");
  const other = session.participants.find((one) => roleOf(one) === "fallback" && one !== own);
  const isSecured = used?.state === "live";
  const sak = isSecured ? session.latestSak : undefined;
  const [mi = "0".repeat(24), number = "0"] = sak?.keyId.toUpperCase().split("/") ?? [];
  const settings = known(port.settings);
  // Both are printed as soon as a peer is heard, whether it answers or not.
  const heard = own === undefined ? 0 : own.livePeers + own.potentialPeers;
  const suite = (known(port.liveSuite) ?? settings?.suite ?? "").toUpperCase();
  return {
    ifname: port.port,
    status: isSecured
      ? "SECURED - Secured MKA Session with MACsec"
      : "INITIALIZING - Searching for Peer (Waiting to receive first Peer MKPDU)",
    txsci: "0200.0000.0000/0001",
    local_tx_ssci: isSecured ? "2" : "0",
    mka_port_identifier: "2",
    ckn: (own?.ckn ?? "").toUpperCase(),
    ca_auth_mode: own && roleOf(own) === "fallback" ? "FALLBACK-PSK" : "PRIMARY-PSK",
    mi: "02".repeat(12),
    mn: "62",
    policy: "as-configured",
    ks_prio: String(session.keyServerPriority ?? settings?.keyServerPriority ?? 16),
    keyserver: session.keyServer === "self" ? "Yes" : "No",
    include_icv_indicator: "No",
    cipher: (settings?.suite ?? "").toUpperCase(),
    cipher_operational: isSecured ? suite : "No Cipher",
    window: String(settings?.replayWindow ?? 0),
    conf_offset: `CONF-OFFSET-${settings?.confidentialityOffset ?? 0}`,
    conf_offset_operational: "CONF-OFFSET-0",
    sak_status: sak?.receive === true && sak.transmit ? "Rx & TX" : "No RX-Tx",
    sak_an: String(sak?.an ?? 0),
    sak_ki: `${mi}${Number(number).toString(16).toUpperCase().padStart(8, "0")}`,
    sak_kn: number,
    last_sak_rekey_time: sak === undefined ? "Not Applicable" : latestRx,
    peer_count: String(heard),
    mac_addr: "0180.c200.0003",
    ether_type: "0x888e",
    ...table(
      "mka_peer_status",
      memberIds(heard, "A").map((member) => ({
        ...{ peer_mi: member, rxsci: "0600.0000.0001/0001", icv_status: "Match" },
        last_rx_time: latestRx,
      })),
    ),
    ...(other === undefined ? {} : table("mka_fallback", [fallbackOf(other)])),
  };
}

function fallbackOf({ ckn, livePeers, potentialPeers }: MkaParticipant): Json {
  return {
    ...{ fallback_ckn: ckn.toUpperCase(), fallback_mi: "03".repeat(12), fallback_mn: "61" },
    ...table(
      "mka_fallback_peer",
      memberIds(livePeers + potentialPeers, "C").map((member) => ({
        ...{ fallback_peer_mi: member, fallback_rxsci: "0600.0000.0001/0001" },
        ...{ fallback_icv_status: "Match", fallback_last_rx_time: latestRx },
      })),
    ),
  };
}

function mkaStatistics(router: Router, name: string): Answer {
  const counted = known(protectedPort(router, name)?.mkpdus);
  if (counted === undefined) return `ERROR: no MKA session on ${name}`;
  const stats = {
    ca_stat_pairwise_cak_derived: "0",
    sa_stat_sak_generated: "1",
    mkpdu_stat_mkpdu_tx: String(counted.sent),
    mkpdu_stat_mkpdu_tx_distsak: "1",
    mkpdu_stat_mkpdu_rx: String(counted.received),
    mkpdu_stat_mkpdu_rx_distsak: "0",
    idb_stat_mkpdu_tx_success: String(counted.sent),
    idb_stat_mkpdu_rx_ca_notfound: String(counted.unknownCkn ?? 0),
    idb_stat_mkpdu_failure_rx_integrity_check_error: String(counted.icvFailed ?? 0),
    idb_stat_mkpdu_failure_invalid_peer_mn_error: String(counted.replayed ?? 0),
  };
  return table("mka_intf_stats", [{ ifname: name, ...table("idb_stats", [stats]) }]);
}

function secyStatistics(router: Router, name: string, { platform }: NxModel): Answer {
  const port = protectedPort(router, name);
  const frames = known(port?.frames);
  if (frames === undefined) return `ERROR: macsec is not configured on ${name}`;
  const an = String(known(port?.session)?.latestSak?.an ?? 0);
  const isCard = platform.startsWith("C95");
  const onSwitch = (value: bigint | undefined): string =>
    isCard ? "N/A (N9K-X9736C-FX not supported)" : String(value);
  const receive = {
    ...{ rx_sa_an: an, in_pkts_unchecked: "0", in_pkts_delayed: "0" },
    ...{ in_pkts_late: String(frames.rxLate), in_pkts_ok: String(frames.rxOk) },
    ...{ in_pkts_invalid: "0", in_pkts_not_valid: String(frames.rxNotValid) },
    in_pkts_not_using_sa: String(frames.rxNotUsingSa),
    in_pkts_unused_sa: String(frames.rxUnusedSa),
  };
  const transmit = {
    ...{ tx_sa_an: an, out_pkts_encrypted_protected: String(frames.txProtected) },
    ...{ out_pkts_too_long: onSwitch(frames.txTooLong), out_pkts_sa_not_inuse: onSwitch(0n) },
  };
  const row = {
    ifname: name,
    in_pkts_transform_error: onSwitch(0n),
    in_pkts_control: "12",
    in_pkts_untagged: onSwitch(frames.rxClear),
    in_pkts_no_tag: "0",
    in_pkts_badtag: String(frames.rxBadTag),
    in_pkts_no_sci: String(frames.rxNoSci),
    in_pkts_unknown_sci: String(frames.rxUnknownSci),
    ...table("rx_sa_an", [receive]),
    ...table("tx_sa_an", [transmit]),
  };
  return table("statistics", [row]);
}

/** One instance has our neighbours, and another one those with the same addresses. */
function neighbours({ router, current, model }: NxEmulator, vrf: string | undefined): Answer {
  const { wiring } = model;
  const isOurs = vrf === wiring.vrf;
  const rows = [...peersOf(router)].map(([port, peer], index) => {
    const up = !isOurs || router.bgpUp(port);
    const idle = isShut(current, peer, wiring) ? "Shut (Admin)" : "Idle";
    return {
      neighbor: peer,
      remoteas: isOurs ? "12076" : "64999",
      ...{ link: "ebgp", index: String(index + 1), version: "4", "remote-id": "0.0.0.0" },
      state: up ? "Established" : idle,
      up: String(up),
      elapsedtime: up ? "P3DT4H" : "PT1M12S",
      ...{ holdtime: "180", keepalivetime: "60", connsestablished: "3", connsdropped: "2" },
      resetreason: up ? "No error" : "holdtimer expired error",
      peerresetreason: "No error",
      ...table("peraf", [{ "per-afi": "1", ...table("persaf", [{ "per-safi": "1" }]) }]),
      ...{ localaddr: "0.0.0.0", remoteaddr: peer },
    };
  });
  return table("neighbor", rows);
}

function received(
  { router, model }: NxEmulator,
  vrf: string | undefined,
  family: "ipv4" | "ipv6",
  peer: string,
): Answer {
  const isOurs = vrf === model.wiring.vrf;
  const routes = isOurs ? routesFrom(router, peer, family) : otherRoutes(family);
  const prefixes = routes.map((one) => ({
    [family === "ipv4" ? "ipprefix" : "ipv6prefix"]: one.prefix,
    ...table("path", pathsOf(one, peer)),
  }));
  const inside = table("prefix", prefixes);
  const safi = {
    ...{ safi: "1", "af-name": `${family === "ipv4" ? "IPv4" : "IPv6"} Unicast` },
    ...{ "table-version": "12", "router-id": "192.0.2.1" },
    ...(vrf === undefined ? inside : table("rd", [{ rd_val: "64512:7", ...inside }])),
  };
  const afi = { afi: family === "ipv4" ? "1" : "2", ...table("safi", [safi]) };
  return table("vrf", [{ "vrf-name-out": vrf ?? "default", ...table("afi", [afi]) }]);
}

const pathsOf = ({ paths }: AdvertisedRoute, peer: string): readonly Json[] =>
  paths.map((isUsed, index) => ({
    ...{ pathnr: String(index), status: "valid", best: isUsed ? "bestpath" : "none" },
    ...{ type: "external", statuscode: "*", bestcode: isUsed ? ">" : " ", typecode: "e" },
    ...{ ipnexthop: peer, weight: "0", aspath: "12076", origin: "igp" },
  }));

function routeTo(
  router: Router,
  wiring: Wiring,
  { ip, address, vrf }: { ip: string | undefined; address: string; vrf: string | undefined },
): Answer {
  const at = { management: "mgmt0", managed: "management", prefix: "port-channel" };
  const port = interfaceTowards(router, address, vrf, { ...at, wiring });
  const path = {
    ...{ ipnexthop: "192.0.2.254", ifname: port, uptime: "P40D", pref: "1", metric: "0" },
    ...{ clientname: "static", ubest: "true" },
  };
  const prefix = {
    ...{ ipprefix: "0.0.0.0/0", "ucast-nhops": "1", "mcast-nhops": "0", attached: "false" },
    ...table("path", [path]),
  };
  const family = { addrf: ip === "ip" ? "ipv4" : "ipv6" };
  const addrf = { ...family, ...(port === undefined ? {} : table("prefix", [prefix])) };
  return table("vrf", [{ "vrf-name-out": vrf ?? "default", ...table("addrf", [addrf]) }]);
}

/** `isThere`: whether the instance of the ping is the one of the peerings. */
export function ping(router: Router, address: string, count: number, isThere: boolean): string {
  const answered = answeredProbes(router, isThere ? portWith(router, address) : undefined, count);
  const verb = address.includes(":") ? "ping6" : "ping";
  const loss = count === 0 ? 0 : ((count - answered) / count) * 100;
  const rows = Array.from({ length: Math.min(answered, 5) }, (_, index) => {
    return `64 bytes from ${address}: icmp_seq=${index} ttl=254 time=1.12 ms`;
  });
  return [
    `${verb.toUpperCase()} ${address} (${address}): 56 data bytes`,
    ...rows,
    "",
    `--- ${address} ${verb} statistics ---`,
    `${count} packets transmitted, ${answered} packets received, ${loss.toFixed(2)}% packet loss`,
    ...(answered === 0 ? [] : ["round-trip min/avg/max = 0.5/0.83/1.12 ms"]),
  ].join("\n");
}
