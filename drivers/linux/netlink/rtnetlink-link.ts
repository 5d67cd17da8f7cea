// Links of this host: RTM_NEWLINK, RTM_DELLINK and the requests that change them.

import type { CipherSuite } from "#hal/model.ts";
import type { NetlinkMessage, NetlinkRequest, Octets } from "#hal/netlink.ts";
import { attribute, netlinkFlags, unparsed } from "../../transport/netlink-wire.ts";
import { ipAddress } from "./address.ts";
import { type Attributes, type Codec, listOf, type ReadCodec, table } from "./attributes.ts";
import {
  bool,
  flag,
  hex,
  hexOfSize,
  linkAddress,
  longWords,
  named,
  s32,
  text,
  u8,
  u16,
  u32,
  u64,
  words,
} from "./codecs.ts";

const linkTypes = { newLink: 16, deleteLink: 17, getLink: 18 } as const;
export const linkGroup = 1;

/** Flags of ifinfomsg. */
export const linkFlags = { up: 0x1 } as const;

const suites = new Map<bigint, CipherSuite>([
  [0x0080c20001000001n, "gcm-aes-128"],
  [0x0080c20001000002n, "gcm-aes-256"],
  [0x0080c20001000003n, "gcm-aes-xpn-128"],
  [0x0080c20001000004n, "gcm-aes-xpn-256"],
  // The number that the kernel used for GCM-AES-128 before it knew the standard's, and still sends.
  [0x0080020001000001n, "gcm-aes-128"],
]);

/** IEEE Std 802.1AE-2018 table 14-1. */
export const cipherSuite: Codec<CipherSuite | undefined> = {
  read: (view, start, end) => suites.get(u64.read(view, start, end)),
  write: (suite) => u64.write([...suites].find(([, name]) => name === suite)?.[0] ?? 0n),
};

/** How a SecY treats frames without valid protection. */
export const validation = named({ 0: "disabled", 1: "check", 2: "strict" }, u8);
/** The device that MACsec is offloaded to. */
export const offload = named({ 0: "off", 1: "phy", 2: "mac" }, u8);

/** The SCI in the order of the wire, so that it reads as address and port. */
export const sci: Codec<string> = hexOfSize(8);

const macsecSettings = table({
  sci: [1, sci],
  /** Big-endian, unlike all other numbers here. */
  port: [2, hexOfSize(2)],
  icvLength: [3, u8],
  cipherSuite: [4, cipherSuite],
  window: [5, u32],
  encodingSa: [6, u8],
  encrypt: [7, bool],
  protect: [8, bool],
  includeSci: [9, bool],
  endStation: [10, bool],
  singleCopyBroadcast: [11, bool],
  replayProtect: [12, bool],
  validation: [13, validation],
  pad: [14, hex],
  offload: [15, offload],
});

const vrf = table({ table: [1, u32] });
const xfrm = table({ link: [1, u32], ifId: [2, u32], collectMetadata: [3, flag] });
const vlan = table({ id: [1, u16], flags: [2, hex], protocol: [5, hexOfSize(2)] });
const vrfPort = table({ table: [1, u32] });

const infoData = { macsec: macsecSettings, vrf, xfrm, vlan };
type Kind = keyof typeof infoData;
const isKind = (kind: string): kind is Kind => Object.hasOwn(infoData, kind);

interface Place {
  readonly start: number;
  readonly end: number;
}
const place: ReadCodec<Place> = { read: (_view, start, end) => ({ start, end }) };

const infoRows = table({
  kind: [1, text],
  data: [2, place],
  statistics: [3, hex],
  slaveKind: [4, text],
  slaveData: [5, place],
});

/** The kind of a link, with its settings under the name of the kind. */
interface LinkInfo {
  readonly kind: string | undefined;
  readonly macsec?: Attributes<MacsecRows>;
  readonly vrf?: Attributes<VrfRows>;
  readonly xfrm?: Attributes<XfrmRows>;
  readonly vlan?: Attributes<VlanRows>;
  readonly slaveKind: string | undefined;
  /** The table of the VRF that the link is a port of. */
  readonly vrfPort?: Attributes<VrfRows>;
  readonly unnamed: readonly number[];
}
type RowsOf<T> = T extends { read(...given: never[]): Attributes<infer R> } ? R : never;
type MacsecRows = RowsOf<typeof macsecSettings>;
type VrfRows = RowsOf<typeof vrf>;
type XfrmRows = RowsOf<typeof xfrm>;
type VlanRows = RowsOf<typeof vlan>;

const linkInfo: ReadCodec<LinkInfo> = {
  read(view, start, end) {
    const { kind, slaveKind, data, slaveData, unnamed } = infoRows.read(view, start, end);
    const settings =
      kind !== undefined && data !== undefined && isKind(kind)
        ? { [kind]: infoData[kind].read(view, data.start, data.end) }
        : {};
    const port =
      slaveKind === "vrf" && slaveData !== undefined
        ? { vrfPort: vrfPort.read(view, slaveData.start, slaveData.end) }
        : {};
    return { kind, slaveKind, unnamed, ...settings, ...port };
  },
};

