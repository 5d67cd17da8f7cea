// Our readings in the format of `ip -j -d -s`.

import type { MacsecDevice } from "#drivers/linux/macsec/macsec.ts";
import type { Address } from "#drivers/linux/netlink/rtnetlink-address.ts";
import type { Link } from "#drivers/linux/netlink/rtnetlink-link.ts";
import { present } from "./plain.ts";

export type NameOf = (index: number | undefined) => string | undefined;

const flagNames: Readonly<Record<string, number>> = {
  LOOPBACK: 0x8,
  BROADCAST: 0x2,
  POINTOPOINT: 0x10,
  MULTICAST: 0x1000,
  NOARP: 0x80,
  ALLMULTI: 0x200,
  PROMISC: 0x100,
  MASTER: 0x400,
  SLAVE: 0x800,
  UP: 0x1,
  LOWER_UP: 0x10000,
};
/** IFF_RUNNING. */
const running = 0x40;
const hardware: Readonly<Record<number, string>> = { 1: "ether", 772: "loopback", 65534: "none" };
const operStates: Readonly<Record<string, string>> = {
  up: "UP",
  down: "DOWN",
  unknown: "UNKNOWN",
  lowerLayerDown: "LOWERLAYERDOWN",
};

function infoOf(link: Link): unknown {
  const { info } = link;
  if (info === undefined) return undefined;
  const { macsec, vrf, xfrm, vlan } = info;
  const data =
    macsec !== undefined
      ? macsecData(macsec)
      : (vrf ?? xfrm ?? vlan) === undefined
        ? undefined
        : {
            table: vrf?.table,
            if_id: xfrm?.ifId === undefined ? undefined : `0x${xfrm.ifId.toString(16)}`,
            id: vlan?.id,
            protocol: vlan?.protocol === "8100" ? "802.1Q" : vlan?.protocol,
            flags: vlan?.flags?.startsWith("01") === true ? ["REORDER_HDR"] : undefined,
          };
  return {
    info_kind: info.kind,
    info_data: data,
    info_slave_kind: info.slaveKind,
    info_slave_data: info.vrfPort === undefined ? undefined : { table: info.vrfPort.table },
  };
}

function macsecData(macsec: NonNullable<NonNullable<Link["info"]>["macsec"]>): unknown {
  return {
    sci: macsec.sci,
    protect: macsec.protect,
    cipher_suite: macsec.cipherSuite?.toUpperCase(),
    icv_len: macsec.icvLength,
    encoding_sa: macsec.encodingSa,
    validation: macsec.validation,
    offload: macsec.offload,
    encrypt: macsec.encrypt,
    inc_sci: macsec.includeSci,
    es: macsec.endStation,
    scb: macsec.singleCopyBroadcast,
    replay_protect: macsec.replayProtect,
    window: macsec.window,
  };
}

function statisticsOf({ statistics: s }: Link): unknown {
  return {
    rx: {
      bytes: s?.rxBytes,
      packets: s?.rxPackets,
      errors: s?.rxErrors,
      dropped: s?.rxDropped,
      over_errors: s?.rxOverErrors,
      multicast: s?.multicast,
    },
    tx: {
      bytes: s?.txBytes,
      packets: s?.txPackets,
      errors: s?.txErrors,
      dropped: s?.txDropped,
      carrier_errors: s?.txCarrierErrors,
      collisions: s?.collisions,
    },
  };
}

export function linkAsIp(link: Link, nameOf: NameOf): unknown {
  const isNamed = (name: string): boolean => (link.flags & (flagNames[name] ?? 0)) !== 0;
  const mode = link.perFamily?.inet6?.addressMode;
  // The state that ip prints for up and not running, in which a link is for a moment while its
  // light comes.
  const dark = isNamed("UP") && (link.flags & running) === 0 ? ["NO-CARRIER"] : [];
  return present({
    ifindex: link.index,
    link: nameOf(link.link),
    ifname: link.name,
    flags: [...Object.keys(flagNames).filter(isNamed), ...dark].sort(),
    mtu: link.mtu,
    qdisc: link.qdisc,
    master: nameOf(link.master),
    operstate: operStates[link.operState ?? ""],
    linkmode: link.linkMode === 0 ? "DEFAULT" : "DORMANT",
    group: link.group === 0 ? "default" : String(link.group),
    txqlen: link.queueLength,
    link_type: hardware[link.hardware],
    address: link.address,
    broadcast: link.broadcast,
    promiscuity: link.promiscuity,
    allmulti: link.allMulticast,
    min_mtu: link.mtuMin,
    max_mtu: link.mtuMax,
    linkinfo: infoOf(link),
    inet6_addr_gen_mode: mode,
    num_tx_queues: link.txQueues,
    num_rx_queues: link.rxQueues,
    gso_max_size: link.gsoSizeMax,
    gso_max_segs: link.gsoSegmentsMax,
    tso_max_size: link.tsoSizeMax,
    tso_max_segs: link.tsoSegmentsMax,
    gro_max_size: link.groSizeMax,
    gso_ipv4_max_size: link.gsoIpv4SizeMax,
    gro_ipv4_max_size: link.groIpv4SizeMax,
    ifalias: link.alias,
    altnames: link.alternativeNames,
    stats64: statisticsOf(link),
  });
}

