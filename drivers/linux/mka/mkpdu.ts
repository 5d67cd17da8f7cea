// Decodes MKPDUs, IEEE Std 802.1X-2020 11.11, in two steps: what can be known before the ICV is
// checked, and the parameter sets after it.

import type { Ckn } from "#hal/model.ts";
import { icvBytes, type KeyIdentifier } from "./keys.ts";
import { suiteOfId, suites } from "./suite.ts";

export interface Basic {
  readonly version: number;
  readonly keyServerPriority: number;
  /** True if the sender is the key server, or has not found that another station is. */
  readonly keyServer: boolean;
  readonly macsecDesired: boolean;
  /** 2 = integrity and confidentiality, offset 0. */
  readonly macsecCapability: number;
  /** MAC and port, lower-case hex. */
  readonly sci: string;
  /** Lower-case hex. */
  readonly mi: string;
  readonly mn: number;
  readonly ckn: Ckn;
}

export interface PeerEntry {
  readonly mi: string;
  readonly mn: number;
}

/** How a participant uses one SAK. */
export interface KeyUse {
  readonly keyIdentifier: KeyIdentifier;
  readonly an: number;
  readonly transmit: boolean;
  readonly receive: boolean;
  /** The low 32 bits. */
  readonly lowestPn: number;
}

export type SakUse =
  /** The sender does not use MACsec at all. */
  | { readonly kind: "plain" }
  | {
      readonly kind: "used";
      readonly latest: KeyUse | undefined;
      readonly old: KeyUse | undefined;
      readonly plainTransmit: boolean;
      readonly plainReceive: boolean;
      readonly delayProtect: boolean;
    };

export type DistributedSak =
  /** The key server does not want MACsec. */
  | { readonly kind: "plain" }
  | {
      readonly kind: "wrapped";
      readonly an: number;
      /** 0 = no confidentiality at all, 1 = offset 0, 2 = offset 30, 3 = offset 50. */
      readonly confidentialityOffset: number;
      readonly kn: number;
      /** Undefined in the short form, which means GCM-AES-128. */
      readonly suiteId: string | undefined;
      readonly wrapped: Uint8Array;
    };

export interface AnnouncedSuite {
  readonly suiteId: string;
  /** The same values as `macsecCapability`. */
  readonly capability: number;
}

/** High halves of the lowest packet numbers in the SAK use. */
export interface XpnSet {
  readonly suspensionSeconds: number;
  readonly latestHigh: number;
  readonly oldHigh: number;
}

export interface Mkpdu {
  readonly basic: Basic;
  readonly livePeers: readonly PeerEntry[];
  /** The low octet of the key server's SSCI; 0 = not reported. */
  readonly keyServerSsci: number;
  readonly potentialPeers: readonly PeerEntry[];
  readonly sakUse?: SakUse;
  readonly distributedSak?: DistributedSak;
  readonly announced?: readonly AnnouncedSuite[];
  readonly xpn?: XpnSet;
  readonly icvIndicator: "present" | "absent";
}

/** The rule that a frame breaks. */
export type Malformation =
  | "shortFrame"
  | "eapolVersion"
  | "individualAddress"
  | "truncated"
  | "under32Octets"
  | "notMultipleOf4"
  | "cknLength"
  | "algorithmAgility"
  | "version"
  | "setPastEnd"
  | "peerList"
  | "sakUse"
  | "distributedSak"
  | "distributedCak"
  | "xpn"
  | "icvIndicator";

export interface Located {
  readonly kind: "located";
  readonly ckn: Ckn;
  /** The octets that the ICV protects. */
  readonly octets: Uint8Array;
  readonly icv: Uint8Array;
}

export type Refused = { readonly kind: "malformed"; readonly why: Malformation };

export const headerBytes = 18;
export const etherType = 0x888e;
export const packetType = 5;
export const eapolVersion = 3;
export const agility = 0x0080c201;
/** The size of the basic parameter set, without the CKN. */
export const basicBytes = 28;
export const noMi = "0".repeat(24);

const malformed = (why: Malformation): Refused => ({ kind: "malformed", why });

export const aligned = (length: number): number => (length + 3) & ~3;

const viewOf = (octets: Uint8Array): DataView =>
  new DataView(octets.buffer, octets.byteOffset, octets.length);

function hexOf(octets: Uint8Array, start: number, length: number): string {
  return Buffer.from(octets.buffer, octets.byteOffset + start, length).toString("hex");
}

const lengthAt = (view: DataView, at: number): number => view.getUint16(at + 2) & 0x0fff;

