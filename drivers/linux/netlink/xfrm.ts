// IPsec of this kernel by NETLINK_XFRM: SAs, policies, and the events of the monitor groups.

import type { NetlinkMessage, NetlinkRequest } from "#hal/netlink.ts";
import { attribute, eachAttribute, netlinkFlags } from "../../transport/netlink-wire.ts";
import type { Named } from "./codecs.ts";
import { templateBytes, type XfrmAttributes, xfrmAttributes } from "./xfrm-attributes.ts";
import {
  familyOf,
  ipProtocols,
  type Limits,
  needs,
  policyUsageAt,
  readAddressAs,
  readLimits,
  readSelector,
  readUsage,
  type Selector,
  selectorBytes,
  type Usage,
  writeAddress,
  writeNoLimits,
  writeSelector,
} from "./xfrm-structs.ts";

const xfrmTypes = {
  newSa: 0x10,
  deleteSa: 0x11,
  getSa: 0x12,
  newPolicy: 0x13,
  deletePolicy: 0x14,
  getPolicy: 0x15,
  acquire: 0x17,
  expire: 0x18,
  updatePolicy: 0x19,
  updateSa: 0x1a,
  policyExpire: 0x1b,
  flushSa: 0x1c,
  flushPolicy: 0x1d,
} as const;

export const xfrmGroups = { acquire: 1, expire: 2, sa: 3, policy: 4 } as const;

const saBytes = 224;
const saNameBytes = 24;
const policyBytes = 168;
const policyNameBytes = 64;
/** The length up to the end of its selector. */
const acquireBytes = 96;

const modes = ["transport", "tunnel", "route optimisation", "in trigger", "beet"] as const;
type Mode = Named<(typeof modes)[number]>;

/** An SA of the kernel (`xfrm_usersa_info`). */
export interface Sa {
  /** The family of the outer addresses. */
  readonly family: number;
  /** The outer source address. */
  readonly source: string;
  /** The outer destination address. */
  readonly destination: string;
  /** The SPI (RFC 4301). */
  readonly spi: number;
  /** The protocol: 50 is ESP, 51 is AH. */
  readonly ipProtocol: number;
  /** Tunnel, transport or another mode. */
  readonly mode: Mode;
  /** The number that ties the SA to the templates of policies. */
  readonly reqid: number;
  /** The number of the acquire that requested it. */
  readonly sequence: number;
  /** The size of the anti-replay window in packets, if the SA has no extended one. */
  readonly replayWindow: number;
  /** Flags (XFRM_STATE_*). */
  readonly flags: number;
  /** The traffic that the SA may carry. */
  readonly selector: Selector;
  /** The soft and hard limits of the SA's lifetime. */
  readonly limits: Limits;
  /** The traffic of the SA so far. */
  readonly usage: Usage;
  /** Packets refused as replayed. */
  readonly replayFailed: number;
  /** Packets refused because they were older than the window. */
  readonly replayWindowFailed: number;
  /** Packets refused because of a wrong ICV. */
  readonly integrityFailed: number;
  /** Algorithms, sequence numbers, marks and the interface id. */
  readonly attributes: XfrmAttributes;
}

/** Returns undefined for a message that does not describe an SA. */
export function readSa({ type, view, start, end }: NetlinkMessage): Sa | undefined {
  if (type !== xfrmTypes.newSa && type !== xfrmTypes.updateSa) return undefined;
  needs({ view, start, end }, saBytes, "an SA");
  return saAt(view, start, xfrmAttributes.read(view, start + saBytes, end));
}

function saAt(view: DataView, at: number, attributes: XfrmAttributes): Sa {
  const family = view.getUint16(at + 212, true);
  const mode = view.getUint8(at + 214);
  return {
    family,
    source: readAddressAs(view, at + 80, family),
    destination: readAddressAs(view, at + 56, family),
    spi: view.getUint32(at + 72),
    ipProtocol: view.getUint8(at + 76),
    mode: modes[mode] ?? `number ${mode}`,
    reqid: view.getUint32(at + 208, true),
    sequence: view.getUint32(at + 204, true),
    replayWindow: view.getUint8(at + 215),
    flags: view.getUint8(at + 216),
    selector: readSelector(view, at),
    limits: readLimits(view, at + 96),
    usage: readUsage(view, at + 160),
    replayWindowFailed: view.getUint32(at + 192, true),
    replayFailed: view.getUint32(at + 196, true),
    integrityFailed: view.getUint32(at + 200, true),
    attributes,
  };
}