const scopes: Readonly<Record<number, string>> = { 0: "global", 253: "link", 254: "host" };
const makers: Readonly<Record<number, string>> = { 1: "kernel_lo", 2: "kernel_ra", 3: "kernel_ll" };
const nodad = 0x2;
const tentative = 0x40;
const permanent = 0x80;
const stablePrivacy = 0x800;

export function addressAsIp(address: Address): unknown {
  const { flags = 0, lifetimes, local, family } = address;
  const isSet = (bit: number): true | undefined => ((flags & bit) === 0 ? undefined : true);
  const other = address.address === (local ?? address.address) ? undefined : address.address;
  return present({
    family: family === 2 ? "inet" : "inet6",
    local: local ?? address.address,
    address: other,
    prefixlen: address.prefixLength,
    metric: address.metric,
    broadcast: address.broadcast,
    scope: scopes[address.scope],
    nodad: isSet(nodad),
    tentative: isSet(tentative),
    dynamic: (flags & permanent) === 0 ? true : undefined,
    "stable-privacy": isSet(stablePrivacy),
    protocol: makers[address.protocol ?? 0],
    label: address.label,
    valid_life_time: lifetimes?.valid,
    preferred_life_time: lifetimes?.preferred,
  });
}

type SecySa = NonNullable<MacsecDevice["txSas"]>[number];

// `ip` writes an SCI as a number.
const sciNumber = (sci: string | undefined): string => `0x${BigInt(`0x${sci}`).toString(16)}`;

function saAsIp({ an, pn, ssci, active, keyId, statistics: s }: SecySa): unknown {
  return {
    an,
    pn,
    ssci: ssci === undefined ? undefined : `0x${ssci.toString(16)}`,
    active,
    key: keyId,
    InPktsOK: s?.inPktsOk,
    InPktsInvalid: s?.inPktsInvalid,
    InPktsNotValid: s?.inPktsNotValid,
    InPktsNotUsingSA: s?.inPktsNotUsingSa,
    InPktsUnusedSA: s?.inPktsUnusedSa,
    OutPktsProtected: s?.outPktsProtected,
    OutPktsEncrypted: s?.outPktsEncrypted,
  };
}

function rxScAsIp({ sci, active, statistics: s, sas }: RxSc): unknown {
  return {
    sci: sciNumber(sci),
    active,
    InOctetsValidated: s?.inOctetsValidated,
    InOctetsDecrypted: s?.inOctetsDecrypted,
    InPktsUnchecked: s?.inPktsUnchecked,
    InPktsDelayed: s?.inPktsDelayed,
    InPktsOK: s?.inPktsOk,
    InPktsInvalid: s?.inPktsInvalid,
    InPktsLate: s?.inPktsLate,
    InPktsNotValid: s?.inPktsNotValid,
    InPktsNotUsingSA: s?.inPktsNotUsingSa,
    InPktsUnusedSA: s?.inPktsUnusedSa,
    sa_list: sas?.map(saAsIp),
  };
}
type RxSc = NonNullable<MacsecDevice["rxScs"]>[number];

export function macsecAsIp(device: MacsecDevice, nameOf: NameOf): unknown {
  const { secy, txScStatistics: tx, secyStatistics: s } = device;
  return present({
    ifindex: device.link,
    ifname: nameOf(device.link),
    protect: secy?.protect,
    validate: secy?.validate,
    // Old names of `ip`, always false.
    sc: false,
    sa: false,
    encrypt: secy?.encrypt,
    send_sci: secy?.includeSci,
    end_station: secy?.endStation,
    scb: secy?.singleCopyBroadcast,
    replay: secy?.replay,
    window: secy?.window,
    cipher_suite: secy?.cipherSuite?.toUpperCase(),
    icv_length: secy?.icvLength,
    sci: sciNumber(secy?.sci),
    encoding_sa: secy?.encodingSa,
    OutPktsUntagged: s?.outPktsUntagged,
    InPktsUntagged: s?.inPktsUntagged,
    OutPktsTooLong: s?.outPktsTooLong,
    InPktsNoTag: s?.inPktsNoTag,
    InPktsBadTag: s?.inPktsBadTag,
    InPktsUnknownSCI: s?.inPktsUnknownSci,
    InPktsNoSCI: s?.inPktsNoSci,
    InPktsOverrun: s?.inPktsOverrun,
    OutPktsProtected: tx?.outPktsProtected,
    OutPktsEncrypted: tx?.outPktsEncrypted,
    OutOctetsProtected: tx?.outOctetsProtected,
    OutOctetsEncrypted: tx?.outOctetsEncrypted,
    sa_list: device.txSas?.map(saAsIp),
    rx_sc: device.rxScs?.map(rxScAsIp),
    offload: device.offload?.type,
  });
}