const counterNames = [
  "rxPackets",
  "txPackets",
  "rxBytes",
  "txBytes",
  "rxErrors",
  "txErrors",
  "rxDropped",
  "txDropped",
  "multicast",
  "collisions",
  "rxLengthErrors",
  "rxOverErrors",
  "rxCrcErrors",
  "rxFrameErrors",
  "rxFifoErrors",
  "rxMissedErrors",
  "txAbortedErrors",
  "txCarrierErrors",
  "txFifoErrors",
  "txHeartbeatErrors",
  "txWindowErrors",
  "rxCompressed",
  "txCompressed",
  "rxNoHandler",
  "rxOtherHostDropped",
] as const;

const inet6 = table({
  flags: [1, u32],
  settings: [2, words()],
  statistics: [3, longWords()],
  cache: [5, words("reassemblyMax", "updated", "reachableMs", "retransmitMs")],
  icmpStatistics: [6, longWords()],
  token: [7, ipAddress],
  addressMode: [8, named({ 0: "eui64", 1: "none", 2: "stableSecret", 3: "random" }, u8)],
  routerMtu: [9, u32],
});

/** IPV4_DEVCONF_* by their numbers, beginning at 1. */
const inetSettings = words(
  ...(["forwarding", "multicastForwarding", "proxyArp", "acceptRedirects"] as const),
  ...(["secureRedirects", "sendRedirects", "sharedMedia", "reversePathFilter"] as const),
  ...(["acceptSourceRoute", "bootpRelay", "logMartians", "tag"] as const),
  ...(["arpFilter", "mediumId", "disableXfrm", "disablePolicy"] as const),
);
const disablePolicyNumber = 16;
const perFamily = table({ inet: [2, table({ settings: [1, inetSettings] })], inet6: [10, inet6] });
const expressDataPath = table({ attached: [2, u8], flags: [3, u32], program: [4, u32] });

const linkRows = table({
  address: [1, linkAddress],
  broadcast: [2, linkAddress],
  name: [3, text],
  mtu: [4, u32],
  link: [5, u32],
  qdisc: [6, text],
  statistics32: [7, words(...counterNames)],
  master: [10, u32],
  queueLength: [13, u32],
  map: [14, hex],
  operState: [
    16,
    named(
      {
        0: "unknown",
        1: "notPresent",
        2: "down",
        3: "lowerLayerDown",
        4: "testing",
        5: "dormant",
        6: "up",
      },
      u8,
    ),
  ],
  linkMode: [17, u8],
  info: [18, linkInfo],
  alias: [20, text],
  virtualFunctions: [21, u32],
  statistics: [23, longWords(...counterNames)],
  perFamily: [26, perFamily],
  group: [27, u32],
  promiscuity: [30, u32],
  txQueues: [31, u32],
  rxQueues: [32, u32],
  carrier: [33, bool],
  physicalPortId: [34, hex],
  carrierChanges: [35, u32],
  physicalSwitchId: [36, hex],
  linkNamespace: [37, s32],
  physicalPortName: [38, text],
  protocolDown: [39, bool],
  gsoSegmentsMax: [40, u32],
  gsoSizeMax: [41, u32],
  pad: [42, hex],
  expressDataPath: [43, expressDataPath],
  event: [44, u32],
  newNamespace: [45, s32],
  carrierUpCount: [47, u32],
  carrierDownCount: [48, u32],
  newIndex: [49, s32],
  mtuMin: [50, u32],
  mtuMax: [51, u32],
  alternativeNames: [52, listOf(text)],
  permanentAddress: [54, linkAddress],
  protocolDownReason: [55, hex],
  parentDevice: [56, text],
  parentBus: [57, text],
  groSizeMax: [58, u32],
  tsoSizeMax: [59, u32],
  tsoSegmentsMax: [60, u32],
  allMulticast: [61, u32],
  devlinkPort: [62, hex],
  gsoIpv4SizeMax: [63, u32],
  groIpv4SizeMax: [64, u32],
  clockPin: [65, hex],
  // Four octets, or eight if it needs them.
  pacingHorizonMax: [66, hex],
  isNamespaceFixed: [67, u8],
  headroom: [68, u16],
  tailroom: [69, u16],
});

type LinkRows = RowsOf<typeof linkRows>;

/** A link of this host. */
export interface Link extends Attributes<LinkRows> {
  readonly index: number;
  /** The ARP hardware type: 1 is Ethernet. */
  readonly hardware: number;
  /** Flags of ifinfomsg. */
  readonly flags: number;
}

const headerBytes = 16;

/** Returns undefined for a message that does not describe a link. */
export function readLink({ type, view, start, end }: NetlinkMessage): Link | undefined {
  if (type !== linkTypes.newLink && type !== linkTypes.deleteLink) return undefined;
  if (end - start < headerBytes) throw unparsed("a link without its header");
  return {
    ...linkRows.read(view, start + headerBytes, end),
    hardware: view.getUint16(start + 2, true),
    index: view.getInt32(start + 4, true),
    flags: view.getUint32(start + 8, true),
  };
}