const directions = ["in", "out", "forward"] as const;
type PolicyDirection = Named<(typeof directions)[number]>;

/** A policy of the kernel (`xfrm_userpolicy_info`). */
export interface Policy {
  /** The traffic that the policy applies to. */
  readonly selector: Selector;
  /** The direction of that traffic. */
  readonly direction: PolicyDirection;
  /** Whether that traffic passes, through the templates if there are any, or is dropped. */
  readonly action: "allow" | "block";
  /** The lowest number among matching policies wins. */
  readonly priority: number;
  /** The kernel's id of the policy. */
  readonly index: number;
  /** Flags (XFRM_POLICY_*). */
  readonly flags: number;
  /** The sharing of SAs (XFRM_SHARE_*). */
  readonly share: number;
  /** The soft and hard limits of the policy's lifetime. */
  readonly limits: Limits;
  /** When the policy was added and last used. */
  readonly usage: Usage;
  /** Templates, marks and the interface id. */
  readonly attributes: XfrmAttributes;
}

/** Returns undefined for a message that does not describe a policy. */
export function readPolicy({ type, view, start, end }: NetlinkMessage): Policy | undefined {
  if (type !== xfrmTypes.newPolicy && type !== xfrmTypes.updatePolicy) return undefined;
  needs({ view, start, end }, policyBytes, "a policy");
  const direction = view.getUint8(start + 160);
  return {
    selector: readSelector(view, start),
    direction: directions[direction] ?? `number ${direction}`,
    action: view.getUint8(start + 161) === 0 ? "allow" : "block",
    priority: view.getUint32(start + 152, true),
    index: view.getUint32(start + 156, true),
    flags: view.getUint8(start + 162),
    share: view.getUint8(start + 163),
    limits: readLimits(view, start + selectorBytes),
    usage: readUsage(view, start + policyUsageAt),
    attributes: xfrmAttributes.read(view, start + policyBytes, end),
  };
}

interface SaName {
  readonly destination: string;
  readonly spi: number;
  readonly ipProtocol: number;
}

/** An event of a monitor group: it shows where to read again, and is never the state itself. */
export type XfrmEvent =
  | { readonly kind: "saAdded"; readonly sa: Sa }
  | { readonly kind: "saDeleted"; readonly name: SaName }
  | { readonly kind: "saExpired"; readonly name: SaName; readonly hard: boolean }
  | { readonly kind: "policyChanged" }
  | { readonly kind: "saWanted"; readonly destination: string }
  | { readonly kind: "flushed" };

/** Returns undefined for a message that is not an event. */
export function readXfrmEvent(message: NetlinkMessage): XfrmEvent | undefined {
  const { type, view, start } = message;
  switch (type) {
    case xfrmTypes.newSa:
    case xfrmTypes.updateSa: {
      const sa = readSa(message);
      return sa === undefined ? undefined : { kind: "saAdded", sa };
    }
    case xfrmTypes.deleteSa:
      needs(message, saNameBytes, "the name of an SA");
      wipeKeys(message);
      return { kind: "saDeleted", name: nameAt(view, start, start + 20, start + 22) };
    case xfrmTypes.expire: {
      needs(message, saBytes + 1, "an expiry");
      const name = nameAt(view, start + 56, start + 212, start + 76);
      return { kind: "saExpired", name, hard: view.getUint8(start + saBytes) !== 0 };
    }
    case xfrmTypes.acquire: {
      needs(message, acquireBytes, "an acquire");
      const family = view.getUint16(start + 80, true);
      return { kind: "saWanted", destination: readAddressAs(view, start, family) };
    }
    case xfrmTypes.newPolicy:
    case xfrmTypes.updatePolicy:
    case xfrmTypes.deletePolicy:
    case xfrmTypes.policyExpire:
      return { kind: "policyChanged" };
    case xfrmTypes.flushSa:
    case xfrmTypes.flushPolicy:
      return { kind: "flushed" };
    default:
      return undefined;
  }
}

// The event of an SA's deletion still carries its keys.
function wipeKeys({ view, start, end }: NetlinkMessage): void {
  eachAttribute({ view, start: start + saNameBytes, end }, (_type, from, to) => {
    for (let at = from; at < to; at += 1) view.setUint8(at, 0);
  });
}

function nameAt(view: DataView, at: number, familyAt: number, protocolAt: number): SaName {
  return {
    destination: readAddressAs(view, at, view.getUint16(familyAt, true)),
    spi: view.getUint32(at + 16),
    ipProtocol: view.getUint8(protocolAt),
  };
}

