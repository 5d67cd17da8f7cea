// Routes and routing rules of this host: RTM_NEWROUTE, RTM_NEWRULE and the requests that delete
// them.

import type { NetlinkMessage, NetlinkRequest } from "#hal/netlink.ts";
import { netlinkFlags, unparsed } from "../../transport/netlink-wire.ts";
import { addressOctets, families, ipAddress } from "./address.ts";
import { type Attributes, type ReadCodec, table } from "./attributes.ts";
import { bool, hex, text, u8, u16, u32, words } from "./codecs.ts";

const routeTypes = { newRoute: 24, deleteRoute: 25, getRoute: 26 } as const;
const ruleTypes = { newRule: 32, deleteRule: 33, getRule: 34 } as const;

/** The types of rtmsg: what happens to a packet. */
export const routeKinds = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
} as const;

const metricRows = {
  lock: [1, u32],
  mtu: [2, u32],
  window: [3, u32],
  roundTrip: [4, u32],
  roundTripVariance: [5, u32],
  slowStartThreshold: [6, u32],
  congestionWindow: [7, u32],
  advertisedSegment: [8, u32],
  reordering: [9, u32],
  hopLimit: [10, u32],
  initialCongestionWindow: [11, u32],
  features: [12, u32],
  retransmissionMin: [13, u32],
  initialReceiveWindow: [14, u32],
  quickAcknowledge: [15, u32],
  congestionControl: [16, text],
  fastOpen: [17, u32],
} as const;

/** RTA_VIA: a next hop of another family than the route's. */
const via: ReadCodec<string> = {
  read: (view, start, end) => ipAddress.read(view, start + 2, end),
};

const hopRows = table({ gateway: [5, ipAddress], via: [18, via], encapType: [21, u16] });

interface NextHop {
  readonly link: number;
  readonly flags: number;
  /** The configured weight less one. */
  readonly hops: number;
  readonly gateway: string | undefined;
  readonly via: string | undefined;
}

const nextHopBytes = 8;

const nextHops: ReadCodec<readonly NextHop[]> = {
  read(view, start, end) {
    const hops: NextHop[] = [];
    for (let at = start; at < end; ) {
      const size = end - at < nextHopBytes ? 0 : view.getUint16(at, true);
      if (size < nextHopBytes || size > end - at) throw unparsed("a next hop has a wrong length");
      const { gateway, via: other } = hopRows.read(view, at + nextHopBytes, at + size);
      hops.push({
        link: view.getInt32(at + 4, true),
        flags: view.getUint8(at + 2),
        hops: view.getUint8(at + 3),
        gateway,
        via: other,
      });
      at += (size + 3) & ~3;
    }
    return hops;
  },
};

const cacheWords = words(
  ...(["clients", "lastUse", "expires", "error"] as const),
  ...(["used", "id", "timestamp", "timestampAge"] as const),
);

/** rta_cacheinfo counts the rest of a life as a signed number, negative once the life is over. */
const cache: ReadCodec<ReturnType<typeof cacheWords.read>> = {
  read(view, start, end) {
    const { expires, ...others } = cacheWords.read(view, start, end);
    return expires === undefined ? others : { ...others, expires: expires | 0 };
  },
};

const routeRows = {
  destination: [1, ipAddress],
  source: [2, ipAddress],
  inputLink: [3, u32],
  outputLink: [4, u32],
  gateway: [5, ipAddress],
  priority: [6, u32],
  preferredSource: [7, ipAddress],
  metrics: [8, table(metricRows)],
  nextHops: [9, nextHops],
  flow: [11, u32],
  cache: [12, cache],
  table: [15, u32],
  mark: [16, u32],
  via: [18, via],
  newDestination: [19, hex],
  preference: [20, u8],
  encapType: [21, u16],
  encap: [22, hex],
  expires: [23, u32],
  pad: [24, hex],
  user: [25, u32],
  propagateTtl: [26, bool],
  ipProtocol: [27, u8],
  sourcePort: [28, hex],
  destinationPort: [29, hex],
  nextHopId: [30, u32],
} as const;
const routeTable = table(routeRows);

/** A route of this host. */
export interface Route extends Attributes<typeof routeRows> {
  /** The address family. */
  readonly family: number;
  /** The length of the destination's prefix in bits. */
  readonly destinationLength: number;
  /** The length of the source's prefix in bits. */
  readonly sourceLength: number;
  /** The TOS that the route is for. */
  readonly serviceType: number;
  /** The origin of the route: 2 the kernel, 3 at boot, 4 an administrator, 186 BGP. */
  readonly protocol: number;
  /** The scope (RT_SCOPE_*). */
  readonly scope: number;
  /** One of `routeKinds`. */
  readonly kind: number;
  /** Flags of rtmsg. */
  readonly flags: number;
}

const headerBytes = 12;

/** Returns undefined for a message that does not describe a route. */
export function readRoute({ type, view, start, end }: NetlinkMessage): Route | undefined {
  if (type !== routeTypes.newRoute && type !== routeTypes.deleteRoute) return undefined;
  if (end - start < headerBytes) throw unparsed("a route without its header");
  return {
    ...routeTable.read(view, start + headerBytes, end),
    family: view.getUint8(start),
    destinationLength: view.getUint8(start + 1),
    sourceLength: view.getUint8(start + 2),
    serviceType: view.getUint8(start + 3),
    protocol: view.getUint8(start + 5),
    scope: view.getUint8(start + 6),
    kind: view.getUint8(start + 7),
    flags: view.getUint32(start + 8, true),
  };
}