/**
 * Carries out the checks of 11.11.2 that come before the ICV, in their order. `foreign`: EAPOL of
 * another kind.
 */
export function locate(frame: Uint8Array): Located | Refused | { readonly kind: "foreign" } {
  if (frame.length < headerBytes) return malformed("shortFrame");
  const view = viewOf(frame);
  if (view.getUint16(12) !== etherType || frame[15] !== packetType) return { kind: "foreign" };
  if ((frame[14] ?? 0) < eapolVersion) return malformed("eapolVersion");
  if (((frame[0] ?? 0) & 1) === 0) return malformed("individualAddress");
  const length = view.getUint16(16);
  // A longer frame has Ethernet's padding.
  if (frame.length < headerBytes + length) return malformed("truncated");
  if (length < 32) return malformed("under32Octets");
  if (length % 4 !== 0) return malformed("notMultipleOf4");
  const end = headerBytes + length - icvBytes;
  const body = lengthAt(view, headerBytes);
  const cknBytes = body - basicBytes;
  if (cknBytes < 1 || cknBytes > 32) return malformed("cknLength");
  if (headerBytes + 4 + aligned(body) > end) return malformed("setPastEnd");
  if (view.getUint32(headerBytes + 28) !== agility) return malformed("algorithmAgility");
  return {
    kind: "located",
    ckn: hexOf(frame, headerBytes + 32, cknBytes) as Ckn,
    octets: frame.subarray(0, end),
    icv: frame.subarray(end, end + icvBytes),
  };
}

type Sets = { -readonly [Name in keyof Mkpdu]: Mkpdu[Name] };

interface SetAt {
  readonly octets: Uint8Array;
  readonly view: DataView;
  /** The offset of the set's header. */
  readonly at: number;
  /** The length of the set's body. */
  readonly length: number;
}

function peersIn({ view, octets, at, length }: SetAt): PeerEntry[] | undefined {
  if (length % 16 !== 0) return undefined;
  const peers: PeerEntry[] = [];
  for (let from = at + 4; from < at + 4 + length; from += 16) {
    peers.push({ mi: hexOf(octets, from, 12), mn: view.getUint32(from + 12) });
  }
  return peers;
}

function keyUse({ view, octets }: SetAt, at: number, bits: number): KeyUse | undefined {
  const keyIdentifier = { mi: hexOf(octets, at, 12), kn: view.getUint32(at + 12) };
  if (keyIdentifier.mi === noMi) return undefined;
  return {
    keyIdentifier,
    an: bits >> 2,
    transmit: (bits & 2) !== 0,
    receive: (bits & 1) !== 0,
    lowestPn: view.getUint32(at + 16),
  };
}

function sakUseIn(set: SetAt): SakUse | undefined {
  if (set.length === 0) return { kind: "plain" };
  if (set.length < 40) return undefined;
  const keys = set.view.getUint8(set.at + 1);
  const how = set.view.getUint8(set.at + 2);
  return {
    kind: "used",
    latest: keyUse(set, set.at + 4, keys >> 4),
    old: keyUse(set, set.at + 24, keys & 0x0f),
    plainTransmit: (how & 0x80) !== 0,
    plainReceive: (how & 0x40) !== 0,
    delayProtect: (how & 0x10) !== 0,
  };
}

function distributedSakIn({ view, octets, at, length }: SetAt): DistributedSak | undefined {
  if (length === 0) return { kind: "plain" };
  const bits = view.getUint8(at + 1);
  const start = at + 8;
  const common = { an: bits >> 6, confidentialityOffset: (bits >> 4) & 3 };
  const wrapped = (from: number): Uint8Array =>
    Uint8Array.from(octets.subarray(from, at + 4 + length));
  if (length === 28) {
    const kn = view.getUint32(at + 4);
    return { kind: "wrapped", ...common, kn, suiteId: undefined, wrapped: wrapped(start) };
  }
  if (length < 36) return undefined;
  const suiteId = hexOf(octets, start, 8);
  const suite = suiteOfId(suiteId);
  // An unknown suite is reported to the operator by its id, whatever its keys look like.
  if (suite !== undefined && length !== 12 + suites[suite].sakBytes + 8) return undefined;
  const kn = view.getUint32(at + 4);
  return { kind: "wrapped", ...common, kn, suiteId, wrapped: wrapped(start + 8) };
}

const suitesTlv = 112;
const suiteEntryBytes = 10;

