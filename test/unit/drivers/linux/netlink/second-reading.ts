// Reads a message with the codecs of the npm package `netlink` and tells it under the names that
// ours use. The package loads without its native part here, and it shares no line with ours.

import {
  type Info,
  type LinkAttrs,
  parseCacheInfo,
  parseInfo,
  parseLinkAttrs,
  parseLinkProtocolInfoInet,
  parseLinkProtocolInfoInet6,
  parseMacsec,
  parseVlan,
  parseVrf,
  parseVrfPort,
  parseXfrm,
  XdpAttached,
} from "netlink/dist/rt/ifla.js";
import {
  type AddressAttrs,
  formatAddressFlags,
  formatDeviceFlags,
  formatRouteFlags,
  formatRouteNextHopFlags,
  formatRuleFlags,
  LinkType,
  parseAddressMessage,
  parseLinkMessage,
  parseRouteAttrs,
  parseRouteMessage,
  parseRouteNextHop,
  parseRuleMessage,
  type RouteAttrs,
  type RouteMetrics,
  RouteProtocol,
  RouteScope,
  RouteType,
  RuleAction,
  type RuleAttrs,
} from "netlink/dist/rt/structs.js";
import { putEnum } from "netlink/dist/structs.js";

type Octets = Buffer | undefined;

function address(octets: Octets): string | undefined {
  if (octets?.length === 4) return octets.join(".");
  const groups = octets?.toString("hex").match(/.{4}/g) ?? undefined;
  return groups && new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

const hex = (octets: Octets): string | undefined => octets?.toString("hex");
const station = (octets: Octets): string | undefined => hex(octets)?.replaceAll(/..(?=.)/g, "$&:");
const octet = (octets: Octets): number | undefined => octets?.readUInt8();
const word = (octets: Octets): number | undefined => octets?.readUInt32LE();
const signed = (octets: Octets): number | undefined => octets?.readInt32LE();
const yes = (value: number | undefined): boolean | undefined =>
  value === undefined ? undefined : value > 0;

/** Gives back the octets of a number that they took for one of the host's order. */
function turned(value: number | bigint | undefined, length: number): string | undefined {
  if (value === undefined) return undefined;
  const digits = value.toString(16).padStart(2 * length, "0");
  return Buffer.from(digits, "hex").reverse().toString("hex");
}

/** Takes fields that both read as the same number or text; their name stands on the right. */
function renamed<T extends object>(
  from: T,
  names: Readonly<Record<string, keyof T>>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(names).map(([ours, theirs]) => [ours, from[theirs]]));
}

const suites: Readonly<Record<string, string>> = {
  // linux/if_macsec.h calls them MACSEC_DEFAULT_CIPHER_ID and MACSEC_CIPHER_ID_*.
  "80020001000001": "gcm-aes-128",
  "80c20001000001": "gcm-aes-128",
  "80c20001000002": "gcm-aes-256",
  "80c20001000003": "gcm-aes-xpn-128",
  "80c20001000004": "gcm-aes-xpn-256",
};

function macsec(octets: Buffer): object {
  const reported = parseMacsec(octets);
  return {
    ...renamed(reported, { icvLength: "icvLen", window: "window", encodingSa: "encodingSa" }),
    // The kernel keeps both in the order of the wire; they read them in that of the host.
    sci: turned(reported.sci, 8),
    port: turned(reported.port, 2),
    cipherSuite: suites[reported.cipherSuite?.toString(16) ?? ""],
    encrypt: yes(reported.encrypt),
    protect: yes(reported.protect),
    includeSci: yes(reported.incSci),
    endStation: yes(reported.es),
    singleCopyBroadcast: yes(reported.scb),
    replayProtect: yes(reported.replayProtect),
    validation: ["disabled", "check", "strict"][reported.validation ?? 3],
  };
}

function vlan(octets: Buffer): object {
  const { id, flags, protocol } = parseVlan(octets);
  // IFLA_VLAN_PROTOCOL is in the order of the wire too.
  return { id, flags: hex(flags), protocol: turned(protocol, 2) };
}

const settingsOf: Readonly<Record<string, (octets: Buffer) => object>> = {
  macsec,
  vlan,
  vrf: parseVrf,
  xfrm: parseXfrm,
};

function linkInfo({ kind, data, slaveKind, slaveData }: Info): object {
  const settings = kind === undefined ? undefined : settingsOf[kind];
  return {
    ...{ kind, slaveKind },
    ...(kind !== undefined && settings && data ? { [kind]: settings(data) } : {}),
    ...(slaveKind === "vrf" && slaveData
      ? { vrfPort: { table: word(parseVrfPort(slaveData).table) } }
      : {}),
  };
}

/** linux/ip.h numbers them from 1 on, as IPV4_DEVCONF_*. */
const inetSettings = [
  ...["forwarding", "multicastForwarding", "proxyArp", "acceptRedirects", "secureRedirects"],
  ...["sendRedirects", "sharedMedia", "reversePathFilter", "acceptSourceRoute", "bootpRelay"],
  ...["logMartians", "tag", "arpFilter", "mediumId", "disableXfrm", "disablePolicy"],
];