/** Returns true if the message reports a route's deletion. */
export const isRouteGone = ({ type }: Pick<NetlinkMessage, "type">): boolean =>
  type === routeTypes.deleteRoute;

/** Builds the dump of all routes of a family. */
export function dumpRoutes(family: number): NetlinkRequest {
  const body = [Uint8Array.of(family, ...Array.from({ length: headerBytes - 1 }, () => 0))];
  return { type: routeTypes.getRoute, flags: netlinkFlags.dump, body };
}

/** RTM_F_FIB_MATCH */
const wholeRoute = 0x2000;

/**
 * Builds the query for the route that the kernel would take to an address; with a source it answers
 * the whole route of packets from there, with every next hop.
 */
export function askRoute(destination: string, source?: string): NetlinkRequest {
  const octets = addressOctets(destination);
  const family = octets.length === 4 ? families.ipv4 : families.ipv6;
  const bits = 8 * octets.length;
  const header = new Uint8Array(headerBytes);
  header.set([family, bits, source === undefined ? 0 : bits]);
  if (source !== undefined) new DataView(header.buffer).setUint32(8, wholeRoute, true);
  const body = [header, ...routeTable.write({ destination, source })];
  return { type: routeTypes.getRoute, flags: 0, body };
}

/** RTPROT_STATIC, RT_TABLE_MAIN. */
const administrator = 4;
const mainTable = 254;
const linkScope = 253;

/**
 * Builds the request that adds a route behind existing ones for the same prefix, instead of
 * replacing them.
 */
export function addLinkRoute(prefix: string, link: number): NetlinkRequest {
  const flags = netlinkFlags.create | netlinkFlags.append;
  return linkRoute(routeTypes.newRoute, flags, prefix, link);
}

/** Builds the request that deletes a route of `addLinkRoute`. */
export function deleteLinkRoute(prefix: string, link: number): NetlinkRequest {
  return linkRoute(routeTypes.deleteRoute, 0, prefix, link);
}

/**
 * Returns true for a route as `addLinkRoute` makes it. Those of routing daemons, of the kernel and
 * of `ip route` without a protocol have another one.
 */
export function isLinkRoute(route: Route, link: number): boolean {
  const { protocol, kind, outputLink, gateway, via: other, table: of = mainTable } = route;
  const isOurs = protocol === administrator && kind === routeKinds.unicast && of === mainTable;
  return isOurs && outputLink === link && gateway === undefined && other === undefined;
}

function linkRoute(type: number, flags: number, prefix: string, link: number): NetlinkRequest {
  const [address = "", length = "0"] = prefix.split("/");
  const octets = addressOctets(address);
  const family = octets.length === 4 ? families.ipv4 : families.ipv6;
  const scope = family === families.ipv4 ? linkScope : 0;
  const header = new Uint8Array(headerBytes);
  header.set([family, Number(length), 0, 0, mainTable, administrator, scope, routeKinds.unicast]);
  const body = [header, ...routeTable.write({ destination: address, outputLink: link })];
  return { type, flags, body };
}

const range16 = (): ReadCodec<{ readonly first: number; readonly last: number }> => ({
  read: (view, start, end) => ({
    first: u16.read(view, start, start + 2),
    last: u16.read(view, end - 2, end),
  }),
});

const ruleRows = {
  destination: [1, ipAddress],
  source: [2, ipAddress],
  inputName: [3, text],
  goto: [4, u32],
  priority: [6, u32],
  mark: [10, u32],
  flow: [11, u32],
  tunnel: [12, hex],
  suppressGroup: [13, u32],
  suppressPrefixLength: [14, u32],
  table: [15, u32],
  markMask: [16, u32],
  outputName: [17, text],
  pad: [18, hex],
  /** The table is that of the VRF that the packet belongs to. */
  masterTable: [19, bool],
  users: [20, words("first", "last")],
  protocol: [21, u8],
  ipProtocol: [22, u8],
  sourcePorts: [23, range16()],
  destinationPorts: [24, range16()],
  codePoint: [25, u8],
  flowLabel: [26, hex],
  flowLabelMask: [27, hex],
  sourcePortMask: [28, u16],
  destinationPortMask: [29, u16],
  codePointMask: [30, u8],
} as const;
const ruleTable = table(ruleRows);

export interface Rule extends Attributes<typeof ruleRows> {
  readonly family: number;
  readonly destinationLength: number;
  readonly sourceLength: number;
  readonly serviceType: number;
  /** 1 is a look-up in the table. */
  readonly action: number;
  readonly flags: number;
}

/** Returns undefined for a message that does not describe a rule. */
export function readRule({ type, view, start, end }: NetlinkMessage): Rule | undefined {
  if (type !== ruleTypes.newRule && type !== ruleTypes.deleteRule) return undefined;
  if (end - start < headerBytes) throw unparsed("a rule without its header");
  return {
    ...ruleTable.read(view, start + headerBytes, end),
    family: view.getUint8(start),
    destinationLength: view.getUint8(start + 1),
    sourceLength: view.getUint8(start + 2),
    serviceType: view.getUint8(start + 3),
    action: view.getUint8(start + 7),
    flags: view.getUint32(start + 8, true),
  };
}

export function dumpRules(family: number): NetlinkRequest {
  const body = [Uint8Array.of(family, ...Array.from({ length: headerBytes - 1 }, () => 0))];
  return { type: ruleTypes.getRule, flags: netlinkFlags.dump, body };
}