/** Builds the dump of all SAs. */
export function dumpSas(): NetlinkRequest {
  return { type: xfrmTypes.getSa, flags: netlinkFlags.dump, body: [] };
}

/** Builds the dump of all policies. */
export function dumpPolicies(): NetlinkRequest {
  return { type: xfrmTypes.getPolicy, flags: netlinkFlags.dump, body: [] };
}

/** Builds the request that deletes an SA. */
export function deleteSa({ destination, spi, ipProtocol }: SaName): NetlinkRequest {
  const octets = new Uint8Array(saNameBytes);
  const view = new DataView(octets.buffer);
  writeAddress(octets, 0, destination);
  view.setUint32(16, spi);
  view.setUint16(20, familyOf(destination), true);
  octets[22] = ipProtocol;
  return { type: xfrmTypes.deleteSa, flags: 0, body: [octets] };
}

/** A policy to be added. */
export interface NewPolicy {
  /** Prefixes, such as 10.0.0.0/8. */
  readonly source: string;
  /** The prefix of the destination. */
  readonly destination: string;
  /** The direction of the traffic. */
  readonly direction: "in" | "out" | "forward";
  /** The lowest number among matching policies wins. */
  readonly priority: number;
  /** Absent = allow. */
  readonly action?: "allow" | "block";
  /** The index of the link that packets leave by; absent = any. */
  readonly link?: number;
  /** Absent: allowed traffic passes unchanged. */
  readonly template?: {
    readonly source: string;
    readonly destination: string;
    readonly reqid: number;
    readonly mode: "tunnel" | "transport";
  };
  /** The id of the xfrm interface; absent = the policy is of no interface. */
  readonly ifId?: number;
  /**
   * The user field of the selector; absent = 0. The kernel compares it when it looks for the same
   * policy, and never with a packet (`selector_cmp` and `xfrm_selector_match`).
   */
  readonly user?: number;
}

const selectorLinkAt = 48;
const selectorUserAt = 52;
const blankPolicy = new Uint8Array(policyBytes);
writeNoLimits(blankPolicy, selectorBytes);

/** Builds the request that adds a policy; the kernel refuses one with the same selector. */
export function addPolicy(want: NewPolicy): NetlinkRequest {
  const octets = Buffer.from(blankPolicy);
  writeSelector(octets, want);
  octets.writeUInt32LE(want.priority, 152);
  octets[160] = directions.indexOf(want.direction);
  octets[161] = want.action === "block" ? 1 : 0;
  octets.writeInt32LE(want.link ?? 0, selectorLinkAt);
  octets.writeUInt32LE(want.user ?? 0, selectorUserAt);
  const template = want.template === undefined ? [] : attribute(5, [templateOctets(want.template)]);
  return {
    type: xfrmTypes.newPolicy,
    flags: netlinkFlags.create | netlinkFlags.exclusive,
    body: [octets, ...template, ...xfrmAttributes.write({ ifId: want.ifId })],
  };
}

/** Builds the request that adds a policy, or replaces one with the same selector. */
export function putPolicy(want: NewPolicy): NetlinkRequest {
  return { ...addPolicy(want), type: xfrmTypes.updatePolicy, flags: 0 };
}

const blankTemplate = new Uint8Array(templateBytes);
// The template allows any algorithm; the SA determines it.
blankTemplate.fill(0xff, 52);

function templateOctets(want: NonNullable<NewPolicy["template"]>): Uint8Array {
  const octets = Buffer.from(blankTemplate);
  writeAddress(octets, 0, want.destination);
  octets[20] = ipProtocols.esp;
  octets[24] = familyOf(want.destination);
  writeAddress(octets, 28, want.source);
  octets.writeUInt32LE(want.reqid, 44);
  octets[48] = modes.indexOf(want.mode);
  return octets;
}

/** Builds the request that deletes a policy. */
export function deletePolicy(
  want: Pick<NewPolicy, "source" | "destination" | "direction" | "ifId" | "link" | "user">,
): NetlinkRequest {
  const octets = Buffer.alloc(policyNameBytes);
  writeSelector(octets, want);
  octets.writeInt32LE(want.link ?? 0, selectorLinkAt);
  octets.writeUInt32LE(want.user ?? 0, selectorUserAt);
  octets[60] = directions.indexOf(want.direction);
  return {
    type: xfrmTypes.deletePolicy,
    flags: 0,
    body: [octets, ...xfrmAttributes.write({ ifId: want.ifId })],
  };
}