// 11.11.1: an announcement that cannot be read is ignored, and the rest of the MKPDU counts.
function announcedIn({ view, octets, at, length }: SetAt): AnnouncedSuite[] | undefined {
  const end = at + 4 + length;
  const found: AnnouncedSuite[] = [];
  for (let from = at + 4; from + 2 <= end; ) {
    const header = view.getUint16(from);
    const type = header >> 9;
    const size = header & 0x1ff;
    if (type === 0) break;
    if (from + 2 + size > end) return undefined;
    if (type === suitesTlv) {
      if (size % suiteEntryBytes !== 0) return undefined;
      for (let entry = from + 2; entry < from + 2 + size; entry += suiteEntryBytes) {
        const capability = view.getUint16(entry) & 3;
        found.push({ suiteId: hexOf(octets, entry + 2, 8), capability });
      }
    }
    from += 2 + size;
  }
  return found;
}

const known = {
  livePeers: 1,
  potentialPeers: 2,
  sakUse: 3,
  distributedSak: 4,
  distributedCak: 5,
  announcement: 7,
  xpn: 8,
  icvIndicator: 255,
} as const;

// Stores the content of the set in `sets`; returns the rule that it breaks, if any.
function readSet(type: number, set: SetAt, sets: Sets): Malformation | undefined {
  const { view, at, length } = set;
  switch (type) {
    case known.livePeers:
    case known.potentialPeers: {
      const peers = peersIn(set);
      if (peers === undefined) return "peerList";
      if (type === known.potentialPeers) sets.potentialPeers = peers;
      else {
        sets.livePeers = peers;
        sets.keyServerSsci = view.getUint8(at + 1);
      }
      return undefined;
    }
    case known.sakUse: {
      const use = sakUseIn(set);
      if (use === undefined) return "sakUse";
      sets.sakUse = use;
      return undefined;
    }
    case known.distributedSak: {
      const sak = distributedSakIn(set);
      if (sak === undefined) return "distributedSak";
      sets.distributedSak = sak;
      return undefined;
    }
    case known.distributedCak:
      // CAKs come from the vault alone: 9.12 does not apply to a link with pre-shared keys.
      return length < 28 ? "distributedCak" : undefined;
    case known.announcement: {
      const announced = announcedIn(set);
      if (announced !== undefined) sets.announced = announced;
      return undefined;
    }
    case known.xpn:
      if (length < 8) return "xpn";
      sets.xpn = {
        suspensionSeconds: view.getUint8(at + 1),
        latestHigh: view.getUint32(at + 4),
        oldHigh: view.getUint32(at + 8),
      };
      return undefined;
    default:
      // 11.11.1: sets of other types are skipped by their length, KMD (6) among them.
      return undefined;
  }
}

function basicIn(octets: Uint8Array, view: DataView, ckn: Ckn): Basic {
  const bits = view.getUint8(headerBytes + 2);
  return {
    version: view.getUint8(headerBytes),
    keyServerPriority: view.getUint8(headerBytes + 1),
    keyServer: (bits & 0x80) !== 0,
    macsecDesired: (bits & 0x40) !== 0,
    macsecCapability: (bits >> 4) & 3,
    sci: hexOf(octets, headerBytes + 4, 8),
    mi: hexOf(octets, headerBytes + 12, 12),
    mn: view.getUint32(headerBytes + 24),
    ckn,
  };
}

/**
 * Decodes the parameter sets of an MKPDU whose ICV was right: all of them are read before any takes
 * effect.
 */
export function parse({ octets, ckn }: Located): Mkpdu | Refused {
  const view = viewOf(octets);
  const basic = basicIn(octets, view, ckn);
  if (basic.version === 0) return malformed("version");
  const sets: Sets = {
    basic,
    livePeers: [],
    keyServerSsci: 0,
    potentialPeers: [],
    icvIndicator: "absent",
  };
  const seen = new Set<number>();
  let at = headerBytes + 4 + aligned(lengthAt(view, headerBytes));
  while (at < octets.length) {
    if (at + 4 > octets.length) return malformed("setPastEnd");
    const type = view.getUint8(at);
    const length = lengthAt(view, at);
    if (type === known.icvIndicator) {
      // The body of this set is the ICV itself, so nothing follows.
      if (length !== icvBytes || at + 4 !== octets.length) return malformed("icvIndicator");
      sets.icvIndicator = "present";
      break;
    }
    if (at + 4 + aligned(length) > octets.length) return malformed("setPastEnd");
    const why = seen.has(type) ? undefined : readSet(type, { octets, view, at, length }, sets);
    if (why !== undefined) return malformed(why);
    seen.add(type);
    at += 4 + aligned(length);
  }
  return sets;
}
