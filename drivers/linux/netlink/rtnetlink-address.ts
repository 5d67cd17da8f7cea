// Addresses of this host's links: RTM_NEWADDR and RTM_DELADDR.

import type { NetlinkMessage, NetlinkRequest } from "#hal/netlink.ts";
import { netlinkFlags, unparsed } from "../../transport/netlink-wire.ts";
import { addressOctets, families, ipAddress } from "./address.ts";
import { type Attributes, table } from "./attributes.ts";
import { s32, text, u8, u32, words } from "./codecs.ts";

const addressTypes = { newAddress: 20, deleteAddress: 21, getAddress: 22 } as const;

const rows = {
  address: [1, ipAddress],
  /** The host's own end; on a point-to-point link `address` is the other end. */
  local: [2, ipAddress],
  label: [3, text],
  broadcast: [4, ipAddress],
  anycast: [5, ipAddress],
  lifetimes: [6, words("preferred", "valid", "created", "updated")],
  multicast: [7, ipAddress],
  flags: [8, u32],
  metric: [9, u32],
  targetNamespace: [10, s32],
  protocol: [11, u8],
} as const;
const addressRows = table(rows);

/** An address of a link. */
export interface Address extends Attributes<typeof rows> {
  readonly family: number;
  /** The length of the prefix in bits. */
  readonly prefixLength: number;
  /** The scope (RT_SCOPE_*). */
  readonly scope: number;
  /** The index of the link. */
  readonly link: number;
}

const headerBytes = 8;

/** Returns undefined for a message that does not describe an address. */
export function readAddress({ type, view, start, end }: NetlinkMessage): Address | undefined {
  if (type !== addressTypes.newAddress && type !== addressTypes.deleteAddress) return undefined;
  if (end - start < headerBytes) throw unparsed("an address without its header");
  return {
    ...addressRows.read(view, start + headerBytes, end),
    family: view.getUint8(start),
    prefixLength: view.getUint8(start + 1),
    scope: view.getUint8(start + 3),
    link: view.getUint32(start + 4, true),
  };
}

function header(family: number, prefixLength: number, link: number): Uint8Array {
  const octets = new Uint8Array(headerBytes);
  octets.set([family, prefixLength]);
  new DataView(octets.buffer).setUint32(4, link, true);
  return octets;
}

/** Builds the dump of all addresses. */
export function dumpAddresses(): NetlinkRequest {
  const body = [header(families.unspecified, 0, 0)];
  return { type: addressTypes.getAddress, flags: netlinkFlags.dump, body };
}

export interface LinkAddress {
  readonly link: number;
  readonly local: string;
  /** The other end of a point-to-point link; absent = the link has a subnet. */
  readonly peer?: string;
  readonly prefixLength: number;
}

function change(type: number, flags: number, want: LinkAddress): NetlinkRequest {
  const family = addressOctets(want.local).length === 4 ? families.ipv4 : families.ipv6;
  const { local, peer = local } = want;
  const attributes = addressRows.write({ local, address: peer });
  return { type, flags, body: [header(family, want.prefixLength, want.link), ...attributes] };
}

/** Builds the request that adds an address; the kernel refuses one that exists. */
export function addAddress(want: LinkAddress): NetlinkRequest {
  return change(addressTypes.newAddress, netlinkFlags.create | netlinkFlags.exclusive, want);
}

/** Builds the request that removes an address. */
export function removeAddress(want: LinkAddress): NetlinkRequest {
  return change(addressTypes.deleteAddress, 0, want);
}