function header(index: number, flags: number, changed: number): Uint8Array {
  const octets = new Uint8Array(headerBytes);
  const view = new DataView(octets.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, changed, true);
  return octets;
}

/** Builds the dump of all links. */
export function dumpLinks(): NetlinkRequest {
  return { type: linkTypes.getLink, flags: netlinkFlags.dump, body: [header(0, 0, 0)] };
}

/** Settings of a MACsec device, by their names in the standard. */
type MacsecLinkSettings = Parameters<typeof macsecSettings.write>[0];

interface MacsecLink {
  readonly name: string;
  /** The index of the uncontrolled port. */
  readonly below: number;
  readonly mtu?: number;
  readonly settings: MacsecLinkSettings;
}

function infoOf(kind: "macsec" | "vlan" | "xfrm", data: Octets): Octets {
  return attribute(18, [...attribute(1, text.write(kind)), ...attribute(2, data)]);
}

type OwnAttributes = Parameters<typeof linkRows.write>[0];

function addLink(own: OwnAttributes, info: Octets): NetlinkRequest {
  return {
    type: linkTypes.newLink,
    flags: netlinkFlags.create | netlinkFlags.exclusive,
    body: [header(0, 0, 0), ...linkRows.write(own), ...info],
  };
}

/** Builds the request that creates a MACsec device; the kernel refuses one that exists. */
export function addMacsecLink({ name, below, mtu, settings }: MacsecLink): NetlinkRequest {
  return addLink({ name, link: below, mtu }, infoOf("macsec", macsecSettings.write(settings)));
}

/**
 * Builds the request that changes a MACsec device in operation; its cipher suite cannot be changed.
 */
export function changeMacsecLink(index: number, settings: MacsecLinkSettings): NetlinkRequest {
  const body = [header(index, 0, 0), ...infoOf("macsec", macsecSettings.write(settings))];
  return { type: linkTypes.newLink, flags: 0, body };
}

/** Changes of an existing link; absent settings stay. */
interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  /** The index of the link that it becomes a port of; 0 = of none. */
  readonly master?: number;
  /** How the link makes link-local addresses by itself. */
  readonly addressMode?: "eui64" | "none";
  /** Whether the policies of IPsec apply to what comes in here over IPv4. */
  readonly inboundPolicy?: "checked" | "passed";
}

/** Returns whether the policies of IPsec apply to what comes in here over IPv4. */
export function inboundPolicyOf({ perFamily: families }: Link): "checked" | "passed" {
  return families?.inet?.settings?.disablePolicy === 1 ? "passed" : "checked";
}

/** Builds the request that changes a link; absent settings stay. */
export function changeLink(index: number, change: LinkChange): NetlinkRequest {
  const { up, mtu, master, addressMode, inboundPolicy } = change;
  const flags = up === true ? linkFlags.up : 0;
  const first = header(index, flags, up === undefined ? 0 : linkFlags.up);
  const attributes = linkRows.write({ mtu, master });
  const mode = addressMode === undefined ? [] : addressModeOf(addressMode);
  const inbound = inboundPolicy === undefined ? [] : inboundOf(inboundPolicy);
  return { type: linkTypes.newLink, flags: 0, body: [first, ...attributes, ...mode, ...inbound] };
}

// IFLA_AF_SPEC, the number of the family, IFLA_INET_CONF.
function inboundOf(policy: "checked" | "passed"): Octets {
  const word = u32.write(policy === "passed" ? 1 : 0);
  return attribute(26, attribute(2, attribute(1, attribute(disablePolicyNumber, word))));
}

// IFLA_AF_SPEC, the number of the family, IFLA_INET6_ADDR_GEN_MODE.
function addressModeOf(mode: "eui64" | "none"): Octets {
  const octet = u8.write(mode === "eui64" ? 0 : 1);
  return attribute(26, attribute(10, attribute(8, octet)));
}

interface VlanLink {
  readonly name: string;
  /** The index of the link that its frames leave by. */
  readonly below: number;
  readonly mtu: number;
  readonly id: number;
  /** 8100 or 88a8. */
  readonly protocol: string;
}

/** Builds the request that creates a VLAN; the kernel refuses one that exists. */
export function addVlanLink({ name, below, mtu, id, protocol }: VlanLink): NetlinkRequest {
  return addLink({ name, link: below, mtu }, infoOf("vlan", vlan.write({ id, protocol })));
}

interface XfrmLink {
  readonly name: string;
  readonly ifId: number;
  readonly mtu: number;
}

/**
 * Builds the request that creates an xfrm interface with no link below: its packets leave by the
 * port that leads to the gateway at the time.
 */
export function addXfrmLink({ name, ifId, mtu }: XfrmLink): NetlinkRequest {
  return addLink({ name, mtu }, infoOf("xfrm", xfrm.write({ ifId })));
}

/** Builds the request that deletes a link. */
export function deleteLink(index: number): NetlinkRequest {
  return { type: linkTypes.deleteLink, flags: 0, body: [header(index, 0, 0)] };
}