function inet(octets: Buffer): object {
  const { conf } = parseLinkProtocolInfoInet(octets);
  const settings = inetSettings.map((name, index) => [name, conf?.readUInt32LE(4 * index)]);
  return { settings: Object.fromEntries(settings) };
}

function inet6(octets: Buffer): object {
  const reported = parseLinkProtocolInfoInet6(octets);
  const { flags, token, addrGenMode } = reported;
  const cache = reported.cacheinfo && parseCacheInfo(reported.cacheinfo);
  return {
    ...{ flags, token: address(token) },
    cache: cache && {
      ...{ reassemblyMax: cache.maxReasmLen, updated: cache.tstamp },
      ...{ reachableMs: cache.reachableTime, retransmitMs: cache.retransTime },
    },
    addressMode: ["eui64", "none", "stableSecret", "random"][addrGenMode ?? 4],
    // Both know that these are there, and name none of their numbers.
    settings: reported.conf && {},
    statistics: reported.stats && {},
    icmpStatistics: reported.icmp6stats && {},
  };
}

function perFamily(families: LinkAttrs["afSpec"]): object | undefined {
  const [four, six] = [families?.get(2), families?.get(10)];
  return families && { inet: four && inet(four), inet6: six && inet6(six) };
}

/** The kernel has more counters than they know; `__unparsed` holds the others. */
function counters(stats: LinkAttrs["stats"] | LinkAttrs["stats64"]): object | undefined {
  return stats && { ...stats, __unparsed: undefined };
}

const linkNames = {
  ...{ name: "ifname", mtu: "mtu", qdisc: "qdisc", master: "master", alias: "ifalias" },
  ...{ queueLength: "txqlen", linkMode: "linkmode", virtualFunctions: "numVf", group: "group" },
  ...{ promiscuity: "promiscuity", txQueues: "numTxQueues", rxQueues: "numRxQueues" },
  ...{ carrierChanges: "carrierChanges", carrierUpCount: "carrierUpCount" },
  ...{ carrierDownCount: "carrierDownCount", linkNamespace: "linkNetnsid" },
  ...{ physicalPortName: "physPortName", gsoSegmentsMax: "gsoMaxSegs" },
  ...{ gsoSizeMax: "gsoMaxSize", newIndex: "newIfindex", mtuMin: "minMtu", mtuMax: "maxMtu" },
} as const satisfies Record<string, keyof LinkAttrs>;

/** linux/if.h numbers the states of RFC 2863 so. */
const operStates = [
  ...["unknown", "notPresent", "down", "lowerLayerDown", "testing", "dormant", "up"],
] as const;

export function linkByNetlink(octets: Buffer): object {
  const { data, attrs } = parseLinkMessage(octets);
  const { xdp, propList } = attrs;
  return {
    hardware: putEnum(LinkType, data.type ?? 0),
    index: data.index,
    flags: formatDeviceFlags(data.flags ?? {}),
    ...renamed(attrs, linkNames),
    address: station(attrs.address),
    broadcast: station(attrs.broadcast),
    permanentAddress: station(attrs.permAddress),
    link: word(attrs.link),
    statistics32: counters(attrs.stats),
    statistics: counters(attrs.stats64),
    map: hex(attrs.map),
    operState: operStates[attrs.operstate ?? operStates.length],
    info: attrs.linkinfo && linkInfo(parseInfo(attrs.linkinfo)),
    perFamily: perFamily(attrs.afSpec),
    carrier: yes(attrs.carrier),
    physicalPortId: hex(attrs.physPortId),
    physicalSwitchId: hex(attrs.physSwitchId),
    protocolDown: yes(octet(attrs.protoDown)),
    expressDataPath: xdp && {
      ...{ attached: xdp.attached && putEnum(XdpAttached, xdp.attached) },
      ...{ flags: word(xdp.flags), program: word(xdp.progId) },
    },
    event: word(attrs.event),
    newNamespace: signed(attrs.newNetnsid),
    alternativeNames: propList && [parseLinkAttrs(propList).altIfname],
  };
}

const addressNames = { label: "label", metric: "rtPriority" } as const satisfies Record<
  string,
  keyof AddressAttrs
>;

export function addressByNetlink(octets: Buffer): object {
  const { data, attrs } = parseAddressMessage(octets);
  const { cacheInfo, flags } = attrs;
  return {
    ...{ family: data.family, prefixLength: data.prefixlen, scope: data.scope, link: data.index },
    ...renamed(attrs, addressNames),
    address: address(attrs.address),
    local: address(attrs.local),
    broadcast: address(attrs.broadcast),
    anycast: address(attrs.anycast),
    multicast: address(attrs.multicast),
    flags: flags && formatAddressFlags(flags),
    lifetimes: cacheInfo && {
      ...{ preferred: cacheInfo.ifaPrefered, valid: cacheInfo.ifaValid },
      ...{ created: cacheInfo.cstamp, updated: cacheInfo.tstamp },
    },
    targetNamespace: signed(attrs.targetNetnsid),
  };
}

const metricNames = {
  ...{ lock: "lock", mtu: "mtu", window: "window", roundTrip: "rtt" },
  ...{ roundTripVariance: "rttvar", slowStartThreshold: "ssthresh", congestionWindow: "cwnd" },
  ...{ advertisedSegment: "advmss", reordering: "reordering", hopLimit: "hoplimit" },
  ...{ initialCongestionWindow: "initcwnd", features: "features", retransmissionMin: "rtoMin" },
  ...{ initialReceiveWindow: "initrwnd", quickAcknowledge: "quickack" },
  ...{ fastOpen: "fastopenNoCookie" },
} as const satisfies Record<string, keyof RouteMetrics>;

function metrics(reported: RouteMetrics): object {
  const numbers = Object.entries(renamed(reported, metricNames));
  return {
    ...Object.fromEntries(numbers.map(([name, octets]) => [name, word(octets as Octets)])),
    congestionControl: reported.ccAlgo?.toString("latin1").replace(/\0$/, ""),
  };
}

function nextHops(octets: Buffer): object[] {
  const hops: object[] = [];
  for (let at = 0; at < octets.length; ) {
    const { len = 0, ...hop } = parseRouteNextHop(octets.subarray(at, at + 8));
    const { gateway } = parseRouteAttrs(octets.subarray(at + 8, at + len));
    hops.push({
      ...{ link: hop.ifindex, hops: hop.hops, gateway: address(gateway) },
      flags: formatRouteNextHopFlags(hop.flags ?? {}),
    });
    at += (len + 3) & ~3;
  }
  return hops;
}

const routeNames = {
  ...{ inputLink: "iif", outputLink: "oif", priority: "priority", flow: "flow", table: "table" },
  encapType: "encapType",
} as const satisfies Record<string, keyof RouteAttrs>;

function routeCache(reported: RouteAttrs["cacheInfo"]): object | undefined {
  return (
    reported && {
      ...{ clients: reported.clntref, lastUse: reported.lastuse, expires: reported.expires },
      ...{ error: reported.error, used: reported.used, id: reported.id },
      ...{ timestamp: reported.ts, timestampAge: reported.tsage },
    }
  );
}

export function routeByNetlink(octets: Buffer): object {
  const { data, attrs } = parseRouteMessage(octets);
  return {
    ...{ family: data.family, destinationLength: data.dstLen, sourceLength: data.srcLen },
    serviceType: data.tos,
    protocol: putEnum(RouteProtocol, data.protocol ?? 0),
    scope: putEnum(RouteScope, data.scope ?? 0),
    kind: putEnum(RouteType, data.type ?? 0),
    flags: formatRouteFlags(data.flags ?? {}),
    ...renamed(attrs, routeNames),
    destination: address(attrs.dst),
    source: address(attrs.src),
    gateway: address(attrs.gateway),
    preferredSource: address(attrs.prefsrc),
    metrics: attrs.metrics && metrics(attrs.metrics),
    nextHops: attrs.multipath && nextHops(attrs.multipath),
    cache: routeCache(attrs.cacheInfo),
    mark: word(attrs.mark),
    newDestination: hex(attrs.newdst),
    preference: octet(attrs.pref),
    encap: hex(attrs.encap),
    expires: word(attrs.expires),
    user: word(attrs.uid),
    propagateTtl: yes(attrs.ttlPropagate),
    ipProtocol: octet(attrs.ipProto),
    sourcePort: hex(attrs.sport),
    destinationPort: hex(attrs.dport),
    nextHopId: word(attrs.nhId),
  };
}

const ruleNames = {
  ...{ inputName: "iifname", outputName: "oifname", goto: "goto", priority: "priority" },
  ...{ mark: "fwmark", markMask: "fwmask", flow: "flow", table: "table", protocol: "protocol" },
  ipProtocol: "ipProto",
} as const satisfies Record<string, keyof RuleAttrs>;

function range(reported: { start?: number; end?: number } | undefined): object | undefined {
  return reported && { first: reported.start, last: reported.end };
}

export function ruleByNetlink(octets: Buffer): object {
  const { data, attrs } = parseRuleMessage(octets);
  return {
    ...{ family: data.family, destinationLength: data.dstLen, sourceLength: data.srcLen },
    serviceType: data.tos,
    action: putEnum(RuleAction, data.action ?? 0),
    flags: formatRuleFlags(data.flags ?? {}),
    ...renamed(attrs, ruleNames),
    destination: address(attrs.dst),
    source: address(attrs.src),
    tunnel: hex(attrs.tunId),
    suppressGroup: word(attrs.suppressIfgroup),
    suppressPrefixLength: word(attrs.suppressPrefixlen),
    masterTable: yes(attrs.l3Mdev),
    users: range(attrs.uidRange),
    sourcePorts: range(attrs.sportRange),
    destinationPorts: range(attrs.dportRange),
  };
}
